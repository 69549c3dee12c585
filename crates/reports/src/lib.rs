//! What a report is, when it is due, and how it looks.
//!
//! Quiet: no clock, no files, no environment. Time is an argument in UTC microseconds, tables come in as values, and what
//! goes out is bytes: the same input makes the same bytes.
//!
//! The cast: a [`Report`] is one YAML file, a [`Period`] the stretch of calendar that it is about, a [`Schedule`] says
//! when it is made. An [`Ask`] is a question that must be answered, a [`Table`] what came back, a [`Document`] what
//! people get.
//!
//! The flow: [`due`] says which periods to make; [`Report::asks`] what to ask for one; [`render()`] makes the documents.
//! All formats are written from one `page`, which says what is said; the pictures in it are `chart`'s.
//!
//! Footnotes: texts of findings are hostile, as are names of accounts and values of parameters. Time zones are those
//! of the bundled database.

mod period;
mod schedule;

mod ask;
mod file;
mod report;
mod table;

mod template;
mod words;

mod chart;
mod page;
mod render;

pub use ask::{Answer, Answers, Ask, Each};
pub use file::{Mistake, ReportError};
pub use period::{Period, Unit, Zone};
pub use render::{Attachment, Document, Frame, RenderError, csv_text, render, summary};
pub use report::{
    Chart, ChartKind, Deliver, Figure, ForEach, Format, Good, Report, Section, Shown, TableView,
};
pub use schedule::{CatchUp, MOST_DUE, Schedule, due};
pub use table::{Cell, Column, Kind, Table};

#[cfg(test)]
mod tests;
