//! Drops the groups that are too small to fire before anything is sorted.
//!
//! One pass over the keys and what is counted goes into a fixed number of buckets by hash; a group whose bucket does not have what a
//! match needs cannot fire. Groups that share a bucket keep each other alive, which costs a little sorting and changes nothing:
//! the sweep is exact. A `GROUP BY .. HAVING` would be exact here already, and needs memory for every group there is.

use alerts::{Count, Kind, Rule};
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{ScalarUDF, ident};
use datafusion::prelude::DataFrame;
use futures::StreamExt;

use super::{by_hash, groups};

/// 32 MiB; pages that are never counted into are never touched.
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
    let mut buckets = vec![0_u16; len];
    let mut stream = rows.clone().select(wanted)?.execute_stream().await?;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let hashes = by_hash::hashes(&batch.columns()[..keys.len()], batch.num_rows())?;
        need.add(batch.columns().get(keys.len()), &hashes, &mut buckets);
    }
    let may_fire = move |hash: u64| need.is_met(buckets[bucket(hash, buckets.len())]);
    Ok(Some(by_hash::of("may_fire", may_fire)))
}

/// The bucket of a hash among `len`, a power of two.
fn bucket(hash: u64, len: usize) -> usize {
    (hash as usize) & (len - 1)
}

/// What the rows of a group must have for a match. Rows of other groups in the same bucket only help.
#[derive(Debug)]
enum Need {
    /// So many rows: every counted unit needs one.
    Rows(u16),
    /// So large a sum of increases.
    Increases(u16),
    /// Such a sum of numbers, in parts of [`PARTS`] of it.
    Sum(f64),
    /// Rows of so many of the steps that have these names.
    Steps(Vec<String>, u32),
}

/// In how many parts the sum that is needed is counted.
const PARTS: u16 = 60_000;

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
        let enough = rule.threshold.min(u64::from(u16::MAX)) as u16;
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

    fn add(&self, column: Option<&ArrayRef>, hashes: &[u64], buckets: &mut [u16]) {
        let len = buckets.len();
        let mut more = |row: usize, units: u16| {
            let bucket = &mut buckets[bucket(hashes[row], len)];
            *bucket = bucket.saturating_add(units);
        };
        match (self, column) {
            (Need::Increases(_), Some(column)) => {
                let increases = column.as_primitive::<Int64Type>().iter().enumerate();
                increases.for_each(|(row, increase)| {
                    let units = increase.unwrap_or(0).clamp(0, i64::from(u16::MAX));
                    more(row, units as u16);
                });
            }
            (Need::Sum(low), Some(column)) => {
                let numbers = column.as_primitive::<Float64Type>().iter().enumerate();
                numbers.for_each(|(row, number)| {
                    // To millionths, as the sweep does; then up. What is below zero, or no number, counts for nothing.
                    let number = (number.unwrap_or(0.0).max(0.0) * 1e6).round() / 1e6;
                    let parts = number / low * f64::from(PARTS);
                    more(row, parts.ceil().min(f64::from(u16::MAX)) as u16);
                });
            }
            (Need::Steps(names, _), Some(column)) => {
                for (row, step) in column.as_string::<i32>().iter().enumerate() {
                    let place = names.iter().position(|name| Some(name.as_str()) == step);
                    if let Some(place) = place {
                        buckets[bucket(hashes[row], len)] |= 1 << place;
                    }
                }
            }
            _ => (0..hashes.len()).for_each(|row| more(row, 1)),
        }
    }

    fn is_met(&self, bucket: u16) -> bool {
        match self {
            Need::Rows(enough) | Need::Increases(enough) => bucket >= *enough,
            Need::Sum(_) => bucket >= PARTS,
            Need::Steps(_, enough) => bucket.count_ones() >= *enough,
        }
    }
}
