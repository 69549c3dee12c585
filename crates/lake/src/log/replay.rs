//! Reading a whole log once: the newest checkpoint, then the commits after it.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::datatypes::{Int32Type, Int64Type};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::action::{self, Add};
use super::shape::{Metadata, Protocol};
use super::{State, commit_path};
use crate::LakeError;

/// Commits that are asked for at once.
const AT_ONCE: usize = 16;

/// What the whole log says.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// At the newest version.
    pub(crate) state: State,
    /// Files that were removed and when, in milliseconds since the epoch: those that the newest checkpoint still knows of
    /// (delta-rs forgets a removal after a week) and those removed since.
    pub(crate) removed: HashMap<String, i64>,
}

/// Replays the log under `store`; `None` when there is none.
pub(crate) async fn load(store: &dyn ObjectStore, uri: &str) -> Result<Option<Replay>, LakeError> {
    let listing = list(store, uri).await?;
    let Some(newest) = listing
        .commits
        .last()
        .copied()
        .max(listing.checkpoints.keys().next_back().copied())
    else {
        return Ok(None);
    };
    let damaged = |what: String, reason: String| LakeError::Damaged {
        what,
        uri: uri.to_owned(),
        reason,
    };

    let mut replay = Replay::default();
    replay.state.version = -1;
    // A torn checkpoint is skipped: an older one, or the commits alone, say the same.
    for (version, parts) in listing.checkpoints.iter().rev() {
        match read_checkpoint(store, uri, *version, parts).await? {
            Ok(read) => {
                replay = read;
                break;
            }
            Err(reason) => tracing::warn!(
                uri,
                version,
                reason,
                "checkpoint cannot be read, trying an older one"
            ),
        }
    }
    let after = replay.state.version + 1..=newest;
    let commits = after.map(|version| async move {
        let path = commit_path(version);
        Ok::<_, LakeError>((version, get(store, uri, &path).await?, path))
    });
    let mut commits = futures::stream::iter(commits).buffered(AT_ONCE);
    while let Some((version, bytes, path)) = commits.try_next().await? {
        let commit =
            action::parse(version, &bytes).map_err(|reason| damaged(path.to_string(), reason))?;
        replay.state.apply(&commit);
        for remove in commit.removes {
            let at = remove.deletion_timestamp.unwrap_or(0);
            replay.removed.insert(remove.path, at);
        }
    }
    if replay.state.table_id.is_empty() {
        return Err(damaged(
            "_delta_log".to_owned(),
            "no metaData action in it".to_owned(),
        ));
    }
    Ok(Some(replay))
}

/// What lies in the log's folder.
pub(crate) struct Listing {
    /// Versions of commit files, ascending.
    commits: Vec<i64>,
    /// Complete checkpoints by version, with their parts.
    pub(crate) checkpoints: BTreeMap<i64, Vec<Path>>,
    /// Commits, checkpoints and checksums with their versions.
    pub(crate) files: Vec<(i64, ObjectMeta)>,
}

/// Lists the log's folder.
pub(crate) async fn list(store: &dyn ObjectStore, uri: &str) -> Result<Listing, LakeError> {
    let folder = Path::from("_delta_log");
    let objects: Vec<_> = store
        .list(Some(&folder))
        .try_collect()
        .await
        .map_err(|source| LakeError::Store {
            doing: "list the log".to_owned(),
            uri: uri.to_owned(),
            source,
        })?;
    let (mut commits, mut files) = (Vec::new(), Vec::new());
    let mut found: BTreeMap<(i64, usize), Vec<Path>> = BTreeMap::new();
    for object in objects {
        let name = object.location.filename().unwrap_or_default();
        let Some(version) = version_of(name) else {
            continue;
        };
        files.push((version, object.clone()));
        match name
            .get(21..)
            .map(|rest| rest.split('.').collect::<Vec<_>>())
            .as_deref()
        {
            Some(["json"]) => commits.push(version),
            Some(["checkpoint", "parquet"]) => {
                found.entry((version, 1)).or_default().push(object.location)
            }
            Some(["checkpoint", _, parts, "parquet"]) => {
                let parts = parts.parse().unwrap_or(usize::MAX);
                found
                    .entry((version, parts))
                    .or_default()
                    .push(object.location);
            }
            _ => {}
        }
    }
    commits.sort_unstable();
    let checkpoints = found
        .into_iter()
        .filter(|((_, parts), paths)| paths.len() == *parts)
        .map(|((v, _), paths)| (v, paths))
        .collect();
    Ok(Listing {
        commits,
        checkpoints,
        files,
    })
}

/// The version that a file of the log is of: `7` of `00000000000000000007.json`.
pub(crate) fn version_of(name: &str) -> Option<i64> {
    name.get(..20)?.parse().ok()
}

async fn get(store: &dyn ObjectStore, uri: &str, path: &Path) -> Result<Bytes, LakeError> {
    let read = async { store.get(path).await?.bytes().await };
    read.await.map_err(|source| LakeError::Store {
        doing: format!("read {path}"),
        uri: uri.to_owned(),
        source,
    })
}

/// Reads a checkpoint. The inner error says what is wrong with its bytes; the outer one that the store would not give them.
pub(crate) async fn read_checkpoint(
    store: &dyn ObjectStore,
    uri: &str,
    version: i64,
    parts: &[Path],
) -> Result<Result<Replay, String>, LakeError> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.push(get(store, uri, part).await?);
    }
    Ok(parse_checkpoint(version, bytes))
}

fn parse_checkpoint(version: i64, parts: Vec<Bytes>) -> Result<Replay, String> {
    let mut replay = Replay::default();
    replay.state.version = version;
    for bytes in parts {
        // Types as Parquet has them, not as their writer had them in memory.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)
            .map_err(|e| e.to_string())?;
        let schema = builder.parquet_schema();
        let wanted = (0..schema.num_columns()).filter(|index| {
            let path = schema.column(*index).path().string();
            [
                "txn.",
                "metaData.id",
                "metaData.schemaString",
                "metaData.partitionColumns",
                "protocol.minReaderVersion",
                "protocol.minWriterVersion",
                "protocol.writerFeatures",
                "remove.path",
                "remove.deletionTimestamp",
                "add.path",
                "add.partitionValues",
                "add.size",
                "add.modificationTime",
                "add.stats",
            ]
            .iter()
            .any(|prefix| path.starts_with(prefix) && !path.starts_with("add.stats_parsed"))
        });
        let mask = ProjectionMask::leaves(schema, wanted.collect::<Vec<_>>());
        for batch in builder
            .with_projection(mask)
            .build()
            .map_err(|e| e.to_string())?
        {
            read_rows(&batch.map_err(|e| e.to_string())?, &mut replay)?;
        }
    }
    if replay.state.table_id.is_empty() {
        Err("it holds no metaData".to_owned())
    } else {
        Ok(replay)
    }
}

fn read_rows(batch: &RecordBatch, replay: &mut Replay) -> Result<(), String> {
    let Replay { state, removed } = replay;
    let part = |name: &str| {
        batch
            .column_by_name(name)
            .and_then(|column| column.as_struct_opt())
    };
    if let Some(metadata) = part("metaData") {
        for row in (0..metadata.len()).filter(|row| metadata.is_valid(*row)) {
            state.table_id = text(metadata, "id", row).unwrap_or_default();
            state.metadata = Metadata {
                id: state.table_id.clone(),
                schema_string: text(metadata, "schemaString", row).unwrap_or_default(),
                partition_columns: texts(metadata, "partitionColumns", row).unwrap_or_default(),
            };
        }
    }
    if let Some(protocol) = part("protocol") {
        for row in (0..protocol.len()).filter(|row| protocol.is_valid(*row)) {
            let version = |name: &str| {
                protocol
                    .column_by_name(name)
                    .and_then(|column| column.as_primitive_opt::<Int32Type>())
                    .map_or(0, |column| column.value(row))
            };
            state.protocol = Protocol {
                min_reader_version: version("minReaderVersion"),
                min_writer_version: version("minWriterVersion"),
                writer_features: texts(protocol, "writerFeatures", row),
            };
        }
    }
    if let Some(remove) = part("remove") {
        for row in (0..remove.len()).filter(|row| remove.is_valid(*row)) {
            if let Some(path) = text(remove, "path", row) {
                removed.insert(path, number(remove, "deletionTimestamp", row).unwrap_or(0));
            }
        }
    }
    if let Some(txn) = part("txn") {
        for row in (0..txn.len()).filter(|row| txn.is_valid(*row)) {
            if let (Some(id), Some(version)) =
                (text(txn, "appId", row), number(txn, "version", row))
            {
                state.txns.insert(id, version);
            }
        }
    }
    if let Some(add) = part("add") {
        for row in (0..add.len()).filter(|row| add.is_valid(*row)) {
            let path = text(add, "path", row).ok_or("an add action without path")?;
            let add = Add {
                partition_values: partition_values(add, row),
                size: number(add, "size", row).unwrap_or(0),
                modification_time: number(add, "modificationTime", row).unwrap_or(0),
                data_change: true,
                stats: text(add, "stats", row),
                path: path.clone(),
            };
            state.files.insert(path, add);
        }
    }
    Ok(())
}

fn text(part: &StructArray, name: &str, row: usize) -> Option<String> {
    let column = part.column_by_name(name)?.as_string_opt::<i32>()?;
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn texts(part: &StructArray, name: &str, row: usize) -> Option<Vec<String>> {
    let lists = part.column_by_name(name)?.as_list_opt::<i32>()?;
    if lists.is_null(row) {
        return None;
    }
    let values = lists.value(row);
    let values = values.as_string_opt::<i32>()?;
    Some(values.iter().flatten().map(str::to_owned).collect())
}

fn number(part: &StructArray, name: &str, row: usize) -> Option<i64> {
    let column = part.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
    column.is_valid(row).then(|| column.value(row))
}

fn partition_values(add: &StructArray, row: usize) -> HashMap<String, Option<String>> {
    let Some(map) = add
        .column_by_name("partitionValues")
        .and_then(|column| column.as_map_opt())
    else {
        return HashMap::new();
    };
    if map.is_null(row) {
        return HashMap::new();
    }
    let entries = map.value(row);
    let (Some(keys), Some(values)) = (
        entries.column(0).as_string_opt::<i32>(),
        entries.column(1).as_string_opt::<i32>(),
    ) else {
        return HashMap::new();
    };
    (0..entries.len())
        .map(|i| {
            (
                keys.value(i).to_owned(),
                values.is_valid(i).then(|| values.value(i).to_owned()),
            )
        })
        .collect()
}
