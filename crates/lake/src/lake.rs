//! The lake itself: opened or made at an address, read at a version, written through a [`Writer`].

use std::collections::HashMap;
use std::sync::Arc;

use alerts::AlertEvent;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use deltalake::datafusion::catalog::TableProvider;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::{StructField, StructType};
use deltalake::logstore::LogStoreRef;
use deltalake::operations::create::CreateBuilder;
use deltalake::{DeltaTable, DeltaTableError};
use object_store::ObjectStore;
use sha2::{Digest, Sha256};

use crate::kept::Kept;
use crate::log::{Change, Outcome, TableLog};
use crate::tables::alert_log;
use crate::upkeep::CHECKPOINT_EVERY;
use crate::writer::{Writer, WriterOptions};
use crate::{AccountRow, LakeError, Location, SourceRow, Surroundings, Table, data_file, tables};

/// How often others may commit to a table while columns are added to it.
const ADD_COLUMNS_ATTEMPTS: u32 = 10;

/// A lake. Cheap to clone; clones share their open tables.
#[derive(Clone)]
pub struct Lake {
    inner: Arc<Inner>,
}

struct Inner {
    location: Location,
    stores: HashMap<Table, LogStoreRef>,
    surroundings: Surroundings,
    kept: Kept,
}

/// Through which version of `findings` a rule revision has been evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// The rule's id.
    pub rule: String,
    /// Its revision.
    pub revision: String,
    /// The version of `findings`.
    pub findings_version: i64,
    /// When it was asked (UTC microseconds), where time alone changes what it says.
    pub as_of: Option<i64>,
}

/// How far a rule revision has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The version of `findings`.
    pub findings_version: i64,
    /// What [`Evaluated::as_of`] was then or, where it was asked again without anything new, before.
    pub as_of: Option<i64>,
}

/// How an append to the alert log ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertCommit {
    /// It is this version of the log.
    Committed {
        /// Version of `alert_log`.
        version: i64,
    },
    /// Somebody else came first: read the log and plan again.
    Conflict,
}

/// A table to query, and the version it shows.
pub struct Provided {
    /// For a DataFusion session.
    pub provider: Arc<dyn TableProvider>,
    /// Its Delta version.
    pub version: i64,
}

impl Lake {
    /// Opens the lake at an address.
    pub async fn open(uri: &str) -> Result<Lake, LakeError> {
        let location = Location::parse(uri)?;
        let missing = || LakeError::Missing {
            uri: location.shown().to_owned(),
        };
        if let Some(path) = location.local_path()
            && !path
                .join(Table::Findings.name())
                .join("_delta_log")
                .is_dir()
        {
            return Err(missing());
        }
        let store = location.log_store(Table::Findings, false)?;
        let url = location.table_url(Table::Findings).to_string();
        if TableLog::open(Table::Findings, &store, &url, &Surroundings::default())
            .await?
            .is_none()
        {
            return Err(missing());
        }
        // A lake made by an older version, or half made by a killed one, gets the tables it lacks.
        Lake::open_or_create(uri).await
    }

    /// Opens the lake at an address, making what is not there.
    pub async fn open_or_create(uri: &str) -> Result<Lake, LakeError> {
        Lake::make(Location::parse(uri)?, Surroundings::default()).await
    }

    /// The same in surroundings of one's own. For simulations.
    pub async fn open_or_create_in(
        uri: &str,
        surroundings: Surroundings,
    ) -> Result<Lake, LakeError> {
        Lake::make(Location::parse(uri)?, surroundings).await
    }

    /// Opens a lake in a store and surroundings of one's own, making what is not there. For simulations.
    pub async fn open_in(
        store: Arc<dyn ObjectStore>,
        surroundings: Surroundings,
    ) -> Result<Lake, LakeError> {
        Lake::make(Location::in_store(store)?, surroundings).await
    }

    async fn make(location: Location, surroundings: Surroundings) -> Result<Lake, LakeError> {
        let mut stores = HashMap::new();
        // `findings` last: where it is, the lake is whole.
        for table in Table::ALL.into_iter().rev() {
            let store = location.log_store(table, true)?;
            create_if_missing(&location, table, &store, &surroundings).await?;
            stores.insert(table, store);
        }
        Ok(Lake {
            inner: Arc::new(Inner {
                location,
                stores,
                surroundings,
                kept: Kept::default(),
            }),
        })
    }

    /// A folder next to the tables, with its URL for messages.
    pub(crate) fn folder(&self, name: &str) -> Result<(Arc<dyn ObjectStore>, String), LakeError> {
        self.inner.location.folder(name)
    }

    /// The clock and the names of this lake.
    pub fn surroundings(&self) -> &Surroundings {
        &self.inner.surroundings
    }

    /// Where it is.
    pub(crate) fn location(&self) -> &Location {
        &self.inner.location
    }

    /// The address as it was given.
    pub fn uri(&self) -> &str {
        self.inner.location.shown()
    }

    /// The URL of a table's folder.
    pub fn table_url(&self, table: Table) -> String {
        self.inner.location.table_url(table).to_string()
    }

    /// A table for DataFusion, at its newest version.
    pub async fn provider(&self, table: Table) -> Result<Provided, LakeError> {
        let delta = self.reader(table).await?;
        let version = delta.version().map_or(0, |version| version as i64);
        let provider = delta
            .table_provider()
            .await
            .map_err(|e| self.delta(table, "read the table", e.into()))?;
        self.kept().opened(table, provider.schema());
        Ok(Provided { provider, version })
    }

    /// The columns that a table had when [`Lake::provider`] was asked for it last; `None` where it was not.
    pub fn known_schema(&self, table: Table) -> Option<SchemaRef> {
        self.kept().schema(table)
    }

    /// A writer of findings.
    pub async fn writer(&self, options: WriterOptions) -> Result<Writer, LakeError> {
        Writer::open(self, options).await
    }

    /// Files and objects loaded before, by URI; the latest load of each.
    pub async fn sources(&self) -> Result<HashMap<String, SourceRow>, LakeError> {
        let rows = self.rows(Table::Sources).await?;
        let mut sources: HashMap<String, SourceRow> = HashMap::new();
        for row in rows.iter().flat_map(tables::sources_from) {
            match sources.get(&row.uri) {
                Some(known) if known.loaded_at > row.loaded_at => {}
                _ => {
                    sources.insert(row.uri.clone(), row);
                }
            }
        }
        Ok(sources)
    }

    /// Remembers files and objects that were loaded.
    pub async fn record_sources(&self, rows: &[SourceRow]) -> Result<(), LakeError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.append(Table::Sources, &tables::sources_batch(rows)?)
            .await
    }

    /// All rows of `accounts`, as they are: what was known of each account, and since when.
    pub async fn account_history(&self) -> Result<Vec<RecordBatch>, LakeError> {
        self.rows(Table::Accounts).await
    }

    /// What is known of accounts, the latest row of each, sorted by account. One whose row has a `valid_to` is no longer there.
    pub async fn accounts(&self) -> Result<Vec<AccountRow>, LakeError> {
        let rows = self.rows(Table::Accounts).await?;
        let mut latest: std::collections::BTreeMap<String, AccountRow> = Default::default();
        for row in rows.iter().flat_map(tables::accounts_from) {
            match latest.get(&row.account_id) {
                Some(known) if known.valid_from > row.valid_from => {}
                _ => {
                    latest.insert(row.account_id.clone(), row);
                }
            }
        }
        Ok(latest.into_values().collect())
    }

    /// Adds what is known of accounts.
    pub async fn append_accounts(&self, rows: &[AccountRow]) -> Result<(), LakeError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.append(Table::Accounts, &tables::accounts_batch(rows)?)
            .await
    }

    /// Appends rows without a position: nothing can overtake such a commit, and a later row counts more than an earlier one.
    async fn append(
        &self,
        table: Table,
        rows: &arrow::array::RecordBatch,
    ) -> Result<(), LakeError> {
        let mut log = self.log(table).await?;
        let file = data_file::single(table, rows, self.surroundings())?;
        file.store(log.store(), log.uri()).await?;
        let change = Change {
            adds: vec![file.add],
            ..Change::default()
        };
        // Only a change of the table itself refuses this; then it is looked at again.
        loop {
            if let Outcome::Committed(version, _) = log.commit(change.clone()).await? {
                self.after_commit(table, version);
                return Ok(());
            }
        }
    }

    /// The whole alert log, in the order in which it was written.
    pub async fn alert_events(&self) -> Result<Vec<AlertEvent>, LakeError> {
        let mut events = Vec::new();
        for batch in self.rows(Table::AlertLog).await? {
            events.extend(self.alert_rows(&batch)?);
        }
        Ok(events)
    }

    /// What the versions after `after` through `through` added to the alert log; `None` where that cannot be said, see
    /// [`Lake::added`].
    pub async fn alert_events_between(
        &self,
        after: i64,
        through: i64,
    ) -> Result<Option<Vec<AlertEvent>>, LakeError> {
        let Some(rows) = self.added(Table::AlertLog, after, through, &[]).await? else {
            return Ok(None);
        };
        rows.iter()
            .map(|batch| self.alert_rows(batch))
            .collect::<Result<Vec<_>, _>>()
            .map(|events| Some(events.concat()))
    }

    fn alert_rows(&self, batch: &arrow::array::RecordBatch) -> Result<Vec<AlertEvent>, LakeError> {
        alert_log::from_batch(batch).map_err(|reason| LakeError::Damaged {
            what: "a row".to_owned(),
            uri: self.table_url(Table::AlertLog),
            reason,
        })
    }

    /// Appends to the alert log, and in the same commit says through which version of `findings` each rule was evaluated.
    ///
    /// `planned_on` is the version of the log that the events were planned on ([`Lake::alert_log_version`], taken before
    /// [`Lake::alert_events`]): if anybody has added rows since, nothing is written and the answer is a conflict.
    pub async fn append_alert_events(
        &self,
        planned_on: i64,
        events: &[AlertEvent],
        evaluated: &[Evaluated],
    ) -> Result<AlertCommit, LakeError> {
        if events.is_empty() && evaluated.is_empty() {
            return Ok(AlertCommit::Committed {
                version: planned_on,
            });
        }
        let findings = self.table_id(Table::Findings).await?;
        let mut change = Change {
            info: serde_json::json!({ "alert_events": events.len() }),
            ..Change::default()
        };
        change.txns = evaluated
            .iter()
            .flat_map(|e| {
                let position = evaluated_txn(&findings, &e.rule, &e.revision);
                let last = last_revision_txn(&findings, &e.rule);
                let as_of = e.as_of.map(|as_of| (as_of_txn(&position), as_of));
                let said = [(position, e.findings_version), (last, mark(&e.revision))];
                said.into_iter().chain(as_of)
            })
            .collect();
        let rows = match events {
            [] => None,
            events => Some(alert_log::to_batch(events)?),
        };
        self.append_after(Table::AlertLog, planned_on, rows, change)
            .await
    }

    /// The present version of the alert log.
    pub async fn alert_log_version(&self) -> Result<i64, LakeError> {
        self.version(Table::AlertLog).await
    }

    /// How far each rule revision has seen, by `(rule, revision)`; `None` also where another revision of the rule was evaluated since, because then the alerts are what that one made of them.
    pub async fn evaluated_through(
        &self,
        rules: &[(String, String)],
    ) -> Result<Vec<Option<Seen>>, LakeError> {
        let findings = self.table_id(Table::Findings).await?;
        let log = self.log(Table::AlertLog).await?;
        let txns = &log.state().txns;
        let version = |(rule, revision): &(String, String)| {
            let last = txns.get(&last_revision_txn(&findings, rule));
            let is_last = last.is_none_or(|last| *last == mark(revision));
            let position = evaluated_txn(&findings, rule, revision);
            let seen = |&findings_version| Seen {
                findings_version,
                as_of: txns.get(&as_of_txn(&position)).copied(),
            };
            txns.get(&position).map(seen).filter(|_| is_last)
        };
        Ok(rules.iter().map(version).collect())
    }

    pub(crate) fn kept(&self) -> &Kept {
        &self.inner.kept
    }

    pub(crate) fn log_store(&self, table: Table) -> &LogStoreRef {
        &self.inner.stores[&table]
    }

    /// The store at a table's root.
    pub(crate) fn store(&self, table: Table) -> Arc<dyn ObjectStore> {
        self.inner.stores[&table].object_store(None)
    }

    pub(crate) fn delta(&self, table: Table, doing: &str, source: DeltaTableError) -> LakeError {
        LakeError::Delta {
            doing: doing.to_owned(),
            uri: self.table_url(table),
            source: Box::new(source),
        }
    }
}

async fn create_if_missing(
    location: &Location,
    table: Table,
    store: &LogStoreRef,
    surroundings: &Surroundings,
) -> Result<(), LakeError> {
    let uri = location.table_url(table).to_string();
    if let Some(log) = TableLog::open(table, store, &uri, surroundings).await? {
        return add_lacking_columns(table, store, surroundings, log).await;
    }
    let schema: StructType = table.schema().as_ref().try_into_kernel()?;
    let fields: Vec<StructField> = schema.fields().cloned().collect();
    let created = CreateBuilder::new()
        .with_log_store(store.clone())
        .with_table_name(table.name())
        .with_columns(fields)
        .with_partition_columns(table.partition_columns().iter().copied())
        .with_configuration(properties(table))
        .await;
    match created {
        Ok(_) => Ok(()),
        // Somebody else may have made it at the same moment.
        Err(source) => match TableLog::open(table, store, &uri, surroundings).await? {
            Some(_) => Ok(()),
            None => Err(LakeError::Delta {
                doing: "make the table".to_owned(),
                uri,
                source: Box::new(source),
            }),
        },
    }
}

/// A table made by an older version of this program gets the columns that have been added since; its rows have null there.
/// As ever, whoever comes second finds them there.
async fn add_lacking_columns(
    table: Table,
    store: &LogStoreRef,
    surroundings: &Surroundings,
    mut log: TableLog,
) -> Result<(), LakeError> {
    let uri = log.uri().to_owned();
    for attempt in 1.. {
        let fields = log.lacking();
        if fields.is_empty() {
            break;
        }
        let added = async {
            let mut delta = DeltaTable::new(store.clone());
            delta.load().await?;
            // Somebody may have added them since the log was read.
            let known = delta.snapshot()?.schema();
            let lacks = |field: &StructField| known.field(field.name()).is_none();
            let fields: Vec<StructField> = fields.into_iter().filter(lacks).collect();
            if !fields.is_empty() {
                delta.add_columns().with_fields(fields).await?;
            }
            Ok::<(), DeltaTableError>(())
        };
        if let Err(source) = added.await
            && attempt >= ADD_COLUMNS_ATTEMPTS
        {
            return Err(LakeError::Delta {
                doing: "add the columns that are new in this version".to_owned(),
                uri,
                source: Box::new(source),
            });
        }
        match TableLog::open(table, store, &uri, surroundings).await? {
            Some(again) => log = again,
            None => break,
        }
    }
    Ok(())
}

/// Logs are cleaned and checkpoints written by our own upkeep, never as a side effect of a commit.
fn properties(table: Table) -> Vec<(String, Option<String>)> {
    vec![
        (
            "delta.dataSkippingStatsColumns".to_owned(),
            Some(table.stats_columns().join(",")),
        ),
        (
            "delta.checkpointInterval".to_owned(),
            Some(CHECKPOINT_EVERY.to_string()),
        ),
        (
            "delta.enableExpiredLogCleanup".to_owned(),
            Some("false".to_owned()),
        ),
    ]
}

/// The `txn` id whose value marks the revision of a rule that was evaluated last.
fn last_revision_txn(findings_table_id: &str, rule: &str) -> String {
    format!("guardlake/{findings_table_id}/alerts/{rule}")
}

/// A revision as a number, to compare: the first 63 bits of its SHA-256.
fn mark(revision: &str) -> i64 {
    let digest = Sha256::digest(revision.as_bytes());
    let first = digest
        .iter()
        .take(8)
        .fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    (first >> 1) as i64
}

/// The `txn` id that says how far a rule revision has seen the findings of a table.
fn evaluated_txn(findings_table_id: &str, rule: &str, revision: &str) -> String {
    format!("guardlake/{findings_table_id}/alerts/{rule}@{revision}")
}

/// Beside a position: when it was asked.
fn as_of_txn(position: &str) -> String {
    format!("{position}/as_of")
}
