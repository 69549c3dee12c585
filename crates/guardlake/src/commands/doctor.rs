//! `guardlake doctor`: a row a check: what, how it ended, what was seen, and the remedy. All checks are made, whatever fails.

mod aws;
mod clock;
mod exports;
mod lake;
mod organization;
mod rules;
mod stream;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use crate::args::{Args, CheckedRole, Doctor, Format};
use crate::failure::Failure;
use crate::settings::{self, Layers};
use crate::{output, wire_up};
use clock::{Dates, Watch};

/// No check takes longer.
const LONGEST: Duration = Duration::from_secs(10);

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Ok,
    Warning,
    Failed,
    Skipped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Ok => "ok",
            Outcome::Warning => "warning",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
        })
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    check: String,
    outcome: Outcome,
    seen: String,
    /// What to do; empty where there is nothing to do.
    remedy: String,
}

impl Row {
    fn ok(check: &str, seen: impl Into<String>) -> Row {
        Row::new(check, Outcome::Ok, seen, "")
    }

    fn skipped(check: &str, why: impl Into<String>) -> Row {
        Row::new(check, Outcome::Skipped, why, "")
    }

    fn warning(check: &str, seen: impl Into<String>, remedy: impl Into<String>) -> Row {
        Row::new(check, Outcome::Warning, seen, remedy)
    }

    fn failed(check: &str, seen: impl Into<String>, remedy: impl Into<String>) -> Row {
        Row::new(check, Outcome::Failed, seen, remedy)
    }

    fn new(
        check: &str,
        outcome: Outcome,
        seen: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Row {
        Row {
            check: check.to_owned(),
            outcome,
            seen: seen.into(),
            remedy: remedy.into(),
        }
    }
}

/// The answer of a check, or a row that says that there was none in time.
async fn limited<T>(check: &str, work: impl Future<Output = T>) -> Result<T, Row> {
    within(LONGEST, check, work).await
}

async fn within<T>(
    longest: Duration,
    check: &str,
    work: impl Future<Output = T>,
) -> Result<T, Row> {
    tokio::time::timeout(longest, work).await.map_err(|_| {
        let seen = format!("no answer within {} s", longest.as_secs_f32());
        let remedy =
            "look at network, security groups, VPC endpoints and proxies between here and there";
        Row::failed(check, seen, remedy)
    })
}

/// The statement that an IAM policy lacks.
fn allow(actions: &[&str], resource: &str) -> String {
    let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": resource });
    format!("add to the policy of the role that guardlake runs as: {statement}")
}

/// What the roles ask for.
#[derive(Debug, Clone, Copy)]
struct Needs {
    writes: bool,
    stream: bool,
    rules: bool,
    notify: bool,
    /// The stream was asked for, not only possible.
    asked_for_stream: bool,
}

impl Needs {
    fn of(doctor: &Doctor) -> Needs {
        use CheckedRole::{Alerts, Ingest, Notify, Query};
        let any = |roles: &[CheckedRole]| {
            doctor.role.is_empty() || doctor.role.iter().any(|role| roles.contains(role))
        };
        Needs {
            writes: doctor.role.is_empty() || doctor.role.iter().any(|role| *role != Query),
            stream: any(&[Ingest]),
            rules: any(&[Alerts, Notify]),
            notify: any(&[Notify]),
            asked_for_stream: doctor.role.contains(&Ingest) || !doctor.stream.is_empty(),
        }
    }
}

pub(crate) async fn run(doctor: &Doctor, args: &Args, format: Format) -> Result<ExitCode, Failure> {
    let rows = rows(doctor, args).await;
    print(&rows, format)?;
    let any_failed = rows.iter().any(|row| row.outcome == Outcome::Failed);
    Ok(ExitCode::from(u8::from(any_failed)))
}

async fn rows(doctor: &Doctor, args: &Args) -> Vec<Row> {
    let watch = Watch::start();
    let dates = Dates::default();
    let needs = Needs::of(doctor);
    let mut rows = vec![Row::ok(
        "guardlake",
        format!("version {}", env!("CARGO_PKG_VERSION")),
    )];
    let (settings, row) = match settings::layers(args) {
        Ok(layers) => (layers.right(), of_settings(&layers)),
        Err(failure) => {
            let remedy =
                "give --config a file that can be read, or make one: guardlake config init";
            let seen = failure.lines().next().unwrap_or_default().to_owned();
            (Default::default(), Row::failed("settings", seen, remedy))
        }
    };
    rows.push(row);
    let names = stream::names(doctor, &settings);
    let uri = settings.lake.uri.as_deref();
    let is_s3 = uri.is_some_and(|uri| uri.starts_with("s3://") || uri.starts_with("s3a://"));
    let exports = settings.exports.from.as_deref().unwrap_or_default();
    let uses_aws = is_s3
        || doctor.aws
        || (needs.stream && (!names.is_empty() || exports.starts_with("s3://")));
    let now = wire_up::now();
    let (lake, aws, exports, organization, rules) = tokio::join!(
        lake::rows(uri, needs.writes, &dates, now),
        aws::rows(uses_aws),
        exports::rows(needs.stream.then_some(&settings), &dates),
        organization::rows(doctor, &settings, now),
        rules::rows(&settings, needs),
    );
    let positions = lake.positions;
    rows.extend(lake.rows);
    rows.extend(aws);
    if needs.stream {
        let start = settings.stream.start.as_deref();
        rows.extend(
            stream::rows(
                &names,
                needs.asked_for_stream && settings.exports.from.is_none(),
                &positions,
                &dates,
                start,
                now,
            )
            .await,
        );
    }
    rows.extend(exports);
    rows.extend(organization);
    rows.extend(rules);
    rows.push(clock::against_aws(&dates));
    rows.push(watch.row());
    rows
}

fn of_settings(layers: &Layers) -> Row {
    let file = layers.file.as_ref().map_or_else(
        || "no settings file".to_owned(),
        |file| file.display().to_string(),
    );
    let told = layers.told();
    match told.first() {
        None => Row::ok(
            "settings",
            format!("{file}; settings said: {}", layers.said.len()),
        ),
        Some(first) => {
            let remedy = format!(
                "mend them: guardlake config validate lists all {}",
                told.len()
            );
            Row::failed("settings", first, remedy)
        }
    }
}

/// For people a narrow table, and below it what is to be done; for programs all columns.
fn print(rows: &[Row], format: Format) -> Result<(), Failure> {
    let value = |row: &Row| -> Value {
        json!({
            "check": row.check,
            "result": row.outcome.to_string(),
            "seen": alerts::clean(&row.seen, 1_000),
            "remedy": alerts::clean(&row.remedy, 2_000),
        })
    };
    let values: Vec<Value> = rows.iter().map(value).collect();
    if !matches!(format, Format::Table | Format::Markdown) {
        return output::values(&values, &["check", "result", "seen", "remedy"], format);
    }
    output::values(&values, &["check", "result", "seen"], format)?;
    let mut text = String::new();
    for (outcome, checks, remedy) in remedies(rows) {
        let (mark, remedy) = (mark(outcome), alerts::clean(remedy, 2_000));
        text.push_str(&format!("\n{mark} {}: {remedy}\n", checks.join(", ")));
    }
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    let (failed, warnings) = (count(Outcome::Failed), count(Outcome::Warning));
    text.push_str(&format!(
        "\n{} checks: {failed} failed, {warnings} warnings\n",
        rows.len()
    ));
    output::text(&text)
}

/// What is to be done, once where it mends several rows.
fn remedies(rows: &[Row]) -> Vec<(Outcome, Vec<&str>, &str)> {
    let mut all: Vec<(Outcome, Vec<&str>, &str)> = Vec::new();
    for row in rows.iter().filter(|row| !row.remedy.is_empty()) {
        match all
            .iter_mut()
            .find(|(outcome, _, remedy)| *outcome == row.outcome && *remedy == row.remedy)
        {
            Some((_, checks, _)) => checks.push(&row.check),
            None => all.push((row.outcome, vec![&row.check], &row.remedy)),
        }
    }
    all
}

fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Failed => "✗",
        _ => "!",
    }
}
