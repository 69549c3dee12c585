//! Reading one shard: pages go to the run, troubles are waited out here, gaps are found here.

use std::time::Duration;

use std::sync::Arc;

use lake::{Clock, GapRow, Ids, Position, SequenceNumber, ShardKey};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::sleep;

use super::backoff::Backoff;
use super::gap::{Facts, Said, Watch};
use super::pages::Pages;
use crate::Progress;
use crate::kinesis::{CallError, ReadFrom, Record, Reply, Trouble};

/// Waits after throttling and passing troubles.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// Waits after troubles that somebody must mend.
const LONG_WAITS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// The run hears this often how far an idle shard has been read.
const BETWEEN_NEWS: i64 = 30_000_000;
/// Permits are kibibytes.
const PERMIT: usize = 1 << 10;

/// What one reply brought.
pub(super) struct Page {
    pub(super) shard: ShardKey,
    /// Which reader of this shard it is from: one that was stopped may have pages under way.
    pub(super) reader: u64,
    pub(super) records: Vec<Record>,
    pub(super) ended: bool,
    /// Whatever arrived up to this UTC microsecond has been read.
    pub(super) read_through: Option<i64>,
    /// Records may be missing before those of this page.
    pub(super) gap: Option<GapRow>,
    /// Memory that this page may take; given back when it is dropped.
    pub(super) _memory: OwnedSemaphorePermit,
}

/// Bytes that all readers together may hold.
#[derive(Clone)]
pub(super) struct Memory {
    permits: Arc<Semaphore>,
    most: usize,
}

impl Memory {
    pub(super) fn new(bytes: usize) -> Memory {
        let most = bytes.max(super::pages::MOST_BYTES) / PERMIT;
        Memory {
            permits: Arc::new(Semaphore::new(most)),
            most,
        }
    }

    /// Waits until so many bytes are free. `None` when the run is over.
    async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let wanted = bytes.div_ceil(PERMIT).clamp(1, self.most);
        let permits = self.permits.clone();
        permits.acquire_many_owned(wanted as u32).await.ok()
    }

    /// Gives back what a reply did not need, or waits for what it needs more.
    async fn fit(
        &self,
        mut held: OwnedSemaphorePermit,
        bytes: usize,
    ) -> Option<OwnedSemaphorePermit> {
        let wanted = bytes.div_ceil(PERMIT).clamp(1, self.most);
        match held.num_permits().checked_sub(wanted) {
            Some(surplus) => drop(held.split(surplus)),
            None => {
                drop(held);
                held = self.take(bytes).await?;
            }
        }
        Some(held)
    }
}

/// Reads one shard.
pub(super) struct Reader {
    pub(super) shard: ShardKey,
    pub(super) number: u64,
    pub(super) from: ReadFrom,
    /// Where the lake stands.
    pub(super) position: Option<Position>,
    /// Nothing that arrived up to this UTC microsecond can be missing. A shard that was never read has it from its parents.
    pub(super) read_through: Option<i64>,
    pub(super) retention_ms: i64,
    pub(super) pages: Box<dyn Pages>,
    pub(super) memory: Memory,
    pub(super) now: Clock,
    pub(super) ids: Ids,
    pub(super) to_run: mpsc::Sender<Page>,
    pub(super) progress: Arc<Progress>,
}

impl Reader {
    /// Reads to the end of the shard, or for ever. Ends early only when nobody listens any more.
    pub(super) async fn run(mut self) {
        let mut watch = Watch::new(self.read_through);
        let mut backoff = Backoff::new(self.ids.clone(), WAITS.0, WAITS.1);
        let mut long = Backoff::new(self.ids.clone(), LONG_WAITS.0, LONG_WAITS.1);
        let mut told = 0;
        loop {
            let Some(memory) = self.memory.take(self.pages.reserve()).await else {
                return;
            };
            let reply = match self.pages.next().await {
                Ok(reply) => reply,
                Err(error) => {
                    drop(memory);
                    if let Some(gap) = self.trouble(error, &watch, &mut backoff, &mut long).await {
                        watch = Watch::new(None);
                        if !self.send(Reply::default(), &watch, Some(gap)).await {
                            return;
                        }
                    }
                    continue;
                }
            };
            backoff.reset();
            long.reset();
            self.progress
                .replied(&self.shard, reply.millis_behind.unwrap_or(0));
            let Some(memory) = self.memory.fit(memory, reply.bytes()).await else {
                return;
            };
            let gap = self.look_for_gap(&mut watch, &reply);
            if let Some(record) = reply.records.last() {
                self.from = ReadFrom::After(record.sequence_number.clone());
                self.reached(&record.sequence_number);
            }
            let news = watch.through().unwrap_or(0) >= told + BETWEEN_NEWS;
            if reply.records.is_empty() && !reply.ended && gap.is_none() && !news {
                continue;
            }
            told = watch.through().unwrap_or(0);
            let ended = reply.ended;
            if !self.hand_over(reply, &watch, gap, memory).await || ended {
                return;
            }
        }
    }

    fn reached(&mut self, sequence_number: &str) {
        let position = self.position.get_or_insert_default();
        position.sequence_number = SequenceNumber::parse(sequence_number);
    }

    fn look_for_gap(&mut self, watch: &mut Watch, reply: &Reply) -> Option<GapRow> {
        let through = watch.through();
        let said = watch.reply(Facts {
            now: (self.now)(),
            retention_ms: self.retention_ms,
            millis_behind: reply.millis_behind,
            last_arrival: reply.records.last().and_then(|record| record.arrived_at),
            has_records: !reply.records.is_empty(),
        });
        let (oldest_kept, reason) = match said {
            Said::Whole => return None,
            Said::Passed { oldest_kept } => (
                oldest_kept,
                "the shard was not read for longer than the stream keeps records",
            ),
            Said::Stuck { oldest_kept } => {
                self.pages.go_to(ReadFrom::Oldest);
                (
                    oldest_kept,
                    "the stream gives nothing more from this place, which is past its retention",
                )
            }
        };
        Some(self.gap(through, Some(oldest_kept), reason.to_owned()))
    }

    fn gap(&self, through: Option<i64>, oldest_kept: Option<i64>, reason: String) -> GapRow {
        let after = Position {
            read_through: through,
            ..self.position.clone().unwrap_or_default()
        };
        GapRow {
            shard: self.shard.clone(),
            after: Some(after),
            oldest_kept,
            reason,
            detected_at: (self.now)(),
        }
    }

    /// Waits as long as the trouble asks for. A gap when the place to read from is gone.
    async fn trouble(
        &mut self,
        error: CallError,
        watch: &Watch,
        backoff: &mut Backoff,
        long: &mut Backoff,
    ) -> Option<GapRow> {
        let shard = &self.shard.shard_id;
        match error.trouble {
            Trouble::Expired => {
                tracing::debug!(%shard, "the iterator expired");
                self.pages.go_to(self.from.clone());
                sleep(backoff.next()).await;
            }
            Trouble::Throttled => {
                tracing::debug!(%shard, reason = %error, "throttled");
                self.progress.throttled();
                sleep(backoff.next()).await;
            }
            Trouble::Refused if matches!(self.from, ReadFrom::After(_)) => {
                let reason = format!("the stream no longer knows the last record read: {error}");
                self.from = ReadFrom::Oldest;
                self.pages.go_to(ReadFrom::Oldest);
                return Some(self.gap(watch.through(), None, reason));
            }
            Trouble::Passing | Trouble::Refused => {
                tracing::warn!(%shard, reason = %error, "cannot read, trying again");
                sleep(backoff.next()).await;
            }
            // Positions hold, Kinesis keeps what waits, and somebody is told: once it is mended, reading goes on.
            Trouble::Lasting | Trouble::NotFound => {
                tracing::error!(%shard, source = %self.shard.source, reason = %error, "the shard cannot be read until this is mended");
                self.progress.blocked(&self.shard);
                sleep(long.next()).await;
            }
        }
        None
    }

    async fn send(&mut self, reply: Reply, watch: &Watch, gap: Option<GapRow>) -> bool {
        match self.memory.take(0).await {
            Some(memory) => self.hand_over(reply, watch, gap, memory).await,
            None => false,
        }
    }

    async fn hand_over(
        &mut self,
        reply: Reply,
        watch: &Watch,
        gap: Option<GapRow>,
        memory: OwnedSemaphorePermit,
    ) -> bool {
        let page = Page {
            shard: self.shard.clone(),
            reader: self.number,
            records: reply.records,
            ended: reply.ended,
            read_through: watch.through(),
            gap,
            _memory: memory,
        };
        // Nobody listens when the run is over.
        self.to_run.send(page).await.is_ok()
    }
}
