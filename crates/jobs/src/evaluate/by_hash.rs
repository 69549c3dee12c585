//! A question about the values of a row that only their hash decides.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use alerts::Extent;
use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::DataFusionError;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The same on every pass.
const SEED: RandomState = RandomState::with_seed(7);

/// By the hash of the values that name them: groups, and how far each is looked at. Of two with one hash what both take.
pub(super) type Extents = HashMap<u64, Extent, RandomState>;

/// Each hash with what it stands for.
pub(super) fn extents(of: impl Iterator<Item = (u64, Extent)>) -> Extents {
    let mut extents = Extents::with_hasher(SEED);
    for (hash, extent) in of {
        let known = extents.entry(hash).or_insert(extent);
        *known = known.and(extent);
    }
    extents
}

/// A function of any columns that is true where `holds` is of their hash.
pub(super) fn of(
    name: &'static str,
    holds: impl Fn(u64) -> bool + Send + Sync + 'static,
) -> ScalarUDF {
    asked(name, move |columns, rows| {
        let hashes = hashes(columns, rows)?;
        Ok(hashes.into_iter().map(|hash| Some(holds(hash))).collect())
    })
}

/// A function of any columns and, as the last, a time (UTC microseconds) that is true where `holds` is of their hash at that time.
pub(super) fn at(
    name: &'static str,
    holds: impl Fn(u64, i64) -> bool + Send + Sync + 'static,
) -> ScalarUDF {
    each_at(name, move |rows| {
        rows.map(|(hash, time)| Some(holds(hash, time))).collect()
    })
}

/// The same, asked of many rows at once.
pub(super) fn each_at(
    name: &'static str,
    holds: impl Fn(&mut dyn Iterator<Item = (u64, i64)>) -> BooleanArray + Send + Sync + 'static,
) -> ScalarUDF {
    asked(name, move |columns, rows| {
        let (times, keys) = columns
            .split_last()
            .ok_or_else(|| DataFusionError::Internal(format!("{name} is asked of no time")))?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let hashes = hashes(keys, rows)?;
        let mut rows = hashes.into_iter().zip(times.values().iter().copied());
        Ok(holds(&mut rows))
    })
}

fn asked(
    name: &'static str,
    holds: impl Fn(&[ArrayRef], usize) -> Result<BooleanArray, DataFusionError> + Send + Sync + 'static,
) -> ScalarUDF {
    ScalarUDF::from(ByHash {
        name,
        holds: Arc::new(holds),
        signature: Signature::user_defined(Volatility::Immutable),
    })
}

/// Says of so many rows of columns which of them hold.
type Holds = dyn Fn(&[ArrayRef], usize) -> Result<BooleanArray, DataFusionError> + Send + Sync;

/// A hash of each row of the keys, the same on every pass.
pub(super) fn hashes(keys: &[ArrayRef], rows: usize) -> Result<Vec<u64>, DataFusionError> {
    let mut hashes = vec![0_u64; rows];
    create_hashes(keys, &SEED, &mut hashes)?;
    Ok(hashes)
}

struct ByHash {
    name: &'static str,
    holds: Arc<Holds>,
    signature: Signature,
}

/// Plans are printed here and there while they are made, on success too: never what the answer rests on.
impl fmt::Debug for ByHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for ByHash {
    fn eq(&self, other: &ByHash) -> bool {
        Arc::ptr_eq(&self.holds, &other.holds)
    }
}

impl Eq for ByHash {}

impl Hash for ByHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for ByHash {
    fn name(&self) -> &str {
        self.name
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
        let held = (self.holds)(&keys, args.number_rows)?;
        Ok(ColumnarValue::Array(Arc::new(held)))
    }
}
