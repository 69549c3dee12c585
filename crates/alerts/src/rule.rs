//! A rule: one file, valid SQL, whose leading block comment says in YAML when what the SELECT measures is worth a bell.
//!
//! Reading is split by what is read: `file` (comment and statement), `header` (the fields), `kinds` (those of each kind),
//! `yaml` (values with places), `period` (durations), `bounds` (comparisons), `condition` (steps that must be there),
//! `statement` (SQL as text).

mod file;
mod header;
mod kinds;
pub mod yaml;

mod bounds;
mod condition;
mod period;
mod statement;
#[cfg(test)]
mod tests;

use std::fmt;

use finding::Label;
use sha2::{Digest, Sha256};

use crate::sweep::{Measure, StepTerms, Terms, Unit};

pub use bounds::Bounds;
pub use condition::Condition;
pub use period::Period;
pub(crate) use statement::with_time;

/// One alert rule.
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
    /// Whether a null among the values of `group_by` is a value like any other; else such rows are in no group.
    pub null_groups: bool,
    /// What the rule looks for.
    pub kind: Kind,
    /// What is counted.
    pub count: Count,
    /// The least that makes a match, as told to people: at least 1, rounded where `bounds` is not whole.
    pub threshold: u64,
    /// Exactly which counts make a match.
    pub bounds: Bounds,
    /// How far a window reaches back from its end: `(t - window, t]`. How long silence must last, for [`Kind::Absence`].
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
    /// Columns of the SELECT that are lists and are taken apart: those among the columns that are grouped by or counted. Known to
    /// whoever has planned the SELECT; empty until then.
    pub lists: Vec<String>,
    /// The SELECT as written, without the header and without a closing semicolon.
    pub sql: String,
    /// Line of the file at which `sql` begins, from 1.
    pub sql_line: usize,
    /// Column of the file at which `sql` begins, in characters, from 1.
    pub sql_column: usize,
}

/// What a rule looks for. The fields' meanings are in `docs/rules.md`.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Enough of what is counted within one window.
    Threshold,
    /// Values that the group has not shown before.
    NewTerms {
        /// Columns whose combination is the value. At least one.
        term: Vec<String>,
        /// How far back a value is remembered.
        lookback: Period,
        /// How old the group's oldest row within `lookback` must be.
        min_history: Option<Period>,
    },
    /// Far more than the group's own habit.
    Rate {
        /// How far back habits are looked at.
        baseline: Period,
        /// How many times the median. Above 0.
        factor: f64,
        /// Compares with the same time of earlier seasons only.
        season: Option<Period>,
        /// How old the group's oldest row within `baseline` must be.
        min_history: Period,
    },
    /// Steps within one window.
    Sequence {
        /// At least one, at most 32.
        steps: Vec<Step>,
        /// Each strictly later than the one before.
        ordered: bool,
        /// Which steps must be there, where it is not simply a number of them.
        condition: Option<Condition>,
    },
    /// A group that has gone silent.
    Absence {
        /// How far back before its last row a group must have shown the threshold.
        lookback: Period,
    },
    /// Every row of the SELECT is a match.
    Query,
}

impl Kind {
    /// All words for `kind:`.
    pub const WORDS: [&str; 6] = [
        "threshold",
        "new_terms",
        "rate",
        "sequence",
        "absence",
        "query",
    ];

    /// The word in a rule's header.
    pub fn as_str(&self) -> &'static str {
        match self {
            Kind::Threshold => "threshold",
            Kind::NewTerms { .. } => "new_terms",
            Kind::Rate { .. } => "rate",
            Kind::Sequence { .. } => "sequence",
            Kind::Absence { .. } => "absence",
            Kind::Query => "query",
        }
    }

    /// Whether time alone, without new findings, can change the answer.
    pub fn is_timely(&self) -> bool {
        matches!(self, Kind::Absence { .. } | Kind::Query)
    }
}

/// One step of a sequence: the name that the SELECT yields in its column `step`.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Unique among the rule's steps.
    pub name: String,
    /// How many of the step's rows, counted how, make one step of it. One row where there is none.
    pub needs: Option<Needs>,
}

/// A threshold within a threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Needs {
    /// What is counted; not a number.
    pub count: Count,
    /// Which counts will do.
    pub bounds: Bounds,
    /// Within how long.
    pub window: Period,
}

/// What a rule counts within a window.
#[derive(Debug, Clone, PartialEq)]
pub enum Count {
    /// Distinct findings.
    Findings,
    /// How much GuardDuty's own `count` grew: the increases of the distinct versions, added up.
    Occurrences,
    /// Distinct published versions.
    Versions,
    /// Distinct values of a column, or combinations of several, null left out.
    Distinct(Vec<String>),
    /// The sum of a column over distinct versions, null and NaN left out.
    Sum(String),
    /// The mean of a column over distinct versions.
    Average(String),
    /// The value of a column below which so many hundredths of the distinct versions lie, by linear interpolation.
    Percentile(f64, String),
}

/// All that is wrong with a rule's file, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RuleError {
    /// The id that the rule would have had.
    pub rule: String,
    /// The name of the file that the mistakes are in: `burst.sql`, or that of Sigma documents.
    pub file: String,
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
        match self.bounds.as_least() {
            Some(least) => part(&least.to_string()),
            None => part(&self.bounds.to_string()),
        }
        part(&self.window.micros().to_string());
        part(&self.suppress_for.micros().to_string());
        // A plain threshold rule keeps the revision that it had before there were other kinds.
        if self.kind != Kind::Threshold || self.null_groups {
            part(&format!("{:?} {}", self.terms().measure, self.null_groups));
            if let Kind::NewTerms { term, .. } = &self.kind {
                term.iter().for_each(|column| part(column));
            }
            if let Kind::Sequence { steps, .. } = &self.kind {
                let counted =
                    |step: &Step| step.needs.as_ref().map(|needs| needs.count.to_string());
                steps.iter().for_each(|step| {
                    part(&step.name);
                    part(&counted(step).unwrap_or_default());
                });
            }
        }
        hex(&hash.finalize()[..6])
    }

    /// The part of the rule that [`sweep`](crate::sweep()) judges by.
    pub fn terms(&self) -> Terms {
        let (unit, bounds) = (self.count.unit(), self.bounds);
        let measure = match &self.kind {
            Kind::Threshold => Measure::Count { unit, bounds },
            Kind::NewTerms {
                lookback,
                min_history,
                ..
            } => Measure::New {
                bounds,
                lookback: lookback.micros(),
                min_history: min_history.as_ref().map_or(0, Period::micros),
            },
            Kind::Rate {
                baseline,
                factor,
                season,
                min_history,
            } => Measure::Rate {
                unit,
                bounds,
                baseline: baseline.micros(),
                factor: *factor,
                season: season.as_ref().map_or(self.window.micros(), Period::micros),
                min_history: min_history.micros(),
            },
            Kind::Sequence {
                steps,
                ordered,
                condition,
            } => Measure::Sequence {
                steps: steps.iter().map(Step::terms).collect(),
                ordered: *ordered,
                bounds,
                condition: condition.clone(),
            },
            Kind::Absence { lookback } => Measure::Absence {
                lookback: lookback.micros(),
                bounds,
            },
            Kind::Query => Measure::Given,
        };
        Terms {
            measure,
            window: self.window.micros(),
            suppress_for: self.suppress_for.micros(),
        }
    }

    /// Every count that the rule makes: its own, and those of its steps.
    pub fn counts(&self) -> impl Iterator<Item = &Count> {
        let steps = match &self.kind {
            Kind::Sequence { steps, .. } => &steps[..],
            _ => &[],
        };
        let needs = steps.iter().filter_map(|step| step.needs.as_ref());
        std::iter::once(&self.count).chain(needs.map(|needs| &needs.count))
    }
}

impl Step {
    fn terms(&self) -> StepTerms {
        StepTerms {
            needs: self
                .needs
                .as_ref()
                .map(|needs| (needs.count.unit(), needs.bounds, needs.window.micros())),
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
            Count::Sum(_) => Unit::Sum,
            Count::Average(_) => Unit::Average,
            Count::Percentile(percent, _) => Unit::Percentile(*percent),
        }
    }

    /// The columns that it reads beside those of every rule.
    pub fn columns(&self) -> &[String] {
        match self {
            Count::Findings | Count::Occurrences | Count::Versions => &[],
            Count::Distinct(columns) => columns,
            Count::Sum(column) | Count::Average(column) | Count::Percentile(_, column) => {
                std::slice::from_ref(column)
            }
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
            Count::Distinct(columns) => write!(f, "distinct({})", columns.join(", ")),
            Count::Sum(column) => write!(f, "sum({column})"),
            Count::Average(column) => write!(f, "avg({column})"),
            Count::Percentile(percent, column) => write!(f, "percentile({percent}, {column})"),
        }
    }
}

/// One line a mistake: `burst.sql:3:9: window: ...`.
impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.mistakes.iter().enumerate() {
            let line_break = if i == 0 { "" } else { "\n" };
            write!(f, "{line_break}{}:{mistake}", self.file)?;
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
