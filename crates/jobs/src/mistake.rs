//! What is wrong with a query, pointing at the word: DataFusion's errors told to a person.

use std::fmt;

use datafusion::common::diagnostic::Diagnostic;
use datafusion::common::{DataFusionError, Location, SchemaError};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::complete::Names;

/// Why a query gives no answer, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// What to do about it.
    pub kind: Remedy,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where in the text, if that is known.
    pub place: Option<Place>,
    /// What may have been meant.
    pub help: Option<String>,
}

/// What the asker should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Correct the query.
    Correct,
    /// Do not ask for changes: SQL access is read-only.
    ReadOnly,
    /// Ask for less, or allow more memory, disk or time.
    AskForLess,
    /// Try again: the store did not answer.
    Retry,
    /// Report it to us.
    Report,
}

/// A word in a text. Lines and columns count from 1, columns and length in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: u64,
    /// Column.
    pub column: u64,
    /// How many characters, at least 1.
    pub length: u64,
}

impl QueryError {
    /// A mistake in the query.
    pub(crate) fn correct(message: impl Into<String>, place: Option<Place>) -> QueryError {
        QueryError {
            kind: Remedy::Correct,
            message: message.into(),
            place,
            help: None,
        }
    }

    /// What changes something is refused, and told what does it instead.
    pub(crate) fn read_only(sql: &str) -> QueryError {
        let words = Words::of(sql);
        let verb = words.first_word().to_uppercase();
        let instead = match verb.as_str() {
            "COPY" => {
                "an answer is written to a file by `guardlake sql --output FILE.parquet` (or .csv, .json, .ndjson), at the prompt by \\o FILE"
            }
            "INSERT" | "MERGE" => {
                "findings come in by `guardlake ingest` and `guardlake run`, names of accounts by `guardlake accounts`"
            }
            "CREATE" => {
                "a view of your own is a file views/NAME.sql in the folder that --sql names; WITH name AS (..) holds for one query"
            }
            "UPDATE" | "DELETE" | "TRUNCATE" => {
                "rows stay as they came; what is too old is not stored (lake.retention), alerts are worked on by `guardlake alert`"
            }
            "DROP" | "ALTER" => "tables are made and changed by guardlake itself",
            "SET" | "RESET" => {
                "limits are the flags --timeout, --memory and --max-rows; times are in UTC, local_time(zone, time) shows others"
            }
            "PREPARE" | "EXECUTE" | "DEALLOCATE" => {
                "write $name in the query and give its value with -p name=value"
            }
            _ => "ask with SELECT or WITH",
        };
        QueryError {
            kind: Remedy::ReadOnly,
            message: "SQL is read-only here: SELECT, EXPLAIN, SHOW and DESCRIBE".to_owned(),
            place: words.first(),
            help: Some(instead.to_owned()),
        }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> QueryError {
        self.help = Some(help.into());
        self
    }

    /// From DataFusion's error about `sql`.
    pub(crate) fn of(error: &DataFusionError, sql: &str, names: &Names) -> QueryError {
        let words = Words::of(sql);
        let diagnostic = error.diagnostic();
        let root = error.find_root();
        let kind = remedy(root);
        let told = match root {
            DataFusionError::SchemaError(problem, _) => schema_problem(problem, names),
            DataFusionError::SQL(problem, _) => syntax_problem(&problem.to_string(), &words),
            _ => None,
        };
        let told = told
            .or_else(|| unknown_table(&root.message(), names))
            .or_else(|| unknown_function(&root.message(), names));
        let told = told.unwrap_or_else(|| Told {
            message: match root {
                DataFusionError::ResourcesExhausted(details) => format!(
                    "the query needs more memory than it may use: {}",
                    sentence(details.rsplit("Error: ").next().unwrap_or(details))
                ),
                _ if kind == Remedy::AskForLess => {
                    "the query needs more memory than it may use, and more disk than it may spill to".to_owned()
                }
                _ => sentence(&root.message()),
            },
            ..Told::default()
        });
        // A span may begin at the table of `table.column`: the word itself is at or after it.
        let place = match (diagnostic.and_then(|d| d.span), told.word.as_deref()) {
            (Some(span), Some(word)) => words
                .find_from(word, span.start)
                .or_else(|| Some(words.at(span.start))),
            (Some(span), None) => Some(words.at(span.start)),
            (None, Some(word)) => words.find(word),
            (None, None) => told.place,
        };
        let help = told
            .help
            .or_else(|| diagnostic.and_then(first_help))
            .or_else(|| advice(kind));
        QueryError {
            kind,
            message: told.message,
            place,
            help,
        }
    }

    /// The error with the line it is about and a caret under the word. `name` is what the text is called: a file, `query`.
    pub fn render(&self, name: &str, sql: &str) -> String {
        let mut out = format!("error: {}\n", self.message);
        if let Some(place) = self.place {
            out.push_str(&excerpt(name, sql, place));
        }
        if let Some(help) = &self.help {
            out.push_str(&format!("help: {help}\n"));
        }
        out
    }
}

/// A mistake in a rule or a timeline, with the line it is about and a caret under the word. `name` is what the file is called,
/// `text` all of it.
pub fn render_mistake(name: &str, text: &str, mistake: &alerts::Mistake) -> String {
    let line = text
        .lines()
        .nth(mistake.line.saturating_sub(1))
        .unwrap_or_default();
    let rest: Vec<char> = line
        .chars()
        .skip(mistake.column.saturating_sub(1))
        .collect();
    let is_word = |c: char| c.is_alphanumeric() || "_-.$".contains(c);
    let length = match rest.first() {
        Some(quote @ ('"' | '\'')) => rest[1..]
            .iter()
            .position(|c| c == quote)
            .map_or(1, |end| end + 2),
        _ => rest.iter().take_while(|c| is_word(**c)).count().max(1),
    };
    let place = Place {
        line: mistake.line.max(1) as u64,
        column: mistake.column.max(1) as u64,
        length: length as u64,
    };
    format!("error: {}\n{}", mistake.message, excerpt(name, text, place))
}

/// The line of a place with its number, and carets under the word.
fn excerpt(name: &str, text: &str, place: Place) -> String {
    let line = text
        .lines()
        .nth(place.line as usize - 1)
        .unwrap_or_default();
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    let indent: String = line
        .chars()
        .take(place.column as usize - 1)
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    let carets = "^".repeat(place.length as usize);
    let shown: String = line
        .chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect();
    format!(
        "{margin}--> {name}:{}:{}\n{margin} |\n{number} | {shown}\n{margin} | {indent}{carets}\n",
        place.line, place.column
    )
}

/// One line: `3:9: no column "x" (did you mean "y"?)`.
impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(f, "{}:{}: ", place.line, place.column)?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for QueryError {}

#[derive(Default)]
struct Told {
    message: String,
    word: Option<String>,
    place: Option<Place>,
    help: Option<String>,
}

fn remedy(root: &DataFusionError) -> Remedy {
    match root {
        DataFusionError::ResourcesExhausted(_) => Remedy::AskForLess,
        // Spilled more than allowed: an I/O error to DataFusion.
        error if error.message().contains("max_temp_directory_size") => Remedy::AskForLess,
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => Remedy::Retry,
        DataFusionError::Internal(_) => Remedy::Report,
        _ => Remedy::Correct,
    }
}

fn advice(kind: Remedy) -> Option<String> {
    let advice = "ask about a shorter period or fewer columns, group twice in place of count(DISTINCT ..), or allow more memory";
    (kind == Remedy::AskForLess).then(|| advice.to_owned())
}

fn schema_problem(problem: &SchemaError, names: &Names) -> Option<Told> {
    match problem {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            let in_reach: Vec<&str> = valid_fields
                .iter()
                .map(|column| column.name.as_str())
                .collect();
            let elsewhere = names.columns().any(|column| column == field.name)
                && !in_reach.contains(&field.name.as_str());
            let help = closest(&field.name, in_reach.iter().copied())
                .map(did_you_mean)
                .or_else(|| {
                    let tables = names.tables_with(&field.name);
                    (elsewhere && !tables.is_empty())
                        .then(|| format!("{} has it", tables.join(", ")))
                });
            Some(Told {
                message: format!("no column \"{}\"", field.name),
                word: Some(field.name.clone()),
                place: None,
                help,
            })
        }
        SchemaError::AmbiguousReference { field } => Some(Told {
            message: format!("column \"{}\" is in more than one table", field.name),
            word: Some(field.name.clone()),
            place: None,
            help: Some("write table.column".to_owned()),
        }),
        _ => None,
    }
}

/// `... at Line: 3, Column: 9`, as sqlparser ends its messages.
fn syntax_problem(text: &str, words: &Words) -> Option<Told> {
    let text = text.trim_start_matches("sql parser error: ");
    let (message, place) = match text.rsplit_once(" at Line: ") {
        Some((message, at)) => {
            let (line, column) = at.split_once(", Column: ")?;
            let column: String = column.chars().take_while(char::is_ascii_digit).collect();
            (
                message,
                Some(words.at(Location {
                    line: line.parse().ok()?,
                    column: column.parse().ok()?,
                })),
            )
        }
        None => (text, text.contains("EOF").then(|| words.end())),
    };
    Some(Told {
        message: sentence(message.trim_end_matches("found: ")),
        place,
        ..Told::default()
    })
}

fn unknown_table(message: &str, names: &Names) -> Option<Told> {
    let (before, _) = message.split_once("' not found")?;
    let full = before.rsplit_once("table '")?.1;
    let name = full.rsplit('.').next()?;
    let help = match name.contains('/') {
        true => Some("files cannot be read from SQL; load them with ingest".to_owned()),
        false => closest(name, names.tables()).map(did_you_mean),
    };
    Some(Told {
        message: format!("no table \"{name}\""),
        word: Some(name.to_owned()),
        place: None,
        help,
    })
}

fn unknown_function(message: &str, names: &Names) -> Option<Told> {
    let name = message
        .strip_prefix("Invalid function '")?
        .split_once('\'')?
        .0;
    let help = closest(name, names.functions()).map(did_you_mean);
    Some(Told {
        message: format!("no function \"{name}\""),
        word: Some(name.to_owned()),
        place: None,
        help,
    })
}

fn first_help(diagnostic: &Diagnostic) -> Option<String> {
    diagnostic.helps.first().map(|help| help.message.clone())
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean \"{name}\"?")
}

/// The name that a misspelt word most likely was: at most a third of it wrong.
pub fn closest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    names
        .map(|name| (strsim::osa_distance(&word, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// DataFusion's wording on one line, without its line breaks and trailing full stop.
fn sentence(message: &str) -> String {
    let text = message.split_whitespace().collect::<Vec<_>>().join(" ");
    text.trim_end_matches('.').to_owned()
}

/// The words of a text and where they stand.
pub(crate) struct Words {
    tokens: Vec<TokenWithSpan>,
    end: (u64, u64),
    readable: bool,
}

impl Words {
    pub(crate) fn of(sql: &str) -> Words {
        let mut tokens = Vec::new();
        // What comes before a broken token is still of use.
        let read =
            Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location_into_buf(&mut tokens);
        tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
        let line = sql.matches('\n').count() as u64 + 1;
        let column = sql.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1;
        Words {
            tokens,
            end: (line, column),
            readable: read.is_ok(),
        }
    }

    /// Whether all of the text is words: no string or comment is left open.
    pub(crate) fn is_readable(&self) -> bool {
        self.readable
    }

    /// Whether the last word is a semicolon.
    pub(crate) fn ends_with_semicolon(&self) -> bool {
        let last = self.tokens.iter().rfind(|t| t.token != Token::EOF);
        last.is_some_and(|last| last.token == Token::SemiColon)
    }

    /// Where the statements of the text end, in bytes, and whether there are words in them. The end of the text ends the last.
    pub(crate) fn ends_of_statements(&self, text: &str) -> Vec<(usize, bool)> {
        let (mut ends, mut words) = (Vec::new(), !self.readable && self.tokens.is_empty());
        let mut line_begins = vec![0];
        line_begins.extend(text.match_indices('\n').map(|(at, _)| at + 1));
        for token in &self.tokens {
            match token.token {
                Token::SemiColon => {
                    let at = token.span.start;
                    let line = line_begins
                        .get(at.line as usize - 1)
                        .copied()
                        .unwrap_or(text.len());
                    let mut characters = text[line..].char_indices();
                    let column = characters
                        .nth(at.column as usize - 1)
                        .map_or(text.len() - line, |(at, _)| at);
                    ends.push((line + column, words));
                    words = false;
                }
                Token::EOF => {}
                _ => words = true,
            }
        }
        ends.push((text.len(), words || !self.readable));
        ends
    }

    /// The token that begins at, or covers, a position.
    pub(crate) fn at(&self, at: Location) -> Place {
        let covers = |token: &&TokenWithSpan| begin(token) <= at && at < location(token.span.end);
        match self.tokens.iter().find(covers) {
            Some(token) => place(token),
            None => Place {
                line: at.line.max(1),
                column: at.column.max(1),
                length: 1,
            },
        }
    }

    /// The first token that is this word, whatever its case or quotes.
    pub(crate) fn find(&self, word: &str) -> Option<Place> {
        self.nth(word, 0)
    }

    /// The same, after so many others.
    pub(crate) fn nth(&self, word: &str, others: usize) -> Option<Place> {
        self.tokens
            .iter()
            .filter(|token| is_word(token, word))
            .nth(others)
            .map(place)
    }

    /// The same, at or after a position.
    fn find_from(&self, word: &str, from: Location) -> Option<Place> {
        self.tokens
            .iter()
            .find(|token| begin(token) >= from && is_word(token, word))
            .map(place)
    }

    /// The text of the first word; that after EXPLAIN and its options where it begins with that.
    fn first_word(&self) -> &str {
        let words = self.tokens.iter().filter_map(|token| match &token.token {
            Token::Word(word) => Some(word.value.as_str()),
            _ => None,
        });
        let skipped = ["explain", "analyze", "verbose"];
        let mut words =
            words.skip_while(|word| skipped.iter().any(|skip| word.eq_ignore_ascii_case(skip)));
        words.next().unwrap_or_default()
    }

    /// The first word of all.
    pub(crate) fn first(&self) -> Option<Place> {
        self.tokens.first().map(place)
    }

    fn end(&self) -> Place {
        Place {
            line: self.end.0,
            column: self.end.1,
            length: 1,
        }
    }
}

fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    match &token.token {
        Token::Word(found) => found.value.eq_ignore_ascii_case(word),
        Token::SingleQuotedString(found) | Token::Placeholder(found) => found == word,
        _ => false,
    }
}

fn begin(token: &TokenWithSpan) -> Location {
    location(token.span.start)
}

fn location(at: datafusion::sql::sqlparser::tokenizer::Location) -> Location {
    Location {
        line: at.line,
        column: at.column,
    }
}

fn place(token: &TokenWithSpan) -> Place {
    let (start, end) = (token.span.start, token.span.end);
    let length = if start.line == end.line {
        end.column.saturating_sub(start.column).max(1)
    } else {
        1
    };
    Place {
        line: start.line,
        column: start.column,
        length,
    }
}
