//! The prompt of `guardlake sql`: queries of several lines, commands as psql has them, history, completion, a pager.

mod meta;
mod screen;
mod words;

use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::PoisonError;
use std::time::Instant;

use jobs::{Answer, Given, Kind, QueryError, Session, is_complete, statements};
use rustyline::Editor;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use tokio::task::block_in_place;

use super::answer::{Interrupt, Rows, took};
use super::{given, questions, sql};
use crate::args::{Bounds, Format};
use crate::failure::{Failure, note};
use crate::output::{self, ROWS, Sink};
use crate::wire_up;
use meta::Meta;
use words::{Above, Words};

/// What the prompt remembers.
struct Prompt<'a> {
    session: &'a Session,
    given: &'a Given,
    most: Option<usize>,
    format: Format,
    timing: bool,
    expanded: bool,
    height: Option<usize>,
    /// Where answers go, and as what.
    out: Option<(File, Format)>,
    /// Gives up the command that is being obeyed.
    interrupt: Interrupt,
    last: String,
}

pub(crate) async fn run(
    session: &Session,
    given: &Given,
    bounds: &Bounds,
    format: Format,
) -> Result<ExitCode, Failure> {
    let cannot = |e: ReadlineError| Failure::io(format!("cannot open the prompt: {e}"));
    let above = Above::default();
    let mut editor: Editor<Words, FileHistory> = Editor::new().map_err(cannot)?;
    editor.set_helper(Some(Words::new(session.names(), session.library(), &above)));
    let history = history_file();
    if let Some(path) = &history {
        // The first time there is none.
        let _ = editor.load_history(path);
    }
    note("A query ends with ;   \\? lists commands, \\q leaves.");
    let mut prompt = Prompt {
        session,
        given,
        most: bounds.max_rows,
        format,
        timing: true,
        expanded: false,
        height: None,
        out: None,
        interrupt: Interrupt::listen(),
        last: String::new(),
    };
    let mut query = String::new();
    loop {
        query.clone_into(&mut above.lock().unwrap_or_else(PoisonError::into_inner));
        let sign = if query.is_empty() {
            "guardlake> "
        } else {
            "       ...> "
        };
        let line = match block_in_place(|| editor.readline(sign)) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                query.clear();
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(cannot(error)),
        };
        prompt.height = std::io::stdout()
            .is_terminal()
            .then(|| editor.dimensions())
            .flatten()
            .map(|(_, rows)| usize::from(rows))
            .filter(|rows| *rows > 0);
        let command = if query.is_empty() {
            meta::read(&line)
        } else {
            None
        };
        if command.is_none() {
            if query.is_empty() && line.trim().is_empty() {
                continue;
            }
            query.push_str(&line);
            query.push('\n');
            if !is_complete(&query) {
                continue;
            }
        }
        let entry = if command.is_some() { &line } else { &query };
        // History is a convenience; a full disk must not end the session.
        if editor.add_history_entry(entry.trim()).unwrap_or(false)
            && let Some(path) = &history
        {
            let _ = editor.append_history(path);
        }
        prompt.interrupt = Interrupt::listen();
        let done = match command {
            Some(Ok(Meta::Quit)) => break,
            Some(Ok(command)) => prompt.obey(command, &mut query).await,
            Some(Err(why)) => Err(Failure::usage(why)),
            None => {
                let text = std::mem::take(&mut query);
                prompt.last.clone_from(&text);
                prompt.ask("query", &text).await
            }
        };
        if let Err(failure) = done {
            failure.tell();
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Prompt<'_> {
    async fn obey(&mut self, command: Meta, query: &mut String) -> Result<(), Failure> {
        match command {
            Meta::Help => screen::show(&meta::help(), self.height)?,
            Meta::Quit => {}
            Meta::Describe(Some(table)) => {
                if !self.session.names().tables().any(|name| name == table) {
                    let close = jobs::closest(&table, self.session.names().tables());
                    let hint = close.map_or("\\dt lists them".to_owned(), |name| {
                        format!("did you mean `{name}`?")
                    });
                    return Err(Failure::usage(format!(
                        "there is no table `{table}`; {hint}"
                    )));
                }
                self.ask("query", &format!("DESCRIBE {table}")).await?;
            }
            Meta::Describe(None) => {
                let lines: Vec<_> = self.session.names().tables().collect();
                screen::show(&format!("{}\n", lines.join("\n")), self.height)?;
            }
            Meta::Functions(word) => {
                let word = word.unwrap_or_default().to_lowercase();
                let names = self.session.names();
                let lines: Vec<_> = names
                    .functions()
                    .filter(|name| name.contains(&word))
                    .collect();
                screen::show(&format!("{}\n", lines.join("\n")), self.height)?;
            }
            Meta::Timing => {
                self.timing = !self.timing;
                note(if self.timing {
                    "times are shown"
                } else {
                    "times are not shown"
                });
            }
            Meta::Expanded => {
                self.expanded = !self.expanded;
                note(if self.expanded {
                    "a column a line"
                } else {
                    "a row a line"
                });
            }
            Meta::Output(None) => self.out = None,
            Meta::Output(Some(path)) => self.out = Some(create(&path)?),
            Meta::Include(path) => {
                let text = read(&path)?;
                self.ask(&path.display().to_string(), &text).await?;
            }
            Meta::Edit => {
                let text = block_in_place(|| edit(&self.last))?;
                if is_complete(&text) {
                    note(text.trim_end());
                    self.last.clone_from(&text);
                    self.ask("query", &text).await?;
                } else {
                    note(text.trim_end());
                    *query = text;
                }
            }
            Meta::Question(kind, words) => self.question(kind, words).await?,
        }
        Ok(())
    }

    /// Asks all statements of a text, up to the first mistake.
    async fn ask(&mut self, name: &str, text: &str) -> Result<(), Failure> {
        let (session, given) = (self.session, self.given);
        for statement in statements(text) {
            let wrong = |error: QueryError| Failure::asked(&error, name, text);
            let started = Instant::now();
            let asked = sql::ask(session, &statement, given);
            let answer = self
                .interrupt
                .during(async { asked.await.map_err(wrong) })
                .await?;
            self.show(answer, started, wrong).await?;
        }
        Ok(())
    }

    /// `\trend` and `\investigate`.
    async fn question(&mut self, kind: Kind, words: Vec<String>) -> Result<(), Failure> {
        let session = self.session;
        let mut words = words.into_iter();
        let Some(name) = words.next() else {
            let rows = questions::list(session.library(), kind)?;
            let lines = rows.iter().map(|row| {
                let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
                let name = [text("name"), text("must be given")].join(" ");
                format!("{:<40} {}", name.trim(), text("title"))
            });
            let text = lines.collect::<Vec<_>>().join("\n");
            return screen::show(&format!("{text}\n"), self.height);
        };
        let script = questions::find(session.library(), kind, &name)?;
        let (named, plain): (Vec<_>, Vec<_>) = words.partition(|word| word.contains('='));
        if let Some(more) = plain.get(1) {
            return Err(Failure::usage(format!(
                "`{more}`: one value, others as name=value"
            )));
        }
        let mut given = given(&named)?;
        questions::positional(&script, kind, plain.first().map(String::as_str), &mut given)?;
        let wrong = |error: QueryError| questions::wrong(&script, error);
        let started = Instant::now();
        let asked = async { session.run(&script, &given).await.map_err(wrong) };
        let answer = self.interrupt.during(asked).await?;
        self.show(answer, started, wrong).await
    }

    /// Shows an answer, then how many rows and how long.
    async fn show(
        &mut self,
        answer: Answer,
        started: Instant,
        wrong: impl Fn(QueryError) -> Failure,
    ) -> Result<(), Failure> {
        let mut rows = Rows::new(answer, self.most);
        let schema = rows.schema();
        let for_people = matches!(self.format, Format::Table | Format::Markdown);
        match &mut self.out {
            Some((file, format)) => {
                let sink = Sink::new(std::io::BufWriter::new(file), &schema, *format);
                self.interrupt.during(pour(&mut rows, sink, &wrong)).await?;
            }
            None if for_people && self.expanded => {
                let (mut held, mut number) = (Vec::new(), 0);
                let all = async {
                    while let Some(batch) = rows.next().await.map_err(&wrong)? {
                        let shown = batch.num_rows().min(ROWS - number);
                        number += shown;
                        held.push(batch.slice(0, shown));
                    }
                    Ok(())
                };
                self.interrupt.during(all).await?;
                let mut text = output::expanded(&schema, &held)
                    .map_err(|e| Failure::io(format!("cannot show the answer: {e}")))?;
                if rows.seen() > number {
                    text.push_str(&format!(
                        "... {} more rows; ask with LIMIT\n",
                        rows.seen() - number
                    ));
                }
                block_in_place(|| screen::show(&text, self.height))?;
            }
            None if for_people => {
                let mut text = Vec::new();
                let sink = Sink::new(&mut text, &schema, self.format);
                self.interrupt.during(pour(&mut rows, sink, &wrong)).await?;
                let text = String::from_utf8_lossy(&text).into_owned();
                block_in_place(|| screen::show(&text, self.height))?;
            }
            None => {
                let sink = Sink::new(
                    std::io::BufWriter::new(std::io::stdout()),
                    &schema,
                    self.format,
                );
                self.interrupt.during(pour(&mut rows, sink, &wrong)).await?;
            }
        }
        if let Some(left_out) = rows.left_out() {
            note(&left_out);
        }
        let number = rows.number();
        match self.timing {
            true => note(&format!("({number}, {})", took(started))),
            false => note(&format!("({number})")),
        }
        Ok(())
    }
}

/// All rows into a sink.
async fn pour<W: std::io::Write>(
    rows: &mut Rows,
    sink: output::Written<Sink<W>>,
    wrong: &impl Fn(QueryError) -> Failure,
) -> Result<(), Failure> {
    let mut sink = match sink {
        Ok(sink) => sink,
        Err(error) => return output::seen(Err(error)),
    };
    while let Some(batch) = rows.next().await.map_err(wrong)? {
        if let Err(error) = sink.write(&batch) {
            return output::seen(Err(error));
        }
    }
    output::seen(sink.finish().map(drop))
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))
}

/// A new file for answers.
fn create(path: &Path) -> Result<(File, Format), Failure> {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let format = match ending.as_deref() {
        Some("csv") => Format::Csv,
        Some("json") => Format::Json,
        Some("ndjson" | "jsonl") => Format::Ndjson,
        Some("md") => Format::Markdown,
        Some("parquet") => {
            return Err(Failure::usage(
                "a Parquet file holds one answer: guardlake sql QUERY --output FILE.parquet",
            ));
        }
        _ => Format::Table,
    };
    let file = File::create_new(path)
        .map_err(|e| Failure::usage(format!("cannot make {}: {e}", path.display())))?;
    Ok((file, format))
}

/// A text after it was in the user's editor.
fn edit(text: &str) -> Result<String, Failure> {
    let cannot = |e: std::io::Error| Failure::io(format!("cannot edit: {e}"));
    let file = tempfile::Builder::new()
        .suffix(".sql")
        .tempfile()
        .map_err(cannot)?;
    std::fs::write(file.path(), text).map_err(cannot)?;
    let editor = wire_up::program(&["VISUAL", "EDITOR"]).unwrap_or_else(|| "vi".to_owned());
    // The name may hold blanks, so the shell gets it as an argument.
    let status = Command::new("sh")
        .args(["-c", &format!("{editor} \"$1\""), "sh"])
        .arg(file.path())
        .status()
        .map_err(cannot)?;
    if !status.success() {
        return Err(Failure::io(format!("`{editor}` ended with {status}")));
    }
    read(file.path())
}

/// Where what was typed is kept: in the user's folder for such things, for the user's eyes only.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.filter(|folder| folder.is_absolute());
    let folder =
        state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    let folder = folder.join("guardlake");
    std::fs::create_dir_all(&folder).ok()?;
    let file = folder.join("history");
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let open = File::options()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&file)
            .ok()?;
        open.set_permissions(std::fs::Permissions::from_mode(0o600))
            .ok()?;
    }
    Some(file)
}
