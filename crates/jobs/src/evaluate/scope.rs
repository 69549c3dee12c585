//! Some groups of a rule, and how much time of each.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use alerts::{Extent, Rule};
use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{Expr, ScalarUDF, ident, lit};
use datafusion::prelude::DataFrame;
use futures::StreamExt;

use super::{Columns, by_hash, groups, measured, prune, value};

/// The values that name a group, in the order of the rule's `group_by`.
pub(crate) type Values = Vec<Option<String>>;

/// All rows later than some time, and the groups that are looked at in any case.
pub(crate) struct Known<'a> {
    /// The rule's rows.
    pub(crate) rows: DataFrame,
    /// UTC microseconds.
    pub(crate) after: i64,
    /// Those that have alerts.
    pub(crate) groups: &'a BTreeSet<Values>,
}

/// The groups that rows of a rule's SELECT belong to, each with the time from its first to its last row.
///
/// Given all rows later than some time, groups that have neither alerts nor enough of those rows to fire are left out, as far as
/// the new rows and all that matters to them is later.
pub(crate) async fn touched(
    frame: DataFrame,
    rule: &Rule,
    known: Option<Known<'_>>,
) -> Result<BTreeMap<Values, Extent>, DataFusionError> {
    let mut rows = measured::measured(frame, rule)?;
    if let Some(known) = known {
        let all = measured::measured(known.rows, rule)?;
        if let Some(may_fire) = prune::may_fire(&all, rule).await? {
            let keys = || groups(rule).map(ident).collect::<Vec<_>>();
            let late = known.after.saturating_add(rule.terms().back());
            let mut wanted = may_fire.or(time_through(late));
            if !known.groups.is_empty() {
                wanted = wanted.or(one_of(known.groups.iter(), rule)?.call(keys()));
            }
            rows = rows.filter(wanted)?;
        }
    }
    let keys: Vec<Expr> = groups(rule).map(ident).collect();
    let spans = vec![
        min(ident("event_time")).alias("first"),
        max(ident("event_time")).alias("last"),
    ];
    let rows = rows.aggregate(keys, spans)?;
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

/// The groups that rows of a rule's SELECT belong to, each with the time from its first to its last row, of each finding only the rows from
/// some time on (UTC microseconds); of findings that are not named, all.
pub(crate) async fn touched_from(
    frame: DataFrame,
    rule: &Rule,
    from: &HashMap<String, i64>,
) -> Result<BTreeMap<Values, Extent>, DataFusionError> {
    let mut touched: BTreeMap<Values, Extent> = BTreeMap::new();
    let take = |group: Values, time: i64, finding: &str| {
        if from.get(finding).is_some_and(|from| time < *from) {
            return;
        }
        let here = Extent {
            from: time,
            through: time,
        };
        let extent = touched.entry(group).or_insert(here);
        *extent = extent.and(here);
    };
    each_row(measured::measured(frame, rule)?, rule, take).await?;
    Ok(touched)
}

/// The ids of the findings whose rows matter within the extents of their groups.
pub(crate) async fn findings_within(
    frame: DataFrame,
    rule: &Rule,
    extents: &BTreeMap<Values, Extent>,
) -> Result<BTreeSet<String>, DataFusionError> {
    let back = rule.terms().back();
    let mut findings = BTreeSet::new();
    let take = |group: Values, time: i64, finding: &str| {
        let extent = extents.get(&group);
        if extent.is_some_and(|extent| extent.reads(time, back)) && !findings.contains(finding) {
            findings.insert(finding.to_owned());
        }
    };
    let rows = within(measured::measured(frame, rule)?, rule, extents)?;
    each_row(rows, rule, take).await?;
    Ok(findings)
}

/// Tells of each row its group, its time and its finding.
async fn each_row(
    rows: DataFrame,
    rule: &Rule,
    mut take: impl FnMut(Values, i64, &str),
) -> Result<(), DataFusionError> {
    let mut rows = rows.execute_stream().await?;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let columns = Columns::of(&batch, rule)?;
        for row in 0..batch.num_rows() {
            let group = columns.groups.iter();
            let group = group.map(|key| value(key, row).map(str::to_owned));
            let finding = value(columns.finding_id, row).unwrap_or_default();
            take(group.collect(), columns.event_time.value(row), finding);
        }
    }
    Ok(())
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
    let (extents, back) = (by_hash_of(extents, rule)?, rule.terms().back());
    let is_within = move |hash, time| {
        let extent: Option<&Extent> = extents.get(&hash);
        extent.is_some_and(|extent| extent.reads(time, back))
    };
    rows.filter(by_hash::at("within_its_extent", is_within).call(group_and_time(rule)))
}

/// What functions of [`by_hash`] are asked about where a group and its time decide.
pub(super) fn group_and_time(rule: &Rule) -> Vec<Expr> {
    let names = groups(rule).chain(["event_time".to_owned()]);
    names.map(ident).collect()
}

/// How far groups are looked at, by what their values hash to.
pub(super) fn by_hash_of(
    extents: &BTreeMap<Values, Extent>,
    rule: &Rule,
) -> Result<by_hash::Extents, DataFusionError> {
    let hashes = hashes_of(extents.keys(), rule)?;
    Ok(by_hash::extents(
        hashes.into_iter().zip(extents.values().copied()),
    ))
}

/// True for the values of some groups, and for one in very many others; there is at least one column that groups.
fn one_of<'a>(
    wanted: impl ExactSizeIterator<Item = &'a Values> + Clone,
    rule: &Rule,
) -> Result<ScalarUDF, DataFusionError> {
    let hashes: HashSet<u64> = hashes_of(wanted, rule)?.into_iter().collect();
    Ok(by_hash::of("one_of_the_groups", move |hash| {
        hashes.contains(&hash)
    }))
}

/// What the values of some groups hash to.
fn hashes_of<'a>(
    wanted: impl ExactSizeIterator<Item = &'a Values> + Clone,
    rule: &Rule,
) -> Result<Vec<u64>, DataFusionError> {
    let columns: Vec<_> = (0..rule.group_by.len())
        .map(|at| {
            let values = wanted.clone().map(|group| group[at].as_deref());
            Arc::new(values.collect::<arrow::array::StringArray>()) as arrow::array::ArrayRef
        })
        .collect();
    by_hash::hashes(&columns, wanted.len())
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
