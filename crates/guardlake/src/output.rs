//! Results on standard output: tables for people, JSON and CSV for programs. Finding text is hostile: what people see has
//! no control codes, and no cell that a spreadsheet would run.

mod file;
mod sink;

use std::io::{self, IsTerminal, Write};

use alerts::clean;
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::{ContentArrangement, Table, presets};
use reports::csv_text;

pub(crate) use file::{AnswerFile, FileFormat, refuse_existing};
pub(crate) use sink::Sink;

use crate::args::Format;
use crate::failure::Failure;

/// Characters of a cell that people see.
const CELL: usize = 120;
/// Characters of a cell that has lines of its own.
const LONG_CELL: usize = 4_000;
/// Characters of a line of a table that does not go to a terminal.
const WIDTH: u16 = 160;
/// Rows that people see of one answer.
pub(crate) const ROWS: usize = 1_000;

/// The format asked for, or the one that fits where the output goes.
pub(crate) fn format_or_default(asked: Option<Format>) -> Format {
    asked.unwrap_or_else(|| {
        if io::stdout().is_terminal() {
            Format::Table
        } else {
            Format::Ndjson
        }
    })
}

/// Prints the rows of an answer.
pub(crate) fn rows(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    format: Format,
) -> Result<(), Failure> {
    let out = io::BufWriter::new(io::stdout().lock());
    seen(write_rows(out, schema, batches, format))
}

/// What became of writing to standard output: `| head` has seen enough, and that is no failure.
pub(crate) fn seen(written: Written) -> Result<(), Failure> {
    match written {
        Err(error) if is_closed(error.as_ref()) => Ok(()),
        other => other.map_err(|e| Failure::io(format!("cannot write the answer: {e}"))),
    }
}

/// Whether nobody reads any more.
pub(crate) fn is_closed(error: &(dyn std::error::Error + 'static)) -> bool {
    error.to_string().contains("Broken pipe")
}

/// Prints text as it is.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // `| head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|e| Failure::io(format!("cannot write the answer: {e}"))),
    }
}

/// Prints values that are JSON already: one object each.
pub(crate) fn values(
    values: &[serde_json::Value],
    columns: &[&str],
    format: Format,
) -> Result<(), Failure> {
    values_within(values, columns, format, WIDTH)
}

/// The same, as wide as `width` characters where a table does not go to a terminal.
pub(crate) fn values_within(
    values: &[serde_json::Value],
    columns: &[&str],
    format: Format,
    width: u16,
) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let done = match format {
        Format::Json => serde_json::to_writer_pretty(&mut out, values)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
        Format::Ndjson => values.iter().try_for_each(|value| writeln!(out, "{value}")),
        Format::Table | Format::Markdown => {
            let mut table = new_table(columns.iter().copied(), format);
            if format == Format::Table && !io::stdout().is_terminal() {
                table.set_width(width);
            }
            for value in values {
                table.add_row(
                    columns
                        .iter()
                        .map(|column| clean(&cell(&value[column]), CELL).into_owned()),
                );
            }
            writeln!(out, "{table}")
        }
        Format::Csv => {
            let line = |cells: Vec<String>| {
                cells
                    .iter()
                    .map(|c| csv_cell(c))
                    .collect::<Vec<_>>()
                    .join(",")
            };
            writeln!(
                out,
                "{}",
                line(columns.iter().map(|c| (*c).to_owned()).collect())
            )
            .and_then(|()| {
                values.iter().try_for_each(|value| {
                    writeln!(
                        out,
                        "{}",
                        line(columns.iter().map(|c| csv_text(&cell(&value[c]))).collect())
                    )
                })
            })
        }
    };
    match done.and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|e| Failure::io(format!("cannot write the answer: {e}"))),
    }
}

fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Object(map) => map
            .iter()
            .map(|(name, value)| format!("{name}={}", cell(value)))
            .collect::<Vec<_>>()
            .join(" "),
        serde_json::Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// What Arrow, Parquet and files say went wrong.
pub(crate) type Written<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn write_rows(
    out: impl Write,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    format: Format,
) -> Written {
    let mut sink = Sink::new(out, schema, format)?;
    batches.iter().try_for_each(|batch| sink.write(batch))?;
    sink.finish()?;
    Ok(())
}

/// Rows as people read them, without control codes.
fn table(schema: &SchemaRef, batches: &[RecordBatch], format: Format) -> Written<Table> {
    let mut table = new_table(
        schema.fields().iter().map(|field| field.name().as_str()),
        format,
    );
    for batch in batches {
        for_each_row(batch, |cells, _| {
            table.add_row(cells.iter().map(|cell| clean(cell, CELL).into_owned()));
            Ok(())
        })?;
    }
    Ok(table)
}

/// Each row on lines of its own, `column | value`, as `\x` shows them.
pub(crate) fn expanded(schema: &SchemaRef, batches: &[RecordBatch]) -> Written<String> {
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| clean(field.name(), CELL).into_owned())
        .collect();
    let width = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    let (mut text, mut number) = (String::new(), 0);
    for batch in batches {
        for_each_row(batch, |cells, _| {
            number += 1;
            text.push_str(&format!("-[ {number} ]{}\n", "-".repeat(width.max(8))));
            for (name, cell) in names.iter().zip(cells) {
                text.push_str(&format!("{name:width$} | {}\n", clean(cell, LONG_CELL)));
            }
            Ok(())
        })?;
    }
    Ok(text)
}

fn csv_rows(out: &mut impl Write, batch: &RecordBatch) -> Written {
    for_each_row(batch, |cells, text| {
        let cells = cells.iter().zip(text).map(|(cell, text)| {
            if *text {
                csv_cell(&csv_text(cell))
            } else {
                csv_cell(cell)
            }
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join(","))?;
        Ok(())
    })
}

/// A table without rows. The borders are plain characters in Markdown.
pub(crate) fn new_table<'a>(names: impl Iterator<Item = &'a str>, format: Format) -> Table {
    let mut table = Table::new();
    if format == Format::Markdown {
        table.load_preset(presets::ASCII_MARKDOWN);
    } else {
        table
            .load_preset(presets::UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Dynamic);
        // Some terminals do not know how wide they are, and say 0.
        if !io::stdout().is_terminal() || table.width() == Some(0) {
            table.set_width(WIDTH);
        }
    }
    table.set_header(names.map(|name| clean(name, CELL).into_owned()));
    table
}

fn for_each_row(
    batch: &RecordBatch,
    mut row: impl FnMut(&[String], &[bool]) -> Written,
) -> Written {
    let options = FormatOptions::default()
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"))
        .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.f"));
    let columns = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let text: Vec<bool> = batch
        .columns()
        .iter()
        .map(|column| {
            !column.data_type().is_numeric() && !matches!(column.data_type(), DataType::Boolean)
        })
        .collect();
    for index in 0..batch.num_rows() {
        let cells = columns
            .iter()
            .map(|column| column.value(index).try_to_string());
        row(&cells.collect::<Result<Vec<_>, _>>()?, &text)?;
    }
    Ok(())
}

fn csv_cell(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use std::sync::Arc;

    fn check(format: Format, expected: &str) {
        let text: ArrayRef = Arc::new(StringArray::from(vec![
            Some("=cmd|' /C calc'!A0"),
            Some("a\u{1b}[31m,\"b\"|"),
            None,
        ]));
        let number: ArrayRef = Arc::new(Int64Array::from(vec![-1, 2, 3]));
        let batch = RecordBatch::try_from_iter([("text", text), ("number", number)]).unwrap();
        let mut out = Vec::new();
        write_rows(&mut out, &batch.schema(), &[batch], format).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn programs_get_values_as_they_are() {
        check(
            Format::Ndjson,
            "{\"text\":\"=cmd|' /C calc'!A0\",\"number\":-1}\n{\"text\":\"a\\u001b[31m,\\\"b\\\"|\",\"number\":2}\n{\"number\":3}\n",
        );
    }

    #[test]
    fn spreadsheets_get_no_formulas_and_terminals_no_codes() {
        check(
            Format::Csv,
            "text,number\n'=cmd|' /C calc'!A0,-1\n\"a\\u{1b}[31m,\"\"b\"\"|\",2\n,3\n",
        );
    }

    #[test]
    fn people_get_no_control_codes() {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a\u{1b}[31mb\u{202e}c"]));
        let batch = RecordBatch::try_from_iter([("text", text)]).unwrap();
        for format in [Format::Table, Format::Markdown] {
            let mut out = Vec::new();
            write_rows(
                &mut out,
                &batch.schema(),
                std::slice::from_ref(&batch),
                format,
            )
            .unwrap();
            let shown = String::from_utf8(out).unwrap();
            assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
        }
    }
}
