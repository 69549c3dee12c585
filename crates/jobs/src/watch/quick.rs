//! Rules over few rows: plans that are made once, and tables whose rows are put in their place.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use alerts::Rule;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::datasource::MemTable;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ident;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, collect};
use futures::stream;
use lake::Table;

use super::reads::{Reads, Rows, whole};
use crate::JobsError;
use crate::evaluate::Prepared;
use crate::limits::Limits;
use crate::mistake::QueryError;
use crate::session::{Opened, Session};

/// The rows of a table for the time being.
#[derive(Debug)]
struct Slot {
    schema: SchemaRef,
    rows: Mutex<Vec<RecordBatch>>,
}

impl Slot {
    fn of(schema: SchemaRef) -> Arc<Slot> {
        let rows = Mutex::default();
        Arc::new(Slot { schema, rows })
    }

    fn put(&self, rows: Vec<RecordBatch>) {
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }

    fn table(self: &Arc<Slot>) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let schema = Arc::clone(&self.schema);
        let part = Arc::clone(self) as Arc<dyn PartitionStream>;
        Ok(Arc::new(StreamingTable::try_new(schema, vec![part])?))
    }
}

impl PartitionStream for Slot {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = stream::iter(rows.clone().into_iter().map(Ok));
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows,
        ))
    }
}

/// Plans of rules, and of what they read of new findings.
pub(super) struct Quick {
    reads: Reads,
    /// The columns of `findings` that need not be read.
    unread: Vec<String>,
    findings: Arc<Slot>,
    taken: BTreeMap<String, Taken>,
    slots: BTreeMap<String, Arc<Slot>>,
    /// Over the slots.
    session: Arc<Session>,
    /// By rule and revision.
    rules: HashMap<(String, String), Prepared>,
}

/// The rows of one table that rules read of new findings.
struct Taken {
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
}

impl Quick {
    /// For rules that read `reads`, in sessions like this one.
    pub(super) async fn of(reads: Reads, like: &Session) -> Result<Quick, JobsError> {
        // For few rows it is no use to work in parts.
        let limits = Limits {
            partitions: Some(1),
            ..like.limits().clone()
        };
        let findings = Slot::of(Table::Findings.schema());
        let tables = Table::ALL.into_iter().map(|table| {
            let provider = match table {
                Table::Findings => findings.table()?,
                _ => Arc::new(MemTable::try_new(table.schema(), vec![Vec::new()])?),
            };
            Ok(Opened {
                table,
                provider,
                version: None,
            })
        });
        let tables: Vec<Opened> = tables.collect::<Result<_, DataFusionError>>()?;
        let new = Session::over(tables, like.library(), &limits).await?;
        let unread = reads.unread(&new).await?;
        let mut taken = BTreeMap::new();
        for (table, columns) in reads.tables() {
            let frame = new.context().table(table.as_str()).await?;
            let frame = frame.select(columns.iter().map(ident).collect::<Vec<_>>())?;
            let context = Arc::new(frame.task_ctx());
            let plan = frame.create_physical_plan().await?;
            taken.insert(table.clone(), Taken { plan, context });
        }
        let session = Session::in_memory(Vec::new(), like.library(), &limits).await?;
        let mut slots = BTreeMap::new();
        for (table, _) in reads.tables() {
            let slot = Slot::of(reads.schema(table, &session));
            session.put(table, whole(slot.table()?, &session.schema(table))?)?;
            slots.insert(table.clone(), slot);
        }
        Ok(Quick {
            reads,
            unread,
            findings,
            taken,
            slots,
            session: Arc::new(session),
            rules: HashMap::new(),
        })
    }

    pub(super) fn reads(&self) -> &Reads {
        &self.reads
    }

    /// The columns of `findings` that need not be read, in so far as they may be left empty.
    pub(super) fn unread(&self) -> Vec<&str> {
        self.unread.iter().map(String::as_str).collect()
    }

    /// A session in memory that sees the tables in the types that rows are held in.
    pub(super) fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session)
    }

    /// What rules read of some findings.
    pub(super) async fn taken(&self, findings: Vec<RecordBatch>) -> Result<Rows, DataFusionError> {
        self.findings.put(findings);
        let mut rows = Rows::new();
        for (table, taken) in &self.taken {
            let plan = reset_plan_states(Arc::clone(&taken.plan))?;
            rows.insert(
                table.clone(),
                collect(plan, Arc::clone(&taken.context)).await?,
            );
        }
        self.findings.put(Vec::new());
        Ok(rows)
    }

    /// The plan of a rule, over these rows of the tables.
    pub(super) async fn rule(
        &mut self,
        rule: &Rule,
        mut rows: Rows,
    ) -> Result<&Prepared, QueryError> {
        for (table, slot) in &self.slots {
            slot.put(rows.remove(table).unwrap_or_default());
        }
        let name = (rule.id.clone(), rule.revision());
        if !self.rules.contains_key(&name) {
            let prepared = Prepared::of(&self.session, rule).await?;
            // Earlier revisions are not asked again.
            self.rules.retain(|(id, _), _| *id != rule.id);
            self.rules.insert(name.clone(), prepared);
        }
        Ok(&self.rules[&name])
    }
}
