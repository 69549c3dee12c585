//! Puts the values of parameters into a parsed statement, as literals with a type.
//!
//! Done on the syntax tree before planning, so that every function sees the type of its arguments and a value can never be
//! read as SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use arrow::temporal_conversions::timestamp_us_to_datetime;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, TimezoneInfo, UnaryOperator, Value as Literal, ValueWithSpan,
    visit_expressions_mut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use crate::mistake::{QueryError, Words, closest};
use crate::params::Value;

/// The names of the parameters that a statement mentions, without dollar signs.
pub(crate) fn parameters(statement: &mut Statement) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each_placeholder(statement, |name| {
        found.insert(name.to_owned());
        None
    });
    found
}

/// Replaces every `$name`; `sql` is the text, for pointing at it.
pub(crate) fn bind(
    statement: &mut Statement,
    values: &BTreeMap<String, Value>,
    sql: &str,
) -> Result<(), QueryError> {
    let wanted = parameters(statement);
    if let Some(missing) = wanted.iter().find(|name| !values.contains_key(*name)) {
        let place = Words::of(sql).find(&format!("${missing}"));
        let help = match closest(missing, values.keys().map(String::as_str)) {
            Some(name) => format!("did you mean \"${name}\"?"),
            None => format!("give it as {missing}=value"),
        };
        return Err(
            QueryError::correct(format!("no value for parameter \"{missing}\""), place)
                .with_help(help),
        );
    }
    if let Some(unknown) = values.keys().find(|name| !wanted.contains(*name)) {
        let error = QueryError::correct(format!("the query has no parameter \"{unknown}\""), None);
        return Err(match closest(unknown, wanted.iter().map(String::as_str)) {
            Some(name) => error.with_help(format!("did you mean \"{name}\"?")),
            None if wanted.is_empty() => error.with_help("it takes none"),
            None => error.with_help(format!(
                "it takes {}",
                wanted.into_iter().collect::<Vec<_>>().join(", ")
            )),
        });
    }
    each_placeholder(statement, |name| values.get(name).map(literal));
    Ok(())
}

fn each_placeholder(statement: &mut Statement, mut replace: impl FnMut(&str) -> Option<Expr>) {
    let statement = match statement {
        Statement::Statement(statement) => statement,
        Statement::Explain(explain) => return each_placeholder(&mut explain.statement, replace),
        _ => return,
    };
    let _: ControlFlow<()> = visit_expressions_mut(statement.as_mut(), |expr| {
        if let Expr::Value(ValueWithSpan {
            value: Literal::Placeholder(name),
            ..
        }) = expr
            && let Some(value) = replace(name.trim_start_matches('$'))
        {
            *expr = value;
        }
        ControlFlow::Continue(())
    });
}

fn literal(value: &Value) -> Expr {
    match value {
        Value::Text(text) => plain(Literal::SingleQuotedString(text.clone())),
        Value::Integer(number) => signed(*number < 0, number.unsigned_abs().to_string()),
        // Debug, unlike Display, keeps a decimal point or exponent, so that it stays a float.
        Value::Number(number) => signed(*number < 0.0, format!("{:?}", number.abs())),
        Value::Boolean(truth) => plain(Literal::Boolean(*truth)),
        Value::Timestamp(micros) => {
            let text = timestamp_us_to_datetime(*micros)
                .map_or_else(String::new, |time| format!("{time}Z"));
            Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(plain(Literal::SingleQuotedString(text))),
                data_type: DataType::Timestamp(Some(6), TimezoneInfo::WithTimeZone),
                array: false,
                format: None,
            }
        }
    }
}

fn signed(negative: bool, digits: String) -> Expr {
    let number = plain(Literal::Number(digits, false));
    if negative {
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: Box::new(number),
        }
    } else {
        number
    }
}

fn plain(value: Literal) -> Expr {
    Expr::Value(ValueWithSpan {
        value,
        span: Span::empty(),
    })
}
