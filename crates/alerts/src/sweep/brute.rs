//! The same episodes straight from the definition, slowly: every window is counted anew.

use std::collections::{BTreeMap, BTreeSet};

use finding::{FindingKey, Label, VersionHash};

use crate::{Bounds, Episode, Measure, Observation, Observations, StepTerms, Terms, Unit};

/// A row that owns its parts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) time: i64,
    pub(crate) finding: u8,
    pub(crate) version: u8,
    pub(crate) increase: i64,
    pub(crate) value: Option<String>,
    pub(crate) severity: Option<Label>,
    pub(crate) number: Option<f64>,
    pub(crate) step: u8,
}

impl Seen {
    /// Three findings share an account, two a Region, and ids sort otherwise than their numbers.
    pub(crate) fn account(&self) -> String {
        format!("{:012}", self.finding / 3)
    }

    pub(crate) fn region(&self) -> String {
        format!("eu-{}", self.finding % 2)
    }

    /// Versions of a finding may differ in it, and one in four has none.
    pub(crate) fn finding_type(&self) -> Option<String> {
        let kind = (self.finding ^ self.version) % 4;
        (kind < 3).then(|| format!("Recon:EC2/{kind}"))
    }

    pub(crate) fn id(&self) -> String {
        format!("{:02x}", self.finding.reverse_bits())
    }
}

pub(crate) fn observations(rows: &[Seen]) -> Observations {
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
            finding_type: row.finding_type().as_deref(),
            severity: row.severity,
            number: row.number,
            step: row.step,
        });
    }
    observations
}

fn within(row: &Seen, end: i64, window: i64) -> bool {
    let (row, end, window) = (i128::from(row.time), i128::from(end), i128::from(window));
    row > end - window && row <= end
}

fn distinct<T: Ord>(of: impl Iterator<Item = T>) -> u64 {
    of.collect::<BTreeSet<_>>().len() as u64
}

fn held(rows: &[Seen], end: i64, window: i64) -> Vec<&Seen> {
    rows.iter().filter(|row| within(row, end, window)).collect()
}

/// A whole count of rows.
fn whole(unit: Unit, all: &[Seen], held: &[&Seen]) -> u64 {
    match unit {
        Unit::Findings => distinct(held.iter().map(|row| row.finding)),
        Unit::Versions => distinct(held.iter().map(|row| row.version)),
        Unit::Distinct => distinct(held.iter().filter_map(|row| row.value.as_ref())),
        Unit::Occurrences => {
            let versions: BTreeSet<_> = held.iter().map(|row| row.version).collect();
            let largest = |version| {
                let rows = all.iter().filter(|row| row.version == version);
                rows.map(|row| row.increase).max().unwrap_or(0).max(0)
            };
            let sum: i128 = versions.into_iter().map(|v| i128::from(largest(v))).sum();
            u64::try_from(sum).unwrap_or(u64::MAX)
        }
        _ => unreachable!("not whole"),
    }
}

/// The numbers of the distinct versions, in millionths and in order.
fn numbers(all: &[Seen], held: &[&Seen]) -> Vec<i64> {
    let versions: BTreeSet<u8> = held.iter().map(|row| row.version).collect();
    let largest = |version: &u8| {
        all.iter()
            .filter(|row| row.version == *version)
            .filter_map(|row| row.number.filter(|number| !number.is_nan()))
            .map(|number| (number * 1e6).round() as i64)
            .max()
    };
    let mut numbers: Vec<i64> = versions.iter().filter_map(largest).collect();
    numbers.sort_unstable();
    numbers
}

/// The count, where time `t` is a match.
fn judge(terms: &Terms, rows: &[Seen], t: i64) -> Option<u64> {
    let held = held(rows, t, terms.window);
    let whole_within = |bounds: &Bounds, count: u64| bounds.hold(count.into()).then_some(count);
    match &terms.measure {
        Measure::Count { unit, bounds } => match unit {
            Unit::Sum | Unit::Average | Unit::Percentile(_) => {
                let numbers = numbers(rows, &held);
                let (count, sum) = (
                    numbers.len() as i128,
                    numbers.iter().map(|n| i128::from(*n)).sum::<i128>(),
                );
                if count == 0 {
                    return None;
                }
                let (millionths, of) = match unit {
                    Unit::Average => (sum, count),
                    Unit::Percentile(percent) => {
                        let place = percent / 100.0 * (count - 1) as f64;
                        let (low, high) = (
                            numbers[place.floor() as usize],
                            numbers[place.ceil() as usize],
                        );
                        let between = (high as f64 - low as f64) * place.fract();
                        (i128::from(low) + between.round() as i128, 1)
                    }
                    _ => (sum, 1),
                };
                let rounded = (millionths as f64 / of as f64 / 1e6 + 0.5).floor().max(0.0);
                bounds.hold_share(millionths, of).then_some(rounded as u64)
            }
            unit => whole_within(bounds, whole(*unit, rows, &held)),
        },
        Measure::New { bounds, .. } => {
            let new = |row: &&&Seen| is_new(terms, rows, row);
            let here = held.iter().filter(new).any(|row| row.time == t);
            let count = distinct(held.iter().filter(new).map(|row| &row.value));
            here.then_some(())
                .and_then(|()| whole_within(bounds, count))
        }
        Measure::Rate {
            unit,
            bounds,
            baseline,
            factor,
            season,
            min_history,
        } => {
            let count = whole_within(bounds, whole(*unit, rows, &held))?;
            let window = terms.window;
            // Whole windows within the baseline, the newest of which ends at t - window or before.
            let newest = (0..)
                .map(|n| (t - window).div_euclid(window) + 1 - n)
                .find(|n| (n + 1) * window - 1 <= t - window)
                .unwrap();
            let oldest = newest - baseline / window + 1;
            let first = rows
                .iter()
                .map(|row| row.time)
                .filter(|time| *time >= oldest * window)
                .min()?;
            let mut usual: Vec<u64> = (oldest..=newest)
                .filter(|n| (n + 1) * window > first)
                .filter(|n| (t.div_euclid(window) - n) % (season / window) == 0)
                .map(|n| {
                    let inside: Vec<&Seen> = rows
                        .iter()
                        .filter(|row| row.time.div_euclid(window) == n)
                        .collect();
                    whole(*unit, rows, &inside)
                })
                .collect();
            usual.sort_unstable();
            let median = match usual.len() {
                0 => return None,
                n if n % 2 == 1 => usual[n / 2] as f64,
                n => (usual[n / 2 - 1] + usual[n / 2]) as f64 / 2.0,
            };
            (t - first >= *min_history && count as f64 >= factor * median).then_some(count)
        }
        Measure::Sequence {
            steps,
            ordered,
            bounds,
            condition,
        } => {
            let happens = |step: usize, at: i64| happens(&steps[step], step, rows, at);
            let all = 0..steps.len();
            if !all.clone().any(|step| happens(step, t)) {
                return None;
            }
            if *ordered {
                // Every way to choose a time for each step.
                let times: BTreeSet<i64> = held.iter().map(|row| row.time).collect();
                let mut ends: Vec<i64> = vec![i64::MIN];
                for step in all.clone() {
                    ends = times
                        .iter()
                        .copied()
                        .filter(|time| happens(step, *time) && ends.iter().any(|end| end < time))
                        .collect();
                }
                return ends.contains(&t).then_some(steps.len() as u64);
            }
            let there = |step: usize| held.iter().any(|row| happens(step, row.time));
            let count = all.filter(|step| there(*step)).count() as u64;
            match condition {
                Some(condition) => condition.holds(&there).then_some(count),
                None => whole_within(bounds, count),
            }
        }
        Measure::Given => rows
            .iter()
            .filter(|row| row.time == t)
            .map(|row| {
                let same = rows.iter().filter(|other| other.version == row.version);
                same.map(|row| row.increase).max().unwrap_or(0).max(0) as u64
            })
            .max(),
        Measure::Absence { .. } => unreachable!("matches are no event times"),
    }
}

fn happens(terms: &StepTerms, step: usize, rows: &[Seen], at: i64) -> bool {
    let of_step = |row: &&Seen| usize::from(row.step) == step;
    let here = rows.iter().filter(of_step).any(|row| row.time == at);
    here && terms.needs.is_none_or(|(unit, bounds, window)| {
        let held: Vec<&Seen> = rows
            .iter()
            .filter(of_step)
            .filter(|row| within(row, at, window))
            .collect();
        bounds.hold(whole(unit, rows, &held).into())
    })
}

fn is_new(terms: &Terms, rows: &[Seen], row: &Seen) -> bool {
    let Measure::New {
        lookback,
        min_history,
        ..
    } = terms.measure
    else {
        return false;
    };
    let within = |other: &&Seen| other.time >= row.time - lookback && other.time <= row.time;
    let oldest = rows.iter().filter(within).map(|other| other.time).min();
    let seen = |other: &Seen| other.time < row.time && other.value == row.value;
    row.value.is_some()
        && oldest.is_some_and(|oldest| row.time - oldest >= min_history)
        && !rows.iter().filter(within).any(seen)
}

/// Matches with their counts, and from when to when rows contribute to each: `(after, through]`.
fn matches(terms: &Terms, rows: &[Seen], as_of: i64) -> BTreeMap<i64, (u64, (i64, i64))> {
    let times: BTreeSet<i64> = rows.iter().map(|row| row.time).collect();
    if let Measure::Absence { lookback, bounds } = &terms.measure {
        let silent = |time: &i64| {
            let until = time + terms.window;
            until <= as_of && !times.iter().any(|other| other > time && *other <= until)
        };
        let judged = |time: i64| {
            let count = whole(Unit::Findings, rows, &held(rows, time, *lookback));
            let range = (time - lookback, time);
            bounds
                .hold(count.into())
                .then_some((time + terms.window, (count, range)))
        };
        return times
            .iter()
            .copied()
            .filter(silent)
            .filter_map(judged)
            .collect();
    }
    let judged = |time: i64| {
        Some((
            time,
            (
                judge(terms, rows, time)?,
                (time.saturating_sub(terms.window), time),
            ),
        ))
    };
    times.into_iter().filter_map(judged).collect()
}

/// Only what the definition names: no spans.
pub(crate) fn episodes(terms: &Terms, rows: &[Seen], as_of: i64) -> Vec<Episode> {
    let counts = matches(terms, rows, as_of);
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
        .map(|run| episode(terms, rows, &run, &counts, as_of))
        .collect()
}

fn episode(
    terms: &Terms,
    rows: &[Seen],
    matches: &[i64],
    counts: &BTreeMap<i64, (u64, (i64, i64))>,
    as_of: i64,
) -> Episode {
    let (contributing, values) = contributing(terms, rows, matches, counts);
    let mut first_times: BTreeMap<u8, (i64, String)> = BTreeMap::new();
    for row in &contributing {
        let first = first_times
            .entry(row.finding)
            .or_insert((row.time, row.id()));
        first.0 = first.0.min(row.time);
    }
    let mut findings: Vec<(i64, String)> = first_times.into_values().collect();
    findings.sort();
    let count = matches.iter().map(|time| counts[time].0).max().unwrap();
    // A count of nothing is never the largest.
    let window_end = *matches.iter().find(|time| counts[time].0 == count).unwrap();
    let words = |of: fn(&Seen) -> String| -> Vec<String> {
        contributing
            .iter()
            .map(|row| of(row))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    };
    let last = matches[matches.len() - 1];
    let silent_from = last.saturating_sub(terms.window);
    let spoke = rows
        .iter()
        .map(|row| row.time)
        .filter(|time| *time > silent_from && *time <= as_of)
        .min();
    Episode {
        first_match: matches[0],
        last_match: last,
        matches: matches.len() as u64,
        count,
        window_start: window_end.saturating_sub(terms.window),
        window_end,
        first_seen: contributing.iter().map(|row| row.time).min().unwrap(),
        last_seen: contributing.iter().map(|row| row.time).max().unwrap(),
        findings_total: findings.len() as u64,
        findings: findings.into_iter().map(|(_, id)| id).collect(),
        accounts: words(Seen::account),
        regions: words(Seen::region),
        types: contributing
            .iter()
            .filter_map(|row| row.finding_type())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        max_severity: contributing.iter().filter_map(|row| row.severity).max(),
        spans: Vec::new(),
        spans_exact: true,
        values,
        over: spoke.filter(|_| matches!(terms.measure, Measure::Absence { .. })),
    }
}

fn contributing<'a>(
    terms: &Terms,
    rows: &'a [Seen],
    matches: &[i64],
    counts: &BTreeMap<i64, (u64, (i64, i64))>,
) -> (Vec<&'a Seen>, Vec<String>) {
    let ranges = matches
        .iter()
        .map(|time| counts[time].1)
        .collect::<Vec<_>>();
    let mut inside = in_spans(rows, &ranges, &[]);
    let mut values = Vec::new();
    if matches!(terms.measure, Measure::New { .. }) {
        let new = inside.iter().filter(|row| is_new(terms, rows, row));
        let new: BTreeSet<String> = new.filter_map(|row| row.value.clone()).collect();
        inside.retain(|row| row.value.as_ref().is_some_and(|value| new.contains(value)));
        values = new.into_iter().collect();
    }
    (inside, values)
}

/// The rows that an episode's evidence would return: those in its spans that show one of its values, if it has any.
pub(crate) fn in_spans<'a>(
    rows: &'a [Seen],
    spans: &[(i64, i64)],
    values: &[String],
) -> Vec<&'a Seen> {
    let within = |row: &&Seen| {
        spans
            .iter()
            .any(|&(after, through)| row.time > after && row.time <= through)
    };
    let shows = |row: &&Seen| {
        values.is_empty()
            || row
                .value
                .as_ref()
                .is_some_and(|value| values.contains(value))
    };
    rows.iter().filter(within).filter(shows).collect()
}

/// The rows that contribute to an episode that the sweep found.
pub(crate) fn of<'a>(
    terms: &Terms,
    rows: &'a [Seen],
    episode: &Episode,
    as_of: i64,
) -> Vec<&'a Seen> {
    let counts = matches(terms, rows, as_of);
    let times: Vec<i64> = counts
        .keys()
        .copied()
        .filter(|time| *time >= episode.first_match && *time <= episode.last_match)
        .collect();
    contributing(terms, rows, &times, &counts).0
}
