//! What a lake takes from around it: the clock, and names that nobody else has. A simulation gives its own, so that the same
//! seed makes the same names, the same pauses and the same log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// Reads a clock: UTC microseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What a lake takes from around it.
#[derive(Clone)]
pub struct Surroundings {
    /// The wall clock. Time stamps come from it; nothing that must be right is decided by it.
    pub now: Clock,
    /// Names of files, marks of commits, and the chance in pauses.
    pub ids: Ids,
    /// Whether checkpoints are written in the background after commits.
    pub checkpoints: bool,
}

impl Default for Surroundings {
    /// The machine's clock, random names, checkpoints.
    fn default() -> Self {
        Surroundings {
            now: Arc::new(machine_clock),
            ids: Ids::random(),
            checkpoints: true,
        }
    }
}

impl Surroundings {
    pub(crate) fn now_ms(&self) -> i64 {
        (self.now)() / 1_000
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the default clock of a lake: for time stamps, which people read"
)]
fn machine_clock() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.as_micros() as i64)
}

/// Where new names come from.
#[derive(Debug, Clone)]
pub struct Ids(Option<Arc<AtomicU64>>);

impl Ids {
    /// From the machine's randomness.
    pub fn random() -> Ids {
        Ids(None)
    }

    /// The same names in the same order for the same seed.
    pub fn seeded(seed: u64) -> Ids {
        Ids(Some(Arc::new(AtomicU64::new(seed))))
    }

    /// A name that no other has.
    pub fn uuid(&self) -> Uuid {
        match &self.0 {
            None => Uuid::new_v4(),
            Some(state) => {
                let high = u128::from(splitmix(state));
                Uuid::from_u128((high << 64) | u128::from(splitmix(state)))
            }
        }
    }

    /// A number below `bound` (at least 1), by chance.
    pub fn below(&self, bound: u64) -> u64 {
        (self.uuid().as_u128() % u128::from(bound.max(1))) as u64
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn splitmix(state: &AtomicU64) -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut z = state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
