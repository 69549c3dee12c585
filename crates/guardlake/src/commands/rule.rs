//! `guardlake rule`: list, check and convert alert rules.

use std::path::Path;
use std::process::ExitCode;

use jobs::rules::{self, RuleFile};
use jobs::{Library, Limits, Session, Source};
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
        Rule::Convert {
            what,
            rules: RuleFolder { rules },
        } => convert(&what, || library(settings, rules.as_deref())),
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

/// Prints rules as files of SQL, a line before each that names it where there are several.
fn convert(
    what: &str,
    library: impl FnOnce() -> Result<Library, Failure>,
) -> Result<ExitCode, Failure> {
    let path = Path::new(what);
    let is_file = |kind| path.extension().is_some_and(|of_path| of_path == kind);
    let files = if ["sql", "yml", "yaml"].into_iter().any(is_file) {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("cannot read {what}: {error}")))?;
        rules::read(&Source {
            name: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            file: what.to_owned(),
            text: text.into(),
        })
    } else {
        let mut files = rules::load(&library()?);
        let ids: Vec<String> = files.iter().map(|file| file.id.clone()).collect();
        files.retain(|file| file.id == what);
        if files.is_empty() {
            let near = jobs::closest(what, ids.iter().map(String::as_str));
            let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err(Failure::usage(format!("there is no rule {what}{hint}")));
        }
        files
    };
    let mut wrong = false;
    for file in &files {
        match &file.rule {
            Ok(_) if files.len() == 1 => output::text(&file.text)?,
            Ok(rule) => output::text(&format!("-- {}.sql\n{}", rule.id, file.text))?,
            Err(error) => {
                wrong = true;
                error
                    .to_string()
                    .lines()
                    .for_each(|line| note(&format!("error: {line}")));
            }
        }
    }
    Ok(if wrong {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}
