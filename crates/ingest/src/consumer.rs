//! Following a Kinesis stream: a task a shard reads, one task decodes and commits rows with positions.

mod reader;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::Record;
use finding::{Decoded, Fill, Limits};
use lake::{
    Encoder, Lake, LakeError, Ledger, Position, Provenance, SequenceNumber, ShardKey, Writer,
    WriterOptions,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::aws_reason;
use crate::shards::{self, plan_start};
use crate::{IngestError, Progress};
use reader::{BETWEEN_CALLS, Page, Reader, list_shards};

/// New shards are looked for this often, and whenever one ends.
const BETWEEN_LISTINGS: Duration = Duration::from_secs(30);
/// Positions without rows are committed at most this often.
const BETWEEN_IDLE_COMMITS: Duration = Duration::from_secs(60);

/// How to follow a stream.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// Its name.
    pub name: String,
    /// When a batch is committed.
    pub limits: Limits,
    /// How findings are written.
    pub writer: WriterOptions,
    /// Pause after a reply without records.
    pub idle_poll: Duration,
    /// Reads the clock: UTC microseconds.
    pub now: fn() -> i64,
}

/// Follows a stream until `stop`, then commits what is held and returns what happened to the documents committed.
///
/// Starts where the lake's positions say; a shard that the lake knows nothing of starts at its oldest record.
pub async fn consume(
    lake: &Lake,
    client: &Client,
    options: &StreamOptions,
    stop: &CancellationToken,
    progress: &Progress,
) -> Result<Ledger, IngestError> {
    let source = stream_identity(client, &options.name).await?;
    tracing::info!(stream = %options.name, %source, "following the stream");
    let mut total = Ledger::default();
    loop {
        let writer = lake.writer(options.writer).await?;
        let mut run = Run::new(client.clone(), options, source.clone(), writer, progress);
        let outcome = run.until(stop).await;
        total += run.committed;
        match outcome {
            // Another consumer is at work on the same shards: whatever it stored counts, and the rest is read again.
            Err(IngestError::Lake(LakeError::PositionMoved { what })) => {
                tracing::warn!(%what, "another consumer has moved on; starting again from the lake's positions");
                tokio::select! { () = stop.cancelled() => return Ok(total), () = tokio::time::sleep(BETWEEN_CALLS) => {} }
            }
            Err(error) => return Err(error),
            Ok(()) => return Ok(total),
        }
    }
}

/// ARN and creation time: a stream deleted and made again under its name is another stream.
async fn stream_identity(client: &Client, name: &str) -> Result<String, IngestError> {
    let doing = || format!("describe stream `{name}`");
    let summary = client
        .describe_stream_summary()
        .stream_name(name)
        .send()
        .await;
    let summary = summary.map_err(|e| IngestError::Aws {
        doing: doing(),
        reason: aws_reason(&e),
    })?;
    let summary = summary.stream_description_summary();
    let (Some(arn), Some(created)) = (
        summary.map(|s| s.stream_arn()),
        summary.map(|s| s.stream_creation_timestamp().as_nanos() / 1_000_000),
    ) else {
        return Err(IngestError::Aws {
            doing: doing(),
            reason: "the answer holds no description".to_owned(),
        });
    };
    Ok(format!("{arn}@{created}"))
}

/// One run from the lake's positions to a stop or an error.
struct Run<'a> {
    client: Client,
    options: &'a StreamOptions,
    source: String,
    writer: Writer,
    encoder: Encoder,
    progress: &'a Progress,
    /// Positions read but not yet committed.
    moved: HashMap<String, Position>,
    shards: HashMap<String, shards::Progress>,
    readers: JoinSet<Result<(), IngestError>>,
    oldest: Option<Instant>,
    last_commit: Instant,
    committed: Ledger,
}

impl<'a> Run<'a> {
    fn new(
        client: Client,
        options: &'a StreamOptions,
        source: String,
        writer: Writer,
        progress: &'a Progress,
    ) -> Run<'a> {
        let encoder = writer.encoder();
        Run {
            client,
            options,
            source,
            writer,
            encoder,
            progress,
            moved: HashMap::new(),
            shards: HashMap::new(),
            readers: JoinSet::new(),
            oldest: None,
            last_commit: Instant::now(),
            committed: Ledger::default(),
        }
    }

    async fn until(&mut self, stop: &CancellationToken) -> Result<(), IngestError> {
        // Two pages wait at most, whatever the number of shards: memory is bounded, and Kinesis keeps what waits.
        let (to_run, mut pages) = mpsc::channel::<Page>(2);
        self.start_shards(&to_run).await?;
        let mut listing = tokio::time::interval(BETWEEN_LISTINGS);
        listing.reset();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(page) = pages.recv() => {
                    let ended = page.ended;
                    self.take(page)?;
                    // Children may start only when the end of their parent is in the lake.
                    if ended || self.is_due() {
                        self.commit().await?;
                    }
                    if ended {
                        self.start_shards(&to_run).await?;
                    }
                }
                () = tokio::time::sleep_until(self.due_at()) => {
                    self.commit().await?;
                }
                _ = listing.tick() => self.start_shards(&to_run).await?,
                Some(ended) = self.readers.join_next() => ended.unwrap_or(Ok(()))?,
            }
        }
        self.readers.abort_all();
        self.commit().await
    }

    async fn start_shards(&mut self, to_run: &mpsc::Sender<Page>) -> Result<(), IngestError> {
        let listed = list_shards(&self.client, &self.options.name).await?;
        for shard in &listed {
            if self
                .writer
                .position(&self.key(&shard.id))
                .is_some_and(|position| position.ended)
            {
                self.shards
                    .insert(shard.id.clone(), shards::Progress::Ended);
            }
        }
        for shard_id in plan_start(&listed, &self.shards) {
            let position = self.writer.position(&self.key(&shard_id));
            tracing::info!(shard = %shard_id, resumed = position.is_some(), "reading shard");
            let reader = Reader {
                client: self.client.clone(),
                stream: self.options.name.clone(),
                shard_id: shard_id.clone(),
                last: position
                    .and_then(|position| position.sequence_number)
                    .map(|number| number.to_string()),
                idle_poll: self.options.idle_poll,
                to_run: to_run.clone(),
            };
            self.readers.spawn(reader.run());
            self.shards.insert(shard_id, shards::Progress::Reading);
        }
        Ok(())
    }

    fn key(&self, shard_id: &str) -> ShardKey {
        ShardKey {
            source: self.source.clone(),
            shard_id: shard_id.to_owned(),
        }
    }

    fn take(&mut self, page: Page) -> Result<(), IngestError> {
        let before = self.encoder.ledger();
        let ingested_at = (self.options.now)();
        // Decoding may read the lake to find duplicates, so this thread says that it may block.
        tokio::task::block_in_place(|| {
            page.records.iter().try_for_each(|record| {
                append(
                    &mut self.encoder,
                    &self.source,
                    &page.shard_id,
                    record,
                    ingested_at,
                )
            })
        })?;
        Progress::add(
            &self.progress.documents,
            self.encoder.ledger().since(before).received,
        );
        Progress::add(
            &self.progress.bytes,
            page.records
                .iter()
                .map(|record| record.data().as_ref().len() as u64)
                .sum(),
        );
        let last = page
            .records
            .last()
            .and_then(|record| SequenceNumber::parse(record.sequence_number()));
        if last.is_some() || page.ended {
            let known = self
                .moved
                .get(&page.shard_id)
                .cloned()
                .or_else(|| self.writer.position(&self.key(&page.shard_id)));
            let sequence_number =
                last.or_else(|| known.and_then(|position| position.sequence_number));
            self.moved.insert(
                page.shard_id,
                Position {
                    sequence_number,
                    sub_sequence: 0,
                    ended: page.ended,
                    read_through: None,
                },
            );
            self.oldest.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    fn is_due(&self) -> bool {
        let (bytes, rows) = self.encoder.fill();
        let age_ms = self
            .oldest
            .map_or(0, |oldest| oldest.elapsed().as_millis() as u64);
        self.options.limits.is_due(Fill {
            bytes,
            rows,
            age_ms: if rows > 0 { age_ms } else { 0 },
        })
    }

    fn due_at(&self) -> Instant {
        let idle = self.last_commit + BETWEEN_IDLE_COMMITS;
        match self.oldest {
            Some(oldest) if self.encoder.fill().1 > 0 => {
                oldest + Duration::from_millis(self.options.limits.max_age_ms)
            }
            Some(_) => idle,
            None => Instant::now() + BETWEEN_IDLE_COMMITS,
        }
    }

    async fn commit(&mut self) -> Result<(), IngestError> {
        if self.moved.is_empty() {
            return Ok(());
        }
        let batch = tokio::task::block_in_place(|| self.encoder.finish())?;
        let positions: Vec<_> = std::mem::take(&mut self.moved)
            .into_iter()
            .map(|(shard_id, position)| (self.key(&shard_id), position))
            .collect();
        let moves: Vec<_> = positions
            .iter()
            .map(|(shard, to)| lake::Move {
                shard: shard.clone(),
                from: self.writer.position(shard),
                to: to.clone(),
            })
            .collect();
        let committed = self.writer.commit(batch, &moves).await?;
        self.progress.committed(&committed);
        self.committed += committed.ledger;
        for (shard, position) in positions.iter().filter(|(_, position)| position.ended) {
            tracing::info!(shard = %shard.shard_id, ended = position.ended, "shard read to its end");
            self.shards
                .insert(shard.shard_id.clone(), shards::Progress::Ended);
        }
        tracing::debug!(
            version = committed.version,
            rows = committed.ledger.committed,
            "committed"
        );
        self.oldest = None;
        self.last_commit = Instant::now();
        Ok(())
    }
}

fn append(
    encoder: &mut Encoder,
    source: &str,
    shard_id: &str,
    record: &Record,
    ingested_at: i64,
) -> Result<(), LakeError> {
    let arrived_at = record
        .approximate_arrival_timestamp()
        .map(|time| (time.as_nanos() / 1_000) as i64);
    let mut item = 0;
    let mut failure = None;
    finding::decode(record.data().as_ref(), &mut |_, decoded| {
        let provenance = Provenance {
            source,
            shard_id: Some(shard_id),
            sequence_number: Some(record.sequence_number()),
            sub_sequence: Some(0),
            item,
            arrived_at,
            ingested_at,
            backfilled: false,
        };
        item += 1;
        match decoded {
            Decoded::Finding(finding) => {
                if failure.is_none() {
                    failure = encoder.append(&finding, &provenance).err();
                }
            }
            Decoded::Skipped => encoder.skip(),
            Decoded::Reject(reject) => encoder.reject(&reject, &provenance),
        }
    });
    failure.map_or(Ok(()), Err)
}
