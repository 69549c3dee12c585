//! Which versions the lake has, by the day of their event: 128-bit hashes, loaded a day at a time.
//!
//! The same version always has the same event time, so a duplicate can only be in its own day.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use finding::VersionHash;

/// Days since 1970-01-01: the value of the partition column `event_date`.
pub(crate) type Day = i32;

/// Hashes are SHA-256 already; hashing them again would only cost.
#[derive(Default)]
pub(crate) struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut first = [0u8; 8];
        let length = bytes.len().min(8);
        first[..length].copy_from_slice(&bytes[..length]);
        self.0 = u64::from_le_bytes(first);
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }
}

/// A set of versions.
pub(crate) type Versions = HashSet<u128, BuildHasherDefault<AlreadyHashed>>;

#[derive(Default)]
struct DayVersions {
    versions: Versions,
    /// Versions of batches that are not committed yet: such a day must stay.
    pending: usize,
    used: u64,
}

/// The versions of the days in use, bounded by forgetting the day used longest ago.
pub(crate) struct Seen {
    days: HashMap<Day, DayVersions>,
    held: usize,
    limit: usize,
    clock: u64,
}

/// What [`Seen::insert`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Insert {
    /// It is new, and now pending.
    New,
    /// The lake or a pending batch has it.
    Duplicate,
    /// The day must be loaded first.
    NotLoaded,
}

impl Seen {
    /// Holds at most about `limit` versions (37 bytes each) beyond the days that must stay.
    pub(crate) fn new(limit: usize) -> Seen {
        Seen {
            days: HashMap::new(),
            held: 0,
            limit,
            clock: 0,
        }
    }

    pub(crate) fn insert(&mut self, day: Day, version: VersionHash) -> Insert {
        self.clock += 1;
        let Some(entry) = self.days.get_mut(&day) else {
            return Insert::NotLoaded;
        };
        entry.used = self.clock;
        if !entry.versions.insert(version.0) {
            return Insert::Duplicate;
        }
        entry.pending += 1;
        self.held += 1;
        Insert::New
    }

    /// Adds what the lake holds of a day.
    pub(crate) fn load(&mut self, day: Day, versions: Versions) {
        self.clock += 1;
        let entry = self.days.entry(day).or_default();
        let before = entry.versions.len();
        if entry.versions.is_empty() {
            entry.versions = versions;
        } else {
            entry.versions.extend(versions);
        }
        entry.used = self.clock;
        self.held += entry.versions.len() - before;
        self.forget_beyond_limit(day);
    }

    pub(crate) fn is_loaded(&self, day: Day) -> bool {
        self.days.contains_key(&day)
    }

    /// A batch with this many new versions of a day was committed.
    pub(crate) fn settle(&mut self, day: Day, count: usize) {
        if let Some(entry) = self.days.get_mut(&day) {
            entry.pending = entry.pending.saturating_sub(count);
        }
    }

    /// Whether any batch holds versions that are not committed yet.
    pub(crate) fn has_pending(&self) -> bool {
        self.days.values().any(|day| day.pending > 0)
    }

    fn forget_beyond_limit(&mut self, keep: Day) {
        while self.held > self.limit {
            let oldest = self
                .days
                .iter()
                .filter(|(day, entry)| **day != keep && entry.pending == 0)
                .min_by_key(|(_, entry)| entry.used)
                .map(|(day, _)| *day);
            let Some(oldest) = oldest else { return };
            self.held -= self
                .days
                .remove(&oldest)
                .map_or(0, |entry| entry.versions.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_new_once_and_only_in_a_loaded_day() {
        let mut seen = Seen::new(100);
        assert_eq!(seen.insert(1, VersionHash(7)), Insert::NotLoaded);
        seen.load(1, Versions::from_iter([7]));
        assert_eq!(seen.insert(1, VersionHash(7)), Insert::Duplicate);
        assert_eq!(seen.insert(1, VersionHash(8)), Insert::New);
        assert_eq!(seen.insert(1, VersionHash(8)), Insert::Duplicate);
    }

    #[test]
    fn the_day_used_longest_ago_is_forgotten_unless_it_has_pending_rows() {
        let mut seen = Seen::new(3);
        seen.load(1, Versions::from_iter([1, 2]));
        assert_eq!(seen.insert(1, VersionHash(3)), Insert::New);
        seen.load(2, Versions::from_iter([4]));
        assert!(seen.is_loaded(1), "it has a pending row");
        seen.settle(1, 1);
        seen.load(3, Versions::from_iter([5]));
        assert!(!seen.is_loaded(1) && seen.is_loaded(2) && seen.is_loaded(3));
    }
}
