//! `guardlake alert ack|snooze|resolve|reopen`: what people do with alerts.

use std::process::ExitCode;

use alerts::{Action, Event, rfc3339};
use jobs::{OperateError, operate};

use crate::args::{Alert, Operation, Until};
use crate::failure::{Failure, note};
use crate::settings::{Settings, micros};
use crate::wire_up;

pub(super) async fn run(args: Alert, settings: &Settings) -> Result<ExitCode, Failure> {
    let now = wire_up::now();
    let (operation, action, reason) = match args {
        Alert::Ack { operation, reason } => (operation, Action::Acknowledge, reason),
        Alert::Snooze {
            operation,
            until,
            reason,
        } => (
            operation,
            Action::Snooze {
                until: end(&until, now)?,
            },
            reason,
        ),
        Alert::Resolve { operation, reason } => (operation, Action::Resolve, required(reason)?),
        Alert::Reopen { operation, reason } => (operation, Action::Reopen, required(reason)?),
        _ => return Err(Failure::usage("this is no operation on alerts")),
    };
    let Operation { ids, by } = operation;
    let by = by.or_else(wire_up::user).unwrap_or_default();
    let lake = wire_up::lake(settings).await?;
    let done = operate(&lake, &ids, action, &by, reason.trim(), now)
        .await
        .map_err(|error| match error {
            OperateError::Refused(why) => Failure::usage(why.join("\n")),
            OperateError::Lake(error) => error.into(),
        })?;
    for event in &done.events {
        let until = event
            .until
            .map(|until| format!(" until {}", rfc3339(until)));
        let did = match event.event {
            Event::Reopened => "open",
            other => other.as_str(),
        };
        note(&format!(
            "{} is {did}{}",
            event.alert_id,
            until.unwrap_or_default()
        ));
    }
    done.already.iter().for_each(|how| note(how));
    Ok(ExitCode::SUCCESS)
}

fn required(reason: String) -> Result<String, Failure> {
    if reason.trim().is_empty() {
        return Err(Failure::usage(
            "--reason: say why, for those who read the log",
        ));
    }
    Ok(reason)
}

/// When a snooze ends: UTC microseconds.
fn end(until: &Until, now: i64) -> Result<i64, Failure> {
    match (&until.period, &until.time) {
        (Some(period), _) => {
            let period = micros(period).map_err(|e| Failure::usage(format!("--for: {e}")))?;
            Ok(now.saturating_add(period))
        }
        (None, Some(time)) => alerts::instant(time).ok_or_else(|| {
            let shown = alerts::clean(time, 40);
            Failure::usage(format!(
                "--until: `{shown}` is no time; write it like 2026-12-31 or 2026-12-31T18:00Z"
            ))
        }),
        (None, None) => Err(Failure::usage("until when? give --for or --until")),
    }
}
