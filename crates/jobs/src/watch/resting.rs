//! Who waits for whom: rules that take long rest, so that they keep the others from nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use alerts::Rule;
use tokio::time::Instant;

use super::{Evaluator, is_incremental};

/// How many times as long as it took a rule rests.
const RESTS: u32 = 4;
/// How long one rests that needs more than the new rows: hours of silence are not told by the second, and each look costs requests.
pub(super) const LEAST_REST: Duration = Duration::from_secs(10);
/// A rule that took longer is looked at when no other has something to see.
const LONG: Duration = Duration::from_millis(100);

impl Evaluator {
    /// From now on rules that take long keep the others from nothing: they are looked at one at a time when no other has something to see, and
    /// each is left out of looks for four times as long as it took, `longest` at most. What it has not seen it sees later. Zero, as in the
    /// beginning: every look is at all rules.
    pub fn let_rest(&mut self, longest: Duration) {
        self.longest_rest = longest;
        if longest.is_zero() {
            self.resting.clear();
        }
    }

    /// Whether all of these rules rest, so that a look would be at none: [`Evaluator::rested`] says for how long.
    pub fn all_rest(&mut self, rules: &[Rule]) -> bool {
        let now = Instant::now();
        let enabled = rules.iter().filter(|rule| rule.enabled);
        let until: Vec<Option<Instant>> = enabled
            .map(|rule| self.resting.get(&rule.id).copied())
            .collect();
        let all = until
            .iter()
            .all(|until| until.is_some_and(|until| until > now));
        if all {
            self.rested = until.into_iter().flatten().min();
        }
        all
    }

    /// When the first of the rules has rested that the last look left out, which may be now; `None` where it was at all of them.
    pub fn rested(&self) -> Option<Instant> {
        self.rested
    }

    /// Which of the rules are looked at now, by their places.
    pub(super) fn chosen(
        &mut self,
        rules: &[Rule],
        is_done: impl Fn(usize) -> bool,
    ) -> BTreeSet<usize> {
        let now = Instant::now();
        let until = |nth: &usize| self.resting.get(&rules[*nth].id).copied();
        let is_long = |nth: &usize| {
            self.took
                .get(&rules[*nth].id)
                .is_some_and(|took| *took > LONG)
        };
        let wants = |nth: &usize| {
            let rule = &rules[*nth];
            rule.enabled && (!is_done(*nth) || rule.kind.is_timely())
        };
        let wanting = (0..rules.len()).filter(wants);
        let (resting, ready): (Vec<usize>, Vec<usize>) =
            wanting.partition(|nth| until(nth).is_some_and(|until| until > now));
        let mut rested = resting.iter().filter_map(until).min();
        let (mut long, mut chosen): (Vec<usize>, BTreeSet<usize>) = match self.longest_rest {
            Duration::ZERO => (Vec::new(), ready.into_iter().collect()),
            _ => {
                let (long, others): (Vec<usize>, Vec<usize>) = ready.into_iter().partition(is_long);
                (long, others.into_iter().collect())
            }
        };
        if chosen.is_empty() {
            // That which has waited longest.
            long.sort_by_key(|nth| std::cmp::Reverse(until(nth)));
            chosen.extend(long.pop());
        }
        if !long.is_empty() {
            rested = Some(now);
        }
        self.rested = rested;
        chosen
    }
}

/// Until when a rule rests that was looked at now, `longest` at most; `None` where none does.
pub(super) fn until(rule: &Rule, took: Duration, longest: Duration) -> Option<Instant> {
    let least = match is_incremental(rule) {
        true => Duration::ZERO,
        false => LEAST_REST,
    };
    let rest = (took * RESTS).max(least).min(longest);
    (!longest.is_zero()).then(|| Instant::now() + rest)
}
