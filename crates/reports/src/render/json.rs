//! Everything in one JSON document: what was asked, the text that was run, all rows with their types.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::RenderError;
use crate::ask::{Answer, Answers};
use crate::page::Page;
use crate::period::Period;
use crate::report::Report;
use crate::table::Cell;

pub(super) fn page(
    report: &Report,
    period: &Period,
    answers: &Answers,
    page: &Page<'_>,
) -> Result<String, RenderError> {
    let asks = report.asks(period, &answers.parameters(report));
    let answered: BTreeMap<&str, Value> = (asks.iter())
        .map(|ask| {
            (
                ask.id.as_str(),
                answer(&ask.question, answers.by_id.get(&ask.id)),
            )
        })
        .collect();
    let each = answers
        .each
        .as_ref()
        .map(|each| json!({"value": each.value, "label": each.label}));
    let document = json!({
        "report": report.name,
        "title": page.title,
        "description": page.description,
        "period": {
            "unit": period.unit().as_str(),
            "name": period.name(),
            "from": alerts::rfc3339(period.from()),
            "to": alerts::rfc3339(period.to()),
            "time_zone": period.zone().name(),
        },
        "for": each,
        "parameters": page.parameters,
        "answers": answered,
    });
    let text = serde_json::to_string_pretty(&document);
    let text = text.map_err(|error| RenderError::Internal {
        what: "JSON document",
        message: error.to_string(),
    })?;
    Ok(text + "\n")
}

fn answer(question: &str, answer: Option<&Answer>) -> Value {
    let Some(answer) = answer else {
        return json!({"question": question, "error": "was not asked"});
    };
    let mut value = Map::new();
    value.insert("question".to_owned(), json!(question));
    value.insert("title".to_owned(), json!(answer.title));
    value.insert("sql".to_owned(), json!(answer.sql));
    value.insert("parameters".to_owned(), json!(answer.parameters));
    match &answer.table {
        Err(why) => {
            value.insert("error".to_owned(), json!(why));
        }
        Ok(table) => {
            let columns = table
                .columns
                .iter()
                .map(|column| json!({"name": column.name, "type": column.kind.as_str()}));
            let rows = (0..table.rows.len()).map(|row| {
                let cells = (0..table.columns.len()).map(|at| cell(table.cell(row, at)));
                Value::Array(cells.collect())
            });
            value.insert("columns".to_owned(), columns.collect());
            value.insert("rows".to_owned(), rows.collect());
        }
    }
    Value::Object(value)
}

/// Times are RFC 3339 in UTC; what is not finite is null.
fn cell(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => json!(text),
        Cell::Integer(number) => json!(number),
        Cell::Number(number) => json!(number),
        Cell::Boolean(truth) => json!(truth),
        Cell::Time(micros) => json!(alerts::rfc3339(*micros)),
        Cell::List(texts) => json!(texts),
    }
}
