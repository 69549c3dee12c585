//! `guardlake alert`: evaluate rules and ring, list alerts, show one with its evidence.

use std::collections::HashSet;
use std::io::Write;
use std::process::ExitCode;

use alerts::{Alert as Found, Event, Rule, State};
use finding::Label;
use jobs::{Library, Limits, Session, rules};

use super::library;
use crate::args::{Alert, Format};
use crate::failure::{Failure, note};
use crate::settings::{Settings, micros};
use crate::{output, wire_up};

pub(crate) async fn run(
    args: Alert,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    match args {
        Alert::Run {
            once: _,
            rules,
            max_age,
        } => {
            let max_age =
                micros(&max_age).map_err(|e| Failure::usage(format!("--max-age: {e}")))?;
            let library = library(settings, rules.rules.as_deref())?;
            let lake = wire_up::lake(settings).await?;
            let rung = evaluate(&lake, &library, max_age).await?;
            ring(&rung)?;
            Ok(ExitCode::SUCCESS)
        }
        Alert::List {
            state,
            rule,
            fail_on,
        } => {
            list(
                settings,
                &state,
                rule.as_deref(),
                fail_on.as_deref(),
                format,
            )
            .await
        }
        Alert::Show { id } => show(settings, &id, format).await,
    }
}

/// The rules of a library that are enabled; an error names every one that is wrong.
pub(crate) fn enabled_rules(library: &Library) -> Result<Vec<Rule>, Failure> {
    let mut wrong = Vec::new();
    let mut found = Vec::new();
    for file in rules::load(library) {
        match file.rule {
            Ok(rule) if rule.enabled => found.push(rule),
            Ok(_) => {}
            Err(error) => wrong.push(error.to_string()),
        }
    }
    if wrong.is_empty() {
        Ok(found)
    } else {
        Err(Failure::query(wrong.join("\n")))
    }
}

/// Brings the alert log up to the lake's present version; returns the alerts to ring for. `max_age` in microseconds.
pub(crate) async fn evaluate(
    lake: &lake::Lake,
    library: &Library,
    max_age: i64,
) -> Result<Vec<Found>, Failure> {
    let rules = enabled_rules(library)?;
    let session = Session::open(lake, library, &Limits::default()).await?;
    let report = jobs::run_alerts(lake, &session, &rules, &[], wire_up::now(), max_age).await?;
    let historic = report.events.iter().filter(|event| event.historic).count();
    note(&format!(
        "{} rules at findings version {}: {} opened ({historic} of them history), {} grew, {} merged, {} withdrawn",
        rules.len(),
        report.findings_version,
        report.count(Event::Opened),
        report.count(Event::Grew),
        report.count(Event::Merged),
        report.count(Event::Withdrawn),
    ));
    if let Some((_, why)) = report.failed.first() {
        return Err(Failure::query(why.clone()));
    }
    let told: HashSet<&str> = report.told().map(|event| event.alert_id.as_str()).collect();
    if told.is_empty() {
        return Ok(Vec::new());
    }
    let mut alerts = ::alerts::fold(lake.alert_events().await?);
    alerts.retain(|alert| told.contains(alert.alert_id.as_str()));
    Ok(alerts)
}

/// The doorbell of this release: standard output.
pub(crate) fn ring(alerts: &[Found]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for alert in alerts {
        writeln!(out, "{}", notifier::stdout_text(alert))?;
    }
    Ok(())
}

async fn alerts(settings: &Settings) -> Result<Vec<Found>, Failure> {
    let lake = wire_up::lake(settings).await?;
    let mut alerts = ::alerts::fold(lake.alert_events().await?);
    alerts.sort_by(|a, b| (b.last_match, &a.alert_id).cmp(&(a.last_match, &b.alert_id)));
    Ok(alerts)
}

async fn list(
    settings: &Settings,
    states: &[String],
    rule: Option<&str>,
    fail_on: Option<&str>,
    format: Format,
) -> Result<ExitCode, Failure> {
    let word = |word: &String| {
        let known = || State::ALL.map(|state| state.as_str()).join(", ");
        State::from_word(word)
            .ok_or_else(|| Failure::usage(format!("--state: `{word}` is none of {}", known())))
    };
    let states = states.iter().map(word).collect::<Result<Vec<_>, _>>()?;
    let severity = |word: &str| {
        Label::from_word(word).ok_or_else(|| {
            Failure::usage(format!(
                "--fail-on: `{word}` is none of low, medium, high, critical"
            ))
        })
    };
    let fail_on = fail_on.map(severity).transpose()?;
    let mut found = alerts(settings).await?;
    found.retain(|alert| {
        (states.is_empty() || states.contains(&alert.state))
            && rule.is_none_or(|rule| alert.rule == rule)
    });
    let values = found
        .iter()
        .map(serde_json::to_value)
        .collect::<Result<Vec<_>, _>>();
    let values = values.map_err(|e| Failure::io(format!("cannot write alerts: {e}")))?;
    let columns = [
        "alert_id",
        "state",
        "severity",
        "title",
        "group",
        "count",
        "threshold",
        "window",
        "last_seen",
    ];
    output::values(&values, &columns, format)?;
    let failing = |alert: &Found| {
        alert.state == State::Open && fail_on.is_some_and(|least| alert.severity >= least)
    };
    Ok(if found.iter().any(failing) {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

async fn show(settings: &Settings, id: &str, format: Format) -> Result<ExitCode, Failure> {
    let found = alerts(settings).await?;
    let matching: Vec<_> = found
        .iter()
        .filter(|alert| alert.alert_id.starts_with(id))
        .collect();
    match matching[..] {
        [alert] => {
            if matches!(format, Format::Table | Format::Markdown) {
                ring(std::slice::from_ref(alert))?;
            } else {
                let value = serde_json::to_value(alert)
                    .map_err(|e| Failure::io(format!("cannot write the alert: {e}")))?;
                output::values(&[value], &["alert_id"], format)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        [] => Err(Failure::usage(format!(
            "there is no alert `{id}`; `guardlake alert list` lists them"
        ))),
        _ => Err(Failure::usage(format!(
            "{} alerts start with `{id}`; give more of it",
            matching.len()
        ))),
    }
}
