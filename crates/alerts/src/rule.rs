//! A rule: one file, valid SQL, whose leading block comment says in YAML when what the SELECT measures is worth a bell.
//!
//! Reading is split by what is read: `file` (comment and statement), `header` (the fields), `yaml` (values with places),
//! `period` (durations), `statement` (SQL as text).

mod file;
mod header;
pub(crate) mod yaml;

mod period;
mod statement;
#[cfg(test)]
mod tests;

use std::fmt;

use finding::Label;
use sha2::{Digest, Sha256};

use crate::sweep::{Terms, Unit};

pub use period::Period;

/// One alert rule, of the kind `threshold`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The stem of the rule's file.
    pub id: String,
    /// What the alert is called.
    pub title: String,
    /// Empty where the file has none.
    pub description: String,
    /// How bad an alert of this rule is.
    pub severity: Label,
    /// Columns whose values name a group; empty means that all rows are one group. Column names as DataFusion sees them.
    pub group_by: Vec<String>,
    /// What is counted.
    pub count: Count,
    /// How many make a match; at least 1.
    pub threshold: u64,
    /// How far a window reaches back from its end: `(t - window, t]`.
    pub window: Period,
    /// The largest gap between two matches of one episode. The window where the file has none.
    pub suppress_for: Period,
    /// How long after its last match an alert is resolved by itself.
    pub resolve_after: Option<Period>,
    /// For example `attack.reconnaissance`.
    pub tags: Vec<String>,
    /// False where the file says `enabled: false`.
    pub enabled: bool,
    /// A link or a text for whoever answers the bell.
    pub runbook: Option<String>,
    /// Who keeps the rule.
    pub owner: Option<String>,
    /// Links.
    pub references: Vec<String>,
    /// What sets the rule off without being an attack.
    pub false_positives: Vec<String>,
    /// The SELECT as written, without the header and without a closing semicolon.
    pub sql: String,
    /// Line of the file at which `sql` begins, from 1.
    pub sql_line: usize,
    /// Column of the file at which `sql` begins, in characters, from 1.
    pub sql_column: usize,
}

/// What a threshold counts within a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// Distinct findings.
    Findings,
    /// How much GuardDuty's own `count` grew: the increases of the distinct versions, added up.
    Occurrences,
    /// Distinct published versions.
    Versions,
    /// Distinct values of a column, null left out.
    Distinct(String),
}

/// All that is wrong with a rule's file, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RuleError {
    /// The id that the rule would have had.
    pub rule: String,
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Line of the file, from 1.
    pub line: usize,
    /// Column of the file in characters, from 1.
    pub column: usize,
    /// One line; names the field.
    pub message: String,
}

impl Rule {
    /// Reads a rule's file. `id` is the file's stem. The SQL is only looked at as text: whether it is one SELECT of the
    /// allowed kind and has the columns is checked by whoever can plan it.
    pub fn parse(id: &str, text: &str) -> Result<Rule, RuleError> {
        file::parse(id, text)
    }

    /// Twelve hex digits that change when, and only when, the meaning of the rule changes: what is selected, grouped,
    /// counted and judged. Titles, severities and tags may change without making another rule of it.
    pub fn revision(&self) -> String {
        let mut groups: Vec<&str> = self.group_by.iter().map(String::as_str).collect();
        groups.sort_unstable();
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        part(&statement::normal(&self.sql));
        part(&groups.len().to_string());
        groups.into_iter().for_each(&mut part);
        part(&self.count.to_string());
        part(&self.threshold.to_string());
        part(&self.window.micros().to_string());
        part(&self.suppress_for.micros().to_string());
        hex(&hash.finalize()[..6])
    }

    /// The part of the rule that [`sweep`](crate::sweep()) judges by.
    pub fn terms(&self) -> Terms {
        Terms {
            unit: self.count.unit(),
            threshold: self.threshold,
            window: self.window.micros(),
            suppress_for: self.suppress_for.micros(),
        }
    }
}

impl Count {
    /// The unit alone, without the column.
    pub fn unit(&self) -> Unit {
        match self {
            Count::Findings => Unit::Findings,
            Count::Occurrences => Unit::Occurrences,
            Count::Versions => Unit::Versions,
            Count::Distinct(_) => Unit::Distinct,
        }
    }
}

/// As written in a rule: `findings`, `distinct(account_id)`.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Count::Findings => f.write_str("findings"),
            Count::Occurrences => f.write_str("occurrences"),
            Count::Versions => f.write_str("versions"),
            Count::Distinct(column) => write!(f, "distinct({column})"),
        }
    }
}

/// One line a mistake: `burst.sql:3:9: window: ...`.
impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.mistakes.iter().enumerate() {
            let line_break = if i == 0 { "" } else { "\n" };
            write!(f, "{line_break}{}.sql:{mistake}", self.rule)?;
        }
        Ok(())
    }
}

/// `3:9: window: ...`
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
