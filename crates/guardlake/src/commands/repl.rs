//! The prompt of `guardlake sql`: history, completion of tables, columns, functions and keywords, `;` ends a query.

use std::path::PathBuf;
use std::process::ExitCode;

use jobs::{Given, Names, Session, complete};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Context, Editor, Helper};

use super::sql;
use crate::args::Format;
use crate::failure::{Failure, note};

const HELP: &str = "End a query with ; or a blank line. \\d lists tables, \\d TABLE its columns, \\q or Ctrl-D leaves.";

pub(crate) async fn run(
    session: &Session,
    given: &Given,
    format: Format,
) -> Result<ExitCode, Failure> {
    let cannot = |e: ReadlineError| Failure::io(format!("cannot open the prompt: {e}"));
    let mut editor: Editor<Words, DefaultHistory> = Editor::new().map_err(cannot)?;
    editor.set_helper(Some(Words {
        names: session.names().clone(),
    }));
    let history = history_file();
    if let Some(path) = &history {
        // The first time there is none.
        let _ = editor.load_history(path);
    }
    note(HELP);
    let mut query = String::new();
    loop {
        let prompt = if query.is_empty() {
            "guardlake> "
        } else {
            "       ...> "
        };
        let line = match tokio::task::block_in_place(|| editor.readline(prompt)) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                query.clear();
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(cannot(error)),
        };
        if query.is_empty() {
            match line.trim() {
                "" => continue,
                "\\q" | "exit" | "quit" | "exit;" | "quit;" => break,
                "\\?" | "\\h" | "help" | "help;" => {
                    note(HELP);
                    continue;
                }
                _ => {}
            }
        }
        let ends =
            line.trim().is_empty() || line.trim_end().ends_with(';') || line.starts_with('\\');
        query.push_str(&line);
        query.push('\n');
        if !ends {
            continue;
        }
        let text = std::mem::take(&mut query);
        // History is a convenience; a full disk must not end the session.
        let _ = editor.add_history_entry(text.trim());
        let asked =
            described(text.trim()).unwrap_or_else(|| text.trim().trim_end_matches(';').to_owned());
        if let Err(failure) = sql::print(session, "query", &asked, given, format).await {
            failure.tell();
        }
    }
    if let Some(path) = &history {
        let _ = editor.save_history(path);
    }
    Ok(ExitCode::SUCCESS)
}

/// `\d` and `\d TABLE` as SQL.
fn described(text: &str) -> Option<String> {
    let rest = text.strip_prefix("\\d")?.trim().trim_end_matches(';');
    let plain = rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match rest {
        "" => Some("SHOW TABLES".to_owned()),
        table if plain => Some(format!("DESCRIBE {table}")),
        _ => None,
    }
}

fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let folder =
        state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    let folder = folder.join("guardlake");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

struct Words {
    names: Names,
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, candidates) = complete(line, pos, &self.names);
        let pair = |candidate: jobs::Candidate| Pair {
            display: candidate.text.clone(),
            replacement: candidate.text,
        };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

impl Helper for Words {}
impl Hinter for Words {
    type Hint = String;
}
impl Highlighter for Words {}
impl Validator for Words {}
