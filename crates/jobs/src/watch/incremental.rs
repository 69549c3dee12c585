//! What of a rule has to be looked at again: the groups that new rows touch, over the time that those can influence.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use alerts::{Alert, Count, Extent, Group, Rule};
use arrow::array::RecordBatch;
use lake::{Lake, Table};

use super::reads::{Reads, Rows};
use super::recent::Recent;
use crate::JobsError;
use crate::evaluate::{Fired, Known, Values, evaluate, evaluate_within, select, touched};
use crate::mistake::{QueryError, Words};
use crate::session::Session;

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
    reads: Reads,
    since: HashMap<i64, Option<New>>,
}

/// Rows that are new, of the tables and in the columns that rules read.
struct New {
    rows: Rows,
    session: Session,
}

impl<'a> News<'a> {
    /// Of what `session` sees, for rules that read `reads`.
    pub(super) fn of(lake: &'a Lake, session: &'a Session, reads: Reads) -> News<'a> {
        News {
            lake,
            session,
            reads,
            since: HashMap::new(),
        }
    }

    /// What came after a version; `None` where that cannot be said.
    async fn since(&mut self, version: i64) -> Result<Option<&New>, JobsError> {
        if !self.since.contains_key(&version) {
            let new = self.read(version).await?;
            self.since.insert(version, new);
        }
        Ok(self.since.get(&version).and_then(Option::as_ref))
    }

    async fn read(&self, after: i64) -> Result<Option<New>, JobsError> {
        let through = self.session.version(Table::Findings).unwrap_or_default();
        let unread = self.reads.unread(self.session).await?;
        let unread: Vec<&str> = unread.iter().map(String::as_str).collect();
        let added = self.lake.added(Table::Findings, after, through, &unread);
        let Some(rows) = added.await? else {
            return Ok(None);
        };
        let rows = vec![(Table::Findings, rows)];
        let (library, limits) = (self.session.library(), self.session.limits());
        let new = Session::in_memory(rows, library, limits).await?;
        let mut rows = self.reads.rows(&new, None).await?;
        self.reads.fitted(&mut rows, &new)?;
        let session = self.reads.session(&rows, &new).await?;
        Ok(Some(New { rows, session }))
    }

    /// Brings the recent rows up to what the session sees.
    pub(super) async fn refresh(
        &mut self,
        recent: &mut Recent,
        rules: &[Rule],
        now: i64,
    ) -> Result<(), JobsError> {
        let whole = self.session;
        // What is held may be more than is read now: then the rows that are new lack columns.
        let fits = *recent.reads() == self.reads && recent.reaches(rules, now);
        if fits && let Some(version) = recent.version() {
            if Some(version) == whole.version(Table::Findings) {
                return Ok(());
            }
            if let Some(new) = self.since(version).await? {
                return recent.add(whole, &new.rows, rules, now).await;
            }
        }
        let findings = self.lake.findings_by_day().await?;
        recent
            .load(whole, rules, self.reads.clone(), findings, now)
            .await
    }
}

/// Whether a rule can be asked about some rows alone: silence and queries are about what is not there, and what an occurrence is
/// depends on the other versions of its finding, whenever they were.
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
    /// New rows whose groups are looked at without asking first which of them can fire.
    pub(super) few: usize,
}

/// Looks at a rule whose alerts are `alerts`: at what came after it was last seen, where it can be asked about that alone, else at everything.
pub(super) async fn look(
    news: &mut News<'_>,
    recent: &Recent,
    rule: &Rule,
    &At { seen, as_of, few }: &At,
    alerts: &[Alert],
) -> Result<Looked, Failed> {
    let whole = news.session;
    if let Some(seen) = seen
        && let Some(New { session: new, rows }) = news.since(seen).await?
    {
        let new_rows = most(rows);
        if new_rows == 0 {
            return Ok(Looked {
                fired: Vec::new(),
                extents: Some(BTreeMap::new()),
            });
        }
        let rows = select(new, rule, as_of).await?;
        let mistake = |error| new.mistake(&error, &rule.sql);
        let mine = alerts.iter().filter(|alert| alert.rule == rule.id);
        let groups: BTreeSet<Values> = mine
            .filter_map(|alert| values(rule, &alert.group))
            .collect();
        let known = match recent.session() {
            // Few groups are sorted in less time than it takes to see which of them have too few rows.
            Some(session) if new_rows > few => Some(Known {
                rows: select(session, rule, as_of).await?,
                after: recent.after(),
                groups: &groups,
            }),
            _ => None,
        };
        let touched = touched(rows, rule, known).await.map_err(mistake)?;
        let extents = extents(touched, rule, alerts);
        let back = rule.terms().back();
        let is_recent =
            |_: &Values, extent: &mut Extent| extent.from.saturating_sub(back) >= recent.after();
        let mut older = extents.clone();
        let mut fired = Vec::new();
        if let Some(session) = recent.session() {
            let newer: BTreeMap<Values, Extent> = older.extract_if(.., is_recent).collect();
            if !newer.is_empty() {
                fired = evaluate_within(session, rule, as_of, &newer).await?;
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
