//! What a window holds, kept up as rows enter and leave.

use std::ops::Range;

use super::Unit;
use crate::observation::{NO_NUMBER, NO_VALUE, Observations, Row};
use crate::rule::Bounds;

/// Watches a window. Rows enter and leave in the order of their times; those of one time enter together.
pub(super) trait Meter {
    /// The row at this place comes into the window.
    fn enter(&mut self, at: usize, row: &Row);
    /// The row at this place is too old for the window.
    fn leave(&mut self, at: usize, row: &Row);
    /// The count, where the window that ends at `time` with the rows `at` is a match.
    fn judge(&mut self, time: i64, at: Range<usize>) -> Option<u64>;
}

/// How much of a whole unit the window holds.
pub(super) struct Tallied<'a> {
    unit: Unit,
    increases: &'a [i64],
    /// By place of the counted thing: how many rows of it the window holds.
    held: Vec<u32>,
    pub(super) total: u128,
}

impl<'a> Tallied<'a> {
    pub(super) fn new(unit: Unit, rows: &'a Observations) -> Tallied<'a> {
        let places = match unit {
            Unit::Findings => rows.findings.len(),
            Unit::Distinct => rows.values.len(),
            _ => rows.increases.len(),
        };
        Tallied {
            unit,
            increases: &rows.increases,
            held: vec![0; places],
            total: 0,
        }
    }

    pub(super) fn add(&mut self, row: &Row) {
        let Some(place) = self.place(row) else { return };
        self.held[place] += 1;
        if self.held[place] == 1 {
            self.total += self.weight(place);
        }
    }

    pub(super) fn remove(&mut self, row: &Row) {
        let Some(place) = self.place(row) else { return };
        self.held[place] -= 1;
        if self.held[place] == 0 {
            self.total -= self.weight(place);
        }
    }

    fn place(&self, row: &Row) -> Option<usize> {
        let place = match self.unit {
            Unit::Findings => row.finding,
            Unit::Distinct => row.value,
            _ => row.version,
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

/// A whole count against its bounds.
pub(super) struct Whole<'a> {
    tallied: Tallied<'a>,
    bounds: Bounds,
}

impl<'a> Whole<'a> {
    pub(super) fn new(unit: Unit, bounds: Bounds, rows: &'a Observations) -> Whole<'a> {
        Whole {
            tallied: Tallied::new(unit, rows),
            bounds,
        }
    }
}

impl Meter for Whole<'_> {
    fn enter(&mut self, _: usize, row: &Row) {
        self.tallied.add(row);
    }

    fn leave(&mut self, _: usize, row: &Row) {
        self.tallied.remove(row);
    }

    fn judge(&mut self, _: i64, _: Range<usize>) -> Option<u64> {
        let total = self.tallied.total;
        self.bounds
            .hold(total)
            .then(|| u64::try_from(total).unwrap_or(u64::MAX))
    }
}

/// A sum, mean or percentile of the numbers of the distinct versions. Everything is in whole millionths, so that the order in
/// which rows come and go changes nothing.
pub(super) struct Numbers<'a> {
    unit: Unit,
    bounds: Bounds,
    numbers: &'a [i64],
    held: Vec<u32>,
    sum: i128,
    count: i128,
    /// For percentiles: the distinct numbers in order, and how many versions hold each, as a Fenwick tree.
    ranks: Vec<i64>,
    tree: Vec<u32>,
}

impl<'a> Numbers<'a> {
    pub(super) fn new(unit: Unit, bounds: Bounds, rows: &'a Observations) -> Numbers<'a> {
        let mut ranks = match unit {
            Unit::Percentile(_) => rows.numbers.clone(),
            _ => Vec::new(),
        };
        ranks.sort_unstable();
        ranks.dedup();
        Numbers {
            unit,
            bounds,
            numbers: &rows.numbers,
            held: vec![0; rows.numbers.len()],
            sum: 0,
            count: 0,
            tree: vec![0; ranks.len() + 1],
            ranks,
        }
    }

    fn number(&self, row: &Row) -> Option<i64> {
        let number = self.numbers.get(row.version as usize);
        number.copied().filter(|number| *number != NO_NUMBER)
    }

    fn rank(&mut self, number: i64, change: i32) {
        let mut at = self.ranks.partition_point(|known| *known < number) + 1;
        while at < self.tree.len() {
            self.tree[at] = self.tree[at].wrapping_add_signed(change);
            at += at & at.wrapping_neg();
        }
    }

    /// The number with `before` smaller or equal ones before it.
    fn nth(&self, before: i128) -> i64 {
        let (mut at, mut rest) = (0, before);
        let mut step = self.tree.len().next_power_of_two() / 2;
        while step > 0 {
            if let Some(&here) = self.tree.get(at + step)
                && i128::from(here) <= rest
            {
                at += step;
                rest -= i128::from(here);
            }
            step /= 2;
        }
        self.ranks.get(at).copied().unwrap_or(0)
    }

    /// In millionths; the place may lie between two numbers.
    fn percentile(&self, percent: f64) -> i128 {
        let place = percent / 100.0 * (self.count - 1) as f64;
        let whole = place.floor();
        let (low, share) = (self.nth(whole as i128), place - whole);
        let high = match share > 0.0 {
            true => self.nth(whole as i128 + 1),
            false => low,
        };
        i128::from(low) + ((high as f64 - low as f64) * share).round() as i128
    }
}

impl Meter for Numbers<'_> {
    fn enter(&mut self, _: usize, row: &Row) {
        let Some(number) = self.number(row) else {
            return;
        };
        let held = &mut self.held[row.version as usize];
        *held += 1;
        if *held == 1 {
            self.sum += i128::from(number);
            self.count += 1;
            self.rank(number, 1);
        }
    }

    fn leave(&mut self, _: usize, row: &Row) {
        let Some(number) = self.number(row) else {
            return;
        };
        let held = &mut self.held[row.version as usize];
        *held -= 1;
        if *held == 0 {
            self.sum -= i128::from(number);
            self.count -= 1;
            self.rank(number, -1);
        }
    }

    fn judge(&mut self, _: i64, _: Range<usize>) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let (millionths, of) = match self.unit {
            Unit::Average => (self.sum, self.count),
            Unit::Percentile(percent) => (self.percentile(percent), 1),
            _ => (self.sum, 1),
        };
        let rounded = (millionths + of * 500_000).div_euclid(of * 1_000_000);
        self.bounds
            .hold_share(millionths, of)
            .then(|| u64::try_from(rounded.max(0)).unwrap_or(u64::MAX))
    }
}

/// Every row is a match of what its `increase` says; of several at one time the largest counts.
pub(super) struct Given<'a> {
    pub(super) rows: &'a Observations,
}

impl Meter for Given<'_> {
    fn enter(&mut self, _: usize, _: &Row) {}

    fn leave(&mut self, _: usize, _: &Row) {}

    fn judge(&mut self, _: i64, at: Range<usize>) -> Option<u64> {
        let rows = self.rows.rows.get(at)?;
        let counts = rows
            .iter()
            .map(|row| self.rows.increases[row.version as usize]);
        counts.max().map(|count| u64::try_from(count).unwrap_or(0))
    }
}
