//! `in_ou(path, account_id, time)`: whether an account, or any of a list of accounts, was in an organizational unit at a time, or in one
//! below it. `/prod` holds `/prod` and `/prod/web`, not `/production`. No path is no restriction.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility, lit,
};
use lake::schema::timestamp;

use super::accounts::AccountNames;
use super::{Texts, constant_text, over_arrays, text_or_list, text_type};

#[derive(Debug)]
pub(crate) struct InOu {
    names: Arc<AccountNames>,
    signature: Signature,
}

impl InOu {
    pub(crate) fn new(names: &Arc<AccountNames>) -> InOu {
        InOu {
            names: Arc::clone(names),
            signature: Signature::user_defined(Volatility::Stable),
        }
    }

    /// What it looks up in.
    pub(super) fn names(&self) -> &Arc<AccountNames> {
        &self.names
    }
}

impl PartialEq for InOu {
    fn eq(&self, other: &InOu) -> bool {
        Arc::ptr_eq(&self.names, &other.names)
    }
}

impl Eq for InOu {}

impl Hash for InOu {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

/// Whether one path is another or below it; slashes at the ends do not matter.
fn within(path: &str, ou: &str) -> bool {
    let (path, ou) = (path.trim_matches('/'), ou.trim_matches('/'));
    ou.strip_prefix(path)
        .is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

impl ScalarUDFImpl for InOu {
    fn name(&self) -> &str {
        "in_ou"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [_, account, time] if time.is_temporal() || time.is_string() || time.is_null() => {
                Ok(vec![DataType::Utf8, text_or_list(account), timestamp()])
            }
            _ => plan_err!(
                "in_ou takes a path, an account and a time: in_ou('/prod', account_id, event_time)"
            ),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let all = match args.first() {
            Some(Expr::Literal(path, _)) => path.try_as_str().flatten() == Some(""),
            _ => false,
        };
        Ok(match all {
            true => ExprSimplifyResult::Simplified(lit(true)),
            false => ExprSimplifyResult::Original(args),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(path) = constant_text(args.args.first()) else {
            return exec_err!("in_ou takes the same path for all rows");
        };
        over_arrays(args, |arrays, len| {
            let Some(path) = path.as_deref().map(str::trim) else {
                return Ok(Arc::new(BooleanArray::new_null(len)) as ArrayRef);
            };
            let times = arrays[2].as_primitive::<TimestampMicrosecondType>();
            let held = |account: &str, row: usize| {
                let time = times.is_valid(row).then(|| times.value(row));
                path.is_empty()
                    || self
                        .names
                        .ou_at(account, time)
                        .is_some_and(|ou| within(path, ou))
            };
            let column = &arrays[1];
            let result: BooleanArray = if let DataType::List(_) = column.data_type() {
                let lists: &ListArray = column.as_list();
                let values = cast(lists.values(), &text_type(&lists.value_type()))?;
                let texts = Texts::of(&values);
                let spans = lists.value_offsets().windows(2).enumerate();
                spans
                    .map(|(row, span)| {
                        let mut items = span[0] as usize..span[1] as usize;
                        let any = items.any(|at| texts.get(at).is_some_and(|a| held(a, row)));
                        lists.is_valid(row).then_some(any)
                    })
                    .collect()
            } else {
                let texts = Texts::of(column);
                (0..len)
                    .map(|row| texts.get(row).map(|account| held(account, row)))
                    .collect()
            };
            Ok(Arc::new(result) as ArrayRef)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn a_unit_holds_what_is_below_it() {
        assert!(within("/prod", "/prod"));
        assert!(within("/prod/", "/prod/web"));
        assert!(within("prod", "/prod/web"));
        assert!(!within("/prod", "/production"));
        assert!(!within("/prod/web", "/prod"));
        assert!(within("/", "/prod"));
    }
}
