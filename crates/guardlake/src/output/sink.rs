//! Writes an answer as it comes: of what people read, as much as they read is held, of what programs read, nothing.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::json::{ArrayWriter, LineDelimitedWriter};

use super::{ROWS, Written, csv_cell, csv_rows, table};
use crate::args::Format;

/// Takes the rows of one answer.
pub(crate) struct Sink<W: Write> {
    schema: SchemaRef,
    to: To<W>,
}

enum To<W: Write> {
    Json(ArrayWriter<W>),
    Ndjson(LineDelimitedWriter<W>),
    Csv(W),
    People {
        out: W,
        format: Format,
        held: Vec<RecordBatch>,
        rows: usize,
    },
}

impl<W: Write> Sink<W> {
    /// Begins an answer.
    pub(crate) fn new(mut out: W, schema: &SchemaRef, format: Format) -> Written<Sink<W>> {
        let to = match format {
            Format::Json => To::Json(ArrayWriter::new(out)),
            Format::Ndjson => To::Ndjson(LineDelimitedWriter::new(out)),
            Format::Csv => {
                let names = schema.fields().iter().map(|field| csv_cell(field.name()));
                writeln!(out, "{}", names.collect::<Vec<_>>().join(","))?;
                To::Csv(out)
            }
            Format::Table | Format::Markdown => To::People {
                out,
                format,
                held: Vec::new(),
                rows: 0,
            },
        };
        Ok(Sink {
            schema: SchemaRef::clone(schema),
            to,
        })
    }

    /// Some rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Written {
        match &mut self.to {
            To::Json(writer) => writer.write(batch)?,
            To::Ndjson(writer) => writer.write(batch)?,
            To::Csv(out) => csv_rows(out, batch)?,
            To::People { held, rows, .. } => {
                let shown = ROWS.saturating_sub(*rows).min(batch.num_rows());
                *rows += batch.num_rows();
                if shown > 0 {
                    held.push(batch.slice(0, shown));
                }
            }
        }
        Ok(())
    }

    /// Ends the answer; gives back what was written to.
    pub(crate) fn finish(self) -> Written<W> {
        let mut out = match self.to {
            To::Json(mut writer) => {
                writer.finish()?;
                let mut out = writer.into_inner();
                writeln!(out)?;
                out
            }
            To::Ndjson(mut writer) => {
                writer.finish()?;
                writer.into_inner()
            }
            To::Csv(out) => out,
            To::People {
                mut out,
                format,
                held,
                rows,
            } => {
                writeln!(out, "{}", table(&self.schema, &held, format)?)?;
                if rows > ROWS {
                    let more = rows - ROWS;
                    writeln!(
                        out,
                        "... {more} more rows; ask with LIMIT, or use --format ndjson"
                    )?;
                }
                out
            }
        };
        out.flush()?;
        Ok(out)
    }
}
