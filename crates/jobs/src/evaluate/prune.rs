//! Drops the groups that are too small to fire before anything is sorted.
//!
//! One pass over the keys alone counts into a fixed number of buckets by hash; a group whose bucket stays below the
//! threshold cannot fire. Groups that share a bucket keep each other alive, which costs a little sorting and changes nothing:
//! the sweep is exact. A `GROUP BY .. HAVING` would be exact here already, and needs memory for every group there is.

use alerts::{Count, Rule};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{ScalarUDF, ident};
use datafusion::prelude::DataFrame;
use futures::StreamExt;

use super::{by_hash, groups};

/// 32 MiB of counters; pages that are never counted into are never touched.
pub(super) const BUCKETS: usize = 1 << 24;

/// The rows without those of groups that cannot reach the threshold, of which there are about so many.
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

/// Tells of a group whether it can reach the threshold with these rows; nothing where every group can.
pub(super) async fn may_fire(
    rows: &DataFrame,
    rule: &Rule,
    groups_about: usize,
) -> Result<Option<ScalarUDF>, DataFusionError> {
    if rule.threshold <= 1 || rule.group_by.is_empty() || !rule.count.is_whole() {
        return Ok(None);
    }
    let keys: Vec<_> = groups(rule).map(ident).collect();
    let mut wanted = keys.clone();
    if rule.count == Count::Occurrences {
        wanted.push(ident("increase"));
    }
    let len = groups_about.saturating_mul(8).clamp(1 << 12, BUCKETS);
    let len = len.next_power_of_two();
    let mut counts = vec![0_u16; len];
    let mut stream = rows.clone().select(wanted)?.execute_stream().await?;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let hashes = by_hash::hashes(&batch.columns()[..keys.len()], batch.num_rows())?;
        let increases = batch
            .columns()
            .get(keys.len())
            .map(|column| column.as_primitive::<Int64Type>());
        for (row, hash) in hashes.into_iter().enumerate() {
            let bucket = bucket(hash, len);
            // Every counted unit needs a row, and an occurrence its share of an increase.
            let units = increases.map_or(1, |increases| {
                increases.value(row).clamp(0, i64::from(u16::MAX)) as u16
            });
            counts[bucket] = counts[bucket].saturating_add(units);
        }
    }
    let enough = rule.threshold.min(u64::from(u16::MAX)) as u16;
    let may_fire = move |hash: u64| counts[bucket(hash, counts.len())] >= enough;
    Ok(Some(by_hash::of("may_fire", may_fire)))
}

/// The bucket of a hash among `len`, a power of two.
fn bucket(hash: u64, len: usize) -> usize {
    (hash as usize) & (len - 1)
}
