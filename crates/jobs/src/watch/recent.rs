//! The newest rows, held in memory between looks: most of what rules ask is about them.

use std::collections::BTreeMap;

use alerts::Rule;
use arrow::array::{AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::{concat_batches, filter_record_batch, max, min};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::DataFusionError;
use lake::Table;
use tokio::sync::OnceCell;

use super::incremental::is_in_part;
use super::quick::Quick;
use super::reads::{Reads, Rows, TIME};
use crate::JobsError;
use crate::session::Session;

/// Bytes of rows that are held at most, about: two days of a million findings each.
const MOST_BYTES: usize = 2 << 30;
/// What rules look back to over more than two days is held as long as it is no more findings than this; and all there is, as long as that is not.
pub(super) const MOST_FINDINGS: u64 = 500_000;
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
    rows: BTreeMap<String, Vec<Held>>,
    /// Rows later than this are all there; UTC microseconds.
    after: i64,
    reads: Reads,
    /// Over the rows, once somebody asks for it.
    session: OnceCell<Session>,
    /// The version of `findings` that the rows are of.
    version: Option<i64>,
    /// How many findings there were of each day (days since 1970), when the rows were taken.
    findings: BTreeMap<i32, u64>,
    /// Less is held than rules look back to, for want of memory.
    is_short: bool,
    /// All is held that the lake has.
    is_all: bool,
    /// What [`Span::retained`] was when the rows were taken.
    retained: i64,
}

/// What rows matter, and how many may be held.
#[derive(Clone, Copy)]
pub(super) struct Span<'a> {
    /// Who asks.
    pub(super) rules: &'a [Rule],
    /// UTC microseconds.
    pub(super) now: i64,
    /// Findings before this may have been taken out of the lake: UTC microseconds, `i64::MIN` where none was.
    pub(super) retained: i64,
    /// [`MOST_FINDINGS`], but for tests.
    pub(super) most: u64,
}

/// Some rows, and the time from their first to their last.
struct Held {
    rows: RecordBatch,
    first: i64,
    last: i64,
}

impl Held {
    /// `None` where no row is later than `after`. Rows without a time stay where all do: they count for the others of their finding.
    fn of(rows: RecordBatch, after: i64) -> Result<Option<Held>, DataFusionError> {
        let later: BooleanArray = times(&rows)?
            .iter()
            .map(|time| Some(time.map_or(after == i64::MIN, |time| time > after)))
            .collect();
        let rows = match later.true_count() {
            0 => return Ok(None),
            all if all == later.len() => rows,
            _ => filter_record_batch(&rows, &later)?,
        };
        let first = min(times(&rows)?).unwrap_or(i64::MAX);
        let last = max(times(&rows)?).unwrap_or(i64::MIN);
        Ok(Some(Held { rows, first, last }))
    }

    /// Its rows later than `after` through `through` and those without a time; all where that is most of them, as few are not worth a copy of the others.
    fn between(&self, after: i64, through: i64) -> Result<RecordBatch, DataFusionError> {
        let asked = |time: i64| time > after && time <= through;
        let asked: BooleanArray = (times(&self.rows)?.iter())
            .map(|time| Some(time.is_none_or(asked)))
            .collect();
        Ok(match asked.true_count() > asked.len() / 2 {
            true => self.rows.clone(),
            false => filter_record_batch(&self.rows, &asked)?,
        })
    }
}

/// When the findings of some rows were.
fn times(rows: &RecordBatch) -> Result<&TimestampMicrosecondArray, DataFusionError> {
    let column = rows.column(rows.schema().index_of(TIME)?);
    Ok(column.as_primitive::<TimestampMicrosecondType>())
}

impl Recent {
    /// The version of `findings` that the rows are of; `None` where nothing is held.
    pub(super) fn version(&self) -> Option<i64> {
        self.version
    }

    /// Whether as much is held as these rules look back to, or as can be.
    pub(super) fn reaches(&self, span: &Span<'_>) -> bool {
        match self.is_all {
            // What was taken out of the lake since is let go.
            true => self.retained == span.retained,
            false => self.is_short || self.after <= begin(span, &self.findings),
        }
    }

    /// Whether all rows later than `after` are there, in so far as the lake has them.
    pub(super) fn has_later_than(&self, after: i64) -> bool {
        self.is_all || after >= self.after
    }

    /// Rows later than this are all there; UTC microseconds.
    pub(super) fn after(&self) -> i64 {
        self.after
    }

    /// The rows as a session like this one sees them; `None` where nothing is held.
    pub(super) async fn session(&self, like: &Session) -> Result<Option<&Session>, JobsError> {
        if self.version.is_none() {
            return Ok(None);
        }
        let made = async || self.reads.session(&self.rows(), like).await;
        self.session.get_or_try_init(made).await.map(Some)
    }

    /// All that is held.
    pub(super) fn rows(&self) -> Rows {
        let rows = |held: &Vec<Held>| held.iter().map(|held| held.rows.clone()).collect();
        let tables = self.rows.iter();
        tables
            .map(|(table, held)| (table.clone(), rows(held)))
            .collect()
    }

    /// All rows later than `after` through `through`, and perhaps some others.
    pub(super) fn between(&self, after: i64, through: i64) -> Result<Rows, DataFusionError> {
        let rows = self.rows.iter().map(|(table, held)| {
            let meets = held
                .iter()
                .filter(|held| held.last > after && held.first <= through);
            let rows = meets.map(|held| held.between(after, through));
            Ok((table.clone(), rows.collect::<Result<_, _>>()?))
        });
        rows.collect()
    }

    /// The rows of a table, where all are held that the lake has.
    pub(super) fn all_of(&self, table: &str) -> Option<impl Iterator<Item = &RecordBatch>> {
        let held = self.rows.get(table).filter(|_| self.is_all)?;
        Some(held.iter().map(|held| &held.rows))
    }

    /// What is held.
    pub(super) fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Takes the rows of `whole` that rules look back to; `findings` is how many there are of each day (days since 1970).
    pub(super) async fn load(
        &mut self,
        whole: &Session,
        span: &Span<'_>,
        quick: &Quick,
        findings: BTreeMap<i32, u64>,
    ) -> Result<(), JobsError> {
        let is_all = findings.values().sum::<u64>() <= span.most;
        let after = match is_all {
            true => i64::MIN,
            false => begin(span, &findings),
        };
        let reads = quick.reads().clone();
        let mut rows = reads
            .rows(whole, (after > i64::MIN).then_some(after))
            .await?;
        reads.fitted(&mut rows, &quick.session())?;
        *self = Recent {
            after,
            reads,
            findings,
            is_all,
            retained: span.retained,
            ..Recent::default()
        };
        Ok(self.add(whole, &rows, span)?)
    }

    /// Adds rows that are new, in the columns of [`reads`](Recent::reads), and forgets those that are too old to matter.
    pub(super) fn add(
        &mut self,
        whole: &Session,
        rows: &Rows,
        span: &Span<'_>,
    ) -> Result<(), DataFusionError> {
        // What rules read of a finding may be several rows.
        self.is_all &= self.rows.values().all(|held| {
            let rows: usize = held.iter().map(|held| held.rows.num_rows()).sum();
            rows as u64 <= span.most.saturating_mul(4)
        });
        if !self.is_all {
            self.after = self.after.max(begin(span, &self.findings));
        }
        for (table, batches) in rows {
            let held = self.rows.entry(table.clone()).or_default();
            for batch in batches {
                held.extend(Held::of(batch.clone(), self.after)?);
            }
        }
        self.keep_later()?;
        while self.bytes() > MOST_BYTES {
            // Half of the time that is held; in the end only rows of the future would be left.
            let half = (span.now.saturating_sub(self.after) / 2).max(1_000_000);
            if self.after > span.now {
                tracing::warn!(
                    "rows of one moment do not fit into memory; rules read them from the lake"
                );
                *self = Recent::default();
                return Ok(());
            }
            self.after = self.after.saturating_add(half);
            (self.is_short, self.is_all) = (true, false);
            self.keep_later()?;
        }
        self.session = OnceCell::new();
        self.version = whole.version(Table::Findings);
        Ok(())
    }

    /// How many rows are held, in how many batches.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        let held = || self.rows.values().flatten();
        (
            held().map(|held| held.rows.num_rows()).sum(),
            held().count(),
        )
    }

    fn bytes(&self) -> usize {
        let held = self.rows.values().flatten();
        held.map(|held| held.rows.get_array_memory_size()).sum()
    }

    fn keep_later(&mut self) -> Result<(), DataFusionError> {
        for held in self.rows.values_mut() {
            for one in std::mem::take(held) {
                match one.first > self.after {
                    true => held.push(one),
                    false => held.extend(Held::of(one.rows, self.after)?),
                }
            }
            join(held)?;
        }
        Ok(())
    }
}

/// Makes small batches one, once there are many of them.
fn join(held: &mut Vec<Held>) -> Result<(), DataFusionError> {
    let is_small = |held: &Held| held.rows.num_rows() < LARGE;
    if held.iter().filter(|held| is_small(held)).count() < MANY_BATCHES {
        return Ok(());
    }
    let (small, large): (Vec<Held>, Vec<Held>) =
        std::mem::take(held).into_iter().partition(is_small);
    *held = large;
    let rows = concat_batches(&small[0].rows.schema(), small.iter().map(|held| &held.rows))?;
    held.extend(Held::of(rows, i64::MIN)?);
    Ok(())
}

/// The time after which rows are held: as far back as the rules look that are asked about some rows alone, and some hours. Reaches of more than
/// two days count as long as there are few enough findings since then.
fn begin(span: &Span<'_>, findings: &BTreeMap<i32, u64>) -> i64 {
    let local = span
        .rules
        .iter()
        .filter(|rule| rule.enabled && is_in_part(rule));
    let mut reaches: Vec<i64> = local.map(|rule| rule.terms().back()).collect();
    reaches.sort_unstable();
    let begin = |reach: i64| span.now.saturating_sub(reach).saturating_sub(LATE);
    let is_held = |reach: &i64| {
        let first = i32::try_from(begin(*reach).div_euclid(DAY)).unwrap_or(i32::MIN);
        let since = findings.range(first..).map(|(_, findings)| findings);
        *reach <= ALWAYS || since.sum::<u64>() <= span.most
    };
    begin(reaches.into_iter().rev().find(is_held).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::ArrayRef;

    use super::*;

    #[test]
    fn rows_of_other_times_are_left_out_where_they_are_most() {
        let given: Vec<Option<i64>> = (0..20).map(Some).chain([None]).collect();
        let column = TimestampMicrosecondArray::from(given.clone()).with_timezone("UTC");
        let rows = RecordBatch::try_from_iter([(TIME, Arc::new(column) as ArrayRef)]).unwrap();
        let held = Held::of(rows, i64::MIN).unwrap().unwrap();
        let between = |after, through| {
            let rows = held.between(after, through).unwrap();
            times(&rows).unwrap().iter().collect::<Vec<_>>()
        };
        assert_eq!(between(3, 6), [Some(4), Some(5), Some(6), None]);
        assert_eq!(between(-5, 0), [Some(0), None]);
        assert_eq!(between(19, 90), [None]);
        assert_eq!(between(3, 90), given);
    }
}
