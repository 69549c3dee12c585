//! The operator: one row for each group, and the number 1 beside it.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, NullArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::projection::ProjectionMapping;
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, SpillMetrics,
};
use datafusion::physical_plan::projection::{
    EmbeddedProjection, ProjectionExec, try_embed_projection,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    apply_expression_roots,
};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::groups::{Groups, Ready};
use super::keys::{KeyEncoder, Keys};
use super::{Plan, external};

/// So many batches fit into what is left of the memory: a sorter wants room for each batch twice, and there may be others.
const BATCHES_TO_SORT: usize = 16;

/// The first row of each group by some order, any of them where several are alike.
#[derive(Debug, Clone)]
pub(super) struct FirstOfEachExec {
    input: Plan,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    order: Vec<PhysicalSortExpr>,
    /// The columns of the input, and behind them the number.
    all: SchemaRef,
    /// Which of them are wanted.
    wanted: Vec<usize>,
    metrics: ExecutionPlanMetricsSet,
    properties: Arc<PlanProperties>,
}

impl FirstOfEachExec {
    /// Whether values of these expressions can be compared as bytes.
    pub(super) fn supports(
        input: &Plan,
        keys: &[Arc<dyn PhysicalExpr>],
        order: &[PhysicalSortExpr],
    ) -> Result<bool> {
        let schema = input.schema();
        let keys = keys
            .iter()
            .map(|key| Ok(SortField::new(key.data_type(&schema)?)));
        let keys: Vec<_> = keys.collect::<Result<_>>()?;
        Ok(RowConverter::supports_fields(&keys)
            && RowConverter::supports_fields(&fields(order, &schema)?))
    }

    /// `all` are the columns of the input and one of [`DataType::UInt64`] that will be 1 in each row.
    pub(super) fn new(
        input: Plan,
        keys: Vec<Arc<dyn PhysicalExpr>>,
        order: Vec<PhysicalSortExpr>,
        all: SchemaRef,
    ) -> Result<FirstOfEachExec> {
        let wanted = (0..all.fields().len()).collect();
        FirstOfEachExec::wanting(input, keys, order, all, wanted)
    }

    fn wanting(
        input: Plan,
        keys: Vec<Arc<dyn PhysicalExpr>>,
        order: Vec<PhysicalSortExpr>,
        all: SchemaRef,
        wanted: Vec<usize>,
    ) -> Result<FirstOfEachExec> {
        let schema = Arc::new(all.project(&wanted)?);
        // Whoever is above may count on the rows of a key being in one place.
        let mapping = ProjectionMapping::from_indices(&wanted, &all)?;
        let partitioning = input
            .output_partitioning()
            .project(&mapping, input.equivalence_properties());
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            partitioning,
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Ok(FirstOfEachExec {
            input,
            keys,
            order,
            all,
            wanted,
            metrics: ExecutionPlanMetricsSet::new(),
            properties: Arc::new(properties),
        })
    }
}

fn fields(order: &[PhysicalSortExpr], schema: &Schema) -> Result<Vec<SortField>> {
    let fields = order.iter().map(|by| {
        let kind = by.expr.data_type(schema)?;
        Ok(SortField::new_with_options(kind, by.options))
    });
    fields.collect()
}

impl DisplayAs for FirstOfEachExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let list = |all: Vec<String>| all.join(", ");
        let keys = list(self.keys.iter().map(ToString::to_string).collect());
        let order = list(self.order.iter().map(ToString::to_string).collect());
        let schema = self.schema();
        let wanted = list(
            schema
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect(),
        );
        write!(
            f,
            "FirstOfEachExec: of=[{keys}], by=[{order}], columns=[{wanted}]"
        )
    }
}

impl EmbeddedProjection for FirstOfEachExec {
    fn with_projection(&self, projection: Option<Vec<usize>>) -> Result<FirstOfEachExec> {
        let wanted = match projection {
            Some(chosen) => chosen.into_iter().map(|at| self.wanted[at]).collect(),
            None => (0..self.all.fields().len()).collect(),
        };
        let FirstOfEachExec {
            input,
            keys,
            order,
            all,
            ..
        } = self.clone();
        FirstOfEachExec::wanting(input, keys, order, all, wanted)
    }
}

impl ExecutionPlan for FirstOfEachExec {
    fn name(&self) -> &str {
        "FirstOfEachExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::KeyPartitioned(self.keys.clone())]
    }

    fn children(&self) -> Vec<&Plan> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let order = self.order.iter().map(|by| &by.expr);
        apply_expression_roots(self.keys.iter().chain(order), f)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        let FirstOfEachExec {
            input,
            keys,
            order,
            all,
            wanted,
            ..
        } = self.as_ref().clone();
        let input = children.into_iter().next().unwrap_or(input);
        let same = FirstOfEachExec::wanting(input, keys, order, all, wanted)?;
        Ok(Arc::new(same))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let work = Arc::new(Work::new(self, partition, &context)?);
        let held = MemoryConsumer::new(format!("FirstOfEachExec[{partition}]"))
            .register(context.memory_pool());
        let found = Arc::clone(&work).gather(input, held, context);
        let rows = stream::once(found).try_flatten();
        let rows = rows.and_then(move |rows| std::future::ready(work.result(&rows)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn try_swapping_with_projection(&self, projection: &ProjectionExec) -> Result<Option<Plan>> {
        try_embed_projection(projection, self)
    }
}

/// What is done in one partition.
struct Work {
    keys: Vec<Arc<dyn PhysicalExpr>>,
    encoder: KeyEncoder,
    order: Vec<PhysicalSortExpr>,
    converter: Option<RowConverter>,
    /// The columns of the input that rows are held with. Where no such is wanted, they have one without values.
    held: Vec<usize>,
    held_schema: SchemaRef,
    /// Which of the held columns a column of the result is; the number is none of them.
    result: Vec<Option<usize>>,
    result_schema: SchemaRef,
    /// This partition's share of the memory.
    share: usize,
    metrics: BaselineMetrics,
    spills: SpillMetrics,
}

impl Work {
    fn new(plan: &FirstOfEachExec, partition: usize, context: &TaskContext) -> Result<Work> {
        let input = plan.input.schema();
        let types = plan.keys.iter().map(|key| key.data_type(&input));
        let types: Vec<DataType> = types.collect::<Result<_>>()?;
        let number = input.fields().len();
        let held: Vec<usize> = plan
            .wanted
            .iter()
            .copied()
            .filter(|at| *at != number)
            .collect();
        let held_schema = match held.is_empty() {
            true => Schema::new(vec![Field::new("nothing", DataType::Null, true)]),
            false => input.project(&held)?,
        };
        let mut next = 0..;
        let result = plan.wanted.iter().map(|at| match *at == number {
            true => None,
            false => next.next(),
        });
        let share = match context.memory_pool().memory_limit() {
            MemoryLimit::Finite(limit) => {
                limit / plan.properties.output_partitioning().partition_count()
            }
            MemoryLimit::Infinite | MemoryLimit::Unknown => usize::MAX,
        };
        Ok(Work {
            keys: plan.keys.clone(),
            encoder: KeyEncoder::new(&types)?,
            order: plan.order.clone(),
            converter: match plan.order.is_empty() {
                true => None,
                false => Some(RowConverter::new(fields(&plan.order, &input)?)?),
            },
            held_schema: Arc::new(held_schema),
            result: result.collect(),
            held,
            result_schema: plan.schema(),
            share,
            metrics: BaselineMetrics::new(&plan.metrics, partition),
            spills: SpillMetrics::new(&plan.metrics, partition),
        })
    }

    async fn gather(
        self: Arc<Work>,
        mut input: SendableRecordBatchStream,
        held: MemoryReservation,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let mut groups = Groups::new();
        while let Some(rows) = input.next().await {
            let timer = self.metrics.elapsed_compute().timer();
            let ready = self.ready(&rows?)?;
            let most = groups.growth(&ready).map(|growth| groups.size() + growth);
            let room = self.room(ready.size());
            if !most.is_some_and(|most| most <= room && held.try_resize(most).is_ok()) {
                let (wanted, spills) = (Arc::clone(&self.held_schema), self.spills.clone());
                drop(timer);
                let rest = input.map(move |rows| self.ready(&rows?));
                let rest = stream::iter([Ok(ready)]).chain(rest).boxed();
                return external::first_rows(groups, rest, &wanted, spills, &context);
            }
            groups.see(ready)?;
            held.resize(groups.size());
        }
        let rows = stream::iter(groups.firsts());
        // The memory is given back with the last row.
        Ok(rows.inspect(move |_| _ = &held).boxed())
    }

    /// Bytes that may be held: some is left for sorting a partition that was too large, which wants several batches at a time.
    fn room(&self, batch: usize) -> usize {
        (self.share / 8 * 7).min(self.share.saturating_sub(BATCHES_TO_SORT * batch))
    }

    fn ready(&self, rows: &RecordBatch) -> Result<Ready> {
        let count = rows.num_rows();
        let column = |expr: &Arc<dyn PhysicalExpr>| expr.evaluate(rows)?.into_array(count);
        let keys: Vec<ArrayRef> = self.keys.iter().map(column).collect::<Result<_>>()?;
        let order = self.order.iter().map(|by| column(&by.expr));
        let order: Vec<ArrayRef> = order.collect::<Result<_>>()?;
        let order = match &self.converter {
            Some(converter) => Keys::of(&converter.convert_columns(&order)?),
            None => Keys::empty(count),
        };
        let held = match self.held.is_empty() {
            true => vec![Arc::new(NullArray::new(count)) as ArrayRef],
            false => self
                .held
                .iter()
                .map(|at| ArrayRef::clone(rows.column(*at)))
                .collect(),
        };
        Ok(Ready {
            keys: self.encoder.encode(&keys, count)?,
            order,
            rows: RecordBatch::try_new(Arc::clone(&self.held_schema), held)?,
        })
    }

    /// Held rows as they are wanted.
    fn result(&self, held: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.result.iter().map(|at| -> ArrayRef {
            match at {
                Some(at) => ArrayRef::clone(held.column(*at)),
                None => Arc::new(UInt64Array::from(vec![1; held.num_rows()])),
            }
        });
        self.metrics.record_output(held.num_rows());
        let options = RecordBatchOptions::new().with_row_count(Some(held.num_rows()));
        let schema = Arc::clone(&self.result_schema);
        Ok(RecordBatch::try_new_with_options(
            schema,
            columns.collect(),
            &options,
        )?)
    }
}
