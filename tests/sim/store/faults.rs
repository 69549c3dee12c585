//! What goes wrong between workers and the object store: by chance, for a while, or exactly once at a named place.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::sim::ground::Ground;

/// What becomes of a PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutFault {
    /// Nothing is applied, and the caller is told so.
    Error(&'static str),
    /// Applied; the caller hears of an error.
    AppliedThenError,
    /// Applied; the client tried again after a 5xx, and what the caller hears is the 412 of the second try.
    AppliedThenExists,
    /// `409 ConditionalRequestConflict`, which object_store reports as an object that exists: nothing is applied.
    Conflict,
    /// No answer for so long, then an error.
    Hang { applied: bool, lasts: Duration },
    /// An error now; applied so much later, if the request may still be applied then.
    Late(Duration),
    /// The worker is killed before the request leaves.
    KillBefore,
    /// The worker is killed after the request was applied.
    KillAfter,
}

/// What becomes of a GET, HEAD, LIST or DELETE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadFault {
    /// An error at once.
    Error(&'static str),
    /// No answer for so long, then an error.
    Hang(Duration),
}

/// Shared by the stores of all workers.
#[derive(Debug, Default)]
pub(crate) struct StoreFaults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    chance: Chances,
    /// Everything answers `503 SlowDown` until then.
    storm_until: Option<Instant>,
    /// PUTs find no room until then.
    full_until: Option<Instant>,
    /// The next PUT of a path that holds the text has this fault.
    scripted: Vec<(&'static str, PutFault)>,
    /// Reads of paths that hold the text have this fault until the time.
    unreadable: Option<(&'static str, ReadFault, Instant)>,
}

/// How often what goes wrong by chance, in a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Chances {
    pub(crate) put: u64,
    pub(crate) read: u64,
    /// The longest that a request or an answer takes.
    pub(crate) latency: Duration,
}

impl StoreFaults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets things go wrong by chance.
    pub(crate) fn by_chance(&self, chance: Chances) {
        self.state().chance = chance;
    }

    /// `503 SlowDown` on everything.
    pub(crate) fn storm(&self, lasts: Duration) {
        self.state().storm_until = Some(Instant::now() + lasts);
    }

    /// No room for PUTs.
    pub(crate) fn full(&self, lasts: Duration) {
        self.state().full_until = Some(Instant::now() + lasts);
    }

    /// Exactly once: the next PUT of a path that holds `part`. Faults of one part come in the order in which they are asked for.
    pub(crate) fn next_put(&self, part: &'static str, fault: PutFault) {
        self.state().scripted.push((part, fault));
    }

    /// Reads of paths that hold `part`, for a while.
    pub(crate) fn reads(&self, part: &'static str, fault: ReadFault, lasts: Duration) {
        self.state().unreadable = Some((part, fault, Instant::now() + lasts));
    }

    /// Whether all scripted faults have happened.
    pub(crate) fn all_happened(&self) -> bool {
        self.state().scripted.is_empty()
    }

    /// Nothing goes wrong from now on.
    pub(crate) fn calm(&self) {
        *self.state() = State::default();
    }

    pub(crate) fn latency(&self) -> Duration {
        self.state().chance.latency
    }

    pub(crate) fn of_put(&self, ground: &Ground, path: &str) -> Option<PutFault> {
        let mut state = self.state();
        if let Some(at) = state.scripted.iter().position(|(part, _)| path.contains(part)) {
            return Some(state.scripted.remove(at).1);
        }
        let now = Instant::now();
        if state.storm_until.is_some_and(|until| now < until) {
            return Some(PutFault::Error("503 SlowDown"));
        }
        if state.full_until.is_some_and(|until| now < until) {
            return Some(PutFault::Error("no space left on device"));
        }
        if !ground.permille(state.chance.put) {
            return None;
        }
        let lasts = Duration::from_secs(30);
        Some(match ground.below(12) {
            0..=1 => PutFault::Error("500 InternalError"),
            2..=4 => PutFault::AppliedThenError,
            5..=6 => PutFault::AppliedThenExists,
            7 => PutFault::Conflict,
            8 => PutFault::Hang { applied: ground.permille(500), lasts },
            9 => PutFault::Late(Duration::from_millis(ground.between(1, 15_000))),
            10 => PutFault::KillBefore,
            _ => PutFault::KillAfter,
        })
    }

    pub(crate) fn of_read(&self, ground: &Ground, path: &str) -> Option<ReadFault> {
        let state = self.state();
        let now = Instant::now();
        if let Some((part, fault, until)) = state.unreadable
            && now < until
            && path.contains(part)
        {
            return Some(fault);
        }
        if state.storm_until.is_some_and(|until| now < until) {
            return Some(ReadFault::Error("503 SlowDown"));
        }
        if !ground.permille(state.chance.read) {
            return None;
        }
        Some(match ground.below(4) {
            0 => ReadFault::Hang(Duration::from_secs(30)),
            _ => ReadFault::Error("500 InternalError"),
        })
    }
}
