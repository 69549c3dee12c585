//! What came into a table between two versions.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::Field;
use futures::{FutureExt, StreamExt, TryStreamExt};

use crate::log::{Add, TableLog};
use crate::{Lake, LakeError, Table, read};

/// Versions followed one by one; beyond that reading everything is no slower.
const MOST_VERSIONS: i64 = 2_000;
/// Files read side by side.
const CONCURRENCY: usize = 4;

impl Lake {
    /// The rows that the versions after `after` through `through` added to a table, in the columns of its schema; those named in
    /// `without` are left unread: null, or empty text where there is no null. Rewrites of rows that were there before add nothing, and that others have expired is not said.
    ///
    /// `None` where that cannot be said any more, or not without more work than reading the table: the log no longer has one of the
    /// versions, one took rows away, a file is gone, or there are more than 2,000 versions.
    pub async fn added(
        &self,
        table: Table,
        after: i64,
        through: i64,
        without: &[&str],
    ) -> Result<Option<Vec<RecordBatch>>, LakeError> {
        if through - after > MOST_VERSIONS {
            return Ok(None);
        }
        let log = self.log(table).await?;
        let mut adds = Vec::new();
        for version in after + 1..=through {
            let Some(commit) = log.commit_at(version).await? else {
                return Ok(None);
            };
            let expires = commit.expired.is_some();
            if !expires && commit.removes.iter().any(|remove| remove.data_change()) {
                return Ok(None);
            }
            adds.extend(commit.adds.into_iter().filter(|add| add.data_change));
        }
        let reads: Vec<_> = adds
            .iter()
            .map(|add| rows_of(&log, table, add, without).boxed())
            .collect();
        let read = futures::stream::iter(reads).buffered(CONCURRENCY);
        match read.try_collect::<Vec<Vec<RecordBatch>>>().await {
            Ok(files) => Ok(Some(files.into_iter().flatten().collect())),
            // Compacted and vacuumed since.
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

async fn rows_of(
    log: &TableLog,
    table: Table,
    add: &Add,
    without: &[&str],
) -> Result<Vec<RecordBatch>, LakeError> {
    let schema = table.schema();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .filter(|name| !without.contains(name) && !table.partition_columns().contains(name))
        .collect();
    let store = log.shared_store();
    let batches = read::columns(&store, log.uri(), table, &add.path, &names).await?;
    let whole = |batch: RecordBatch| {
        let rows = batch.num_rows();
        let column = |field: &Arc<Field>| -> Result<ArrayRef, LakeError> {
            match batch.column_by_name(field.name()) {
                Some(column) => Ok(column.clone()),
                None => unread(add, field, rows),
            }
        };
        let columns = schema.fields().iter().map(column);
        Ok(RecordBatch::try_new(
            schema.clone(),
            columns.collect::<Result<_, _>>()?,
        )?)
    };
    batches.into_iter().map(whole).collect()
}

/// A column that was not read: the same value for all rows of a file where files are partitioned by it.
fn unread(add: &Add, field: &Field, rows: usize) -> Result<ArrayRef, LakeError> {
    let value = add.partition_values.get(field.name()).cloned().flatten();
    let value = match value {
        Some(value) => value,
        None if field.is_nullable() => return Ok(new_null_array(field.data_type(), rows)),
        None => String::new(),
    };
    let text = StringArray::from_iter_values(std::iter::repeat_n(value, rows));
    Ok(arrow::compute::cast(&text, field.data_type())?)
}
