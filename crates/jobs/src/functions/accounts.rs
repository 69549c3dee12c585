//! `account_name(account_id, time)` and `account_ou(account_id, time)`: what an account was called at a time.
//!
//! Functions, not a join: a query that does not ask for names costs nothing, and rows are never multiplied by overlapping
//! validity times. The names are read once when the session opens.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lake::schema::timestamp;
use serde::{Deserialize, Serialize};

use super::{Texts, over_arrays, text_type};

/// Names and OUs of accounts over time.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct AccountNames {
    /// By account, oldest first.
    accounts: HashMap<Box<str>, Vec<Term>>,
}

/// What held from a time on, until the next.
#[derive(Debug, Serialize, Deserialize)]
struct Term {
    from: i64,
    name: Option<Box<str>>,
    ou: Option<Box<str>>,
}

/// The columns of `accounts_history` that [`AccountNames::read`] wants, in its order.
pub(crate) const COLUMNS: [&str; 4] = ["account_id", "valid_from", "name", "ou"];

/// Plans are printed here and there while they are made: never five thousand accounts.
impl std::fmt::Debug for AccountNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccountNames({} accounts)", self.accounts.len())
    }
}

impl AccountNames {
    /// From rows of `accounts_history` with just [`COLUMNS`].
    pub(crate) fn read(batches: &[RecordBatch]) -> Result<AccountNames> {
        let mut names = AccountNames::default();
        for batch in batches {
            let texts = [0, 2, 3].map(|column| cast(batch.column(column), &DataType::Utf8));
            let [ids, account_names, ous] = texts;
            let (ids, account_names, ous) = (ids?, account_names?, ous?);
            let (ids, account_names, ous) =
                (Texts::of(&ids), Texts::of(&account_names), Texts::of(&ous));
            let from = cast(batch.column(1), &timestamp())?;
            let from = from.as_primitive::<TimestampMicrosecondType>();
            for row in 0..batch.num_rows() {
                let term = Term {
                    from: if from.is_valid(row) {
                        from.value(row)
                    } else {
                        i64::MIN
                    },
                    name: account_names.get(row).map(Box::from),
                    ou: ous.get(row).map(Box::from),
                };
                names
                    .accounts
                    .entry(ids.get(row).unwrap_or_default().into())
                    .or_default()
                    .push(term);
            }
        }
        for terms in names.accounts.values_mut() {
            terms.sort_by(|a, b| (a.from, &a.name, &a.ou).cmp(&(b.from, &b.name, &b.ou)));
        }
        Ok(names)
    }

    /// The organizational unit of an account at a time, as [`AccountNames::at`] finds it.
    pub(crate) fn ou_at(&self, account: &str, time: Option<i64>) -> Option<&str> {
        self.at(account, time)?.ou.as_deref()
    }

    /// What held at a time (at present, without one). Before the first known term the first one is the best there is.
    fn at(&self, account: &str, time: Option<i64>) -> Option<&Term> {
        let terms = self.accounts.get(account)?;
        match time {
            None => terms.last(),
            Some(time) => terms[..terms.partition_point(|term| term.from <= time)]
                .last()
                .or(terms.first()),
        }
    }
}

/// Both functions over the same names.
pub(crate) fn functions(names: &Arc<AccountNames>) -> [ScalarUDF; 2] {
    [What::Name, What::Ou].map(|what| {
        let signature = Signature::user_defined(Volatility::Stable);
        ScalarUDF::from(AccountFunction {
            what,
            names: Arc::clone(names),
            signature,
        })
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    Name,
    Ou,
}

#[derive(Debug)]
pub(super) struct AccountFunction {
    what: What,
    names: Arc<AccountNames>,
    signature: Signature,
}

impl AccountFunction {
    /// What it looks up in.
    pub(super) fn names(&self) -> &Arc<AccountNames> {
        &self.names
    }
}

impl PartialEq for AccountFunction {
    fn eq(&self, other: &AccountFunction) -> bool {
        self.what == other.what && Arc::ptr_eq(&self.names, &other.names)
    }
}

impl Eq for AccountFunction {}

impl Hash for AccountFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.what.hash(state);
    }
}

impl ScalarUDFImpl for AccountFunction {
    fn name(&self) -> &str {
        match self.what {
            What::Name => "account_name",
            What::Ou => "account_ou",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [account] => Ok(vec![text_type(account)]),
            [account, time] if time.is_temporal() || time.is_string() || time.is_null() => {
                Ok(vec![text_type(account), timestamp()])
            }
            _ => plan_err!(
                "{0} takes an account and, if you like, a time: {0}(account_id, event_time)",
                self.name()
            ),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        over_arrays(args, |arrays, len| {
            let accounts = Texts::of(&arrays[0]);
            let times = arrays
                .get(1)
                .map(|times| times.as_primitive::<TimestampMicrosecondType>());
            let text = |row: usize| {
                let time = times.and_then(|times| times.is_valid(row).then(|| times.value(row)));
                let term = self.names.at(accounts.get(row)?, time)?;
                match self.what {
                    What::Name => term.name.as_deref(),
                    What::Ou => term.ou.as_deref(),
                }
            };
            Ok(Arc::new((0..len).map(text).collect::<StringArray>()) as ArrayRef)
        })
    }
}
