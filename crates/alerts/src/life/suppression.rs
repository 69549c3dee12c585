//! Suppressions: what is known to be harmless, said in a file, by whom, why and until when. A suppressed alert opens and grows
//! like any other and does not ring.

mod file;
#[cfg(test)]
mod tests;

use std::fmt;

use finding::Label;

use crate::glob::Glob;
use crate::{Alert, Mistake, Rule};

/// One entry of a suppression file.
#[derive(Debug, Clone, PartialEq)]
pub struct Suppression {
    /// Unique over all files.
    pub id: String,
    /// The file it is in, as given to [`Suppression::parse`].
    pub file: String,
    /// Ids of rules, with `*` for any characters. Empty for all rules.
    rules: Vec<Glob>,
    /// What an alert must be like: all of them must hold.
    conditions: Vec<Condition>,
    /// Who answers for it.
    pub owner: String,
    /// Why it is harmless.
    pub reason: String,
    /// From then on it hides nothing: UTC microseconds.
    pub expires: i64,
    /// When it was written, where the file says so: UTC microseconds.
    pub created: Option<i64>,
}

/// One line of `match:`.
#[derive(Debug, Clone, PartialEq)]
struct Condition {
    field: String,
    /// One of them must fit.
    patterns: Vec<Glob>,
}

/// All that is wrong with a suppression file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SuppressionError {
    /// As given to [`Suppression::parse`].
    pub file: String,
    /// In the order of the file; at least one.
    pub mistakes: Vec<Mistake>,
}

/// Alerts of this rule say that findings may be lost: no suppression reaches them.
const NEVER: &str = "stream_gap";

impl Suppression {
    /// Reads a file: `suppressions:` and a list. `now` (UTC microseconds) is there because an entry may expire at most a year
    /// ahead. Expired entries are read like others.
    pub fn parse(file: &str, text: &str, now: i64) -> Result<Vec<Suppression>, SuppressionError> {
        file::parse(file, text, now)
    }

    /// Whether it hides anything at a time.
    pub fn is_active(&self, now: i64) -> bool {
        now < self.expires
    }

    /// Whether it means an alert like this, expired or not. `account_id` and `region` must fit all accounts and Regions of the
    /// alert, `severity` that of the rule, any other field the group's value of that column; an alert whose group does not
    /// have the column, or has null there, is not meant.
    pub fn hides(
        &self,
        rule: &str,
        severity: Label,
        group: &[(String, Option<String>)],
        accounts: &[String],
        regions: &[String],
    ) -> bool {
        let all = |values: &[String], condition: &Condition| {
            !values.is_empty() && values.iter().all(|value| condition.fits(value))
        };
        let holds = |condition: &Condition| match condition.field.as_str() {
            "account_id" => all(accounts, condition),
            "region" => all(regions, condition),
            "severity" => condition.fits(&severity.as_str().to_lowercase()),
            column => group.iter().any(|(name, value)| {
                name == column && value.as_deref().is_some_and(|value| condition.fits(value))
            }),
        };
        rule != NEVER && self.names_rule(rule) && self.conditions.iter().all(holds)
    }

    /// Whether alerts of a rule can be meant.
    fn names_rule(&self, rule: &str) -> bool {
        self.rules.is_empty() || self.rules.iter().any(|pattern| pattern.fits(rule))
    }

    /// How many alerts it hides, of those that may still ring, and how many findings these have.
    pub fn hidden(&self, alerts: &[Alert]) -> (usize, i64) {
        let hidden = alerts.iter().filter(|alert| {
            alert.state.is_unresolved() && alert.suppressed_by.as_deref() == Some(&self.id)
        });
        hidden.fold((0, 0_i64), |(alerts, findings), alert| {
            (alerts + 1, findings.saturating_add(alert.findings_total))
        })
    }

    /// Why it can hide nothing that these rules make, if so: a misspelt rule or column would be found by nobody.
    pub fn complaint(&self, rules: &[Rule]) -> Option<String> {
        let named: Vec<&Rule> = rules.iter().filter(|r| self.names_rule(&r.id)).collect();
        if named.is_empty() {
            return Some(format!("suppression {}: there is no such rule", self.id));
        }
        let everywhere = ["account_id", "region", "severity"];
        let has = |rule: &&Rule, column: &str| rule.group_by.iter().any(|name| name == column);
        let columns = self
            .conditions
            .iter()
            .map(|condition| condition.field.as_str());
        let columns: Vec<&str> = columns.filter(|c| !everywhere.contains(c)).collect();
        if named
            .iter()
            .any(|rule| columns.iter().all(|column| has(rule, column)))
        {
            return None;
        }
        let columns = columns.join(" and ");
        Some(format!(
            "suppression {}: none of its rules groups by {columns}",
            self.id
        ))
    }

    /// What it is about, in one line: `rules burst_*; remote_ip 203.0.113.0/24`.
    pub fn scope(&self) -> String {
        let words = |patterns: &[Glob]| {
            let words: Vec<&str> = patterns.iter().map(Glob::as_str).collect();
            words.join(", ")
        };
        let rules = match &self.rules[..] {
            [] => "all rules".to_owned(),
            rules => format!("rules {}", words(rules)),
        };
        let conditions = self.conditions.iter();
        let conditions = conditions.map(|c| format!("; {} {}", c.field, words(&c.patterns)));
        format!("{rules}{}", conditions.collect::<String>())
    }
}

impl Condition {
    fn fits(&self, value: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.fits(value))
    }
}

/// One line a mistake: `office.yml:3:9: expires: ...`.
impl fmt::Display for SuppressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.mistakes.iter().enumerate() {
            let line_break = if i == 0 { "" } else { "\n" };
            write!(f, "{line_break}{}:{mistake}", self.file)?;
        }
        Ok(())
    }
}
