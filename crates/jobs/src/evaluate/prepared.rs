//! What a rule asks of few rows, as a plan that is made once: making it takes longer than working on it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use alerts::{Extent, Rule};
use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;

use super::by_hash::Extents;
use super::scope::{by_hash_of, group_and_time};
use super::{Fired, Values, by_hash, measured, order, select, swept, value};
use crate::mistake::QueryError;
use crate::session::Session;

/// A rule's rows, in order, over tables whose rows are put in their place before each time. Not for two at once.
pub(crate) struct Prepared {
    rule: Rule,
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    wanted: Arc<Wanted>,
}

/// The groups that are wanted, and how far each; all where there are none.
#[derive(Default)]
struct Wanted(RwLock<Option<Extents>>);

impl Wanted {
    /// Which of some rows are, where rows matter for `back` microseconds.
    fn has(&self, rows: &mut dyn Iterator<Item = (u64, i64)>, back: i64) -> BooleanArray {
        let wanted = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |(hash, time): (u64, i64)| match wanted.as_ref() {
            None => true,
            Some(wanted) => {
                let extent = wanted.get(&hash);
                extent.is_some_and(|extent| extent.reads(time, back))
            }
        };
        rows.map(|row| Some(is_wanted(row))).collect()
    }

    fn set(&self, wanted: Option<Extents>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = wanted;
    }
}

impl Prepared {
    /// Of a rule that has passed [`check`](crate::rules::check) and is no query: what it selects is the same whenever it is asked.
    pub(crate) async fn of(session: &Session, rule: &Rule) -> Result<Prepared, QueryError> {
        let frame = select(session, rule, 0).await?;
        let wanted = Arc::<Wanted>::default();
        let asked = Arc::clone(&wanted);
        let made = async {
            let back = rule.terms().back();
            let is_wanted = by_hash::each_at("is_wanted", move |rows| asked.has(rows, back));
            let rows = measured::measured(frame, rule)?
                .filter(is_wanted.call(group_and_time(rule)))?
                .sort(order(rule))?;
            let context = Arc::new(rows.task_ctx());
            Ok((rows.create_physical_plan().await?, context))
        };
        let (plan, context) = made
            .await
            .map_err(|error: DataFusionError| session.mistake(&error, &rule.sql))?;
        Ok(Prepared {
            rule: rule.clone(),
            plan,
            context,
            wanted,
        })
    }

    /// The groups that the rows belong to, each with the time from its first to its last row.
    pub(crate) async fn touched(&self) -> Result<BTreeMap<Values, Extent>, DataFusionError> {
        self.wanted.set(None);
        let columns = self.rule.group_by.len();
        let mut touched: BTreeMap<Values, Extent> = BTreeMap::new();
        let mut rows = self.rows()?;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let times = batch
                .column(columns)
                .as_primitive::<TimestampMicrosecondType>();
            for row in 0..batch.num_rows() {
                let group = (0..columns).map(|at| {
                    let key = batch.column(at).as_string::<i32>();
                    value(key, row).map(str::to_owned)
                });
                let here = Extent {
                    from: times.value(row),
                    through: times.value(row),
                };
                let extent = touched.entry(group.collect()).or_insert(here);
                *extent = extent.and(here);
            }
        }
        Ok(touched)
    }

    /// As [`evaluate_within`](super::evaluate_within).
    pub(crate) async fn within(
        &self,
        as_of: i64,
        extents: &BTreeMap<Values, Extent>,
    ) -> Result<Vec<Fired>, DataFusionError> {
        self.wanted.set(Some(by_hash_of(extents, &self.rule)?));
        swept(self.rows()?, &self.rule, as_of, Some(extents)).await
    }

    fn rows(&self) -> Result<SendableRecordBatchStream, DataFusionError> {
        let plan = reset_plan_states(Arc::clone(&self.plan))?;
        execute_stream(plan, Arc::clone(&self.context))
    }
}
