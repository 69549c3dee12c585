//! All that is known of an alert, for a person on a terminal.

use std::collections::BTreeMap;
use std::fmt;

use super::clean;
use crate::{Alert, AlertEvent, MAX_FINDINGS, rfc3339, terminal};

/// An alert, what happened to it, and what its rows are like. Displays as lines in which nothing of a finding does anything to a
/// terminal.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// As it stands: see [`Alert::at`].
    pub alert: &'a Alert,
    /// All its events, in order.
    pub history: &'a [AlertEvent],
    /// What its accounts are called now, those that have a name.
    pub account_names: &'a BTreeMap<String, String>,
    /// By column, its most frequent values and in how many rows they are.
    pub top: &'a [(String, Vec<(String, i64)>)],
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alert = self.alert;
        // The first lines are those of the bell; lists that follow in full are left out there.
        let full = ["accounts", "regions", "findings"];
        let bell = terminal(alert);
        let is_list = |line: &&str| !full.iter().any(|list| line.trim_start().starts_with(list));
        for line in bell.lines().filter(is_list) {
            writeln!(f, "{line}")?;
        }
        writeln!(
            f,
            "  window    {} to {}",
            rfc3339(alert.window_start),
            rfc3339(alert.window_end)
        )?;
        let (first, last) = (rfc3339(alert.first_match), rfc3339(alert.last_match));
        writeln!(f, "  matches   {}, {first} to {last}", alert.matches)?;
        writeln!(
            f,
            "  opened    {}, revision {} of the rule",
            rfc3339(alert.opened_at),
            clean(&alert.revision, 20)
        )?;
        if let Some(severity) = alert.max_severity {
            writeln!(f, "  findings are up to {}", severity.as_str())?;
        }
        self.accounts(f)?;
        list(
            f,
            "regions",
            alert.regions.iter().map(|region| clean(region, 64)),
        )?;
        list(f, "types", alert.types.iter().map(|name| clean(name, 128)))?;
        for (column, values) in self.top {
            writeln!(f, "top {}", clean(column, 64))?;
            for (value, rows) in values {
                writeln!(f, "  {rows:>8}  {}", clean(value, 120))?;
            }
        }
        list(
            f,
            "findings",
            alert.findings.iter().map(|id| clean(id, 128)),
        )?;
        if alert.findings_total > MAX_FINDINGS as i64 {
            let rest = alert.findings_total - alert.findings.len() as i64;
            writeln!(f, "  and {rest} more: ask with the SQL below")?;
        }
        self.history(f)?;
        writeln!(f, "evidence")?;
        // What an attacker named may hold line breaks: whatever it is, it stays indented.
        for line in alert.sql.lines() {
            writeln!(f, "  {}", clean(line, 10_000))?;
        }
        Ok(())
    }
}

impl Shown<'_> {
    fn accounts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(
            f,
            "accounts",
            self.alert.accounts.iter().map(|account| {
                let id = clean(account, 64);
                match self.account_names.get(account) {
                    Some(name) => format!("{id}  {}", clean(name, 80)),
                    None => id.into_owned(),
                }
            }),
        )
    }

    fn history(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "history")?;
        for event in self.history {
            let (at, what, who) = (
                rfc3339(event.at),
                event.event.as_str(),
                clean(&event.actor, 64),
            );
            write!(f, "  {at}  {what} by {who}")?;
            if let Some(until) = event.until {
                write!(f, " until {}", rfc3339(until))?;
            }
            if !event.reason.is_empty() {
                write!(f, ": {}", clean(&event.reason, 300))?;
            }
            match (&event.suppressed_by, event.rings) {
                (_, true) => writeln!(f, " (rang)")?,
                (Some(id), _) if event.event.measures() => {
                    writeln!(f, " (suppressed by {})", clean(id, 64))?;
                }
                _ => writeln!(f)?,
            }
        }
        Ok(())
    }
}

/// A heading with a number, and a line each.
fn list<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    lines: impl ExactSizeIterator<Item = T>,
) -> fmt::Result {
    writeln!(f, "{name} ({})", lines.len())?;
    for line in lines {
        writeln!(f, "  {line}")?;
    }
    Ok(())
}
