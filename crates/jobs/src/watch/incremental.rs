//! What of a rule has to be looked at again: the groups that new rows touch, over the time that those can influence, and those that time does.

mod aged;
mod grown;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use alerts::{Alert, Count, Extent, Group, Kind, Rule};
use arrow::array::RecordBatch;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use lake::{Lake, Table};
use tokio::sync::OnceCell;

use super::quick::Quick;
use super::reads::{Reads, Rows};
use super::recent::{Recent, Span};
use crate::JobsError;
use crate::evaluate::{Fired, Known, Values, evaluate, evaluate_within, select, touched};
use crate::mistake::{QueryError, Words};
use crate::session::{Session, sql_name};

/// So many recent rows are looked through by one plan that is there already in less time than it takes to make a better one.
const QUICK: usize = 200_000;

/// What a look at one rule found.
pub(super) struct Looked {
    /// Groups that fire, with their episodes.
    pub(super) fired: Vec<Fired>,
    /// The groups that were looked at, each over what time; `None` for everything.
    pub(super) extents: Option<BTreeMap<Values, Extent>>,
}

impl Looked {
    /// Where no group was touched.
    fn nothing() -> Looked {
        Looked {
            fired: Vec::new(),
            extents: Some(BTreeMap::new()),
        }
    }
}

/// What is new, by the version that rules have seen.
pub(super) struct News<'a> {
    lake: &'a Lake,
    /// Everything.
    session: &'a Session,
    /// `None` where nothing can be asked about some rows alone.
    quick: Option<&'a mut Quick>,
    /// Findings that are few.
    few: usize,
    since: HashMap<i64, Option<Arc<New>>>,
}

/// Rows that are new, of the tables and in the columns that rules read.
#[derive(Default)]
pub(super) struct New {
    rows: Rows,
    /// Over them, once somebody asks for it.
    session: OnceCell<Session>,
}

impl<'a> News<'a> {
    /// Of what `session` sees; up to `few` new findings are few.
    pub(super) fn of(
        lake: &'a Lake,
        session: &'a Session,
        quick: Option<&'a mut Quick>,
        few: usize,
    ) -> News<'a> {
        News {
            lake,
            session,
            quick,
            few,
            since: HashMap::new(),
        }
    }

    /// What came after a version; `None` where that cannot be said.
    async fn since(&mut self, version: i64) -> Result<Option<Arc<New>>, JobsError> {
        if !self.since.contains_key(&version) {
            let new = self.read(version).await?.map(Arc::new);
            self.since.insert(version, new);
        }
        Ok(self.since.get(&version).cloned().flatten())
    }

    async fn read(&self, after: i64) -> Result<Option<New>, JobsError> {
        let Some(quick) = &self.quick else {
            return Ok(None);
        };
        let through = self.session.version(Table::Findings).unwrap_or_default();
        let unread = quick.unread();
        let added = self.lake.added(Table::Findings, after, through, &unread);
        let Some(findings) = added.await? else {
            return Ok(None);
        };
        let is_few = findings.iter().map(RecordBatch::num_rows).sum::<usize>() <= self.few;
        let mut rows = match is_few {
            true => quick.taken(findings).await?,
            false => {
                let findings = vec![(Table::Findings, findings)];
                let (library, limits) = (self.session.library(), self.session.limits());
                let new = Session::in_memory(findings, library, limits).await?;
                quick.reads().rows(&new, None).await?
            }
        };
        quick.reads().fitted(&mut rows, &quick.session())?;
        Ok(Some(New {
            rows,
            ..New::default()
        }))
    }

    /// Some rows of `findings`, in the columns that rules which count occurrences rest on.
    async fn findings(&self, wanted: Expr) -> Result<Vec<RecordBatch>, JobsError> {
        let Some(quick) = &self.quick else {
            return Ok(Vec::new());
        };
        let table = sql_name(Table::Findings);
        let rows = quick.reads().rows_of(self.session, table, Some(wanted));
        let mut rows = Rows::from([(table.to_owned(), rows.await?)]);
        quick.reads().fitted(&mut rows, &quick.session())?;
        Ok(rows.into_values().flatten().collect())
    }

    /// Brings the recent rows up to what the session sees.
    pub(super) async fn refresh(
        &mut self,
        recent: &mut Recent,
        span: &Span<'_>,
    ) -> Result<(), JobsError> {
        let whole = self.session;
        let Some(quick) = &self.quick else {
            return Ok(());
        };
        // What is held may be more than is read now: then the rows that are new lack columns.
        let fits = recent.reads() == quick.reads() && recent.reaches(span);
        if fits && let Some(version) = recent.version() {
            if Some(version) == whole.version(Table::Findings) {
                return Ok(());
            }
            if let Some(new) = self.since(version).await? {
                return Ok(recent.add(whole, &new.rows, span)?);
            }
        }
        let Some(quick) = &self.quick else {
            return Ok(());
        };
        let findings = self.lake.findings_by_day().await?;
        recent.load(whole, span, quick, findings).await
    }
}

/// See [`is_incremental`](super::is_incremental).
pub(super) fn is_local(rule: &Rule) -> bool {
    !rule.kind.is_timely() && !counts_occurrences(rule) && !mentions(rule, "increase")
}

pub(super) fn counts_occurrences(rule: &Rule) -> bool {
    rule.counts().any(|count| *count == Count::Occurrences)
}

fn mentions(rule: &Rule, word: &str) -> bool {
    Words::of(&rule.sql).find(word).is_some()
}

/// Whether a rule can be asked about some of the rows once it has seen the others: all but queries, and those whose SELECT itself looks at how much
/// counts grew.
pub(super) fn is_in_part(rule: &Rule) -> bool {
    let grows = counts_occurrences(rule) || mentions(rule, "increase");
    match rule.kind {
        Kind::Query => false,
        _ if grows => !mentions(rule, "increase") && !mentions(rule, "occurrences"),
        _ => true,
    }
}

/// What a rule reads; `None` where it can only be asked about everything. `shallow` is `session` without plans behind its views.
pub(super) async fn reads(
    rule: &Rule,
    shallow: &Session,
    session: &Session,
) -> Result<Option<Reads>, Failed> {
    // By its time a row is among the recent ones or is not, and by its finding it is found again.
    let own = ["event_time", "finding_id"];
    if !is_in_part(rule) || !selects_own(shallow, rule, &own).await? {
        return Ok(None);
    }
    let mut reads = match counts_occurrences(rule) {
        false => Reads::of(shallow, rule).await?,
        true => {
            let mut reads = Reads::of(shallow, &grown::by_version(rule)).await?;
            let all = Reads::of(shallow, rule).await?;
            reads.and(&all.underneath(session).await?);
            reads
        }
    };
    // Who tells of its alerts asks for these.
    reads.and(&Reads::of_telling(shallow, &rule.sql).await?);
    Ok(Some(reads))
}

/// Whether these columns of a rule's SELECT are those of the table or view that it selects from.
async fn selects_own(shallow: &Session, rule: &Rule, names: &[&str]) -> Result<bool, Failed> {
    let frame = select(shallow, rule, 0).await?;
    let mut derived = BTreeSet::new();
    let walked = frame.logical_plan().apply(|node| {
        if let LogicalPlan::SubqueryAlias(named) = node
            && !matches!(*named.input, LogicalPlan::TableScan(_))
        {
            derived.insert(named.alias.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    walked.map_err(|error| shallow.mistake(&error, &rule.sql))?;
    let is_own = |name: &&str| {
        let field = frame.schema().qualified_field_with_unqualified_name(name);
        let table = field.ok().and_then(|(table, _)| table);
        table.is_some_and(|table| !derived.contains(table))
    };
    Ok(names.iter().all(is_own))
}

/// How a rule is looked at.
pub(super) struct At {
    /// The version of `findings` that it has seen; `None` where everything is looked at.
    pub(super) seen: Option<i64>,
    /// UTC microseconds.
    pub(super) as_of: i64,
    /// What that was when it was last looked at, or before; `None` where that is not known.
    pub(super) before: Option<i64>,
}

impl At {
    /// The version of `findings` from which on new rows are all that matters; for silence, `before` besides.
    fn seen_by(&self, rule: &Rule) -> Option<i64> {
        let goes_on = self.before.is_some_and(|before| before <= self.as_of);
        self.seen.filter(|_| !rule.kind.is_timely() || goes_on)
    }
}

/// Looks at a rule whose alerts are `alerts`: at what came after it was last seen, where it can be asked about that alone, else at everything.
pub(super) async fn look(
    news: &mut News<'_>,
    recent: &Recent,
    rule: &Rule,
    at: &At,
    alerts: &[Alert],
) -> Result<Looked, Failed> {
    let (whole, as_of) = (news.session, at.as_of);
    if let Some(seen) = at.seen_by(rule)
        && let Some(new) = news.since(seen).await?
    {
        if counts_occurrences(rule) {
            return match grown::look(news, &new, recent, rule, as_of, alerts).await? {
                Some(looked) => Ok(looked),
                None => everything(whole, rule, as_of).await,
            };
        }
        let new_rows = most(&new.rows);
        // Few groups are sorted in less time than it takes to see which of them have too few rows.
        let is_few = new_rows <= news.few;
        let mut touched = match &mut news.quick {
            _ if new_rows == 0 => BTreeMap::new(),
            Some(quick) if is_few => {
                let prepared = quick.rule(rule, new.rows.clone()).await?;
                let touched = prepared.touched().await;
                touched.map_err(|error| whole.mistake(&error, &rule.sql))?
            }
            quick => touched_by(&new, recent, quick.as_deref(), whole, rule, as_of, alerts).await?,
        };
        if let (Kind::Absence { .. }, Some(before)) = (&rule.kind, at.before) {
            for (group, aged) in aged::touched(whole, recent, rule, before, as_of).await? {
                let extent = touched.entry(group).or_insert(aged);
                *extent = extent.and(aged);
            }
        }
        if touched.is_empty() {
            return Ok(Looked::nothing());
        }
        let extents = extents(touched, rule, alerts);
        let back = rule.terms().back();
        let is_recent = |_: &Values, extent: &mut Extent| {
            recent.has_later_than(extent.from.saturating_sub(back))
        };
        let mut older = extents.clone();
        let mut fired = Vec::new();
        if recent.version().is_some() {
            let newer: BTreeMap<Values, Extent> = older.extract_if(.., is_recent).collect();
            if let Some(all) = newer.values().copied().reduce(Extent::and) {
                let rows = recent.between(all.from.saturating_sub(back), all.through);
                let rows = rows.map_err(JobsError::from)?;
                fired = match &mut news.quick {
                    Some(quick) if is_few && most(&rows) <= QUICK => {
                        let prepared = quick.rule(rule, rows).await?;
                        let fired = prepared.within(as_of, &newer).await;
                        fired.map_err(|error| whole.mistake(&error, &rule.sql))?
                    }
                    _ => {
                        let recent = recent.session(whole).await?;
                        evaluate_within(recent.unwrap_or(whole), rule, as_of, &newer).await?
                    }
                };
            }
        }
        if !older.is_empty() {
            fired.extend(evaluate_within(whole, rule, as_of, &older).await?);
        }
        return Ok(Looked {
            fired,
            extents: Some(extents),
        });
    }
    everything(whole, rule, as_of).await
}

async fn everything(whole: &Session, rule: &Rule, as_of: i64) -> Result<Looked, Failed> {
    Ok(Looked {
        fired: evaluate(whole, rule, as_of).await?,
        extents: None,
    })
}

/// The groups that many new rows touch and that can fire.
async fn touched_by(
    new: &New,
    recent: &Recent,
    quick: Option<&Quick>,
    whole: &Session,
    rule: &Rule,
    as_of: i64,
    alerts: &[Alert],
) -> Result<BTreeMap<Values, Extent>, Failed> {
    let reads = quick.map(Quick::reads).unwrap_or(recent.reads());
    let made = async || reads.session(&new.rows, whole).await;
    let session = new.session.get_or_try_init(made).await?;
    let rows = select(session, rule, as_of).await?;
    let mine = alerts.iter().filter(|alert| alert.rule == rule.id);
    let groups: BTreeSet<Values> = mine
        .filter_map(|alert| values(rule, &alert.group))
        .collect();
    let known = match recent.session(whole).await? {
        Some(session) => Some(Known {
            rows: select(session, rule, as_of).await?,
            after: recent.after(),
            groups: &groups,
        }),
        None => None,
    };
    touched(rows, rule, known)
        .await
        .map_err(|error| Failed::from(session.mistake(&error, &rule.sql)))
}

/// The rows of the table that has the most of them.
fn most(rows: &Rows) -> usize {
    let of = |batches: &Vec<RecordBatch>| batches.iter().map(RecordBatch::num_rows).sum();
    rows.values().map(of).max().unwrap_or(0)
}

/// Why a rule could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The lake or the engine.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// The rule's SELECT.
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl Failed {
    /// In one line, and what a person wrote wrong in as many as it takes to show it.
    pub(super) fn said(&self) -> String {
        match self {
            Failed::Jobs(error) => lake::in_one_line(error),
            Failed::Query(error) => error.to_string(),
        }
    }
}

/// How far each touched group has to be looked at.
fn extents(
    touched: BTreeMap<Values, Extent>,
    rule: &Rule,
    alerts: &[Alert],
) -> BTreeMap<Values, Extent> {
    let mut of_group: HashMap<Values, Vec<&Alert>> = HashMap::new();
    for alert in alerts.iter().filter(|alert| alert.rule == rule.id) {
        if let Some(values) = values(rule, &alert.group) {
            of_group.entry(values).or_default().push(alert);
        }
    }
    let extent = |(group, rows): (Values, Extent)| {
        let alerts = of_group.get(&group).map_or(&[][..], Vec::as_slice);
        let extent = Extent::of(rule, (rows.from, rows.through), alerts.iter().copied());
        (group, extent)
    };
    touched.into_iter().map(extent).collect()
}

/// The values of a group in the order of the rule's columns; `None` where the rule has other columns by now.
pub(super) fn values(rule: &Rule, group: &Group) -> Option<Values> {
    let value = |column: &String| {
        let named = group.iter().find(|(name, _)| name == column);
        named.map(|(_, value)| value.clone())
    };
    let values: Values = rule.group_by.iter().map(value).collect::<Option<_>>()?;
    (values.len() == group.len()).then_some(values)
}
