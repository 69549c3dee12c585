//! Reading columns of data files without a query engine: identities, positions, small tables.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{Field, Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use finding::{FindingKey, VersionHash};
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::ParquetError;

use crate::seen::Versions;
use crate::{LakeError, Table};

/// Files read side by side.
const CONCURRENCY: usize = 8;

/// The named columns of a data file, as batches whose columns are in the order asked for and have the table's types.
pub(crate) async fn columns(
    store: &Arc<dyn ObjectStore>,
    uri: &str,
    table: Table,
    path: &str,
    names: &[&str],
) -> Result<Vec<RecordBatch>, LakeError> {
    let damaged = |reason: String| LakeError::Damaged {
        what: path.to_owned(),
        uri: uri.to_owned(),
        reason,
    };
    let location = Path::from_url_path(path).map_err(|e| damaged(e.to_string()))?;
    let unreadable = |error: ParquetError| unreadable(path, uri, error);
    let builder = ParquetRecordBatchStreamBuilder::new(object(store.clone(), location))
        .await
        .map_err(unreadable)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
    let stream = builder.with_projection(mask).build().map_err(unreadable)?;
    let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(unreadable)?;
    let table = table.schema();
    let fields = names
        .iter()
        .map(|name| table.field_with_name(name).cloned());
    let schema = Arc::new(Schema::new(fields.collect::<Result<Vec<_>, _>>()?));
    batches
        .iter()
        .map(|batch| fitted(batch, &schema).map_err(|e| damaged(e.to_string())))
        .collect()
}

/// What the store would not give is to be asked for again; bytes that make no sense are to be repaired.
fn unreadable(path: &str, uri: &str, error: ParquetError) -> LakeError {
    let damaged = |reason: String| LakeError::Damaged {
        what: path.to_owned(),
        uri: uri.to_owned(),
        reason,
    };
    match error {
        ParquetError::External(error) => match error.downcast::<object_store::Error>() {
            Ok(source) => LakeError::Store {
                doing: format!("read {path}"),
                uri: uri.to_owned(),
                source: *source,
            },
            Err(error) => damaged(error.to_string()),
        },
        error => damaged(error.to_string()),
    }
}

#[expect(
    deprecated,
    reason = "one reader for two call sites is not worth an AsyncFileReader of our own"
)]
fn object(
    store: Arc<dyn ObjectStore>,
    location: Path,
) -> parquet::arrow::async_reader::ParquetObjectReader {
    parquet::arrow::async_reader::ParquetObjectReader::new(store, location)
}

/// The batch with the columns of `schema`: by name, in its types, null where there is none. Other writers spell the same
/// column differently: delta-rs rewrites text as views.
///
/// # Errors
/// A column that is there does not fit its type.
pub fn fitted(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
        Some(column) if column.data_type() == field.data_type() => Ok(column.clone()),
        Some(column) => cast_with_options(column, field.data_type(), &strict),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    };
    let columns = schema.fields().iter().map(column);
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(
        schema.clone(),
        columns.collect::<Result<Vec<_>, _>>()?,
        &options,
    )
}

/// The versions that data files of `findings` hold, file by file in row order.
pub(crate) async fn versions(
    store: &Arc<dyn ObjectStore>,
    uri: &str,
    paths: &[String],
) -> Result<Vec<Vec<VersionHash>>, LakeError> {
    let files: Vec<_> = paths
        .iter()
        .map(|path| versions_of_file(store, uri, path).boxed())
        .collect();
    futures::stream::iter(files)
        .buffered(CONCURRENCY)
        .try_collect()
        .await
}

/// The versions that data files of `findings` hold, as one set.
pub(crate) async fn version_set(
    store: &Arc<dyn ObjectStore>,
    uri: &str,
    paths: &[String],
) -> Result<Versions, LakeError> {
    let files = versions(store, uri, paths).await?;
    Ok(files
        .into_iter()
        .flatten()
        .map(|version| version.0)
        .collect())
}

async fn versions_of_file(
    store: &Arc<dyn ObjectStore>,
    uri: &str,
    path: &str,
) -> Result<Vec<VersionHash>, LakeError> {
    let names = [
        "account_id",
        "region",
        "finding_id",
        "updated_at",
        "count",
        "wire_shape",
    ];
    let batches = columns(store, uri, Table::Findings, path, &names).await?;
    let incomplete = batches
        .iter()
        .any(|b| b.column(3).null_count() + b.column(4).null_count() > 0);
    // `raw` is most of a file: it is read only when a version's identity needs it.
    let raws = if incomplete {
        columns(store, uri, Table::Findings, path, &["raw"]).await?
    } else {
        vec![]
    };
    let mut raws = raws.iter().flat_map(|batch| {
        let raw = batch.column(0).as_string::<i32>();
        (0..raw.len()).map(|row| raw.value(row)).collect::<Vec<_>>()
    });
    let mut found = Vec::new();
    for batch in &batches {
        let text = |index: usize| batch.column(index).as_string::<i32>();
        let (accounts, regions, ids, shapes) = (text(0), text(1), text(2), text(5));
        let updated = batch.column(3).as_primitive::<TimestampMicrosecondType>();
        let counts = batch.column(4).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let raw = raws.next();
            found.push(VersionHash::of_parts(
                FindingKey::of(accounts.value(row), regions.value(row), ids.value(row)),
                updated.is_valid(row).then(|| updated.value(row)),
                counts.is_valid(row).then(|| counts.value(row)),
                shapes.value(row),
                || VersionHash::raw_digest(raw.unwrap_or_default()),
            ));
        }
    }
    Ok(found)
}

/// All distinct values of a text column over some files.
pub(crate) async fn distinct_text(
    store: &Arc<dyn ObjectStore>,
    uri: &str,
    table: Table,
    paths: &[String],
    column: &str,
) -> Result<HashSet<String>, LakeError> {
    let mut values = HashSet::new();
    for path in paths {
        for batch in columns(store, uri, table, path, &[column]).await? {
            values.extend(
                batch
                    .column(0)
                    .as_string::<i32>()
                    .iter()
                    .flatten()
                    .map(str::to_owned),
            );
        }
    }
    Ok(values)
}
