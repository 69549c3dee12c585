//! The log of deliveries, and how a log is appended to by whoever has read all of it.

use alerts::outbox::DeliveryRow;
use arrow::array::RecordBatch;
use serde_json::json;

use crate::log::{Change, Outcome};
use crate::tables::deliveries;
use crate::writer::rows_txn;
use crate::{AlertCommit, Lake, LakeError, Table, data_file};

impl Lake {
    /// The whole log of deliveries, in the order in which it was written.
    pub async fn deliveries(&self) -> Result<Vec<DeliveryRow>, LakeError> {
        let mut rows = Vec::new();
        for batch in self.rows(Table::Deliveries).await? {
            rows.extend(self.delivery_rows(&batch)?);
        }
        Ok(rows)
    }

    /// What the versions after `after` through `through` added to the log; `None` where that cannot be said, see [`Lake::added`].
    pub async fn deliveries_between(
        &self,
        after: i64,
        through: i64,
    ) -> Result<Option<Vec<DeliveryRow>>, LakeError> {
        let added = self.added(Table::Deliveries, after, through, &[]);
        let Some(batches) = added.await? else {
            return Ok(None);
        };
        let rows: Result<Vec<_>, _> = batches.iter().map(|b| self.delivery_rows(b)).collect();
        Ok(Some(rows?.concat()))
    }

    fn delivery_rows(&self, batch: &RecordBatch) -> Result<Vec<DeliveryRow>, LakeError> {
        deliveries::from_batch(batch).map_err(|reason| LakeError::Damaged {
            what: "a row".to_owned(),
            uri: self.table_url(Table::Deliveries),
            reason,
        })
    }

    /// The present version of the log of deliveries, and the version of the alert log through which deliveries are planned; `None`
    /// before anybody planned any.
    pub async fn deliveries_version(&self) -> Result<(i64, Option<i64>), LakeError> {
        let id = self.planned_txn().await?;
        let log = self.log(Table::Deliveries).await?;
        let planned = log.state().txns.get(&id).copied();
        Ok((log.state().version, planned))
    }

    /// Appends to the log of deliveries, and in the same commit says through which version of the alert log deliveries are planned,
    /// where that has moved.
    ///
    /// `planned_on` is the version of the log that the rows were planned on: if anybody has added rows since, nothing is written
    /// and the answer is a conflict.
    pub async fn append_deliveries(
        &self,
        planned_on: i64,
        rows: &[DeliveryRow],
        planned_through: Option<i64>,
    ) -> Result<AlertCommit, LakeError> {
        let mut change = Change {
            info: json!({ "deliveries": rows.len() }),
            ..Change::default()
        };
        if let Some(version) = planned_through {
            change.txns.push((self.planned_txn().await?, version));
        }
        let batch = match rows {
            [] => None,
            rows => Some(deliveries::to_batch(rows)?),
        };
        self.append_after(Table::Deliveries, planned_on, batch, change)
            .await
    }

    async fn planned_txn(&self) -> Result<String, LakeError> {
        let alert_log = self.table_id(Table::AlertLog).await?;
        Ok(format!("guardlake/{alert_log}/notify"))
    }

    /// Appends rows to a table, unless anybody has since `planned_on`, a version of it.
    pub(crate) async fn append_after(
        &self,
        table: Table,
        planned_on: i64,
        rows: Option<RecordBatch>,
        mut change: Change,
    ) -> Result<AlertCommit, LakeError> {
        let mut log = self.log(table).await?;
        let rows_id = rows_txn(&log.state().table_id);
        let last = log.state().txns.get(&rows_id);
        if last.is_some_and(|version| *version > planned_on) {
            return Ok(AlertCommit::Conflict);
        }
        change.txns.push((rows_id, log.state().version + 1));
        if let Some(rows) = rows {
            let file = data_file::single(table, &rows, self.surroundings())?;
            file.store(log.store(), log.uri()).await?;
            change.adds.push(file.add);
        }
        match log.commit(change).await? {
            Outcome::Committed(version, _) => {
                self.after_commit(table, version);
                Ok(AlertCommit::Committed { version })
            }
            Outcome::Overtaken(_) => Ok(AlertCommit::Conflict),
        }
    }
}
