//! The alerts that a log adds up to.

use std::collections::HashSet;

use crate::MAX_FINDINGS;
use crate::life::{Alert, AlertEvent, Event, State};

/// The present state of every alert in the log, by first match, rule and id. The events may come in any order: `seq` puts
/// those of one alert in theirs. An event that comes twice counts once.
pub fn fold(events: impl IntoIterator<Item = AlertEvent>) -> Vec<Alert> {
    let mut events: Vec<AlertEvent> = events.into_iter().collect();
    events.sort_by(|a, b| {
        (&a.alert_id, a.seq, a.at, a.event, &a.reason).cmp(&(
            &b.alert_id,
            b.seq,
            b.at,
            b.event,
            &b.reason,
        ))
    });
    let mut alerts: Vec<Alert> = Vec::new();
    for event in events {
        match alerts.last_mut() {
            Some(alert) if alert.alert_id == event.alert_id => {
                if alert.seq < event.seq {
                    apply(alert, event);
                }
            }
            _ => alerts.push(first(event)),
        }
    }
    alerts.sort_by(|a, b| {
        (a.first_match, &a.rule, &a.alert_id).cmp(&(b.first_match, &b.rule, &b.alert_id))
    });
    alerts
}

fn apply(alert: &mut Alert, event: AlertEvent) {
    let state = after(alert.state, event.event);
    let state_since = match event.event {
        Event::Grew | Event::Escalated => alert.state_since,
        _ => event.at,
    };
    match event.event {
        Event::Opened | Event::Grew | Event::Escalated | Event::Reopened => {
            // `grew` tells what is new, unless what it tells is all there is.
            let told = match event.event {
                Event::Grew | Event::Escalated
                    if (event.findings.len() as i64) < event.findings_total =>
                {
                    std::mem::take(&mut alert.findings)
                }
                _ => Vec::new(),
            };
            *alert = Alert {
                opened_at: alert.opened_at,
                opening_match: alert.opening_match,
                ..first(event)
            };
            alert.findings = joined(told, std::mem::take(&mut alert.findings));
        }
        _ => {
            alert.seq = event.seq;
            alert.changed_at = event.at;
            alert.actor = event.actor;
            alert.reason = event.reason;
        }
    }
    alert.state = state;
    alert.state_since = state_since;
}

fn joined(mut told: Vec<String>, mut new: Vec<String>) -> Vec<String> {
    let known: HashSet<&str> = told.iter().map(String::as_str).collect();
    new.retain(|id| !known.contains(id.as_str()));
    told.append(&mut new);
    told.truncate(MAX_FINDINGS);
    told
}

fn after(state: State, event: Event) -> State {
    match event {
        Event::Opened | Event::Reopened => State::Open,
        Event::Grew | Event::Escalated => state,
        Event::Acknowledged => State::Acknowledged,
        Event::Snoozed => State::Snoozed,
        Event::Resolved => State::Resolved,
        Event::Merged => State::Merged,
        Event::Withdrawn => State::Withdrawn,
    }
}

/// The alert that one event alone describes.
fn first(event: AlertEvent) -> Alert {
    Alert {
        alert_id: event.alert_id,
        seq: event.seq,
        state: after(State::Open, event.event),
        opened_at: event.at,
        changed_at: event.at,
        state_since: event.at,
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
        max_severity: event.max_severity,
        sql: event.sql,
        historic: event.historic,
        actor: event.actor,
        reason: event.reason,
        findings_version: event.findings_version,
    }
}
