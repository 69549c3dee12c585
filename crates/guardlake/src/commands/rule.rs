//! `guardlake rule`: list, check, convert, test and backtest alert rules.

mod backtest;
mod test;

use std::path::Path;
use std::process::ExitCode;

use alerts::Mistake;

use jobs::rules::{self, RuleFile};
use jobs::{Library, Limits, Session, Source, render_mistake};
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
        Rule::Convert {
            what,
            rules: RuleFolder { rules },
        } => convert(&what, || library(settings, rules.as_deref())),
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
    for RuleFile {
        rule, file, text, ..
    } in &files
    {
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
    let mut files = rules::read(&source);
    match (files.pop(), files.len()) {
        (Some(file), 0) => Ok(file),
        (_, more) => Err(Failure::usage(format!(
            "{} holds {} rules; give the id of one, with --rules for its folder",
            path.display(),
            more + 1
        ))),
    }
}
