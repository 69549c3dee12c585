//! `guardlake rule`: list and check alert rules.

use std::process::ExitCode;

use jobs::rules::{self, RuleFile};
use jobs::{Library, Limits, Session};
use serde_json::json;

use super::library;
use crate::args::{Format, Rule, RuleFolder};
use crate::failure::{Failure, note};
use crate::output;
use crate::settings::Settings;

pub(crate) async fn run(
    args: Rule,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    match args {
        Rule::List(RuleFolder { rules }) => list(&library(settings, rules.as_deref())?, format),
        Rule::Check(RuleFolder { rules }) => check(&library(settings, rules.as_deref())?).await,
    }
}

fn list(library: &Library, format: Format) -> Result<ExitCode, Failure> {
    let files = rules::load(library);
    let mut rows = Vec::new();
    for file in &files {
        match &file.rule {
            Ok(rule) => rows.push(json!({
                "rule": rule.id,
                "title": rule.title,
                "severity": rule.severity.as_str(),
                "count": rule.count.to_string(),
                "group_by": rule.group_by,
                "threshold": rule.threshold,
                "window": rule.window.as_str(),
                "enabled": rule.enabled,
                "file": file.file,
            })),
            Err(error) => error
                .to_string()
                .lines()
                .for_each(|line| note(&format!("error: {line}"))),
        }
    }
    let columns = [
        "rule",
        "title",
        "severity",
        "count",
        "group_by",
        "threshold",
        "window",
        "enabled",
    ];
    output::values(&rows, &columns, format)?;
    Ok(if rows.len() == files.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}

/// Checks every rule and says all that is wrong with each.
async fn check(library: &Library) -> Result<ExitCode, Failure> {
    let session = Session::in_memory(vec![], library, &Limits::default()).await?;
    let files = rules::load(library);
    let mut wrong = 0;
    for RuleFile { rule, .. } in &files {
        let outcome = match rule {
            Ok(rule) => rules::check(&session, rule)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = outcome {
            wrong += 1;
            error
                .lines()
                .for_each(|line| note(&format!("error: {line}")));
        }
    }
    note(&format!("{} rules checked, {wrong} wrong", files.len()));
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}
