//! One file a command.

mod accounts;
mod alert;
mod answer;
mod backfill;
mod config;
mod demo;
mod doctor;
mod ingest;
mod investigate;
mod lake;
mod notify;
mod questions;
mod repl;
mod report;
mod rule;
mod run;
mod sample;
mod sql;
mod trend;
mod worked_on;

use std::process::ExitCode;

use alerts::Suppression;
use jobs::{Given, Library, Limits, Session};

use crate::args::{Args, Command, SuppressionFolder};
use crate::failure::Failure;
use crate::output::format_or_default;
use crate::settings::Settings;
use crate::wire_up;

/// Runs the command that was asked for.
pub(crate) async fn run(args: Args, settings: Settings) -> Result<ExitCode, Failure> {
    let format = format_or_default(args.format);
    // These two read the settings themselves, to say what is wrong with them.
    match &args.command {
        Command::Config(config) => return config::run(config, &args, format).await,
        Command::Doctor(doctor) => return doctor::run(doctor, &args, format).await,
        _ => {}
    }
    match args.command {
        Command::Demo(demo) => demo::run(demo, &settings).await,
        Command::Run(run) => run::run(run, &settings).await,
        Command::Ingest(ingest) => ingest::run(ingest, &settings, format).await,
        Command::Backfill(backfill) => backfill::run(backfill, &settings, format).await,
        Command::Sample(sample) => sample::run(&sample),
        Command::Sql(sql) => sql::run(sql, &settings, format).await,
        Command::Trend(trend) => trend::run(trend, &settings, format).await,
        Command::Investigate(about) => investigate::run(about, &settings, format).await,
        Command::Rule(rule) => rule::run(rule, &settings, args.format).await,
        Command::Alert(alert) => alert::run(alert, &settings, format).await,
        Command::Notify(notify) => notify::run(notify, &settings, format).await,
        Command::Accounts(accounts) => accounts::run(accounts, &settings, format).await,
        Command::Report(report) => report::run(report, &settings, format).await,
        Command::Lake(lake) => lake::run(lake, &settings, format).await,
        Command::Config(_) | Command::Doctor(_) => Ok(ExitCode::SUCCESS),
    }
}

/// The SQL that this process uses: built-in files, the user's over them, and the rules of a folder instead.
fn library(settings: &Settings, rules: Option<&std::path::Path>) -> Result<Library, Failure> {
    let library = match &settings.sql.dir {
        Some(folder) => Library::with_overlay(folder),
        None => Ok(Library::built_in()),
    };
    let library = match rules.or(settings.rules.dir.as_deref()) {
        Some(folder) => library.and_then(|library| library.with_rules_only(folder)),
        None => library,
    };
    library.map_err(|error| match error {
        jobs::ScriptError::Read { .. } => Failure::usage(with_source(&error)),
        jobs::ScriptError::Header { .. } => Failure::query(with_source(&error)),
    })
}

/// The suppressions of all files of a folder, in order of their files; none where there is no folder. An error names all that is
/// wrong with any of them.
fn suppressions(
    settings: &Settings,
    given: &SuppressionFolder,
) -> Result<Vec<Suppression>, Failure> {
    let Some(folder) = given.dir.as_ref().or(settings.suppressions.dir.as_ref()) else {
        return Ok(Vec::new());
    };
    let unreadable = |path: &std::path::Path, error: std::io::Error| {
        Failure::usage(format!("cannot read {}: {error}", path.display()))
    };
    let entries = std::fs::read_dir(folder).map_err(|e| unreadable(folder, e))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<_> = paths
        .collect::<Result<_, _>>()
        .map_err(|e| unreadable(folder, e))?;
    paths.retain(|path| {
        path.extension()
            .is_some_and(|end| end == "yml" || end == "yaml")
    });
    paths.sort();
    let (mut all, mut wrong): (Vec<Suppression>, Vec<String>) = (Vec::new(), Vec::new());
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
        let file = path.display().to_string();
        match Suppression::parse(&file, &text, wire_up::now()) {
            Ok(read) => {
                for suppression in read {
                    if let Some(known) = all.iter().find(|known| known.id == suppression.id) {
                        let (id, other) = (&known.id, &known.file);
                        wrong.push(format!("{file}: id: `{id}` is in {other} too"));
                    }
                    all.push(suppression);
                }
            }
            Err(error) => wrong.push(error.to_string()),
        }
    }
    if wrong.is_empty() {
        Ok(all)
    } else {
        Err(Failure::query(wrong.join("\n")))
    }
}

fn with_source(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// A look at the lake with the library's views, within limits.
async fn session(
    settings: &Settings,
    library: &Library,
    limits: &Limits,
) -> Result<Session, Failure> {
    let lake = wire_up::lake(settings).await?;
    Ok(Session::open(&lake, library, limits).await?)
}

/// `NAME=VALUE` arguments as parameters.
fn given(params: &[String]) -> Result<Given, Failure> {
    params
        .iter()
        .map(|param| match param.split_once('=') {
            Some((name, value)) => Ok((name.trim_start_matches('$').to_owned(), value.to_owned())),
            None => Err(Failure::usage(format!("`{param}` is not NAME=VALUE"))),
        })
        .collect()
}
