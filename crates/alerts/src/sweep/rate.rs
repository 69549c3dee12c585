//! Far more than the group's own habit.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::Unit;
use super::meter::{Meter, Tallied};
use crate::observation::{Observations, Row};
use crate::rule::Bounds;

/// How a habit is measured. Times in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habit {
    pub(super) window: i64,
    pub(super) baseline: i64,
    pub(super) season: i64,
    pub(super) min_history: i64,
    pub(super) factor: f64,
}

/// A count against its bounds and against the median of the windows before it.
///
/// Windows of the baseline are `[n * window, (n + 1) * window)`, n counted from 1970-01-01 UTC: each is counted once, so that the
/// median costs nothing for every event.
pub(super) struct Rate<'a> {
    tallied: Tallied<'a>,
    bounds: Bounds,
    habit: Habit,
    rows: &'a Observations,
    /// Counts of the windows that hold anything.
    counts: BTreeMap<i64, u128>,
    /// By the windows that t and its window's start lie in: twice the median, and when the oldest row within the baseline was.
    usual: HashMap<(i64, i64), Option<(u128, i64)>>,
}

impl<'a> Rate<'a> {
    pub(super) fn new(
        unit: Unit,
        bounds: Bounds,
        rows: &'a Observations,
        habit: Habit,
    ) -> Rate<'a> {
        let mut counts = BTreeMap::new();
        let mut tallied = Tallied::new(unit, rows);
        for held in rows
            .rows
            .chunk_by(|a, b| habit.nth(a.time) == habit.nth(b.time))
        {
            held.iter().for_each(|row| tallied.add(row));
            counts.insert(habit.nth(held[0].time), tallied.total);
            held.iter().for_each(|row| tallied.remove(row));
        }
        Rate {
            tallied,
            bounds,
            habit,
            rows,
            counts,
            usual: HashMap::new(),
        }
    }

    /// Twice the median of the windows that t is compared with, and the oldest row; nothing where there is no window.
    fn usual(&self, this: i64, end: i64) -> Option<(u128, i64)> {
        let habit = self.habit;
        // The newest whole window that ends where the present one begins, or before.
        let newest = end - 1;
        let length = habit.baseline / habit.window;
        let oldest = newest.saturating_sub(length - 1);
        let begin = oldest.saturating_mul(habit.window);
        let row = self.rows.rows.partition_point(|row| row.time < begin);
        let first = self.rows.rows.get(row)?.time;
        let step = habit.season / habit.window;
        let mut counts: Vec<u128> = (1..)
            .map(|seasons| this.saturating_sub(step.saturating_mul(seasons)))
            .skip_while(|nth| *nth > newest)
            // Before its oldest row a group has no habit.
            .take_while(|nth| *nth >= oldest.max(habit.nth(first)))
            .map(|nth| self.counts.get(&nth).copied().unwrap_or(0))
            .collect();
        counts.sort_unstable();
        let (low, high) = (counts.len().checked_sub(1)? / 2, counts.len() / 2);
        Some((counts[low].saturating_add(counts[high]), first))
    }
}

impl Habit {
    fn nth(&self, time: i64) -> i64 {
        time.div_euclid(self.window)
    }
}

impl Meter for Rate<'_> {
    fn enter(&mut self, _: usize, row: &Row) {
        self.tallied.add(row);
    }

    fn leave(&mut self, _: usize, row: &Row) {
        self.tallied.remove(row);
    }

    fn judge(&mut self, time: i64, _: Range<usize>) -> Option<u64> {
        let total = self.tallied.total;
        if !self.bounds.hold(total) {
            return None;
        }
        // The window is (time - window, time]: a whole window before it may hold time - window itself.
        let start = time.saturating_sub(self.habit.window).saturating_add(1);
        let key = (self.habit.nth(time), self.habit.nth(start));
        let usual = match self.usual.get(&key) {
            Some(usual) => *usual,
            None => {
                let usual = self.usual(key.0, key.1);
                self.usual.insert(key, usual);
                usual
            }
        };
        let (twice, oldest) = usual?;
        let old_enough = time.saturating_sub(oldest) >= self.habit.min_history;
        let far_more = 2.0 * total as f64 >= self.habit.factor * twice as f64;
        (old_enough && far_more).then(|| u64::try_from(total).unwrap_or(u64::MAX))
    }
}
