//! What the filters of questions mean: `in_list`, `type_matches`, `at_least`, `mentions`. Each takes what to look for first, then the
//! column. Where that is a constant, as a parameter is, the call becomes plain comparisons while the query is planned, so that
//! files are left out by their statistics; nothing to look for becomes `true` and costs nothing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::expr::Like;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility, lit,
};
use finding::Label;

use super::{Texts, constant_text, over_arrays, text_or_list, text_type};

/// The functions of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Choose {
    /// `in_list('111111111111,222222222222', account_id)`: whether the value, or any of a list of values, is one of those between the commas.
    /// An empty list is no restriction.
    InList,
    /// `type_matches('Recon:*,*:S3/*', type)`: whether the value, or any of a list, is like one of the patterns, in which `*` stands for any
    /// text. Capitals count, as in GuardDuty's names. No pattern is no restriction.
    TypeMatches,
    /// `at_least('high', severity)` or `at_least(7, severity)`: whether a number, or a label, is so severe or more. Nothing and 0 are no
    /// restriction.
    AtLeast,
    /// `mentions('i-0abc', instance_id, remote_ips, ..)`: whether any of the columns is that text, or a list that holds it.
    Mentions,
}

impl Choose {
    pub(crate) const ALL: [Choose; 4] = [
        Choose::InList,
        Choose::TypeMatches,
        Choose::AtLeast,
        Choose::Mentions,
    ];
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ChooseFunction {
    what: Choose,
    signature: Signature,
}

impl ChooseFunction {
    pub(crate) fn new(what: Choose) -> ChooseFunction {
        ChooseFunction {
            what,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

/// What is looked for, read once.
#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    Any,
    One(Vec<String>),
    Like(Vec<String>),
    From(f64),
}

impl Wanted {
    fn read(what: Choose, text: &str) -> Result<Wanted> {
        let parts = || -> Vec<String> {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        };
        Ok(match what {
            Choose::Mentions => Wanted::One(vec![text.trim().to_owned()]),
            Choose::AtLeast => match lowest_severity(text) {
                Some(lowest) if lowest > 0.0 => Wanted::From(lowest),
                Some(_) => Wanted::Any,
                None => {
                    return plan_err!(
                        "\"{text}\" is not a severity: low, medium, high, critical or a number"
                    );
                }
            },
            _ if parts().is_empty() => Wanted::Any,
            Choose::InList => Wanted::One(parts()),
            Choose::TypeMatches => Wanted::Like(parts()),
        })
    }

    fn holds(&self, text: &str) -> bool {
        match self {
            Wanted::Any => true,
            Wanted::One(values) => values.iter().any(|value| value == text),
            Wanted::Like(globs) => globs.iter().any(|glob| matches(glob, text)),
            Wanted::From(lowest) => {
                Label::from_word(text).is_some_and(|label| Some(label) >= Label::of(*lowest))
            }
        }
    }

    /// The same as comparisons of one column; `None` where only a look at each value tells.
    fn comparison(&self, column: Expr, kind: &DataType) -> Result<Option<Expr>> {
        let constant = |text: &str| -> Result<Expr> {
            let text = ScalarValue::Utf8(Some(text.to_owned()));
            Ok(Expr::Literal(text.cast_to(kind)?, None))
        };
        let is_text = matches!(
            kind,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        );
        Ok(match self {
            Wanted::Any => Some(lit(true)),
            Wanted::One(values) if is_text => {
                let values = values.iter().map(|value| constant(value));
                Some(any_of(column, values.collect::<Result<_>>()?))
            }
            Wanted::Like(globs) if is_text => {
                let (like, same): (Vec<_>, Vec<_>) =
                    globs.iter().partition(|glob| glob.contains('*'));
                let same = same.into_iter().map(|value| constant(value));
                let same: Vec<Expr> = same.collect::<Result<_>>()?;
                let mut all = Vec::new();
                if !same.is_empty() {
                    all.push(any_of(column.clone(), same));
                }
                for glob in like {
                    let pattern = constant(&like_pattern(glob))?;
                    let like = Like::new(
                        false,
                        Box::new(column.clone()),
                        Box::new(pattern),
                        None,
                        false,
                    );
                    all.push(Expr::Like(like));
                }
                all.into_iter().reduce(Expr::or)
            }
            Wanted::From(lowest) if kind == &DataType::Float64 => Some(column.gt_eq(lit(*lowest))),
            _ => None,
        })
    }
}

fn any_of(column: Expr, mut values: Vec<Expr>) -> Expr {
    if values.len() == 1 {
        column.eq(values.remove(0))
    } else {
        column.in_list(values, false)
    }
}

/// The least severity that a text asks for: a label, a number, nothing (0).
pub(crate) fn lowest_severity(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.is_empty() {
        return Some(0.0);
    }
    match Label::from_word(text) {
        Some(Label::Informational) => Some(0.0),
        Some(Label::Low) => Some(1.0),
        Some(Label::Medium) => Some(4.0),
        Some(Label::High) => Some(7.0),
        Some(Label::Critical) => Some(9.0),
        None => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

/// `Recon:*` as `LIKE` wants it.
fn like_pattern(glob: &str) -> String {
    let mut pattern = String::with_capacity(glob.len() + 2);
    for c in glob.chars() {
        match c {
            '*' => pattern.push('%'),
            '%' | '_' | '\\' => pattern.extend(['\\', c]),
            other => pattern.push(other),
        }
    }
    pattern
}

/// Whether a text is like a pattern with `*`: the first part begins it, the last ends it, the others follow each other between.
fn matches(glob: &str, text: &str) -> bool {
    let Some((first, rest)) = glob.split_once('*') else {
        return glob == text;
    };
    let Some(mut left) = text.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        match left.split_once(part) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(last)
}

impl ScalarUDFImpl for ChooseFunction {
    fn name(&self) -> &str {
        match self.what {
            Choose::InList => "in_list",
            Choose::TypeMatches => "type_matches",
            Choose::AtLeast => "at_least",
            Choose::Mentions => "mentions",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match (self.what, given) {
            (Choose::AtLeast, [wanted, column]) => {
                let wanted = if wanted.is_numeric() {
                    DataType::Float64
                } else {
                    DataType::Utf8
                };
                let column = if column.is_numeric() || column.is_null() {
                    DataType::Float64
                } else {
                    text_type(column)
                };
                Ok(vec![wanted, column])
            }
            (Choose::InList | Choose::TypeMatches, [_, column]) => {
                Ok(vec![DataType::Utf8, text_or_list(column)])
            }
            (Choose::Mentions, [_, columns @ ..]) if !columns.is_empty() => {
                let columns = columns.iter().map(text_or_list);
                Ok([DataType::Utf8].into_iter().chain(columns).collect())
            }
            (Choose::InList, _) => {
                plan_err!("in_list takes a list and a column: in_list('a,b', account_id)")
            }
            (Choose::TypeMatches, _) => {
                plan_err!("type_matches takes patterns and a column: type_matches('Recon:*', type)")
            }
            (Choose::AtLeast, _) => plan_err!(
                "at_least takes a label or number and a column: at_least('high', severity)"
            ),
            (Choose::Mentions, _) => plan_err!(
                "mentions takes a text and columns: mentions('10.0.0.1', remote_ips, resource_id)"
            ),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let wanted = match args.first() {
            Some(Expr::Literal(value, _)) => constant_wanted(self.what, value)?,
            _ => None,
        };
        // Lists are looked into row by row; so are columns beside them.
        let mut comparisons = Vec::new();
        for column in &args[1..] {
            let kind = info.get_data_type(column)?;
            let compared = wanted
                .as_ref()
                .map(|wanted| wanted.comparison(column.clone(), &kind));
            match compared.transpose()?.flatten() {
                Some(comparison) => comparisons.push(comparison),
                None => return Ok(ExprSimplifyResult::Original(args)),
            }
        }
        Ok(match comparisons.into_iter().reduce(Expr::or) {
            Some(comparison) => ExprSimplifyResult::Simplified(comparison),
            None => ExprSimplifyResult::Original(args),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let what = self.what;
        let wanted = match args.args.first() {
            Some(ColumnarValue::Scalar(value)) => constant_wanted(what, value)?,
            _ => {
                return exec_err!(
                    "{} looks for the same in all rows: give a text, not a column",
                    self.name()
                );
            }
        };
        over_arrays(args, |arrays, len| {
            let Some(wanted) = &wanted else {
                return Ok(Arc::new(BooleanArray::new_null(len)) as ArrayRef);
            };
            let mut found = vec![None; len];
            for column in &arrays[1..] {
                each(column, wanted, &mut found)?;
            }
            Ok(Arc::new(BooleanArray::from(found)) as ArrayRef)
        })
    }
}

/// Null looks for nothing that there could be.
fn constant_wanted(what: Choose, value: &ScalarValue) -> Result<Option<Wanted>> {
    match (
        value,
        constant_text(Some(&ColumnarValue::Scalar(value.clone()))).flatten(),
    ) {
        (ScalarValue::Float64(Some(number)), _) if *number > 0.0 => Ok(Some(Wanted::From(*number))),
        (ScalarValue::Float64(Some(_)), _) => Ok(Some(Wanted::Any)),
        (_, Some(text)) => Wanted::read(what, &text).map(Some),
        _ => Ok(None),
    }
}

/// Adds what one column says to what is known of each row: true wins over false, false over null.
fn each(column: &ArrayRef, wanted: &Wanted, found: &mut [Option<bool>]) -> Result<()> {
    let mut add = |row: usize, held: Option<bool>| {
        let known: &mut Option<bool> = &mut found[row];
        *known = (*known).max(held);
    };
    match (column.data_type(), wanted) {
        (_, Wanted::Any) => (0..column.len()).for_each(|row| add(row, Some(true))),
        (DataType::Float64, Wanted::From(lowest)) => {
            let numbers = column.as_primitive::<Float64Type>().iter().enumerate();
            numbers.for_each(|(row, number)| add(row, number.map(|number| number >= *lowest)));
        }
        (DataType::List(_), _) => {
            let lists: &ListArray = column.as_list();
            let values = cast(lists.values(), &text_type(&lists.value_type()))?;
            let texts = Texts::of(&values);
            for (row, span) in lists.value_offsets().windows(2).enumerate() {
                let any = (span[0] as usize..span[1] as usize)
                    .any(|at| texts.get(at).is_some_and(|text| wanted.holds(text)));
                add(row, lists.is_valid(row).then_some(any));
            }
        }
        _ => {
            let texts = Texts::of(column);
            (0..column.len())
                .for_each(|row| add(row, texts.get(row).map(|text| wanted.holds(text))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_they_read() {
        let check = |glob: &str, text: &str, expected: bool| {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        };
        check("Recon:*", "Recon:EC2/Portscan", true);
        check("Recon:*", "recon:EC2/Portscan", false);
        check("*:S3/*", "Policy:S3/BucketPublic", true);
        check("*:S3/*", "Policy:S30", false);
        check("*a*b", "xaxb", true);
        check("*a*b", "xbxa", false);
        check("a*a", "a", false);
        check("a*ab*b", "aab", false);
        check("a", "a", true);
        check("*", "", true);
        assert_eq!(like_pattern("a_%\\*"), "a\\_\\%\\\\%");
    }

    #[test]
    fn severities_are_labels_or_numbers() {
        let read = |text| lowest_severity(text);
        assert_eq!(read("High"), Some(7.0));
        assert_eq!(read(" 4.5 "), Some(4.5));
        assert_eq!(read(""), Some(0.0));
        assert_eq!(read("worst"), None);
        assert_eq!(read("nan"), None);
    }
}
