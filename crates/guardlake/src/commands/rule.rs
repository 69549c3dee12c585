//! `guardlake rule`: list, check, test and backtest alert rules.

mod backtest;
mod test;

use std::path::Path;
use std::process::ExitCode;

use alerts::Mistake;

use jobs::rules::{self, RuleFile};
use jobs::{Library, Limits, Session, render_mistake};
use serde_json::json;

use super::library;
use crate::args::{Format, Rule, RuleFolder};
use crate::failure::{Failure, note};
use crate::output;
use crate::settings::Settings;

pub(crate) async fn run(
    args: Rule,
    settings: &Settings,
    asked: Option<Format>,
) -> Result<ExitCode, Failure> {
    let format = output::format_or_default(asked);
    match args {
        Rule::List(RuleFolder { rules }) => list(&library(settings, rules.as_deref())?, format),
        Rule::Check(RuleFolder { rules }) => check(&library(settings, rules.as_deref())?).await,
        Rule::Test {
            paths,
            rules: RuleFolder { rules },
            junit,
        } => {
            let library = library(settings, rules.as_deref())?;
            // One line a test, on a terminal or in the log of a build.
            let format = asked.unwrap_or(Format::Table);
            test::run(&library, &paths, junit.as_deref(), format).await
        }
        Rule::Backtest(args) => backtest::run(args, settings, format).await,
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
    for RuleFile { rule, file, text } in &files {
        let outcome = match rule {
            Ok(rule) => rules::check(&session, rule).await,
            Err(error) => Err(error.clone()),
        };
        if let Err(error) = outcome {
            wrong += 1;
            tell(file, text, &error.mistakes);
        }
    }
    note(&format!("{} rules checked, {wrong} wrong", files.len()));
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}

/// Says all that is wrong with a file, each with its line and a caret under the word.
fn tell(file: &str, text: &str, mistakes: &[Mistake]) {
    for mistake in mistakes {
        note(render_mistake(file, text, mistake).trim_end());
    }
}

/// A rule that is not installed, from its file.
fn rule_at(path: &Path) -> Result<RuleFile, Failure> {
    let source =
        Library::source_at(path).map_err(|error| Failure::usage(super::with_source(&error)))?;
    Ok(RuleFile {
        rule: alerts::Rule::parse(&source.name, &source.text),
        file: source.file,
        text: source.text,
    })
}
