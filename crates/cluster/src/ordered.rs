//! Windows say themselves how their rows must be sorted. A filter `region = 'us-east-1'` makes DataFusion leave `region` out of the sort below
//! a window by `region`; once the plan is cut into stages, the machine with the window no longer knows of the filter and refuses to begin.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::windows::BoundedWindowAggExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, ExecutionPlanProperties, InputOrderMode,
    ReplaceChildrenOptions,
};

/// The same plan with every such sort written out.
pub(crate) fn written_out(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let done = plan.transform_up(|node| {
        let sorted = match node.downcast_ref::<BoundedWindowAggExec>() {
            Some(window) if window.input_order_mode == InputOrderMode::Sorted => sorted(window),
            _ => None,
        };
        match sorted {
            Some(input) => {
                let anew = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
                node.replace_children(vec![input], anew)
                    .map(Transformed::yes)
            }
            None => Ok(Transformed::no(node)),
        }
    })?;
    Ok(done.data)
}

/// The window's input, sorted by all that it is partitioned and ordered by; `None` where it says so already.
fn sorted(window: &BoundedWindowAggExec) -> Option<Arc<dyn ExecutionPlan>> {
    let first = window.window_expr().first()?;
    let partition = first.partition_by();
    let input = window.input();
    let told: Vec<_> = input
        .output_ordering()
        .into_iter()
        .flatten()
        .take(partition.len())
        .collect();
    let is_told = |key| told.iter().any(|sort| sort.expr.eq(key));
    if partition.iter().all(is_told) {
        return None;
    }
    let keys = partition
        .iter()
        .map(|key| PhysicalSortExpr::new_default(Arc::clone(key)));
    let order = LexOrdering::new(keys.chain(first.order_by().iter().cloned()))?;
    // What was sorted for this window alone is sorted once.
    let below = match input.downcast_ref::<SortExec>() {
        Some(sort) if sort.fetch().is_none() => sort.input(),
        _ => input,
    };
    Some(Arc::new(
        SortExec::new(order, Arc::clone(below)).with_preserve_partitioning(true),
    ))
}
