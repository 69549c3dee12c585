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
    writer.write_record(table.columns.iter().map(|column| csv_text(&column.name)))?;
    for row in 0..table.rows.len() {
        let cells = (0..table.columns.len()).map(|at| match table.cell(row, at) {
            cell @ (Cell::Text(_) | Cell::List(_)) => csv_text(&cell.plain()),
            cell => cell.plain().into_owned(),
        });
        writer.write_record(cells)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// Text as a cell of CSV may hold it: what a spreadsheet would run as a formula gets an apostrophe (OWASP, "CSV Injection"), and control
/// codes but line breaks and tabs are written out (`\u{1b}`), for a file is also looked at on terminals.
pub fn csv_text(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len());
    for c in cell.chars() {
        if c.is_control() && !matches!(c, '\n' | '\t') {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    let cell = text;
    // Excel trims before it looks; fullwidth signs are the same to it.
    let first = cell.trim_start_matches([' ', '\u{a0}', '\u{3000}', '\u{feff}']);
    if cell.starts_with(['\t', '\n'])
        || first.starts_with(['=', '+', '-', '@', '\t', '＝', '＋', '－', '＠'])
    {
        format!("'{cell}")
    } else {
        cell
    }
}
