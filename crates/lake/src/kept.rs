//! What a lake remembers between looks, so that looking where nothing came costs one request.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::PoisonError;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use deltalake::DeltaTable;
use tokio::sync::{Mutex, watch};

use crate::log::TableLog;
use crate::{Lake, LakeError, Table, read};

/// Small tables that somebody reads every few seconds.
const ASKED_OFTEN: [Table; 3] = [Table::Gaps, Table::ReportLog, Table::Accounts];

/// For so long (microseconds) it is believed that a log is where it was.
const BELIEVED: i64 = 30_000_000;

/// By table. All of it can be read again.
pub(crate) struct Kept {
    /// Logs as they were looked at last: what came since is read, and no more.
    logs: HashMap<Table, Mutex<Option<Followed>>>,
    /// For reading: one handle a table, moved forward and never back.
    readers: Mutex<HashMap<Table, DeltaTable>>,
    /// The columns of tables that were opened for DataFusion.
    schemas: std::sync::Mutex<HashMap<Table, SchemaRef>>,
    /// All rows, and the version that they are of.
    rows: Mutex<HashMap<Table, (i64, Vec<RecordBatch>)>>,
    /// What this process committed last.
    commits: HashMap<Table, watch::Sender<i64>>,
}

struct Followed {
    log: TableLog,
    /// When its newest entry was last seen to be there: UTC microseconds.
    seen: i64,
}

impl Default for Kept {
    fn default() -> Kept {
        let each = Table::ALL.into_iter();
        Kept {
            logs: each
                .clone()
                .map(|table| (table, Mutex::default()))
                .collect(),
            readers: Mutex::default(),
            schemas: std::sync::Mutex::default(),
            rows: Mutex::default(),
            commits: each.map(|table| (table, watch::Sender::new(-1))).collect(),
        }
    }
}

impl Kept {
    pub(crate) fn opened(&self, table: Table, schema: SchemaRef) {
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        schemas.insert(table, schema);
    }

    pub(crate) fn schema(&self, table: Table) -> Option<SchemaRef> {
        let schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        schemas.get(&table).cloned()
    }
}

impl Lake {
    /// The newest version of a table.
    pub async fn version(&self, table: Table) -> Result<i64, LakeError> {
        Ok(self.log(table).await?.state().version)
    }

    /// The version that this process, through this lake or a clone of it, committed last to a table; -1 before the first. Changes with every such
    /// commit. Of what others commit, only [`Lake::version`] tells.
    pub fn commits(&self, table: Table) -> watch::Receiver<i64> {
        self.kept().commits[&table].subscribe()
    }

    pub(crate) fn committed(&self, table: Table, version: i64) {
        self.kept().commits[&table].send_replace(version);
    }

    pub(crate) async fn table_id(&self, table: Table) -> Result<String, LakeError> {
        if let Some(kept) = self.kept().logs[&table].lock().await.as_ref() {
            return Ok(kept.log.state().table_id.clone());
        }
        Ok(self.log(table).await?.state().table_id.clone())
    }

    /// A table's log at its newest version. One request where nothing came since it was last looked at, and one for each commit that did.
    pub(crate) async fn log(&self, table: Table) -> Result<TableLog, LakeError> {
        let now = (self.surroundings().now)();
        let mut slot = self.kept().logs[&table].lock().await;
        if let Some(kept) = slot.as_mut() {
            let believed = now - kept.seen < BELIEVED;
            // Where nothing comes next, nothing came, or nothing is there any more.
            if believed || kept.log.is_there().await? {
                if !believed {
                    kept.seen = now;
                }
                match kept.log.follow().await {
                    Ok(_) => return Ok(kept.log.clone()),
                    // Who slept until the log was cleaned reads it whole.
                    Err(LakeError::LeftBehind { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            *slot = None;
        }
        let uri = self.table_url(table);
        let store = self.log_store(table);
        let log = TableLog::open(table, store, &uri, self.surroundings()).await?;
        let log = log.ok_or_else(|| LakeError::Missing {
            uri: self.uri().to_owned(),
        })?;
        let kept = Followed { log, seen: now };
        Ok(slot.insert(kept).log.clone())
    }

    /// All rows of a small table, file by file.
    pub(crate) async fn rows(&self, table: Table) -> Result<Vec<RecordBatch>, LakeError> {
        let log = self.log(table).await?;
        let version = log.state().version;
        if let Some((at, rows)) = self.kept().rows.lock().await.get(&table)
            && *at == version
        {
            return Ok(rows.clone());
        }
        let schema = table.schema();
        let names: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        let mut adds: Vec<_> = log.state().files.values().collect();
        adds.sort_by(|a, b| (a.modification_time, &a.path).cmp(&(b.modification_time, &b.path)));
        let mut batches = Vec::new();
        for add in adds {
            batches.extend(
                read::columns(&log.shared_store(), log.uri(), table, &add.path, &names).await?,
            );
        }
        if ASKED_OFTEN.contains(&table) {
            let mut kept = self.kept().rows.lock().await;
            kept.insert(table, (version, batches.clone()));
        }
        Ok(batches)
    }

    pub(crate) async fn reader(&self, table: Table) -> Result<DeltaTable, LakeError> {
        let newest = self.version(table).await?;
        let mut readers = self.kept().readers.lock().await;
        let is_newest = |delta: &DeltaTable| delta.version().is_some_and(|v| v as i64 >= newest);
        let delta = match readers.remove(&table) {
            Some(delta) if is_newest(&delta) => delta,
            Some(mut delta) => {
                delta
                    .update_state()
                    .await
                    .map_err(|source| self.delta(table, "follow the log", source))?;
                delta
            }
            None => {
                let mut delta = DeltaTable::new(self.log_store(table).clone());
                delta
                    .load()
                    .await
                    .map_err(|source| self.delta(table, "read the log", source))?;
                delta
            }
        };
        readers.insert(table, delta.clone());
        Ok(delta)
    }
}
