//! How the tables of a lake are, from their logs alone: nothing is made, mended or moved by looking.

use futures::future::try_join_all;

use crate::log::{TableLog, replay};
use crate::position;
use crate::upkeep::waiting;
use crate::writer::txn_prefix;
use crate::{LakeError, Location, ShardInfo, Surroundings, Table};

/// What the log of a table tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkup {
    /// Which table.
    pub table: Table,
    /// Its newest version.
    pub version: i64,
    /// When that was written, UTC microseconds by the store's clock.
    pub written_at: Option<i64>,
    /// The reader and the writer version of the Delta protocol that it asks for.
    pub protocol: (i32, i32),
    /// Why this program may not write to it.
    pub refusal: Option<String>,
    /// Columns that an older version of this program did not make; they come when the lake is opened.
    pub lacking: usize,
    /// Active data files.
    pub files: u64,
    /// How many of them a compaction would rewrite now; 0 for tables that are not compacted.
    pub waiting: u64,
    /// Commits since the newest checkpoint: what has to be read to open it.
    pub since_checkpoint: u64,
    /// Files in the log's folder.
    pub log_files: u64,
    /// How far each shard is stored; of `findings` only.
    pub positions: Vec<ShardInfo>,
}

/// Looks at all tables of the lake at `uri`. Tables that an older version of this program did not make are left out.
///
/// # Errors
/// [`LakeError::Missing`] where there is no lake.
pub async fn checkup(uri: &str) -> Result<Vec<Checkup>, LakeError> {
    let location = Location::parse(uri)?;
    let all = try_join_all(Table::ALL.map(|table| one(&location, table))).await?;
    let all: Vec<Checkup> = all.into_iter().flatten().collect();
    match all.iter().any(|checkup| checkup.table == Table::Findings) {
        true => Ok(all),
        false => Err(LakeError::Missing {
            uri: location.shown().to_owned(),
        }),
    }
}

async fn one(location: &Location, table: Table) -> Result<Option<Checkup>, LakeError> {
    let is_there = |root: std::path::PathBuf| root.join(table.name()).join("_delta_log").is_dir();
    if location.local_path().is_some_and(|root| !is_there(root)) {
        return Ok(None);
    }
    let (store, uri) = (
        location.log_store(table, false)?,
        location.table_url(table).to_string(),
    );
    let Some(log) = TableLog::open(table, &store, &uri, &Surroundings::default()).await? else {
        return Ok(None);
    };
    let listing = replay::list(log.store(), &uri).await?;
    let state = log.state();
    let newest = listing
        .files
        .iter()
        .filter(|(version, _)| *version == state.version);
    let written_at = newest
        .map(|(_, file)| file.last_modified.timestamp_micros())
        .min();
    let checkpoint = listing
        .checkpoints
        .keys()
        .next_back()
        .copied()
        .unwrap_or(-1);
    let is_findings = table == Table::Findings;
    let positions = match is_findings {
        true => position::all(&state.txns, &txn_prefix(&state.table_id)),
        false => Vec::new(),
    };
    Ok(Some(Checkup {
        table,
        version: state.version,
        written_at,
        protocol: log.protocol(),
        refusal: log.refusal().map(str::to_owned),
        lacking: log.lacking().len(),
        files: state.files.len() as u64,
        waiting: if is_findings {
            waiting(state.files.values())
        } else {
            0
        },
        since_checkpoint: (state.version - checkpoint).max(0) as u64,
        log_files: listing.files.len() as u64,
        positions: (positions.into_iter())
            .map(|(shard, position)| ShardInfo { shard, position })
            .collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lake;

    #[tokio::test]
    async fn a_new_lake_is_looked_at_and_an_absent_one_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lake");
        let uri = root.to_str().unwrap();
        assert!(matches!(checkup(uri).await, Err(LakeError::Missing { .. })));
        assert!(!root.exists());
        Lake::open_or_create(uri).await.unwrap();
        let all = checkup(uri).await.unwrap();
        assert_eq!(all.len(), Table::ALL.len());
        for table in &all {
            assert_eq!(
                (table.version, table.protocol, table.lacking),
                (0, (1, 2), 0)
            );
            assert_eq!(
                (&table.refusal, table.since_checkpoint, table.log_files),
                (&None, 1, 1)
            );
            assert!(table.written_at.is_some_and(|at| at > 0));
        }
    }
}
