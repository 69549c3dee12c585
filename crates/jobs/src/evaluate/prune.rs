//! Drops the groups that are too small to fire before anything is sorted.
//!
//! One pass over the keys and what is counted goes into a fixed number of buckets by hash; a group whose bucket does not have what a
//! match needs cannot fire. Groups that share a bucket keep each other alive, which costs a little sorting and changes nothing:
//! the sweep is exact. A `GROUP BY .. HAVING` would be exact here already, and needs memory for every group there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use alerts::{Count, Kind, Rule};
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{ScalarUDF, ident};
use datafusion::prelude::DataFrame;
use futures::StreamExt;
use tokio::task::JoinSet;

use super::{by_hash, groups};

/// 64 MiB; pages that are never counted into are never touched.
pub(super) const BUCKETS: usize = 1 << 24;

/// The rows without those of groups that cannot fire; there are about so many groups.
pub(super) async fn hopeless(
    rows: DataFrame,
    rule: &Rule,
    groups_about: usize,
) -> Result<DataFrame, DataFusionError> {
    match may_fire(&rows, rule, groups_about).await? {
        Some(may_fire) => rows.filter(may_fire.call(groups(rule).map(ident).collect())),
        None => Ok(rows),
    }
}

/// Tells of a group whether it can fire with these rows; nothing where every group can.
pub(super) async fn may_fire(
    rows: &DataFrame,
    rule: &Rule,
    groups_about: usize,
) -> Result<Option<ScalarUDF>, DataFusionError> {
    let Some(need) = Need::of(rule).filter(|_| !rule.group_by.is_empty()) else {
        return Ok(None);
    };
    let keys: Vec<_> = groups(rule).map(ident).collect();
    let mut wanted = keys.clone();
    wanted.extend(need.column().map(ident));
    let len = groups_about.saturating_mul(8).clamp(1 << 12, BUCKETS);
    let len = len.next_power_of_two();
    let tally = Arc::new(Tally {
        need,
        buckets: (0..len).map(|_| AtomicU32::new(0)).collect(),
    });
    let mut adding = JoinSet::new();
    for mut stream in (rows.clone().select(wanted)?)
        .execute_stream_partitioned()
        .await?
    {
        let (tally, keys) = (Arc::clone(&tally), keys.len());
        adding.spawn(async move {
            while let Some(batch) = stream.next().await {
                let batch = batch?;
                let hashes = by_hash::hashes(&batch.columns()[..keys], batch.num_rows())?;
                tally.add(batch.columns().get(keys), &hashes);
            }
            Ok::<_, DataFusionError>(())
        });
    }
    while let Some(added) = adding.join_next().await {
        added.map_err(|error| DataFusionError::External(error.into()))??;
    }
    let may_fire = move |hash: u64| tally.is_met(hash);
    Ok(Some(by_hash::of("may_fire", may_fire)))
}

/// What the rows of a group must have for a match. Rows of other groups in the same bucket only help.
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

/// In how many parts the sum that is needed is counted.
const PARTS: u32 = 60_000;

/// More is never needed.
const MOST: u32 = 1 << 20;

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
            return (names.len() <= u32::BITS as usize).then_some(Need::Steps(names, enough));
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

/// What there is of it, by bucket.
struct Tally {
    need: Need,
    buckets: Vec<AtomicU32>,
}

impl Tally {
    fn add(&self, column: Option<&ArrayRef>, hashes: &[u64]) {
        match (&self.need, column) {
            (Need::Increases(enough), Some(column)) => {
                let increases = column.as_primitive::<Int64Type>().iter();
                for (hash, increase) in hashes.iter().zip(increases) {
                    let units = increase.unwrap_or(0).clamp(0, i64::from(*enough));
                    self.more(*hash, units as u32);
                }
            }
            (Need::Sum(low), Some(column)) => {
                let numbers = column.as_primitive::<Float64Type>().iter();
                for (hash, number) in hashes.iter().zip(numbers) {
                    // To millionths, as the sweep does; then up. What is below zero, or no number, counts for nothing.
                    let number = (number.unwrap_or(0.0).max(0.0) * 1e6).round() / 1e6;
                    let parts = number / low * f64::from(PARTS);
                    self.more(*hash, parts.ceil().min(f64::from(PARTS)) as u32);
                }
            }
            (Need::Steps(names, _), Some(column)) => {
                for (hash, step) in hashes.iter().zip(column.as_string::<i32>().iter()) {
                    let place = names.iter().position(|name| Some(name.as_str()) == step);
                    if let Some(place) = place {
                        self.bucket(*hash).fetch_or(1 << place, Ordering::Relaxed);
                    }
                }
            }
            _ => hashes.iter().for_each(|hash| self.more(*hash, 1)),
        }
    }

    /// No unit is more than is needed, and a full bucket takes none: far from what a bucket holds.
    fn more(&self, hash: u64, units: u32) {
        let bucket = self.bucket(hash);
        if bucket.load(Ordering::Relaxed) < MOST {
            bucket.fetch_add(units, Ordering::Relaxed);
        }
    }

    fn is_met(&self, hash: u64) -> bool {
        let bucket = self.bucket(hash).load(Ordering::Relaxed);
        match &self.need {
            Need::Rows(enough) | Need::Increases(enough) => bucket >= *enough,
            Need::Sum(_) => bucket >= PARTS,
            Need::Steps(_, enough) => bucket.count_ones() >= *enough,
        }
    }

    /// The bucket of a hash; their number is a power of two.
    fn bucket(&self, hash: u64) -> &AtomicU32 {
        &self.buckets[(hash as usize) & (self.buckets.len() - 1)]
    }
}
