//! Functions on other machines: known by their names there, and the few that look up names of accounts take the names along.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;
use sha2::{Digest, Sha256};

use super::accounts::{self, AccountFunction, AccountNames};
use super::ou::InOu;

/// The functions that are known by their names alone become known to a session that works on plans of others. Those that look up accounts
/// are not among them: without their names they would find nobody, so that a plan must bring them ([`with_state`]).
pub fn register_for_plans(context: &mut SessionContext) -> Result<()> {
    let nobody = Arc::default();
    super::register(context, &nobody)?;
    for function in looking_up(&nobody) {
        context.deregister_udf(function.name());
    }
    Ok(())
}

fn looking_up(names: &Arc<AccountNames>) -> impl Iterator<Item = ScalarUDF> {
    let unit = ScalarUDF::from(InOu::new(names));
    accounts::functions(names).into_iter().chain([unit])
}

/// Whether a function looks up what another session may know differently.
pub(crate) fn looks_up(function: &ScalarUDF) -> bool {
    let inner = function.inner();
    inner.downcast_ref::<AccountFunction>().is_some() || inner.downcast_ref::<InOu>().is_some()
}

/// What a function has to take along to another machine, if it is one of ours that looks something up. Never empty.
///
/// # Errors
/// A bug: names that cannot be written as JSON.
pub fn state_of(function: &ScalarUDF) -> Result<Option<Vec<u8>>> {
    let inner = function.inner();
    let names = match inner.downcast_ref::<AccountFunction>() {
        Some(function) => Some(function.names()),
        None => inner.downcast_ref::<InOu>().map(InOu::names),
    };
    names
        .map(|names| {
            serde_json::to_vec(names.as_ref())
                .map_err(|e| exec_datafusion_err!("names of accounts cannot be sent: {e}"))
        })
        .transpose()
}

/// The function of a name with what [`state_of`] gave.
///
/// # Errors
/// No function of that name looks something up, or the bytes are not what `state_of` gives: programs of different versions.
pub fn with_state(name: &str, state: &[u8]) -> Result<Arc<ScalarUDF>> {
    let names = names(state)?;
    looking_up(&names)
        .find(|function| function.name() == name)
        .map(Arc::new)
        .ok_or_else(|| {
            exec_datafusion_err!(
                "the function {name} came with something to look up, which this version does not know: run the same version everywhere"
            )
        })
}

/// The names in some bytes. The same bytes give the same names, as long as anybody holds them: a plan says them once for each use of a
/// function, and two uses are equal only if their names are the same.
fn names(state: &[u8]) -> Result<Arc<AccountNames>> {
    static HELD: Mutex<Option<HashMap<[u8; 32], Weak<AccountNames>>>> = Mutex::new(None);
    let digest: [u8; 32] = Sha256::digest(state).into();
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let held = held.get_or_insert_default();
    if let Some(names) = held.get(&digest).and_then(Weak::upgrade) {
        return Ok(names);
    }
    let names: AccountNames = serde_json::from_slice(state)
        .map_err(|e| exec_datafusion_err!("names of accounts cannot be read: {e}"))?;
    let names = Arc::new(names);
    held.retain(|_, names| names.strong_count() > 0);
    held.insert(digest, Arc::downgrade(&names));
    Ok(names)
}

#[cfg(test)]
mod tests {
    use datafusion::execution::FunctionRegistry;

    use super::*;

    #[test]
    fn names_travel_with_the_functions_that_look_them_up() {
        let sent = names(br#"{"accounts":{"1":[{"from":5,"name":"payments","ou":"/prod"}]}}"#);
        let sent = sent.unwrap();
        for function in looking_up(&sent) {
            let state = state_of(&function).unwrap().expect("something to look up");
            let there = with_state(function.name(), &state).unwrap();
            assert_eq!(there.name(), function.name());
            let names = |function: &ScalarUDF| state_of(function).unwrap();
            assert_eq!(names(&there), Some(state.clone()));
            // Two uses of a function in a plan are the same function.
            assert_eq!(there, with_state(function.name(), &state).unwrap());
        }
        assert!(with_state("upper", b"{\"accounts\":{}}").is_err());
        assert!(with_state("account_name", b"x").is_err());
    }

    #[test]
    fn a_function_without_its_names_is_not_known_by_name() {
        let mut context = SessionContext::new();
        register_for_plans(&mut context).unwrap();
        for known in [
            "ip_in_cidr",
            "severity_label",
            "day_in",
            "json_get_str",
            "type_matches",
        ] {
            let function = context.udf(known).unwrap();
            assert_eq!(state_of(&function).unwrap(), None, "{known}");
        }
        for unknown in ["account_name", "account_ou", "in_ou"] {
            assert!(context.udf(unknown).is_err(), "{unknown}");
        }
        assert!(
            context
                .udaf("count")
                .unwrap()
                .inner()
                .downcast_ref::<super::super::distinct::Count>()
                .is_some()
        );
    }
}
