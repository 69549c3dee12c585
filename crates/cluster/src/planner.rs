//! Where a plan is worked on: what reads the lake's files goes to the cluster, everything else (`SHOW TABLES`, `EXPLAIN`, `SELECT 1`) is
//! answered here.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::extension::{SessionConfigExt, SessionConfigHelperExt};
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion_proto::physical_plan::AsExecutionPlan;
use datafusion_proto::protobuf::PhysicalPlanNode;

use crate::client::Cluster;
use crate::{job, ordered};

/// Plans as DataFusion does, and sends what can be sent.
#[derive(Debug)]
pub(crate) struct Planner(Cluster);

impl Planner {
    pub(crate) fn new(cluster: Cluster) -> Planner {
        Planner(cluster)
    }
}

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        logical: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::default();
        let plan = planner.create_physical_plan(logical, session).await?;
        if !reads_files(&plan)? {
            return Ok(plan);
        }
        if matches!(logical, LogicalPlan::Analyze(_)) {
            return Err(cannot("EXPLAIN ANALYZE tells of one machine"));
        }
        let plan = ordered::written_out(plan)?;
        if let Some(function) = shuffled_by(&plan)? {
            return Err(cannot(&format!(
                "rows would be shared out among machines by {function}(); select it under a name in a subquery, and use the name"
            )));
        }
        let codec = session.config().ballista_physical_extension_codec();
        let mut bytes = Vec::new();
        PhysicalPlanNode::try_from_physical_plan(Arc::clone(&plan), codec.as_ref())
            .and_then(|node| node.try_encode(&mut bytes))
            .map_err(|error| cannot(&unsendable(&error)))?;
        Ok(Arc::new(OnCluster {
            cluster: self.0.clone(),
            properties: Arc::new(PlanProperties::new(
                EquivalenceProperties::new(plan.schema()),
                Partitioning::UnknownPartitioning(1),
                EmissionType::Final,
                Boundedness::Bounded,
            )),
            bytes: bytes.into(),
        }))
    }
}

fn cannot(why: &str) -> DataFusionError {
    DataFusionError::Plan(format!(
        "a cluster cannot work on this query: {why}. Ask without --cluster"
    ))
}

/// The operator that cannot be written down, where DataFusion names one among many words.
fn unsendable(error: &DataFusionError) -> String {
    let text = error.to_string();
    let named = text.split_once("Unsupported plan node, name: [");
    match named.and_then(|(_, rest)| rest.split_once(']')) {
        Some((operator, _)) => format!("{operator} cannot be sent to other machines"),
        None => text,
    }
}

/// Whether any leaf of a plan scans files.
fn reads_files(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    plan.exists(|node| {
        let source = node.downcast_ref::<DataSourceExec>();
        Ok(source.is_some_and(|source| {
            source
                .data_source()
                .downcast_ref::<FileScanConfig>()
                .is_some()
        }))
    })
}

/// A function that looks something up and by whose results rows would change machines: Ballista's writers know such functions by name only,
/// where they would find nothing.
fn shuffled_by(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<String>> {
    let mut found = None;
    plan.apply(|node| {
        let by = node
            .downcast_ref::<RepartitionExec>()
            .map(RepartitionExec::partitioning);
        if let Some(Partitioning::Hash(keys, _)) = by {
            for key in keys {
                Arc::clone(key).transform_down(|part: Arc<dyn PhysicalExpr>| {
                    if let Some(call) = part.downcast_ref::<ScalarFunctionExpr>()
                        && jobs::state_of(call.fun())?.is_some()
                    {
                        found = Some(call.name().to_owned());
                    }
                    Ok(Transformed::no(part))
                })?;
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// A whole plan that is worked on elsewhere. Its rows come in order, if the plan's have one.
#[derive(Debug)]
struct OnCluster {
    cluster: Cluster,
    properties: Arc<PlanProperties>,
    /// The plan as `PhysicalPlanNode`.
    bytes: Arc<[u8]>,
}

impl DisplayAs for OnCluster {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "OnCluster: {}, {} bytes",
            self.cluster.address(),
            self.bytes.len()
        )
    }
}

impl ExecutionPlan for OnCluster {
    fn name(&self) -> &str {
        "OnCluster"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let settings = context.session_config().to_key_value_pairs();
        Ok(job::rows(
            self.cluster.clone(),
            self.bytes.to_vec(),
            settings,
            self.schema(),
        ))
    }
}
