//! What of a rule has to be looked at again: the groups that new rows touch, over the time that those can influence.

use std::collections::{BTreeMap, HashMap};

use alerts::{Alert, Count, Extent, Group, Rule};
use lake::{Lake, Table};

use crate::evaluate::{Fired, Values, evaluate, evaluate_within, select, touched};
use crate::mistake::{QueryError, Words};
use crate::session::Session;
use crate::{JobsError, Limits};

/// What a look at one rule found.
pub(super) struct Looked {
    /// Groups that fire, with their episodes.
    pub(super) fired: Vec<Fired>,
    /// The groups that were looked at, each over what time; `None` for everything.
    pub(super) extents: Option<BTreeMap<Values, Extent>>,
}

/// The rows that are new to rules, by the version of `findings` that those have seen.
pub(super) struct News<'a> {
    lake: &'a Lake,
    session: &'a Session,
    raw: bool,
    since: HashMap<i64, Option<Session>>,
}

impl<'a> News<'a> {
    /// Of what `session` sees, for some rules.
    pub(super) fn of(lake: &'a Lake, session: &'a Session, rules: &[Rule]) -> News<'a> {
        let raw = rules
            .iter()
            .any(|rule| mentions(rule, "raw") || rule.sql.contains("json_"));
        News {
            lake,
            session,
            raw,
            since: HashMap::new(),
        }
    }

    /// A session over what came after a version; `None` where that cannot be said.
    async fn since(&mut self, version: i64) -> Result<Option<&Session>, JobsError> {
        if !self.since.contains_key(&version) {
            let through = self.session.version(Table::Findings).unwrap_or_default();
            let without: &[&str] = if self.raw { &[] } else { &["raw"] };
            let added = self
                .lake
                .added(Table::Findings, version, through, without)
                .await?;
            let session = match added {
                None => None,
                Some(rows) => {
                    let rows = vec![(Table::Findings, rows)];
                    let limits = Limits::default();
                    Some(Session::in_memory(rows, self.session.library(), &limits).await?)
                }
            };
            self.since.insert(version, session);
        }
        Ok(self.since.get(&version).and_then(Option::as_ref))
    }
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
    let session = news.session;
    if let Some(seen) = seen.filter(|_| is_local(rule))
        && let Some(new) = news.since(seen).await?
    {
        let rows = select(new, rule, as_of).await?;
        let touched = touched(rows, rule)
            .await
            .map_err(|error| new.mistake(&error, &rule.sql))?;
        let extents = extents(touched, rule, alerts);
        let fired = match extents.is_empty() {
            true => Vec::new(),
            false => evaluate_within(session, rule, as_of, &extents).await?,
        };
        return Ok(Looked {
            fired,
            extents: Some(extents),
        });
    }
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
