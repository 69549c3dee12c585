//! The one who commits: batches of findings, with the positions of what was read, in one commit of `findings`.
//!
//! `rejects` cannot be in the same commit, so they go first, with positions of their own; after a crash in between, rejects
//! at or below those positions are left out when the same records come again.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use finding::VersionHash;
use futures::{FutureExt, StreamExt, TryStreamExt};
use serde_json::json;
use tokio::runtime::Handle;

use crate::data_file::{self, FileWriter};
use crate::encoder::{Batch, BatchFile, RejectRow, Shared, day_of_file, day_text, files_by_day};
use crate::log::{Add, Change, Followed, Ledger, Outcome, TableLog};
use crate::position::{self, Position, SequenceNumber, ShardKey};
use crate::rows::file_schema;
use crate::seen::Versions;
use crate::{Encoder, Lake, LakeError, Retention, Surroundings, Table, read, tables};

/// Files uploaded side by side.
const UPLOADS: usize = 4;

/// How findings are written.
#[derive(Debug, Clone)]
pub struct WriterOptions {
    /// Versions remembered for finding duplicates, about 37 bytes each.
    pub versions_in_memory: usize,
    /// Findings that it does not keep count as expired.
    pub retention: Retention,
}

impl Default for WriterOptions {
    fn default() -> Self {
        WriterOptions {
            versions_in_memory: 4_000_000,
            retention: Retention::default(),
        }
    }
}

/// Commits batches to `findings` and `rejects`.
pub struct Writer {
    lake: Lake,
    findings: TableLog,
    rejects: TableLog,
    shared: Arc<Shared>,
    /// Versions that other writers have stored since this one opened.
    theirs: Versions,
    /// SHA-256 of rejects of files that the lake has; read when first needed.
    known_rejects: Option<HashSet<String>>,
    conflicts: u64,
}

/// A shard's position before and after the records of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Which shard.
    pub shard: ShardKey,
    /// Where the reader of this batch started. If the lake says otherwise when the batch is committed, somebody else has read
    /// on, and the batch is refused.
    pub from: Option<Position>,
    /// The last record of the batch.
    pub to: Position,
}

/// Where and when reading of a stream began, both in UTC microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Begun {
    /// With records that arrived at or after this; 0 is the oldest that the stream kept.
    pub from: i64,
    /// When that was decided: from then on nothing may be missing.
    pub at: i64,
}

/// A commit that landed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Version of `findings`; `None` when there was nothing to write.
    pub version: Option<i64>,
    /// How the documents ended, after de-duplication against other writers.
    pub ledger: Ledger,
}

impl Writer {
    pub(crate) async fn open(lake: &Lake, options: WriterOptions) -> Result<Writer, LakeError> {
        let findings = lake.log(Table::Findings).await?;
        let rejects = lake.log(Table::Rejects).await?;
        let shared = Shared::new(
            findings.shared_store(),
            findings.uri().to_owned(),
            options.versions_in_memory,
            options.retention,
            lake.surroundings().clone(),
        );
        let writer = Writer {
            lake: lake.clone(),
            findings,
            rejects,
            shared: Arc::new(shared),
            theirs: Versions::default(),
            known_rejects: None,
            conflicts: 0,
        };
        writer.share_files();
        Ok(writer)
    }

    /// An encoder for one thread. Call from within a tokio runtime.
    pub fn encoder(&self) -> Encoder {
        Encoder::new(self.shared.clone(), Handle::current())
    }

    /// How far a shard has been stored; `None` when the lake knows nothing of it.
    pub fn position(&self, shard: &ShardKey) -> Option<Position> {
        let state = self.findings.state();
        Position::from_txns(&state.txns, &txn_prefix(&state.table_id), shard)
    }

    /// All shards that the lake knows something of, with their positions.
    pub fn positions(&self) -> Vec<(ShardKey, Position)> {
        let state = self.findings.state();
        position::all(&state.txns, &txn_prefix(&state.table_id))
    }

    /// Follows what other writers have committed. Batches that are being filled will leave their versions out.
    pub async fn follow(&mut self) -> Result<(), LakeError> {
        let commits = self.findings.follow().await?;
        if commits.is_empty() {
            return Ok(());
        }
        self.learn(&commits).await?;
        if !self.shared.seen().has_pending() {
            self.theirs.clear();
        }
        Ok(())
    }

    /// Where and when reading of a stream began; set at the first call, for ever. A consumer that was told to begin at the
    /// newest record and dies before it stored anything begins at the same place again.
    pub async fn begin(&mut self, source: &str, wanted: Begun) -> Result<Begun, LakeError> {
        loop {
            let state = self.findings.state();
            let prefix = txn_prefix(&state.table_id);
            let (from, at) = (
                format!("{prefix}/from/{source}"),
                format!("{prefix}/begun/{source}"),
            );
            if let Some((from, at)) = state.txns.get(&from).zip(state.txns.get(&at)) {
                return Ok(Begun {
                    from: *from,
                    at: *at,
                });
            }
            let change = Change {
                txns: vec![(from, wanted.from), (at, wanted.at)],
                ..Change::default()
            };
            match self.findings.commit(change).await? {
                Outcome::Committed(version, between) => {
                    self.learn(&between).await?;
                    self.lake.after_commit(Table::Findings, version);
                    return Ok(wanted);
                }
                Outcome::Overtaken(commits) => self.learn(&commits).await?,
            }
        }
    }

    /// How often others committed first, so that a batch was compared with theirs and committed again.
    pub fn conflicts(&self) -> u64 {
        self.conflicts
    }

    /// The version of `findings` that this writer has followed.
    pub fn version(&self) -> i64 {
        self.findings.state().version
    }

    /// Commits a batch's rejects, then its rows together with `positions`.
    ///
    /// # Errors
    /// [`LakeError::PositionMoved`] when another writer has moved one of the positions: nothing was written to `findings`;
    /// open a new writer and go on from its positions. After any other error what was written is unknown: do the same.
    pub async fn commit(
        &mut self,
        mut batch: Batch,
        moves: &[Move],
    ) -> Result<Committed, LakeError> {
        self.refuse_moved_positions(moves)?;
        self.commit_rejects(&mut batch, moves).await?;
        let Batch {
            mut files,
            mut ledger,
            ..
        } = batch;
        loop {
            let duplicates = self.drop_stored(&mut files)?;
            ledger.committed -= duplicates;
            ledger.duplicate += duplicates;
            self.upload(&mut files).await?;
            if files.is_empty() && moves.is_empty() {
                return Ok(Committed {
                    version: None,
                    ledger,
                });
            }
            match self
                .findings
                .commit(self.change(&files, moves, ledger))
                .await?
            {
                Outcome::Committed(version, between) => {
                    // Rows of others do not touch a commit without rows, and are versions that the lake has all the same.
                    self.learn(&between).await?;
                    self.settle(&files);
                    if !self.shared.seen().has_pending() {
                        self.theirs.clear();
                    }
                    self.lake.after_commit(Table::Findings, version);
                    return Ok(Committed {
                        version: Some(version),
                        ledger,
                    });
                }
                Outcome::Overtaken(commits) => {
                    self.conflicts += 1;
                    self.learn(&commits).await?;
                    self.refuse_moved_positions(moves)?;
                }
            }
        }
    }

    fn change(&self, files: &[BatchFile], moves: &[Move], ledger: Ledger) -> Change {
        let state = self.findings.state();
        let prefix = txn_prefix(&state.table_id);
        let mut txns: Vec<_> = moves
            .iter()
            .flat_map(|moved| moved.to.to_txns(&prefix, &moved.shard))
            .collect();
        if !files.is_empty() {
            txns.push((rows_txn(&state.table_id), state.version + 1));
        }
        let number = |position: &Position| {
            position
                .sequence_number
                .as_ref()
                .map(SequenceNumber::to_string)
        };
        let shown = moves.iter().map(|Move { shard, from, to }| {
            json!({
                "source": shard.source,
                "shard": shard.shard_id,
                "after": from.as_ref().and_then(number),
                "sequence_number": number(to),
                "sub_sequence": to.sub_sequence,
                "ended": to.ended,
            })
        });
        Change {
            adds: files.iter().map(|file| file.file.add.clone()).collect(),
            txns,
            info: json!({ "ledger": ledger, "positions": shown.collect::<Vec<_>>() }),
            ..Change::default()
        }
    }

    async fn upload(&self, files: &mut [BatchFile]) -> Result<(), LakeError> {
        let (store, uri) = (self.findings.store(), self.findings.uri());
        // Boxed one by one: the compiler cannot see that a closure's future is Send for every lifetime.
        let uploads: Vec<_> = files
            .iter()
            .filter(|file| !file.stored)
            .map(|file| file.file.store(store, uri).boxed())
            .collect();
        futures::stream::iter(uploads)
            .buffer_unordered(UPLOADS)
            .try_collect::<()>()
            .await?;
        files.iter_mut().for_each(|file| file.stored = true);
        Ok(())
    }

    /// The fence: a batch may only be stored by whoever read on from where the lake stands now. Compared on the very version
    /// that is committed on, as the commit itself is refused at any other.
    fn refuse_moved_positions(&self, moves: &[Move]) -> Result<(), LakeError> {
        let moved = |m: &&Move| self.position(&m.shard) != m.from;
        match moves.iter().find(moved) {
            Some(Move { shard, .. }) => Err(LakeError::PositionMoved {
                what: format!("{} of {}", shard.shard_id, shard.source),
            }),
            None => Ok(()),
        }
    }

    /// Reads what other writers have stored. It is kept: a batch that is still being filled may hold the same versions, and
    /// nothing will overtake its commit to say so.
    async fn learn(&mut self, commits: &[Followed]) -> Result<(), LakeError> {
        let mut adds = new_rows(commits);
        loop {
            let paths: Vec<String> = adds.iter().map(|add| add.path.clone()).collect();
            let store = self.findings.shared_store();
            match read::versions(&store, self.findings.uri(), &paths).await {
                Ok(files) => {
                    self.share_files();
                    for (add, versions) in adds.iter().zip(files) {
                        self.learn_file(add, versions);
                    }
                    return Ok(());
                }
                Err(gone) if gone.is_not_found() => adds = self.where_rows_went(adds, gone).await?,
                Err(error) => return Err(error),
            }
        }
    }

    fn learn_file(&mut self, add: &Add, versions: Vec<VersionHash>) {
        let versions: Versions = versions.into_iter().map(|version| version.0).collect();
        self.theirs.extend(&versions);
        // A day that is not loaded will be read from the files.
        if let Some(day) = day_of_file(add)
            && self.shared.seen().is_loaded(day)
        {
            self.shared.seen().load(day, versions);
        }
    }

    /// What to read instead when one of `adds` is gone. It was rewritten and then vacuumed, so its rows are somewhere in the
    /// present files of its day.
    async fn where_rows_went(
        &mut self,
        adds: Vec<Add>,
        gone: LakeError,
    ) -> Result<Vec<Add>, LakeError> {
        let more = new_rows(&self.findings.follow().await?);
        let files = &self.findings.state().files;
        let (kept, rewritten): (Vec<&Add>, Vec<&Add>) = adds
            .iter()
            .chain(&more)
            .partition(|add| files.contains_key(&add.path));
        if rewritten.is_empty() {
            return Err(gone);
        }
        let days: HashSet<_> = rewritten.into_iter().filter_map(day_of_file).collect();
        let of_days = files
            .values()
            .filter(|add| day_of_file(add).is_some_and(|day| days.contains(&day)));
        let found = kept.into_iter().chain(of_days).map(|add| (&add.path, add));
        let found: BTreeMap<_, _> = found.collect();
        Ok(found.into_values().cloned().collect())
    }

    /// Takes out the rows that other writers have stored. Returns how many.
    fn drop_stored(&self, files: &mut Vec<BatchFile>) -> Result<u64, LakeError> {
        if self.theirs.is_empty() {
            return Ok(0);
        }
        let mut dropped = 0;
        for file in std::mem::take(files) {
            let stored = |version: &&VersionHash| self.theirs.contains(&version.0);
            let duplicates = file.versions.iter().filter(stored).count();
            if duplicates == 0 {
                files.push(file);
                continue;
            }
            dropped += duplicates as u64;
            self.shared.seen().settle(file.day, duplicates);
            files.extend(without(file, &self.theirs, self.lake.surroundings())?);
        }
        Ok(dropped)
    }

    fn settle(&self, files: &[BatchFile]) {
        self.share_files();
        for file in files {
            self.shared.seen().settle(file.day, file.versions.len());
        }
    }

    /// Tells the encoders which files hold which day.
    fn share_files(&self) {
        *self.shared.files() = files_by_day(self.findings.state().files.values());
    }

    async fn commit_rejects(&mut self, batch: &mut Batch, moves: &[Move]) -> Result<(), LakeError> {
        let mut rows = std::mem::take(&mut batch.rejects);
        if rows.is_empty() {
            return Ok(());
        }
        loop {
            rows = self.new_rejects(rows, batch).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let file = data_file::single(
                Table::Rejects,
                &tables::rejects_batch(&rows)?,
                self.lake.surroundings(),
            )?;
            file.store(self.rejects.store(), self.rejects.uri()).await?;
            let state = self.rejects.state();
            let prefix = txn_prefix(&state.table_id);
            let shards: HashSet<_> = rows
                .iter()
                .filter_map(|row| Some((&*row.source, row.shard_id.as_deref()?)))
                .collect();
            let mut txns: Vec<_> = moves
                .iter()
                .filter(|m| shards.contains(&(&*m.shard.source, &*m.shard.shard_id)))
                .flat_map(|m| m.to.to_txns(&prefix, &m.shard))
                .collect();
            txns.push((rows_txn(&state.table_id), state.version + 1));
            let change = Change {
                adds: vec![file.add],
                txns,
                info: json!({ "rejects": rows.len() }),
                ..Change::default()
            };
            match self.rejects.commit(change).await? {
                Outcome::Committed(version, _) => {
                    self.lake.after_commit(Table::Rejects, version);
                    if let Some(known) = &mut self.known_rejects {
                        known.extend(
                            rows.iter()
                                .filter(|row| row.shard_id.is_none())
                                .map(RejectRow::sha256),
                        );
                    }
                    return Ok(());
                }
                Outcome::Overtaken(_) => self.known_rejects = None,
            }
        }
    }

    /// Leaves out rejects that the lake has: by position for shards, by SHA-256 for files (those count as duplicates).
    async fn new_rejects(
        &mut self,
        rows: Vec<RejectRow>,
        batch: &mut Batch,
    ) -> Result<Vec<RejectRow>, LakeError> {
        if self.known_rejects.is_none() && rows.iter().any(|row| row.shard_id.is_none()) {
            let paths: Vec<String> = self.rejects.state().files.keys().cloned().collect();
            let store = self.rejects.shared_store();
            self.known_rejects = Some(
                read::distinct_text(&store, self.rejects.uri(), Table::Rejects, &paths, "sha256")
                    .await?,
            );
        }
        let state = self.rejects.state();
        let prefix = txn_prefix(&state.table_id);
        let known = self.known_rejects.as_ref();
        let mut own = HashSet::new();
        let is_new = |row: &RejectRow| match &row.shard_id {
            Some(shard_id) => {
                let shard = ShardKey {
                    source: row.source.clone(),
                    shard_id: shard_id.clone(),
                };
                let sequence = row
                    .sequence_number
                    .as_deref()
                    .and_then(SequenceNumber::parse);
                let stored = Position::from_txns(&state.txns, &prefix, &shard);
                !stored
                    .zip(sequence)
                    .is_some_and(|(p, number)| p.covers(&number, row.sub_sequence.unwrap_or(0)))
            }
            None => {
                let digest = row.sha256();
                let new = !known.is_some_and(|known| known.contains(&digest)) && own.insert(digest);
                if !new {
                    batch.ledger.rejected -= 1;
                    batch.ledger.duplicate += 1;
                }
                new
            }
        };
        Ok(rows.into_iter().filter(is_new).collect())
    }
}

/// Files with rows that were not there before.
fn new_rows(commits: &[Followed]) -> Vec<Add> {
    let adds = commits.iter().flat_map(|commit| &commit.adds);
    adds.filter(|add| add.data_change).cloned().collect()
}

/// A file without the rows whose versions are in `stored`; `None` when none is left.
fn without(
    file: BatchFile,
    stored: &Versions,
    surroundings: &Surroundings,
) -> Result<Option<BatchFile>, LakeError> {
    use arrow::array::BooleanArray;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let mut writer = FileWriter::new(
        Table::Findings,
        file_schema(Table::Findings),
        vec![("event_date".to_owned(), day_text(file.day))],
    )?;
    let mut versions = file.versions.iter();
    let mut kept = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file.file.bytes.clone())?.build()? {
        let batch = batch?;
        let mask: BooleanArray = versions
            .by_ref()
            .take(batch.num_rows())
            .map(|version| {
                let keep = !stored.contains(&version.0);
                if keep {
                    kept.push(*version);
                }
                Some(keep)
            })
            .collect();
        writer.write(&arrow::compute::filter_record_batch(&batch, &mask)?)?;
    }
    if kept.is_empty() {
        return Ok(None);
    }
    Ok(Some(BatchFile {
        day: file.day,
        file: writer.finish(surroundings)?,
        versions: kept,
        stored: false,
    }))
}

/// Ids of `txn` actions of this program on a table.
pub(crate) fn txn_prefix(table_id: &str) -> String {
    format!("guardlake/{table_id}")
}

/// The id that every commit with rows sets: two of them at once conflict, so that the later one can de-duplicate.
pub(crate) fn rows_txn(table_id: &str) -> String {
    format!("guardlake/{table_id}/rows")
}
