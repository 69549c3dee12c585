//! Drops the rows that no window that matches can hold, before anything is sorted.
//!
//! One pass over the keys, the time and what is counted goes into a fixed number of cells: one for each group and slot of time, a part of what a
//! match looks back. Where no run of slots as long as a match has what one needs, its rows are in no match. Cells are found by hash; groups that
//! share them keep each other alive, which costs a little sorting and changes nothing: the sweep is exact.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};

use alerts::{Count, Kind, Rule};
use arrow::array::{ArrayRef, AsArray};
use arrow::buffer::{BooleanBuffer, MutableBuffer};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::util::bit_util;
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use datafusion::prelude::DataFrame;
use futures::StreamExt;
use tokio::task::JoinSet;

use super::{by_hash, groups};

/// So many cells at least and at most: 8 KiB and 256 MiB.
const CELLS: (usize, usize) = (1 << 12, 1 << 27);
/// Where nobody knows how many rows there are.
const CELLS_OF_UNKNOWN: usize = 1 << 24;

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
    let rows = rows.clone().select(wanted)?;
    let context = Arc::new(rows.task_ctx());
    let plan = rows.create_physical_plan().await?;
    let len = match most_rows(plan.as_ref()) {
        Some(rows) => rows.saturating_mul(2).clamp(CELLS.0, CELLS.1),
        None => CELLS_OF_UNKNOWN,
    };
    let tally = Arc::new(Tally::new(need, len.next_power_of_two()));
    let slots = Arc::<OnceLock<Slots>>::default();
    let mut adding = JoinSet::new();
    for mut stream in execute_stream_partitioned(plan, context)? {
        let (tally, slots) = (Arc::clone(&tally), Arc::clone(&slots));
        let keys = keys.len() - 1;
        adding.spawn(async move {
            while let Some(batch) = stream.next().await {
                let batch = batch?;
                let column = batch.columns().get(keys + 1);
                // Whichever rows come first tell what to expect of the others.
                let slots = *slots.get_or_init(|| Slots::of(looks_back, tally.need.rows(column)));
                let hashes = by_hash::hashes(&batch.columns()[..keys], batch.num_rows())?;
                let times = batch
                    .column(keys)
                    .as_primitive::<TimestampMicrosecondType>();
                let places = hashes.into_iter().zip(times.values());
                let places = places.map(|(hash, time)| slots.place(hash, *time));
                tally.add(places, column);
            }
            Ok::<_, DataFusionError>(())
        });
    }
    while let Some(added) = adding.join_next().await {
        added.map_err(|error| DataFusionError::External(error.into()))??;
    }
    let Some(slots) = slots.get().copied() else {
        return Ok(Some(lit(false)));
    };
    let hopeful = tally.hopeful(slots.run);
    if hopeful.count_set_bits() == 0 {
        return Ok(Some(lit(false)));
    }
    let may_fire = by_hash::at("may_fire", move |hash, time| {
        hopeful.value(slots.place(hash, time) & (hopeful.len() - 1))
    });
    Ok(Some(may_fire.call(keys)))
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

/// Time in slots, so long that the rows of one match lie in a run of them.
#[derive(Debug, Clone, Copy)]
struct Slots {
    /// Microseconds; [`i64::MAX`] where a match depends on more than the rows of some time before it: then all time is one slot.
    length: i64,
    /// How many, one after the other. Neither end of what a match looks back need be that of a slot.
    run: usize,
}

impl Slots {
    /// Where the rows of a match, about so many, lie within so many microseconds; where they can be of any time, one slot.
    ///
    /// More slots leave fewer rows. But the more cells are looked at together, the more they hold of other groups, and that must stay far from
    /// what a match needs: a cell holds about half a row.
    fn of(looks_back: Option<i64>, rows: f64) -> Slots {
        let Some(back) = looks_back else {
            return Slots {
                length: i64::MAX,
                run: 1,
            };
        };
        let slots = (rows / 3.0).min((rows * 6.0).sqrt());
        let last = back.max(1) - 1;
        let length = last / slots.clamp(1.0, MOST_SLOTS) as i64 + 1;
        let run = (last / length + 2) as usize;
        Slots { length, run }
    }

    fn is_all_time(self) -> bool {
        self.length == i64::MAX
    }

    /// Which cell is that of a group at a time, before it is brought into their number: those of one group's slots are beside each other.
    fn place(self, hash: u64, time: i64) -> usize {
        let slot = match self.is_all_time() {
            true => 0,
            false => time.div_euclid(self.length),
        };
        (hash as usize).wrapping_add(slot as usize)
    }
}

/// What the rows of a match must have. Rows of other groups in the same cells only help.
#[derive(Debug)]
enum Need {
    /// So many rows: every counted unit needs one.
    Rows(u32),
    /// So large a sum of increases.
    Increases(u32),
    /// Such a sum of numbers, in parts of [`PARTS`] of it.
    Sum(f64),
    /// Rows of so many of the steps that have these names.
    Steps(Vec<String>, u32),
}

/// In how many slots what a match looks back is divided at most.
const MOST_SLOTS: f64 = 256.0;

/// In how many parts the sum that is needed is counted.
const PARTS: u32 = 60_000;

/// More is never needed: a cell holds no more.
const MOST: u32 = u16::MAX as u32;

impl Need {
    fn of(rule: &Rule) -> Option<Need> {
        if let Kind::Sequence {
            steps,
            ordered,
            condition: None,
        } = &rule.kind
        {
            let names: Vec<String> = steps.iter().map(|step| step.name.clone()).collect();
            let enough = match ordered {
                true => names.len() as u32,
                false => u32::try_from(rule.bounds.least()).unwrap_or(u32::MAX),
            };
            return (names.len() <= u16::BITS as usize).then_some(Need::Steps(names, enough));
        }
        let enough = rule.threshold.min(u64::from(MOST)) as u32;
        match (&rule.kind, &rule.count) {
            (Kind::Threshold, Count::Sum(_)) => {
                let low = rule.bounds.low();
                (low > 0.0).then_some(Need::Sum(low))
            }
            (_, Count::Occurrences) if enough > 1 => Some(Need::Increases(enough)),
            (_, count) if count.is_whole() && enough > 1 => Some(Need::Rows(enough)),
            _ => None,
        }
    }

    /// About how many rows a match takes, where rows are like these; given the column that the need names.
    fn rows(&self, column: Option<&ArrayRef>) -> f64 {
        let (low, units): (f64, Vec<f64>) = match (self, column) {
            (Need::Increases(enough), Some(column)) => {
                let increases = column.as_primitive::<Int64Type>().iter().flatten();
                (
                    f64::from(*enough),
                    increases.map(|one| one as f64).collect(),
                )
            }
            (Need::Sum(low), Some(column)) => {
                let numbers = column.as_primitive::<Float64Type>().iter().flatten();
                (*low, numbers.collect())
            }
            (Need::Rows(enough), _) => return f64::from(*enough),
            (Need::Steps(_, enough), _) => return f64::from(*enough) * 3.0,
            (_, None) => return 1.0,
        };
        let counted = units.iter().filter(|units| **units > 0.0);
        let all: f64 = counted.clone().sum();
        match all > 0.0 {
            true => low / (all / counted.count() as f64),
            false => 1.0,
        }
    }

    /// The column that is read beside the keys.
    fn column(&self) -> Option<&'static str> {
        match self {
            Need::Rows(_) => None,
            Need::Increases(_) => Some("increase"),
            Need::Sum(_) => Some("number"),
            Need::Steps(..) => Some("step"),
        }
    }
}

/// What there is of it, by cell.
struct Tally {
    need: Need,
    /// Their number is a power of two.
    cells: Vec<AtomicU16>,
}

impl Tally {
    fn new(need: Need, len: usize) -> Tally {
        let cells = (0..len).map(|_| AtomicU16::new(0)).collect();
        Tally { need, cells }
    }

    /// Counts rows, given their places and the column that the need names.
    fn add(&self, places: impl Iterator<Item = usize>, column: Option<&ArrayRef>) {
        match (&self.need, column) {
            (Need::Increases(enough), Some(column)) => {
                let increases = column.as_primitive::<Int64Type>().iter();
                for (place, increase) in places.zip(increases) {
                    let units = increase.unwrap_or(0).clamp(0, i64::from(*enough));
                    self.more(place, units as u16);
                }
            }
            (Need::Sum(low), Some(column)) => {
                let numbers = column.as_primitive::<Float64Type>().iter();
                for (place, number) in places.zip(numbers) {
                    // To millionths, as the sweep does; then up. What is below zero, or no number, counts for nothing.
                    let number = (number.unwrap_or(0.0).max(0.0) * 1e6).round() / 1e6;
                    let parts = number / low * f64::from(PARTS);
                    self.more(place, parts.ceil().min(f64::from(PARTS)) as u16);
                }
            }
            (Need::Steps(names, _), Some(column)) => {
                for (place, step) in places.zip(column.as_string::<i32>().iter()) {
                    let nth = names.iter().position(|name| Some(name.as_str()) == step);
                    if let Some(nth) = nth {
                        self.cell(place).fetch_or(1 << nth, Ordering::Relaxed);
                    }
                }
            }
            _ => places.for_each(|place| self.more(place, 1)),
        }
    }

    /// A full cell takes no more.
    fn more(&self, place: usize, units: u16) {
        let more = |held: u16| Some(held.saturating_add(units));
        // It always has an answer.
        let _ = (self.cell(place)).fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    fn cell(&self, place: usize) -> &AtomicU16 {
        &self.cells[place & (self.cells.len() - 1)]
    }

    /// The cells that lie in a run, so long, that has what a match needs.
    fn hopeful(&self, run: usize) -> BooleanBuffer {
        let len = self.cells.len();
        let mut hopeful = MutableBuffer::from_len_zeroed(len.div_ceil(8));
        let mut held = Held::new(&self.need);
        // The first cells come once more: they go on with the last.
        let mut marked = 0;
        for at in 0..len + run {
            let cell = self.cell(at).load(Ordering::Relaxed);
            let left = at.checked_sub(run);
            held.slide(
                cell,
                left.map(|left| self.cell(left).load(Ordering::Relaxed)),
                at,
                run,
            );
            if held.is_enough() {
                for place in marked.max((at + 1).saturating_sub(run))..=at {
                    bit_util::set_bit(hopeful.as_slice_mut(), place & (len - 1));
                }
                marked = at + 1;
            }
        }
        BooleanBuffer::new(hopeful.into(), 0, len)
    }
}

/// What a run of cells holds, as it slides over them.
struct Held<'a> {
    need: &'a Need,
    sum: u32,
    /// Where each of the steps was last.
    steps: Vec<Option<usize>>,
    /// How many steps the run holds.
    present: u32,
}

impl Held<'_> {
    fn new(need: &Need) -> Held<'_> {
        let steps = match need {
            Need::Steps(names, _) => vec![None; names.len()],
            _ => Vec::new(),
        };
        Held {
            need,
            sum: 0,
            steps,
            present: 0,
        }
    }

    /// Takes the cell at a place in, and the one that is a run before it out.
    fn slide(&mut self, cell: u16, left: Option<u16>, at: usize, run: usize) {
        if !matches!(self.need, Need::Steps(..)) {
            self.sum += u32::from(cell);
            self.sum -= u32::from(left.unwrap_or(0));
            return;
        }
        for (nth, last) in self.steps.iter_mut().enumerate() {
            if cell & (1 << nth) != 0 {
                *last = Some(at);
            }
        }
        let is_in = |last: &&Option<usize>| last.is_some_and(|last| at - last < run);
        self.present = self.steps.iter().filter(is_in).count() as u32;
    }

    fn is_enough(&self) -> bool {
        match self.need {
            Need::Rows(enough) | Need::Increases(enough) => self.sum >= *enough,
            Need::Sum(_) => self.sum >= PARTS,
            Need::Steps(_, enough) => self.present >= *enough,
        }
    }
}
