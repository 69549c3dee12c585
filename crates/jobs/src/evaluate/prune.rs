//! Drops the groups that are too small to fire before anything is sorted.
//!
//! One pass over the keys alone counts into a fixed number of buckets by hash; a group whose bucket stays below the
//! threshold cannot fire. Groups that share a bucket keep each other alive, which costs a little sorting and changes nothing:
//! the sweep is exact. A `GROUP BY .. HAVING` would be exact here already, and needs memory for every group there is.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use alerts::{Count, Rule};
use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::DataFusionError;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, ident,
};
use datafusion::prelude::DataFrame;
use futures::StreamExt;

use super::groups;

/// 32 MiB of counters; pages that are never counted into are never touched.
pub(super) const BUCKETS: usize = 1 << 24;

/// The same on every pass.
const SEED: RandomState = RandomState::with_seed(7);

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
    let mut counts = vec![0_u16; len.next_power_of_two()];
    let mut stream = rows.clone().select(wanted)?.execute_stream().await?;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let buckets = buckets(
            &batch.columns()[..keys.len()],
            batch.num_rows(),
            counts.len(),
        )?;
        let increases = batch
            .columns()
            .get(keys.len())
            .map(|column| column.as_primitive::<Int64Type>());
        for (row, bucket) in buckets.enumerate() {
            // Every counted unit needs a row, and an occurrence its share of an increase.
            let units = increases.map_or(1, |increases| {
                increases.value(row).clamp(0, i64::from(u16::MAX)) as u16
            });
            counts[bucket] = counts[bucket].saturating_add(units);
        }
    }
    Ok(Some(ScalarUDF::from(MayFire {
        // Not a slice: that would be a copy, and touch every page.
        counts: Arc::new(counts),
        enough: rule.threshold.min(u64::from(u16::MAX)) as u16,
        signature: Signature::user_defined(Volatility::Immutable),
    })))
}

/// The bucket of each row among `len`, a power of two.
fn buckets(
    keys: &[ArrayRef],
    rows: usize,
    len: usize,
) -> Result<impl Iterator<Item = usize>, DataFusionError> {
    let hashes = hashes(keys, rows)?;
    Ok(hashes
        .into_iter()
        .map(move |hash| (hash as usize) & (len - 1)))
}

/// A hash of each row of the keys, the same on every pass.
pub(super) fn hashes(keys: &[ArrayRef], rows: usize) -> Result<Vec<u64>, DataFusionError> {
    let mut hashes = vec![0_u64; rows];
    create_hashes(keys, &SEED, &mut hashes)?;
    Ok(hashes)
}

/// Whether the bucket of a group holds enough.
struct MayFire {
    counts: Arc<Vec<u16>>,
    enough: u16,
    signature: Signature,
}

/// Plans are printed here and there while they are made, on success too: never the counts.
impl fmt::Debug for MayFire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MayFire({} or more)", self.enough)
    }
}

impl PartialEq for MayFire {
    fn eq(&self, other: &MayFire) -> bool {
        Arc::ptr_eq(&self.counts, &other.counts)
    }
}

impl Eq for MayFire {}

impl Hash for MayFire {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.enough.hash(state);
    }
}

impl ScalarUDFImpl for MayFire {
    fn name(&self) -> &str {
        "may_fire"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>, DataFusionError> {
        Ok(given.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let keys = args
            .args
            .iter()
            .map(|key| key.to_array(args.number_rows))
            .collect::<Result<Vec<_>, _>>()?;
        let enough = buckets(&keys, args.number_rows, self.counts.len())?
            .map(|bucket| Some(self.counts[bucket] >= self.enough));
        Ok(ColumnarValue::Array(Arc::new(
            enough.collect::<BooleanArray>(),
        )))
    }
}
