//! One look at the lake: its tables at fixed versions, the views over them, and read-only SQL in bounded memory and time.

#[cfg(test)]
mod brute;
#[cfg(test)]
mod chosen;
mod later;
#[cfg(test)]
mod tests;
mod views;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef, TimestampMicrosecondType};
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
    TableProvider,
};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::datasource::MemTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::prelude::{SessionContext, col, lit};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use jiff::tz::TimeZone;
use lake::schema::timestamp;
use lake::{Lake, Provided, Table};

use crate::answer::{Answer, Deadline, in_time};
use crate::bind::{bind, parameters};
use crate::common;
use crate::complete::Names;
use crate::first;
use crate::functions::{self, ACCOUNT_COLUMNS, AccountNames, DaysInUtc};
use crate::limits::{Limits, config, runtime};
use crate::mistake::QueryError;
use crate::nulls::NullsOfCases;
use crate::params::{Given, Parameter, ParameterType, Value};
use crate::script::{Library, Script};
use crate::{JobsError, function_names};
use later::Later;

/// A table of the lake at one version.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Which.
    pub table: Table,
    /// Its rows.
    pub provider: Arc<dyn TableProvider>,
    /// The Delta version they are of; `None` for rows in memory.
    pub version: Option<i64>,
}

/// An engine that works on plans elsewhere.
pub trait Elsewhere: Send + Sync {
    /// The state of a session with a planner whose plans are worked on there.
    fn engage(&self, state: SessionState) -> SessionState;
}

/// One look at the lake. What is written to the lake later is not seen: open another.
pub struct Session {
    context: SessionContext,
    names: Names,
    schemas: Vec<(String, SchemaRef)>,
    versions: HashMap<Table, i64>,
    library: Library,
    limits: Limits,
}

impl Session {
    /// Opens the findings of a lake at their present version. The other tables are opened by the first question that names them.
    pub async fn open(
        lake: &Lake,
        library: &Library,
        limits: &Limits,
    ) -> Result<Session, JobsError> {
        let mut tables = Vec::new();
        for table in Table::ALL {
            let known = lake.known_schema(table);
            tables.push(match known.filter(|_| table != Table::Findings) {
                Some(schema) => Opened {
                    table,
                    provider: Arc::new(Later::new(lake.clone(), table, schema)),
                    version: None,
                },
                None => {
                    let Provided { provider, version } = lake.provider(table).await?;
                    Opened {
                        table,
                        provider,
                        version: Some(version),
                    }
                }
            });
        }
        let rows = lake.account_history().await?;
        let schema = rows
            .first()
            .map_or_else(|| Table::Accounts.schema(), RecordBatch::schema);
        let accounts = MemTable::try_new(schema, vec![rows])?;
        Session::set_up(tables, Some(Arc::new(accounts)), library, limits, None).await
    }

    /// A session over rows in memory; tables that are not named are empty.
    pub async fn in_memory(
        rows: Vec<(Table, Vec<RecordBatch>)>,
        library: &Library,
        limits: &Limits,
    ) -> Result<Session, JobsError> {
        let in_memory = |table: Table, rows: Vec<RecordBatch>| -> Result<Opened, DataFusionError> {
            let provider = Arc::new(MemTable::try_new(table.schema(), vec![rows])?);
            Ok(Opened {
                table,
                provider,
                version: None,
            })
        };
        let mut rows: HashMap<Table, Vec<RecordBatch>> = rows.into_iter().collect();
        let tables = Table::ALL
            .into_iter()
            .map(|table| in_memory(table, rows.remove(&table).unwrap_or_default()));
        Session::over(tables.collect::<Result<_, _>>()?, library, limits).await
    }

    /// A session over any tables.
    pub async fn over(
        tables: Vec<Opened>,
        library: &Library,
        limits: &Limits,
    ) -> Result<Session, JobsError> {
        let mut accounts = tables
            .iter()
            .filter(|opened| opened.table == Table::Accounts);
        let accounts = accounts.next().map(|opened| Arc::clone(&opened.provider));
        Session::set_up(tables, accounts, library, limits, None).await
    }

    /// Opens all tables of a lake at their present versions, to ask an engine that works elsewhere.
    pub async fn open_elsewhere(
        lake: &Lake,
        library: &Library,
        limits: &Limits,
        elsewhere: &dyn Elsewhere,
    ) -> Result<Session, JobsError> {
        let mut tables = Vec::new();
        for table in Table::ALL {
            let Provided { provider, version } = lake.files(table).await?;
            tables.push(Opened {
                table,
                provider,
                version: Some(version),
            });
        }
        let accounts = lake.provider(Table::Accounts).await?.provider;
        Session::set_up(tables, Some(accounts), library, limits, Some(elsewhere)).await
    }

    /// `accounts` is the table that names of accounts are read from, here.
    async fn set_up(
        tables: Vec<Opened>,
        accounts: Option<Arc<dyn TableProvider>>,
        library: &Library,
        limits: &Limits,
        elsewhere: Option<&dyn Elsewhere>,
    ) -> Result<Session, JobsError> {
        let mut builder = SessionStateBuilder::new()
            .with_config(config(limits))
            .with_runtime_env(runtime(limits)?)
            .with_default_features()
            .with_optimizer_rules(optimizer_rules());
        // Those who work elsewhere know DataFusion's own operators.
        if elsewhere.is_none() {
            builder = builder.with_physical_optimizer_rules(first::optimizer_rules());
        }
        let mut context = SessionContext::new_with_state(builder.build());
        let names = match accounts {
            Some(accounts) => {
                let rows = context
                    .read_table(accounts)?
                    .select_columns(&ACCOUNT_COLUMNS)?;
                AccountNames::read(&rows.collect().await?)?
            }
            None => AccountNames::default(),
        };
        if let Some(elsewhere) = elsewhere {
            context = SessionContext::new_with_state(elsewhere.engage(context.state()));
        }
        let mut versions = HashMap::new();
        for opened in tables {
            context.register_table(sql_name(opened.table), opened.provider)?;
            versions.extend(opened.version.map(|version| (opened.table, version)));
        }
        functions::register(&mut context, &Arc::new(names))?;
        let mut session = Session {
            context,
            names: Names::default(),
            schemas: Vec::new(),
            versions,
            library: library.clone(),
            limits: limits.clone(),
        };
        session.names.functions = function_names(&session.context.state());
        session.register_views().await?;
        Ok(session)
    }

    /// The Delta version that a table is seen at; `None` for rows in memory and for tables that are opened later.
    pub fn version(&self, table: Table) -> Option<i64> {
        self.versions.get(&table).copied()
    }

    /// The columns of a table or view; none where there is no such.
    pub(crate) fn schema(&self, name: &str) -> SchemaRef {
        let known = self.schemas.iter().find(|(known, _)| known == name);
        known.map_or_else(|| Arc::new(Schema::empty()), |(_, schema)| schema.clone())
    }

    /// Puts rows in the place of a table or view of the same columns.
    pub(crate) fn put(
        &self,
        name: &str,
        rows: Arc<dyn TableProvider>,
    ) -> Result<(), DataFusionError> {
        self.context.deregister_table(name)?;
        self.context.register_table(name, rows)?;
        Ok(())
    }

    /// What can be named in a query.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The files of `sql/` that the session was opened with.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// How far the session may go.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// DataFusion's own session, for those who build plans by hand. Nothing stops such a plan from writing.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Asks one read-only question. Parameters are read as [`Value::guess`] says.
    pub async fn sql(&self, sql: &str, given: &Given) -> Result<Answer, QueryError> {
        let values = given
            .iter()
            .map(|(name, text)| (name.clone(), Value::guess(text)))
            .collect();
        self.ask(sql, &values).await
    }

    /// Asks the question of a script. Parameters are read by their declared types; those not given take their defaults.
    pub async fn run(&self, script: &Script, given: &Given) -> Result<Answer, QueryError> {
        let (sql, deadline) = (&*script.source.text, self.deadline());
        let mut values = in_time(deadline, self.values(script, given)).await?;
        let named = parameters(&mut self.parse(sql)?);
        let limit = match values.get("limit") {
            Some(Value::Integer(limit)) if *limit > 0 && !named.contains("limit") => {
                Some(usize::try_from(*limit).unwrap_or(usize::MAX))
            }
            _ => None,
        };
        values.retain(|name, _| named.contains(name) || !common::may_be_unused(name));
        let mut plan = in_time(deadline, self.plan(sql, &values)).await?;
        if let Some(limit) = limit {
            let limited = LogicalPlanBuilder::from(plan).limit(0, Some(limit));
            plan = limited
                .and_then(LogicalPlanBuilder::build)
                .map_err(|error| self.mistake(&error, sql))?;
        }
        self.execute(plan, sql, deadline).await
    }

    /// Asks with values at hand.
    pub async fn ask(
        &self,
        sql: &str,
        values: &BTreeMap<String, Value>,
    ) -> Result<Answer, QueryError> {
        let deadline = self.deadline();
        let plan = in_time(deadline, self.plan(sql, values)).await?;
        self.execute(plan, sql, deadline).await
    }

    /// When a query that is asked now must have ended.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.limits.time.map(Deadline::after)
    }

    /// The names of the parameters that a query mentions, without dollar signs.
    pub fn named(&self, sql: &str) -> Result<BTreeSet<String>, QueryError> {
        Ok(parameters(&mut self.parse(sql)?))
    }

    async fn execute(
        &self,
        plan: LogicalPlan,
        sql: &str,
        deadline: Option<Deadline>,
    ) -> Result<Answer, QueryError> {
        let frame = async {
            let frame = self.context.execute_logical_plan(plan).await;
            frame.map_err(|error| self.mistake(&error, sql))
        };
        let frame = in_time(deadline, frame).await?;
        Answer::of(frame, sql, &self.names, deadline).await
    }

    /// The plan of a query that only reads.
    pub(crate) async fn plan(
        &self,
        sql: &str,
        values: &BTreeMap<String, Value>,
    ) -> Result<LogicalPlan, QueryError> {
        let mut statement = self.parse(sql)?;
        let refused = || QueryError::read_only(sql);
        if !only_reads(&statement) {
            return Err(refused());
        }
        bind(&mut statement, values, sql)?;
        let plan = self.context.state().statement_to_plan(statement).await;
        let plan = plan.map_err(|error| self.mistake(&error, sql))?;
        let read_only = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        read_only.verify_plan(&plan).map_err(|_| refused())?;
        Ok(plan)
    }

    /// A DataFusion error about `sql`, told to a person.
    pub(crate) fn mistake(&self, error: &DataFusionError, sql: &str) -> QueryError {
        QueryError::of(error, sql, &self.names)
    }

    /// One statement, parsed.
    pub(crate) fn parse(&self, sql: &str) -> Result<Statement, QueryError> {
        let state = self.context.state();
        let dialect = state.config_options().sql_parser.dialect;
        state
            .sql_to_statement(sql, &dialect)
            .map_err(|error| match error.find_root() {
                DataFusionError::NotImplemented(_) => {
                    QueryError::correct("one statement at a time", None)
                }
                DataFusionError::Plan(_) => QueryError::correct("there is no query here", None),
                _ => self.mistake(&error, sql),
            })
    }

    /// The newest event time in the lake in UTC microseconds; 0 for an empty lake. A finding may claim any time: what lies more than
    /// a day after the newest `ingested_at` is not looked at, so that one finding dated in the far future moves no default.
    pub async fn newest(&self) -> Result<i64, QueryError> {
        const DAY: i64 = 86_400_000_000;
        let newest = async {
            let findings = self.context.table(sql_name(Table::Findings)).await?;
            let both = vec![max(col("event_time")), max(col("ingested_at"))];
            let found = findings.clone().aggregate(vec![], both)?.collect().await?;
            let (event, ingested) = (first_time(&found, 0)?, first_time(&found, 1)?);
            let (Some(event), Some(ingested)) = (event, ingested) else {
                return Ok(event.unwrap_or(0));
            };
            let latest = ingested.saturating_add(DAY);
            if event <= latest {
                return Ok(event);
            }
            let latest = ScalarValue::TimestampMicrosecond(Some(latest), Some("UTC".into()));
            let plausible = findings
                .filter(col("event_time").lt_eq(lit(latest)))?
                .aggregate(vec![], vec![max(col("event_time"))])?;
            Ok(first_time(&plausible.collect().await?, 0)?.unwrap_or(event))
        };
        newest
            .await
            .map_err(|error: DataFusionError| self.mistake(&error, ""))
    }

    async fn values(
        &self,
        script: &Script,
        given: &Given,
    ) -> Result<BTreeMap<String, Value>, QueryError> {
        let declared = &script.header.parameters;
        let undeclared = given
            .iter()
            .filter(|(name, _)| !declared.iter().any(|p| p.name == **name));
        // `bind` says which names there are when one of these is unknown.
        let mut values: BTreeMap<String, Value> = undeclared
            .map(|(name, text)| (name.clone(), Value::guess(text)))
            .collect();
        let text = |parameter: &'_ Parameter| -> Option<String> {
            given
                .get(&parameter.name)
                .or(parameter.default.as_ref())
                .cloned()
        };
        let wrong = |parameter: &Parameter, why: String| {
            QueryError::correct(format!("parameter {}: {why}", parameter.name), None)
        };
        // The zone first: it says what the times mean.
        let mut tz = TimeZone::UTC;
        for parameter in declared.iter().filter(|p| p.kind == ParameterType::Zone) {
            if let Some(text) = text(parameter) {
                tz = functions::zone(&text).map_err(|why| wrong(parameter, why))?;
            }
        }
        let mut newest = None;
        for parameter in declared {
            let Some(text) = text(parameter) else {
                continue;
            };
            if parameter.kind.is_relative(&text) && newest.is_none() {
                newest = Some(self.newest().await?);
            }
            let value = parameter
                .kind
                .read_in(&text, newest.unwrap_or_default(), &tz);
            let value = value.map_err(|why| wrong(parameter, why))?;
            values.insert(parameter.name.clone(), value);
        }
        Ok(values)
    }

    async fn refresh_names(&mut self) -> Result<(), JobsError> {
        let Some(schema) = self
            .context
            .catalog("datafusion")
            .and_then(|catalog| catalog.schema("public"))
        else {
            return Ok(());
        };
        let mut schemas = Vec::new();
        for name in schema.table_names() {
            let columns = self.context.table_provider(name.as_str()).await?.schema();
            schemas.push((name, columns));
        }
        schemas.sort_by(|(a, _), (b, _)| a.cmp(b));
        let columns = |schema: &SchemaRef| {
            schema
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect()
        };
        self.names.tables = schemas
            .iter()
            .map(|(name, schema)| (name.clone(), columns(schema)))
            .collect();
        self.schemas = schemas;
        Ok(())
    }

    /// The same names over no rows and with no plans behind the views: for looking at what a query itself does.
    pub(crate) fn shallow(&self) -> Result<Session, DataFusionError> {
        let empty = |(name, schema): &'_ (String, SchemaRef)| {
            let empty = EmptyTable::new(Arc::clone(schema));
            (name.clone(), Arc::new(empty) as Arc<dyn TableProvider>)
        };
        self.with_tables(self.schemas.iter().map(empty))
    }

    /// The same over these tables and views alone.
    pub(crate) fn with_tables(
        &self,
        tables: impl IntoIterator<Item = (String, Arc<dyn TableProvider>)>,
    ) -> Result<Session, DataFusionError> {
        let session = self.without_tables()?;
        for (name, rows) in tables {
            session.context.register_table(name, rows)?;
        }
        Ok(session)
    }

    /// The same with other rows of `findings`, in the columns of the table.
    pub(crate) async fn with_findings(
        &self,
        rows: Arc<dyn TableProvider>,
    ) -> Result<Session, JobsError> {
        let mut session = self.without_tables()?;
        for table in Table::ALL {
            let provider = match table {
                Table::Findings => Arc::clone(&rows),
                _ => self.context.table_provider(sql_name(table)).await?,
            };
            session.context.register_table(sql_name(table), provider)?;
        }
        session.register_views().await?;
        Ok(session)
    }

    fn without_tables(&self) -> Result<Session, DataFusionError> {
        let state = SessionStateBuilder::new_from_existing(self.context.state())
            .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
            .build();
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema("public", Arc::new(MemorySchemaProvider::new()))?;
        let context = SessionContext::new_with_state(state);
        context.register_catalog("datafusion", Arc::new(catalog));
        Ok(Session {
            context,
            names: self.names.clone(),
            schemas: self.schemas.clone(),
            versions: self.versions.clone(),
            library: self.library.clone(),
            limits: self.limits.clone(),
        })
    }
}

/// The time in the first row of a column.
fn first_time(batches: &[RecordBatch], column: usize) -> Result<Option<i64>, DataFusionError> {
    let Some(batch) = batches.first().filter(|batch| batch.num_rows() > 0) else {
        return Ok(None);
    };
    let times = cast(batch.column(column), &timestamp())?;
    let times = times.as_primitive::<TimestampMicrosecondType>();
    Ok(times.is_valid(0).then(|| times.value(0)))
}

/// What a table is called in SQL: views may not carry the name of a table, so the history of accounts makes room for one.
pub fn sql_name(table: Table) -> &'static str {
    match table {
        Table::Accounts => "accounts_history",
        table => table.name(),
    }
}

/// By what the statement is; what its parts do is for `SQLOptions::verify_plan`.
fn only_reads(statement: &Statement) -> bool {
    match statement {
        Statement::Explain(explain) => only_reads(&explain.statement),
        Statement::Statement(statement) => matches!(
            statement.as_ref(),
            SqlStatement::Query(_)
                | SqlStatement::ExplainTable { .. }
                | SqlStatement::ShowTables { .. }
                | SqlStatement::ShowColumns { .. }
                | SqlStatement::ShowFunctions { .. }
                | SqlStatement::ShowVariable { .. }
                | SqlStatement::ShowCreate { .. }
        ),
        _ => false,
    }
}

/// DataFusion's own, between those that have to come before and after them.
fn optimizer_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![Arc::new(DaysInUtc::new())];
    rules.extend(Optimizer::new().rules);
    rules.push(Arc::new(NullsOfCases));
    rules
}
