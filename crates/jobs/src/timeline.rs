//! Timelines: what should happen to a rule when findings arrive so and so, written in YAML and played through the real decoder,
//! the lake's columns, the rule's SELECT, the sweep and the log of alerts.
//!
//! The cast: a [`Timeline`] is one file about one rule, a [`Test`] one course of events in it with the alerts it should lead to. A
//! [`Stage`] plays tests and answers with what was different. Each is played twice: all findings at once, and one commit for each
//! document in order of arrival with an evaluation after it. Both must lead to the same alerts.

mod columns;
mod compare;
mod document;
mod events;
mod junit;
mod play;
mod read;
#[cfg(test)]
mod tests;
mod yaml;

use std::fmt;

use alerts::{Mistake, State};
use finding::Label;
use lake::AccountRow;

pub use junit::{Case, Suite, junit};
pub use play::Stage;

/// One file: the tests of one rule.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// What the file is called.
    pub file: String,
    /// The id of the rule that is tested.
    pub rule: String,
    /// Line and column of that id.
    pub rule_at: (usize, usize),
    /// What offsets are counted from, in UTC microseconds.
    pub start: i64,
    /// At least one.
    pub tests: Vec<Test>,
}

/// One course of events, and what should come of it.
#[derive(Debug, Clone)]
pub struct Test {
    /// Unique in the file.
    pub name: String,
    /// Line of the file at which it begins, from 1.
    pub line: usize,
    accounts: Vec<AccountRow>,
    /// In order of arrival.
    arrivals: Vec<Arrival>,
    /// When the last question is asked, in UTC microseconds.
    until: i64,
    expect: Vec<Expected>,
}

/// A document as it comes in.
#[derive(Debug, Clone)]
struct Arrival {
    /// UTC microseconds.
    arrives: i64,
    /// An EventBridge event.
    document: String,
}

/// An alert that should be there. What is `None` may be anything. Times are UTC microseconds.
#[derive(Debug, Clone)]
struct Expected {
    group: Vec<(String, Option<String>)>,
    at: Option<i64>,
    through: Option<i64>,
    count: Option<u64>,
    matches: Option<u64>,
    findings: Option<Listed>,
    accounts: Option<Listed>,
    regions: Option<Listed>,
    severity: Option<Label>,
    max_severity: Option<Label>,
    state: Option<State>,
}

/// How many, or which.
#[derive(Debug, Clone)]
enum Listed {
    Total(u64),
    Names(Vec<String>),
}

impl Timeline {
    /// Reads a file. `file` is what it is called in mistakes.
    pub fn parse(file: &str, text: &str) -> Result<Timeline, TimelineError> {
        read::timeline(file, text)
    }
}

/// All that is wrong with a file of timelines, in the order of the file. Never empty. Repair the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct TimelineError {
    /// Which file.
    pub file: String,
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

/// One line a mistake: `tests/burst.yaml:3:9: ...`.
impl fmt::Display for TimelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, mistake) in self.mistakes.iter().enumerate() {
            let line_break = if nth == 0 { "" } else { "\n" };
            write!(f, "{line_break}{}:{mistake}", self.file)?;
        }
        Ok(())
    }
}
