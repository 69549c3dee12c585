//! Groups that do not fit in memory: rows are sorted by key and order, on disk as far as need be, and the first of each key is taken.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{SortOptions, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::metrics::SpillMetrics;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::spill::SpillManager;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{EmptyRecordBatchStream, ExecutionPlan};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::groups::{Groups, Ready};

/// The columns that are sorted by, before those that are wanted.
const KEY_AND_ORDER: usize = 2;

/// The first row of each group: of those that were in memory, which go to disk now, and of all that come.
pub(super) fn first_rows(
    groups: Groups,
    rest: BoxStream<'static, Result<Ready>>,
    wanted: &SchemaRef,
    spills: SpillMetrics,
    context: &Arc<TaskContext>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let schema = sortable(wanted);
    let manager = SpillManager::new(context.runtime_env(), spills, Arc::clone(&schema));
    let mut file = manager.create_in_progress_file("first rows of groups")?;
    for rows in groups.sortable(Arc::clone(&schema)) {
        let rows = rows?;
        if rows.num_rows() > 0 {
            file.append_batch(&rows)?;
        }
    }
    let spilled = match file.finish()? {
        Some(file) => manager.read_spill_as_stream(file, None)?,
        None => Box::pin(EmptyRecordBatchStream::new(Arc::clone(&schema))),
    };
    let told = Arc::clone(&schema);
    let rest = rest.map(move |ready| ready?.sortable(&told));
    let rows = RecordBatchStreamAdapter::new(Arc::clone(&schema), spilled.chain(rest));
    let source = Once {
        schema: Arc::clone(&schema),
        rows: Mutex::new(Some(Box::pin(rows))),
    };
    let source =
        StreamingTableExec::try_new(schema, vec![Arc::new(source)], None, [], false, None)?;
    let by = |name, index| {
        PhysicalSortExpr::new(Arc::new(Column::new(name, index)), SortOptions::default())
    };
    let by = LexOrdering::new([by("key", 0), by("order", 1)])
        .ok_or_else(|| internal_datafusion_err!("nothing to sort by"))?;
    let sorted = SortExec::new(by, Arc::new(source)).execute(0, Arc::clone(context))?;
    Ok(first_of_runs(sorted))
}

fn sortable(wanted: &SchemaRef) -> SchemaRef {
    let before = ["key", "order"].map(|name| Arc::new(Field::new(name, DataType::Binary, false)));
    let fields = before.into_iter().chain(wanted.fields().iter().cloned());
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Of rows that come by key, the first of each key, without what they were sorted by.
fn first_of_runs(sorted: SendableRecordBatchStream) -> BoxStream<'static, Result<RecordBatch>> {
    let mut last: Option<Vec<u8>> = None;
    let rows = sorted.map(move |rows| {
        let mut rows = rows?;
        let keys = rows.column(0).as_binary::<i32>();
        let is_first = |row: usize| match row.checked_sub(1) {
            Some(before) => keys.value(row) != keys.value(before),
            None => last.as_deref() != Some(keys.value(row)),
        };
        let first: BooleanArray = (0..keys.len()).map(|row| Some(is_first(row))).collect();
        if let Some(end) = keys.len().checked_sub(1) {
            last = Some(keys.value(end).to_vec());
        }
        for _ in 0..KEY_AND_ORDER {
            rows.remove_column(0);
        }
        Ok(filter_record_batch(&rows, &first)?)
    });
    rows.try_filter(|rows| std::future::ready(rows.num_rows() > 0))
        .boxed()
}

/// Rows that can be read once.
struct Once {
    schema: SchemaRef,
    rows: Mutex<Option<SendableRecordBatchStream>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self
            .rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        rows.unwrap_or_else(|| {
            let error = internal_datafusion_err!("rows that were read already");
            let failed = stream::iter([Err(error)]);
            Box::pin(RecordBatchStreamAdapter::new(
                Arc::clone(&self.schema),
                failed,
            ))
        })
    }
}
