//! Functions that GuardDuty's questions need and DataFusion has not: addresses, severity, account names, filters, local days, JSON in `raw`.

mod accounts;
mod choose;
mod distinct;
mod ip;
mod ou;
mod severity;
mod shipped;
#[cfg(test)]
mod tests;
mod utc;
mod zone;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, LargeStringArray, StringArray, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{AggregateUDF, ColumnarValue, ScalarFunctionArgs, ScalarUDF};
use datafusion::prelude::SessionContext;

pub(crate) use accounts::{AccountNames, COLUMNS as ACCOUNT_COLUMNS};
pub(crate) use choose::lowest_severity;
pub(crate) use shipped::looks_up;
pub use shipped::{register_for_plans, state_of, with_state};
pub(crate) use utc::DaysInUtc;
pub(crate) use zone::zone;

/// All functions of ours, and those of `datafusion-functions-json`, become known to the session.
pub(crate) fn register(context: &mut SessionContext, names: &Arc<AccountNames>) -> Result<()> {
    let ours = ip::Ip::ALL
        .into_iter()
        .map(|what| ScalarUDF::from(ip::IpFunction::new(what)));
    let choose = choose::Choose::ALL.map(|what| ScalarUDF::from(choose::ChooseFunction::new(what)));
    let zones = zone::Zone::ALL.map(|what| ScalarUDF::from(zone::ZoneFunction::new(what)));
    let ours = ours
        .chain(choose)
        .chain(zones)
        .chain(utc::WithoutZone::all());
    let ours = ours.chain([
        ScalarUDF::from(severity::SeverityLabel::default()),
        ScalarUDF::from(ou::InOu::new(names)),
    ]);
    for function in ours.chain(accounts::functions(names)) {
        context.register_udf(function);
    }
    context.register_udaf(AggregateUDF::from(distinct::Count::default()));
    datafusion_functions_json::register_all(context)
}

/// Text of any of Arrow's three string types, row by row.
pub(crate) enum Texts<'a> {
    Utf8(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
}

impl<'a> Texts<'a> {
    /// `array` must have passed [`text_type`].
    pub(crate) fn of(array: &'a ArrayRef) -> Texts<'a> {
        match array.data_type() {
            DataType::LargeUtf8 => Texts::Large(array.as_string()),
            DataType::Utf8View => Texts::View(array.as_string_view()),
            _ => Texts::Utf8(array.as_string()),
        }
    }

    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Texts::Utf8(array) => array.is_valid(row).then(|| array.value(row)),
            Texts::Large(array) => array.is_valid(row).then(|| array.value(row)),
            Texts::View(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

/// The string type to hand a text argument over in: its own, or plain text for dictionaries, nulls and numbers.
pub(crate) fn text_type(given: &DataType) -> DataType {
    match given {
        DataType::LargeUtf8 | DataType::Utf8View => given.clone(),
        DataType::Dictionary(_, values) => text_type(values),
        _ => DataType::Utf8,
    }
}

/// The same for a column that may be a list of texts.
fn text_or_list(given: &DataType) -> DataType {
    match given {
        DataType::List(_) => given.clone(),
        DataType::LargeList(item) | DataType::ListView(item) | DataType::LargeListView(item) => {
            DataType::List(Arc::clone(item))
        }
        other => text_type(other),
    }
}

/// Runs `rows` over the arguments as arrays; constant arguments give a constant.
fn over_arrays(
    args: ScalarFunctionArgs,
    rows: impl FnOnce(&[ArrayRef], usize) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let constant = args
        .args
        .iter()
        .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    let len = if constant { 1 } else { args.number_rows };
    let arrays = args
        .args
        .iter()
        .map(|arg| {
            let array = arg.to_array(len)?;
            match array.data_type() {
                DataType::Dictionary(_, values) => Ok(cast(&array, values)?),
                _ => Ok(array),
            }
        })
        .collect::<Result<Vec<_>>>()?;
    let result = rows(&arrays, len)?;
    if constant {
        Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
            &result, 0,
        )?))
    } else {
        Ok(ColumnarValue::Array(result))
    }
}

/// The text of a constant argument, if it is one.
fn constant_text(arg: Option<&ColumnarValue>) -> Option<Option<String>> {
    match arg {
        Some(ColumnarValue::Scalar(value)) => Some(value.try_as_str().flatten().map(str::to_owned)),
        _ => None,
    }
}
