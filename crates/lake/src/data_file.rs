//! Data files: batches become zstd Parquet in memory, with the statistics that the Delta log wants.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, LogicalType, ZstdLevel};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value, json};

use crate::log::Add;
use crate::{LakeError, Surroundings, Table};

/// Rows of one row group: two cores can share a day's file, and pages still prune.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// zstd level of what is rewritten once and read for years: a fifth smaller than at level 1, at twice the time of writing.
const PACKED: i32 = 9;
/// Bytes of a page there, before compression, of long texts that are alike from finding to finding: findings that are alike lie together, and a page of
/// raw findings sees some four thousand of them. Who reads one finding unpacks a page, in some milliseconds.
const PACKED_PAGES: [(&str, usize); 3] =
    [("raw", 8 << 20), ("arn", 4 << 20), ("description", 4 << 20)];
/// Rows of a page there: compression begins anew with each.
const PACKED_PAGE_ROWS: usize = 40_000;

/// A finished data file that is not yet stored.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    pub(crate) bytes: Bytes,
    pub(crate) add: Add,
}

impl DataFile {
    /// Uploads the file under its name. Harmless until a commit names it.
    pub(crate) async fn store(&self, store: &dyn ObjectStore, uri: &str) -> Result<(), LakeError> {
        let path = Path::from_url_path(&self.add.path).map_err(|e| LakeError::Damaged {
            what: self.add.path.clone(),
            uri: uri.to_owned(),
            reason: e.to_string(),
        })?;
        store
            .put(&path, self.bytes.clone().into())
            .await
            .map_err(|source| LakeError::Store {
                doing: format!("write {path}"),
                uri: uri.to_owned(),
                source,
            })?;
        Ok(())
    }
}

/// Writes one data file of a table.
pub(crate) struct FileWriter {
    table: Table,
    partition: Vec<(String, String)>,
    writer: ArrowWriter<Vec<u8>>,
}

impl FileWriter {
    /// `schema` is without partition columns; `partition` their values.
    pub(crate) fn new(
        table: Table,
        schema: SchemaRef,
        partition: Vec<(String, String)>,
    ) -> Result<FileWriter, LakeError> {
        FileWriter::with(table, schema, partition, properties(table).build())
    }

    /// The same for what is read often and written seldom: as small as may be, with bloom filters on the columns `blooms`.
    pub(crate) fn packed(
        table: Table,
        schema: SchemaRef,
        partition: Vec<(String, String)>,
        blooms: &[&str],
    ) -> Result<FileWriter, LakeError> {
        let mut builder = properties(table)
            .set_compression(zstd(PACKED))
            .set_data_page_row_count_limit(PACKED_PAGE_ROWS);
        for (column, bytes) in PACKED_PAGES {
            builder = builder.set_column_data_page_size_limit(ColumnPath::from(column), bytes);
        }
        for column in blooms {
            let path = ColumnPath::from(*column);
            builder = builder
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_max_ndv(path, ROW_GROUP_ROWS as u64);
        }
        FileWriter::with(table, schema, partition, builder.build())
    }

    fn with(
        table: Table,
        schema: SchemaRef,
        partition: Vec<(String, String)>,
        properties: WriterProperties,
    ) -> Result<FileWriter, LakeError> {
        let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
        Ok(FileWriter {
            table,
            partition,
            writer,
        })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        Ok(self.writer.write(batch)?)
    }

    /// Bytes held in memory: finished row groups and the one under way.
    pub(crate) fn memory(&self) -> usize {
        self.writer.bytes_written() + self.writer.memory_size()
    }

    /// Ends the file: named and dated by its surroundings.
    pub(crate) fn finish(mut self, surroundings: &Surroundings) -> Result<DataFile, LakeError> {
        let metadata = self.writer.finish()?;
        // The writer is finished but still owns the buffer, and refuses to be finished again by `into_inner`.
        let bytes = Bytes::from(std::mem::take(self.writer.inner_mut()));
        let folder: String = self
            .partition
            .iter()
            .map(|(name, value)| format!("{name}={value}/"))
            .collect();
        let add = Add {
            path: format!("{folder}part-{}.zstd.parquet", surroundings.ids.uuid()),
            partition_values: self
                .partition
                .into_iter()
                .map(|(name, value)| (name, Some(value)))
                .collect::<HashMap<_, _>>(),
            size: bytes.len() as i64,
            modification_time: surroundings.now_ms(),
            data_change: true,
            stats: Some(stats(self.table, &metadata).to_string()),
        };
        Ok(DataFile { bytes, add })
    }
}

/// One file of one batch, for the small tables.
pub(crate) fn single(
    table: Table,
    batch: &RecordBatch,
    surroundings: &Surroundings,
) -> Result<DataFile, LakeError> {
    let mut writer = FileWriter::new(table, batch.schema(), vec![])?;
    writer.write(batch)?;
    writer.finish(surroundings)
}

fn zstd(level: i32) -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default())
}

/// zstd level 1: on findings it is faster than 3 and no larger (`facts/performance.md` section 0). Columns whose values
/// hardly repeat skip the dictionary; only columns that prune get page statistics.
fn properties(table: Table) -> WriterPropertiesBuilder {
    let mut builder = WriterProperties::builder()
        .set_compression(zstd(1))
        .set_created_by(concat!("guardlake ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(false);
    for column in table.stats_columns() {
        builder = builder
            .set_column_statistics_enabled(ColumnPath::from(*column), EnabledStatistics::Page);
    }
    for column in [
        "raw",
        "finding_id",
        "arn",
        "sequence_number",
        "bytes",
        "sql",
        "created_at",
        "updated_at",
        "event_time",
        "event_first_seen",
        "event_last_seen",
    ] {
        builder = builder.set_column_dictionary_enabled(ColumnPath::from(column), false);
    }
    builder
}

/// Delta's per-file statistics from those in the Parquet footer. Text bounds are cut there at 64 bytes, still as bounds.
fn stats(table: Table, metadata: &ParquetMetaData) -> Value {
    let (mut min, mut max, mut nulls) = (Map::new(), Map::new(), Map::new());
    let schema = metadata.file_metadata().schema_descr();
    for index in 0..schema.num_columns() {
        let column = schema.column(index);
        let name = column.path().string();
        if !table.stats_columns().contains(&name.as_str()) {
            continue;
        }
        let micros = matches!(
            column.logical_type_ref(),
            Some(LogicalType::Timestamp { .. })
        );
        let (mut low, mut high, mut null_count, mut known) = (None, None, 0u64, true);
        for group in metadata.row_groups() {
            let Some(statistics) = group.column(index).statistics() else {
                known = false;
                continue;
            };
            null_count += statistics.null_count_opt().unwrap_or(0);
            if statistics.null_count_opt() == Some(group.num_rows() as u64) {
                continue;
            }
            match bounds(statistics) {
                Some((first, last)) => {
                    low = Some(low.map_or(first.clone(), |old: Bound| old.min(first)));
                    high = Some(high.map_or(last.clone(), |old: Bound| old.max(last)));
                }
                None => known = false,
            }
        }
        if known {
            if let (Some(low), Some(high)) = (low, high) {
                min.insert(name.clone(), low.to_json(micros));
                max.insert(name.clone(), high.to_json(micros));
            }
            nulls.insert(name, json!(null_count));
        }
    }
    json!({ "numRecords": metadata.file_metadata().num_rows(), "minValues": min, "maxValues": max, "nullCount": nulls })
}

#[derive(Debug, Clone, PartialEq)]
enum Bound {
    Int(i64),
    Float(f64),
    Text(Arc<str>),
}

impl Bound {
    fn less(&self, other: &Bound) -> bool {
        match (self, other) {
            (Bound::Int(a), Bound::Int(b)) => a < b,
            (Bound::Float(a), Bound::Float(b)) => a < b,
            (Bound::Text(a), Bound::Text(b)) => a < b,
            _ => false,
        }
    }

    fn min(self, other: Bound) -> Bound {
        if other.less(&self) { other } else { self }
    }

    fn max(self, other: Bound) -> Bound {
        if self.less(&other) { other } else { self }
    }

    fn to_json(&self, micros: bool) -> Value {
        match self {
            Bound::Int(value) if micros => json!(timestamp_text(*value)),
            Bound::Int(value) => json!(value),
            Bound::Float(value) => json!(value),
            Bound::Text(value) => json!(&**value),
        }
    }
}

fn bounds(statistics: &Statistics) -> Option<(Bound, Bound)> {
    Some(match statistics {
        Statistics::Int32(s) => (
            Bound::Int((*s.min_opt()?).into()),
            Bound::Int((*s.max_opt()?).into()),
        ),
        Statistics::Int64(s) => (Bound::Int(*s.min_opt()?), Bound::Int(*s.max_opt()?)),
        Statistics::Double(s) => (Bound::Float(*s.min_opt()?), Bound::Float(*s.max_opt()?)),
        Statistics::ByteArray(s) => {
            let text = |bytes: &[u8]| {
                std::str::from_utf8(bytes)
                    .ok()
                    .map(|text| Bound::Text(text.into()))
            };
            (text(s.min_opt()?.data())?, text(s.max_opt()?.data())?)
        }
        _ => return None,
    })
}

/// `2026-11-21T10:00:00.000000Z`, the form that Delta's statistics want (protocol, "Per-file Statistics").
pub(crate) fn timestamp_text(micros: i64) -> String {
    arrow::temporal_conversions::timestamp_us_to_datetime(micros).map_or_else(
        || micros.to_string(),
        |time| time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
    )
}
