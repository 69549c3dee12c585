//! The newest rows, held in memory between looks: most of what rules ask is about them.

use alerts::Rule;
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::DataFusionError;
use lake::Table;

use super::reads::{Reads, Rows, TIME};
use crate::JobsError;
use crate::session::Session;

/// Bytes of rows that are held at most, about: two days of a million findings each.
const MOST_BYTES: usize = 2 << 30;
/// How much further back than any window reaches rows are held, in microseconds: findings are published again every 6 hours.
const LATE: i64 = 8 * 3_600_000_000;

/// All rows later than some time, of the tables and in the columns that rules read.
#[derive(Default)]
pub(super) struct Recent {
    rows: Rows,
    /// Rows later than this are all there; UTC microseconds.
    after: i64,
    reads: Reads,
    session: Option<Session>,
    /// The version of `findings` that the rows are of.
    version: Option<i64>,
}

impl Recent {
    /// The version of `findings` that the rows are of, if all is held that somebody reads.
    pub(super) fn version(&self, reads: &Reads) -> Option<i64> {
        self.version.filter(|_| self.reads.covers(reads))
    }

    /// Rows later than this are all there; UTC microseconds.
    pub(super) fn after(&self) -> i64 {
        self.after
    }

    /// The rows as a session sees them; `None` where nothing is held.
    pub(super) fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// What is held.
    pub(super) fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Takes all rows of `whole` that are later than `now` less the longest reach of `rules` and some hours.
    pub(super) async fn load(
        &mut self,
        whole: &Session,
        rules: &[Rule],
        reads: Reads,
        now: i64,
    ) -> Result<(), JobsError> {
        let after = begin(rules, now);
        *self = Recent {
            rows: reads.rows(whole, Some(after)).await?,
            after,
            reads,
            ..Recent::default()
        };
        self.hold(whole, now).await
    }

    /// Adds rows that are new, in the columns of [`reads`](Recent::reads), and forgets those that are too old to matter.
    pub(super) async fn add(
        &mut self,
        whole: &Session,
        rows: &Rows,
        rules: &[Rule],
        now: i64,
    ) -> Result<(), JobsError> {
        for (table, batches) in rows {
            let held = self.rows.entry(table.clone()).or_default();
            held.extend(batches.iter().cloned());
        }
        self.after = self.after.max(begin(rules, now));
        self.hold(whole, now).await
    }

    async fn hold(&mut self, whole: &Session, now: i64) -> Result<(), JobsError> {
        self.keep_later()?;
        while self.bytes() > MOST_BYTES {
            // Half of the time that is held; in the end only rows of the future would be left.
            let half = (now.saturating_sub(self.after) / 2).max(1_000_000);
            if self.after > now {
                tracing::warn!(
                    "rows of one moment do not fit into memory; rules read them from the lake"
                );
                *self = Recent::default();
                return Ok(());
            }
            self.after = self.after.saturating_add(half);
            self.keep_later()?;
        }
        let empty = Session::in_memory(Vec::new(), whole.library(), whole.limits()).await?;
        self.reads.fitted(&mut self.rows, &empty)?;
        self.session = Some(self.reads.session(&self.rows, &empty).await?);
        self.version = whole.version(Table::Findings);
        Ok(())
    }

    fn bytes(&self) -> usize {
        let batches = self.rows.values().flatten();
        batches.map(RecordBatch::get_array_memory_size).sum()
    }

    fn keep_later(&mut self) -> Result<(), DataFusionError> {
        for batches in self.rows.values_mut() {
            *batches = later(std::mem::take(batches), self.after)?;
        }
        Ok(())
    }
}

/// The rows later than some time.
fn later(batches: Vec<RecordBatch>, after: i64) -> Result<Vec<RecordBatch>, DataFusionError> {
    let mut kept = Vec::with_capacity(batches.len());
    for batch in batches {
        let times = batch
            .column(batch.schema().index_of(TIME)?)
            .as_primitive::<TimestampMicrosecondType>();
        let later: BooleanArray = times
            .iter()
            .map(|time| Some(time.is_some_and(|time| time > after)))
            .collect();
        match later.true_count() {
            0 => {}
            all if all == later.len() => kept.push(batch),
            _ => kept.push(filter_record_batch(&batch, &later)?),
        }
    }
    Ok(kept)
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
