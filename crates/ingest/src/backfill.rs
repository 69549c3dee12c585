//! Fetches the findings that GuardDuty still holds, in several Regions at once, and stores them as [`crate::load`] does.
//!
//! A Region is walked in slices of the time of update, the oldest first. A finding that changes meanwhile moves into a later slice and is
//! met there, and what was stored ends at a time, so that whoever was stopped goes on from it.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::{StreamExt, TryStreamExt};
use lake::{Encoder, Lake, LakeError, Ledger, Writer, WriterOptions};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::guardduty::{CallError, Findings, GuardDuty, Wanted};
use crate::load::{Reading, decode};
use crate::{IngestError, Progress};

/// How long GuardDuty holds findings ("Managing Amazon GuardDuty findings", its user guide), in microseconds.
const HELD: i64 = 90 * DAY;
/// A slice: so much is listed again by whoever goes on, and it is a call or two where nothing was found.
const SLICE: i64 = 7 * DAY;
const DAY: i64 = 86_400_000_000;
/// Regions at once. Each has a quota of its own; this bounds memory.
const AT_ONCE: usize = 4;
/// An encoder that holds this much is committed before its Region ends.
const ENCODER_BYTES: usize = 32 << 20;
/// Or that has this many rows.
const ENCODER_ROWS: usize = 100_000;

/// What to fetch, and how it is stored.
#[derive(Debug, Clone)]
pub struct BackfillOptions {
    /// Updated at or after this, UTC microseconds; `None` for all that there is.
    pub from: Option<i64>,
    /// Updated before this, UTC microseconds; `None` for no bound.
    pub to: Option<i64>,
    /// Only these accounts, [`crate::guardduty::MOST_ACCOUNTS`] at most; none for all.
    pub accounts: Vec<String>,
    /// UTC microseconds: when.
    pub now: i64,
    /// How findings are written.
    pub writer: WriterOptions,
}

/// How a Region ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its name.
    pub region: String,
    /// The detector that was asked.
    pub detector: Option<String>,
    /// Ids that GuardDuty listed, and that were then asked for: `listed = ledger.received + gone`.
    pub listed: u64,
    /// Ids listed whose findings GuardDuty did not hold any more a moment later.
    pub gone: u64,
    /// How the findings ended.
    pub ledger: Ledger,
    /// Everything updated before this is stored: where to go on when it was stopped. UTC microseconds.
    pub through: Option<i64>,
    /// Why it ended.
    pub end: End,
}

/// Why a Region ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// All is fetched.
    Whole,
    /// There is no detector: GuardDuty is off.
    Off,
    /// Somebody stopped it.
    Stopped,
    /// GuardDuty refused; what came before is stored.
    Refused(CallError),
}

/// Fetches and stores what the Regions hold, in their order. Without a lake nothing is fetched or stored, only listed.
///
/// Fetching again adds nothing, nor does a stream that brings the same versions. When `stop` is cancelled, what was fetched is stored.
///
/// # Errors
/// Only when the lake cannot be written; what GuardDuty refuses is in [`Fetched::end`].
pub async fn backfill(
    lake: Option<&Lake>,
    regions: Vec<GuardDuty>,
    options: &BackfillOptions,
    stop: &CancellationToken,
    progress: &Progress,
) -> Result<Vec<Fetched>, IngestError> {
    let writer = match lake {
        Some(lake) => Some(Arc::new(Mutex::new(
            lake.writer(options.writer.clone()).await?,
        ))),
        None => None,
    };
    let one = |guardduty: GuardDuty| {
        let writer = writer.clone();
        async move {
            let store = match writer {
                Some(writer) => Some(Store::new(writer).await),
                None => None,
            };
            let mut walk = Walk::new(&guardduty, options, stop, progress, store);
            walk.fetched.end = match walk.run().await {
                Ok(end) => end,
                Err(Trouble::Call(error)) => End::Refused(error),
                Err(Trouble::Lake(error)) => return Err(IngestError::Lake(error)),
            };
            walk.done().await
        }
    };
    let regions = futures::stream::iter(regions).map(one);
    regions.buffered(AT_ONCE).try_collect().await
}

enum Trouble {
    Call(CallError),
    Lake(LakeError),
}

/// Where one Region's findings go.
struct Store {
    writer: Arc<Mutex<Writer>>,
    /// Lent to a thread that may block while it decodes.
    encoder: Option<Encoder>,
}

impl Store {
    async fn new(writer: Arc<Mutex<Writer>>) -> Store {
        let encoder = writer.lock().await.encoder();
        Store {
            writer,
            encoder: Some(encoder),
        }
    }

    /// Decodes a page; returns whether it is time to commit.
    async fn take(
        &mut self,
        findings: Findings,
        source: String,
        first: u64,
        now: i64,
    ) -> Result<bool, LakeError> {
        let Some(mut encoder) = self.encoder.take() else {
            return Ok(false);
        };
        let work = tokio::task::spawn_blocking(move || {
            let reading = Reading {
                source: &source,
                now,
                backfilled: true,
            };
            let outcome = decode(&mut encoder, &findings.body, first, &reading);
            (encoder, outcome)
        });
        let (encoder, outcome) = match work.await {
            Ok(done) => done,
            // A panic of the decoder is passed on as one.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let full = encoder.memory() > ENCODER_BYTES || encoder.fill().1 > ENCODER_ROWS;
        self.encoder = Some(encoder);
        outcome.map(|()| full)
    }

    async fn commit(&mut self, progress: &Progress) -> Result<Ledger, LakeError> {
        let Some(encoder) = &mut self.encoder else {
            return Ok(Ledger::default());
        };
        let batch = encoder.finish()?;
        let committed = self.writer.lock().await.commit(batch, &[]).await?;
        progress.committed(&committed);
        Ok(committed.ledger)
    }
}

/// The walk through one Region.
struct Walk<'a> {
    guardduty: &'a GuardDuty,
    options: &'a BackfillOptions,
    stop: &'a CancellationToken,
    progress: &'a Progress,
    store: Option<Store>,
    fetched: Fetched,
}

impl<'a> Walk<'a> {
    fn new(
        guardduty: &'a GuardDuty,
        options: &'a BackfillOptions,
        stop: &'a CancellationToken,
        progress: &'a Progress,
        store: Option<Store>,
    ) -> Walk<'a> {
        Walk {
            guardduty,
            options,
            stop,
            progress,
            store,
            fetched: Fetched {
                region: guardduty.region().to_owned(),
                detector: None,
                listed: 0,
                gone: 0,
                ledger: Ledger::default(),
                through: None,
                end: End::Stopped,
            },
        }
    }

    async fn run(&mut self) -> Result<End, Trouble> {
        let Some(detector) = self.unless_stopped(self.guardduty.detector()).await else {
            return Ok(End::Stopped);
        };
        let Some(detector) = detector.map_err(Trouble::Call)? else {
            return Ok(End::Off);
        };
        self.fetched.detector = Some(detector.clone());
        for wanted in slices(self.options) {
            if !self.slice(&detector, &wanted).await? {
                return Ok(End::Stopped);
            }
            self.fetched.through = wanted.to.map(|millis| millis * 1_000);
        }
        Ok(End::Whole)
    }

    /// Fetches a slice; `false` when it was stopped.
    async fn slice(&mut self, detector: &str, wanted: &Wanted) -> Result<bool, Trouble> {
        let mut token: Option<String> = None;
        loop {
            let list = self.guardduty.list(detector, wanted, token.clone());
            let Some(page) = self.unless_stopped(list).await else {
                return Ok(false);
            };
            let (ids, next) = page.map_err(Trouble::Call)?;
            if !ids.is_empty() && !self.page(detector, ids).await? {
                return Ok(false);
            }
            if next.is_none() {
                return Ok(true);
            }
            if next == token {
                return Err(Trouble::Call(CallError {
                    call: "guardduty:ListFindings",
                    code: None,
                    why: "the same page was given again and again".to_owned(),
                }));
            }
            token = next;
        }
    }

    async fn page(&mut self, detector: &str, ids: Vec<String>) -> Result<bool, Trouble> {
        let listed = ids.len() as u64;
        let first = self.fetched.listed;
        if self.store.is_none() {
            self.fetched.listed += listed;
            self.progress.documents.fetch_add(listed, Ordering::Relaxed);
            return Ok(true);
        }
        let Some(findings) = self.unless_stopped(self.guardduty.get(detector, ids)).await else {
            return Ok(false);
        };
        let findings = findings.map_err(Trouble::Call)?;
        self.fetched.listed += listed;
        self.fetched.gone += listed.saturating_sub(findings.count as u64);
        Progress::add(&self.progress.bytes, findings.body.len() as u64);
        Progress::add(&self.progress.documents, findings.count as u64);
        let (Some(store), 1..) = (&mut self.store, findings.count) else {
            return Ok(true);
        };
        let source = format!("guardduty:{}/{detector}", self.guardduty.region());
        let full = store.take(findings, source, first, self.options.now).await;
        if full.map_err(Trouble::Lake)? {
            self.commit().await.map_err(Trouble::Lake)?;
        }
        Ok(true)
    }

    async fn commit(&mut self) -> Result<(), LakeError> {
        if let Some(store) = &mut self.store {
            self.fetched.ledger += store.commit(self.progress).await?;
        }
        Ok(())
    }

    /// Stores what is held, however the walk ended.
    async fn done(mut self) -> Result<Fetched, IngestError> {
        self.commit().await?;
        Progress::add(&self.progress.sources, 1);
        Ok(self.fetched)
    }

    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.stop.run_until_cancelled(work).await
    }
}

/// The whole time in slices, the oldest first: without a bound below where all is asked for, and above where no end is.
fn slices(options: &BackfillOptions) -> Vec<Wanted> {
    let millis = |micros: i64| micros.div_euclid(1_000);
    let end = options.to.unwrap_or(options.now);
    let mut from = options.from;
    let mut start = options.from.unwrap_or(options.now - HELD);
    let mut slices = Vec::new();
    loop {
        let next = start + SLICE;
        let is_last = next >= end;
        let to = if is_last { options.to } else { Some(next) };
        slices.push(Wanted {
            from: from.map(millis),
            to: to.map(millis),
            accounts: options.accounts.clone(),
        });
        if is_last {
            return slices;
        }
        (start, from) = (next, to);
    }
}
