//! Where decoded findings go: checked against what the lake has, appended to the columns of their day, encoded to Parquet
//! as they come. One encoder a thread; all encoders of a writer share what has been seen.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finding::{Finding, Reject, VersionHash};
use object_store::ObjectStore;
use tokio::runtime::Handle;

use crate::data_file::{DataFile, FileWriter};
use crate::log::{Add, Ledger, replay};
use crate::read;
use crate::retention::Retention;
use crate::rows::{Provenance, Rows, file_schema};
use crate::seen::{Day, Insert, Seen};
use crate::{LakeError, Surroundings, Table};

/// A day's rows are encoded when their raw JSON passes this.
const DAY_BYTES: usize = 4 << 20;
/// All days' rows are encoded when their raw JSON together passes this.
const ALL_DAYS_BYTES: usize = 24 << 20;
const MICROS_PER_DAY: i64 = 86_400_000_000;
/// 9999-12-31, the last date that all readers of Delta agree on.
const LAST_DAY: i64 = 2_932_896;

/// What encoders of one writer share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) uri: String,
    seen: Mutex<Seen>,
    files: Mutex<HashMap<Day, Vec<String>>>,
    /// Findings before this UTC microsecond are expired.
    pub(crate) retention: Retention,
    surroundings: Surroundings,
}

impl Shared {
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        uri: String,
        limit: usize,
        retention: Retention,
        surroundings: Surroundings,
    ) -> Shared {
        Shared {
            store,
            uri,
            seen: Mutex::new(Seen::new(limit)),
            files: Mutex::default(),
            retention,
            surroundings,
        }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn files(&self) -> MutexGuard<'_, HashMap<Day, Vec<String>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads what the lake has of a day. Files that arrive meanwhile are read too.
    ///
    /// A file that is gone was rewritten and then vacuumed: its rows are in another one, which the log names.
    async fn load(&self, day: Day) -> Result<(), LakeError> {
        let mut loaded: HashSet<String> = HashSet::new();
        loop {
            let paths = self.files().get(&day).cloned().unwrap_or_default();
            let new: Vec<String> = paths.into_iter().filter(|p| !loaded.contains(p)).collect();
            if new.is_empty() && self.seen().is_loaded(day) {
                return Ok(());
            }
            match read::version_set(&self.store, &self.uri, &new).await {
                Ok(versions) => {
                    loaded.extend(new);
                    self.seen().load(day, versions);
                }
                Err(gone) if gone.is_not_found() => {
                    self.look_again().await?;
                    let paths = self.files().get(&day).cloned().unwrap_or_default();
                    if new.iter().all(|path| paths.contains(path)) {
                        return Err(gone);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the files of each day from the log as it is now. That may be later than the writer has followed: what others
    /// stored since is a duplicate all the same, and the writer will learn of it when it commits.
    async fn look_again(&self) -> Result<(), LakeError> {
        if let Some(replay) = replay::load(self.store.as_ref(), &self.uri).await? {
            *self.files() = files_by_day(replay.state.files.values());
        }
        Ok(())
    }
}

/// Paths of data files by the day that they are of.
pub(crate) fn files_by_day<'a>(files: impl Iterator<Item = &'a Add>) -> HashMap<Day, Vec<String>> {
    let mut days: HashMap<Day, Vec<String>> = HashMap::new();
    for add in files {
        if let Some(day) = day_of_file(add) {
            days.entry(day).or_default().push(add.path.clone());
        }
    }
    days
}

/// The day that a data file is of.
pub(crate) fn day_of_file(add: &Add) -> Option<Day> {
    let value = add.partition_values.get("event_date")?;
    value.as_deref().and_then(day_from_text)
}

/// What became of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It will be a row.
    New,
    /// The lake, or a batch not yet committed, has this version.
    Duplicate,
    /// It is older than retention.
    Expired,
}

/// Takes the findings of a batch.
pub struct Encoder {
    shared: Arc<Shared>,
    runtime: Handle,
    days: BTreeMap<Day, DayFile>,
    /// The day that [`Encoder::try_append`] asked for last.
    wanted: Option<Day>,
    /// Raw bytes in builders, not yet encoded.
    buffered: usize,
    batch: Batch,
}

struct DayFile {
    rows: Rows,
    writer: FileWriter,
    versions: Vec<VersionHash>,
}

/// A finished batch: files in memory, rejects, and how many documents ended how.
#[derive(Default)]
pub struct Batch {
    pub(crate) files: Vec<BatchFile>,
    pub(crate) rejects: Vec<RejectRow>,
    pub(crate) ledger: Ledger,
    bytes: usize,
}

pub(crate) struct BatchFile {
    pub(crate) day: Day,
    pub(crate) file: DataFile,
    /// In row order.
    pub(crate) versions: Vec<VersionHash>,
    /// It lies in the store already.
    pub(crate) stored: bool,
}

/// Something that could not be read, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RejectRow {
    pub(crate) source: String,
    pub(crate) shard_id: Option<String>,
    pub(crate) sequence_number: Option<String>,
    pub(crate) sub_sequence: Option<i64>,
    pub(crate) item: i32,
    pub(crate) reason: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) arrived_at: Option<i64>,
    pub(crate) rejected_at: i64,
}

impl Batch {
    /// How its documents ended, as far as known before the commit.
    pub fn ledger(&self) -> Ledger {
        self.ledger
    }

    /// Takes in another batch, to be committed together.
    pub fn merge(&mut self, other: Batch) {
        self.files.extend(other.files);
        self.rejects.extend(other.rejects);
        self.ledger += other.ledger;
        self.bytes += other.bytes;
    }

    /// Whether a commit would write any row.
    pub fn has_rows(&self) -> bool {
        !self.files.is_empty() || !self.rejects.is_empty()
    }
}

impl Encoder {
    pub(crate) fn new(shared: Arc<Shared>, runtime: Handle) -> Encoder {
        Encoder {
            shared,
            runtime,
            days: BTreeMap::new(),
            wanted: None,
            buffered: 0,
            batch: Batch::default(),
        }
    }

    /// Takes a finding. May read the lake, so call it from a thread that may block.
    pub fn append(
        &mut self,
        finding: &Finding<'_>,
        provenance: &Provenance<'_>,
    ) -> Result<Appended, LakeError> {
        loop {
            if let Some(appended) = self.try_append(finding, provenance)? {
                return Ok(appended);
            }
            let runtime = self.runtime.clone();
            runtime.block_on(self.load_wanted())?;
        }
    }

    /// Takes a finding without reading the lake. `None` when that is not possible: nothing was taken then; wait for
    /// [`Encoder::load_wanted`] and try again.
    pub fn try_append(
        &mut self,
        finding: &Finding<'_>,
        provenance: &Provenance<'_>,
    ) -> Result<Option<Appended>, LakeError> {
        let time = finding.event_time();
        let retention = &self.shared.retention;
        let expired = !retention.is_for_ever() && {
            let label = finding.severity_label.map(|label| label.as_str());
            let now = (self.shared.surroundings.now)();
            !retention.keeps(time, finding.account_id.as_ref(), label, now)
        };
        let (day, version) = (day_of(time), finding.version());
        let insert = if expired {
            None
        } else {
            Some(self.shared.seen().insert(day, version))
        };
        if insert == Some(Insert::NotLoaded) {
            self.wanted = Some(day);
            return Ok(None);
        }
        self.batch.ledger.received += 1;
        self.batch.bytes += finding.raw.len();
        match insert {
            None => {
                self.batch.ledger.expired += 1;
                Ok(Some(Appended::Expired))
            }
            Some(Insert::Duplicate) => {
                self.batch.ledger.duplicate += 1;
                Ok(Some(Appended::Duplicate))
            }
            Some(Insert::New | Insert::NotLoaded) => {
                self.take(finding, provenance, day, version)?;
                Ok(Some(Appended::New))
            }
        }
    }

    /// Reads what the lake has of the day that [`Encoder::try_append`] could not do without.
    pub async fn load_wanted(&mut self) -> Result<(), LakeError> {
        match self.wanted.take() {
            Some(day) => self.shared.load(day).await,
            None => Ok(()),
        }
    }

    fn take(
        &mut self,
        finding: &Finding<'_>,
        provenance: &Provenance<'_>,
        day: Day,
        version: VersionHash,
    ) -> Result<(), LakeError> {
        let entry = match self.days.entry(day) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(DayFile::new(day)?),
        };
        entry.rows.append(finding, provenance);
        entry.versions.push(version);
        self.buffered += finding.raw.len();
        self.batch.ledger.committed += 1;
        if entry.rows.bytes() > DAY_BYTES {
            self.buffered -= entry.encode()?;
        } else if self.buffered > ALL_DAYS_BYTES {
            for entry in self.days.values_mut() {
                entry.encode()?;
            }
            self.buffered = 0;
        }
        Ok(())
    }

    /// Takes what could not be read. Its bytes are kept.
    pub fn reject(&mut self, reject: &Reject<'_>, provenance: &Provenance<'_>) {
        self.batch.ledger.received += 1;
        self.batch.ledger.rejected += 1;
        self.batch.bytes += reject.bytes.len();
        self.batch.rejects.push(RejectRow {
            source: provenance.source.to_owned(),
            shard_id: provenance.shard_id.map(str::to_owned),
            sequence_number: provenance.sequence_number.map(str::to_owned),
            sub_sequence: provenance.sub_sequence,
            item: provenance.item as i32,
            reason: reject.reason.clone(),
            bytes: reject.bytes.to_vec(),
            arrived_at: provenance.arrived_at,
            rejected_at: provenance.ingested_at,
        });
    }

    /// Counts a document that is no finding.
    pub fn skip(&mut self) {
        self.batch.ledger.received += 1;
        self.batch.ledger.skipped += 1;
    }

    /// Raw bytes and rows taken since the last batch.
    pub fn fill(&self) -> (usize, usize) {
        (self.batch.bytes, self.batch.ledger.received as usize)
    }

    /// How the documents taken since the last batch ended.
    pub fn ledger(&self) -> Ledger {
        self.batch.ledger
    }

    /// Bytes this encoder holds: builders, open files, rejects.
    pub fn memory(&self) -> usize {
        let files: usize = self.days.values().map(|day| day.writer.memory()).sum();
        files
            + self.buffered
            + self
                .batch
                .rejects
                .iter()
                .map(|reject| reject.bytes.len())
                .sum::<usize>()
    }

    /// Ends the batch: all files finished, ready to be committed.
    pub fn finish(&mut self) -> Result<Batch, LakeError> {
        let mut batch = std::mem::take(&mut self.batch);
        for (day, mut entry) in std::mem::take(&mut self.days) {
            entry.encode()?;
            let file = entry.writer.finish(&self.shared.surroundings)?;
            batch.files.push(BatchFile {
                day,
                file,
                versions: entry.versions,
                stored: false,
            });
        }
        self.buffered = 0;
        Ok(batch)
    }
}

impl DayFile {
    fn new(day: Day) -> Result<DayFile, LakeError> {
        let partition = vec![("event_date".to_owned(), day_text(day))];
        let writer = FileWriter::new(Table::Findings, file_schema(Table::Findings), partition)?;
        Ok(DayFile {
            rows: Rows::new(),
            writer,
            versions: Vec::new(),
        })
    }

    /// Encodes what the builders hold; returns the raw bytes that left them.
    fn encode(&mut self) -> Result<usize, LakeError> {
        let bytes = self.rows.bytes();
        if self.rows.len() > 0 {
            self.writer.write(&self.rows.finish()?)?;
        }
        Ok(bytes)
    }
}

/// The partition of an event time; findings without a time, or with one no calendar holds, rest at 1970-01-01.
pub(crate) fn day_of(event_time: Option<i64>) -> Day {
    let day = event_time.unwrap_or(0).div_euclid(MICROS_PER_DAY);
    if (0..=LAST_DAY).contains(&day) {
        day as Day
    } else {
        0
    }
}

/// `2026-11-21` of a day.
pub(crate) fn day_text(day: Day) -> String {
    arrow::temporal_conversions::date32_to_datetime(day).map_or_else(
        || "1970-01-01".to_owned(),
        |date| date.format("%Y-%m-%d").to_string(),
    )
}

/// A day of its text; `None` when it is no date.
pub(crate) fn day_from_text(text: &str) -> Option<Day> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day): (i64, i64, i64) = (
        parts.next()?.parse().ok()?,
        parts.next()?.parse().ok()?,
        parts.next()?.parse().ok()?,
    );
    // Days from a civil date: years counted from March, eras of 400 years.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    (day_text(days as Day) == text).then_some(days as Day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_their_texts() {
        assert_eq!(day_of(None), 0);
        assert_eq!(day_of(Some(MICROS_PER_DAY - 1)), 0);
        assert_eq!(day_of(Some(MICROS_PER_DAY)), 1);
        assert_eq!((day_of(Some(i64::MAX)), day_of(Some(-1))), (0, 0));
        for (day, text) in [
            (0, "1970-01-01"),
            (20_778, "2026-11-21"),
            (11_016, "2000-02-29"),
            (2_932_896, "9999-12-31"),
        ] {
            assert_eq!(
                (day_text(day).as_str(), day_from_text(text)),
                (text, Some(day))
            );
        }
        for odd in ["", "2026-13-01", "2026-02-30", "x-y-z"] {
            assert_eq!(day_from_text(odd), None, "{odd}");
        }
    }
}
