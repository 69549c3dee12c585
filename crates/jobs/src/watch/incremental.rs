//! What of a rule has to be looked at again: the groups that new rows touch, over the time that those can influence.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use alerts::{Alert, Count, Extent, Group, Rule};
use arrow::datatypes::Field;
use lake::{Lake, Table};

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

/// What is new in `findings`, by the version that rules have seen, and what is recent.
pub(super) struct News<'a> {
    lake: &'a Lake,
    /// Everything.
    session: &'a Session,
    recent: &'a Recent,
    without: &'static [&'static str],
    since: HashMap<i64, Option<Session>>,
}

impl<'a> News<'a> {
    /// Of what `session` sees, for some rules. `recent` may hold older rows than that, or none.
    pub(super) fn of(
        lake: &'a Lake,
        session: &'a Session,
        recent: &'a Recent,
        rules: &[Rule],
    ) -> News<'a> {
        let raw = |rule: &Rule| mentions(rule, "raw") || rule.sql.contains("json_");
        let without: &[&str] = match rules.iter().any(raw) {
            true => &[],
            false => &["raw"],
        };
        News {
            lake,
            session,
            recent,
            without,
            since: HashMap::new(),
        }
    }

    /// What came after a version; `None` where that cannot be said.
    async fn since(&mut self, version: i64) -> Result<Option<&Session>, JobsError> {
        if !self.since.contains_key(&version) {
            let new = new(self.lake, self.session, version, self.without).await?;
            self.since.insert(version, new);
        }
        Ok(self.since.get(&version).and_then(Option::as_ref))
    }
}

async fn new(
    lake: &Lake,
    whole: &Session,
    after: i64,
    without: &[&str],
) -> Result<Option<Session>, JobsError> {
    let through = whole.version(Table::Findings).unwrap_or_default();
    let Some(rows) = lake.added(Table::Findings, after, through, without).await? else {
        return Ok(None);
    };
    let rows = vec![(Table::Findings, rows)];
    let session = Session::in_memory(rows, whole.library(), whole.limits()).await?;
    Ok(Some(session))
}

/// Brings the recent rows up to what `whole` sees, for rules that read `columns`.
pub(super) async fn refresh(
    recent: &mut Recent,
    lake: &Lake,
    whole: &Session,
    rules: &[Rule],
    columns: BTreeSet<String>,
    now: i64,
) -> Result<(), JobsError> {
    let through = whole.version(Table::Findings).unwrap_or_default();
    if let Some(version) = recent
        .version()
        .filter(|_| columns.is_subset(recent.columns()))
    {
        if version == through {
            return Ok(());
        }
        let schema = Table::Findings.schema();
        let unread = |field: &&Arc<Field>| {
            let empty = field.is_nullable() || field.name() == "raw";
            empty && !columns.contains(field.name()) && field.name() != "event_time"
        };
        let unread = schema.fields().iter().filter(unread);
        let without: Vec<&str> = unread.map(|field| field.name().as_str()).collect();
        if let Some(rows) = lake
            .added(Table::Findings, version, through, &without)
            .await?
        {
            return recent.add(whole, &rows, rules, now).await;
        }
    }
    recent.load(whole, rules, columns, now).await
}

/// Whether a rule can be asked about some rows alone: silence and queries are about what is not there, and what an occurrence is
/// depends on the other versions of its finding, whenever they were.
fn is_local(rule: &Rule) -> bool {
    !rule.kind.is_timely()
        && !rule.counts().any(|count| *count == Count::Occurrences)
        && !mentions(rule, "increase")
}

fn mentions(rule: &Rule, word: &str) -> bool {
    Words::of(&rule.sql).find(word).is_some()
}

/// Looks at a rule that has seen `seen`, and whose alerts are `alerts`.
pub(super) async fn look(
    news: &mut News<'_>,
    rule: &Rule,
    seen: Option<i64>,
    alerts: &[Alert],
    as_of: i64,
) -> Result<Looked, Failed> {
    let recent = news.recent;
    if let Some(seen) = seen.filter(|_| is_local(rule))
        && let Some(new) = news.since(seen).await?
    {
        let rows = select(new, rule, as_of).await?;
        let mistake = |error| new.mistake(&error, &rule.sql);
        let mine = alerts.iter().filter(|alert| alert.rule == rule.id);
        let groups: BTreeSet<Values> = mine
            .filter_map(|alert| values(rule, &alert.group))
            .collect();
        let known = match recent.session() {
            Some(session) => Some(Known {
                rows: select(session, rule, as_of).await?,
                after: recent.after(),
                groups: &groups,
            }),
            None => None,
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
            fired.extend(evaluate_within(news.session, rule, as_of, &older).await?);
        }
        return Ok(Looked {
            fired,
            extents: Some(extents),
        });
    }
    let session = news.session;
    Ok(Looked {
        fired: evaluate(session, rule, as_of).await?,
        extents: None,
    })
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
