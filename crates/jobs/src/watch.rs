//! Brings the alert log in line with what the rules see.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use alerts::{Alert, AlertEvent, Event, Group, Rule, fold, plan};
use lake::{AlertCommit, Evaluated, Lake, LakeError, Table};

use crate::evaluate::{Fired, evaluate};
use crate::session::Session;
use crate::{gaps, rules};

/// How often somebody else may write to the log first.
const ATTEMPTS: u32 = 20;

/// What one look at the lake brought.
#[derive(Debug, Default)]
pub struct Report {
    /// The version of `findings` that was looked at.
    pub findings_version: i64,
    /// What was logged, in order.
    pub events: Vec<AlertEvent>,
    /// Ids of the rules that were evaluated.
    pub evaluated: Vec<String>,
    /// Ids of the rules that had seen this version already, or are not enabled.
    pub skipped: Vec<String>,
    /// Ids of the rules that could not be evaluated, and why. The others were.
    pub failed: Vec<(String, String)>,
}

impl Report {
    /// How many events of a kind were logged.
    pub fn count(&self, event: Event) -> usize {
        self.events
            .iter()
            .filter(|logged| logged.event == event)
            .count()
    }

    /// What somebody should hear of: alerts that opened, reopened or escalated and are not history.
    pub fn told(&self) -> impl Iterator<Item = &AlertEvent> {
        let rings =
            |event: &Event| matches!(event, Event::Opened | Event::Reopened | Event::Escalated);
        self.events
            .iter()
            .filter(move |logged| rings(&logged.event) && !logged.historic)
    }
}

/// Evaluates rules over what `session` sees of `lake` and brings the alert log in line, in one commit that also says how far
/// each rule has seen. `now` and `max_age` are UTC microseconds: an alert whose last match is older than `now - max_age` is
/// logged as historic.
///
/// A gap in a stream opens an alert too, with no rule needed.
///
/// A rule that has seen the session's version of `findings` is skipped. When somebody else writes to the log meanwhile, it is
/// read and planned on again.
pub async fn run_alerts(
    lake: &Lake,
    session: &Session,
    rules: &[Rule],
    now: i64,
    max_age: i64,
) -> Result<Report, LakeError> {
    let findings_version = session.version(Table::Findings).unwrap_or_default();
    let mut report = Report {
        findings_version,
        ..Report::default()
    };
    let named: Vec<(String, String)> = rules
        .iter()
        .map(|rule| (rule.id.clone(), rule.revision()))
        .collect();
    let seen = lake.evaluated_through(&named).await?;
    let mut measured = Vec::new();
    for (rule, seen) in rules.iter().zip(seen) {
        if !rule.enabled || seen.is_some_and(|seen| seen >= findings_version) {
            report.skipped.push(rule.id.clone());
            continue;
        }
        match measure(session, rule).await {
            Ok(fired) => measured.push((rule, fired)),
            Err(why) => report.failed.push((rule.id.clone(), why)),
        }
    }
    let position = |(rule, _): &(&Rule, Vec<Fired>)| Evaluated {
        rule: rule.id.clone(),
        revision: rule.revision(),
        findings_version,
    };
    let evaluated: Vec<Evaluated> = measured.iter().map(position).collect();
    report.evaluated = evaluated
        .iter()
        .map(|position| position.rule.clone())
        .collect();
    for _ in 0..ATTEMPTS {
        let planned_on = lake.alert_log_version().await?;
        let alerts = fold(lake.alert_events().await?);
        let opened = gaps::open(&lake.gaps().await?, &alerts, now, findings_version, max_age);
        let events: Vec<AlertEvent> = measured
            .iter()
            .flat_map(|(rule, fired)| {
                plan_rule(rule, fired, &alerts, now, findings_version, max_age)
            })
            .chain(opened)
            .collect();
        match lake
            .append_alert_events(planned_on, &events, &evaluated)
            .await?
        {
            AlertCommit::Committed { .. } => return Ok(Report { events, ..report }),
            AlertCommit::Conflict => {
                tracing::debug!(planned_on, "somebody else wrote to the alert log first")
            }
        }
    }
    Err(LakeError::Contention {
        uri: lake.table_url(Table::AlertLog),
        attempts: ATTEMPTS,
    })
}

async fn measure(session: &Session, rule: &Rule) -> Result<Vec<Fired>, String> {
    rules::check(session, rule)
        .await
        .map_err(|error| error.to_string())?;
    evaluate(session, rule, i64::MAX)
        .await
        .map_err(|error| error.to_string())
}

/// The events that the log lacks for one rule, given all that fires and all alerts there are. Times are UTC microseconds.
///
/// A group that has alerts but no longer fires is looked at too: its alerts are withdrawn.
pub fn plan_rule(
    rule: &Rule,
    fired: &[Fired],
    alerts: &[Alert],
    now: i64,
    findings_version: i64,
    max_age: i64,
) -> Vec<AlertEvent> {
    let mut existing: BTreeMap<Group, Vec<Alert>> = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| alert.rule == rule.id) {
        existing
            .entry(named(&alert.group))
            .or_default()
            .push(alert.clone());
    }
    let mut events = Vec::new();
    let mut firing = BTreeSet::new();
    for Fired { group, episodes } in fired {
        let key = named(group);
        let known = existing.get(&key).map_or(&[][..], Vec::as_slice);
        events.extend(plan(
            rule,
            group,
            known,
            episodes,
            now,
            findings_version,
            max_age,
        ));
        firing.insert(key);
    }
    for (key, known) in existing.iter().filter(|(key, _)| !firing.contains(*key)) {
        let group = known.first().map_or(key, |alert| &alert.group);
        events.extend(plan(
            rule,
            group,
            known,
            &[],
            now,
            findings_version,
            max_age,
        ));
    }
    events
}

/// A group whatever the order of its columns.
fn named(group: &Group) -> Group {
    let mut group = group.clone();
    group.sort();
    group
}
