//! Mending a log: a checkpoint that cannot be read, or a pointer to one that is gone, stops other readers of Delta. Ours goes
//! round it, and shows that the table can do without; then it can be taken away.

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::Deserialize;

use super::vacuum::delete;
use crate::log::TableLog;
use crate::log::replay;
use crate::{Lake, LakeError, Table};

/// Where delta-rs and Spark look first (Delta protocol, "Last Checkpoint File").
const POINTER: &str = "_delta_log/_last_checkpoint";

/// Something in a log that only other readers stumble over.
pub(crate) struct Stumble {
    /// Files to take away.
    paths: Vec<Path>,
    /// What is wrong with them.
    pub(crate) what: String,
}

impl Lake {
    /// Takes away what other readers of a table stumble over, once the table is seen to open without it. Returns how many
    /// files that are; in a dry run they stay.
    pub(super) async fn mend_log(&self, table: Table, dry_run: bool) -> Result<u64, LakeError> {
        let (store, uri) = (self.store(table), self.table_url(table));
        let stumbles = stumbles(store.as_ref(), &uri).await?;
        if stumbles.is_empty() {
            return Ok(0);
        }
        // Opening reads all that is not damaged, and fails where that is not enough.
        let log: TableLog = self.log(table).await?;
        log.refuse_unusable()?;
        let paths: Vec<Path> = stumbles.iter().flat_map(|s| s.paths.clone()).collect();
        let count = paths.len() as u64;
        if !dry_run {
            for stumble in stumbles {
                tracing::warn!(uri, what = stumble.what, "taken out of the log");
            }
            delete(&store, &uri, paths).await?;
        }
        Ok(count)
    }
}

/// What other readers of a log stumble over: checkpoints that cannot be read, and a pointer to a checkpoint that is not there.
pub(crate) async fn stumbles(
    store: &dyn ObjectStore,
    uri: &str,
) -> Result<Vec<Stumble>, LakeError> {
    let mut listing = replay::list(store, uri).await?;
    let mut found = Vec::new();
    while let Some((version, paths)) = listing.checkpoints.pop_last() {
        match replay::read_checkpoint(store, uri, version, &paths).await? {
            // Readers begin at the newest: older ones matter only when it is taken away.
            Ok(_) => {
                listing.checkpoints.insert(version, paths);
                break;
            }
            Err(reason) => {
                let what = format!("checkpoint {version} cannot be read: {reason}");
                found.push(Stumble { paths, what });
            }
        }
    }
    if let Some(version) = pointed_at(store, uri).await?
        && !listing.checkpoints.contains_key(&version)
    {
        let what = format!("`_last_checkpoint` points at checkpoint {version}, which is no use");
        let paths = vec![Path::from(POINTER)];
        found.push(Stumble { paths, what });
    }
    Ok(found)
}

/// The version that the pointer names. Readers leave out a pointer that makes no sense.
async fn pointed_at(store: &dyn ObjectStore, uri: &str) -> Result<Option<i64>, LakeError> {
    #[derive(Deserialize)]
    struct Pointer {
        version: i64,
    }
    let read = async { store.get(&Path::from(POINTER)).await?.bytes().await };
    match read.await {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)
            .ok()
            .map(|Pointer { version }| version)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(source) => Err(LakeError::Store {
            doing: format!("read {POINTER}"),
            uri: uri.to_owned(),
            source,
        }),
    }
}
