//! What every part of the simulation stands on: one seeded generator, one clock, one trace of what happened, one count of
//! each kind of trouble.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::support::Chance;

/// When a simulation begins, UTC microseconds: 2026-07-01, where the sample findings end.
pub(crate) const BEGINNING: i64 = 1_782_864_000_000_000;

/// Shared by all parts of one run. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Ground(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    state: Mutex<State>,
    keep_lines: bool,
}

#[derive(Debug)]
struct State {
    chance: u64,
    hash: DefaultHasher,
    lines: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
    complaints: Vec<String>,
}

impl Ground {
    /// Call from within a runtime whose clock is paused. `keep_lines` keeps the trace itself, not only its hash.
    pub(crate) fn new(seed: u64, keep_lines: bool) -> Ground {
        Ground(Arc::new(Inner {
            began: Instant::now(),
            state: Mutex::new(State {
                chance: seed,
                hash: DefaultHasher::new(),
                lines: Vec::new(),
                counts: BTreeMap::new(),
                complaints: Vec::new(),
            }),
            keep_lines,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the beginning.
    pub(crate) fn now_ms(&self) -> u64 {
        self.0.began.elapsed().as_millis() as u64
    }

    /// What a wall clock shows that goes wrong by `skew` microseconds: UTC microseconds.
    pub(crate) fn wall(&self, skew: i64) -> i64 {
        BEGINNING + self.0.began.elapsed().as_micros() as i64 + skew
    }

    /// A number below `bound`.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        let mut state = self.state();
        let mut chance = Chance(state.chance);
        let number = chance.below(bound.max(1));
        state.chance = chance.0;
        number
    }

    /// A number of a range, both ends included.
    pub(crate) fn between(&self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// True so many times in a thousand.
    pub(crate) fn permille(&self, share: u64) -> bool {
        share > 0 && self.below(1_000) < share
    }

    /// One of several.
    pub(crate) fn pick<T: Copy>(&self, things: &[T]) -> T {
        things[self.below(things.len() as u64) as usize]
    }

    /// Waits up to `most`, by chance.
    pub(crate) async fn wait_up_to(&self, most: Duration) {
        if !most.is_zero() {
            let pause = Duration::from_millis(self.below(most.as_millis() as u64 + 1));
            tokio::time::sleep(pause).await;
        }
    }

    /// Notes that something happened.
    pub(crate) fn note(&self, line: std::fmt::Arguments<'_>) {
        let line = format!("{:>9} {line}", self.now_ms());
        let mut state = self.state();
        line.hash(&mut state.hash);
        if self.0.keep_lines {
            state.lines.push(line);
        }
    }

    /// Hash of everything noted so far.
    pub(crate) fn trace_hash(&self) -> u64 {
        self.state().hash.finish()
    }

    /// Everything noted, when it was kept.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.state().lines.clone()
    }

    /// Counts a trouble, or anything else worth a number in the summary.
    pub(crate) fn count(&self, what: &'static str) {
        self.add(what, 1);
    }

    /// Counts several at once.
    pub(crate) fn add(&self, what: &'static str, count: u64) {
        *self.state().counts.entry(what).or_default() += count;
    }

    /// All counts.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.state().counts.clone()
    }

    /// Remembers that something went wrong that never may; the run fails with it at its end.
    pub(crate) fn complain(&self, complaint: String) {
        self.note(format_args!("COMPLAINT {complaint}"));
        self.state().complaints.push(complaint);
    }

    /// What went wrong so far.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.state().complaints.clone()
    }
}
