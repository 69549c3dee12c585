//! Some groups of a rule, and how much time of each.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use alerts::{Extent, Rule};
use arrow::array::{Array, AsArray, BooleanArray};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    ident, lit,
};
use datafusion::prelude::DataFrame;

use super::{groups, measured, prune, value};

/// The values that name a group, in the order of the rule's `group_by`.
pub(crate) type Values = Vec<Option<String>>;

/// The groups that rows of a rule's SELECT belong to, each with the time from its first to its last row.
pub(crate) async fn touched(
    frame: DataFrame,
    rule: &Rule,
) -> Result<BTreeMap<Values, Extent>, DataFusionError> {
    let keys: Vec<Expr> = groups(rule).map(ident).collect();
    let spans = vec![
        min(ident("event_time")).alias("first"),
        max(ident("event_time")).alias("last"),
    ];
    let rows = measured::measured(frame, rule)?.aggregate(keys, spans)?;
    let mut touched = BTreeMap::new();
    for batch in rows.collect().await? {
        let time = |at: usize, row: usize| {
            let column = batch.column(rule.group_by.len() + at);
            let column = column.as_primitive::<TimestampMicrosecondType>();
            column.is_valid(row).then(|| column.value(row))
        };
        let keys: Vec<_> = (0..rule.group_by.len())
            .map(|at| batch.column(at).as_string::<i32>())
            .collect();
        for row in 0..batch.num_rows() {
            let group = keys.iter().map(|key| value(key, row).map(str::to_owned));
            // One group of everything is there even without rows.
            if let (Some(from), Some(through)) = (time(0, row), time(1, row)) {
                touched.insert(group.collect(), Extent { from, through });
            }
        }
    }
    Ok(touched)
}

/// The rows of some groups that matter within their extents, and perhaps a few others.
pub(super) fn within(
    rows: DataFrame,
    rule: &Rule,
    extents: &BTreeMap<Values, Extent>,
) -> Result<DataFrame, DataFusionError> {
    let all = extents.values().copied().reduce(Extent::and);
    let Some(all) = all else {
        return rows.filter(lit(false));
    };
    let after = all.from.saturating_sub(rule.terms().back());
    let rows = rows.filter(time_after(after).and(time_through(all.through)))?;
    if rule.group_by.is_empty() {
        return Ok(rows);
    }
    let columns: Vec<_> = (0..rule.group_by.len())
        .map(|at| {
            let values = extents.keys().map(|group| group[at].as_deref());
            Arc::new(values.collect::<arrow::array::StringArray>()) as arrow::array::ArrayRef
        })
        .collect();
    let hashes = prune::hashes(&columns, extents.len())?;
    let one_of = ScalarUDF::from(OneOf {
        hashes: Arc::new(hashes.into_iter().collect()),
        signature: Signature::user_defined(Volatility::Immutable),
    });
    rows.filter(one_of.call(groups(rule).map(ident).collect()))
}

fn time_after(micros: i64) -> Expr {
    ident("event_time").gt(instant(micros))
}

fn time_through(micros: i64) -> Expr {
    ident("event_time").lt_eq(instant(micros))
}

fn instant(micros: i64) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(
        Some(micros),
        Some("UTC".into()),
    ))
}

/// Whether the values hash to one of some hashes: true for those that are wanted, and for one in very many others.
struct OneOf {
    hashes: Arc<HashSet<u64>>,
    signature: Signature,
}

/// Plans are printed here and there while they are made, on success too: never the hashes.
impl fmt::Debug for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneOf({} groups)", self.hashes.len())
    }
}

impl PartialEq for OneOf {
    fn eq(&self, other: &OneOf) -> bool {
        Arc::ptr_eq(&self.hashes, &other.hashes)
    }
}

impl Eq for OneOf {}

impl Hash for OneOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hashes.len().hash(state);
    }
}

impl ScalarUDFImpl for OneOf {
    fn name(&self) -> &str {
        "one_of_the_groups"
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
        let hashes = prune::hashes(&keys, args.number_rows)?;
        let held = hashes.iter().map(|hash| Some(self.hashes.contains(hash)));
        Ok(ColumnarValue::Array(Arc::new(
            held.collect::<BooleanArray>(),
        )))
    }
}
