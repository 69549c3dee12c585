//! Several data files of a day become one, sorted by event time and finding id. Nothing here waits for a store.
//!
//! The files are held as they lie in the store, compressed; rows are decoded a slice of the sorted order at a time, so that
//! memory does not grow with what the rows decode to.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::{concat_batches, interleave_record_batch};
use arrow::datatypes::{Field, Schema, SchemaRef, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::file::metadata::PageIndexPolicy;

use crate::data_file::{DataFile, FileWriter};
use crate::read::fitted;
use crate::rows::file_schema;
use crate::{LakeError, Surroundings, Table};

/// Decoded bytes of a slice, about.
const SLICE_BYTES: u64 = 64 << 20;
/// Rows that a file is sorted by, the first column first.
const ORDER: [&str; 2] = ["event_time", "finding_id"];
/// Columns that are asked for by equality.
const BLOOMS: [&str; 2] = ["finding_id", "remote_ip"];

/// A data file as it lies in the store.
pub(super) struct Input {
    pub(super) path: String,
    /// What the log says of it.
    pub(super) rows: Option<u64>,
    pub(super) bytes: Bytes,
}

/// The one file, not yet stored.
pub(super) struct Written {
    pub(super) file: DataFile,
    pub(super) rows: u64,
}

/// A file that is being read.
struct Source {
    bytes: Bytes,
    metadata: ArrowReaderMetadata,
    rows: usize,
    times: TimestampMicrosecondArray,
    ids: StringArray,
}

/// Where a row is: which source, and which of its rows.
type Place = (u32, u32);

/// Writes all rows of `inputs` as one file of `day`.
///
/// # Errors
/// [`LakeError::Damaged`] when an input cannot be read, or has not the rows that the log says.
pub(super) fn rewrite(
    inputs: &[Input],
    day: &str,
    uri: &str,
    surroundings: &Surroundings,
) -> Result<Written, LakeError> {
    let mut sources = Vec::new();
    for input in inputs {
        let damaged = |reason: String| LakeError::Damaged {
            what: input.path.clone(),
            uri: uri.to_owned(),
            reason,
        };
        let source = open(&input.bytes).map_err(|error| damaged(error.to_string()))?;
        let found = source.rows as u64;
        if let Some(said) = input.rows
            && said != found
        {
            return Err(damaged(format!("it has {found} rows, the log says {said}")));
        }
        sources.push(source);
    }
    let schema = schema_of_all(&sources);
    let partition = vec![("event_date".to_owned(), day.to_owned())];
    let mut writer =
        FileWriter::sorted(Table::Findings, schema.clone(), partition, &ORDER, &BLOOMS)?;
    let order = sorted(&sources);
    for slice in order.chunks(slice_rows(&sources, order.len())) {
        writer.write(&read_slice(&sources, slice, &schema)?)?;
    }
    let file = writer.finish(surroundings)?;
    let (rows, expected) = (file.add.rows(), order.len() as u64);
    if rows != Some(expected) {
        return Err(LakeError::Damaged {
            what: format!("the rewrite of {day}"),
            uri: uri.to_owned(),
            reason: format!("it has {rows:?} rows, its inputs {expected}"),
        });
    }
    Ok(Written {
        file,
        rows: expected,
    })
}

fn open(bytes: &Bytes) -> Result<Source, LakeError> {
    // With an index of pages, a slice decodes only the pages that its rows are in.
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let metadata = ArrowReaderMetadata::load(bytes, options)?;
    let builder =
        ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata.clone());
    let mask = ProjectionMask::columns(builder.parquet_schema(), ORDER);
    let own = file_schema();
    let fields = ORDER.map(|name| own.field_with_name(name).cloned());
    let fields: Vec<Field> = fields.into_iter().collect::<Result<_, _>>()?;
    let keys = Arc::new(Schema::new(fields));
    let batches = builder
        .with_projection(mask)
        .build()?
        .map(|batch| Ok(fitted(&batch?, &keys)?))
        .collect::<Result<Vec<_>, LakeError>>()?;
    let batch = concat_batches(&keys, &batches)?;
    Ok(Source {
        bytes: bytes.clone(),
        metadata,
        rows: batch.num_rows(),
        times: batch
            .column(0)
            .as_primitive::<TimestampMicrosecondType>()
            .clone(),
        ids: batch.column(1).as_string::<i32>().clone(),
    })
}

/// Our columns, then those that another writer has added.
fn schema_of_all(sources: &[Source]) -> SchemaRef {
    let mut fields: Vec<Arc<Field>> = file_schema().fields().iter().cloned().collect();
    for field in sources
        .iter()
        .flat_map(|source| source.metadata.schema().fields())
    {
        if !fields.iter().any(|known| known.name() == field.name()) {
            fields.push(Arc::new(field.as_ref().clone().with_nullable(true)));
        }
    }
    Arc::new(Schema::new(fields))
}

fn sorted(sources: &[Source]) -> Vec<Place> {
    let mut order: Vec<Place> = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        order.extend((0..source.rows as u32).map(|row| (index as u32, row)));
    }
    order.sort_unstable_by(|a, b| compare(sources, *a, *b));
    order
}

/// Ends with the place itself, so that the same files always make the same file.
fn compare(sources: &[Source], a: Place, b: Place) -> Ordering {
    let time = |(source, row): Place| {
        let times = &sources[source as usize].times;
        times
            .is_valid(row as usize)
            .then(|| times.value(row as usize))
    };
    let id = |(source, row): Place| sources[source as usize].ids.value(row as usize);
    time(a)
        .cmp(&time(b))
        .then_with(|| id(a).cmp(id(b)))
        .then(a.cmp(&b))
}

fn slice_rows(sources: &[Source], rows: usize) -> usize {
    let groups = sources
        .iter()
        .flat_map(|s| s.metadata.metadata().row_groups());
    let bytes: u64 = groups
        .map(|group| group.total_byte_size().max(0) as u64)
        .sum();
    let slices = bytes.div_ceil(SLICE_BYTES).max(1) as usize;
    rows.div_ceil(slices).max(1)
}

fn read_slice(
    sources: &[Source],
    slice: &[Place],
    schema: &SchemaRef,
) -> Result<RecordBatch, LakeError> {
    let mut wanted: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (source, row) in slice {
        wanted.entry(*source).or_default().push(*row);
    }
    let mut batches = Vec::new();
    for (source, rows) in &mut wanted {
        rows.sort_unstable();
        batches.push(read_rows(&sources[*source as usize], rows, schema)?);
    }
    // Which of the batches a row is in, and where it is there: batches have the order of `wanted`.
    let slots: BTreeMap<u32, usize> = wanted.keys().copied().zip(0..).collect();
    let places: Vec<_> = slice
        .iter()
        .map(|(source, row)| {
            let before = wanted[source].partition_point(|other| other < row);
            (slots[source], before)
        })
        .collect();
    let batches: Vec<_> = batches.iter().collect();
    Ok(interleave_record_batch(&batches, &places)?)
}

/// The rows of a source, given ascending.
fn read_rows(source: &Source, rows: &[u32], schema: &SchemaRef) -> Result<RecordBatch, LakeError> {
    let ranges = rows.iter().map(|row| *row as usize..*row as usize + 1);
    let selection = RowSelection::from_consecutive_ranges(ranges, source.rows);
    let metadata = source.metadata.clone();
    let batches =
        ParquetRecordBatchReaderBuilder::new_with_metadata(source.bytes.clone(), metadata)
            .with_row_selection(selection)
            .with_batch_size(rows.len())
            .build()?
            .map(|batch| Ok(fitted(&batch?, schema)?))
            .collect::<Result<Vec<_>, LakeError>>()?;
    Ok(concat_batches(schema, &batches)?)
}
