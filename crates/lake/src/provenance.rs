//! Where rows came from, against where the positions stand: the oracle for positions, and the way to make them anew should
//! another program ever have taken them out of the table.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use serde_json::json;

use crate::log::{Change, Outcome, TableLog};
use crate::position::{Position, SequenceNumber, ShardKey};
use crate::writer::txn_prefix;
use crate::{Lake, LakeError, Table, read};

/// A shard's position beside its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionCheck {
    /// Which shard.
    pub shard: ShardKey,
    /// Rows of `findings` that came from it.
    pub rows: u64,
    /// The newest of them; `None` without rows.
    pub newest_row: Option<Position>,
    /// What the table's position says; `None` when it says nothing.
    pub position: Option<Position>,
}

impl PositionCheck {
    /// Whether the position covers all rows. It may be further on: the last records may have been duplicates or rejects.
    pub fn holds(&self) -> bool {
        let Some(newest) = &self.newest_row else {
            return true;
        };
        let number = newest.sequence_number.clone().unwrap_or_default();
        let position = self.position.as_ref();
        position.is_some_and(|position| position.covers(&number, newest.sub_sequence))
    }
}

impl Lake {
    /// Compares the position of every shard with the rows that came from it, by shard. Reads the provenance of all rows.
    pub async fn check_positions(&self) -> Result<Vec<PositionCheck>, LakeError> {
        let log = self.log(Table::Findings).await?;
        let mut checks: BTreeMap<ShardKey, PositionCheck> = BTreeMap::new();
        let state = log.state();
        for (shard, position) in crate::position::all(&state.txns, &txn_prefix(&state.table_id)) {
            let check = PositionCheck {
                shard: shard.clone(),
                rows: 0,
                newest_row: None,
                position: Some(position),
            };
            checks.insert(shard, check);
        }
        for path in state.files.keys() {
            take_file(&log, path, &mut checks).await?;
        }
        Ok(checks.into_values().collect())
    }

    /// Sets every position that does not cover its rows to the newest of them. What is read again after that is found to be
    /// stored by its identity.
    pub async fn repair_positions(&self, checks: &[PositionCheck]) -> Result<usize, LakeError> {
        let wrong: Vec<&PositionCheck> = checks.iter().filter(|check| !check.holds()).collect();
        if wrong.is_empty() {
            return Ok(0);
        }
        let mut log = self.log(Table::Findings).await?;
        let prefix = txn_prefix(&log.state().table_id);
        let txns = wrong.iter().filter_map(|check| {
            let newest = check.newest_row.as_ref()?;
            Some(newest.to_txns(&prefix, &check.shard))
        });
        let change = Change {
            txns: txns.flatten().collect(),
            info: json!({ "repaired_positions": wrong.len() }),
            ..Change::default()
        };
        match log.commit(change).await? {
            Outcome::Committed(version, _) => {
                self.after_commit(Table::Findings, version);
                Ok(wrong.len())
            }
            Outcome::Overtaken(_) => Err(LakeError::PositionMoved {
                what: "a shard that is being repaired".to_owned(),
            }),
        }
    }
}

async fn take_file(
    log: &TableLog,
    path: &str,
    checks: &mut BTreeMap<ShardKey, PositionCheck>,
) -> Result<(), LakeError> {
    let names = ["source", "shard_id", "sequence_number", "sub_sequence"];
    for batch in read::columns(
        &log.shared_store(),
        log.uri(),
        Table::Findings,
        path,
        &names,
    )
    .await?
    {
        let text = |index: usize| batch.column(index).as_string::<i32>();
        let sub_sequences = batch.column(3).as_primitive::<Int64Type>();
        for row in (0..batch.num_rows()).filter(|row| text(1).is_valid(*row)) {
            let number = SequenceNumber::parse(text(2).value(row));
            let number = number.ok_or_else(|| LakeError::Damaged {
                what: path.to_owned(),
                uri: log.uri().to_owned(),
                reason: format!("`{}` is no sequence number", text(2).value(row)),
            })?;
            let shard = ShardKey {
                source: text(0).value(row).to_owned(),
                shard_id: text(1).value(row).to_owned(),
            };
            let sub_sequence = if sub_sequences.is_valid(row) {
                sub_sequences.value(row)
            } else {
                0
            };
            let check = checks.entry(shard.clone()).or_insert(PositionCheck {
                shard,
                rows: 0,
                newest_row: None,
                position: None,
            });
            check.rows += 1;
            if !check
                .newest_row
                .as_ref()
                .is_some_and(|newest| newest.covers(&number, sub_sequence))
            {
                check.newest_row = Some(Position::at(number, sub_sequence));
            }
        }
    }
    Ok(())
}
