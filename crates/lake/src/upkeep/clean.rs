//! The log's own upkeep: checkpoints, so that opening stays quick, and clean-up of what they replace.

use std::collections::BTreeSet;

use deltalake::protocol::checkpoints;
use object_store::path::Path;

use super::DAY;
use super::vacuum::delete;
use crate::log::replay::{self, Listing};
use crate::{Lake, LakeError, Table};

/// Commits between checkpoints of a table's log.
pub(crate) const CHECKPOINT_EVERY: i64 = 100;
/// Microseconds that the files of a log are kept at least: its history, and the patience with writers that sleep.
pub(crate) const LOG_RETENTION: i64 = 30 * DAY;
/// Checkpoints that must be readable before anything below the older of them is deleted.
const READABLE: usize = 2;

impl Lake {
    /// Tells whoever waits for commits. Writes a checkpoint in the background now and then, so that opening stays quick, and deletes what
    /// it replaces; a failure of that costs only time.
    pub(crate) fn after_commit(&self, table: Table, version: i64) {
        self.committed(table, version);
        if !self.surroundings().checkpoints || version == 0 || version % CHECKPOINT_EVERY != 0 {
            return;
        }
        let lake = self.clone();
        tokio::spawn(async move {
            if let Err(error) = lake.checkpoint(table).await {
                tracing::warn!(table = table.name(), version, %error, "checkpoint was not written");
            } else if let Err(error) = lake.clean_log(table, false).await {
                tracing::warn!(table = table.name(), version, %error, "log was not cleaned up");
            }
        });
    }

    /// Writes a checkpoint of a table's newest version, which is returned. A checkpoint that stands in the way because it
    /// cannot be read is taken away.
    pub async fn checkpoint(&self, table: Table) -> Result<i64, LakeError> {
        let delta = match self.reader(table).await {
            Ok(delta) => delta,
            Err(error) if self.mend_log(table, false).await? == 0 => return Err(error),
            Err(_) => self.reader(table).await?,
        };
        checkpoints::create_checkpoint(&delta, None)
            .await
            .map_err(|source| self.delta(table, "write a checkpoint", source))?;
        Ok(delta.version().map_or(0, |version| version as i64))
    }

    /// Deletes commits and checkpoints that are older than [`LOG_RETENTION`] and that nobody needs to open the table, even
    /// if the newest checkpoint were lost; and at any age checkpoints that cannot be read. Returns how many files that are; in a dry run they stay.
    pub(crate) async fn clean_log(&self, table: Table, dry_run: bool) -> Result<u64, LakeError> {
        let mended = self.mend_log(table, dry_run).await?;
        let (store, uri) = (self.store(table), self.table_url(table));
        let listing = replay::list(store.as_ref(), &uri).await?;
        let before = (self.surroundings().now)() - LOG_RETENTION;
        let newest = listing.checkpoints.keys().rev().nth(READABLE - 1);
        if newest.is_none_or(|floor| plan_clean_up(&listing, *floor, before).is_empty()) {
            return Ok(mended);
        }
        let mut readable = BTreeSet::new();
        for (version, parts) in listing.checkpoints.iter().rev() {
            match replay::read_checkpoint(store.as_ref(), &uri, *version, parts).await? {
                Ok(_) => readable.insert(*version),
                Err(reason) => {
                    tracing::warn!(uri, version, reason, "checkpoint cannot be read");
                    continue;
                }
            };
            if readable.len() == READABLE {
                break;
            }
        }
        let Some(floor) = readable.first().filter(|_| readable.len() == READABLE) else {
            return Ok(mended);
        };
        let old = plan_clean_up(&listing, *floor, before);
        let count = old.len() as u64;
        if !dry_run {
            delete(&store, &uri, old).await?;
        }
        Ok(mended + count)
    }
}

/// The files of a log that are of versions below `floor` and were last modified before `before`, in UTC microseconds.
fn plan_clean_up(listing: &Listing, floor: i64, before: i64) -> Vec<Path> {
    let files = listing.files.iter();
    files
        .filter(|(version, object)| {
            *version < floor && object.last_modified.timestamp_micros() < before
        })
        .map(|(_, object)| object.location.clone())
        .collect()
}
