//! What rules read: of which tables, which columns. Those columns are taken once from new rows and then serve all rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alerts::Rule;
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::datasource::{MemTable, ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, ident, lit};
use datafusion::prelude::DataFrame;
use lake::Table;

use crate::JobsError;
use crate::evaluate::optimized;
use crate::mistake::QueryError;
use crate::session::{Session, sql_name};

/// Rows by the table that they are of.
pub(super) type Rows = BTreeMap<String, Vec<RecordBatch>>;

/// The column by which rows are recent or not: every rule reads it.
pub(super) const TIME: &str = "event_time";

/// By table or view: the columns that are read of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reads(BTreeMap<String, BTreeSet<String>>);

impl Reads {
    /// What one rule reads. `shallow` is a session without plans behind its views ([`Session::shallow`]).
    pub(super) async fn of(shallow: &Session, rule: &Rule) -> Result<Reads, QueryError> {
        let plan = optimized(shallow, rule).await?;
        scanned(&plan).map_err(|error| shallow.mistake(&error, &rule.sql))
    }

    /// What the most frequent values among the rows of a query rest on, or of a rule's SELECT.
    pub(super) async fn of_telling(shallow: &Session, sql: &str) -> Result<Reads, QueryError> {
        let (rows, columns) = shallow.telling(sql).await?;
        let plan = rows
            .select_columns(&columns)
            .and_then(DataFrame::into_optimized_plan);
        plan.and_then(|plan| scanned(&plan))
            .map_err(|error| shallow.mistake(&error, sql))
    }

    /// Whether all that `other` reads is among this.
    pub(super) fn has(&self, other: &Reads) -> bool {
        other.tables().all(|(table, columns)| {
            let mine = self.0.get(table);
            mine.is_some_and(|mine| columns.is_subset(mine))
        })
    }

    /// By table or view, the columns.
    pub(super) fn tables(&self) -> impl Iterator<Item = (&String, &BTreeSet<String>)> {
        self.0.iter()
    }

    /// What both read.
    pub(super) fn and(&mut self, other: &Reads) {
        for (table, columns) in &other.0 {
            let mine = self.0.entry(table.clone()).or_default();
            mine.extend(columns.iter().cloned());
        }
    }

    /// The columns of `findings` that need not be read for this, in so far as they may be left empty.
    pub(super) async fn unread(&self, session: &Session) -> Result<Vec<String>, JobsError> {
        let read = self.of_findings(session).await?;
        let schema = Table::Findings.schema();
        let may_be_empty = |field: &&Arc<Field>| field.is_nullable() || field.name() == "raw";
        let unread = schema.fields().iter().filter(may_be_empty);
        let unread = unread.map(|field| field.name().clone());
        Ok(unread.filter(|name| !read.contains(name)).collect())
    }

    /// What all of this rests on, of `findings` alone.
    pub(super) async fn underneath(&self, session: &Session) -> Result<Reads, JobsError> {
        let name = sql_name(Table::Findings).to_owned();
        let columns = self.of_findings(session).await?;
        Ok(Reads(BTreeMap::from([(name, columns)])))
    }

    /// The columns of `findings` that this rests on.
    async fn of_findings(&self, session: &Session) -> Result<BTreeSet<String>, JobsError> {
        let mut all = Reads::default();
        for (table, columns) in &self.0 {
            let frame = session.context().table(table.as_str()).await?;
            let names: Vec<Expr> = columns.iter().map(ident).collect();
            all.and(&scanned(&frame.select(names)?.into_optimized_plan()?)?);
        }
        let read = all.0.remove(sql_name(Table::Findings));
        Ok(read.unwrap_or_else(|| BTreeSet::from([TIME.to_owned()])))
    }

    /// The rows of each table as a session sees them, those later than some time.
    pub(super) async fn rows(
        &self,
        session: &Session,
        after: Option<i64>,
    ) -> Result<Rows, JobsError> {
        let after = after.map(|after| {
            let after = ScalarValue::TimestampMicrosecond(Some(after), Some("UTC".into()));
            ident(TIME).gt(lit(after))
        });
        let mut rows = Rows::new();
        for table in self.0.keys() {
            let some = self.rows_of(session, table, after.clone()).await?;
            rows.insert(table.clone(), some);
        }
        Ok(rows)
    }

    /// The rows of a table as a session sees them, those that are wanted.
    pub(super) async fn rows_of(
        &self,
        session: &Session,
        table: &str,
        wanted: Option<Expr>,
    ) -> Result<Vec<RecordBatch>, JobsError> {
        let mut frame = session.context().table(table).await?;
        if let Some(wanted) = wanted {
            frame = frame.filter(wanted)?;
        }
        let columns = self.0.get(table).into_iter().flatten();
        let frame = frame.select(columns.map(ident).collect::<Vec<_>>())?;
        Ok(frame.collect().await?)
    }

    /// Rows in the order and the types that columns have in `over`, a session in memory, whatever store they come from.
    pub(super) fn fitted(&self, rows: &mut Rows, over: &Session) -> Result<(), ArrowError> {
        for (table, batches) in rows {
            let schema = self.schema(table, over);
            for batch in batches {
                *batch = lake::fitted(batch, &schema)?;
            }
        }
        Ok(())
    }

    /// A session that sees these rows, which are [`fitted`](Reads::fitted), under all columns of their tables: those that are not read are null and cost nothing.
    /// The tables that rest on them are not to be asked: they are empty.
    pub(super) async fn session(&self, rows: &Rows, like: &Session) -> Result<Session, JobsError> {
        let empty = Session::in_memory(Vec::new(), like.library(), like.limits()).await?;
        for table in self.0.keys() {
            let batches = rows.get(table).cloned().unwrap_or_default();
            let parts = empty.context().state().config().target_partitions();
            let mut shares = vec![Vec::new(); parts.max(1)];
            for (at, batch) in batches.into_iter().enumerate() {
                shares[at % parts.max(1)].push(batch);
            }
            let held = MemTable::try_new(self.schema(table, &empty), shares)?;
            let whole = whole(Arc::new(held), &empty.schema(table))?;
            empty.put(table, whole)?;
        }
        Ok(empty)
    }

    /// The same over nothing but these tables: others are not known.
    pub(super) fn session_of_these(
        &self,
        rows: &Rows,
        empty: &Session,
    ) -> Result<Session, DataFusionError> {
        let tables = self.0.keys().map(|table| {
            let batches = rows.get(table).cloned().unwrap_or_default();
            let held = MemTable::try_new(self.schema(table, empty), vec![batches])?;
            Ok((table.clone(), whole(Arc::new(held), &empty.schema(table))?))
        });
        empty.with_tables(tables.collect::<Result<Vec<_>, DataFusionError>>()?)
    }

    /// The columns that are read of a table, in the table's order.
    pub(super) fn schema(&self, table: &str, over: &Session) -> SchemaRef {
        let read = self.0.get(table);
        let is_read = |field: &&Arc<Field>| read.is_some_and(|read| read.contains(field.name()));
        let whole = over.schema(table);
        let fields = whole.fields().iter().filter(is_read).cloned();
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// Rows under all columns of a table, those that are not held null.
pub(super) fn whole(
    held: Arc<dyn TableProvider>,
    schema: &SchemaRef,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let known = held.schema();
    let column = |field: &Arc<Field>| match known.field_with_name(field.name()) {
        Ok(_) => ident(field.name()),
        Err(_) => cast(lit(ScalarValue::Null), field.data_type().clone()).alias(field.name()),
    };
    let plan = LogicalPlanBuilder::scan("held", provider_as_source(held), None)?
        .project(schema.fields().iter().map(column))?
        .build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// The tables that a plan scans, with the columns that it asks of them and the one of time.
fn scanned(plan: &LogicalPlan) -> Result<Reads, DataFusionError> {
    let mut reads = Reads::default();
    plan.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let columns = reads
                .0
                .entry(scan.table_name.table().to_owned())
                .or_default();
            columns.insert(TIME.to_owned());
            let fields = scan.projected_schema.fields().iter();
            columns.extend(fields.map(|field| field.name().clone()));
            let filters = scan.filters.iter().flat_map(Expr::column_refs);
            columns.extend(filters.map(|column| column.name.clone()));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(reads)
}
