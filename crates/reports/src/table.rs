//! A table as it comes out of a question: plain values, filled by whoever asked.

use std::borrow::Cow;

use crate::period::Zone;
use crate::words;

/// What a column holds. A cell may be null in any column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Words.
    Text,
    /// Whole numbers.
    Integer,
    /// Numbers with a fraction.
    Number,
    /// True or false.
    Boolean,
    /// Moments, or days where every one of them is a midnight in UTC.
    Time,
    /// Several texts.
    List,
}

impl Kind {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Integer => "integer",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
            Kind::Time => "time",
            Kind::List => "list",
        }
    }

    /// Whether cells stand to the right, digit under digit.
    pub fn is_numeric(self) -> bool {
        matches!(self, Kind::Integer | Kind::Number)
    }
}

/// A name and what is below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// As in the SQL.
    pub name: String,
    /// What its cells hold.
    pub kind: Kind,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Not known.
    Null,
    /// Text as the finding had it: hostile.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number; what is not finite is shown as nothing.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// UTC microseconds since 1970.
    Time(i64),
    /// Several texts, hostile too.
    List(Vec<String>),
}

impl Cell {
    /// As a number, where it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Cell::Integer(value) => Some(*value as f64),
            Cell::Number(value) if value.is_finite() => Some(*value),
            _ => None,
        }
    }

    /// As a program reads it: no grouping of digits, times in RFC 3339, nothing for null. Text comes as it is.
    pub fn plain(&self) -> Cow<'_, str> {
        match self {
            Cell::Null => Cow::Borrowed(""),
            Cell::Text(text) => Cow::Borrowed(text),
            Cell::Integer(value) => Cow::Owned(value.to_string()),
            Cell::Number(value) if value.is_finite() => Cow::Owned(value.to_string()),
            Cell::Number(_) => Cow::Borrowed(""),
            Cell::Boolean(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Cell::Time(micros) => Cow::Owned(alerts::rfc3339(*micros)),
            Cell::List(texts) => Cow::Owned(texts.join(" ")),
        }
    }

    /// As a person reads it, in at most `max` characters and without control codes: `12,345`, `2026-11-16 07:00`, `–` for
    /// null. Times are on the clock of `zone`; those of a column that holds `days` are days.
    pub(crate) fn words(&self, max: usize, days: bool, zone: &Zone) -> String {
        match self {
            Cell::Null => "–".to_owned(),
            Cell::Text(text) => alerts::clean(text, max).into_owned(),
            Cell::Integer(value) => words::whole(*value),
            Cell::Number(value) => words::number(*value),
            Cell::Boolean(value) => (if *value { "yes" } else { "no" }).to_owned(),
            Cell::Time(micros) if days => words::day(*micros),
            Cell::Time(micros) => words::minute(*micros, zone),
            Cell::List(texts) => alerts::clean(&texts.join(", "), max).into_owned(),
        }
    }
}

/// Columns and rows. A row that is too short ends in nulls.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// In the order of the answer.
    pub columns: Vec<Column>,
    /// In the order of the answer; each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// The place of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// One cell; null where there is none.
    pub fn cell(&self, row: usize, column: usize) -> &Cell {
        let row = self.rows.get(row);
        row.and_then(|row| row.get(column)).unwrap_or(&Cell::Null)
    }

    /// Whether a column of times holds nothing but midnights in UTC, which are days.
    pub fn holds_days(&self, column: usize) -> bool {
        let mut times = 0;
        let is_day = |row: &Vec<Cell>| match row.get(column) {
            Some(Cell::Time(micros)) => {
                times += 1;
                micros.rem_euclid(86_400_000_000) == 0
            }
            _ => true,
        };
        self.rows.iter().all(is_day) && times > 0
    }
}
