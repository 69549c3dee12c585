//! From a rule to its episodes: DataFusion selects, drops hopeless groups and sorts; `alerts` sweeps each group once.

mod prune;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use alerts::{Count, Episode, Group, Observation, Observations, Rule, sweep};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::{Expr, cast, ident, lit};
use datafusion::prelude::DataFrame;
use finding::{FindingKey, Label, VersionHash};
use futures::StreamExt;
use lake::schema::timestamp;

use crate::mistake::QueryError;
use crate::session::Session;

/// A group that fires and its episodes, in order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Fired {
    /// The values that name the group, in the order of the rule's `group_by`.
    pub group: Group,
    /// At least one.
    pub episodes: Vec<Episode>,
}

/// All episodes of a rule over everything that the session sees, groups in order of their values.
///
/// Rows without an event time, or with a null among the values that name their group, belong to no group. The rule must
/// have passed [`check`](crate::rules::check).
pub async fn evaluate(session: &Session, rule: &Rule) -> Result<Vec<Fired>, QueryError> {
    let plan = session.plan(&rule.sql, &BTreeMap::new()).await?;
    let frame = DataFrame::new(session.context().state(), plan);
    run(frame, rule)
        .await
        .map_err(|error| session.mistake(&error, &rule.sql))
}

async fn run(frame: DataFrame, rule: &Rule) -> Result<Vec<Fired>, DataFusionError> {
    let rows = measured(frame, rule)?;
    let rows = prune::hopeless(rows, rule).await?;
    let order = groups(rule)
        .chain(["event_time".to_owned()])
        .map(|name| ident(name).sort(true, true));
    let mut stream = rows.sort(order.collect())?.execute_stream().await?;
    let mut sweeper = Sweeper {
        rule,
        group: Vec::new(),
        rows: Observations::new(),
        fired: Vec::new(),
    };
    while let Some(batch) = stream.next().await {
        sweeper.take(&batch?)?;
    }
    sweeper.close();
    Ok(sweeper.fired)
}

/// The rows that count, with no more columns than are needed: the group's values as text under [`groups`], then those of
/// [`Columns`].
fn measured(frame: DataFrame, rule: &Rule) -> Result<DataFrame, DataFusionError> {
    let mut needed = ident("event_time").is_not_null();
    for name in &rule.group_by {
        needed = needed.and(ident(name).is_not_null());
    }
    // Versions through Security Hub have no version_id; backfilled ones no increase.
    needed = match &rule.count {
        Count::Findings | Count::Distinct(_) => needed,
        Count::Versions => needed.and(ident("version_id").is_not_null()),
        Count::Occurrences => needed
            .and(ident("version_id").is_not_null())
            .and(ident("increase").is_not_null()),
    };
    let has = |name: &str| frame.schema().has_column_with_unqualified_name(name);
    let or_null = |name: &str, kind: DataType| {
        if has(name) {
            cast(ident(name), kind)
        } else {
            cast(lit(ScalarValue::Null), kind)
        }
    };
    let text = |name: &str| cast(ident(name), DataType::Utf8).alias(name);
    let mut columns: Vec<Expr> = rule
        .group_by
        .iter()
        .zip(groups(rule))
        .map(|(name, group)| cast(ident(name), DataType::Utf8).alias(group))
        .collect();
    columns.push(cast(ident("event_time"), timestamp()).alias("event_time"));
    columns.extend(["account_id", "region", "finding_id"].map(text));
    let version = match rule.count {
        Count::Versions | Count::Occurrences => cast(ident("version_id"), DataType::Utf8),
        _ => cast(lit(ScalarValue::Null), DataType::Utf8),
    };
    let increase = match rule.count {
        Count::Occurrences => cast(ident("increase"), DataType::Int64),
        _ => lit(0_i64),
    };
    let value = match &rule.count {
        Count::Distinct(column) => cast(ident(column), DataType::Utf8),
        _ => cast(lit(ScalarValue::Null), DataType::Utf8),
    };
    columns.extend([
        version.alias("version_id"),
        increase.alias("increase"),
        value.alias("value"),
    ]);
    columns.push(or_null("severity", DataType::Float64).alias("severity"));
    columns.push(or_null("severity_label", DataType::Utf8).alias("severity_label"));
    frame.filter(needed)?.select(columns)
}

/// What the group's columns are called from here on: the rule's own names could be any.
fn groups(rule: &Rule) -> impl Iterator<Item = String> {
    (0..rule.group_by.len()).map(|at| format!("group_{at}"))
}

/// Gathers the rows of one group after the other.
struct Sweeper<'a> {
    rule: &'a Rule,
    group: Vec<String>,
    rows: Observations,
    fired: Vec<Fired>,
}

impl Sweeper<'_> {
    fn take(&mut self, batch: &RecordBatch) -> Result<(), DataFusionError> {
        let columns = Columns::of(batch, self.rule.group_by.len())?;
        for row in 0..batch.num_rows() {
            if !columns
                .groups
                .iter()
                .map(|group| group.value(row))
                .eq(self.group.iter().map(String::as_str))
            {
                self.close();
                self.group = columns
                    .groups
                    .iter()
                    .map(|group| group.value(row).to_owned())
                    .collect();
            }
            self.rows.push(&columns.observation(row));
        }
        Ok(())
    }

    fn close(&mut self) {
        if self.rows.is_empty() {
            return;
        }
        let episodes = sweep(&self.rule.terms(), &mut self.rows);
        self.rows.clear();
        if !episodes.is_empty() {
            let values = std::mem::take(&mut self.group).into_iter().map(Some);
            self.fired.push(Fired {
                group: self.rule.group_by.iter().cloned().zip(values).collect(),
                episodes,
            });
        }
    }
}

type Text = arrow::array::StringArray;

/// The columns of [`measured`], typed.
struct Columns<'a> {
    groups: Vec<&'a Text>,
    event_time: &'a arrow::array::TimestampMicrosecondArray,
    account_id: &'a Text,
    region: &'a Text,
    finding_id: &'a Text,
    version_id: &'a Text,
    increase: &'a arrow::array::Int64Array,
    value: &'a Text,
    severity: &'a arrow::array::Float64Array,
    severity_label: &'a Text,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch, groups: usize) -> Result<Columns<'a>, DataFusionError> {
        let text = |at: usize| {
            let column = batch.column(at).as_string_opt::<i32>();
            column.ok_or_else(|| {
                DataFusionError::Internal(format!("column {at} of a rule's rows is no text"))
            })
        };
        let first = groups;
        Ok(Columns {
            groups: (0..groups).map(text).collect::<Result<_, _>>()?,
            event_time: batch
                .column(first)
                .as_primitive::<TimestampMicrosecondType>(),
            account_id: text(first + 1)?,
            region: text(first + 2)?,
            finding_id: text(first + 3)?,
            version_id: text(first + 4)?,
            increase: batch.column(first + 5).as_primitive::<Int64Type>(),
            value: text(first + 6)?,
            severity: batch.column(first + 7).as_primitive::<Float64Type>(),
            severity_label: text(first + 8)?,
        })
    }

    fn observation(&self, row: usize) -> Observation<'a> {
        let (account_id, region, finding_id) = (
            self.account_id.value(row),
            self.region.value(row),
            self.finding_id.value(row),
        );
        let finding = FindingKey::of(account_id, region, finding_id);
        let version = match self.version_id.is_valid(row) {
            // The same 128 bits of SHA-256, over one part.
            true => VersionHash(FindingKey::of(self.version_id.value(row), "", "").0),
            false => VersionHash(finding.0),
        };
        let severity = self
            .severity
            .is_valid(row)
            .then(|| self.severity.value(row))
            .and_then(Label::of);
        let word = || {
            self.severity_label
                .is_valid(row)
                .then(|| self.severity_label.value(row))
                .and_then(Label::from_word)
        };
        Observation {
            event_time: self.event_time.value(row),
            finding,
            version,
            increase: self.increase.value(row),
            value: self.value.is_valid(row).then(|| self.value.value(row)),
            account_id,
            region,
            finding_id,
            severity: severity.or_else(word),
        }
    }
}
