//! From the rows of one group to its episodes: exact sliding windows in event time, in one pass.

mod absence;
#[cfg(test)]
pub(crate) mod brute;
mod fresh;
mod meter;
mod rate;
mod run;
mod sequence;
#[cfg(test)]
mod tests;

use finding::Label;

use crate::observation::{Observations, Row};
use crate::rule::{Bounds, Condition};

use meter::Meter;
use run::{Run, Tally};

/// What a rule judges by. Times are microseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// What makes a match.
    pub measure: Measure,
    /// Length of the window; below 1 is read as 1.
    pub window: i64,
    /// Largest gap between two matches of an episode; below 0 is read as 0.
    pub suppress_for: i64,
}

/// What makes a match at an event time t, of the rows in the window `(t - window, t]`.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure {
    /// The window holds such a count.
    Count {
        /// Of what.
        unit: Unit,
        /// Which counts.
        bounds: Bounds,
    },
    /// A value at t is new, and the window holds so many new ones.
    New {
        /// How many.
        bounds: Bounds,
        /// A value is new where none of its rows is in `[t - lookback, t)`.
        lookback: i64,
        /// The group's oldest row in `[t - lookback, t]` must be at least this old; 0 for no such condition.
        min_history: i64,
    },
    /// The window holds such a count, and at least `factor` times the median of the windows before it.
    Rate {
        /// Of what; a whole number.
        unit: Unit,
        /// Which counts.
        bounds: Bounds,
        /// How far back windows are looked at: a multiple of `season`.
        baseline: i64,
        /// Times the median.
        factor: f64,
        /// Looks at one window in every season: a multiple of the window.
        season: i64,
        /// The group's oldest row within the baseline must be at least this old.
        min_history: i64,
    },
    /// The window holds the steps.
    Sequence {
        /// By place; a row says which it is.
        steps: Vec<StepTerms>,
        /// Each strictly later than the one before.
        ordered: bool,
        /// How many of the steps.
        bounds: Bounds,
        /// Which of the steps.
        condition: Option<Condition>,
    },
    /// t is not an event time but the moment at which the last row is a window old and none has followed.
    Absence {
        /// How far back from the last row the findings count.
        lookback: i64,
        /// How many there must be.
        bounds: Bounds,
    },
    /// Every row is a match; its `increase` is its count.
    Given,
}

/// What makes one step of a sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct StepTerms {
    /// Of what, how many, within how long (microseconds); one row where there is none.
    pub needs: Option<(Unit, Bounds, i64)>,
}

/// What is counted within a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unit {
    /// Distinct findings.
    Findings,
    /// Increases of the distinct versions, added up.
    Occurrences,
    /// Distinct versions.
    Versions,
    /// Distinct values that are not null.
    Distinct,
    /// Numbers of the distinct versions, added up.
    Sum,
    /// Their mean.
    Average,
    /// The number below which so many hundredths of them lie, by linear interpolation.
    Percentile(f64),
}

impl Terms {
    /// How far before a match rows can matter for whether it is one, in microseconds.
    pub fn back(&self) -> i64 {
        let window = self.window.max(1);
        match &self.measure {
            Measure::Count { .. } => window,
            Measure::New { lookback, .. } => window.saturating_add(*lookback),
            Measure::Rate { baseline, .. } => window.saturating_mul(4).saturating_add(*baseline),
            Measure::Sequence { steps, .. } => {
                let needs = steps.iter().filter_map(|step| step.needs.as_ref());
                window.saturating_add(needs.map(|(.., window)| *window).max().unwrap_or(0))
            }
            Measure::Absence { lookback, .. } => window.saturating_add(*lookback),
            Measure::Given => window,
        }
    }
}

/// A maximal run of matches with gaps of at most `suppress_for`. Times are UTC microseconds.
///
/// The contributing rows are all rows in the windows of the matches; for new values those rows among them that show one of
/// the episode's new values; for absence the rows that the silence is measured against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// The first match.
    pub first_match: i64,
    /// The last match.
    pub last_match: i64,
    /// How many matches; rows at one time make one match.
    pub matches: u64,
    /// The largest count of any one window; rounded where it is not whole.
    pub count: u64,
    /// Start (not included) of the earliest window that reaches `count`.
    pub window_start: i64,
    /// End (included) of that window.
    pub window_end: i64,
    /// Event time of the first contributing row.
    pub first_seen: i64,
    /// Event time of the last contributing row.
    pub last_seen: i64,
    /// Ids of the contributing findings by first event time, then id; the first [`MAX_FINDINGS`](crate::MAX_FINDINGS).
    pub findings: Vec<String>,
    /// How many distinct findings contribute.
    pub findings_total: u64,
    /// Accounts of the contributing findings, sorted.
    pub accounts: Vec<String>,
    /// Regions of the contributing findings, sorted.
    pub regions: Vec<String>,
    /// Types of the contributing rows, sorted.
    pub types: Vec<String>,
    /// The highest label among the contributing rows.
    pub max_severity: Option<Label>,
    /// The union of the matches' windows as ranges `(after, through]`, in order, apart from each other. At most
    /// [`Episode::MAX_SPANS`]; beyond that one range from the first to the last, and `spans_exact` is false.
    pub spans: Vec<(i64, i64)>,
    /// Whether `spans` and `values` leave out what does not contribute.
    pub spans_exact: bool,
    /// The new values, sorted, where the rule looks for new values; at most [`Episode::MAX_VALUES`].
    pub values: Vec<String>,
    /// When it ended by itself: when a group that had gone silent spoke again.
    pub over: Option<i64>,
}

impl Episode {
    /// How many separate ranges an episode keeps.
    pub const MAX_SPANS: usize = 50;
    /// How many new values an episode names; beyond that `spans_exact` is false.
    pub const MAX_VALUES: usize = 100;
}

/// The episodes of one group, in order of time. Sorts the rows by event time; apart from that the result does not depend
/// on their order, nor on rows that come twice.
///
/// `as_of` (UTC microseconds) is when the question is asked: silence lasts until then. Only [`Measure::Absence`] looks at it.
///
/// Costs the sort, one pass, and for each episode the rows that contribute to it. A row contributes to several episodes
/// only where `suppress_for` is shorter than the window.
pub fn sweep(terms: &Terms, rows: &mut Observations, as_of: i64) -> Vec<Episode> {
    sweep_from(terms, rows, as_of, i64::MIN)
}

/// As [`sweep`], but leaves out the matches before `from` (UTC microseconds), so that rows may begin at `from` less
/// [`Terms::back`].
pub fn sweep_from(terms: &Terms, rows: &mut Observations, as_of: i64, from: i64) -> Vec<Episode> {
    rows.rows.sort_unstable_by_key(|row| row.time);
    let rows = &*rows;
    let frame = Frame {
        window: terms.window.max(1),
        suppress_for: terms.suppress_for.max(0),
        from,
    };
    match &terms.measure {
        Measure::Count { unit, bounds } => match unit {
            Unit::Sum | Unit::Average | Unit::Percentile(_) => {
                let numbers = meter::Numbers::new(*unit, *bounds, rows);
                frame.slide(numbers, rows, Tally::all(rows))
            }
            _ => frame.slide(
                meter::Whole::new(*unit, *bounds, rows),
                rows,
                Tally::all(rows),
            ),
        },
        Measure::New {
            bounds,
            lookback,
            min_history,
        } => {
            let marks = fresh::marks(rows, *lookback, *min_history);
            let fresh = fresh::Fresh::new(rows, &marks, *bounds);
            frame.slide(fresh, rows, Tally::marked(rows, &marks))
        }
        Measure::Rate {
            unit,
            bounds,
            baseline,
            factor,
            season,
            min_history,
        } => {
            let habit = rate::Habit {
                window: frame.window,
                baseline: *baseline,
                season: *season,
                min_history: *min_history,
                factor: *factor,
            };
            let rate = rate::Rate::new(*unit, *bounds, rows, habit);
            frame.slide(rate, rows, Tally::all(rows))
        }
        Measure::Sequence {
            steps,
            ordered,
            bounds,
            condition,
        } => {
            let wanted = match (condition, ordered) {
                (Some(condition), _) => sequence::Wanted::These(condition),
                (None, true) => sequence::Wanted::InOrder,
                (None, false) => sequence::Wanted::Some(*bounds),
            };
            let steps = sequence::Steps::new(steps, wanted, frame.window, rows);
            frame.slide(steps, rows, Tally::all(rows))
        }
        Measure::Absence { lookback, bounds } => {
            absence::silences(&frame, rows, *lookback, *bounds, as_of)
        }
        Measure::Given => frame.slide(meter::Given { rows }, rows, Tally::all(rows)),
    }
}

/// How windows slide and matches join.
struct Frame {
    window: i64,
    suppress_for: i64,
    /// Earlier matches are none.
    from: i64,
}

impl Frame {
    fn slide(
        &self,
        mut meter: impl Meter,
        rows: &Observations,
        mut tally: Tally<'_>,
    ) -> Vec<Episode> {
        let all = &rows.rows[..];
        let mut episodes = Vec::new();
        let mut run: Option<Run> = None;
        let (mut left, mut right) = (0, 0);
        while let Some(&Row { time, .. }) = all.get(right) {
            // All rows of one time enter together: the window is closed at its end.
            let from = right;
            while all.get(right).is_some_and(|row| row.time == time) {
                meter.enter(right, &all[right]);
                right += 1;
            }
            while time.saturating_sub(all[left].time) >= self.window {
                meter.leave(left, &all[left]);
                left += 1;
            }
            let judged = meter.judge(time, from..right);
            let Some(count) = judged.filter(|_| time >= self.from) else {
                continue;
            };
            if let Some(ended) =
                run.take_if(|run| time.saturating_sub(run.last_match) > self.suppress_for)
            {
                episodes.push(tally.close(ended, self.window));
            }
            let run = run.get_or_insert_with(|| Run::new(time));
            run.matched(time, self.window, count);
            run.contributes(left..right);
        }
        episodes.extend(run.map(|ended| tally.close(ended, self.window)));
        episodes
    }
}
