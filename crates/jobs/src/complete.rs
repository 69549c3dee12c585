//! What could come next while a query is typed.

use std::collections::BTreeSet;

/// What can be named in a query.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Tables and views with their columns.
    pub tables: Vec<(String, Vec<String>)>,
    /// Functions, sorted.
    pub functions: Vec<String>,
}

impl Names {
    /// Names of tables and views.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|(name, _)| name.as_str())
    }

    /// Column names, some more than once.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.tables
            .iter()
            .flat_map(|(_, columns)| columns.iter().map(String::as_str))
    }

    /// Names of functions.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().map(String::as_str)
    }

    /// The tables that have a column.
    pub fn tables_with(&self, column: &str) -> Vec<&str> {
        let has = |columns: &[String]| columns.iter().any(|name| name == column);
        self.tables
            .iter()
            .filter(|(_, columns)| has(columns))
            .map(|(table, _)| table.as_str())
            .collect()
    }
}

/// One thing that could be typed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The whole word.
    pub text: String,
    /// What it is.
    pub what: What,
}

/// What a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A table or view.
    Table,
    /// A column.
    Column,
    /// A function.
    Function,
    /// A word of SQL.
    Keyword,
}

/// Words of SQL worth completing.
const KEYWORDS: [&str; 56] = [
    "ALL",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CROSS",
    "DATE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FILTER",
    "FIRST",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LAST",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "SELECT",
    "SHOW",
    "THEN",
    "TIMESTAMP",
    "TRUE",
    "UNION",
    "USING",
    "WHEN",
    "WHERE",
    "WITH",
];

/// After these a table is named.
const BEFORE_TABLE: [&str; 4] = ["FROM", "JOIN", "DESCRIBE", "INTO"];

/// What could complete the word that ends at byte `pos` of `line`: the byte at which that word starts, and the candidates,
/// those that fit the place first. Inside text in quotes and in comments there are none.
pub fn complete(line: &str, pos: usize, names: &Names) -> (usize, Vec<Candidate>) {
    let pos = (0..=pos.min(line.len()))
        .rev()
        .find(|at| line.is_char_boundary(*at))
        .unwrap_or(0);
    let before = &line[..pos];
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let start = before.rfind(|c| !is_name(c)).map_or(0, |at| {
        at + before[at..].chars().next().map_or(1, char::len_utf8)
    });
    if in_quotes(&before[..start]) {
        return (start, Vec::new());
    }
    let (word, ahead) = (&before[start..], &before[..start]);
    let mut found = BTreeSet::new();
    let mut offer = |text: &str, what: What| {
        if text.len() >= word.len()
            && text.is_char_boundary(word.len())
            && text[..word.len()].eq_ignore_ascii_case(word)
        {
            let keep_case = what == What::Keyword && word.chars().any(char::is_lowercase);
            found.insert(Candidate {
                text: if keep_case {
                    text.to_lowercase()
                } else {
                    text.to_owned()
                },
                what,
            });
        }
    };
    if let Some(table) = ahead
        .strip_suffix('.')
        .map(|ahead| ahead.rsplit(|c| !is_name(c)).next().unwrap_or_default())
    {
        // `x.`: the columns of that table, or of all where x is an alias.
        let known = names.tables().any(|name| name == table);
        let columns = names
            .tables
            .iter()
            .filter(|(name, _)| !known || name == table)
            .flat_map(|(_, columns)| columns);
        columns.for_each(|column| offer(column, What::Column));
        return (start, found.into_iter().collect());
    }
    let last_word = ahead
        .trim_end()
        .rsplit(|c| !is_name(c))
        .next()
        .unwrap_or_default()
        .to_uppercase();
    names.tables().for_each(|table| offer(table, What::Table));
    if !BEFORE_TABLE.contains(&last_word.as_str()) {
        KEYWORDS
            .iter()
            .for_each(|keyword| offer(keyword, What::Keyword));
        if !ahead.trim().is_empty() {
            let mentioned = |table: &str| {
                ahead
                    .split(|c| !is_name(c))
                    .chain([after(line, pos)])
                    .any(|w| w == table)
            };
            let some = names.tables().any(mentioned);
            let columns = names
                .tables
                .iter()
                .filter(|(table, _)| !some || mentioned(table))
                .flat_map(|(_, columns)| columns);
            columns.for_each(|column| offer(column, What::Column));
            names
                .functions()
                .for_each(|function| offer(function, What::Function));
        }
    }
    let mut found: Vec<Candidate> = found.into_iter().collect();
    let rank = |what: What| match what {
        What::Column => 0,
        What::Keyword => 1,
        What::Table => 2,
        What::Function => 3,
    };
    found.sort_by_key(|candidate| rank(candidate.what));
    (start, found)
}

/// The table named after the cursor, as in `SELECT | FROM findings`.
fn after(line: &str, pos: usize) -> &str {
    let rest = &line[pos..];
    let from = rest
        .to_ascii_uppercase()
        .find("FROM ")
        .map_or("", |at| rest[at + 5..].trim_start());
    from.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .next()
        .unwrap_or_default()
}

fn in_quotes(text: &str) -> bool {
    let quotes = text.matches('\'').count();
    let comment = text
        .rsplit('\n')
        .next()
        .is_some_and(|line| line.contains("--"));
    quotes % 2 == 1 || comment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        let names = Names {
            tables: vec![
                (
                    "findings".into(),
                    vec!["account_id".into(), "severity".into()],
                ),
                ("alert_log".into(), vec!["alert_id".into()]),
            ],
            functions: vec!["severity_label".into()],
        };
        let pos = line.find('|').unwrap();
        let (start, found) = complete(&line.replace('|', ""), pos, &names);
        assert!(start <= pos);
        let found: Vec<String> = found.into_iter().map(|candidate| candidate.text).collect();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn the_place_decides() {
        check("sel|", &["select"]);
        check("SELECT * FROM f|", &["findings"]);
        check("SELECT sev| FROM findings", &["severity", "severity_label"]);
        check(
            "SELECT a| FROM findings",
            &["account_id", "all", "and", "as", "asc", "alert_log"],
        );
        check("SELECT findings.a|", &["account_id"]);
        check("SELECT x.al|", &["alert_id"]);
        check("SELECT 'sel|", &[]);
        check("SELECT 1 -- sel|", &[]);
        check("é|", &[]);
        check(
            "|",
            &[
                "ALL",
                "AND",
                "AS",
                "ASC",
                "BETWEEN",
                "BY",
                "CASE",
                "CAST",
                "CROSS",
                "DATE",
                "DESC",
                "DESCRIBE",
                "DISTINCT",
                "ELSE",
                "END",
                "EXCEPT",
                "EXISTS",
                "EXPLAIN",
                "FALSE",
                "FILTER",
                "FIRST",
                "FROM",
                "FULL",
                "GROUP",
                "HAVING",
                "ILIKE",
                "IN",
                "INNER",
                "INTERSECT",
                "INTERVAL",
                "IS",
                "JOIN",
                "LAST",
                "LEFT",
                "LIKE",
                "LIMIT",
                "NOT",
                "NULL",
                "NULLS",
                "OFFSET",
                "ON",
                "OR",
                "ORDER",
                "OUTER",
                "OVER",
                "PARTITION",
                "SELECT",
                "SHOW",
                "THEN",
                "TIMESTAMP",
                "TRUE",
                "UNION",
                "USING",
                "WHEN",
                "WHERE",
                "WITH",
                "alert_log",
                "findings",
            ],
        );
    }
}
