//! Views, planned once for all sessions whose tables have the same columns: planning them takes longer than most looks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::Session;
use crate::bind::parameters;
use crate::mistake::{QueryError, Words};
use crate::script::{Kind, Script};
use crate::{JobsError, functions};

/// Libraries and columns differ between a process's sessions only when files are loaded anew, and between tests.
const MOST: usize = 8;

static PLANNED: Mutex<Vec<Arc<Planned>>> = Mutex::new(Vec::new());

fn all_planned() -> MutexGuard<'static, Vec<Arc<Planned>>> {
    PLANNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The views of a library over some tables.
struct Planned {
    tables: Vec<(String, SchemaRef)>,
    /// By name.
    texts: Vec<(String, Arc<str>)>,
    /// Each after those that it selects from.
    views: Vec<View>,
}

struct View {
    name: String,
    text: Arc<str>,
    /// Over no rows.
    plan: LogicalPlan,
}

impl Session {
    pub(super) async fn register_views(&mut self) -> Result<(), JobsError> {
        self.refresh_names().await?;
        let tables = self.schemas.clone();
        let sources = self.library.sources(Kind::View);
        let texts: Vec<(String, Arc<str>)> = sources
            .map(|view| (view.name.clone(), Arc::clone(&view.text)))
            .collect();
        let fits = |planned: &&Arc<Planned>| planned.tables == tables && planned.texts == texts;
        let known = all_planned().iter().find(fits).cloned();
        if let Some(planned) = known {
            for view in &planned.views {
                let plan = self.over_its_tables(view.plan.clone()).await?;
                self.register_view(&view.name, &view.text, plan)?;
            }
            return self.refresh_names().await;
        }
        let views = self.plan_views().await?;
        let mut all = all_planned();
        all.retain(|planned| !fits(&planned));
        if all.len() >= MOST {
            all.remove(0);
        }
        all.push(Arc::new(Planned {
            tables,
            texts,
            views,
        }));
        Ok(())
    }

    fn register_view(
        &self,
        name: &str,
        text: &str,
        plan: LogicalPlan,
    ) -> Result<(), DataFusionError> {
        let view = ViewTable::new(plan, Some(text.to_owned()));
        self.context.register_table(name, Arc::new(view))?;
        Ok(())
    }

    /// The plan of a view over this session's rows, and with its functions.
    async fn over_its_tables(&self, plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
        let mut names = BTreeSet::new();
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                names.insert(scan.table_name.table().to_owned());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        let mut tables: BTreeMap<String, Arc<dyn TableProvider>> = BTreeMap::new();
        for name in names {
            let provider = self.context.table_provider(name.as_str()).await?;
            tables.insert(name, provider);
        }
        let state = self.context.state();
        let with_its_function = |expr: Expr| {
            expr.transform_up(|expr| {
                let Expr::ScalarFunction(mut called) = expr else {
                    return Ok(Transformed::no(expr));
                };
                if !functions::looks_up(&called.func) {
                    return Ok(Transformed::no(Expr::ScalarFunction(called)));
                }
                if let Some(own) = state.scalar_functions().get(called.func.name()) {
                    called.func = Arc::clone(own);
                }
                Ok(Transformed::yes(Expr::ScalarFunction(called)))
            })
        };
        let bound = plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::TableScan(mut scan) => {
                if let Some(provider) = tables.get(scan.table_name.table()) {
                    scan.source = provider_as_source(Arc::clone(provider));
                }
                Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
            }
            other => other.map_expressions(with_its_function),
        });
        bound.data()
    }

    /// Views may select from each other: each is planned once those that it names are there.
    async fn plan_views(&mut self) -> Result<Vec<View>, JobsError> {
        let mut views = Vec::new();
        let mut waiting = self.library.scripts(Kind::View)?;
        while !waiting.is_empty() {
            let missing: BTreeSet<String> = waiting
                .iter()
                .map(|view| view.source.name.clone())
                .collect();
            let (mut later, before) = (Vec::new(), waiting.len());
            for view in waiting {
                match self.plan_view(&view, &missing).await? {
                    None => later.push(view),
                    Some(plan) => {
                        let (name, text) = (view.source.name.clone(), view.source.text.clone());
                        self.register_view(&name, &text, plan.clone())?;
                        let plan = over_nothing(plan)?;
                        views.push(View { name, text, plan });
                    }
                }
            }
            if later.len() == before {
                let view = &later[0].source;
                let error = QueryError::correct("views select from each other in a circle", None);
                return Err(JobsError::Query {
                    file: view.file.clone(),
                    text: view.text.clone(),
                    error,
                });
            }
            waiting = later;
            self.refresh_names().await?;
        }
        Ok(views)
    }

    /// `None` where it selects from a view that is missing yet.
    async fn plan_view(
        &self,
        view: &Script,
        missing: &BTreeSet<String>,
    ) -> Result<Option<LogicalPlan>, JobsError> {
        let told = |error| JobsError::Query {
            file: view.source.file.clone(),
            text: view.source.text.clone(),
            error,
        };
        let mut statement = self.parse(&view.source.text).map_err(told)?;
        let state = self.context.state();
        let tables = state
            .resolve_table_references(&statement)
            .map_err(|e| told(self.mistake(&e, &view.source.text)))?;
        if tables.iter().any(|table| missing.contains(table.table())) {
            return Ok(None);
        }
        if let Some(name) = parameters(&mut statement).into_iter().next() {
            let place = Words::of(&view.source.text).find(&format!("${name}"));
            return Err(told(QueryError::correct(
                "a view takes no parameters",
                place,
            )));
        }
        let plan = self.plan(&view.source.text, &BTreeMap::new()).await;
        plan.map(Some).map_err(told)
    }
}

/// A plan that holds no rows of anybody.
fn over_nothing(plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    let emptied = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::TableScan(mut scan) => {
            let empty = Arc::new(EmptyTable::new(scan.source.schema()));
            scan.source = provider_as_source(empty);
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        }
        other => Ok(Transformed::no(other)),
    });
    emptied.data()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray};
    use lake::{AccountRow, Table, accounts_batch};

    use datafusion::datasource::source_as_provider;

    use super::*;
    use crate::testing::{ask, findings};
    use crate::{Library, Limits, Session};

    /// One finding of an account, and what the account is called.
    async fn called(name: &str, finding: &str) -> Session {
        let text = |value: &str| Arc::new(StringArray::from(vec![value.to_owned()])) as ArrayRef;
        let time = Arc::new(TimestampMicrosecondArray::from(vec![9]).with_timezone("UTC"));
        let rows = findings(vec![
            ("account_id", text("111122223333")),
            ("finding_id", text(finding)),
            ("event_time", time),
        ]);
        let account = AccountRow {
            account_id: "111122223333".to_owned(),
            name: Some(name.to_owned()),
            ou: Some("/prod".to_owned()),
            owner: None,
            email: None,
            tags: Vec::new(),
            valid_from: 0,
            valid_to: None,
        };
        let tables = vec![
            (Table::Findings, vec![rows]),
            (Table::Accounts, vec![accounts_batch(&[account]).unwrap()]),
        ];
        Session::in_memory(tables, &Library::built_in(), &Limits::default())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn plans_are_shared_and_rows_and_names_are_not() {
        let one = called("payments", "f1").await;
        let other = called("sandbox", "f2").await;
        for view in ["versions", "observations", "current_findings"] {
            let sql = format!("SELECT finding_id FROM {view}");
            assert_eq!(ask(&one, &sql).await.unwrap(), "f1", "{view}");
            assert_eq!(ask(&other, &sql).await.unwrap(), "f2", "{view}");
        }
        let sql = "SELECT account_name, (SELECT min(name) FROM accounts) FROM versions";
        assert_eq!(ask(&one, sql).await.unwrap(), "payments|payments");
        assert_eq!(ask(&other, sql).await.unwrap(), "sandbox|sandbox");
        let all = all_planned();
        for (at, planned) in all.iter().enumerate() {
            let is_same = |other: &&Arc<Planned>| {
                other.tables == planned.tables && other.texts == planned.texts
            };
            assert_eq!(all[at..].iter().filter(is_same).count(), 1, "planned once");
        }
        let mut scans = 0;
        for view in all.iter().flat_map(|planned| &planned.views) {
            let held = view.plan.apply_with_subqueries(|node| {
                if let LogicalPlan::TableScan(scan) = node {
                    let provider = source_as_provider(&scan.source)?;
                    assert!(
                        provider.downcast_ref::<EmptyTable>().is_some(),
                        "{}",
                        view.name
                    );
                    scans += 1;
                }
                Ok(TreeNodeRecursion::Continue)
            });
            held.unwrap();
        }
        assert!(scans > 0);
    }
}
