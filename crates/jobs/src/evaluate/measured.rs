//! The rows that count, with no more columns than are needed.

use alerts::{Count, Kind, Rule};
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, DataFusionError, ScalarValue, UnnestOptions};
use datafusion::functions::expr_fn::concat_ws;
use datafusion::functions_nested::expr_fn::array_empty;
use datafusion::logical_expr::{Expr, cast, ident, lit, when};
use datafusion::prelude::DataFrame;
use lake::schema::timestamp;

use super::groups;

/// Stands between the parts of a combination of values: no finding holds it.
const BETWEEN: &str = "\u{1f}";

/// The columns of a rule's SELECT that are lists and are taken apart: each row is there once for each of their elements.
pub(crate) fn lists(schema: &DFSchema, rule: &Rule) -> Vec<String> {
    let is_list = |name: &&String| {
        let field = schema.field_with_unqualified_name(name);
        field.is_ok_and(|field| is_list(field.data_type()))
    };
    let step = matches!(rule.kind, Kind::Sequence { .. }).then(|| "step".to_owned());
    let counted = rule.counts().flat_map(|count| count.columns().iter());
    let mut lists: Vec<String> = (rule.group_by.iter().chain(counted).chain(&step))
        .filter(is_list)
        .cloned()
        .collect();
    lists.sort();
    lists.dedup();
    lists
}

fn is_list(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(..)
            | DataType::ListView(_)
            | DataType::LargeListView(_)
    )
}

/// The group's values as text under [`groups`], then what an observation is made of, in the order of `Columns`.
pub(super) fn measured(frame: DataFrame, rule: &Rule) -> Result<DataFrame, DataFusionError> {
    let frame = taken_apart(frame, rule)?;
    let frame = frame.filter(needed(rule))?;
    let has = |name: &str| frame.schema().has_column_with_unqualified_name(name);
    let or_null = |name: &str, kind: DataType| match has(name) {
        true => cast(ident(name), kind),
        false => null(kind),
    };
    let mut columns: Vec<Expr> = rule
        .group_by
        .iter()
        .zip(groups(rule))
        .map(|(name, group)| text(name).alias(group))
        .collect();
    columns.push(cast(ident("event_time"), timestamp()).alias("event_time"));
    for name in ["account_id", "region", "finding_id"] {
        columns.push(or_null(name, DataType::Utf8).alias(name));
    }
    let versions = rule.counts().any(needs_version);
    let occurrences = rule.counts().any(|count| *count == Count::Occurrences);
    let increase = match &rule.kind {
        Kind::Query if has("count") => cast(ident("count"), DataType::Int64),
        Kind::Query => lit(1_i64),
        _ if occurrences => cast(ident("increase"), DataType::Int64),
        _ => lit(0_i64),
    };
    columns.push(match versions {
        true => text("version_id").alias("version_id"),
        false => null(DataType::Utf8).alias("version_id"),
    });
    columns.push(increase.alias("increase"));
    columns.push(counted(rule)?.alias("value"));
    columns.push(match &rule.count {
        Count::Sum(column) | Count::Average(column) | Count::Percentile(_, column) => {
            cast(ident(column), DataType::Float64).alias("number")
        }
        _ => null(DataType::Float64).alias("number"),
    });
    columns.push(match &rule.kind {
        Kind::Sequence { .. } => text("step").alias("step"),
        _ => null(DataType::Utf8).alias("step"),
    });
    columns.push(or_null("severity", DataType::Float64).alias("severity"));
    columns.push(or_null("severity_label", DataType::Utf8).alias("severity_label"));
    columns.push(or_null("type", DataType::Utf8).alias("type"));
    frame.select(columns)
}

fn text(name: &str) -> Expr {
    cast(ident(name), DataType::Utf8)
}

fn null(kind: DataType) -> Expr {
    cast(lit(ScalarValue::Null), kind)
}

fn needs_version(count: &Count) -> bool {
    matches!(count, Count::Versions | Count::Occurrences) || !count.is_whole()
}

/// Lists row by row; a row whose list is empty stays, with null.
fn taken_apart(frame: DataFrame, rule: &Rule) -> Result<DataFrame, DataFusionError> {
    let lists = lists(frame.schema(), rule);
    if lists.is_empty() {
        return Ok(frame);
    }
    let column = |field: &std::sync::Arc<arrow::datatypes::Field>| {
        let name = field.name();
        if !lists.contains(name) {
            return Ok(ident(name));
        }
        let filled = array_empty(ident(name)).is_false();
        let list = when(filled, ident(name)).otherwise(null(field.data_type().clone()))?;
        Ok(list.alias(name))
    };
    let columns = frame.schema().fields().iter().map(column);
    let mut frame = frame
        .clone()
        .select(columns.collect::<Result<Vec<_>, DataFusionError>>()?)?;
    // One at a time: together, lists would be walked in step and not combined.
    for name in &lists {
        frame = frame.unnest_columns_with_options(&[name], UnnestOptions::new())?;
    }
    Ok(frame)
}

/// Which rows are in a group and can be counted.
fn needed(rule: &Rule) -> Expr {
    let mut needed = ident("event_time").is_not_null();
    if !rule.null_groups {
        for name in &rule.group_by {
            needed = needed.and(ident(name).is_not_null());
        }
    }
    // Versions through Security Hub have no version_id; backfilled ones no increase.
    let counts = |count: &Count| match count {
        Count::Occurrences => Some(
            ident("version_id")
                .is_not_null()
                .and(ident("increase").is_not_null()),
        ),
        count if needs_version(count) => Some(ident("version_id").is_not_null()),
        _ => None,
    };
    if let Some(counts) = counts(&rule.count) {
        needed = needed.and(counts);
    }
    if let Kind::Sequence { steps, .. } = &rule.kind {
        let names = steps.iter().map(|step| lit(step.name.as_str())).collect();
        needed = needed.and(text("step").in_list(names, false));
        for step in steps {
            if let Some(counts) = step.needs.as_ref().and_then(|needs| counts(&needs.count)) {
                needed = needed.and(text("step").not_eq(lit(step.name.as_str())).or(counts));
            }
        }
    }
    needed
}

/// The value that is counted, as text; null where any of its parts is.
fn counted(rule: &Rule) -> Result<Expr, DataFusionError> {
    let value = |count: &Count| match count {
        Count::Distinct(columns) => match &columns[..] {
            [column] => Ok(text(column)),
            columns => {
                let all = columns.iter().map(|column| ident(column).is_not_null());
                let all = all.reduce(Expr::and).unwrap_or_else(|| lit(false));
                let parts = columns.iter().map(|column| text(column)).collect();
                when(all, concat_ws(lit(BETWEEN), parts)).otherwise(null(DataType::Utf8))
            }
        },
        _ => Ok(null(DataType::Utf8)),
    };
    let Kind::Sequence { steps, .. } = &rule.kind else {
        return value(&rule.count);
    };
    let mut all = null(DataType::Utf8);
    for step in steps {
        if let Some(needs) = step
            .needs
            .as_ref()
            .filter(|needs| !needs.count.columns().is_empty())
        {
            let mine = text("step").eq(lit(step.name.as_str()));
            all = when(mine, value(&needs.count)?).otherwise(all)?;
        }
    }
    Ok(all)
}
