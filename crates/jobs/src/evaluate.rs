//! From a rule to its episodes: DataFusion selects, drops hopeless groups and sorts; `alerts` sweeps each group once.

mod addresses;
mod by_hash;
mod measured;
mod prepared;
mod prune;
mod scope;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use alerts::{Episode, Extent, Group, Kind, Observation, Observations, Rule, sweep_from};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{LogicalPlan, SortExpr, ident};
use datafusion::prelude::DataFrame;
use finding::{FindingKey, Label, VersionHash};
use futures::StreamExt;

use crate::mistake::QueryError;
use crate::params::Value;
use crate::session::Session;

pub(crate) use measured::lists;
pub(crate) use prepared::Prepared;
pub(crate) use scope::{Known, Values, findings_within, touched, touched_from};

/// A group that fires and its episodes, in order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Fired {
    /// The values that name the group, in the order of the rule's `group_by`.
    pub group: Group,
    /// At least one.
    pub episodes: Vec<Episode>,
}

/// The rows of so many groups are sorted in less time than it takes to read all rows once more.
pub(crate) const FEW: usize = 10_000;

/// All episodes of a rule over everything that the session sees, groups in order of their values. `as_of` (UTC microseconds)
/// is when it is asked: silence lasts until then, and `$as_of` of a query is that.
///
/// Rows without an event time belong to no group, nor do those with a null among the values that name their group, unless the
/// rule keeps them. The rule must have passed [`check`](crate::rules::check).
pub async fn evaluate(
    session: &Session,
    rule: &Rule,
    as_of: i64,
) -> Result<Vec<Fired>, QueryError> {
    let frame = select(session, rule, as_of).await?;
    let rows = async {
        let rows = measured::measured(frame, rule)?;
        prune::hopeless(rows, rule).await
    };
    let swept = async { sorted_and_swept(rows.await?, rule, as_of, None).await };
    swept
        .await
        .map_err(|error| session.mistake(&error, &rule.sql))
}

/// The episodes of some groups alone, each within its extent: nothing is said of other groups and times.
pub(crate) async fn evaluate_within(
    session: &Session,
    rule: &Rule,
    as_of: i64,
    extents: &BTreeMap<Values, Extent>,
) -> Result<Vec<Fired>, QueryError> {
    let frame = select(session, rule, as_of).await?;
    let swept = async {
        let rows = scope::within(measured::measured(frame, rule)?, rule, extents)?;
        // A group with too few rows over all of its extent has no match there.
        let rows = match extents.len() {
            0..=FEW => rows,
            _ => prune::hopeless(rows, rule).await?,
        };
        sorted_and_swept(rows, rule, as_of, Some(extents)).await
    };
    swept
        .await
        .map_err(|error| session.mistake(&error, &rule.sql))
}

/// The plan by which a rule's rows are read, as DataFusion has made it.
pub(crate) async fn optimized(session: &Session, rule: &Rule) -> Result<LogicalPlan, QueryError> {
    let frame = select(session, rule, 0).await?;
    measured::measured(frame, rule)
        .and_then(DataFrame::into_optimized_plan)
        .map_err(|error| session.mistake(&error, &rule.sql))
}

/// The rule's own rows.
pub(crate) async fn select(
    session: &Session,
    rule: &Rule,
    as_of: i64,
) -> Result<DataFrame, QueryError> {
    let mut values = BTreeMap::new();
    if rule.kind == Kind::Query {
        values.insert("as_of".to_owned(), Value::Timestamp(as_of));
    }
    let plan = session.plan(&rule.sql, &values).await?;
    let plan = addresses::left_out(session, rule, plan)
        .map_err(|error| session.mistake(&error, &rule.sql))?;
    Ok(DataFrame::new(session.context().state(), plan))
}

async fn sorted_and_swept(
    rows: DataFrame,
    rule: &Rule,
    as_of: i64,
    extents: Option<&BTreeMap<Values, Extent>>,
) -> Result<Vec<Fired>, DataFusionError> {
    let stream = rows.sort(order(rule))?.execute_stream().await?;
    swept(stream, rule, as_of, extents).await
}

/// Group by group, and in each by time.
fn order(rule: &Rule) -> Vec<SortExpr> {
    groups(rule)
        .chain(["event_time".to_owned()])
        .map(|name| ident(name).sort(true, true))
        .collect()
}

/// The episodes of rows that come in [`order`].
async fn swept(
    mut stream: SendableRecordBatchStream,
    rule: &Rule,
    as_of: i64,
    extents: Option<&BTreeMap<Values, Extent>>,
) -> Result<Vec<Fired>, DataFusionError> {
    let mut sweeper = Sweeper {
        rule,
        as_of,
        extents,
        extent: Some(Extent::ALL),
        group: Vec::new(),
        rows: Observations::new(),
        nth: 0,
        fired: Vec::new(),
    };
    while let Some(batch) = stream.next().await {
        sweeper.take(&batch?)?;
    }
    sweeper.close();
    Ok(sweeper.fired)
}

/// What the group's columns are called from here on: the rule's own names could be any.
fn groups(rule: &Rule) -> impl Iterator<Item = String> {
    (0..rule.group_by.len()).map(|at| format!("group_{at}"))
}

/// Gathers the rows of one group after the other.
struct Sweeper<'a> {
    rule: &'a Rule,
    as_of: i64,
    extents: Option<&'a BTreeMap<Values, Extent>>,
    /// Of the present group; `None` where nothing is asked of it.
    extent: Option<Extent>,
    group: Values,
    rows: Observations,
    /// How many rows there were.
    nth: u128,
    fired: Vec<Fired>,
}

impl Sweeper<'_> {
    fn take(&mut self, batch: &RecordBatch) -> Result<(), DataFusionError> {
        let columns = Columns::of(batch, self.rule)?;
        let back = self.rule.terms().back();
        for row in 0..batch.num_rows() {
            let of = |at: usize| value(columns.groups[at], row);
            let same = self.group.len() == columns.groups.len()
                && (self.group.iter().enumerate()).all(|(at, known)| known.as_deref() == of(at));
            if !same || self.nth == 0 {
                self.close();
                self.group = (0..columns.groups.len())
                    .map(|at| of(at).map(str::to_owned))
                    .collect();
                if let Some(extents) = self.extents {
                    self.extent = extents.get(&self.group).copied();
                }
            }
            self.nth += 1;
            let time = columns.event_time.value(row);
            if self.extent.is_some_and(|extent| extent.reads(time, back)) {
                self.rows.push(&columns.observation(row, self.nth));
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        let (Some(extent), false) = (self.extent, self.rows.is_empty()) else {
            return;
        };
        let episodes = sweep_from(&self.rule.terms(), &mut self.rows, self.as_of, extent.from);
        self.rows.clear();
        if !episodes.is_empty() {
            let values = std::mem::take(&mut self.group);
            self.fired.push(Fired {
                group: self.rule.group_by.iter().cloned().zip(values).collect(),
                episodes,
            });
        }
    }
}

type Text = arrow::array::StringArray;

fn value(column: &Text, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

/// The columns of [`measured::measured`], typed.
struct Columns<'a> {
    rule: &'a Rule,
    groups: Vec<&'a Text>,
    event_time: &'a arrow::array::TimestampMicrosecondArray,
    account_id: &'a Text,
    region: &'a Text,
    finding_id: &'a Text,
    version_id: &'a Text,
    increase: &'a arrow::array::Int64Array,
    value: &'a Text,
    number: &'a arrow::array::Float64Array,
    step: &'a Text,
    severity: &'a arrow::array::Float64Array,
    severity_label: &'a Text,
    finding_type: &'a Text,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch, rule: &'a Rule) -> Result<Columns<'a>, DataFusionError> {
        let text = |at: usize| {
            let column = batch.column(at).as_string_opt::<i32>();
            column.ok_or_else(|| {
                DataFusionError::Internal(format!("column {at} of a rule's rows is no text"))
            })
        };
        let first = rule.group_by.len();
        Ok(Columns {
            rule,
            groups: (0..first).map(text).collect::<Result<_, _>>()?,
            event_time: batch
                .column(first)
                .as_primitive::<TimestampMicrosecondType>(),
            account_id: text(first + 1)?,
            region: text(first + 2)?,
            finding_id: text(first + 3)?,
            version_id: text(first + 4)?,
            increase: batch.column(first + 5).as_primitive::<Int64Type>(),
            value: text(first + 6)?,
            number: batch.column(first + 7).as_primitive::<Float64Type>(),
            step: text(first + 8)?,
            severity: batch.column(first + 9).as_primitive::<Float64Type>(),
            severity_label: text(first + 10)?,
            finding_type: text(first + 11)?,
        })
    }

    /// `nth` sets the rows of a query apart, which need not be of a finding.
    fn observation(&self, row: usize, nth: u128) -> Observation<'a> {
        let (account_id, region, finding_id) = (
            self.account_id.value(row),
            self.region.value(row),
            self.finding_id.value(row),
        );
        let finding = FindingKey::of(account_id, region, finding_id);
        let version = match self.version_id.is_valid(row) {
            _ if self.rule.kind == Kind::Query => VersionHash(nth),
            // The same 128 bits of SHA-256, over one part.
            true => VersionHash(FindingKey::of(self.version_id.value(row), "", "").0),
            false => VersionHash(finding.0),
        };
        let severity = self
            .severity
            .is_valid(row)
            .then(|| self.severity.value(row))
            .and_then(Label::of);
        let word = || value(self.severity_label, row).and_then(Label::from_word);
        Observation {
            event_time: self.event_time.value(row),
            finding,
            version,
            increase: self.increase.value(row),
            value: value(self.value, row),
            number: self.number.is_valid(row).then(|| self.number.value(row)),
            step: self.step(row),
            account_id,
            region,
            finding_id,
            finding_type: value(self.finding_type, row),
            severity: severity.or_else(word),
        }
    }

    fn step(&self, row: usize) -> u8 {
        let (Kind::Sequence { steps, .. }, Some(name)) = (&self.rule.kind, value(self.step, row))
        else {
            return 0;
        };
        let place = steps.iter().position(|step| step.name == name);
        place.map_or(u8::MAX, |place| place as u8)
    }
}
