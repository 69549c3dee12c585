//! From the rows of one group to its episodes: exact sliding windows in event time, in one pass.

#[cfg(test)]
mod brute;
#[cfg(test)]
mod tests;

use std::ops::Range;

use finding::Label;

use crate::MAX_FINDINGS;
use crate::observation::{NO_VALUE, Observations, Row};

/// What a rule judges by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// What is counted.
    pub unit: Unit,
    /// How many make a match; 0 is read as 1.
    pub threshold: u64,
    /// Length of the window in microseconds; below 1 is read as 1.
    pub window: i64,
    /// Largest gap between two matches of an episode, in microseconds; below 0 is read as 0.
    pub suppress_for: i64,
}

/// What is counted within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Distinct findings.
    Findings,
    /// Increases of the distinct versions, added up.
    Occurrences,
    /// Distinct versions.
    Versions,
    /// Distinct values that are not null.
    Distinct,
}

/// A maximal run of matches with gaps of at most `suppress_for`. Times are UTC microseconds.
///
/// A match is the event time t of a row whose window `(t - window, t]` holds the threshold or more. The contributing rows
/// are all rows in the windows of the matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// The first match.
    pub first_match: i64,
    /// The last match.
    pub last_match: i64,
    /// How many matches; rows at one time make one match.
    pub matches: u64,
    /// The largest count of any one window.
    pub count: u64,
    /// Start (not included) of the earliest window that reaches `count`.
    pub window_start: i64,
    /// End (included) of that window.
    pub window_end: i64,
    /// Event time of the first contributing row.
    pub first_seen: i64,
    /// Event time of the last contributing row: the last match.
    pub last_seen: i64,
    /// Ids of the contributing findings by first event time, then id; the first [`MAX_FINDINGS`](crate::MAX_FINDINGS).
    pub findings: Vec<String>,
    /// How many distinct findings contribute.
    pub findings_total: u64,
    /// Accounts of the contributing findings, sorted.
    pub accounts: Vec<String>,
    /// Regions of the contributing findings, sorted.
    pub regions: Vec<String>,
    /// The highest label among the contributing rows.
    pub max_severity: Option<Label>,
    /// The union of the matches' windows as ranges `(after, through]`, in order, apart from each other. At most
    /// [`Episode::MAX_SPANS`]; beyond that one range from the first to the last, and `spans_exact` is false.
    pub spans: Vec<(i64, i64)>,
    /// Whether `spans` leaves out what lies between the windows.
    pub spans_exact: bool,
}

impl Episode {
    /// How many separate ranges an episode keeps.
    pub const MAX_SPANS: usize = 50;
}

/// The episodes of one group, in order of time. Sorts the rows by event time; apart from that the result does not depend
/// on their order, nor on rows that come twice.
///
/// Costs the sort, one pass, and for each episode the rows that contribute to it. A row contributes to several episodes
/// only where `suppress_for` is shorter than the window.
pub fn sweep(terms: &Terms, rows: &mut Observations) -> Vec<Episode> {
    rows.rows.sort_unstable_by_key(|row| row.time);
    let rows = &*rows;
    let window = terms.window.max(1);
    let threshold = u128::from(terms.threshold.max(1));

    let mut episodes = Vec::new();
    let mut run: Option<Run> = None;
    let mut tally = Tally::new(rows);
    let mut counter = Counter::new(terms.unit, rows);
    let (mut left, mut right) = (0, 0);
    while let Some(&Row { time, .. }) = rows.rows.get(right) {
        // All rows of one time enter together: the window is closed at its end.
        while let Some(row) = rows.rows.get(right).filter(|row| row.time == time) {
            counter.add(row);
            right += 1;
        }
        while time.saturating_sub(rows.rows[left].time) >= window {
            counter.remove(&rows.rows[left]);
            left += 1;
        }
        if counter.total < threshold {
            continue;
        }
        if let Some(ended) =
            run.take_if(|run| time.saturating_sub(run.last_match) > terms.suppress_for.max(0))
        {
            episodes.push(tally.close(ended, window));
        }
        let run = run.get_or_insert_with(|| Run::new(time));
        let count = u64::try_from(counter.total).unwrap_or(u64::MAX);
        run.matched(time, window, count);
        tally.take(left.max(run.covered)..right);
        run.covered = right;
    }
    episodes.extend(run.map(|ended| tally.close(ended, window)));
    episodes
}

/// How much of the unit the window holds.
struct Counter<'a> {
    unit: Unit,
    increases: &'a [i64],
    /// By place of the counted thing: how many rows of it the window holds.
    held: Vec<u32>,
    total: u128,
}

impl<'a> Counter<'a> {
    fn new(unit: Unit, rows: &'a Observations) -> Counter<'a> {
        let places = match unit {
            Unit::Findings => rows.findings.len(),
            Unit::Occurrences | Unit::Versions => rows.increases.len(),
            Unit::Distinct => rows.values as usize,
        };
        Counter {
            unit,
            increases: &rows.increases,
            held: vec![0; places],
            total: 0,
        }
    }

    fn add(&mut self, row: &Row) {
        let Some(place) = self.place(row) else { return };
        self.held[place] += 1;
        if self.held[place] == 1 {
            self.total += self.weight(place);
        }
    }

    fn remove(&mut self, row: &Row) {
        let Some(place) = self.place(row) else { return };
        self.held[place] -= 1;
        if self.held[place] == 0 {
            self.total -= self.weight(place);
        }
    }

    fn place(&self, row: &Row) -> Option<usize> {
        let place = match self.unit {
            Unit::Findings => row.finding,
            Unit::Occurrences | Unit::Versions => row.version,
            Unit::Distinct => row.value,
        };
        (place != NO_VALUE).then_some(place as usize)
    }

    fn weight(&self, place: usize) -> u128 {
        match self.unit {
            Unit::Occurrences => u128::try_from(self.increases[place]).unwrap_or(0),
            _ => 1,
        }
    }
}

/// The matches of the episode that is going on.
struct Run {
    first_match: i64,
    last_match: i64,
    matches: u64,
    count: u64,
    window_end: i64,
    spans: Vec<(i64, i64)>,
    spans_exact: bool,
    /// Rows before this one have been looked at.
    covered: usize,
}

impl Run {
    fn new(time: i64) -> Run {
        Run {
            first_match: time,
            last_match: time,
            matches: 0,
            count: 0,
            window_end: time,
            spans: Vec::new(),
            spans_exact: true,
            covered: 0,
        }
    }

    fn matched(&mut self, time: i64, window: i64, count: u64) {
        self.last_match = time;
        self.matches += 1;
        if count > self.count {
            self.count = count;
            self.window_end = time;
        }
        let start = time.saturating_sub(window);
        let full = self.spans.len() == Episode::MAX_SPANS;
        match self.spans.last_mut() {
            Some((_, through)) if start <= *through || !self.spans_exact => *through = time,
            _ if full => {
                self.spans = vec![(self.spans[0].0, time)];
                self.spans_exact = false;
            }
            _ => self.spans.push((start, time)),
        }
    }
}

/// What contributes to the episode that is going on.
struct Tally<'a> {
    rows: &'a Observations,
    /// The episode's number, from 1; a place with this number has been seen in it.
    episode: u32,
    seen_findings: Vec<u32>,
    seen_accounts: Vec<u32>,
    seen_regions: Vec<u32>,
    findings: Vec<(i64, u32)>,
    accounts: Vec<u32>,
    regions: Vec<u32>,
    max_severity: Option<Label>,
}

impl<'a> Tally<'a> {
    fn new(rows: &'a Observations) -> Tally<'a> {
        Tally {
            rows,
            episode: 1,
            seen_findings: vec![0; rows.findings.len()],
            seen_accounts: vec![0; rows.words.len()],
            seen_regions: vec![0; rows.words.len()],
            findings: Vec::new(),
            accounts: Vec::new(),
            regions: Vec::new(),
            max_severity: None,
        }
    }

    fn take(&mut self, contributing: Range<usize>) {
        let first = |seen: &mut Vec<u32>, place: u32, episode: u32| {
            std::mem::replace(&mut seen[place as usize], episode) != episode
        };
        for row in &self.rows.rows[contributing] {
            self.max_severity = self.max_severity.max(row.severity);
            if first(&mut self.seen_findings, row.finding, self.episode) {
                self.findings.push((row.time, row.finding));
                let known = &self.rows.findings[row.finding as usize];
                if first(&mut self.seen_accounts, known.account, self.episode) {
                    self.accounts.push(known.account);
                }
                if first(&mut self.seen_regions, known.region, self.episode) {
                    self.regions.push(known.region);
                }
            }
        }
    }

    fn close(&mut self, run: Run, window: i64) -> Episode {
        let mut findings = std::mem::take(&mut self.findings);
        let findings_total = findings.len() as u64;
        let first_seen = findings.first().map_or(run.first_match, |&(time, _)| time);
        let order = |&(time, place): &(i64, u32)| (time, &*self.rows.findings[place as usize].id);
        if findings.len() > MAX_FINDINGS {
            findings.select_nth_unstable_by(MAX_FINDINGS, |a, b| order(a).cmp(&order(b)));
            findings.truncate(MAX_FINDINGS);
        }
        findings.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        let findings = findings
            .iter()
            .map(|finding| order(finding).1.to_owned())
            .collect();
        self.episode += 1;
        Episode {
            first_match: run.first_match,
            last_match: run.last_match,
            matches: run.matches,
            count: run.count,
            window_start: run.window_end.saturating_sub(window),
            window_end: run.window_end,
            first_seen,
            last_seen: run.last_match,
            findings,
            findings_total,
            accounts: sorted(&mut self.accounts, &self.rows.words),
            regions: sorted(&mut self.regions, &self.rows.words),
            max_severity: self.max_severity.take(),
            spans: run.spans,
            spans_exact: run.spans_exact,
        }
    }
}

/// Empties a list of places into the words at those places, sorted.
fn sorted(places: &mut Vec<u32>, words: &[Box<str>]) -> Vec<String> {
    let mut words: Vec<String> = places
        .drain(..)
        .map(|place| words[place as usize].to_string())
        .collect();
    words.sort_unstable();
    words
}
