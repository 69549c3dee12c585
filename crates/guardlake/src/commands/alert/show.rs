//! `guardlake alert show`: one alert with all that is known of it.

use std::io::Write;
use std::process::ExitCode;

use alerts::{AlertEvent, Shown, find, fold, rfc3339};
use jobs::{Library, Limits, Session};
use serde_json::{Map, Value, json};

use super::super::library;
use crate::args::Format;
use crate::failure::{Failure, note};
use crate::settings::Settings;
use crate::{output, wire_up};

pub(super) async fn run(
    settings: &Settings,
    id: &str,
    format: Format,
) -> Result<ExitCode, Failure> {
    let library: Library = library(settings, None)?;
    let lake = wire_up::lake(settings).await?;
    let events = lake.alert_events().await?;
    let alerts = fold(events.iter().cloned());
    let alert = find(&alerts, id).map_err(Failure::usage)?;
    let alert = alert.clone().at(wire_up::now());
    let mut history: Vec<AlertEvent> = events
        .into_iter()
        .filter(|event| event.alert_id == alert.alert_id)
        .collect();
    history.sort_by_key(|event| event.seq);
    history.dedup_by_key(|event| event.seq);

    let session = Session::open(&lake, &library, &Limits::default()).await?;
    let names = session.account_names(&alert.accounts).await;
    let names = names.map_err(|error| Failure::io(error.to_string()))?;
    // The columns of a rule that has been changed since may be gone; the rest is worth showing.
    let top = session
        .top_values(&alert.sql)
        .await
        .unwrap_or_else(|error| {
            note(&format!("the evidence cannot be asked for: {error}"));
            Vec::new()
        });
    let top: Vec<(String, Vec<(String, i64)>)> = top
        .into_iter()
        .map(|top| (top.column, top.values))
        .collect();
    if matches!(format, Format::Table | Format::Markdown) {
        let shown = Shown {
            alert: &alert,
            history: &history,
            account_names: &names,
            top: &top,
        };
        return match write!(std::io::stdout().lock(), "{shown}") {
            // `| head` has seen enough.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(ExitCode::SUCCESS),
        };
    }
    let mut value = serde_json::to_value(&alert)
        .map_err(|e| Failure::io(format!("cannot write the alert: {e}")))?;
    value["account_names"] = json!(names);
    let tops = top.iter().map(|(column, values)| {
        let values = values
            .iter()
            .map(|(value, rows)| json!({ "value": value, "rows": rows }));
        (column.clone(), values.collect::<Value>())
    });
    value["top"] = Value::Object(tops.collect::<Map<_, _>>());
    value["history"] = history.iter().map(happened).collect();
    output::values(&[value], &["alert_id"], format)?;
    Ok(ExitCode::SUCCESS)
}

/// One event of an alert's history.
fn happened(event: &AlertEvent) -> Value {
    json!({
        "seq": event.seq,
        "event": event.event.as_str(),
        "at": rfc3339(event.at),
        "actor": event.actor,
        "reason": event.reason,
        "rings": event.rings,
        "until": event.until.map(rfc3339),
        "suppressed_by": event.suppressed_by,
        "count": event.count,
        "findings_total": event.findings_total,
        "findings_version": event.findings_version,
    })
}
