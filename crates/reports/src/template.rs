//! Templates with the answers at hand: the words of a section, and frames of users' own. Nothing is loaded from anywhere, a
//! template does a bounded amount of work, and a name that does not exist is a mistake.

use std::collections::BTreeMap;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use crate::ask::{Answer, Answers};
use crate::period::Period;
use crate::report::Report;
use crate::table::{Cell, Table};

/// Steps of a template; a page of 500 rows takes about 20,000.
const FUEL: u64 = 2_000_000;
/// Rows of an answer that a template sees.
const ROWS: usize = 5_000;
/// Characters of a text that a template sees.
const TEXT: usize = 2_000;

/// Whether the words of a section can be read; the error is a sentence with a line within the text.
pub(crate) fn check(source: &str) -> Result<(), String> {
    let mut environment = environment(false);
    let added = environment.add_template_owned("text", source.to_owned());
    added.map_err(|error| say(&error))
}

/// The words of a section: plain text, no markup.
pub(crate) fn text(source: &str, context: &Value) -> Result<String, String> {
    let environment = environment(false);
    let done = environment.render_named_str("text", source, context.clone());
    done.map_err(|error| say(&error))
}

/// A page: what is not marked safe is escaped for HTML. `others` are templates of the same folder that it may name, by
/// file name.
pub(crate) fn page(
    name: &str,
    source: &str,
    others: &BTreeMap<String, String>,
    context: Value,
) -> Result<String, String> {
    let mut environment = environment(true);
    for (other, source) in others {
        let added = environment.add_template_owned(other.clone(), source.clone());
        added.map_err(|error| format!("{}: {}", alerts::clean(other, 80), say(&error)))?;
    }
    let added = environment.add_template_owned(name.to_owned(), source.to_owned());
    added.map_err(|error| say(&error))?;
    let template = environment
        .get_template(name)
        .map_err(|error| say(&error))?;
    template.render(context).map_err(|error| say(&error))
}

fn environment(html: bool) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    environment.set_auto_escape_callback(move |_| match html {
        true => AutoEscape::Html,
        false => AutoEscape::None,
    });
    environment.add_filter("number", |value: Value| {
        match f64::try_from(value.clone()) {
            Ok(number) => crate::words::number(number),
            Err(_) => value.to_string(),
        }
    });
    environment
}

/// What is wrong, with the line where it is.
fn say(error: &minijinja::Error) -> String {
    let line = error
        .line()
        .map(|line| format!("line {line}: "))
        .unwrap_or_default();
    let kind = error.kind().to_string();
    let what = match error.detail() {
        Some(detail) => format!("{kind}: {detail}"),
        None => kind,
    };
    format!("{line}{}", alerts::clean(&what, 300))
}

/// What templates see: `title`, `period`, `parameters`, `each`, `answers`. Texts of findings come without control codes.
pub(crate) fn context(
    report: &Report,
    period: &Period,
    answers: &Answers,
) -> BTreeMap<&'static str, Value> {
    let each = answers.each.as_ref().map(|each| {
        let (value, label) = (tame(&each.value), tame(&each.label));
        Value::from_pairs([("value", value), ("label", label)])
    });
    let time = |micros: i64| alerts::rfc3339(micros);
    let about = Value::from_pairs([
        ("name", period.name()),
        ("words", period.words()),
        ("unit", period.unit().as_str().to_owned()),
        ("from", time(period.from())),
        ("to", time(period.to())),
        ("time_zone", period.zone().name().to_owned()),
    ]);
    let parameters = answers.parameters(report);
    let parameters = parameters
        .iter()
        .map(|(name, value)| (name.clone(), tame(value)));
    BTreeMap::from([
        ("title", Value::from(report.title.as_str())),
        ("description", Value::from(report.description.as_str())),
        ("name", Value::from(report.name.as_str())),
        ("period", about),
        ("parameters", Value::from_pairs(parameters)),
        ("each", each.unwrap_or(Value::from(()))),
        (
            "answers",
            Value::from_pairs(
                answers
                    .by_id
                    .iter()
                    .map(|(id, answer)| (id.clone(), seen(answer))),
            ),
        ),
    ])
}

fn tame(text: &str) -> String {
    alerts::clean(text, TEXT).into_owned()
}

fn seen(answer: &Answer) -> Value {
    let empty = Table::default();
    let (table, error) = match &answer.table {
        Ok(table) => (table, Value::from(())),
        Err(why) => (&empty, Value::from(tame(why))),
    };
    let rows = table.rows.iter().take(ROWS).map(|row| {
        let cells = table.columns.iter().zip(row);
        Value::from_pairs(cells.map(|(column, cell)| (column.name.clone(), value(cell))))
    });
    Value::from_pairs([
        ("title", Value::from(tame(&answer.title))),
        ("rows", Value::from_iter(rows.collect::<Vec<_>>())),
        ("total", Value::from(table.rows.len())),
        ("error", error),
    ])
}

pub(crate) fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::from(()),
        Cell::Text(text) => Value::from(tame(text)),
        Cell::Integer(number) => Value::from(*number),
        Cell::Number(number) => Value::from(*number),
        Cell::Boolean(truth) => Value::from(*truth),
        Cell::Time(micros) => Value::from(alerts::rfc3339(*micros)),
        Cell::List(texts) => Value::from_iter(texts.iter().map(|text| tame(text))),
    }
}
