//! The file of a rule: a block comment that holds the header, and the one SELECT after it.

use crate::clean;
use crate::rule::statement::{Kind, stretches};
use crate::rule::{Mistake, Rule, RuleError, header};

pub(super) fn parse(id: &str, text: &str) -> Result<Rule, RuleError> {
    let mut reader = Reader {
        mistakes: Vec::new(),
    };
    let rule = reader.read(id, text);
    let mut mistakes = reader.mistakes;
    mistakes.sort();
    match rule {
        Some(rule) if mistakes.is_empty() => Ok(rule),
        _ => Err(RuleError {
            rule: id.to_owned(),
            file: format!("{id}.sql"),
            mistakes,
        }),
    }
}

/// Collects mistakes rather than stopping at the first.
pub(super) struct Reader {
    mistakes: Vec<Mistake>,
}

/// Line and column, both from 1.
pub(crate) type Place = (usize, usize);

impl Reader {
    /// Remembers a mistake and goes on.
    pub(super) fn note(&mut self, (line, column): Place, message: impl Into<String>) {
        self.mistakes.push(Mistake {
            line,
            column,
            message: message.into(),
        });
    }

    /// Remembers a mistake where a value should have been.
    pub(super) fn mistake<T>(&mut self, at: Place, message: impl Into<String>) -> Option<T> {
        self.note(at, message);
        None
    }

    /// `None` where there is a mistake; there may be mistakes even so.
    fn read(&mut self, id: &str, text: &str) -> Option<Rule> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if id.is_empty() || id.len() > 128 || !id.chars().all(fits) {
            let allowed =
                "name the file with letters, digits, `_`, `-` and `.`, at most 128 of them";
            self.note(
                (1, 1),
                format!("id: `{}` is no id for a rule; {allowed}", clean(id, 140)),
            );
        }
        // A byte order mark is no character of the first line to an editor.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let open = text.len() - text.trim_start().len();
        if !text[open..].starts_with("/*") {
            let header =
                "the file must begin with a block comment `/* ... */` that holds the rule's header";
            return self.mistake(place(text, open), header);
        }
        let Some(end) = text[open + 2..].find("*/").map(|len| open + 2 + len) else {
            return self.mistake(
                place(text, open),
                "the header's comment is never closed; `*/` is missing",
            );
        };
        if let Some(nested) = text[open + 2..=end].find("/*") {
            let nested = place(text, open + 2 + nested);
            self.note(nested, "the header holds `/*`, which opens a comment within the comment to SQL; leave it out");
        }
        // Blanks in place of what comes before, so that places in the YAML are places in the file.
        let yaml = format!("{}  {}", &text[..open], &text[open + 2..end]);
        let rule = header::read(self, id, &yaml, place(text, open));
        let sql = self.statement(text, end + 2);
        let (mut rule, (sql, (line, column))) = (rule?, sql?);
        (rule.sql, rule.sql_line, rule.sql_column) = (sql.to_owned(), line, column);
        Some(rule)
    }

    /// The one statement after the header, and where it begins.
    fn statement<'a>(&mut self, text: &'a str, from: usize) -> Option<(&'a str, Place)> {
        let sql = &text[from..];
        let stretches = stretches(sql);
        if let Some(at) = stretches.unterminated {
            let what = if sql[at..].starts_with("/*") {
                "comment"
            } else {
                "quote"
            };
            return self.mistake(
                place(text, from + at),
                format!("SQL: this {what} is never closed"),
            );
        }
        let mut code = stretches
            .all
            .iter()
            .filter(|(_, kind, _)| !matches!(kind, Kind::Space | Kind::Comment));
        let Some(&(start, kind, word)) = code.next() else {
            return self.mistake(
                place(text, text.trim_end().len()),
                "SQL: there is no SELECT after the header",
            );
        };
        if kind != Kind::Other
            || !["select", "with"]
                .iter()
                .any(|known| word.eq_ignore_ascii_case(known))
        {
            let word = clean(word, 40);
            return self.mistake(
                place(text, from + start),
                format!("SQL: must be one SELECT, but begins with `{word}`"),
            );
        }
        let mut end = sql.len();
        if let Some(&(semicolon, ..)) = code.by_ref().find(|(_, kind, _)| *kind == Kind::Semicolon)
        {
            end = semicolon;
            if let Some(&(second, ..)) = code.find(|(_, kind, _)| *kind != Kind::Semicolon) {
                let one = "SQL: a second statement begins here; a rule has one SELECT";
                return self.mistake(place(text, from + second), one);
            }
        }
        Some((sql[start..end].trim_end(), place(text, from + start)))
    }
}

/// Line and column of a byte of the file.
fn place(text: &str, at: usize) -> Place {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}
