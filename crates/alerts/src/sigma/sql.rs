//! Conditions as SQL. Everything that comes from a file becomes a literal here, and only here.

use crate::clean;

/// A condition on a row. Three-valued inside, but [`Test::Not`] is true wherever what it denies is not: Sigma's `not`
/// holds for a finding that lacks the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    /// One comparison.
    Is(String),
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
}

/// Lines longer than this are broken.
const WIDTH: usize = 110;

impl Test {
    pub(super) fn not(test: Test) -> Test {
        Test::Not(Box::new(test))
    }

    /// In SQL, further lines indented by `indent`.
    pub(super) fn sql(&self, indent: usize) -> String {
        let parts = match self {
            Test::Is(sql) => return sql.clone(),
            Test::Not(test) => {
                let inner = test.sql(indent + 4);
                return format!("({inner}) IS NOT TRUE");
            }
            Test::All(parts) | Test::Any(parts) => parts,
        };
        let word = match self {
            Test::All(_) => "AND",
            _ => "OR",
        };
        let part = |part: &Test| match part {
            Test::All(inner) | Test::Any(inner) if parts.len() > 1 && inner.len() > 1 => {
                format!("({})", part.sql(indent + 4))
            }
            _ => part.sql(indent),
        };
        let parts: Vec<String> = parts.iter().map(part).collect();
        let length: usize = parts.iter().map(|part| part.len() + 5).sum();
        if length + indent <= WIDTH && !parts.iter().any(|part| part.contains('\n')) {
            return parts.join(&format!(" {word} "));
        }
        parts.join(&format!("\n{}{word} ", " ".repeat(indent)))
    }
}

/// A text as SQL that holds nothing a terminal would act on: what is not plain is written by its number.
pub(super) fn literal(text: &str) -> String {
    if is_plain(text) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut parts = Vec::new();
    let mut plain = String::new();
    for c in text.chars() {
        if is_plain(c.encode_utf8(&mut [0; 4])) {
            plain.push(c);
            continue;
        }
        if !plain.is_empty() {
            parts.push(literal(&std::mem::take(&mut plain)));
        }
        parts.push(format!("chr({})", u32::from(c)));
    }
    if !plain.is_empty() {
        parts.push(literal(&plain));
    }
    match parts.len() {
        1 => parts.remove(0),
        _ => format!("concat({})", parts.join(", ")),
    }
}

fn is_plain(text: &str) -> bool {
    clean(text, text.len()) == text
}

/// A part of a value: text, or a wildcard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// `*`: any text, or none.
    Any,
    /// `?`: one character.
    One,
}

/// A value of a detection. `\*` and `\?` are the characters, `\\` is one backslash, any other backslash is itself.
pub(super) fn parts(value: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        let wildcard = match c {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' => {
                let escaped = chars.next_if(|next| ['*', '?', '\\'].contains(next));
                text.push(escaped.unwrap_or('\\'));
                continue;
            }
            c => {
                text.push(c);
                continue;
            }
        };
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        if wildcard != Part::Any || parts.last() != Some(&Part::Any) {
            parts.push(wildcard);
        }
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    parts
}

/// Whether the text that `sql` yields is what the parts say, from its start to its end.
pub(super) fn like(sql: &str, parts: &[Part], cased: bool) -> Test {
    let plain: Option<String> = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    if parts == [Part::Any] {
        return Test::Is(format!("{sql} IS NOT NULL"));
    }
    // Without letters that have a case an equality says the same, and lets files be skipped.
    match plain {
        Some(text) if cased || text.to_lowercase() == text.to_uppercase() => {
            return Test::Is(format!("{sql} = {}", literal(&text)));
        }
        _ => {}
    }
    let mut pattern = String::new();
    for part in parts {
        match part {
            Part::Any => pattern.push('%'),
            Part::One => pattern.push('_'),
            Part::Text(text) => {
                for c in text.chars() {
                    if ['%', '_', '\\'].contains(&c) {
                        pattern.push('\\');
                    }
                    pattern.push(c);
                }
            }
        }
    }
    let like = if cased { "LIKE" } else { "ILIKE" };
    Test::Is(format!("{sql} {like} {}", literal(&pattern)))
}

/// Whether a list of texts has an element that is what the parts say.
pub(super) fn like_element(sql: &str, parts: &[Part], cased: bool) -> Test {
    if parts == [Part::Any] {
        return Test::Is(format!("cardinality({sql}) > 0"));
    }
    // The elements joined by a character that neither a bucket nor a threat list can have in its name.
    let mut pattern = String::new();
    for part in parts {
        match part {
            Part::Any => pattern.push_str("[^\\x1f]*"),
            Part::One => pattern.push_str("[^\\x1f]"),
            Part::Text(text) => pattern.push_str(&visible(&regex::escape(text))),
        }
    }
    let flags = if cased { "(?s)" } else { "(?is)" };
    let pattern = literal(&format!("{flags}(?:^|\\x1f)(?:{pattern})(?:\\x1f|$)"));
    Test::Is(format!(
        "regexp_like(array_to_string({sql}, chr(31)), {pattern})"
    ))
}

/// A regular expression in which what is not plain is written as `\x{..}`.
pub(super) fn visible(pattern: &str) -> String {
    let mut out = String::new();
    for c in pattern.chars() {
        if is_plain(c.encode_utf8(&mut [0; 4])) {
            out.push(c);
        } else {
            out.push_str(&format!("\\x{{{:x}}}", u32::from(c)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: &str) {
        assert_eq!(
            like("title", &parts(value), false).sql(0),
            expected,
            "{value}"
        );
    }

    #[test]
    fn wildcards_and_backslashes() {
        check("Recon", "title ILIKE 'Recon'");
        check("123456789012", "title = '123456789012'");
        check("", "title = ''");
        check("*", "title IS NOT NULL");
        check("**", "title IS NOT NULL");
        check("a*b?c", "title ILIKE 'a%b_c'");
        check(r"a\*b\?c", "title ILIKE 'a*b?c'");
        check(r"C:\Windows\\x", r"title ILIKE 'C:\\Windows\\x'");
        check(r"a\\*", r"title ILIKE 'a\\%'");
        check(r"a\\\*", r"title ILIKE 'a\\*'");
        check(r"a\\\\", r"title ILIKE 'a\\\\'");
        check(r"a\", r"title ILIKE 'a\\'");
        check("100%_a", r"title ILIKE '100\%\_a'");
    }

    #[test]
    fn quotes_and_hidden_characters_stay_inside() {
        check(
            r"x' OR '1'='1 -- \*/ /\*",
            "title ILIKE 'x'' OR ''1''=''1 -- */ /*'",
        );
        check(
            "a\n\u{202e}b",
            "title ILIKE concat('a', chr(10), chr(8238), 'b')",
        );
        check("\n", "title = chr(10)");
    }

    #[test]
    fn parentheses_only_where_they_are_needed() {
        let is = |text: &str| Test::Is(text.to_owned());
        let any = Test::Any(vec![is("a"), Test::All(vec![is("b"), Test::not(is("c"))])]);
        assert_eq!(any.sql(0), "a OR (b AND (c) IS NOT TRUE)");
        let all = Test::All(vec![Test::Any(vec![is("a")]), is("b")]);
        assert_eq!(all.sql(0), "a AND b");
    }
}
