//! Occurrences: how much a version brought depends on the versions of its finding before it, whenever they were. So the findings that matter are
//! taken whole, and no others.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use alerts::{Alert, Count, Kind, Rule};
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef, TimestampMicrosecondType};
use datafusion::common::DataFusionError;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, ident, lit};
use lake::Table;

use super::super::reads::TIME;
use super::super::recent::Recent;
use super::{Failed, Looked, New, News, extents};
use crate::JobsError;
use crate::evaluate::{evaluate_within, findings_within, select, touched_from};
use crate::session::{Session, sql_name};

/// Findings that are looked for one by one; for more of them it is no slower to read everything.
const MOST: usize = 10_000;
const FINDING: &str = "finding_id";
/// By which the versions of a finding follow each other.
const UPDATED: &str = "updated_at";

/// The rule that counts the versions that bring occurrences: it reads the same rows, and nothing of it depends on other rows.
pub(super) fn by_version(rule: &Rule) -> Rule {
    let mut rule = rule.clone();
    let of = |count: &mut Count| {
        if *count == Count::Occurrences {
            *count = Count::Versions;
        }
    };
    of(&mut rule.count);
    if let Kind::Sequence { steps, .. } = &mut rule.kind {
        let needs = steps.iter_mut().filter_map(|step| step.needs.as_mut());
        needs.for_each(|needs| of(&mut needs.count));
    }
    rule
}

/// Looks at the groups in which new rows are, and those whose increases they have changed; `None` where they are too many.
pub(super) async fn look(
    news: &News<'_>,
    new: &New,
    recent: &Recent,
    rule: &Rule,
    as_of: i64,
    alerts: &[Alert],
) -> Result<Option<Looked>, Failed> {
    let all = news.session;
    let mistaken = |error: DataFusionError| Failed::from(all.mistake(&error, &rule.sql));
    let rows = new.rows.get(sql_name(Table::Findings));
    let since = earliest_updates(rows.map_or(&[][..], Vec::as_slice)).map_err(mistaken)?;
    if since.is_empty() {
        return Ok(Some(Looked::nothing()));
    }
    let versions = Versions { news, recent };
    if since.len() > MOST {
        return Ok(None);
    }
    let findings: BTreeSet<String> = since.keys().cloned().collect();
    let mut known = versions.of(&findings).await?;
    let from = first_changes(&known, &since).map_err(mistaken)?;
    let session = versions.session(&known).await?;
    let touched = touched_from(select(&session, rule, as_of).await?, rule, &from).await;
    let extents = extents(touched.map_err(mistaken)?, rule, alerts);
    let Some(whole) = extents.values().copied().reduce(alerts::Extent::and) else {
        return Ok(Some(Looked::nothing()));
    };
    let rule_of_versions = by_version(rule);
    let held = match recent.has_later_than(whole.from.saturating_sub(rule.terms().back())) {
        true => recent.session(all).await?,
        false => None,
    };
    let rows = select(held.unwrap_or(all), &rule_of_versions, as_of).await?;
    let others = findings_within(rows, &rule_of_versions, &extents).await;
    let others: BTreeSet<String> = &others.map_err(mistaken)? - &findings;
    let fired = match others.len() {
        0..=MOST => {
            known.extend(versions.of(&others).await?);
            let session = versions.session(&known).await?;
            evaluate_within(&session, rule, as_of, &extents).await?
        }
        _ => evaluate_within(all, rule, as_of, &extents).await?,
    };
    Ok(Some(Looked {
        fired,
        extents: Some(extents),
    }))
}

/// All versions of findings, in the columns that rules which count occurrences rest on.
struct Versions<'a> {
    news: &'a News<'a>,
    recent: &'a Recent,
}

impl Versions<'_> {
    async fn of(&self, findings: &BTreeSet<String>) -> Result<Vec<RecordBatch>, JobsError> {
        if findings.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(held) = self.recent.all_of(sql_name(Table::Findings)) {
            let some = held.map(|rows| some_of(rows, findings));
            return Ok(some.collect::<Result<Vec<_>, DataFusionError>>()?);
        }
        let ids: Vec<Expr> = findings
            .iter()
            .map(|finding| lit(finding.as_str()))
            .collect();
        let is_one = ident(FINDING).in_list(ids, false);
        self.news.findings(is_one).await
    }

    async fn session(&self, versions: &[RecordBatch]) -> Result<Session, JobsError> {
        // What is not read is null, also where the lake has no nulls.
        let table = Table::Findings.schema();
        let fields = table.fields().iter();
        let fields = fields.map(|field| field.as_ref().clone().with_nullable(true));
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let rows = versions.iter().map(|rows| lake::fitted(rows, &schema));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let table = MemTable::try_new(schema, vec![rows])?;
        self.news.session.with_findings(Arc::new(table)).await
    }
}

/// The rows of some findings.
fn some_of(
    rows: &RecordBatch,
    findings: &BTreeSet<String>,
) -> Result<RecordBatch, DataFusionError> {
    let ids = rows
        .column(rows.schema().index_of(FINDING)?)
        .as_string::<i32>();
    let is_one = ids
        .iter()
        .map(|id| id.is_some_and(|id| findings.contains(id)));
    let is_one: BooleanArray = is_one.map(Some).collect();
    Ok(filter_record_batch(rows, &is_one)?)
}

/// Calls `take` with finding, update and time of each row; [`i64::MIN`] where there is no update, as such versions come first.
fn each(
    rows: &[RecordBatch],
    mut take: impl FnMut(&str, i64, Option<i64>),
) -> Result<(), DataFusionError> {
    for rows in rows {
        let at = |name: &str| Ok::<_, DataFusionError>(rows.column(rows.schema().index_of(name)?));
        let ids = at(FINDING)?.as_string::<i32>();
        let updates = at(UPDATED)?.as_primitive::<TimestampMicrosecondType>();
        let times = at(TIME)?.as_primitive::<TimestampMicrosecondType>();
        for row in 0..rows.num_rows() {
            let update = updates.is_valid(row).then(|| updates.value(row));
            let time = times.is_valid(row).then(|| times.value(row));
            take(ids.value(row), update.unwrap_or(i64::MIN), time);
        }
    }
    Ok(())
}

/// The first update of each finding among rows.
fn earliest_updates(rows: &[RecordBatch]) -> Result<HashMap<String, i64>, DataFusionError> {
    let mut earliest: HashMap<String, i64> = HashMap::new();
    each(rows, |finding, update, _| match earliest.get_mut(finding) {
        Some(known) => *known = update.min(*known),
        None => drop(earliest.insert(finding.to_owned(), update)),
    })?;
    Ok(earliest)
}

/// By finding, the time of the first version that others before it may have changed: those that are not before an update (`since`).
fn first_changes(
    versions: &[RecordBatch],
    since: &HashMap<String, i64>,
) -> Result<HashMap<String, i64>, DataFusionError> {
    let mut first: HashMap<String, i64> = HashMap::new();
    each(versions, |finding, update, time| {
        let is_changed = since.get(finding).is_some_and(|since| update >= *since);
        if let Some(time) = time.filter(|_| is_changed) {
            let known = first.entry(finding.to_owned()).or_insert(time);
            *known = time.min(*known);
        }
    })?;
    Ok(first)
}
