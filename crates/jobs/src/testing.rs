//! What the tests of this crate ask a session with, and how they look at the rows.

pub(crate) mod versions;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use lake::Table;

use crate::{Given, Library, Limits, QueryError, Session};

/// A session over an empty lake.
pub(crate) async fn empty() -> Session {
    over(Vec::new()).await
}

/// A session over some rows of findings.
pub(crate) async fn over(findings: Vec<RecordBatch>) -> Session {
    let limits = Limits {
        partitions: Some(2),
        ..Limits::default()
    };
    Session::in_memory(
        vec![(Table::Findings, findings)],
        &Library::built_in(),
        &limits,
    )
    .await
    .expect("it opens")
}

/// All rows, one a line, cells with a bar between them.
pub(crate) async fn ask(session: &Session, sql: &str) -> Result<String, QueryError> {
    Ok(lines(
        &session.sql(sql, &Given::new()).await?.collect().await?,
    ))
}

pub(crate) fn lines(batches: &[RecordBatch]) -> String {
    let options = FormatOptions::new().with_null("null");
    let mut lines = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).expect("it can be shown"))
            .collect();
        for row in 0..batch.num_rows() {
            lines.push(
                columns
                    .iter()
                    .map(|column| column.value(row).to_string())
                    .collect::<Vec<_>>()
                    .join("|"),
            );
        }
    }
    lines.join("\n")
}

/// Rows of findings from the columns that matter; the others are null, or what a plain row has.
pub(crate) fn findings(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let schema = Table::Findings.schema();
    let rows = columns[0].1.len();
    let arrays = schema.fields().iter().map(|field| {
        if let Some((_, given)) = columns.iter().find(|(name, _)| name == field.name()) {
            return cast(given, field.data_type()).expect("it casts");
        }
        match (field.is_nullable(), field.data_type()) {
            (true, kind) => new_null_array(kind, rows),
            (false, DataType::Utf8) => {
                let text = if field.name() == "wire_shape" {
                    "eventbridge"
                } else {
                    "x"
                };
                std::sync::Arc::new(arrow::array::StringArray::from(vec![text; rows]))
            }
            (false, DataType::Boolean) => {
                std::sync::Arc::new(arrow::array::BooleanArray::from(vec![false; rows]))
            }
            (false, kind) => {
                let zero: ArrayRef =
                    std::sync::Arc::new(arrow::array::Int32Array::from(vec![0; rows]));
                cast(&zero, &DataType::Int64)
                    .and_then(|zero| {
                        if kind == &DataType::Date32 {
                            cast(&cast(&zero, &DataType::Int32)?, kind)
                        } else {
                            cast(&zero, kind)
                        }
                    })
                    .expect("zero casts")
            }
        }
    });
    RecordBatch::try_new(schema.clone(), arrays.collect()).expect("the columns fit")
}
