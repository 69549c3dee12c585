//! What a stream may have dropped before it was read: a row that stays, written before reading goes on behind the gap.

use serde_json::json;

use crate::log::{Change, Outcome};
use crate::position::Position;
use crate::writer::{rows_txn, txn_prefix};
use crate::{Lake, LakeError, ShardKey, Table, data_file, tables};

/// Records of a shard that may be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapRow {
    /// Which shard.
    pub shard: ShardKey,
    /// How far it had been read.
    pub after: Option<Position>,
    /// The oldest arrival that the stream still kept when the gap was found, UTC microseconds; `None` when not known.
    pub oldest_kept: Option<i64>,
    /// How it was found out.
    pub reason: String,
    /// UTC microseconds.
    pub detected_at: i64,
}

impl Lake {
    /// Remembers a gap; `false` when it is known already. The same gap, found again after a crash or by another consumer, starts
    /// after the same record: that is what it is known by.
    pub async fn record_gap(&self, gap: &GapRow) -> Result<bool, LakeError> {
        let mut log = self.log(Table::Gaps).await?;
        let from = Position {
            read_through: None,
            ended: true,
            ..gap.after.clone().unwrap_or_default()
        };
        let file = data_file::single(
            Table::Gaps,
            &tables::gaps_batch(std::slice::from_ref(gap))?,
            self.surroundings(),
        )?;
        let mut stored = false;
        loop {
            let state = log.state();
            let prefix = txn_prefix(&state.table_id);
            if Position::from_txns(&state.txns, &prefix, &gap.shard).as_ref() == Some(&from) {
                return Ok(false);
            }
            if !stored {
                file.store(log.store(), log.uri()).await?;
                stored = true;
            }
            let mut txns = from.to_txns(&prefix, &gap.shard);
            txns.push((rows_txn(&state.table_id), state.version + 1));
            let change = Change {
                adds: vec![file.add.clone()],
                txns,
                info: json!({ "gaps": 1 }),
                ..Change::default()
            };
            if let Outcome::Committed(version, _) = log.commit(change).await? {
                self.after_commit(Table::Gaps, version);
                return Ok(true);
            }
        }
    }

    /// All gaps, oldest first.
    pub async fn gaps(&self) -> Result<Vec<GapRow>, LakeError> {
        let batches = self.rows(Table::Gaps).await?;
        let mut gaps: Vec<_> = batches.iter().flat_map(tables::gaps_from).collect();
        gaps.sort_by(|a, b| (a.detected_at, &a.shard).cmp(&(b.detected_at, &b.shard)));
        Ok(gaps)
    }
}
