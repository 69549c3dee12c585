//! The alerts that a log adds up to.

use std::collections::{HashMap, HashSet};

use crate::MAX_FINDINGS;
use crate::life::{Alert, AlertEvent, Event, State};

/// The present state of every alert in the log, by first match, rule and id. The events may come in any order: `seq` puts
/// those of one alert in theirs. An event that comes twice counts once.
pub fn fold(events: impl IntoIterator<Item = AlertEvent>) -> Vec<Alert> {
    fold_onto(Vec::new(), events)
}

/// As [`fold`], given the alerts that the log added up to before these events. None of them may be older than what those
/// alerts know already.
pub fn fold_onto(alerts: Vec<Alert>, events: impl IntoIterator<Item = AlertEvent>) -> Vec<Alert> {
    let mut events: Vec<AlertEvent> = events.into_iter().collect();
    if events.is_empty() {
        return alerts;
    }
    events.sort_by(|a, b| {
        (&a.alert_id, a.seq, a.at, a.event, &a.reason).cmp(&(
            &b.alert_id,
            b.seq,
            b.at,
            b.event,
            &b.reason,
        ))
    });
    let place = |(at, alert): (usize, &Alert)| (alert.alert_id.clone(), at);
    let mut places: HashMap<String, usize> = alerts.iter().enumerate().map(place).collect();
    let mut alerts = alerts;
    for event in events {
        match places.get(&event.alert_id).map(|at| &mut alerts[*at]) {
            Some(alert) if alert.seq < event.seq => apply(alert, event),
            Some(_) => {}
            None => {
                places.insert(event.alert_id.clone(), alerts.len());
                alerts.push(first(event));
            }
        }
    }
    alerts.sort_by(|a, b| {
        (a.first_match, &a.rule, &a.alert_id).cmp(&(b.first_match, &b.rule, &b.alert_id))
    });
    alerts
}

/// Adds one event to an alert.
pub(super) fn apply(alert: &mut Alert, event: AlertEvent) {
    let told = event.told.or(alert.told);
    let changes_state = !matches!(event.event, Event::Grew | Event::Escalated);
    if changes_state {
        alert.state = after(event.event);
        alert.state_since = event.at;
        alert.state_by.clone_from(&event.actor);
        alert.snoozed_until = event.until.filter(|_| event.event == Event::Snoozed);
    }
    if event.event.measures() {
        // `grew` tells what is new, unless what it tells is all there is.
        let adds = !changes_state && (event.findings.len() as i64) < event.findings_total;
        let known = if adds {
            std::mem::take(&mut alert.findings)
        } else {
            Vec::new()
        };
        *alert = Alert {
            opened_at: alert.opened_at,
            opening_match: alert.opening_match,
            state: alert.state,
            state_since: alert.state_since,
            state_by: std::mem::take(&mut alert.state_by),
            snoozed_until: alert.snoozed_until,
            ..first(event)
        };
        alert.findings = joined(known, std::mem::take(&mut alert.findings));
    } else {
        alert.seq = event.seq;
        alert.changed_at = event.at;
        alert.actor = event.actor;
        alert.reason = event.reason;
    }
    alert.told = told;
}

fn joined(mut told: Vec<String>, mut new: Vec<String>) -> Vec<String> {
    let known: HashSet<&str> = told.iter().map(String::as_str).collect();
    new.retain(|id| !known.contains(id.as_str()));
    told.append(&mut new);
    told.truncate(MAX_FINDINGS);
    told
}

/// The state that an event leads to; `grew` and `escalated` lead to none and are not asked unless the log lacks its beginning.
fn after(event: Event) -> State {
    match event {
        Event::Opened | Event::Reopened | Event::Grew | Event::Escalated => State::Open,
        Event::Acknowledged => State::Acknowledged,
        Event::Snoozed => State::Snoozed,
        Event::Resolved => State::Resolved,
        Event::Merged => State::Merged,
        Event::Withdrawn => State::Withdrawn,
    }
}

/// The alert that one event alone describes.
pub(super) fn first(event: AlertEvent) -> Alert {
    Alert {
        alert_id: event.alert_id,
        seq: event.seq,
        state: after(event.event),
        opened_at: event.at,
        changed_at: event.at,
        state_since: event.at,
        state_by: event.actor.clone(),
        snoozed_until: event.until.filter(|_| event.event == Event::Snoozed),
        suppressed_by: event.suppressed_by,
        told: event.told,
        opening_match: event.first_match,
        rule: event.rule,
        revision: event.revision,
        title: event.title,
        severity: event.severity,
        group: event.group,
        count: event.count,
        threshold: event.threshold,
        window_us: event.window_us,
        window: event.window,
        window_start: event.window_start,
        window_end: event.window_end,
        first_match: event.first_match,
        last_match: event.last_match,
        matches: event.matches,
        first_seen: event.first_seen,
        last_seen: event.last_seen,
        findings: event.findings,
        findings_total: event.findings_total,
        accounts: event.accounts,
        regions: event.regions,
        types: event.types,
        max_severity: event.max_severity,
        sql: event.sql,
        historic: event.historic,
        actor: event.actor,
        reason: event.reason,
        findings_version: event.findings_version,
    }
}

/// The alert as one more event leaves it; `before` is what the log before it added up to.
pub fn followed(before: Option<&Alert>, event: AlertEvent) -> Alert {
    match before.cloned() {
        None => first(event),
        Some(mut alert) => {
            apply(&mut alert, event);
            alert
        }
    }
}
