//! The newest rows, held in memory between looks: most of what rules ask is about them.

use std::collections::BTreeMap;

use alerts::Rule;
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::DataFusionError;
use lake::Table;

use super::incremental::is_local;
use super::reads::{Reads, Rows, TIME};
use crate::JobsError;
use crate::session::Session;

/// Bytes of rows that are held at most, about: two days of a million findings each.
const MOST_BYTES: usize = 2 << 30;
/// What rules look back to over more than two days is held as long as it is no more findings than this.
const MOST_FINDINGS: u64 = 500_000;
/// What every rule may look back to, whatever it holds.
const ALWAYS: i64 = 2 * DAY;
const DAY: i64 = 86_400_000_000;
/// So many small batches are made one: each commit brings some, and every rule walks through all of them.
const MANY_BATCHES: usize = 64;
/// Rows of a batch that is not small.
const LARGE: usize = 8_192;
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
    /// How many findings there were of each day (days since 1970), when the rows were taken.
    findings: BTreeMap<i32, u64>,
    /// Less is held than rules look back to, for want of memory.
    is_short: bool,
}

impl Recent {
    /// The version of `findings` that the rows are of; `None` where nothing is held.
    pub(super) fn version(&self) -> Option<i64> {
        self.version
    }

    /// Whether as much is held as these rules look back to, or as can be.
    pub(super) fn reaches(&self, rules: &[Rule], now: i64) -> bool {
        self.is_short || self.after <= begin(rules, &self.findings, now)
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

    /// Takes the rows of `whole` that `rules` look back to; `findings` is how many there are of each day (days since 1970).
    pub(super) async fn load(
        &mut self,
        whole: &Session,
        rules: &[Rule],
        reads: Reads,
        findings: BTreeMap<i32, u64>,
        now: i64,
    ) -> Result<(), JobsError> {
        let after = begin(rules, &findings, now);
        *self = Recent {
            rows: reads.rows(whole, Some(after)).await?,
            after,
            reads,
            findings,
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
        self.after = self.after.max(begin(rules, &self.findings, now));
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
            self.is_short = true;
            self.keep_later()?;
        }
        let empty = Session::in_memory(Vec::new(), whole.library(), whole.limits()).await?;
        self.reads.fitted(&mut self.rows, &empty)?;
        self.session = Some(self.reads.session(&self.rows, &empty).await?);
        self.version = whole.version(Table::Findings);
        Ok(())
    }

    /// How many rows are held, in how many batches.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        let batches = || self.rows.values().flatten();
        (
            batches().map(RecordBatch::num_rows).sum(),
            batches().count(),
        )
    }

    fn bytes(&self) -> usize {
        let batches = self.rows.values().flatten();
        batches.map(RecordBatch::get_array_memory_size).sum()
    }

    fn keep_later(&mut self) -> Result<(), DataFusionError> {
        for batches in self.rows.values_mut() {
            *batches = joined(later(std::mem::take(batches), self.after)?)?;
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

/// Small batches as one, once there are many of them.
fn joined(batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, DataFusionError> {
    let is_small = |batch: &RecordBatch| batch.num_rows() < LARGE;
    if batches.iter().filter(|batch| is_small(batch)).count() < MANY_BATCHES {
        return Ok(batches);
    }
    let (small, mut joined): (Vec<_>, Vec<_>) = batches.into_iter().partition(is_small);
    joined.push(concat_batches(&small[0].schema(), &small)?);
    Ok(joined)
}

/// The time after which rows are held: as far back as the rules look that are asked about new rows alone, and some hours. Reaches of more than
/// two days count as long as there are few enough findings since then.
fn begin(rules: &[Rule], findings: &BTreeMap<i32, u64>, now: i64) -> i64 {
    let local = rules.iter().filter(|rule| rule.enabled && is_local(rule));
    let mut reaches: Vec<i64> = local.map(|rule| rule.terms().back()).collect();
    reaches.sort_unstable();
    let begin = |reach: i64| now.saturating_sub(reach).saturating_sub(LATE);
    let is_held = |reach: &i64| {
        let first = i32::try_from(begin(*reach).div_euclid(DAY)).unwrap_or(i32::MIN);
        let since = findings.range(first..).map(|(_, findings)| findings);
        *reach <= ALWAYS || since.sum::<u64>() <= MOST_FINDINGS
    };
    begin(reaches.into_iter().rev().find(is_held).unwrap_or(0))
}
