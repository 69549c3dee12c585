//! The newest rows of `findings`, held in memory between looks: most of what rules ask is about them.

use std::collections::BTreeSet;
use std::sync::Arc;

use alerts::Rule;
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef, TimestampMicrosecondType};
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::datasource::{MemTable, ViewTable, provider_as_source};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, cast, ident, lit};
use lake::Table;

use crate::JobsError;
use crate::evaluate::optimized;
use crate::mistake::QueryError;
use crate::session::{Session, sql_name};

/// Bytes of rows that are held at most, about: two days of a million findings each.
const MOST_BYTES: usize = 2 << 30;
/// How much further back than any window reaches rows are held, in microseconds: findings are published again every 6 hours.
const LATE: i64 = 8 * 3_600_000_000;

/// All rows later than some time, in the columns that rules read.
#[derive(Default)]
pub(super) struct Recent {
    batches: Vec<RecordBatch>,
    /// Rows later than this are all there; UTC microseconds.
    after: i64,
    columns: BTreeSet<String>,
    session: Option<Session>,
    /// The version of `findings` that the rows are of.
    version: Option<i64>,
}

impl Recent {
    /// The version of `findings` that the rows are of; `None` where nothing is held.
    pub(super) fn version(&self) -> Option<i64> {
        self.version
    }

    /// Rows later than this are all there; UTC microseconds.
    pub(super) fn after(&self) -> i64 {
        self.after
    }

    /// The columns that are held.
    pub(super) fn columns(&self) -> &BTreeSet<String> {
        &self.columns
    }

    /// The rows as a session sees them.
    pub(super) fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Takes all rows of `whole` that are later than `now` less the longest reach of `rules` and some hours.
    pub(super) async fn load(
        &mut self,
        whole: &Session,
        rules: &[Rule],
        columns: BTreeSet<String>,
        now: i64,
    ) -> Result<(), JobsError> {
        *self = Recent {
            after: begin(rules, now),
            columns,
            ..Recent::default()
        };
        let after = ScalarValue::TimestampMicrosecond(Some(self.after), Some("UTC".into()));
        let held = self.schema();
        let columns = held.fields().iter().map(|field| ident(field.name()));
        let rows = whole
            .context()
            .table(sql_name(Table::Findings))
            .await?
            .filter(ident("event_time").gt(lit(after)))?
            .select(columns.collect::<Vec<_>>())?
            .collect()
            .await?;
        self.batches = rows
            .iter()
            .map(|batch| lake::fitted(batch, &held))
            .collect::<Result<_, _>>()?;
        self.forget(whole, rules, now).await
    }

    /// Adds rows that are new, and forgets those that are too old to matter.
    pub(super) async fn add(
        &mut self,
        whole: &Session,
        rows: &[RecordBatch],
        rules: &[Rule],
        now: i64,
    ) -> Result<(), JobsError> {
        let held = self.schema();
        for batch in rows {
            self.batches.push(lake::fitted(batch, &held)?);
        }
        self.after = self.after.max(begin(rules, now));
        self.forget(whole, rules, now).await
    }

    async fn forget(&mut self, whole: &Session, rules: &[Rule], now: i64) -> Result<(), JobsError> {
        self.keep_later()?;
        while self.bytes() > MOST_BYTES {
            // Half of the time that is held; in the end only rows of the future would be left.
            let half = (now.saturating_sub(self.after) / 2).max(1_000_000);
            if self.after > now {
                tracing::warn!(
                    rules = rules.len(),
                    "rows of one moment do not fit into memory; rules read them from the lake"
                );
                *self = Recent::default();
                return Ok(());
            }
            self.after = self.after.saturating_add(half);
            self.keep_later()?;
        }
        let findings = self.findings()?;
        let session = Session::over_findings(findings, whole.library(), whole.limits()).await?;
        self.session = Some(session);
        self.version = whole.version(Table::Findings);
        Ok(())
    }

    /// The columns that are held, in the order of the table's.
    fn schema(&self) -> SchemaRef {
        let schema = Table::Findings.schema();
        let wanted = |field: &&Arc<Field>| {
            self.columns.contains(field.name()) || field.name() == "event_time"
        };
        let fields: Vec<Arc<Field>> = schema.fields().iter().filter(wanted).cloned().collect();
        Arc::new(Schema::new(fields))
    }

    /// The rows under all columns of the table, those that are not held null: they cost nothing until somebody asks for them.
    fn findings(&self) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let held = self.schema();
        let rows = MemTable::try_new(held.clone(), vec![self.batches.clone()])?;
        let column = |field: &Arc<Field>| match held.field_with_name(field.name()) {
            Ok(_) => ident(field.name()),
            Err(_) => cast(lit(ScalarValue::Null), field.data_type().clone()).alias(field.name()),
        };
        let schema = Table::Findings.schema();
        let source = provider_as_source(Arc::new(rows));
        let plan = LogicalPlanBuilder::scan("recent", source, None)?
            .project(schema.fields().iter().map(column))?
            .build()?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }

    fn bytes(&self) -> usize {
        self.batches
            .iter()
            .map(RecordBatch::get_array_memory_size)
            .sum()
    }

    fn keep_later(&mut self) -> Result<(), DataFusionError> {
        let place = self.schema().index_of("event_time")?;
        let mut kept = Vec::with_capacity(self.batches.len());
        for batch in self.batches.drain(..) {
            let times = batch
                .column(place)
                .as_primitive::<TimestampMicrosecondType>();
            let later: BooleanArray = times
                .iter()
                .map(|time| Some(time.is_some_and(|time| time > self.after)))
                .collect();
            match later.true_count() {
                0 => {}
                all if all == later.len() => kept.push(batch),
                _ => kept.push(filter_record_batch(&batch, &later)?),
            }
        }
        self.batches = kept;
        Ok(())
    }
}

/// The earliest time that is held.
fn begin(rules: &[Rule], now: i64) -> i64 {
    let day = 86_400_000_000;
    let reach = rules
        .iter()
        .map(|rule| rule.terms().back())
        .filter(|back| *back <= 2 * day)
        .max();
    now.saturating_sub(reach.unwrap_or(0)).saturating_sub(LATE)
}

/// The columns of `findings` that a rule reads.
pub(super) async fn columns(
    session: &Session,
    rule: &Rule,
) -> Result<BTreeSet<String>, QueryError> {
    let plan = optimized(session, rule).await?;
    let mut columns = BTreeSet::new();
    let read = plan.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let fields = scan.projected_schema.fields().iter();
            columns.extend(fields.map(|field| field.name().clone()));
            for filter in &scan.filters {
                columns.extend(
                    filter
                        .column_refs()
                        .iter()
                        .map(|column| column.name.clone()),
                );
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    read.map_err(|error| session.mistake(&error, &rule.sql))?;
    Ok(columns)
}
