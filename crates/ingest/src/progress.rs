//! Counters that can be watched while records flow. What an operator needs of them is told to the `metrics` façade as well; who
//! listens there is the binary's choice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lake::ShardKey;
use metrics::{counter, gauge, histogram};
use tokio::time::Instant;

/// Shared between those who work and those who watch.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes read: of files as they lie there, of records as they came.
    pub bytes: AtomicU64,
    /// Documents after framing.
    pub documents: AtomicU64,
    /// Files or objects read to their end.
    pub sources: AtomicU64,
    /// Kinesis records taken into a batch.
    pub records: AtomicU64,
    /// Rows committed.
    pub committed: AtomicU64,
    /// Commits landed.
    pub commits: AtomicU64,
    /// Commits that others came before, and batches dropped because another consumer had read on.
    pub conflicts: AtomicU64,
    /// Newest version of `findings` that this process committed.
    pub version: AtomicU64,
    /// Documents of committed batches, however they ended.
    pub settled: AtomicU64,
    /// Calls that Kinesis refused as too many.
    pub throttled: AtomicU64,
    /// Gaps written.
    pub gaps: AtomicU64,
    /// Leases taken, given up or lost.
    pub lease_moves: AtomicU64,
    /// When the consumer's loop turned last.
    turned: Mutex<Option<Instant>>,
    /// When a commit landed last.
    committed_at: Mutex<Option<Instant>>,
    /// Shards read now, with how far behind each is in milliseconds.
    behind: Mutex<BTreeMap<ShardKey, i64>>,
}

impl Progress {
    pub(crate) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }

    /// A counter's value.
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// Shards being read.
    pub fn shards(&self) -> usize {
        self.behind().len()
    }

    /// How far behind the newest record the slowest shard is, milliseconds, as Kinesis says.
    pub fn millis_behind(&self) -> i64 {
        self.behind().values().copied().max().unwrap_or(0)
    }

    /// When the consumer's loop turned last; it does so every minute at least. `None` until the streams have been looked at and the shards
    /// of this worker, if it has any, are being read.
    pub fn last_turn(&self) -> Option<Instant> {
        *self.turned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a commit of this process landed last.
    pub fn last_commit(&self) -> Option<Instant> {
        let at = self.committed_at.lock();
        *at.unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn turned(&self) {
        let mut at = self.turned.lock().unwrap_or_else(PoisonError::into_inner);
        *at = Some(Instant::now());
    }

    /// The consumer waits for a store or a stream that is in trouble: that is a turn of its loop, too, once it has begun.
    pub(crate) fn waiting(&self) {
        if self.last_turn().is_some() {
            self.turned();
        }
    }

    fn behind(&self) -> MutexGuard<'_, BTreeMap<ShardKey, i64>> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn committed(&self, committed: &lake::Committed) {
        Progress::add(&self.committed, committed.ledger.committed);
        Progress::add(&self.settled, committed.ledger.received);
        let ledger = committed.ledger;
        for (outcome, count) in [
            ("committed", ledger.committed),
            ("duplicate", ledger.duplicate),
            ("rejected", ledger.rejected),
            ("skipped", ledger.skipped),
            ("expired", ledger.expired),
        ] {
            counter!("guardlake_documents_total", "outcome" => outcome).increment(count);
        }
        if let Some(version) = committed.version {
            Progress::add(&self.commits, 1);
            self.version.store(version as u64, Ordering::Relaxed);
            counter!("guardlake_commits_total").increment(1);
            let mut at = self
                .committed_at
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *at = Some(Instant::now());
        }
    }

    pub(crate) fn commit_took(&self, took: std::time::Duration) {
        histogram!("guardlake_commit_seconds").record(took.as_secs_f64());
    }

    /// Records that arrived in Kinesis so many seconds ago (as it says, about) are committed now.
    pub(crate) fn stored_after(&self, waited: Duration, records: usize) {
        histogram!("guardlake_arrival_to_row_seconds").record_many(waited.as_secs_f64(), records);
    }

    pub(crate) fn conflicted(&self, times: u64) {
        Progress::add(&self.conflicts, times);
        counter!("guardlake_commit_conflicts_total").increment(times);
    }

    pub(crate) fn took(&self, records: u64, bytes: u64) {
        Progress::add(&self.records, records);
        Progress::add(&self.bytes, bytes);
        counter!("guardlake_kinesis_records_total").increment(records);
        counter!("guardlake_kinesis_bytes_total").increment(bytes);
    }

    pub(crate) fn misplaced(&self, records: u64) {
        counter!("guardlake_kinesis_misplaced_records_total").increment(records);
    }

    pub(crate) fn replied(&self, shard: &ShardKey, millis_behind: i64) {
        self.behind().insert(shard.clone(), millis_behind);
        of_shard(
            "guardlake_kinesis_millis_behind_latest",
            shard,
            millis_behind as f64,
        );
        of_shard("guardlake_kinesis_shard_blocked", shard, 0.0);
    }

    pub(crate) fn throttled(&self) {
        Progress::add(&self.throttled, 1);
        counter!("guardlake_kinesis_throttled_total").increment(1);
    }

    pub(crate) fn blocked(&self, shard: &ShardKey) {
        of_shard("guardlake_kinesis_shard_blocked", shard, 1.0);
    }

    pub(crate) fn gap(&self) {
        Progress::add(&self.gaps, 1);
        counter!("guardlake_kinesis_gaps_total").increment(1);
    }

    /// A shard is no longer read by this process.
    pub(crate) fn left(&self, shard: &ShardKey) {
        self.behind().remove(shard);
        of_shard("guardlake_kinesis_millis_behind_latest", shard, 0.0);
    }

    /// Age of the oldest record that is read but not yet committed, and of the last commit.
    pub(crate) fn ages(&self, oldest_uncommitted_s: f64, last_commit_s: f64) {
        gauge!("guardlake_kinesis_uncommitted_age_seconds").set(oldest_uncommitted_s);
        gauge!("guardlake_kinesis_position_age_seconds").set(last_commit_s);
        gauge!("guardlake_kinesis_shards_owned").set(self.shards() as f64);
    }

    pub(crate) fn lease_moved(&self, what: &'static str, times: usize) {
        Progress::add(&self.lease_moves, times as u64);
        counter!("guardlake_lease_moves_total", "what" => what).increment(times as u64);
    }
}

/// Streams have few shards, accounts are many: shards may be labels, accounts never.
fn of_shard(name: &'static str, shard: &ShardKey, value: f64) {
    let stream = shard.source.rsplit('/').next().unwrap_or_default();
    let stream = stream.split('@').next().unwrap_or_default().to_owned();
    gauge!(name, "stream" => stream, "shard" => shard.shard_id.clone()).set(value);
}
