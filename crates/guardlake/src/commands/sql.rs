//! `guardlake sql`: one query from the command line, a file or a pipe; else the prompt.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use jobs::{Given, Session};

use super::{given, library, repl, session};
use crate::args::{Format, Sql};
use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;

pub(crate) async fn run(
    args: Sql,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    let given = given(&args.params)?;
    let (name, text) = match (args.query, args.file) {
        (Some(query), _) => ("query".to_owned(), query),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(&path)
                .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
            (path.display().to_string(), text)
        }
        (None, None) if std::io::stdin().is_terminal() => {
            let session = session(settings, &library(settings, None)?).await?;
            return repl::run(&session, &given, format).await;
        }
        (None, None) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            ("stdin".to_owned(), text)
        }
    };
    let session = session(settings, &library(settings, None)?).await?;
    print(&session, &name, &text, &given, format).await?;
    Ok(ExitCode::SUCCESS)
}

/// Asks and prints. A mistake names the query's file, line and word.
pub(crate) async fn print(
    session: &Session,
    name: &str,
    text: &str,
    given: &Given,
    format: Format,
) -> Result<(), Failure> {
    let wrong = |error: jobs::QueryError| Failure::query(error.render(name, text));
    let answer = session.sql(text, given).await.map_err(wrong)?;
    let schema = answer.schema();
    let batches = answer.collect().await.map_err(wrong)?;
    output::rows(&schema, &batches, format)
}
