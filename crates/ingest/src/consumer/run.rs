//! One run: from the lake's positions to a stop or an error. Pages of all shards come together here, become one batch, and are
//! committed with the positions they move.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use finding::Fill;
use lake::{
    Encoder, GapRow, Lake, LakeError, Ledger, Move, Position, SequenceNumber, ShardKey, Writer,
};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::followed::{Followed, look};
use super::keeper::Keeper;
use super::pages::{FanOut, Of, Pages, Polling};
use super::reader::{Memory, Page, Reader};
use super::records::{self, Place};
use super::shards::{self, group_of, plan_start, read_from, read_through};
use crate::kinesis::Shard;
use crate::{ConsumerOptions, Progress};

/// New shards are looked for this often, and whenever one ends.
const BETWEEN_LISTINGS: Duration = Duration::from_secs(30);
/// As often when a shard waits for parents that another worker may be reading.
const BETWEEN_LOOKS_FOR_PARENTS: Duration = Duration::from_secs(5);
/// Positions without rows are committed at most this often.
const BETWEEN_IDLE_COMMITS: Duration = Duration::from_secs(60);
/// How far an idle shard has been read is committed this often, UTC microseconds. Streams keep a day at least.
const BETWEEN_IDLE_POSITIONS: i64 = 3_600_000_000;
/// And once more when reading ends, if it is worth a commit.
const WORTH_A_COMMIT: i64 = 60_000_000;
/// A process that was stopped for longer must read the log again before it may write to it: by then, in theory, the versions
/// it would follow may have been cleaned away.
const LONGEST_SLEEP: Duration = Duration::from_secs(3_600);
/// An operator hears this often how things stand.
const BETWEEN_REPORTS: Duration = Duration::from_secs(60);
/// Pages that wait. Their bytes are bounded by [`Memory`].
const PAGES: usize = 64;

pub(super) struct Run<'a> {
    lake: &'a Lake,
    options: &'a ConsumerOptions,
    progress: &'a Arc<Progress>,
    keeper: Option<&'a mut Keeper>,
    writer: Writer,
    encoder: Encoder,
    streams: Vec<Followed>,
    shards: BTreeMap<ShardKey, Reading>,
    /// Shards being read or read to their end, by stream.
    plan: BTreeMap<String, BTreeMap<String, shards::Progress>>,
    readers: JoinSet<()>,
    next_reader: u64,
    memory: Memory,
    to_run: mpsc::Sender<Page>,
    oldest: Option<Instant>,
    last_commit: Instant,
    last_look: Instant,
    waiting: bool,
    pub(super) committed: Ledger,
    /// Records of the batch by the UTC second of their arrival.
    arrivals: BTreeMap<i64, usize>,
}

/// A shard that is being read.
struct Reading {
    reader: u64,
    task: AbortHandle,
    hash_keys: (u128, u128),
    /// Where the lake stood when this batch began.
    known: Option<Position>,
    /// Where the batch ends.
    moved: Option<Position>,
    /// Whatever arrived up to this UTC microsecond has been read, with or without records.
    through: Option<i64>,
}

impl<'a> Run<'a> {
    pub(super) async fn new(
        lake: &'a Lake,
        options: &'a ConsumerOptions,
        progress: &'a Arc<Progress>,
        keeper: Option<&'a mut Keeper>,
        pages: mpsc::Sender<Page>,
    ) -> Result<Run<'a>, LakeError> {
        let writer = lake.writer(options.writer.clone()).await?;
        let encoder = writer.encoder();
        Ok(Run {
            lake,
            options,
            progress,
            keeper,
            encoder,
            writer,
            streams: options.streams.iter().cloned().map(Followed::new).collect(),
            shards: BTreeMap::new(),
            plan: BTreeMap::new(),
            readers: JoinSet::new(),
            next_reader: 0,
            memory: Memory::new(options.memory),
            to_run: pages,
            oldest: None,
            last_commit: Instant::now(),
            last_look: Instant::now(),
            waiting: false,
            committed: Ledger::default(),
            arrivals: BTreeMap::new(),
        })
    }

    /// Where pages come from: make one for each run.
    pub(super) fn pages() -> (mpsc::Sender<Page>, mpsc::Receiver<Page>) {
        mpsc::channel(PAGES)
    }

    pub(super) async fn until(
        &mut self,
        mut pages: mpsc::Receiver<Page>,
        stop: &CancellationToken,
    ) -> Result<(), LakeError> {
        self.look_around().await?;
        let mut reports = tokio::time::interval(BETWEEN_REPORTS);
        reports.reset();
        loop {
            let look_at = self.last_look
                + if self.waiting {
                    BETWEEN_LOOKS_FOR_PARENTS
                } else {
                    BETWEEN_LISTINGS
                };
            let due_at = self.due_at();
            self.progress.turned();
            // In this order always: a simulation must see the same run twice, and records wait best.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = leases_changed(&mut self.keeper) => self.share().await?,
                () = tokio::time::sleep_until(look_at) => self.look_around().await?,
                () = tokio::time::sleep_until(due_at) => self.commit().await?,
                _ = reports.tick() => self.report(),
                Some(page) = pages.recv() => self.take(page).await?,
            }
        }
        self.readers.abort_all();
        self.commit_idle_positions(WORTH_A_COMMIT);
        self.commit().await
    }

    /// Looks at the streams and at what others have committed, and starts what may be read.
    async fn look_around(&mut self) -> Result<(), LakeError> {
        for stream in &mut self.streams {
            look(stream, self.lake, &mut self.writer, self.progress).await?;
        }
        self.writer.follow().await?;
        self.last_look = Instant::now();
        self.commit_idle_positions(BETWEEN_IDLE_POSITIONS);
        self.start_shards().await
    }

    /// Reads what this worker holds leases for, and no longer what it does not.
    async fn share(&mut self) -> Result<(), LakeError> {
        let Some(held) = self.keeper.as_ref().map(|keeper| keeper.held()) else {
            return Ok(());
        };
        let lost: Vec<ShardKey> = self
            .shards
            .keys()
            .filter(|shard| !held.contains(&group_of(shard)))
            .cloned()
            .collect();
        if !lost.is_empty() {
            for shard in &lost {
                self.shards[shard].task.abort();
            }
            // What was read of them is stored, unless somebody else has been quicker.
            self.commit().await?;
            for shard in &lost {
                self.forget(shard);
            }
            self.tell_keeper();
        }
        // Others may have moved the positions of what is new here.
        self.writer.follow().await?;
        self.start_shards().await
    }

    fn forget(&mut self, shard: &ShardKey) {
        self.shards.remove(shard);
        self.progress.left(shard);
        if let Some(plan) = self.plan.get_mut(&shard.source) {
            plan.remove(&shard.shard_id);
        }
    }

    fn tell_keeper(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.reading(self.shards.keys().map(group_of).collect());
        }
    }

    async fn start_shards(&mut self) -> Result<(), LakeError> {
        let held = self.keeper.as_ref().map(|keeper| keeper.held());
        let mut groups = BTreeSet::new();
        let mut starts = Vec::new();
        self.waiting = false;
        for (index, stream) in self.streams.iter().enumerate() {
            let Some(source) = &stream.source else {
                self.waiting = true;
                continue;
            };
            let key = |id: &str| ShardKey {
                source: source.clone(),
                shard_id: id.to_owned(),
            };
            let plan = self.plan.entry(source.clone()).or_default();
            for shard in &stream.shards {
                let ended = self
                    .writer
                    .position(&key(&shard.id))
                    .is_some_and(|p| p.ended);
                if ended {
                    plan.insert(shard.id.clone(), shards::Progress::Ended);
                } else {
                    groups.insert(group_of(&key(&shard.id)));
                }
            }
            let ready = plan_start(&stream.shards, plan);
            let unread = |shard: &&Shard| !plan.contains_key(&shard.id);
            self.waiting |= stream.shards.iter().filter(unread).count() > ready.len();
            let mine = |id: &String| {
                held.as_ref()
                    .is_none_or(|held| held.contains(&group_of(&key(id))))
            };
            starts.extend(ready.into_iter().filter(mine).map(|id| (index, key(&id))));
        }
        if let Some(keeper) = &self.keeper {
            keeper.active(groups);
        }
        for (index, shard) in starts {
            self.start(index, shard);
        }
        self.tell_keeper();
        Ok(())
    }

    fn start(&mut self, index: usize, shard: ShardKey) {
        let stream = &self.streams[index];
        let Some(listed) = stream
            .shards
            .iter()
            .find(|listed| listed.id == shard.shard_id)
        else {
            return;
        };
        let known = self.writer.position(&shard);
        let of_stream = self.writer.positions();
        let of_stream = of_stream
            .iter()
            .filter(|(key, _)| key.source == shard.source);
        let of_stream: BTreeMap<&str, &Position> = of_stream
            .map(|(key, position)| (key.shard_id.as_str(), position))
            .collect();
        let knows = |id: &String| of_stream.contains_key(id.as_str());
        let parents_known = listed.parents.iter().any(knows);
        let from = read_from(known.as_ref(), parents_known, stream.begun.from);
        tracing::info!(shard = %shard.shard_id, stream = %stream.options.name, ?from, "reading shard");
        let of = Of {
            stream: stream.options.stream.clone(),
            source: shard.source.clone(),
            shard_id: shard.shard_id.clone(),
        };
        let pages: Box<dyn Pages> = match &stream.options.consumer {
            Some(name) => Box::new(FanOut::new(of, from.clone(), name.clone())),
            None => {
                let (pace, idle_poll) = (self.options.pace, self.options.idle_poll);
                Box::new(Polling::new(of, from.clone(), pace, idle_poll))
            }
        };
        let surroundings = self.lake.surroundings();
        self.next_reader += 1;
        let reader = Reader {
            shard: shard.clone(),
            number: self.next_reader,
            from,
            position: known.clone(),
            read_through: read_through(listed, &of_stream, stream.begun.at),
            retention_ms: stream.retention_ms,
            pages,
            memory: self.memory.clone(),
            now: surroundings.now.clone(),
            ids: surroundings.ids.clone(),
            to_run: self.to_run.clone(),
            progress: self.progress.clone(),
        };
        let reading = Reading {
            reader: self.next_reader,
            task: self.readers.spawn(reader.run()),
            hash_keys: listed.hash_keys,
            through: known.as_ref().and_then(|position| position.read_through),
            known,
            moved: None,
        };
        let plan = self.plan.entry(shard.source.clone()).or_default();
        plan.insert(shard.shard_id.clone(), shards::Progress::Reading);
        self.shards.insert(shard, reading);
    }

    async fn take(&mut self, mut page: Page) -> Result<(), LakeError> {
        // A reader that was stopped may have had a page under way.
        if self
            .shards
            .get(&page.shard)
            .is_none_or(|reading| reading.reader != page.reader)
        {
            return Ok(());
        }
        if let Some(gap) = page.gap.take() {
            record_gap(self.lake, &gap, self.progress).await?;
        }
        let received = self.encoder.ledger().received;
        let mut last = None;
        for record in &page.records {
            if let Some(position) = self.take_record(&page.shard, record).await? {
                last = Some(position);
            }
        }
        let bytes: usize = page.records.iter().map(|record| record.data.len()).sum();
        self.progress.took(page.records.len() as u64, bytes as u64);
        Progress::add(
            &self.progress.documents,
            self.encoder.ledger().received - received,
        );
        let Some(reading) = self.shards.get_mut(&page.shard) else {
            return Ok(());
        };
        reading.through = reading.through.max(page.read_through);
        if last.is_some() || page.ended {
            let before = reading.moved.take().or_else(|| reading.known.clone());
            let position = last.or(before).unwrap_or_default();
            reading.moved = Some(Position {
                ended: page.ended,
                read_through: reading.through,
                ..position
            });
            self.oldest.get_or_insert_with(Instant::now);
        }
        let ended = page.ended;
        drop(page);
        // Children may start only when the end of their parent is in the lake.
        if ended || self.is_due() {
            self.commit().await?;
        }
        if ended {
            self.look_around().await?;
        }
        Ok(())
    }

    /// Takes one record into the batch; its position, unless the batch or the lake has it already.
    async fn take_record(
        &mut self,
        shard: &ShardKey,
        record: &crate::kinesis::Record,
    ) -> Result<Option<Position>, LakeError> {
        let reading = &self.shards[shard];
        let Some(number) = SequenceNumber::parse(&record.sequence_number) else {
            tracing::error!(shard = %shard.shard_id, "a sequence number that is no number; its record is taken, its place is not");
            return Ok(None);
        };
        let before = reading.moved.as_ref().or(reading.known.as_ref());
        let last = before.and_then(|position| position.sequence_number.as_ref());
        if last.is_some_and(|last| number <= *last) {
            return Ok(None);
        }
        let place = Place {
            source: &shard.source,
            shard_id: &shard.shard_id,
            hash_keys: reading.hash_keys,
            ingested_at: (self.lake.surroundings().now)(),
        };
        let taken = records::take(&mut self.encoder, &place, record).await?;
        if taken.misplaced > 0 {
            self.progress.misplaced(taken.misplaced);
        }
        if let Some(at) = record.arrived_at {
            *self.arrivals.entry(at / 1_000_000).or_default() += 1;
        }
        Ok(Some(Position::at(number, taken.last_sub_sequence)))
    }

    fn is_due(&self) -> bool {
        let (bytes, rows) = self.encoder.fill();
        let age = self
            .oldest
            .map_or(Duration::ZERO, |oldest| oldest.elapsed());
        self.options.limits.is_due(Fill {
            bytes,
            rows,
            age_ms: if rows > 0 { age.as_millis() as u64 } else { 0 },
        })
    }

    fn due_at(&self) -> Instant {
        match self.oldest {
            Some(oldest) if self.encoder.fill().1 > 0 => {
                oldest + Duration::from_millis(self.options.limits.max_age_ms)
            }
            Some(oldest) => oldest.max(self.last_commit + BETWEEN_IDLE_COMMITS),
            None => Instant::now() + BETWEEN_LISTINGS,
        }
    }

    /// Lets shards without new records move as well, if they have been read much further than the lake says.
    fn commit_idle_positions(&mut self, much: i64) {
        for reading in self
            .shards
            .values_mut()
            .filter(|reading| reading.moved.is_none())
        {
            let Some(through) = reading.through else {
                continue;
            };
            let known = reading
                .known
                .as_ref()
                .and_then(|position| position.read_through);
            if known.is_none_or(|known| through - known > much) {
                reading.moved = Some(Position {
                    read_through: Some(through),
                    ..reading.known.clone().unwrap_or_default()
                });
                self.oldest.get_or_insert_with(Instant::now);
            }
        }
    }

    async fn commit(&mut self) -> Result<(), LakeError> {
        let moves: Vec<Move> = self
            .shards
            .iter()
            .filter_map(|(shard, reading)| {
                Some(Move {
                    shard: shard.clone(),
                    from: reading.known.clone(),
                    to: reading.moved.clone()?,
                })
            })
            .collect();
        if moves.is_empty() {
            return Ok(());
        }
        if self.last_look.elapsed() > LONGEST_SLEEP {
            let what = "this process, which slept for more than an hour".to_owned();
            return Err(LakeError::PositionMoved { what });
        }
        let began = Instant::now();
        let conflicts = self.writer.conflicts();
        let encoder = &mut self.encoder;
        let batch = blocking(|| encoder.finish())?;
        let span = tracing::info_span!("commit", shards = moves.len());
        let committed = self.writer.commit(batch, &moves).instrument(span).await;
        self.progress
            .conflicted(self.writer.conflicts() - conflicts);
        let committed = committed?;
        self.progress.committed(&committed);
        self.progress.commit_took(began.elapsed());
        let now = (self.lake.surroundings().now)() / 1_000_000;
        for (arrived, records) in std::mem::take(&mut self.arrivals) {
            let waited = Duration::from_secs((now - arrived).max(0) as u64);
            self.progress.stored_after(waited, records);
        }
        self.committed += committed.ledger;
        for Move { shard, to, .. } in &moves {
            if to.ended {
                tracing::info!(shard = %shard.shard_id, "shard read to its end");
                self.shards.remove(shard);
                self.progress.left(shard);
                let plan = self.plan.entry(shard.source.clone()).or_default();
                plan.insert(shard.shard_id.clone(), shards::Progress::Ended);
            } else if let Some(reading) = self.shards.get_mut(shard) {
                reading.known = self.writer.position(shard);
                reading.moved = None;
            }
        }
        tracing::debug!(
            version = committed.version,
            rows = committed.ledger.committed,
            shards = moves.len(),
            "committed"
        );
        self.oldest = None;
        self.last_commit = Instant::now();
        Ok(())
    }

    /// One line a minute, and the ages that only the run knows.
    fn report(&self) {
        let uncommitted = self
            .oldest
            .map_or(0.0, |oldest| oldest.elapsed().as_secs_f64());
        let position_age = self.last_commit.elapsed().as_secs_f64();
        self.progress.ages(uncommitted, position_age);
        let count = Progress::get;
        tracing::info!(
            shards = self.shards.len(),
            millis_behind = self.progress.millis_behind(),
            records = count(&self.progress.records),
            bytes = count(&self.progress.bytes),
            commits = count(&self.progress.commits),
            conflicts = count(&self.progress.conflicts),
            throttled = count(&self.progress.throttled),
            gaps = count(&self.progress.gaps),
            lease_moves = count(&self.progress.lease_moves),
            uncommitted_s = uncommitted,
            position_age_s = position_age,
            "following"
        );
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        for shard in self.shards.keys() {
            self.progress.left(shard);
        }
        if let Some(keeper) = &self.keeper {
            keeper.reading(BTreeSet::new());
        }
    }
}

async fn leases_changed(keeper: &mut Option<&mut Keeper>) {
    match keeper {
        Some(keeper) => keeper.changed().await,
        None => std::future::pending().await,
    }
}

/// Writes down that records may be lost. Loud: nobody may find out by chance.
pub(super) async fn record_gap(
    lake: &Lake,
    gap: &GapRow,
    progress: &Progress,
) -> Result<(), LakeError> {
    if lake.record_gap(gap).await? {
        progress.gap();
        tracing::error!(shard = %gap.shard.shard_id, source = %gap.shard.source, reason = %gap.reason, "records may be lost: see the table `gaps`");
    }
    Ok(())
}

/// Runs what takes long without waiting. On a runtime of one thread there is nobody else to hold up.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}
