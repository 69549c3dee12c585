//! Rules about whole files: what they open with, how long they are, which test names them.

use std::collections::BTreeSet;

use super::repository::TextFile;

/// Longer files hold more than one thing. Aim for 150, seldom over 500.
const MOST_LINES: usize = 600;

pub(super) fn without_opening(files: &[TextFile]) -> Vec<String> {
    let silent = files.iter().filter(|file| !file.text.starts_with("//!"));
    silent
        .map(|file| format!("{} does not open with //!", file.path))
        .collect()
}

pub(super) fn too_long(files: &[TextFile]) -> Vec<String> {
    let counted = files.iter().map(|file| (file, file.text.lines().count()));
    counted
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(file, lines)| format!("{} has {lines} lines, {MOST_LINES} is the most", file.path))
        .collect()
}

pub(super) fn sql_without_header(sql: &[TextFile]) -> Vec<String> {
    let opens = |text: &str| text.starts_with("/*") || text.starts_with("-- ");
    sql.iter()
        .filter(|file| !opens(&file.text))
        .map(|file| {
            format!(
                "{} does not open with a comment that says what it asks",
                file.path
            )
        })
        .collect()
}

/// Views, trends and investigations must be named by a `.slt`. Rules are held by `crates/alerts/tests/built_in_rules.rs`.
pub(super) fn sql_without_test(sql: &[TextFile], slt: &[TextFile]) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named: BTreeSet<&str> = slt
        .iter()
        .flat_map(|file| file.text.lines())
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.split(|c| !is_word(c)))
        .collect();
    sql.iter()
        .filter(|file| !file.path.starts_with("sql/alerts/"))
        .filter(|file| !named.contains(stem(&file.path)))
        .map(|file| format!("{} is named by no .slt in tests/sql", file.path))
        .collect()
}

fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split('.').next().unwrap_or(name)
}

/// Tests that a document names in backticks, and that no source has: `words_like_these`, with two underscores or more.
pub(super) fn tests_that_are_not_there(document: &TextFile, sources: &[TextFile]) -> Vec<String> {
    let is_test = |word: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        word.chars().all(plain) && word.matches('_').count() >= 2
    };
    let quoted = document.text.split('`').skip(1).step_by(2);
    quoted
        .filter(|word| is_test(word))
        .filter(|word| {
            let head = format!("fn {word}(");
            !sources.iter().any(|source| source.text.contains(&head))
        })
        .map(|word| format!("{} names {word}, which is no test", document.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: impl Into<String>) -> TextFile {
        TextFile {
            path: path.to_owned(),
            text: text.into(),
        }
    }

    #[test]
    fn a_file_without_opening_is_named() {
        let files = [
            file("a.rs", "//! Good.\n"),
            file("b.rs", "use a;\n//! Late."),
        ];
        assert_eq!(without_opening(&files), ["b.rs does not open with //!"]);
    }

    #[test]
    fn a_long_file_is_named_and_a_file_at_the_limit_is_not() {
        let files = [
            file("a.rs", "x\n".repeat(600)),
            file("b.rs", "x\n".repeat(601)),
        ];
        assert_eq!(too_long(&files), ["b.rs has 601 lines, 600 is the most"]);
    }

    #[test]
    fn sql_without_header_is_named() {
        let files = [
            file("sql/trends/a.sql", "/*\ntitle: A\n*/\nSELECT 1"),
            file("sql/trends/b.sql", "-- B\nSELECT 1"),
            file("sql/trends/c.sql", "SELECT 1 -- C"),
        ];
        let complaints = sql_without_header(&files);
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].starts_with("sql/trends/c.sql "));
    }

    #[test]
    fn sql_without_test_is_named_and_a_comment_or_a_part_of_a_word_is_no_test() {
        let sql = ["trends/regions", "trends/top", "views/old", "alerts/burst"]
            .map(|name| file(&format!("sql/{name}.sql"), ""));
        let slt = [file(
            "tests/sql/a.slt",
            "# old\nquery\ntrend regions\nSELECT top_ips",
        )];
        let expected = [
            "sql/trends/top.sql is named by no .slt in tests/sql",
            "sql/views/old.sql is named by no .slt in tests/sql",
        ];
        assert_eq!(sql_without_test(&sql, &slt), expected);
    }

    #[test]
    fn a_test_that_is_named_and_not_there_is_a_complaint() {
        let document = file(
            "A.md",
            "`a_bomb_is_rejected`, `a_bomb_is`, `allow_private`, `sql/a_b_c.sql` hold it.",
        );
        let sources = [file("a.rs", "//! A.\nfn a_bomb_is_rejected() {}\n")];
        let complaints = tests_that_are_not_there(&document, &sources);
        assert_eq!(complaints, ["A.md names a_bomb_is, which is no test"]);
    }
}
