//! Counters that can be watched while records flow.

use std::sync::atomic::{AtomicU64, Ordering};

/// Shared between those who work and those who watch.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes read: of files as they lie there, of records as they came.
    pub bytes: AtomicU64,
    /// Documents after framing.
    pub documents: AtomicU64,
    /// Files or objects read to their end.
    pub sources: AtomicU64,
    /// Rows committed.
    pub committed: AtomicU64,
    /// Commits landed.
    pub commits: AtomicU64,
    /// Newest version of `findings` that this process committed.
    pub version: AtomicU64,
    /// Documents of committed batches, however they ended.
    pub settled: AtomicU64,
}

impl Progress {
    pub(crate) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }

    /// A counter's value.
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    pub(crate) fn committed(&self, committed: &lake::Committed) {
        Progress::add(&self.committed, committed.ledger.committed);
        Progress::add(&self.settled, committed.ledger.received);
        if let Some(version) = committed.version {
            Progress::add(&self.commits, 1);
            self.version.store(version as u64, Ordering::Relaxed);
        }
    }
}
