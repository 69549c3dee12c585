//! Vacuum: files that no version needs any more, and that nobody can be about to commit, are deleted.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::DAY;
use crate::log::replay::{self, Replay};
use crate::{Lake, LakeError, Table};

/// The least time, in microseconds, that files which no version names are kept unless forced: a writer may have stored one
/// that it has not committed yet, and a reader may still be reading one that was rewritten.
pub const MIN_RETENTION: i64 = 7 * DAY;

/// What vacuum may delete.
#[derive(Debug, Clone, Copy)]
pub struct VacuumOptions {
    /// Microseconds since a file was written, and since it was removed from the table: younger ones stay.
    pub older_than: i64,
    /// Say what would be deleted, and delete nothing.
    pub dry_run: bool,
    /// Allow less than [`MIN_RETENTION`]. Rows are lost if a writer is at work: its next commit names a file that is gone.
    pub force: bool,
}

impl Default for VacuumOptions {
    /// Seven days.
    fn default() -> Self {
        VacuumOptions {
            older_than: MIN_RETENTION,
            dry_run: false,
            force: false,
        }
    }
}

/// What was deleted of a table; in a dry run, what would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vacuumed {
    /// Which.
    pub table: Table,
    /// Data files, relative to the table's folder.
    pub files: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
    /// Commits and checkpoints.
    pub log_files: u64,
}

impl Lake {
    /// Deletes data files of all tables that no version needs, and old entries of their logs.
    ///
    /// A data file goes when the newest version does not name it, it was written longer than `older_than` ago by the store's
    /// clock against the lake's, and it was not removed from the table since. Names that begin with `_` or `.` are left alone,
    /// at any depth. Entries of the log go when they are older than 30 days and two checkpoints after them can be read.
    ///
    /// # Errors
    /// [`LakeError::Retention`] when `older_than` is under seven days and not forced.
    pub async fn vacuum(&self, options: VacuumOptions) -> Result<Vec<Vacuumed>, LakeError> {
        if options.older_than < MIN_RETENTION && !options.force {
            return Err(LakeError::Retention);
        }
        let mut done = Vec::new();
        for table in Table::ALL {
            let old = self.unneeded(table, options.older_than).await?;
            if !options.dry_run {
                let paths = old.iter().map(|object| object.location.clone()).collect();
                delete(&self.store(table), &self.table_url(table), paths).await?;
            }
            done.push(Vacuumed {
                table,
                bytes: old.iter().map(|object| object.size).sum(),
                files: old.iter().map(|o| o.location.to_string()).collect(),
                log_files: self.clean_log(table, options.dry_run).await?,
            });
        }
        Ok(done)
    }

    async fn unneeded(&self, table: Table, older_than: i64) -> Result<Vec<ObjectMeta>, LakeError> {
        let (store, uri) = (self.store(table), self.table_url(table));
        // Listed before the log is read: a file that was committed in between is named by then.
        let objects: Vec<ObjectMeta> =
            store
                .list(None)
                .try_collect()
                .await
                .map_err(|source| LakeError::Store {
                    doing: "list data files".to_owned(),
                    uri: uri.clone(),
                    source,
                })?;
        let Some(Replay { state, removed }) = replay::load(store.as_ref(), &uri).await? else {
            return Ok(vec![]);
        };
        let named = |path: &String| {
            Path::from_url_path(path).map_err(|e| LakeError::Damaged {
                what: path.clone(),
                uri: uri.clone(),
                reason: e.to_string(),
            })
        };
        let active = state.files.keys().map(named);
        let active = active.collect::<Result<HashSet<_>, _>>()?;
        let removed = removed
            .iter()
            .map(|(path, at_ms)| Ok((named(path)?, at_ms.saturating_mul(1_000))));
        let removed = removed.collect::<Result<HashMap<_, _>, LakeError>>()?;
        let before = (self.surroundings().now)() - older_than;
        Ok(plan_vacuum(objects, &active, &removed, before))
    }
}

/// Which objects of a table to delete: those that are not active, and were neither written nor removed since `before`
/// (UTC microseconds; `removed` likewise).
fn plan_vacuum(
    objects: Vec<ObjectMeta>,
    active: &HashSet<Path>,
    removed: &HashMap<Path, i64>,
    before: i64,
) -> Vec<ObjectMeta> {
    let is_hidden = |path: &Path| {
        path.parts()
            .any(|part| part.as_ref().starts_with(['_', '.']))
    };
    let is_old = |object: &ObjectMeta| {
        object.last_modified.timestamp_micros() <= before
            && removed.get(&object.location).is_none_or(|at| *at <= before)
    };
    let mut old: Vec<_> = objects
        .into_iter()
        .filter(|object| !active.contains(&object.location) && !is_hidden(&object.location))
        .filter(is_old)
        .collect();
    old.sort_by(|a, b| a.location.cmp(&b.location));
    old
}

/// Deletes objects, many in a request where the store can. What is gone already is as good.
pub(super) async fn delete(
    store: &Arc<dyn ObjectStore>,
    uri: &str,
    paths: Vec<Path>,
) -> Result<(), LakeError> {
    let paths = futures::stream::iter(paths.into_iter().map(Ok)).boxed();
    let mut deleted = store.delete_stream(paths);
    while let Some(answer) = deleted.next().await {
        match answer {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(source) => {
                return Err(LakeError::Store {
                    doing: "delete old files".to_owned(),
                    uri: uri.to_owned(),
                    source,
                });
            }
        }
    }
    Ok(())
}
