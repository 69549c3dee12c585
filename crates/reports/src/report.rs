//! What a report is: its period, when it is made, for whom, and its sections. A complete value; reading it is `file`'s.

use std::collections::BTreeMap;

use crate::period::{Period, Unit, Zone};
use crate::schedule::{CatchUp, Schedule};

/// How a report looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// One page with everything in it.
    Html,
    /// The body of an e-mail, its text alternative and its pictures.
    Mail,
    /// For tickets, chats and wikis.
    Markdown,
    /// One file for every question that is shown.
    Csv,
    /// All tables with types, queries and parameters.
    Json,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 5] = [
        Format::Html,
        Format::Mail,
        Format::Markdown,
        Format::Csv,
        Format::Json,
    ];
    pub(crate) const WORDS: [&'static str; 5] = ["html", "mail", "markdown", "csv", "json"];

    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        Format::WORDS[self as usize]
    }

    /// The format of a word.
    pub fn from_word(word: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// One report, as its file has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The stem of its file.
    pub name: String,
    /// Where it came from, for messages.
    pub file: String,
    /// What stands above it.
    pub title: String,
    /// What it is for; empty where nobody said.
    pub description: String,
    /// What it is about.
    pub unit: Unit,
    /// Whose calendar.
    pub zone: Zone,
    /// When it is made by itself.
    pub schedule: Option<Schedule>,
    /// What becomes of missed times.
    pub catch_up: CatchUp,
    /// How it is made; at least one.
    pub formats: Vec<Format>,
    /// Values for every question that knows the parameter.
    pub parameters: BTreeMap<String, String>,
    /// One document for each value of a column.
    pub for_each: Option<ForEach>,
    /// Who gets it.
    pub deliver: Deliver,
    /// In order.
    pub sections: Vec<Section>,
}

/// The values that a report is made once for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForEach {
    /// The question that lists them.
    pub question: String,
    /// The column that holds them.
    pub column: String,
    /// The column with a name for each, beside it.
    pub label: Option<String>,
    /// The parameter that they become for every other question.
    pub parameter: String,
    /// For the question that lists them.
    pub params: BTreeMap<String, String>,
    /// How many at most, in the order of the answer.
    pub top: usize,
}

/// Where documents go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliver {
    /// Names of channels.
    pub channels: Vec<String>,
    /// A folder or an S3 URI; none where only channels hear of it.
    pub to: Option<String>,
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Section {
    /// Words, with the answers at hand (`template`).
    Text {
        /// A heading of its own, or none.
        title: Option<String>,
        /// Source of a template.
        text: String,
        /// Line of the file where it begins.
        line: usize,
    },
    /// A strip of numbers.
    Figures {
        /// A heading of its own, or none.
        title: Option<String>,
        /// From left to right.
        figures: Vec<Figure>,
    },
    /// A question with its chart and table.
    Question(Box<Shown>),
}

/// One number of a strip: the first row of an answer, compared with the period before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Beside the number.
    pub label: String,
    /// Which question.
    pub question: String,
    /// Which column of its first row.
    pub column: String,
    /// Which way is good news.
    pub good: Good,
    /// Parameters of this question alone.
    pub params: BTreeMap<String, String>,
}

/// Which way a number should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Good {
    /// More is better.
    Up,
    /// Less is better.
    Down,
    /// Neither.
    #[default]
    Neither,
}

/// A question as a section.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Which question.
    pub question: String,
    /// Parameters of this question alone; it must know them.
    pub params: BTreeMap<String, String>,
    /// The heading; the question's own title where there is none.
    pub title: Option<String>,
    /// A sentence below the heading.
    pub note: Option<String>,
    /// A picture of the answer.
    pub chart: Option<Chart>,
    /// The rows of the answer, unless `table: none`.
    pub table: Option<TableView>,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Which.
    pub kind: ChartKind,
    /// The column along the bottom, or with the names of bars.
    pub x: String,
    /// The column with the values; of a heat map and a table of sparklines, the column with the names of rows.
    pub y: String,
    /// The column that splits the values; of a heat map and a table of sparklines, the column with the values.
    pub series: Option<String>,
    /// How many bars, series or rows; the rest becomes "other".
    pub top: usize,
}

/// Which picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartKind {
    /// Horizontal bars, one a name.
    Bar,
    /// Columns over time, split by a series.
    Stacked,
    /// Lines over time, one a series.
    Line,
    /// Rows by days, darker is more.
    Heatmap,
    /// A row for each name with its course.
    SparklineTable,
}

impl ChartKind {
    pub(crate) const WORDS: [&'static str; 5] =
        ["bar", "stacked", "line", "heatmap", "sparkline-table"];

    pub(crate) fn from_word(word: &str) -> Option<ChartKind> {
        let all = [
            ChartKind::Bar,
            ChartKind::Stacked,
            ChartKind::Line,
            ChartKind::Heatmap,
            ChartKind::SparklineTable,
        ];
        let at = ChartKind::WORDS.iter().position(|known| *known == word)?;
        Some(all[at])
    }
}

/// What of a table is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableView {
    /// Columns and their headings, in order; all where it is empty.
    pub columns: Vec<(String, Option<String>)>,
    /// How many rows; the rest is counted.
    pub rows: usize,
}

impl Report {
    /// The period that a day as written lies in, or that has this name: `--for 2026-11-16`.
    pub fn period(&self, text: &str) -> Result<Period, String> {
        Period::named(self.unit, &self.zone, text)
    }

    /// What to make now (see [`due`](crate::due)); nothing without a schedule.
    pub fn due(&self, last_made: Option<&Period>, now: i64, since: i64) -> Vec<Period> {
        match &self.schedule {
            Some(schedule) => crate::due(schedule, self.unit, self.catch_up, last_made, now, since),
            None => Vec::new(),
        }
    }
}
