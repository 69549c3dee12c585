//! Steps within one window.

use std::ops::Range;

use super::StepTerms;
use super::meter::{Meter, Tallied};
use crate::observation::{Observations, Row};
use crate::rule::{Bounds, Condition};

/// What the steps must be for a match.
pub(super) enum Wanted<'a> {
    /// All of them, each strictly later than the one before.
    InOrder,
    /// So many, in any order.
    Some(Bounds),
    /// Those that a condition names.
    These(&'a Condition),
}

/// Which steps have happened. A step happens at the time of a row of it, or, where it needs more, at the time at which its own
/// window holds enough.
pub(super) struct Steps<'a> {
    rows: &'a Observations,
    wanted: Wanted<'a>,
    window: i64,
    own: Vec<Option<Own<'a>>>,
    /// By step: when it last happened.
    last: Vec<Option<i64>>,
    /// By step: the latest possible start of a run of steps in order that ends with it.
    begun: Vec<Option<i64>>,
}

/// The window of a step that needs more than one row.
struct Own<'a> {
    tallied: Tallied<'a>,
    bounds: Bounds,
    window: i64,
    left: usize,
}

impl<'a> Steps<'a> {
    pub(super) fn new(
        steps: &[StepTerms],
        wanted: Wanted<'a>,
        window: i64,
        rows: &'a Observations,
    ) -> Steps<'a> {
        let own = |step: &StepTerms| {
            step.needs.map(|(unit, bounds, window)| Own {
                tallied: Tallied::new(unit, rows),
                bounds,
                window: window.max(1),
                left: 0,
            })
        };
        Steps {
            rows,
            wanted,
            window,
            own: steps.iter().map(own).collect(),
            last: vec![None; steps.len()],
            begun: vec![None; steps.len()],
        }
    }

    /// Which steps happen at `time` with the rows `at`, as bits.
    fn happening(&mut self, time: i64, at: Range<usize>) -> u64 {
        let all = &self.rows.rows;
        let mut happening = 0_u64;
        for row in &all[at.clone()] {
            let step = usize::from(row.step);
            match self.own.get_mut(step) {
                None => {}
                Some(None) => happening |= 1 << step,
                Some(Some(own)) => {
                    own.tallied.add(row);
                    happening |= 1 << step;
                }
            }
        }
        for (step, own) in self.own.iter_mut().enumerate() {
            let Some(own) = own else { continue };
            while time.saturating_sub(all[own.left].time) >= own.window {
                if usize::from(all[own.left].step) == step {
                    own.tallied.remove(&all[own.left]);
                }
                own.left += 1;
            }
            if !own.bounds.hold(own.tallied.total) {
                happening &= !(1 << step);
            }
        }
        happening
    }

    /// Whether the last step completes all of them in order.
    fn in_order(&mut self, time: i64, happening: u64) -> bool {
        let mut complete = false;
        // From the last step to the first, so that each is joined to what had happened strictly before.
        for step in (0..self.begun.len()).rev() {
            if happening & (1 << step) == 0 {
                continue;
            }
            let start = match step {
                0 => Some(time),
                _ => self.begun[step - 1],
            };
            self.begun[step] = self.begun[step].max(start);
            if step + 1 == self.begun.len() {
                complete = start.is_some_and(|start| time.saturating_sub(start) < self.window);
            }
        }
        complete
    }
}

impl Meter for Steps<'_> {
    fn enter(&mut self, _: usize, _: &Row) {}

    fn leave(&mut self, _: usize, _: &Row) {}

    fn judge(&mut self, time: i64, at: Range<usize>) -> Option<u64> {
        let happening = self.happening(time, at);
        if happening == 0 {
            return None;
        }
        let steps = self.last.len();
        for step in (0..steps).filter(|step| happening & (1 << step) != 0) {
            self.last[step] = Some(time);
        }
        if matches!(self.wanted, Wanted::InOrder) {
            return self.in_order(time, happening).then_some(steps as u64);
        }
        let there = |step: usize| {
            self.last[step].is_some_and(|last| time.saturating_sub(last) < self.window)
        };
        let count = (0..steps).filter(|step| there(*step)).count() as u64;
        let matches = match &self.wanted {
            Wanted::Some(bounds) => bounds.hold(count.into()),
            Wanted::These(condition) => condition.holds(&there),
            Wanted::InOrder => false,
        };
        matches.then_some(count)
    }
}
