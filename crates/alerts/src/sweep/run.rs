//! The episode that is going on: its matches, and what contributes to it.

use std::ops::Range;

use finding::Label;

use super::Episode;
use crate::MAX_FINDINGS;
use crate::observation::{NO_TYPE, NO_VALUE, Observations, Row};

/// The matches of the episode that is going on.
pub(super) struct Run {
    pub(super) first_match: i64,
    pub(super) last_match: i64,
    matches: u64,
    count: u64,
    window_end: i64,
    spans: Vec<(i64, i64)>,
    spans_exact: bool,
    /// Places of contributing rows, in order and apart from each other.
    rows: Vec<Range<usize>>,
    pub(super) over: Option<i64>,
}

impl Run {
    pub(super) fn new(time: i64) -> Run {
        Run {
            first_match: time,
            last_match: time,
            matches: 0,
            count: 0,
            window_end: time,
            spans: Vec::new(),
            spans_exact: true,
            rows: Vec::new(),
            over: None,
        }
    }

    /// A match at `time` whose window of length `window` holds `count`.
    pub(super) fn matched(&mut self, time: i64, window: i64, count: u64) {
        self.counted(time, count);
        self.spans((time.saturating_sub(window), time));
    }

    pub(super) fn counted(&mut self, time: i64, count: u64) {
        self.last_match = time;
        self.matches += 1;
        if count > self.count {
            self.count = count;
            self.window_end = time;
        }
    }

    /// Adds a range of time; ranges come in the order of their ends.
    pub(super) fn spans(&mut self, (start, end): (i64, i64)) {
        let full = self.spans.len() == Episode::MAX_SPANS;
        match self.spans.last_mut() {
            Some((_, through)) if start <= *through || !self.spans_exact => *through = end,
            _ if full => {
                self.spans = vec![(self.spans[0].0, end)];
                self.spans_exact = false;
            }
            _ => self.spans.push((start, end)),
        }
    }

    /// Adds rows; ranges come in the order of their ends, and may begin before the end of the last.
    pub(super) fn contributes(&mut self, rows: Range<usize>) {
        match self.rows.last_mut() {
            Some(last) if rows.start <= last.end => last.end = rows.end,
            _ => self.rows.push(rows),
        }
    }
}

/// Adds up what contributes to one episode after the other.
pub(super) struct Tally<'a> {
    rows: &'a Observations,
    /// By row: whether its value is new there. Only rows with one of the episode's new values contribute.
    marks: Option<&'a [bool]>,
    /// The episode's number, from 1; a place with this number has been seen in it.
    episode: u32,
    seen_findings: Vec<u32>,
    seen_accounts: Vec<u32>,
    seen_regions: Vec<u32>,
    seen_types: Vec<u32>,
    seen_values: Vec<u32>,
}

impl<'a> Tally<'a> {
    /// Every row in a match's window contributes.
    pub(super) fn all(rows: &'a Observations) -> Tally<'a> {
        Tally {
            rows,
            marks: None,
            episode: 1,
            seen_findings: vec![0; rows.findings.len()],
            seen_accounts: vec![0; rows.words.len()],
            seen_regions: vec![0; rows.words.len()],
            seen_types: vec![0; rows.types.len()],
            seen_values: Vec::new(),
        }
    }

    /// Of the rows in a match's window those contribute whose value is new somewhere in the episode.
    pub(super) fn marked(rows: &'a Observations, marks: &'a [bool]) -> Tally<'a> {
        Tally {
            marks: Some(marks),
            seen_values: vec![0; rows.values.len()],
            ..Tally::all(rows)
        }
    }

    /// The episode of a run; `window` in microseconds.
    pub(super) fn close(&mut self, run: Run, window: i64) -> Episode {
        let values = self.values(&run.rows);
        let mut findings: Vec<(i64, u32)> = Vec::new();
        let (mut accounts, mut regions, mut types) = (Vec::new(), Vec::new(), Vec::new());
        let mut max_severity: Option<Label> = None;
        let (mut first_seen, mut last_seen) = (None, run.first_match);
        for at in run.rows.iter().cloned().flatten() {
            let row = &self.rows.rows[at];
            if !self.contributes(row) {
                continue;
            }
            first_seen.get_or_insert(row.time);
            last_seen = row.time;
            max_severity = max_severity.max(row.severity);
            let finding_type = u32::from(row.finding_type);
            if row.finding_type != NO_TYPE
                && first(&mut self.seen_types, finding_type, self.episode)
            {
                types.push(finding_type);
            }
            let known = &self.rows.findings[row.finding as usize];
            // Rows of a query need not be of a finding.
            let named = !known.id.is_empty() || !self.rows.words[known.account as usize].is_empty();
            if named && first(&mut self.seen_findings, row.finding, self.episode) {
                findings.push((row.time, row.finding));
                if first(&mut self.seen_accounts, known.account, self.episode) {
                    accounts.push(known.account);
                }
                if first(&mut self.seen_regions, known.region, self.episode) {
                    regions.push(known.region);
                }
            }
        }
        self.episode += 1;
        let findings_total = findings.len() as u64;
        let order = |&(time, place): &(i64, u32)| (time, &*self.rows.findings[place as usize].id);
        if findings.len() > MAX_FINDINGS {
            findings.select_nth_unstable_by(MAX_FINDINGS, |a, b| order(a).cmp(&order(b)));
            findings.truncate(MAX_FINDINGS);
        }
        findings.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        let few = values.len() <= Episode::MAX_VALUES;
        Episode {
            first_match: run.first_match,
            last_match: run.last_match,
            matches: run.matches,
            count: run.count,
            window_start: run.window_end.saturating_sub(window),
            window_end: run.window_end,
            first_seen: first_seen.unwrap_or(run.first_match),
            last_seen,
            findings: findings
                .iter()
                .map(|finding| order(finding).1.to_owned())
                .collect(),
            findings_total,
            accounts: sorted(accounts, &self.rows.words),
            regions: sorted(regions, &self.rows.words),
            types: sorted(types, &self.rows.types),
            max_severity,
            spans: run.spans,
            spans_exact: run.spans_exact && few,
            values: match few {
                true => values,
                false => Vec::new(),
            },
            over: run.over,
        }
    }

    fn contributes(&self, row: &Row) -> bool {
        self.marks.is_none()
            || (row.value != NO_VALUE && self.seen_values[row.value as usize] == self.episode)
    }

    /// The values that are new in these rows, sorted; marks them as seen in the episode.
    fn values(&mut self, rows: &[Range<usize>]) -> Vec<String> {
        let Some(marks) = self.marks else {
            return Vec::new();
        };
        let mut places = Vec::new();
        for at in rows.iter().cloned().flatten().filter(|at| marks[*at]) {
            let value = self.rows.rows[at].value;
            if first(&mut self.seen_values, value, self.episode) {
                places.push(value);
            }
        }
        sorted(places, &self.rows.values)
    }
}

fn first(seen: &mut [u32], place: u32, episode: u32) -> bool {
    std::mem::replace(&mut seen[place as usize], episode) != episode
}

/// The words at places, sorted.
fn sorted(places: Vec<u32>, words: &[Box<str>]) -> Vec<String> {
    let mut words: Vec<String> = places
        .into_iter()
        .map(|place| words[place as usize].to_string())
        .collect();
    words.sort_unstable();
    words
}
