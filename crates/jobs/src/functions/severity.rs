//! `severity_label(severity)`: Low, Medium, High, Critical, as GuardDuty names its numbers.

use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use finding::Label;

use super::over_arrays;

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct SeverityLabel {
    signature: Signature,
}

impl Default for SeverityLabel {
    fn default() -> SeverityLabel {
        SeverityLabel {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for SeverityLabel {
    fn name(&self) -> &str {
        "severity_label"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [kind] if kind.is_numeric() || kind.is_null() => Ok(vec![DataType::Float64]),
            _ => {
                plan_err!("severity_label takes a severity from 1 to 10: severity_label(severity)")
            }
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        over_arrays(args, |arrays, _| {
            let labels = arrays[0]
                .as_primitive::<Float64Type>()
                .iter()
                .map(|severity| Label::of(severity?).map(Label::as_str));
            Ok(Arc::new(labels.collect::<StringArray>()))
        })
    }
}
