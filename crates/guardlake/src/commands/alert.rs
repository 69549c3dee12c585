//! `guardlake alert`: evaluate rules and ring, list alerts, show one with its evidence, and what people do with them.

mod operate;
mod show;
mod suppressions;

use std::io::Write;
use std::process::ExitCode;

use alerts::{Alert as Found, Event, Rule, State, Suppression};
use finding::Label;
use jobs::{Evaluator, Library, Limits, Session, rules};
use serde_json::{Value, json};

use super::{library, notify, suppressions as read_suppressions};
use crate::args::{Alert, Format, Suppressed};
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
            suppressions,
            max_age,
        } => {
            let max_age =
                micros(&max_age).map_err(|e| Failure::usage(format!("--max-age: {e}")))?;
            let library = library(settings, rules.rules.as_deref())?;
            let suppressions = read_suppressions(settings, &suppressions)?;
            let lake = wire_up::lake(settings).await?;
            // Before anything is evaluated: a first notifier begins with what comes after it.
            let mut told = match notify::setup(settings, None)? {
                Some(setup) => {
                    Some(notify::notifier(&lake, setup, &library, settings, true, &[]).await?)
                }
                None => None,
            };
            let rung = evaluate(
                &mut Evaluator::new(lake.clone(), max_age),
                &lake,
                &library,
                &suppressions,
                told.is_none(),
            )
            .await?;
            match &mut told {
                None => ring(&rung)?,
                Some(notifier) => {
                    let report = notify::flush(notifier).await?;
                    note(&format!(
                        "{} deliveries came through, {} failed attempts, {} given up",
                        report.sent, report.failed, report.dead
                    ));
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Alert::List {
            state,
            rule,
            suppressed,
            fail_on,
        } => {
            let filter = Filter::read(&state, rule, suppressed)?;
            list(settings, &filter, fail_on.as_deref(), format).await
        }
        Alert::Show { id } => show::run(settings, &id, format).await,
        Alert::Suppressions {
            suppressions,
            rules,
        } => {
            let library = library(settings, rules.rules.as_deref())?;
            let suppressions = read_suppressions(settings, &suppressions)?;
            suppressions::list(settings, &library, &suppressions, format).await
        }
        Alert::Ack { .. } | Alert::Snooze { .. } | Alert::Resolve { .. } | Alert::Reopen { .. } => {
            operate::run(args, settings).await
        }
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

/// Brings the alert log up to the lake's present version, by an evaluator made for `lake`; returns the alerts to ring for, which is
/// done on standard output if `rings_here`, also when a rule fails.
pub(crate) async fn evaluate(
    evaluator: &mut Evaluator,
    lake: &lake::Lake,
    library: &Library,
    suppressions: &[Suppression],
    rings_here: bool,
) -> Result<Vec<Found>, Failure> {
    let rules = enabled_rules(library)?;
    evaluate_rules(evaluator, lake, library, &rules, suppressions, rings_here).await
}

/// As [`evaluate`], of these rules of the library.
pub(crate) async fn evaluate_rules(
    evaluator: &mut Evaluator,
    lake: &lake::Lake,
    library: &Library,
    rules: &[Rule],
    suppressions: &[Suppression],
    rings_here: bool,
) -> Result<Vec<Found>, Failure> {
    let session = Session::open(lake, library, &Limits::default()).await?;
    let now = wire_up::now();
    let report = evaluator.look(&session, rules, suppressions, now).await?;
    let opened = |is: fn(&alerts::AlertEvent) -> bool| {
        let opened = report.events.iter().filter(|e| e.event == Event::Opened);
        opened.filter(|event| is(event)).count()
    };
    note(&format!(
        "{} rules at findings version {}: {} opened ({} of them history, {} suppressed), {} grew, {} escalated, {} merged, {} withdrawn, {} resolved",
        rules.len(),
        report.findings_version,
        report.count(Event::Opened),
        opened(|event| event.historic),
        opened(|event| event.suppressed_by.is_some()),
        report.count(Event::Grew),
        report.count(Event::Escalated),
        report.count(Event::Merged),
        report.count(Event::Withdrawn),
        report.count(Event::Resolved),
    ));
    for (rule, revision) in &report.revised {
        let version = report.findings_version;
        note(&format!(
            "rule {rule} has a new meaning, revision {revision}: judged by it from findings version {version} on, and everything before again"
        ));
    }
    let alerts = report.rung.into_iter();
    let alerts: Vec<Found> = alerts.map(|alert| alert.at(now)).collect();
    if let Some((_, why)) = report.failed.first() {
        // The bells of the other rules are logged as rung.
        if rings_here {
            ring(&alerts)?;
        }
        return Err(Failure::query(why.clone()));
    }
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

/// Which alerts to list.
struct Filter {
    /// All where it is empty.
    states: Vec<State>,
    rule: Option<String>,
    suppressed: Suppressed,
}

impl Filter {
    fn read(
        states: &[String],
        rule: Option<String>,
        suppressed: Suppressed,
    ) -> Result<Filter, Failure> {
        let word = |word: &String| {
            let known = || State::ALL.map(|state| state.as_str()).join(", ");
            State::from_word(word)
                .ok_or_else(|| Failure::usage(format!("--state: `{word}` is none of {}", known())))
        };
        Ok(Filter {
            states: states.iter().map(word).collect::<Result<_, _>>()?,
            rule,
            suppressed,
        })
    }

    fn takes(&self, alert: &Found) -> bool {
        let hidden = alert.suppressed_by.is_some();
        (self.states.is_empty() || self.states.contains(&alert.state))
            && self.rule.as_ref().is_none_or(|rule| alert.rule == *rule)
            && match self.suppressed {
                Suppressed::All => true,
                Suppressed::Only => hidden,
                Suppressed::No => !hidden,
            }
    }
}

async fn list(
    settings: &Settings,
    filter: &Filter,
    fail_on: Option<&str>,
    format: Format,
) -> Result<ExitCode, Failure> {
    let severity = |word: &str| {
        Label::from_word(word).ok_or_else(|| {
            Failure::usage(format!(
                "--fail-on: `{word}` is none of low, medium, high, critical"
            ))
        })
    };
    let fail_on = fail_on.map(severity).transpose()?;
    let lake = wire_up::lake(settings).await?;
    let now = wire_up::now();
    let alerts = ::alerts::fold(lake.alert_events().await?);
    let mut found: Vec<Found> = alerts.into_iter().map(|alert| alert.at(now)).collect();
    found.retain(|alert| filter.takes(alert));
    found.sort_by(|a, b| (b.last_match, &a.alert_id).cmp(&(a.last_match, &b.alert_id)));
    match format {
        Format::Table | Format::Markdown => {
            let rows: Vec<Value> = found.iter().map(row).collect();
            output::values_within(&rows, &LISTED, format, LIST_WIDTH)?;
        }
        _ => {
            let values = found
                .iter()
                .map(serde_json::to_value)
                .collect::<Result<Vec<_>, _>>();
            let values = values.map_err(|e| Failure::io(format!("cannot write alerts: {e}")))?;
            output::values(&values, &CSV, format)?;
        }
    }
    // What a suppression hides asks nobody for anything.
    let failing = |alert: &Found| {
        alert.state == State::Open
            && alert.suppressed_by.is_none()
            && fail_on.is_some_and(|least| alert.severity >= least)
    };
    Ok(if found.iter().any(failing) {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

const CSV: [&str; 11] = [
    "alert_id",
    "state",
    "severity",
    "title",
    "group",
    "count",
    "threshold",
    "window",
    "last_seen",
    "snoozed_until",
    "suppressed_by",
];
const LISTED: [&str; 6] = [
    "alert_id",
    "state",
    "severity",
    "what",
    "count",
    "last_seen",
];
/// Characters of a line of the list.
const LIST_WIDTH: u16 = 110;

/// An alert as a person reads it in a list.
fn row(alert: &Found) -> Value {
    let group: Vec<String> = alert
        .group
        .iter()
        .map(|(column, value)| format!("{column}={}", value.as_deref().unwrap_or("(none)")))
        .collect();
    let what = match &group[..] {
        [] => alert.title.clone(),
        group => format!("{}: {}", alert.title, group.join(" ")),
    };
    let state = match &alert.suppressed_by {
        Some(_) => format!("{}, suppressed", alert.state.as_str()),
        None => alert.state.as_str().to_owned(),
    };
    json!({
        "alert_id": alert.alert_id,
        "state": state,
        "severity": alert.severity.as_str(),
        "what": what,
        "count": format!("{}/{}", alert.count, alert.threshold),
        "last_seen": minute(alert.last_seen),
    })
}

/// `2026-11-21 10:00`, in UTC.
fn minute(micros: i64) -> String {
    alerts::rfc3339(micros)
        .replace('T', " ")
        .chars()
        .take(16)
        .collect()
}
