//! What of a rule has to be looked at again: the groups that new rows touch, over the time that those can influence.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use alerts::{Alert, Count, Extent, Group, Rule};
use arrow::array::RecordBatch;
use lake::{Lake, Table};
use tokio::sync::OnceCell;

use super::quick::Quick;
use super::reads::Rows;
use super::recent::{Recent, Span};
use crate::JobsError;
use crate::evaluate::{Fired, Known, Values, evaluate, evaluate_within, select, touched};
use crate::mistake::{QueryError, Words};
use crate::session::Session;

/// So many recent rows are looked through by one plan that is there already in less time than it takes to make a better one.
const QUICK: usize = 200_000;

/// What a look at one rule found.
pub(super) struct Looked {
    /// Groups that fire, with their episodes.
    pub(super) fired: Vec<Fired>,
    /// The groups that were looked at, each over what time; `None` for everything.
    pub(super) extents: Option<BTreeMap<Values, Extent>>,
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
struct New {
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
        quick.reads().fitted(&mut rows, quick.session())?;
        Ok(Some(New {
            rows,
            ..New::default()
        }))
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
    !rule.kind.is_timely()
        && !rule.counts().any(|count| *count == Count::Occurrences)
        && !mentions(rule, "increase")
}

fn mentions(rule: &Rule, word: &str) -> bool {
    Words::of(&rule.sql).find(word).is_some()
}

/// How a rule is looked at.
pub(super) struct At {
    /// The version of `findings` that it has seen; `None` where everything is looked at.
    pub(super) seen: Option<i64>,
    /// UTC microseconds.
    pub(super) as_of: i64,
}

/// Looks at a rule whose alerts are `alerts`: at what came after it was last seen, where it can be asked about that alone, else at everything.
pub(super) async fn look(
    news: &mut News<'_>,
    recent: &Recent,
    rule: &Rule,
    &At { seen, as_of }: &At,
    alerts: &[Alert],
) -> Result<Looked, Failed> {
    let whole = news.session;
    if let Some(seen) = seen
        && let Some(new) = news.since(seen).await?
    {
        let new_rows = most(&new.rows);
        if new_rows == 0 {
            return Ok(Looked {
                fired: Vec::new(),
                extents: Some(BTreeMap::new()),
            });
        }
        // Few groups are sorted in less time than it takes to see which of them have too few rows.
        let is_few = new_rows <= news.few;
        let touched = match &mut news.quick {
            Some(quick) if is_few => {
                let prepared = quick.rule(rule, new.rows.clone()).await?;
                let touched = prepared.touched().await;
                touched.map_err(|error| whole.mistake(&error, &rule.sql))?
            }
            quick => touched_by(&new, recent, quick.as_deref(), whole, rule, as_of, alerts).await?,
        };
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
