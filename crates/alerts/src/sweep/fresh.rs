//! Values that a group has not shown for a while.

use std::ops::Range;

use super::Unit;
use super::meter::{Meter, Tallied};
use crate::observation::{NO_VALUE, Observations, Row};
use crate::rule::Bounds;

/// By row, in order of time: whether its value is new there. Times in microseconds.
pub(super) fn marks(rows: &Observations, lookback: i64, min_history: i64) -> Vec<bool> {
    let all = &rows.rows[..];
    let mut last: Vec<Option<i64>> = vec![None; rows.values.len()];
    let mut marks = vec![false; all.len()];
    let (mut oldest, mut from) = (0, 0);
    while let Some(&Row { time, .. }) = all.get(from) {
        let begin = time.saturating_sub(lookback);
        while all[oldest].time < begin {
            oldest += 1;
        }
        let known_well = time.saturating_sub(all[oldest].time) >= min_history;
        let len = all[from..]
            .iter()
            .take_while(|row| row.time == time)
            .count();
        let batch = from..from + len;
        for at in batch.clone().filter(|at| all[*at].value != NO_VALUE) {
            let before = last[all[at].value as usize];
            marks[at] = known_well && before.is_none_or(|before| before < begin);
        }
        for row in all[batch.clone()]
            .iter()
            .filter(|row| row.value != NO_VALUE)
        {
            last[row.value as usize] = Some(time);
        }
        from = batch.end;
    }
    marks
}

/// How many new values the window holds, looked at where one comes in.
pub(super) struct Fresh<'a> {
    marks: &'a [bool],
    tallied: Tallied<'a>,
    bounds: Bounds,
}

impl<'a> Fresh<'a> {
    pub(super) fn new(rows: &'a Observations, marks: &'a [bool], bounds: Bounds) -> Fresh<'a> {
        Fresh {
            marks,
            tallied: Tallied::new(Unit::Distinct, rows),
            bounds,
        }
    }
}

impl Meter for Fresh<'_> {
    fn enter(&mut self, at: usize, row: &Row) {
        if self.marks[at] {
            self.tallied.add(row);
        }
    }

    fn leave(&mut self, at: usize, row: &Row) {
        if self.marks[at] {
            self.tallied.remove(row);
        }
    }

    fn judge(&mut self, _: i64, at: Range<usize>) -> Option<u64> {
        let total = self.tallied.total;
        let matches = self.marks[at].contains(&true) && self.bounds.hold(total);
        matches.then(|| u64::try_from(total).unwrap_or(u64::MAX))
    }
}
