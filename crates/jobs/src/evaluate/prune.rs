//! Drops the rows that no window that matches can hold, before anything is sorted and before columns are read that only matches need.
//!
//! One pass reads the keys, the time and what is counted. Where that fits in memory, it is sorted as numbers, and a window slides over it. Where it
//! does not, it is counted by group and slot of time first, in a fixed number of cells, and a second pass keeps what the cells leave. Rows are only
//! left out where no match can need them: the sweep is exact.

mod cells;
mod need;
mod runs;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use alerts::{Kind, Rule};
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use datafusion::prelude::DataFrame;
use futures::{StreamExt, TryStreamExt};
use tokio::task::JoinSet;

use super::{by_hash, groups};
use cells::{Slots, Tally};
use need::Need;
use runs::{Row, Runs};

/// So many cells at least and at most: 8 KiB and 256 MiB.
const CELLS: (usize, usize) = (1 << 12, 1 << 27);
/// Where nobody knows how many rows there are.
const CELLS_OF_UNKNOWN: usize = 1 << 24;
/// So many bytes of rows are kept: 256 MiB.
pub(super) const KEPT: usize = 1 << 28;

/// The rows without those that are in no match.
pub(super) async fn hopeless(rows: DataFrame, rule: &Rule) -> Result<DataFrame, DataFusionError> {
    match may_fire(&rows, rule).await? {
        Some(may_fire) => rows.filter(may_fire),
        None => Ok(rows),
    }
}

/// Tells of a row, by its group and its time, whether it can be in a match of these rows; nothing where every row can.
pub(super) async fn may_fire(
    rows: &DataFrame,
    rule: &Rule,
) -> Result<Option<Expr>, DataFusionError> {
    may_fire_within(rows, rule, KEPT).await
}

/// As [`may_fire`], with so many bytes of rows kept.
pub(super) async fn may_fire_within(
    rows: &DataFrame,
    rule: &Rule,
    kept: usize,
) -> Result<Option<Expr>, DataFusionError> {
    let Some(need) = Need::of(rule) else {
        return Ok(None);
    };
    let looks_back = match &rule.kind {
        Kind::Threshold | Kind::Sequence { .. } => Some(rule.terms().back()),
        _ => None,
    };
    if rule.group_by.is_empty() && looks_back.is_none() {
        return Ok(None);
    }
    let mut keys: Vec<Expr> = groups(rule).map(ident).collect();
    keys.push(ident("event_time"));
    let mut wanted = keys.clone();
    wanted.extend(need.column().map(ident));
    let narrow = Narrow {
        rows: rows.clone().select(wanted)?,
        need: Arc::new(need),
        groups: rule.group_by.len(),
        looks_back,
    };
    match narrow.need.column() {
        None => narrow.may_fire::<u64>(keys, kept).await,
        Some(_) => narrow.may_fire::<(u64, u32)>(keys, kept).await,
    }
}

/// The rows of a rule with no columns but those that name the group, then the time, then what the need reads.
struct Narrow {
    rows: DataFrame,
    need: Arc<Need>,
    groups: usize,
    /// Microseconds; `None` where a match depends on more than the rows of some time before it.
    looks_back: Option<i64>,
}

impl Narrow {
    async fn may_fire<R: Row>(
        &self,
        keys: Vec<Expr>,
        kept: usize,
    ) -> Result<Option<Expr>, DataFusionError> {
        let most = most_rows(self.plan().await?.as_ref());
        let kept = kept / size_of::<R>();
        if most.is_some_and(|most| most <= kept)
            && let Some(runs) = self.runs::<R>(kept, |_, _| true).await?
        {
            return Ok(Some(in_runs(runs, keys)));
        }
        let len = match most {
            Some(rows) => rows.saturating_mul(2).clamp(CELLS.0, CELLS.1),
            None => CELLS_OF_UNKNOWN,
        };
        let Some((tally, slots)) = self.tally(len.next_power_of_two()).await? else {
            return Ok(Some(lit(false)));
        };
        let hopeful = tally.hopeful(slots.run);
        drop(tally);
        if hopeful.count_set_bits() == 0 {
            return Ok(Some(lit(false)));
        }
        let is_hopeful = move |hash, time| {
            let place = slots.place(hash, time);
            hopeful.value(place & (hopeful.len() - 1))
        };
        Ok(Some(
            match self.runs::<R>(kept, is_hopeful.clone()).await? {
                Some(runs) => in_runs(runs, keys),
                None => by_hash::at("may_fire", is_hopeful).call(keys),
            },
        ))
    }

    async fn plan(&self) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        self.rows.clone().create_physical_plan().await
    }

    /// What there is by group and slot of time; nothing where there are no rows.
    async fn tally(&self, len: usize) -> Result<Option<(Tally, Slots)>, DataFusionError> {
        let tally = Arc::new(Tally::new(Arc::clone(&self.need), len));
        let slots = Arc::<OnceLock<Slots>>::default();
        let (into, slots_of, looks_back) = (tally.clone(), slots.clone(), self.looks_back);
        let take = move |_: &mut (), rows: &Taken| {
            let units = into
                .need
                .units(rows.column, rows.hashes.len(), cells::PARTS);
            // Whichever rows come first tell what to expect of the others.
            let slots = slots_of.get_or_init(|| {
                let expected = into.need.rows(&units, cells::PARTS);
                Slots::of(looks_back, expected)
            });
            let places = rows.each().map(|(hash, time)| slots.place(hash, time));
            into.add(places.zip(units));
            true
        };
        self.each((), take).await?;
        let tally = Arc::into_inner(tally);
        Ok(tally.zip(slots.get().copied()))
    }

    /// The stretches of rows, of those that are wanted, that can be a match; nothing where more rows than so many are wanted.
    async fn runs<R: Row>(
        &self,
        most: usize,
        wanted: impl Fn(u64, i64) -> bool + Clone + Send + Sync + 'static,
    ) -> Result<Option<Runs>, DataFusionError> {
        /// In so many parts, by the first bits of their hash, rows are sorted side by side.
        const PARTS: usize = 16;
        let taken = Arc::new(AtomicUsize::new(0));
        let (need, count) = (Arc::clone(&self.need), Arc::clone(&taken));
        let take = move |parts: &mut Vec<Vec<R>>, rows: &Taken| {
            let units = need.units(rows.column, rows.hashes.len(), runs::PARTS);
            let mut held = 0;
            for ((hash, time), units) in rows.each().zip(units) {
                if wanted(hash, time) {
                    let part = (hash >> (u64::BITS - PARTS.ilog2())) as usize;
                    parts[part].push(R::new(runs::key(hash, time), units));
                    held += 1;
                }
            }
            count.fetch_add(held, Ordering::Relaxed) + held <= most
        };
        let mut streams = self.each(vec![Vec::new(); PARTS], take).await?;
        if taken.load(Ordering::Relaxed) > most {
            return Ok(None);
        }
        let (seconds, side_by_side) = (runs::seconds(self.looks_back), streams.len().max(1));
        let parts = (0..PARTS).map(|part| {
            let of_streams = streams.iter_mut();
            let rows = of_streams.map(|parts| std::mem::take(&mut parts[part]));
            let rows: Vec<Vec<R>> = rows.collect();
            let need = Arc::clone(&self.need);
            async move {
                let sorted = move || {
                    let all = rows.concat();
                    drop(rows);
                    Runs::of(all, &need, seconds)
                };
                tokio::task::spawn_blocking(sorted).await
            }
        });
        // No more of them at a time than there are streams: each is in memory twice for a moment.
        let beside = futures::stream::iter(parts).buffered(side_by_side);
        let parts: Result<Vec<Runs>, _> = beside.try_collect().await;
        let parts = parts.map_err(|error| DataFusionError::External(error.into()))?;
        Ok(Some(Runs::joined(parts)))
    }

    /// Reads all rows, a stream of them beside the other, each into a copy of what is given, until `take` wants no more.
    async fn each<T: Clone + Send + 'static>(
        &self,
        into: T,
        take: impl Fn(&mut T, &Taken) -> bool + Clone + Send + 'static,
    ) -> Result<Vec<T>, DataFusionError> {
        let context = Arc::new(self.rows.task_ctx());
        let mut reading = JoinSet::new();
        for mut stream in execute_stream_partitioned(self.plan().await?, context)? {
            let (mut into, take, groups) = (into.clone(), take.clone(), self.groups);
            reading.spawn(async move {
                while let Some(batch) = stream.next().await {
                    if !take(&mut into, &Taken::of(&batch?, groups)?) {
                        break;
                    }
                }
                Ok::<_, DataFusionError>(into)
            });
        }
        let mut all = Vec::new();
        while let Some(read) = reading.join_next().await {
            all.push(read.map_err(|error| DataFusionError::External(error.into()))??);
        }
        Ok(all)
    }
}

/// Some rows: their groups' hashes, their times, and the column that the need reads.
struct Taken<'a> {
    hashes: Vec<u64>,
    times: &'a [i64],
    column: Option<&'a ArrayRef>,
}

impl<'a> Taken<'a> {
    fn of(batch: &'a RecordBatch, groups: usize) -> Result<Taken<'a>, DataFusionError> {
        let columns = batch.columns();
        let times = columns[groups].as_primitive::<TimestampMicrosecondType>();
        Ok(Taken {
            hashes: by_hash::hashes(&columns[..groups], batch.num_rows())?,
            times: times.values(),
            column: columns.get(groups + 1),
        })
    }

    fn each(&self) -> impl Iterator<Item = (u64, i64)> {
        let times = self.times.iter().copied();
        self.hashes.iter().copied().zip(times)
    }
}

/// How many rows go through a plan at most, where that is known: filters only guess what is left of them.
fn most_rows(plan: &dyn ExecutionPlan) -> Option<usize> {
    let known = StatisticsContext::new().compute(plan, &StatisticsArgs::new());
    let own = known
        .ok()
        .and_then(|known| known.num_rows.get_value().copied());
    let children = plan.children().into_iter();
    let theirs = children.filter_map(|child| most_rows(child.as_ref()));
    theirs.chain(own).max()
}

/// Whether a row is in one of the stretches. Files of other times need not be read by that, nor other columns where it is another time: what is asked
/// of the time alone is asked before lists of addresses are taken apart.
fn in_runs(runs: Runs, keys: Vec<Expr>) -> Expr {
    if runs.is_empty() {
        return lit(false);
    }
    let time = || ident("event_time");
    let instant = |micros| {
        lit(ScalarValue::TimestampMicrosecond(
            Some(micros),
            Some("UTC".into()),
        ))
    };
    let (from, before) = runs.span();
    let from = from.map(|from| time().gt_eq(instant(from)));
    let before = before.map(|before| time().lt(instant(before)));
    let times = runs.times();
    let at_a_time = by_hash::at("may_fire_then", move |_, time| {
        runs::is_in(&times, runs::second(time))
    });
    let at_a_time = at_a_time.call(vec![time()]);
    let in_runs = by_hash::at("may_fire", move |hash, time| {
        runs.has(runs::key(hash, time))
    });
    let all = from.into_iter().chain(before);
    all.fold(at_a_time, Expr::and).and(in_runs.call(keys))
}
