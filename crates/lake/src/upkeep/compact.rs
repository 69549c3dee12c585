//! Compaction: the small files of a day, or of a log, become one, in a commit that removes them and adds it.
//!
//! The `OPTIMIZE` of delta-rs 1.1 stores rows twice when two run at once, and cannot carry a `txn`
//! (`facts/kinesis-delta.md` 0.1, 0.2). Here all compactors set one `txn`, and a commit that takes out a file which another
//! commit took out is refused, so that of two compactors one starts again.

use std::collections::BTreeMap;

use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;

use super::rewrite::{self, Input, Job};
use crate::encoder::{day_of_file, day_text};
use crate::log::{Add, Change, Operation, Outcome, Remove, TableLog};
use crate::seen::Day;
use crate::writer::txn_prefix;
use crate::{Lake, LakeError, Table};

/// Files of one rewrite, at most: they are named in one commit.
const MAX_INPUTS: usize = 1_000;
/// How often others may come first before the rest is left for the next time.
const MAX_RACES: u32 = 5;
/// Small files of a log, at least, for a rewrite: each takes in what was rewritten before.
const MIN_LOG_INPUTS: usize = 8;
/// Files read side by side.
const READS: usize = 8;

/// How a lake is compacted.
#[derive(Debug, Clone, Copy)]
pub struct CompactOptions {
    /// Bytes of a file that is large enough. A rewrite takes in this much at most. It holds its inputs and its output in
    /// memory as they lie in the store, and some 300 MiB of decoded rows whatever the target: 600 MB in all at 128 MiB.
    pub target_bytes: u64,
    /// Say what would be rewritten, and write nothing.
    pub dry_run: bool,
}

impl Default for CompactOptions {
    /// 128 MiB: a quarter of a million findings or so.
    fn default() -> Self {
        CompactOptions {
            target_bytes: 128 << 20,
            dry_run: false,
        }
    }
}

/// What a compaction did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compaction {
    /// The rewrites, oldest day first.
    pub rewrites: Vec<Compacted>,
    /// How often another writer took files of ours, or another compactor came first, so that a rewrite was thrown away.
    pub lost_races: u32,
}

/// Files that became one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// Of which table.
    pub table: Table,
    /// The day, as `2026-11-21`, of files of `findings`.
    pub day: Option<String>,
    /// How many there were.
    pub files: u64,
    /// Their bytes.
    pub bytes_before: u64,
    /// Bytes of the one; `None` in a dry run.
    pub bytes_after: Option<u64>,
    /// Its rows; what the log says in a dry run.
    pub rows: u64,
    /// The version that says so; `None` in a dry run.
    pub version: Option<i64>,
}

/// Files of one table, and of one day if they have one, that will become one.
#[derive(Debug, Clone, PartialEq)]
struct Rewrite {
    table: Table,
    day: Option<String>,
    inputs: Vec<Add>,
}

impl Rewrite {
    fn bytes(&self) -> u64 {
        self.inputs.iter().map(size).sum()
    }

    fn planned(&self) -> Compacted {
        Compacted {
            table: self.table,
            day: self.day.clone(),
            files: self.inputs.len() as u64,
            bytes_before: self.bytes(),
            bytes_after: None,
            rows: self.inputs.iter().filter_map(Add::rows).sum(),
            version: None,
        }
    }
}

/// Which files of `findings` to rewrite together.
///
/// A file under half the target is small. The small files of a day are taken in the order in which they were written, as
/// many as fit the target; two make a rewrite. A file that outweighs the others four times over waits until there are more
/// of them, so that a day that grows slowly is not rewritten for every crumb; below a sixteenth of the target nothing waits.
fn plan_days<'a>(files: impl Iterator<Item = &'a Add>, target: u64) -> Vec<Rewrite> {
    let mut days: BTreeMap<Day, Vec<&Add>> = BTreeMap::new();
    for add in files.filter(|add| size(add) < target / 2) {
        if let Some(day) = day_of_file(add) {
            days.entry(day).or_default().push(add);
        }
    }
    let mut plan = Vec::new();
    for (day, mut small) in days {
        small.sort_by_key(|add| (add.modification_time, &add.path));
        let (mut groups, mut group, mut bytes) = (vec![], vec![], 0);
        for add in small {
            if group.len() == MAX_INPUTS || bytes + size(add) > target {
                groups.push(std::mem::take(&mut group));
                bytes = 0;
            }
            bytes += size(add);
            group.push(add);
        }
        groups.push(group);
        let groups = groups.into_iter().map(|group| without_giant(group, target));
        plan.extend(groups.filter(|group| group.len() > 1).map(|group| Rewrite {
            table: Table::Findings,
            day: Some(day_text(day)),
            inputs: group.into_iter().cloned().collect(),
        }));
    }
    plan
}

/// Which files of a log, or another table without days, to rewrite together.
///
/// Their rows have an order, that of the files' times: only files that follow each other are put together, and what is made of them
/// takes the time of the last. Eight make a rewrite.
fn plan_log<'a>(table: Table, files: impl Iterator<Item = &'a Add>, target: u64) -> Vec<Rewrite> {
    let mut files: Vec<&Add> = files.collect();
    files.sort_by_key(|add| (add.modification_time, &add.path));
    let (mut groups, mut group, mut bytes) = (vec![], vec![], 0);
    for add in files {
        let large = size(add) >= target / 2;
        if large || group.len() == MAX_INPUTS || bytes + size(add) > target {
            groups.push(std::mem::take(&mut group));
            bytes = 0;
        }
        if !large {
            bytes += size(add);
            group.push(add);
        }
    }
    groups.push(group);
    let worth = groups.into_iter().map(|mut group: Vec<&Add>| {
        let rest: u64 = group.iter().skip(1).map(|add| size(add)).sum();
        if group
            .first()
            .is_some_and(|first| size(first) > target / 16 && rest * 4 < size(first))
        {
            group.remove(0);
        }
        group
    });
    let worth = worth.filter(|group| group.len() >= MIN_LOG_INPUTS);
    worth
        .map(|group| Rewrite {
            table,
            day: None,
            inputs: group.into_iter().cloned().collect(),
        })
        .collect()
}

fn plan_compaction(log: &TableLog, target: u64) -> Vec<Rewrite> {
    let files = log.state().files.values();
    match log.table() {
        Table::Findings => plan_days(files, target),
        table => plan_log(table, files, target),
    }
}

/// How many files of `findings` a compaction would rewrite now.
pub(crate) fn waiting<'a>(files: impl Iterator<Item = &'a Add>) -> u64 {
    let plan = plan_days(files, CompactOptions::default().target_bytes);
    plan.iter().map(|rewrite| rewrite.inputs.len() as u64).sum()
}

fn without_giant(mut group: Vec<&Add>, target: u64) -> Vec<&Add> {
    let bytes: u64 = group.iter().map(|add| size(add)).sum();
    if let Some((place, largest)) = group.iter().enumerate().max_by_key(|(_, add)| size(add))
        && size(largest) > target / 16
        && (bytes - size(largest)) * 4 < size(largest)
    {
        group.remove(place);
    }
    group
}

fn size(add: &Add) -> u64 {
    add.size.max(0) as u64
}

/// Set by all who take files out of a table, so that of two one starts again.
pub(super) fn maintenance_txn(table_id: &str) -> String {
    format!("{}/maintenance", txn_prefix(table_id))
}

/// How one rewrite ended.
enum Ended {
    Landed(Compacted),
    Lost,
}

impl Lake {
    /// Rewrites the small files of each day of `findings` into one, in slices of event time, with bloom filters on finding ids
    /// and remote addresses; and small files of the other tables, eight or more, in the order of their rows. No row changes, none is
    /// added or lost: their number is compared before the commit.
    ///
    /// Appends may go on meanwhile. When somebody else takes one of the files or compacts too, the rewrite is thrown away and
    /// planned again; after five of those the rest is left for the next time.
    ///
    /// # Errors
    /// [`LakeError::Damaged`] when a file has not the rows that the log says, or when another writer has given the table a
    /// shape that this program cannot write. What was rewritten before stays.
    pub async fn compact(&self, options: CompactOptions) -> Result<Compaction, LakeError> {
        let mut done = Compaction::default();
        for table in Table::ALL {
            self.compact_table(table, options, &mut done).await?;
        }
        Ok(done)
    }

    async fn compact_table(
        &self,
        table: Table,
        options: CompactOptions,
        done: &mut Compaction,
    ) -> Result<(), LakeError> {
        let mut log = self.log(table).await?;
        let mut lost_races = 0;
        let mut plan = plan_compaction(&log, options.target_bytes);
        if options.dry_run {
            done.rewrites.extend(plan.iter().map(Rewrite::planned));
            return Ok(());
        }
        log.refuse_unusable()?;
        plan.reverse();
        while let Some(rewrite) = plan.pop() {
            match self.run_rewrite(&mut log, &rewrite).await? {
                Ended::Landed(compacted) => done.rewrites.push(compacted),
                Ended::Lost => {
                    lost_races += 1;
                    done.lost_races += 1;
                    tracing::info!(
                        table = table.name(),
                        day = rewrite.day,
                        races = lost_races,
                        "another writer came first, planning again"
                    );
                    if lost_races == MAX_RACES {
                        break;
                    }
                    let rest = plan_compaction(&log, options.target_bytes);
                    plan = rest.into_iter().filter(|r| r.day >= rewrite.day).collect();
                    plan.reverse();
                }
            }
        }
        Ok(())
    }

    async fn run_rewrite(&self, log: &mut TableLog, rewrite: &Rewrite) -> Result<Ended, LakeError> {
        let inputs = match fetch(log, &rewrite.inputs).await {
            Ok(inputs) => inputs,
            // Somebody rewrote it, and somebody vacuumed it.
            Err(error) if error.is_not_found() => {
                log.follow().await?;
                let files = &log.state().files;
                let gone = |add: &Add| !files.contains_key(&add.path);
                return match rewrite.inputs.iter().any(gone) {
                    true => Ok(Ended::Lost),
                    false => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        let job = Job {
            table: rewrite.table,
            day: rewrite.day.clone(),
            keep: None,
        };
        let (uri, surroundings) = (log.uri().to_owned(), self.surroundings().clone());
        let written =
            rewritten(move || rewrite::rewrite(&job, &inputs, &uri, &surroundings)).await?;
        let Some(mut file) = written.file else {
            return Ok(Ended::Lost);
        };
        file.add.data_change = false;
        if rewrite.day.is_none() {
            let last = rewrite.inputs.iter().map(|add| add.modification_time).max();
            file.add.modification_time = last.unwrap_or(file.add.modification_time);
        }
        file.store(log.store(), log.uri()).await?;
        let state = log.state();
        let maintenance = maintenance_txn(&state.table_id);
        let now_ms = self.surroundings().now_ms();
        let removed = rewrite.inputs.iter();
        let change = Change {
            adds: vec![file.add.clone()],
            removes: removed.map(|add| Remove::rewritten(add, now_ms)).collect(),
            txns: vec![(maintenance, state.version + 1)],
            info: json!({ "compacted": { "day": rewrite.day, "files": rewrite.inputs.len(), "rows": written.rows } }),
            operation: Operation::Rewrite,
        };
        match log.commit(change).await? {
            Outcome::Committed(version, _) => {
                self.after_commit(rewrite.table, version);
                Ok(Ended::Landed(Compacted {
                    bytes_after: Some(size(&file.add)),
                    rows: written.rows,
                    version: Some(version),
                    ..rewrite.planned()
                }))
            }
            Outcome::Overtaken(_) => {
                forget(log, &file.add).await;
                Ok(Ended::Lost)
            }
        }
    }
}

/// Deletes a file that nobody can name any more. If this fails, vacuum finds it.
pub(super) async fn forget(log: &TableLog, add: &Add) {
    if let Ok(path) = Path::from_url_path(&add.path) {
        let _ = log.store().delete(&path).await;
    }
}

/// Does the work of a rewrite where it holds nobody up.
pub(super) async fn rewritten(
    work: impl FnOnce() -> Result<rewrite::Written, LakeError> + Send + 'static,
) -> Result<rewrite::Written, LakeError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(written) => written,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

pub(super) async fn fetch(log: &TableLog, adds: &[Add]) -> Result<Vec<Input>, LakeError> {
    // Boxed one by one: the compiler cannot see that a closure's future is Send for every lifetime.
    let reads: Vec<_> = adds
        .iter()
        .map(|add| fetch_one(log.store(), log.uri(), add).boxed())
        .collect();
    futures::stream::iter(reads)
        .buffered(READS)
        .try_collect()
        .await
}

async fn fetch_one(store: &dyn ObjectStore, uri: &str, add: &Add) -> Result<Input, LakeError> {
    let path = Path::from_url_path(&add.path).map_err(|e| LakeError::Damaged {
        what: add.path.clone(),
        uri: uri.to_owned(),
        reason: e.to_string(),
    })?;
    let read = async { store.get(&path).await?.bytes().await };
    let bytes = read.await.map_err(|source| LakeError::Store {
        doing: format!("read {path}"),
        uri: uri.to_owned(),
        source,
    })?;
    Ok(Input {
        path: add.path.clone(),
        rows: add.rows(),
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files as `(day, size)`, in the order in which they were written, and which of them are rewritten together.
    fn check(files: &[(i32, i64)], expected: &[&[usize]]) {
        let adds: Vec<_> = files
            .iter()
            .enumerate()
            .map(|(index, (day, size))| Add {
                path: format!("{index}"),
                partition_values: [("event_date".to_owned(), Some(day_text(*day)))].into(),
                size: *size,
                modification_time: index as i64,
                data_change: true,
                stats: None,
            })
            .collect();
        let plan = plan_days(adds.iter().rev(), 1_600);
        let index = |add: &Add| add.path.parse::<usize>().unwrap();
        let found: Vec<Vec<_>> = plan
            .iter()
            .map(|rewrite| rewrite.inputs.iter().map(index).collect())
            .collect();
        assert_eq!(found, expected, "{files:?}");
    }

    #[test]
    fn small_files_of_a_day_go_together_until_the_target_is_full() {
        check(&[], &[]);
        check(&[(1, 10)], &[]);
        check(&[(1, 10), (2, 10)], &[]);
        check(&[(2, 10), (1, 20), (2, 30), (1, 40)], &[&[1, 3], &[0, 2]]);
        check(&[(1, 799), (1, 800), (1, 799)], &[&[0, 2]]);
        check(
            &[(1, 700), (1, 700), (1, 700), (1, 600)],
            &[&[0, 1], &[2, 3]],
        );
        check(&[(1, 700), (1, 700), (1, 700)], &[&[0, 1]]);
    }

    #[test]
    fn a_large_file_waits_for_a_quarter_of_its_weight() {
        check(&[(1, 700), (1, 50), (1, 60)], &[&[1, 2]]);
        check(&[(1, 700), (1, 50)], &[]);
        check(&[(1, 700), (1, 100), (1, 75)], &[&[0, 1, 2]]);
        check(&[(1, 100), (1, 1)], &[&[0, 1]]);
    }

    /// Files as sizes, in the order in which they were written, and which of them, from and up to, are rewritten together.
    fn check_log(files: &[i64], expected: &[(usize, usize)]) {
        let add = |(index, size): (usize, &i64)| Add {
            path: format!("{index:03}"),
            partition_values: [].into(),
            size: *size,
            modification_time: index as i64 / 2,
            data_change: true,
            stats: None,
        };
        let adds: Vec<_> = files.iter().enumerate().map(add).collect();
        let plan = plan_log(Table::AlertLog, adds.iter().rev(), 1_600);
        let index = |add: &Add| add.path.parse::<usize>().unwrap();
        let found: Vec<Vec<_>> = plan
            .iter()
            .map(|rewrite| rewrite.inputs.iter().map(index).collect())
            .collect();
        let expected: Vec<Vec<_>> = expected.iter().map(|(a, b)| (*a..*b).collect()).collect();
        assert_eq!(found, expected, "{files:?}");
    }

    #[test]
    fn files_of_a_log_stay_in_order() {
        check_log(&[1; 7], &[]);
        check_log(&[1; 9], &[(0, 9)]);
        // A large one parts those before it from those after it.
        let mut parted = vec![1; 8];
        parted.push(800);
        parted.extend([1; 10]);
        check_log(&parted, &[(0, 8), (9, 19)]);
        // What was made before waits for a quarter of its weight.
        let mut grown = vec![700];
        grown.extend([10; 10]);
        check_log(&grown, &[(1, 11)]);
        grown.extend([10; 10]);
        check_log(&grown, &[(0, 21)]);
        check_log(&[200; 16], &[(0, 8), (8, 16)]);
    }
}
