//! Several data files become one: those of a day of `findings` in slices of event time, within which rows that are alike lie together, those
//! of other tables in the order in which they were written. Nothing here waits for a store.
//!
//! Pages of alike rows compress to half: `raw` is most of a file, and findings of one type and account say nearly the same.
//!
//! The files are held as they lie in the store, compressed; rows are decoded a slice of the sorted order at a time, so that
//! memory does not grow with what the rows decode to.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
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
/// Columns of `findings` that say where a row belongs, and how long it is kept.
const KEYS: [&str; 5] = [
    "event_time",
    "finding_id",
    "account_id",
    "severity_label",
    "type",
];
/// Columns that are asked for by equality.
const BLOOMS: [&str; 2] = ["finding_id", "remote_ip"];

/// What is written anew.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) table: Table,
    /// The day of files of `findings`.
    pub(super) day: Option<String>,
    /// Which rows of `findings` stay; all of them without it.
    pub(super) keep: Option<Keep>,
}

/// Whether a row stays: given its event time (UTC microseconds), its account and its severity label.
pub(super) type Keep = Arc<dyn Fn(Option<i64>, &str, Option<&str>) -> bool + Send + Sync>;

/// A data file as it lies in the store.
pub(super) struct Input {
    pub(super) path: String,
    /// What the log says of it.
    pub(super) rows: Option<u64>,
    pub(super) bytes: Bytes,
}

/// What became of the rows.
pub(super) struct Written {
    /// The one file, not yet stored; `None` where no row stays.
    pub(super) file: Option<DataFile>,
    /// Rows in it.
    pub(super) rows: u64,
    /// Rows that did not stay.
    pub(super) dropped: u64,
}

/// A file that is being read.
struct Source {
    bytes: Bytes,
    metadata: ArrowReaderMetadata,
    rows: usize,
    /// [`KEYS`] of `findings`; no columns for other tables.
    keys: RecordBatch,
}

/// Where a row is: which source, and which of its rows.
type Place = (u32, u32);

/// Writes the rows of `inputs` that stay as one file.
///
/// # Errors
/// [`LakeError::Damaged`] when an input cannot be read, or has not the rows that the log says.
pub(super) fn rewrite(
    job: &Job,
    inputs: &[Input],
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
        let source = open(job.table, &input.bytes).map_err(|error| damaged(error.to_string()))?;
        let found = source.rows as u64;
        if let Some(said) = input.rows
            && said != found
        {
            return Err(damaged(format!("it has {found} rows, the log says {said}")));
        }
        sources.push(source);
    }
    let all: u64 = sources.iter().map(|source| source.rows as u64).sum();
    let mut order = ordered(job, &sources);
    let expected = order.len() as u64;
    if order.is_empty() {
        return Ok(Written {
            file: None,
            rows: 0,
            dropped: all,
        });
    }
    let schema = schema_of_all(job.table, &sources);
    let mut writer = match &job.day {
        Some(day) => {
            let partition = vec![("event_date".to_owned(), day.clone())];
            FileWriter::packed(job.table, schema.clone(), partition, &BLOOMS)?
        }
        None => FileWriter::new(job.table, schema.clone(), vec![])?,
    };
    let rows = slice_rows(&sources, order.len());
    for slice in order.chunks_mut(rows) {
        if job.table == Table::Findings {
            slice.sort_by(|a, b| kind(&sources, *a).cmp(&kind(&sources, *b)));
        }
        writer.write(&read_slice(&sources, slice, &schema)?)?;
    }
    let file = writer.finish(surroundings)?;
    let rows = file.add.rows();
    if rows != Some(expected) {
        return Err(LakeError::Damaged {
            what: "a rewrite".to_owned(),
            uri: uri.to_owned(),
            reason: format!("it has {rows:?} rows, it should have {expected}"),
        });
    }
    Ok(Written {
        file: Some(file),
        rows: expected,
        dropped: all - expected,
    })
}

fn open(table: Table, bytes: &Bytes) -> Result<Source, LakeError> {
    // With an index of pages, a slice decodes only the pages that its rows are in.
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let metadata = ArrowReaderMetadata::load(bytes, options)?;
    let builder =
        ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata.clone());
    let rows = metadata.metadata().file_metadata().num_rows().max(0) as usize;
    let keys = if table == Table::Findings {
        let mask = ProjectionMask::columns(builder.parquet_schema(), KEYS);
        let own = file_schema(table);
        let fields = KEYS.map(|name| own.field_with_name(name).cloned());
        let fields: Vec<Field> = fields.into_iter().collect::<Result<_, _>>()?;
        let keys = Arc::new(Schema::new(fields));
        let batches = builder
            .with_projection(mask)
            .build()?
            .map(|batch| Ok(fitted(&batch?, &keys)?))
            .collect::<Result<Vec<_>, LakeError>>()?;
        concat_batches(&keys, &batches)?
    } else {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)?
    };
    Ok(Source {
        bytes: bytes.clone(),
        metadata,
        rows: keys.num_rows(),
        keys,
    })
}

/// Our columns, then those that another writer has added.
fn schema_of_all(table: Table, sources: &[Source]) -> SchemaRef {
    let mut fields: Vec<Arc<Field>> = file_schema(table).fields().iter().cloned().collect();
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

/// The rows that stay, in the order in which they are written.
fn ordered(job: &Job, sources: &[Source]) -> Vec<Place> {
    let mut order: Vec<Place> = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let rows = 0..source.rows as u32;
        match &job.keep {
            None => order.extend(rows.map(|row| (index as u32, row))),
            Some(keep) => {
                let text = |column: usize| source.keys.column(column).as_string::<i32>();
                let (accounts, labels) = (text(2), text(3));
                let stays = |row: &u32| {
                    let row = *row as usize;
                    let label = labels.is_valid(row).then(|| labels.value(row));
                    keep(time(source, row), accounts.value(row), label)
                };
                order.extend(rows.filter(stays).map(|row| (index as u32, row)));
            }
        }
    }
    if job.table == Table::Findings {
        order.sort_unstable_by(|a, b| compare(sources, *a, *b));
    }
    order
}

fn time(source: &Source, row: usize) -> Option<i64> {
    let times = source
        .keys
        .column(0)
        .as_primitive::<TimestampMicrosecondType>();
    times.is_valid(row).then(|| times.value(row))
}

/// Ends with the place itself, so that the same files always make the same file.
fn compare(sources: &[Source], a: Place, b: Place) -> Ordering {
    let source = |(source, _): Place| &sources[source as usize];
    let time = |place: Place| time(source(place), place.1 as usize);
    let id = |place: Place| {
        let ids = source(place).keys.column(1).as_string::<i32>();
        ids.value(place.1 as usize)
    };
    time(a)
        .cmp(&time(b))
        .then_with(|| id(a).cmp(id(b)))
        .then(a.cmp(&b))
}

/// What rows have in common that are alike: type and account.
fn kind(sources: &[Source], (source, row): Place) -> (Option<&str>, &str) {
    let (keys, row) = (&sources[source as usize].keys, row as usize);
    let types = keys.column(4).as_string::<i32>();
    let accounts = keys.column(2).as_string::<i32>();
    (
        types.is_valid(row).then(|| types.value(row)),
        accounts.value(row),
    )
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
