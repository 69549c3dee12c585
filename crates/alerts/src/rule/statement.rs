//! The SELECT of a rule, looked at as text: where quotes and comments begin and end, and nothing else. What it means is
//! for whoever can plan it.

/// A stretch of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Space,
    Comment,
    /// A string or a quoted name, quotes included.
    Quoted,
    Semicolon,
    Other,
}

/// SQL cut into stretches, and the byte at which a quote or comment begins that never ends.
pub(super) struct Stretches<'a> {
    pub(super) all: Vec<(usize, Kind, &'a str)>,
    pub(super) unterminated: Option<usize>,
}

/// The SQL with every run of white space and comments made one space, quotes left alone: two texts that mean the same to
/// the parser are equal unless they differ in case or in optional spaces.
pub(super) fn normal(sql: &str) -> String {
    let mut normal = String::with_capacity(sql.len());
    let mut gap = false;
    for (_, kind, text) in stretches(sql).all {
        if matches!(kind, Kind::Space | Kind::Comment) {
            gap = true;
            continue;
        }
        if std::mem::take(&mut gap) && !normal.is_empty() {
            normal.push(' ');
        }
        normal.push_str(text);
    }
    normal
}

/// The SQL with a placeholder (`$name`) replaced, outside quotes and comments.
pub(crate) fn with_time(sql: &str, placeholder: &str, instead: &str) -> String {
    let name = placeholder.trim_start_matches('$');
    let all = stretches(sql).all;
    let mut replaced = String::with_capacity(sql.len());
    let mut rest = &all[..];
    while let [(_, kind, text), after @ ..] = rest {
        match (text, after.first()) {
            (&"$", Some((_, Kind::Other, word))) if *kind == Kind::Other && *word == name => {
                replaced.push_str(instead);
                rest = &after[1..];
            }
            _ => {
                replaced.push_str(text);
                rest = after;
            }
        }
    }
    replaced
}

/// Cuts SQL by the lexical rules of DataFusion's generic dialect: `'..'`, `".."` and `` `..` `` with doubled quotes,
/// `E'..'` with backslashes, `$tag$..$tag$`, `--` to the end of the line, `/* .. */` nested.
pub(super) fn stretches(sql: &str) -> Stretches<'_> {
    let mut all = Vec::new();
    let mut unterminated = None;
    let mut at = 0;
    while at < sql.len() {
        let rest = &sql[at..];
        let (kind, len) = next(rest, &sql[..at]);
        if len.is_none() {
            unterminated = unterminated.or(Some(at));
        }
        let len = len.unwrap_or(rest.len());
        all.push((at, kind, &rest[..len]));
        at += len;
    }
    Stretches { all, unterminated }
}

/// The first stretch of `rest` and its length in bytes; `None` where it never ends.
fn next(rest: &str, before: &str) -> (Kind, Option<usize>) {
    let first = rest.chars().next().unwrap_or_default();
    if first.is_whitespace() {
        let len = rest
            .find(|c: char| !c.is_whitespace())
            .unwrap_or(rest.len());
        return (Kind::Space, Some(len));
    }
    if rest.starts_with("--") {
        return (Kind::Comment, Some(rest.find('\n').unwrap_or(rest.len())));
    }
    if rest.starts_with("/*") {
        return (Kind::Comment, block_comment(rest));
    }
    match first {
        ';' => (Kind::Semicolon, Some(1)),
        '\'' => (Kind::Quoted, quoted(rest, '\'', is_escape_prefix(before))),
        '"' | '`' => (Kind::Quoted, quoted(rest, first, false)),
        '$' => match dollar_tag(rest, before) {
            Some(tag) => (
                Kind::Quoted,
                rest[tag.len()..].find(tag).map(|len| len + 2 * tag.len()),
            ),
            None => (Kind::Other, Some(1)),
        },
        _ if is_word(first) => (
            Kind::Other,
            Some(rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
        ),
        _ => (Kind::Other, Some(first.len_utf8())),
    }
}

/// Length of the block comment that `text` begins with; comments nest.
pub(super) fn block_comment(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn quoted(text: &str, quote: char, backslashes: bool) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if backslashes && c == '\\' {
            chars.next();
        } else if c == quote && chars.next_if(|&(_, next)| next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

/// Whether a quote after `before` is that of `E'...'`.
fn is_escape_prefix(before: &str) -> bool {
    let word = before
        .rfind(|c| !is_word(c))
        .map_or(before, |at| &before[at..]);
    let word = word.trim_start_matches(|c| !is_word(c));
    word.eq_ignore_ascii_case("e")
}

/// `$tag$` or `$$` at the start of `rest`, where it is not the tail of a word.
fn dollar_tag<'a>(rest: &'a str, before: &str) -> Option<&'a str> {
    if before.ends_with(is_word) {
        return None;
    }
    let end = rest[1..].find('$')? + 1;
    rest[1..end].chars().all(is_word).then(|| &rest[..=end])
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
