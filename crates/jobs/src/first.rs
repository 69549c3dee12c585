//! The first row of each group: what `WHERE nth = 1` leaves of `row_number() OVER (PARTITION BY .. ORDER BY ..) AS nth`, as in "the last version
//! of each finding". DataFusion 55 sorts all rows for it (its own rule for windows, `enable_window_topn`, does not know `= 1`, keeps a
//! heap for each group and cannot leave memory). Here each group keeps its best row in a hash table; what does not fit in memory is sorted
//! on disk.
//!
//! The cast: [`FirstOfEach`] finds such windows in a plan and puts a [`FirstOfEachExec`] in their place, which gathers [`Groups`] by
//! [`Keys`], or hands over to `external`.
//!
//! [`Groups`]: groups::Groups
//! [`Keys`]: keys::Keys

mod exec;
mod external;
mod groups;
mod keys;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::utils::conjunction;
use datafusion::physical_expr::window::StandardWindowExpr;
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowUDFExpr};

use exec::FirstOfEachExec;

type Plan = Arc<dyn ExecutionPlan>;

/// DataFusion's own rules and this one: before those that sort and distribute rows as windows want them, and before filters and projections
/// become one.
pub(crate) fn optimizer_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    let before = rules
        .iter()
        .position(|rule| rule.name() == "EnsureRequirements");
    rules.insert(before.unwrap_or_default(), Arc::new(FirstOfEach));
    rules
}

/// Puts a [`FirstOfEachExec`] in the place of a window whose rows but the first nobody wants.
#[derive(Debug)]
struct FirstOfEach;

impl PhysicalOptimizerRule for FirstOfEach {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        let rewritten = plan.transform_down(|node| {
            Ok(match without_window(&node)? {
                Some(plan) => Transformed::yes(plan),
                None => Transformed::no(node),
            })
        });
        rewritten.data()
    }

    fn name(&self) -> &str {
        "FirstOfEach"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The same rows as those of a filter on the number that a window gives; `None` for all other plans.
fn without_window(plan: &Plan) -> Result<Option<Plan>> {
    let Some(filter) = plan.downcast_ref::<FilterExec>() else {
        return Ok(None);
    };
    if filter.projection().is_some() || filter.fetch().is_some() {
        return Ok(None);
    }
    let conditions = split_conjunction(filter.predicate());
    for (at, condition) in conditions.iter().enumerate() {
        let Some(number) = only_the_first(condition) else {
            continue;
        };
        let Some(first) = first_rows(filter.input(), number)? else {
            continue;
        };
        let others = conditions.iter().enumerate().filter(|(i, _)| *i != at);
        let others: Vec<_> = others.map(|(_, other)| Arc::clone(other)).collect();
        if others.is_empty() {
            return Ok(Some(first));
        }
        let filter = FilterExec::try_new(conjunction(others), first)?;
        return Ok(Some(Arc::new(filter)));
    }
    Ok(None)
}

/// The column that is 1 in every row for which this holds, if numbers start with 1.
fn only_the_first(condition: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    let compared = condition.downcast_ref::<BinaryExpr>()?;
    let sides = (compared.left(), compared.right());
    let (column, op, constant) = match sides.0.downcast_ref::<Column>() {
        Some(column) => (column, *compared.op(), sides.1),
        None => (
            sides.1.downcast_ref::<Column>()?,
            compared.op().swap()?,
            sides.0,
        ),
    };
    let constant = constant.downcast_ref::<Literal>()?.value();
    let constant = match constant.cast_to(&DataType::UInt64).ok()? {
        ScalarValue::UInt64(Some(number)) if constant.data_type().is_integer() => number,
        _ => return None,
    };
    matches!(
        (op, constant),
        (Operator::Eq | Operator::LtEq, 1) | (Operator::Lt, 2)
    )
    .then(|| column.index())
}

/// A plan with the columns of `plan` and those rows in which column `number` is 1, where that numbers the rows of a window.
fn first_rows(plan: &Plan, number: usize) -> Result<Option<Plan>> {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let below = projection.expr()[number].expr.downcast_ref::<Column>();
        let Some(below) = below.map(Column::index) else {
            return Ok(None);
        };
        let Some(first) = first_rows(projection.input(), below)? else {
            return Ok(None);
        };
        let same = ProjectionExec::try_new(projection.expr().to_vec(), first)?;
        return Ok(Some(Arc::new(same)));
    }
    let Some(window) = plan.downcast_ref::<BoundedWindowAggExec>() else {
        return Ok(None);
    };
    let [numbers] = window.window_expr() else {
        return Ok(None);
    };
    let function = numbers
        .as_any()
        .downcast_ref::<StandardWindowExpr>()
        .and_then(|window| {
            let function = window.get_standard_func_expr().as_any();
            function.downcast_ref::<WindowUDFExpr>()
        });
    let is_row_number = function.is_some_and(|function| function.fun().name() == "row_number");
    if !is_row_number || number != window.input().schema().fields().len() {
        return Ok(None);
    }
    let (keys, order) = (numbers.partition_by(), numbers.order_by());
    if keys.is_empty() || !FirstOfEachExec::supports(window.input(), keys, order)? {
        return Ok(None);
    }
    let input = Arc::clone(window.input());
    let exec = FirstOfEachExec::new(input, keys.to_vec(), order.to_vec(), window.schema())?;
    Ok(Some(Arc::new(exec)))
}
