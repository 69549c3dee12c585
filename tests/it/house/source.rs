//! Rules about Rust text: no SQL in strings, no clock and no world in quiet rooms. Test code and comments are left out.

use super::repository::TextFile;
use super::rooms::is_quiet;

/// Strings that look like SQL and may: file, how the string begins, why.
const ALLOWED: [(&str, &str, &str); 5] = [
    (
        "crates/alerts/src/evidence.rs",
        "SELECT * FROM gaps",
        "the same, for a gap in a stream",
    ),
    (
        "crates/alerts/src/evidence.rs",
        "SELECT * FROM (",
        "the SQL that shows an alert's rows again is what the file makes",
    ),
    (
        "crates/alerts/src/sigma/sheet.rs",
        "SELECT{start}",
        "the SELECT of a rule is what Sigma documents become",
    ),
    (
        "crates/jobs/src/backtest.rs",
        "SELECT * FROM {HELD_ROWS}",
        "a rule's own rows, held in memory in its SELECT's place",
    ),
    (
        "crates/jobs/src/rules/check.rs",
        "select from observations, not",
        "a sentence to a person",
    ),
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word { line: usize, word: String },
    Text { line: usize, text: String },
    Sign(char),
}

/// Strings of a crate's sources that hold SQL, which belongs into `sql/`.
pub(super) fn sql_in_strings(files: &[TextFile]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| is_product(&file.path)) {
        for token in without_tests(tokens(&file.text)) {
            let Token::Text { line, text } = token else {
                continue;
            };
            let text = text.trim_start();
            let allowed = ALLOWED
                .iter()
                .any(|(path, start, _)| file.path == *path && text.starts_with(start));
            if is_sql(text) && !allowed {
                let start: String = text.chars().take(40).collect();
                complaints.push(format!("{}:{line}: SQL in a string: {start:?}", file.path));
            }
        }
    }
    complaints
}

/// Places in quiet crates that read the clock or touch the world.
pub(super) fn world_in_quiet_rooms(files: &[TextFile]) -> Vec<String> {
    const WORDS: [&str; 6] = [
        "Instant",
        "SystemTime",
        "TcpListener",
        "TcpStream",
        "UdpSocket",
        "disallowed_methods",
    ];
    const STD: [&str; 4] = ["env", "fs", "process", "thread"];
    let mut complaints = Vec::new();
    for file in files
        .iter()
        .filter(|file| is_product(&file.path) && is_quiet(&file.path))
    {
        let tokens = without_tests(tokens(&file.text));
        for (at, token) in tokens.iter().enumerate() {
            let Token::Word { line, word } = token else {
                continue;
            };
            let of_std = STD.contains(&word.as_str()) && at > 2 && is_std(&tokens[at - 3..at]);
            // The clock and the zone of the machine, as crates for calendars offer them.
            let of_calendar = ["now", "system"].contains(&word.as_str())
                && at > 1
                && matches!(tokens[at - 2..at], [Token::Sign(':'), Token::Sign(':')]);
            if of_std || of_calendar || WORDS.contains(&word.as_str()) {
                complaints.push(format!("{}:{line}: `{word}` in a quiet crate", file.path));
            }
        }
    }
    complaints
}

fn is_std(before: &[Token]) -> bool {
    matches!(before, [Token::Word { word, .. }, Token::Sign(':'), Token::Sign(':')] if word == "std")
}

/// Sources of a crate that are no tests.
fn is_product(path: &str) -> bool {
    let tests = ["/tests.rs", "/testing.rs"];
    path.contains("/src/") && !path.contains("/tests/") && !tests.iter().any(|t| path.ends_with(t))
}

fn is_sql(text: &str) -> bool {
    let mut words = text.split_whitespace().map(str::to_ascii_uppercase);
    let (first, second) = (words.next(), words.next().unwrap_or_default());
    match first.as_deref() {
        Some("SELECT") => !second.is_empty(),
        Some("INSERT") => second == "INTO",
        Some("WITH") => words.next().as_deref() == Some("AS"),
        Some("CREATE") => {
            let things = [
                "EXTERNAL",
                "OR",
                "SCHEMA",
                "TABLE",
                "TEMPORARY",
                "UNBOUNDED",
                "VIEW",
            ];
            things.contains(&second.as_str())
        }
        _ => false,
    }
}

/// Leaves out each item under `#[cfg(test)]`.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_cfg_test(&tokens[at..]) {
            at = end_of_item(&tokens, at + 7);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

fn is_cfg_test(tokens: &[Token]) -> bool {
    let expected = ["#", "[", "cfg", "(", "test", ")", "]"];
    tokens.len() >= expected.len()
        && tokens
            .iter()
            .zip(expected)
            .all(|(token, expected)| match token {
                Token::Word { word, .. } => word == expected,
                Token::Sign(sign) => expected == sign.to_string(),
                Token::Text { .. } => false,
            })
}

/// Past the semicolon or the closing brace that ends the item, whichever comes first outside of all brackets.
fn end_of_item(tokens: &[Token], start: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']') => depth -= 1,
            Token::Sign('}') if depth == 1 => return at + 1,
            Token::Sign('}') => depth -= 1,
            Token::Sign(';') if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Rust source as words, strings and signs; comments, characters and white space are left out.
fn tokens(source: &str) -> Vec<Token> {
    let mut reader = Reader {
        rest: source,
        line: 1,
    };
    let mut tokens = Vec::new();
    while let Some(next) = reader.rest.chars().next() {
        if reader.rest.starts_with("//") {
            let end = reader.rest.find('\n').unwrap_or(reader.rest.len());
            reader.skip(end);
        } else if reader.rest.starts_with("/*") {
            reader.skip_block_comment();
        } else if next == '"' {
            let line = reader.line;
            tokens.push(Token::Text {
                line,
                text: reader.string(),
            });
        } else if next == '\'' {
            reader.skip_quote();
        } else if next.is_alphanumeric() || next == '_' {
            let (line, word) = (reader.line, reader.word());
            match reader.raw_string(&word) {
                Some(text) => tokens.push(Token::Text { line, text }),
                // A string or character of bytes: what follows the letter is read next.
                None if word == "b" || word == "c" => {}
                None => tokens.push(Token::Word { line, word }),
            }
        } else {
            reader.skip(next.len_utf8());
            if !next.is_whitespace() {
                tokens.push(Token::Sign(next));
            }
        }
    }
    tokens
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    fn skip(&mut self, bytes: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at(bytes);
        self.line += skipped.matches('\n').count();
        self.rest = rest;
        skipped
    }

    fn word(&mut self) -> String {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        self.skip(end.unwrap_or(self.rest.len())).to_owned()
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        loop {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.skip(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.skip(2);
                if depth == 0 {
                    return;
                }
            } else {
                let Some(next) = self.rest.chars().next() else {
                    return;
                };
                self.skip(next.len_utf8());
            }
        }
    }

    /// A string in quotes. `\n` becomes a line break; of other escapes the character after the backslash stays.
    fn string(&mut self) -> String {
        let mut text = String::new();
        let mut escaped = false;
        let mut length = self.rest.len();
        for (at, c) in self.rest.char_indices().skip(1) {
            match (escaped, c) {
                (true, 'n') => text.push('\n'),
                (false, '"') => {
                    length = at + 1;
                    break;
                }
                (false, '\\') => {}
                _ => text.push(c),
            }
            escaped = !escaped && c == '\\';
        }
        self.skip(length);
        text
    }

    /// The string after a prefix such as `r` or `br`, when there is one.
    fn raw_string(&mut self, prefix: &str) -> Option<String> {
        if !["r", "br", "cr"].contains(&prefix) {
            return None;
        }
        let hashes = self.rest.len() - self.rest.trim_start_matches('#').len();
        let body = self.rest[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = body.find(&end)?;
        let text = body[..length].to_owned();
        self.skip(hashes + 1 + length + end.len());
        Some(text)
    }

    /// A character, or the tick of a lifetime.
    fn skip_quote(&mut self) {
        let mut chars = self.rest.char_indices().skip(1);
        let (first, second) = (chars.next(), chars.next());
        let length = match (first, second) {
            (Some((_, '\\')), Some((at, escaped))) => {
                let from = at + escaped.len_utf8();
                self.rest[from..]
                    .find('\'')
                    .map_or(self.rest.len(), |end| from + end + 1)
            }
            (Some(_), Some((at, '\''))) => at + 1,
            _ => 1,
        };
        self.skip(length);
    }
}

#[cfg(test)]
mod tests;
