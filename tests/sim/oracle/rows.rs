//! Rows: each says which record it came from, and that record says the same. Every version that was read is there, once.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::gaps::Lost;
use super::log::{Log, actions};
use crate::sim::documents::{Kind, Version};
use crate::sim::kinesis::{Life, Put};

/// A record: source, shard, sequence number.
pub(super) type Place = (String, String, String);

/// What the tables hold.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) findings: Vec<(Place, i64, Version)>,
    pub(super) rejects: Vec<Place>,
}

impl Stored {
    pub(super) async fn read(disk: &InMemory, log: &Log) -> Stored {
        let mut stored = Stored::default();
        for path in log.files() {
            let names = [
                "source",
                "shard_id",
                "sequence_number",
                "sub_sequence",
                "account_id",
                "region",
                "finding_id",
                "updated_at",
                "count",
            ];
            for batch in batches(disk, &format!("findings/{path}"), &names).await {
                let text = |name: &str, row| column(&batch, name).as_string::<i32>().value(row).to_owned();
                let updated = column(&batch, "updated_at").as_primitive::<TimestampMicrosecondType>();
                let counts = column(&batch, "count").as_primitive::<Int64Type>();
                let subs = column(&batch, "sub_sequence").as_primitive::<Int64Type>();
                stored.findings.extend((0..batch.num_rows()).map(|row| {
                    let second = updated.value(row).div_euclid(1_000_000);
                    let version = (
                        text("account_id", row),
                        text("region", row),
                        text("finding_id", row),
                        second,
                        counts.value(row),
                    );
                    let place = (text("source", row), text("shard_id", row), text("sequence_number", row));
                    (place, subs.value(row), version)
                }));
            }
        }
        for path in reject_files(disk).await {
            let names = ["source", "shard_id", "sequence_number"];
            for batch in batches(disk, &format!("rejects/{path}"), &names).await {
                let text = |name: &str, row| column(&batch, name).as_string::<i32>().value(row).to_owned();
                let place = |row| (text("source", row), text("shard_id", row), text("sequence_number", row));
                stored.rejects.extend((0..batch.num_rows()).map(place));
            }
        }
        stored
    }

    pub(super) fn complaints(&self, log: &Log, lives: &[Life], lost: &Lost) -> Vec<String> {
        let mut complaints = Vec::new();
        let puts = puts(lives);
        let mut versions = BTreeSet::new();
        for (place, sub, version) in &self.findings {
            if !versions.insert(version) {
                complaints.push(format!("{version:?} is stored twice, once from {place:?}"));
            }
            if !puts.get(place).is_some_and(|put| holds(put, *sub, version)) {
                complaints.push(format!("{place:?} never held {version:?} as its user record {sub}"));
            }
        }
        let mut rejects: BTreeMap<&Place, usize> = BTreeMap::new();
        for place in &self.rejects {
            *rejects.entry(place).or_default() += 1;
        }
        for (place, put) in &puts {
            let wanted = put.documents.iter().filter(|kind| **kind == Kind::Reject).count();
            let found = rejects.remove(place).unwrap_or(0);
            let is_read = read(log, place) && !lost.records.contains(place);
            // A reject is stored before the position moves on: when the record is lost after that, it stays.
            if found != wanted && (is_read || found != 0) {
                complaints.push(format!("{found} rejects from {place:?}, {wanted} expected"));
            }
            for kind in put.documents.iter().filter(|_| is_read) {
                if let Kind::Finding(version) = kind
                    && !versions.contains(version)
                {
                    complaints.push(format!("{version:?} of {place:?} is missing"));
                }
            }
        }
        complaints.extend(rejects.keys().map(|place| format!("nobody put the reject of {place:?}")));
        complaints
    }
}

/// Whether a record holds a version, as the user record of this number when it is an aggregate.
fn holds(put: &Put, sub: i64, version: &Version) -> bool {
    let wanted = Kind::Finding(version.clone());
    if put.is_aggregate {
        put.documents.get(sub as usize) == Some(&wanted)
    } else {
        sub == 0 && put.documents.contains(&wanted)
    }
}

/// Whether a record lies at or before its shard's position.
fn read(log: &Log, (source, shard, number): &Place) -> bool {
    let reached = log.position(source, shard).and_then(|step| step.sequence_number.as_ref());
    reached.is_some_and(|reached| number <= reached)
}

fn puts(lives: &[Life]) -> BTreeMap<Place, &Put> {
    let mut puts = BTreeMap::new();
    for life in lives {
        for shard in &life.shards {
            for put in &shard.records {
                let place = (life.source.clone(), shard.id.clone(), put.sequence_number.clone());
                puts.insert(place, put);
            }
        }
    }
    puts
}

async fn reject_files(disk: &InMemory) -> Vec<String> {
    let mut files = Vec::new();
    for version in 0.. {
        let Some(actions) = actions(disk, "rejects", version).await else { break };
        let paths = actions.iter().filter_map(|action| action["add"]["path"].as_str());
        files.extend(paths.map(str::to_owned));
    }
    files
}

async fn batches(disk: &InMemory, path: &str, names: &[&str]) -> Vec<arrow::array::RecordBatch> {
    let path = Path::from_url_path(path).expect("the log names paths");
    let got = disk.get(&path).await.unwrap_or_else(|e| panic!("{path}: {e}"));
    let bytes = got.bytes().await.expect("memory can be read");
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a data file is Parquet");
    let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
    let reader = builder.with_projection(mask).build().expect("a data file can be read");
    reader.map(|batch| batch.expect("a data file can be read")).collect()
}

fn column<'a>(batch: &'a arrow::array::RecordBatch, name: &str) -> &'a arrow::array::ArrayRef {
    batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"))
}
