//! `guardlake sql`: queries from the command line, a file or a pipe; else the prompt.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use jobs::{Answer, Given, QueryError, Session, closest, statements};

use super::worked_on::WorkedOn;
use super::{answer, given, library, repl};
use crate::args::{Format, Sql};
use crate::failure::Failure;
use crate::settings::Settings;

pub(crate) async fn run(
    args: Sql,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    let given = given(&args.params)?;
    let limits = answer::limits(&args.bounds)?;
    answer::check(&args.bounds)?;
    let (name, text) = match (args.query, args.file) {
        (Some(query), _) => ("query".to_owned(), query),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(&path)
                .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
            (path.display().to_string(), text)
        }
        (None, None) if std::io::stdin().is_terminal() => {
            if args.bounds.output.is_some() {
                return Err(Failure::usage(
                    "--output needs a query or -f FILE; at the prompt, \\o FILE",
                ));
            }
            let worked_on = WorkedOn::of(&args.bounds).await?;
            let library = library(settings, None)?;
            let session = worked_on.session(settings, &library, &limits).await?;
            let ended = repl::run(&session, &given, &args.bounds, format).await;
            worked_on.settled().await;
            return ended;
        }
        (None, None) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            ("stdin".to_owned(), text)
        }
    };
    let statements = statements(&text);
    if statements.len() > 1 && args.bounds.output.is_some() {
        return Err(Failure::usage(format!(
            "--output takes the answer of one query, and {name} has {}",
            statements.len()
        )));
    }
    let worked_on = WorkedOn::of(&args.bounds).await?;
    let wrong = |error: QueryError| Failure::asked(&error, &name, &text);
    let told = async {
        let library = library(settings, None)?;
        let session = worked_on.session(settings, &library, &limits).await?;
        if statements.is_empty() {
            session.sql(&text, &given).await.map_err(wrong)?;
        }
        known(&session, &statements, &given).map_err(wrong)?;
        for statement in &statements {
            let asked = ask(&session, statement, &given).await.map_err(wrong)?;
            answer::tell(asked, &args.bounds, format, wrong).await?;
        }
        Ok(ExitCode::SUCCESS)
    };
    worked_on.during(told).await
}

/// Asks one statement with those of the values that it names.
pub(crate) async fn ask(
    session: &Session,
    statement: &str,
    given: &Given,
) -> Result<Answer, QueryError> {
    let named = session.named(statement)?;
    let given = given.iter().filter(|(name, _)| named.contains(*name));
    let given = given
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    session.sql(statement, &given).await
}

/// A value that no statement names is a slip. What a statement that cannot be read might name is not known: its own mistake comes first.
fn known(session: &Session, statements: &[String], given: &Given) -> Result<(), QueryError> {
    let mut named = BTreeSet::new();
    for statement in statements {
        match session.named(statement) {
            Ok(names) => named.extend(names),
            Err(_) => return Ok(()),
        }
    }
    let Some(unknown) = given.keys().find(|name| !named.contains(*name)) else {
        return Ok(());
    };
    let help = match closest(unknown, named.iter().map(String::as_str)) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None if named.is_empty() => "it takes none".to_owned(),
        None => format!(
            "it takes {}",
            named.into_iter().collect::<Vec<_>>().join(", ")
        ),
    };
    Err(QueryError {
        kind: jobs::Remedy::Correct,
        message: format!("the query has no parameter \"{unknown}\""),
        place: None,
        help: Some(help),
    })
}
