//! The same episodes straight from the definition, slowly: every window is counted anew.

use std::collections::{BTreeMap, BTreeSet};

use finding::{FindingKey, Label, VersionHash};

use crate::{Episode, Observation, Observations, Terms, Unit};

/// A row that owns its parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    pub(super) time: i64,
    pub(super) finding: u8,
    pub(super) version: u8,
    pub(super) increase: i64,
    pub(super) value: Option<String>,
    pub(super) severity: Option<Label>,
}

impl Seen {
    /// Three findings share an account, two a Region, and ids sort otherwise than their numbers.
    pub(super) fn account(&self) -> String {
        format!("{:012}", self.finding / 3)
    }

    pub(super) fn region(&self) -> String {
        format!("eu-{}", self.finding % 2)
    }

    pub(super) fn id(&self) -> String {
        format!("{:02x}", self.finding.reverse_bits())
    }
}

pub(super) fn observations(rows: &[Seen]) -> Observations {
    let mut observations = Observations::new();
    for row in rows {
        observations.push(&Observation {
            event_time: row.time,
            finding: FindingKey(u128::from(row.finding)),
            version: VersionHash(u128::from(row.version)),
            increase: row.increase,
            value: row.value.as_deref(),
            account_id: &row.account(),
            region: &row.region(),
            finding_id: &row.id(),
            severity: row.severity,
        });
    }
    observations
}

fn within(row: &Seen, end: i64, window: i64) -> bool {
    let (row, end, window) = (i128::from(row.time), i128::from(end), i128::from(window));
    row > end - window && row <= end
}

fn measure(unit: Unit, all: &[Seen], held: &[&Seen]) -> u64 {
    match unit {
        Unit::Findings => held
            .iter()
            .map(|row| row.finding)
            .collect::<BTreeSet<_>>()
            .len() as u64,
        Unit::Versions => held
            .iter()
            .map(|row| row.version)
            .collect::<BTreeSet<_>>()
            .len() as u64,
        Unit::Distinct => held
            .iter()
            .filter_map(|row| row.value.as_ref())
            .collect::<BTreeSet<_>>()
            .len() as u64,
        Unit::Occurrences => {
            let versions: BTreeSet<_> = held.iter().map(|row| row.version).collect();
            let largest = |version| {
                all.iter()
                    .filter(|row| row.version == version)
                    .map(|row| row.increase)
                    .max()
            };
            let sum: i128 = versions
                .into_iter()
                .map(|version| i128::from(largest(version).unwrap_or(0).max(0)))
                .sum();
            u64::try_from(sum).unwrap_or(u64::MAX)
        }
    }
}

/// Only what the definition names: no spans.
pub(super) fn episodes(terms: &Terms, rows: &[Seen]) -> Vec<Episode> {
    let times: BTreeSet<i64> = rows.iter().map(|row| row.time).collect();
    let counts: BTreeMap<i64, u64> = times
        .into_iter()
        .map(|time| {
            let held: Vec<&Seen> = rows
                .iter()
                .filter(|row| within(row, time, terms.window))
                .collect();
            (time, measure(terms.unit, rows, &held))
        })
        .filter(|&(_, count)| count >= terms.threshold)
        .collect();
    let mut runs: Vec<Vec<i64>> = Vec::new();
    for &time in counts.keys() {
        match runs.last_mut() {
            Some(run)
                if i128::from(time) - i128::from(run[run.len() - 1])
                    <= i128::from(terms.suppress_for) =>
            {
                run.push(time)
            }
            _ => runs.push(vec![time]),
        }
    }
    runs.into_iter()
        .map(|run| episode(terms, rows, &run, &counts))
        .collect()
}

fn episode(terms: &Terms, rows: &[Seen], matches: &[i64], counts: &BTreeMap<i64, u64>) -> Episode {
    let contributing: Vec<&Seen> = rows
        .iter()
        .filter(|row| matches.iter().any(|&end| within(row, end, terms.window)))
        .collect();
    let mut first_times: BTreeMap<u8, (i64, String)> = BTreeMap::new();
    for row in &contributing {
        let first = first_times
            .entry(row.finding)
            .or_insert((row.time, row.id()));
        first.0 = first.0.min(row.time);
    }
    let mut findings: Vec<(i64, String)> = first_times.into_values().collect();
    findings.sort();
    let count = matches.iter().map(|time| counts[time]).max().unwrap();
    let window_end = *matches.iter().find(|time| counts[time] == count).unwrap();
    Episode {
        first_match: matches[0],
        last_match: matches[matches.len() - 1],
        matches: matches.len() as u64,
        count,
        window_start: window_end.saturating_sub(terms.window),
        window_end,
        first_seen: contributing.iter().map(|row| row.time).min().unwrap(),
        last_seen: contributing.iter().map(|row| row.time).max().unwrap(),
        findings_total: findings.len() as u64,
        findings: findings.into_iter().map(|(_, id)| id).collect(),
        accounts: contributing
            .iter()
            .map(|row| row.account())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        regions: contributing
            .iter()
            .map(|row| row.region())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        max_severity: contributing.iter().filter_map(|row| row.severity).max(),
        spans: Vec::new(),
        spans_exact: true,
    }
}

/// The rows that lie in an episode's spans: must be the contributing ones.
pub(super) fn in_spans<'a>(rows: &'a [Seen], spans: &[(i64, i64)]) -> BTreeSet<&'a Seen> {
    rows.iter()
        .filter(|row| {
            spans
                .iter()
                .any(|&(after, through)| row.time > after && row.time <= through)
        })
        .collect()
}

/// The rows in the windows of the matches of an episode.
pub(super) fn contributing<'a>(
    terms: &Terms,
    rows: &'a [Seen],
    of: &Episode,
) -> BTreeSet<&'a Seen> {
    let matches: Vec<i64> = rows
        .iter()
        .map(|row| row.time)
        .filter(|&time| time >= of.first_match && time <= of.last_match)
        .filter(|&time| {
            let held: Vec<&Seen> = rows
                .iter()
                .filter(|row| within(row, time, terms.window))
                .collect();
            measure(terms.unit, rows, &held) >= terms.threshold
        })
        .collect();
    rows.iter()
        .filter(|row| matches.iter().any(|&end| within(row, end, terms.window)))
        .collect()
}
