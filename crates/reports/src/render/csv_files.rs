//! One CSV file for every question that is shown: all rows, all columns, values as programs read them.

use super::RenderError;
use crate::page::{Block, Page};
use crate::table::{Cell, Table};

/// Names (without ending) and texts, in the order of the report. A question without an answer has no file.
pub(super) fn files(page: &Page<'_>) -> Result<Vec<(String, String)>, RenderError> {
    let mut files = Vec::new();
    let mut written: Vec<&Table> = Vec::new();
    for block in &page.blocks {
        let Block::Question(asked) = block else {
            continue;
        };
        let Ok(table) = asked.answer else {
            continue;
        };
        // An answer that several sections show is one file.
        if written.iter().any(|known| std::ptr::eq(*known, table)) {
            continue;
        }
        written.push(table);
        let question = asked.query.question.replace('/', "_");
        let name = format!("{:02}-{question}", files.len() + 1);
        let text = text(table).map_err(|error| RenderError::Internal {
            what: "CSV file",
            message: error.to_string(),
        })?;
        files.push((name, text));
    }
    Ok(files)
}

fn text(table: &Table) -> Result<String, Box<dyn std::error::Error>> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(table.columns.iter().map(|column| guard(&column.name)))?;
    for row in 0..table.rows.len() {
        let cells = (0..table.columns.len()).map(|at| match table.cell(row, at) {
            cell @ (Cell::Text(_) | Cell::List(_)) => guard(&cell.plain()),
            cell => cell.plain().into_owned(),
        });
        writer.write_record(cells)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// Text that a spreadsheet would run as a formula gets an apostrophe (OWASP, "CSV Injection").
fn guard(cell: &str) -> String {
    // NUL ends a cell for some readers.
    let cell = cell.replace('\0', "\u{fffd}");
    // Excel trims before it looks; fullwidth signs are the same to it.
    let first = cell.trim_start_matches([' ', '\u{a0}', '\u{3000}', '\u{feff}']);
    if cell.starts_with(['\t', '\r', '\n'])
        || first.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'])
    {
        format!("'{cell}")
    } else {
        cell
    }
}
