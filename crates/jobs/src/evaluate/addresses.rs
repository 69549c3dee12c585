//! Observations where nothing is asked of their addresses: the rows of `versions`, each once. The remote addresses of a finding are a list, which takes
//! longer to read and to take apart than all else that most rules read.

use std::sync::Arc;

use alerts::{Kind, Rule};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DataFusionError, ScalarValue};
use datafusion::logical_expr::logical_plan::{Projection, SubqueryAlias, Unnest};
use datafusion::logical_expr::{Expr, LogicalPlan, cast, lit};

use crate::script;
use crate::session::Session;

const VIEW: &str = "observations";
const ADDRESS: &str = "remote_ip";

/// The plan of a rule's SELECT without taking lists of addresses apart, where the rule neither groups by an address nor looks at one: a version counts
/// once however often it is there. Plans over a user's own `observations` stay as they are.
pub(super) fn left_out(
    session: &Session,
    rule: &Rule,
    plan: LogicalPlan,
) -> Result<LogicalPlan, DataFusionError> {
    let mut views = session.library().sources(script::Kind::View);
    let is_known = views.any(|view| view.name == VIEW && view.is_built_in());
    if !is_known || names_addresses(rule) || asks_for_addresses(&plan)? {
        return Ok(plan);
    }
    let once = plan.transform_down(|node| match node {
        LogicalPlan::SubqueryAlias(alias) if is_view(&alias) => {
            let rows = Arc::unwrap_or_clone(alias.input).transform_down(|node| match node {
                LogicalPlan::Unnest(unnest) => Ok(Transformed::new(
                    of_no_elements(unnest)?,
                    true,
                    TreeNodeRecursion::Stop,
                )),
                node => Ok(Transformed::no(node)),
            })?;
            let alias = SubqueryAlias::try_new(Arc::new(rows.data), alias.alias)?;
            Ok(Transformed::new(
                LogicalPlan::SubqueryAlias(alias),
                true,
                TreeNodeRecursion::Jump,
            ))
        }
        node => Ok(Transformed::no(node)),
    })?;
    Ok(once.data)
}

fn is_view(alias: &SubqueryAlias) -> bool {
    alias.alias.table() == VIEW
}

/// Whether the header names what it could only have from an address. A query may count rows.
fn names_addresses(rule: &Rule) -> bool {
    let counted = rule.counts().flat_map(|count| count.columns());
    rule.kind == Kind::Query
        || rule
            .group_by
            .iter()
            .chain(counted)
            .any(|name| name == ADDRESS)
}

/// Whether the SELECT does more with addresses than to hand them on, or anything to more than one row.
fn asks_for_addresses(plan: &LogicalPlan) -> Result<bool, DataFusionError> {
    let mut asks = false;
    plan.apply(|node| {
        let hands_on = |expr: &Expr| match expr {
            Expr::Column(_) => true,
            expr => expr
                .column_refs()
                .iter()
                .all(|column| column.name != ADDRESS),
        };
        let fine = match node {
            LogicalPlan::SubqueryAlias(alias) if is_view(alias) => {
                return Ok(TreeNodeRecursion::Jump);
            }
            LogicalPlan::SubqueryAlias(_) => true,
            LogicalPlan::Projection(projection) => projection.expr.iter().all(hands_on),
            LogicalPlan::Filter(filter) => hands_on(&filter.predicate),
            _ => false,
        };
        asks |= !fine;
        Ok(match fine {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Stop,
        })
    })?;
    Ok(asks)
}

/// The rows whose lists are taken apart, each once, with null for their elements.
fn of_no_elements(unnest: Unnest) -> Result<LogicalPlan, DataFusionError> {
    let given = unnest.input.schema();
    let columns = unnest.schema.iter().zip(&unnest.dependency_indices);
    let columns = columns.map(|((qualifier, field), from)| {
        let lists = &unnest.list_type_columns;
        match lists.iter().any(|(list, _)| list == from) {
            true => cast(lit(ScalarValue::Null), field.data_type().clone())
                .alias_qualified(qualifier.cloned(), field.name()),
            false => Expr::Column(Column::from(given.qualified_field(*from))),
        }
    });
    let columns = columns.collect();
    Projection::try_new(columns, unnest.input).map(LogicalPlan::Projection)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evaluate::{Fired, evaluate, optimized};
    use crate::testing::versions::{SECOND, Version, rows, stored, version};
    use crate::testing::{empty, over};
    use crate::{Library, Limits};

    fn rule(header: &str, sql: &str) -> Rule {
        let text = format!("/*\ntitle: t\nseverity: low\n{header}\n*/\n{sql}");
        Rule::parse("r", &text).unwrap_or_else(|error| panic!("{error}"))
    }

    const PLAIN: &str = "group_by: [account_id]\nthreshold: 2\nwindow: 10s";

    async fn takes_apart(session: &Session, header: &str, sql: &str) -> bool {
        let plan = optimized(session, &rule(header, sql)).await.unwrap();
        plan.display_indent().to_string().contains("Unnest")
    }

    #[tokio::test]
    async fn lists_are_taken_apart_only_for_those_who_ask() {
        let session = empty().await;
        for sql in [
            "SELECT * FROM observations",
            "SELECT o.* FROM observations AS o WHERE o.severity > 2",
            "SELECT * FROM (SELECT * EXCEPT (remote_country) FROM observations WHERE NOT sample) WHERE severity > 2",
            "SELECT account_id, region, finding_id, event_time, severity + 1 AS severity, remote_ip FROM observations",
        ] {
            assert!(!takes_apart(&session, PLAIN, sql).await, "{sql}");
        }
        for sql in [
            "SELECT * FROM observations WHERE remote_ip IS NOT NULL",
            "SELECT * FROM (SELECT *, \"remote_ip\" AS address FROM observations) WHERE address LIKE '1%'",
            "SELECT * EXCEPT (remote_ip), concat(remote_ip, type) AS remote_ip FROM observations",
        ] {
            assert!(takes_apart(&session, PLAIN, sql).await, "{sql}");
        }
        for asks in [
            "group_by: [account_id, remote_ip]\nthreshold: 2\nwindow: 10s",
            "group_by: [account_id]\ncount: distinct(remote_ip)\nthreshold: 2\nwindow: 10s",
            "group_by: [account_id]\nkind: new_terms\nterm: remote_ip\nlookback: 1d",
        ] {
            let sql = "SELECT * FROM observations";
            assert!(takes_apart(&session, asks, sql).await, "{asks}");
        }
    }

    #[tokio::test]
    async fn what_a_user_calls_observations_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("views")).unwrap();
        let text = "SELECT * EXCEPT (remote_ip), unnest(remote_ips) AS remote_ip FROM versions";
        let view = format!("/*\ntitle: Those with addresses\n*/\n{text}\n");
        std::fs::write(folder.path().join("views/observations.sql"), view).unwrap();
        let library = Library::with_overlay(folder.path()).unwrap();
        let limits = Limits::default();
        let session = Session::in_memory(Vec::new(), &library, &limits).await;
        let session = session.unwrap();
        let sql = "SELECT * FROM observations";
        assert!(takes_apart(&session, PLAIN, sql).await);
    }

    const KINDS: [&str; 12] = [
        "count: findings\nthreshold: 2\nwindow: 9s",
        "count: versions\nthreshold: 3\nwindow: 20s",
        "count: occurrences\nthreshold: 6\nwindow: 20s",
        "count: distinct(type)\nthreshold: 2\nwindow: 9s",
        "count: sum(severity)\nthreshold: 12\nwindow: 9s",
        "count: avg(severity)\nthreshold: 5\nwindow: 9s",
        "count: percentile(50,severity)\nthreshold: 5\nwindow: 9s",
        "kind: absence\nthreshold: 2\nlookback: 30s\nwindow: 5s",
        "kind: new_terms\nterm: type\nlookback: 20s\nmin_history: 5s\nwindow: 1s",
        "kind: rate\ncount: versions\nthreshold: 2\nwindow: 5s\nbaseline: 20s\nfactor: 1.5",
        "kind: sequence\nsteps: [T0, T1]\nwindow: 15s",
        "kind: sequence\nordered: false\nsteps:\n  - step: T0\n    count: versions\n    threshold: 2\n    window: 9s\n  - T1\nwindow: 15s",
    ];

    fn fired(versions: &[Version], rules: [&Rule; 2]) -> [Vec<Fired>; 2] {
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let session = over(vec![rows(versions, SECOND)]).await;
            let fired = rules.map(|rule| evaluate(&session, rule, 90 * SECOND));
            let [one, other] = fired;
            [one.await.unwrap(), other.await.unwrap()]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn however_often_a_version_is_there_it_counts_once(
            versions in prop::collection::vec(version(), 1..60),
            kind in prop::sample::select(KINDS.to_vec()),
            group_by in prop::sample::select(vec!["account_id", ""]),
        ) {
            let versions = stored(versions);
            let header = format!("group_by: [{group_by}]\nsuppress_for: 5s\n{kind}");
            let sql = "SELECT *, type AS step FROM observations";
            let asked = format!("{sql} WHERE remote_ip IS NULL OR remote_ip <> 'nowhere'");
            let rules = [rule(&header, sql), rule(&header, &asked)];
            let [once, often] = fired(&versions, rules.each_ref());
            prop_assert_eq!(once, often);
        }
    }
}
