//! One file a command.

mod alert;
mod demo;
mod ingest;
mod lake;
mod repl;
mod rule;
mod run;
mod sample;
mod sql;
mod trend;

use std::process::ExitCode;

use jobs::{Given, Library, Limits, Session};

use crate::args::{Args, Command};
use crate::failure::Failure;
use crate::output::format_or_default;
use crate::settings::Settings;
use crate::wire_up;

/// Runs the command that was asked for.
pub(crate) async fn run(args: Args, settings: Settings) -> Result<ExitCode, Failure> {
    let format = format_or_default(args.format);
    match args.command {
        Command::Demo(demo) => demo::run(demo, &settings).await,
        Command::Run(run) => run::run(run, &settings).await,
        Command::Ingest(ingest) => ingest::run(ingest, &settings, format).await,
        Command::Sample(sample) => sample::run(&sample),
        Command::Sql(sql) => sql::run(sql, &settings, format).await,
        Command::Trend(trend) => trend::run(trend, &settings, format).await,
        Command::Rule(rule) => rule::run(rule, &settings, args.format).await,
        Command::Alert(alert) => alert::run(alert, &settings, format).await,
        Command::Lake(lake) => lake::run(lake, &settings, format).await,
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

fn with_source(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// A look at the lake with the library's views.
async fn session(settings: &Settings, library: &Library) -> Result<Session, Failure> {
    let lake = wire_up::lake(settings).await?;
    Ok(Session::open(&lake, library, &Limits::default()).await?)
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
