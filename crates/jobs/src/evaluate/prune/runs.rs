//! Rows as numbers of 64 bits, group before time, sorted: the stretches of them that can be a match.

use super::need::Need;

/// In how many parts a sum that is enough is counted.
pub(super) const PARTS: u32 = 1 << 31;

const SECOND: i64 = 1_000_000;

/// Where a row comes: 32 bits of its group's hash, then its time in whole seconds from 1970 to 2106. What is beyond is put at the ends, where it is
/// no farther apart than it was.
pub(super) fn key(hash: u64, time: i64) -> u64 {
    let second = time.div_euclid(SECOND).clamp(0, i64::from(u32::MAX)) as u64;
    (hash & !u64::from(u32::MAX)) | second
}

/// The seconds of a time, as in its key.
pub(super) fn second(time: i64) -> u32 {
    key(0, time) as u32
}

/// Whether one of some stretches, in order and apart from each other, has it.
pub(super) fn is_in<T: Ord + Copy>(stretches: &[(T, T)], what: T) -> bool {
    let after = stretches.partition_point(|(first, _)| *first <= what);
    let before = after.checked_sub(1).map(|at| stretches[at]);
    before.is_some_and(|(_, last)| what <= last)
}

/// How many seconds lie at most between the rows of a match that looks back so many microseconds.
pub(super) fn seconds(looks_back: Option<i64>) -> u32 {
    let seconds = looks_back.map(|back| (back.max(1) - 1).div_euclid(SECOND) + 1);
    seconds
        .and_then(|seconds| u32::try_from(seconds).ok())
        .unwrap_or(u32::MAX)
}

/// A row, with how much it counts.
pub(super) trait Row: Copy + Ord + Send + 'static {
    fn new(key: u64, units: u32) -> Self;
    fn key(self) -> u64;
    fn units(self) -> u32;
}

/// One where only rows are counted.
impl Row for u64 {
    fn new(key: u64, _: u32) -> u64 {
        key
    }

    fn key(self) -> u64 {
        self
    }

    fn units(self) -> u32 {
        1
    }
}

impl Row for (u64, u32) {
    fn new(key: u64, units: u32) -> (u64, u32) {
        (key, units)
    }

    fn key(self) -> u64 {
        self.0
    }

    fn units(self) -> u32 {
        self.1
    }
}

/// Stretches of keys, first and last, in order and apart from each other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Runs(Vec<(u64, u64)>);

impl Runs {
    /// Those of rows, in any order, that have what is needed within so many seconds.
    pub(super) fn of<R: Row>(mut rows: Vec<R>, need: &Need, seconds: u32) -> Runs {
        rows.sort_unstable();
        let mut runs: Vec<(u64, u64)> = Vec::new();
        let (mut held, mut left) = (need.held(PARTS), 0);
        for row in &rows {
            held.take(row.units());
            // Of another group, or too long ago.
            let far = |other: u64| {
                other >> 32 != row.key() >> 32 || row.key() - other > u64::from(seconds)
            };
            while far(rows[left].key()) {
                held.leave(rows[left].units());
                left += 1;
            }
            if !held.is_enough() {
                continue;
            }
            let first = rows[left].key();
            match runs.last_mut() {
                Some(run) if first <= run.1 => run.1 = row.key(),
                _ => runs.push((first, row.key())),
            }
        }
        Runs(runs)
    }

    /// Those of parts that follow each other.
    pub(super) fn joined(parts: Vec<Runs>) -> Runs {
        Runs(parts.into_iter().flat_map(|part| part.0).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, key: u64) -> bool {
        is_in(&self.0, key)
    }

    /// The seconds of any of them, first and last, in order and apart from each other.
    pub(super) fn times(&self) -> Vec<(u32, u32)> {
        let mut times: Vec<(u32, u32)> = (self.0.iter())
            .map(|(first, last)| (*first as u32, *last as u32))
            .collect();
        times.sort_unstable();
        times.dedup_by(|next, before| {
            let joins = next.0 <= before.1;
            if joins {
                before.1 = before.1.max(next.1);
            }
            joins
        });
        times
    }

    /// From when to before when all of them are (UTC microseconds), as far as that is known.
    pub(super) fn span(&self) -> (Option<i64>, Option<i64>) {
        let second = |key: u64| key as u32;
        let first = self.0.iter().map(|run| second(run.0)).min();
        let last = self.0.iter().map(|run| second(run.1)).max();
        let micros = |second: u32| i64::from(second) * SECOND;
        (
            first.filter(|first| *first > 0).map(micros),
            last.and_then(|last| last.checked_add(1)).map(micros),
        )
    }
}
