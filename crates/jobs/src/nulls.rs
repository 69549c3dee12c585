//! Whether a value is null, without making the value: `version_id IS NOT NULL` asks what `CASE` of the view `versions` is null in, and DataFusion 55
//! would put the text together for every row to see.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::{Case, ScalarFunction};
use datafusion::logical_expr::{Expr, LogicalPlan, lit};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// In filters, puts the conditions of a `CASE` in the place of the question whether it is null, where that is known of each of its branches.
#[derive(Debug)]
pub(crate) struct NullsOfCases;

impl OptimizerRule for NullsOfCases {
    fn name(&self) -> &str {
        "nulls_of_cases"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Filter(_) | LogicalPlan::TableScan(_) => {
                plan.map_expressions(|asked| asked.transform_up(|asked| Ok(by_conditions(asked))))
            }
            plan => Ok(Transformed::no(plan)),
        }
    }
}

fn by_conditions(asked: Expr) -> Transformed<Expr> {
    let known = match &asked {
        Expr::IsNull(value) => conditions(value, true),
        Expr::IsNotNull(value) => conditions(value, false),
        _ => None,
    };
    match known {
        Some(known) => Transformed::yes(known),
        None => Transformed::no(asked),
    }
}

/// Whether a `CASE` of conditions is null, or is not; `None` where only its value tells.
fn conditions(value: &Expr, null: bool) -> Option<Expr> {
    let Expr::Case(Case {
        expr: None,
        when_then_expr,
        else_expr,
    }) = value
    else {
        return None;
    };
    // Without ELSE it is null there.
    let otherwise = else_expr
        .as_ref()
        .map_or(Some(true), |value| is_null(value))?;
    let branches = when_then_expr.iter();
    let branches = branches.map(|(when, then)| Some((when.as_ref(), is_null(then)?)));
    let branches: Vec<_> = branches.collect::<Option<_>>()?;
    // From the last to the first: where a condition is true its branch decides, else what comes after it.
    let holds = lit(otherwise == null);
    let decided = |after: Expr, (when, is): (&Expr, bool)| match (is == null, known(&after)) {
        (holds, Some(after)) if holds == after => lit(holds),
        (true, Some(_)) => when.clone().is_true(),
        (false, Some(_)) => when.clone().is_not_true(),
        (true, None) => when.clone().is_true().or(after),
        (false, None) => when.clone().is_not_true().and(after),
    };
    Some(branches.into_iter().rev().fold(holds, decided))
}

fn known(condition: &Expr) -> Option<bool> {
    match condition {
        Expr::Literal(ScalarValue::Boolean(known), _) => *known,
        _ => None,
    }
}

/// Whether a value is null whatever the row; `None` where that is not known.
fn is_null(value: &Expr) -> Option<bool> {
    match value {
        Expr::Literal(value, _) => Some(value.is_null()),
        Expr::Alias(alias) => is_null(&alias.expr),
        Expr::Cast(cast) => is_null(&cast.expr).filter(|is_null| *is_null),
        // It leaves out what is null, and is null only where what it puts between the others is.
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "concat_ws" => {
            args.first().and_then(is_null)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// Two conditions, each true, false or null.
    const ROWS: &str = "(VALUES (true, true, 'x'), (true, false, 'x'), (true, NULL, 'x'), (false, true, 'x'), (false, false, 'x'), \
        (false, NULL, 'x'), (NULL, true, 'x'), (NULL, false, 'x'), (NULL, NULL, 'x')) AS r(a, b, t)";
    /// Null or not in each branch; with and without ELSE.
    const CASES: [&str; 9] = [
        "CASE WHEN a THEN NULL ELSE concat_ws('/', t, b) END",
        "CASE WHEN a THEN concat_ws('/', t) END",
        "CASE WHEN a THEN NULL WHEN b THEN concat_ws('/', t) ELSE concat_ws(':', t, t) END",
        "CASE WHEN a THEN concat_ws('/', t) WHEN b THEN NULL ELSE concat_ws(':', t, t) END",
        "CASE WHEN a THEN NULL WHEN b THEN concat_ws('/', t) END",
        "CASE WHEN a THEN 'x' WHEN b THEN NULL WHEN NOT a THEN 'y' END",
        "CASE WHEN a THEN NULL WHEN b THEN 'x' WHEN NOT b THEN NULL ELSE 'y' END",
        "CASE WHEN a THEN concat_ws(NULL, t) ELSE concat_ws('/', NULL, NULL) END",
        "CASE WHEN a THEN CAST(NULL AS VARCHAR) ELSE 'x' END",
    ];

    async fn rows(context: &SessionContext, query: &str) -> Vec<String> {
        let frame = context.sql(query).await.expect("a query");
        let batches = frame.collect().await.expect("rows");
        let table = arrow::util::pretty::pretty_format_batches(&batches).expect("text");
        table.to_string().lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn conditions_say_what_the_value_would() {
        let plain = SessionContext::new();
        let state = SessionStateBuilder::new().with_default_features();
        let state = state.with_optimizer_rule(std::sync::Arc::new(NullsOfCases));
        let asked = SessionContext::new_with_state(state.build());
        for case in CASES {
            for question in ["IS NULL", "IS NOT NULL"] {
                let query = format!(
                    "SELECT a, b FROM (SELECT a, b, {case} AS v FROM {ROWS}) WHERE v {question} ORDER BY a, b"
                );
                assert_eq!(
                    rows(&asked, &query).await,
                    rows(&plain, &query).await,
                    "{query}"
                );
                let plan = rows(&asked, &format!("EXPLAIN {query}")).await.join("\n");
                assert!(!plan.contains("CASE"), "{plan}");
            }
        }
    }

    #[tokio::test]
    async fn what_only_the_value_tells_is_asked_of_the_value() {
        let state = SessionStateBuilder::new().with_default_features();
        let state = state.with_optimizer_rule(std::sync::Arc::new(NullsOfCases));
        let asked = SessionContext::new_with_state(state.build());
        let query = format!(
            "SELECT a, b FROM (SELECT a, b, CASE WHEN a THEN nullif(t, 'x') ELSE 'y' END AS v FROM {ROWS}) WHERE v IS NULL ORDER BY b"
        );
        assert_eq!(rows(&asked, &query).await.len(), 3 + 4);
    }
}
