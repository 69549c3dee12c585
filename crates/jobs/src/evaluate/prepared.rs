//! What a rule asks of few rows, as a plan that is made once: making it takes longer than working on it.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use alerts::{Extent, Rule};
use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ident;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;

use super::scope::hashes_of;
use super::{Fired, Values, by_hash, groups, measured, order, select, swept, value};
use crate::mistake::QueryError;
use crate::session::Session;

/// A rule's rows, in order, over tables whose rows are put in their place before each time. Not for two at once.
pub(crate) struct Prepared {
    rule: Rule,
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    wanted: Arc<Wanted>,
}

/// Hashes of the groups that are wanted; all where there are none.
#[derive(Default)]
struct Wanted(RwLock<Option<HashSet<u64>>>);

impl Wanted {
    fn has(&self, hash: u64) -> bool {
        let wanted = self.0.read().unwrap_or_else(PoisonError::into_inner);
        wanted.as_ref().is_none_or(|wanted| wanted.contains(&hash))
    }

    fn set(&self, wanted: Option<HashSet<u64>>) {
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
            let mut rows = measured::measured(frame, rule)?;
            if !rule.group_by.is_empty() {
                let is_wanted = by_hash::of("is_wanted", move |hash| asked.has(hash));
                rows = rows.filter(is_wanted.call(groups(rule).map(ident).collect()))?;
            }
            let rows = rows.sort(order(rule))?;
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
        self.wanted
            .set(Some(hashes_of(extents.keys(), &self.rule)?));
        swept(self.rows()?, &self.rule, as_of, Some(extents)).await
    }

    fn rows(&self) -> Result<SendableRecordBatchStream, DataFusionError> {
        let plan = reset_plan_states(Arc::clone(&self.plan))?;
        execute_stream(plan, Arc::clone(&self.context))
    }
}
