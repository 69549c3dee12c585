//! Reading a whole log once: the newest checkpoint, then the commits after it.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::action::{self, Add};
use super::{State, commit_path};
use crate::LakeError;

/// Replays the log under `store`; `None` when there is none.
pub(crate) async fn load(store: &dyn ObjectStore, uri: &str) -> Result<Option<State>, LakeError> {
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

    let mut state = State {
        version: -1,
        ..State::default()
    };
    // A torn checkpoint is skipped: an older one, or the commits alone, say the same.
    for (version, parts) in listing.checkpoints.iter().rev() {
        match read_checkpoint(store, parts).await {
            Ok(read) => {
                state = State {
                    version: *version,
                    ..read
                };
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
    for version in state.version + 1..=newest {
        let path = commit_path(version);
        let bytes = get(store, &path).await.map_err(|source| LakeError::Store {
            doing: format!("read {path}"),
            uri: uri.to_owned(),
            source,
        })?;
        let commit =
            action::parse(version, &bytes).map_err(|reason| damaged(path.to_string(), reason))?;
        if let Some(id) = commit.table_id {
            state.table_id = id;
        }
        state.version = version;
        state.txns.extend(commit.txns);
        for path in commit.removes {
            state.files.remove(&path);
        }
        state
            .files
            .extend(commit.adds.into_iter().map(|add| (add.path.clone(), add)));
    }
    if state.table_id.is_empty() {
        return Err(damaged(
            "_delta_log".to_owned(),
            "no metaData action in it".to_owned(),
        ));
    }
    Ok(Some(state))
}

struct Listing {
    /// Versions of commit files, ascending.
    commits: Vec<i64>,
    /// Complete checkpoints by version.
    checkpoints: BTreeMap<i64, Vec<Path>>,
}

async fn list(store: &dyn ObjectStore, uri: &str) -> Result<Listing, LakeError> {
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
    let mut commits = Vec::new();
    let mut found: BTreeMap<(i64, usize), Vec<Path>> = BTreeMap::new();
    for object in objects {
        let name = object.location.filename().unwrap_or_default();
        let Some(version) = name.get(..20).and_then(|digits| digits.parse::<i64>().ok()) else {
            continue;
        };
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
    })
}

async fn get(store: &dyn ObjectStore, path: &Path) -> Result<Bytes, object_store::Error> {
    store.get(path).await?.bytes().await
}

async fn read_checkpoint(store: &dyn ObjectStore, parts: &[Path]) -> Result<State, String> {
    let mut state = State::default();
    for part in parts {
        let bytes = get(store, part).await.map_err(|e| e.to_string())?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|e| e.to_string())?;
        let schema = builder.parquet_schema();
        let wanted = (0..schema.num_columns()).filter(|index| {
            let path = schema.column(*index).path().string();
            [
                "txn.",
                "metaData.id",
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
            read_rows(&batch.map_err(|e| e.to_string())?, &mut state)?;
        }
    }
    if state.table_id.is_empty() {
        Err("it holds no metaData".to_owned())
    } else {
        Ok(state)
    }
}

fn read_rows(batch: &RecordBatch, state: &mut State) -> Result<(), String> {
    let part = |name: &str| {
        batch
            .column_by_name(name)
            .and_then(|column| column.as_struct_opt())
    };
    if let Some(metadata) = part("metaData") {
        for row in (0..metadata.len()).filter(|row| metadata.is_valid(*row)) {
            state.table_id = text(metadata, "id", row).unwrap_or_default();
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
