//! Rule files, good and bad.

use finding::Label;
use proptest::prelude::*;

use super::statement;
use crate::{Count, Period, Rule};

const GOOD: &str = "\
/*
title: Many findings from one remote IP
description: One remote address sets off GuardDuty again and again.
severity: high
group_by: [remote_ip]
count: findings            # findings | occurrences | versions | distinct(<column>)
threshold: 10
window: 10m
suppress_for: 1h
tags: [attack.reconnaissance]
*/
SELECT * FROM observations WHERE remote_ip IS NOT NULL AND NOT sample
";

/// The good rule with a line of its header replaced, against `line:column: message` of each mistake.
#[track_caller]
fn check(line: &str, instead: &str, expected: &[&str]) {
    assert!(GOOD.contains(line), "{line} is not in the good rule");
    check_file(&GOOD.replacen(line, instead, 1), expected);
}

#[track_caller]
fn check_file(text: &str, expected: &[&str]) {
    let found: Vec<String> = match Rule::parse("burst", text) {
        Ok(_) => Vec::new(),
        Err(error) => error.mistakes.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found, expected, "for\n{text}");
}

#[test]
fn a_good_rule() {
    let rule = Rule::parse("burst", GOOD).unwrap();
    assert_eq!(rule.id, "burst");
    assert_eq!(rule.title, "Many findings from one remote IP");
    assert_eq!(rule.severity, Label::High);
    assert_eq!(rule.group_by, ["remote_ip"]);
    assert_eq!((&rule.count, rule.threshold), (&Count::Findings, 10));
    assert_eq!(
        (rule.window.as_str(), rule.window.micros()),
        ("10m", 600_000_000)
    );
    assert_eq!(
        (rule.suppress_for.as_str(), rule.suppress_for.micros()),
        ("1h", 3_600_000_000)
    );
    assert_eq!(rule.tags, ["attack.reconnaissance"]);
    assert!(rule.enabled);
    assert_eq!(
        rule.sql,
        "SELECT * FROM observations WHERE remote_ip IS NOT NULL AND NOT sample"
    );
    assert_eq!((rule.sql_line, rule.sql_column), (12, 1));
}

#[test]
fn a_small_rule_and_its_defaults() {
    let text = "\u{feff}\r\n/* title: 'Ü'\r\n   severity: Low\r\n   group_by: []\r\n   threshold: 1\r\n   window: 1h 30m */ -- now\r\n  WITH x AS (SELECT ';') SELECT * FROM x; -- done;\r\n";
    let rule = Rule::parse("small.rule-1", text).unwrap();
    assert_eq!((rule.title.as_str(), rule.description.as_str()), ("Ü", ""));
    assert_eq!(rule.group_by, [""; 0]);
    assert_eq!(rule.count, Count::Findings);
    assert_eq!(
        (rule.window.micros(), rule.suppress_for.as_str()),
        (5_400_000_000, "1h 30m")
    );
    assert_eq!(rule.sql, "WITH x AS (SELECT ';') SELECT * FROM x");
    assert_eq!((rule.sql_line, rule.sql_column), (7, 3));
}

#[test]
fn all_fields() {
    let more = "kind: threshold\nenabled: false\nrunbook: see wiki\nowner: soc\nreferences: https://example.org\nfalse_positives:\n  - a scanner\n  - 'null'\n";
    let text = GOOD
        .replace("tags:", &format!("{more}tags:"))
        .replace("count: findings ", "count: distinct( account_id ) ");
    let rule = Rule::parse("burst", &text).unwrap();
    assert!(!rule.enabled);
    assert_eq!(
        (rule.runbook.as_deref(), rule.owner.as_deref()),
        (Some("see wiki"), Some("soc"))
    );
    assert_eq!(rule.references, ["https://example.org"]);
    assert_eq!(rule.false_positives, ["a scanner", "null"]);
    assert_eq!(rule.count, Count::Distinct(vec!["account_id".to_owned()]));
    assert_eq!(rule.count.to_string(), "distinct(account_id)");
}

#[test]
fn the_file_itself() {
    let header =
        "the file must begin with a block comment `/* ... */` that holds the rule's header";
    check_file("", &[&format!("1:1: {header}")]);
    check_file("\n  SELECT 1", &[&format!("2:3: {header}")]);
    check_file(
        "\n /* title: x",
        &["2:2: the header's comment is never closed; `*/` is missing"],
    );
    check(
        "SELECT * FROM observations",
        "",
        &["12:2: SQL: must be one SELECT, but begins with `WHERE`"],
    );
    check_file(
        &GOOD[..GOOD.find("SELECT").unwrap()],
        &["11:3: SQL: there is no SELECT after the header"],
    );
    check(
        "NOT sample",
        "NOT sample;\n -- x\n DELETE FROM x",
        &["14:2: SQL: a second statement begins here; a rule has one SELECT"],
    );
    check(
        "NOT sample",
        "NOT sample /* /* */",
        &["12:71: SQL: this comment is never closed"],
    );
    check(
        "NOT sample",
        "x = 'ä",
        &["12:64: SQL: this quote is never closed"],
    );
    check(
        "[attack.reconnaissance]",
        "[attack.reconnaissance]\nreferences: s3://bucket/*",
        &[
            "11:24: the header holds `/*`, which opens a comment within the comment to SQL; leave it out",
        ],
    );
}

#[test]
fn yaml_that_is_none() {
    check(
        "severity: high",
        "severity: [high",
        &["5:9: header: illegal placement of ':' indicator"],
    );
    check_file(
        "/* only words */ SELECT 1",
        &["1:4: header: must be lines of `field: value`"],
    );
}

#[test]
fn missing_fields() {
    check_file(
        "\n /* description: x */ SELECT 1",
        &[
            "2:2: group_by: missing; for example `group_by: [remote_ip]`, or `group_by: []` for one group of everything",
            "2:2: severity: missing; one of informational, low, medium, high, critical",
            "2:2: threshold: missing; for example `threshold: 10`",
            "2:2: title: missing; give the alert a name",
            "2:2: window: missing; for example `window: 10m`",
        ],
    );
}

#[test]
fn unknown_fields() {
    check(
        "suppress_for:",
        "supress_for:",
        &["9:1: supress_for: there is no such field; did you mean `suppress_for`?"],
    );
    check(
        "tags:",
        "  tags:",
        &["10:7: header: mapping values are not allowed in this context"],
    );
    check(
        "tags:",
        "wibble:",
        &["10:1: wibble: there is no such field"],
    );
    check(
        "tags:",
        "severity: low\ntags:",
        &["10:1: severity: given twice"],
    );
}

#[test]
fn texts_and_lists() {
    check(
        "title: Many",
        "title: 10 #",
        &["2:8: title: must be text; put it in quotes"],
    );
    check("title: Many", "title: ' ' #", &["2:8: title: is empty"]);
    check("title: Many", "title: #", &["2:6: title: is empty"]);
    check(
        "title: Many findings from one remote IP",
        "title: {a: b}",
        &["2:8: title: must be text, not a mapping"],
    );
    check(
        "[attack.reconnaissance]",
        "[a, 5, [b], ]",
        &[
            "10:11: tags: every entry must be text, not 5",
            "10:14: tags: every entry must be text, not a list",
        ],
    );
    check(
        "[remote_ip]",
        "[remote_ip, '', remote_ip]",
        &["5:23: group_by: an entry is empty"],
    );
    check(
        "[remote_ip]",
        "[remote_ip, remote_ip]",
        &["5:23: group_by: `remote_ip` is named twice"],
    );
    check("[remote_ip]", "remote_ip", &[]);
    check(
        "tags:",
        "enabled: maybe\ntags:",
        &["10:10: enabled: must be true or false"],
    );
}

#[test]
fn severities_counts_kinds() {
    let words = "the severities are informational, low, medium, high and critical";
    check(
        "severity: high",
        "severity: hihg",
        &[&format!(
            "4:11: severity: `hihg` is none; {words}; did you mean `high`?"
        )],
    );
    check("severity: high", "severity: HIGH", &[]);
    check(
        "severity: high",
        "severity: 8",
        &["4:11: severity: must be text; put it in quotes"],
    );
    let units = "the units are findings, occurrences, versions, distinct(<column>), sum(<column>), avg(<column>) and percentile(<number>, <column>)";
    check(
        "count: findings",
        "count: finding",
        &[&format!(
            "6:8: count: `finding` is none; {units}; did you mean `findings`?"
        )],
    );
    check(
        "count: findings",
        "count: distinct",
        &["6:8: count: distinct needs one column: `distinct(account_id)`"],
    );
    check("count: findings", "count: distinct(a, b)", &[]);
    check(
        "count: findings",
        "count: distinct(a, (b))",
        &["6:8: count: distinct needs one column: `distinct(account_id)`"],
    );
    check(
        "tags:",
        "kind: treshold\ntags:",
        &["10:7: kind: there is no kind `treshold`; did you mean `threshold`?"],
    );
}

#[test]
fn thresholds_and_durations() {
    check(
        "threshold: 10",
        "threshold: 0",
        &["7:12: threshold: must be at least 1 and fit 63 bits, not 0"],
    );
    check(
        "threshold: 10",
        "threshold: -3",
        &["7:12: threshold: must be at least 1 and fit 63 bits, not -3"],
    );
    check(
        "threshold: 10",
        "threshold: 2.5",
        &["7:12: threshold: must be a whole number: the count is"],
    );
    check(
        "threshold: 10",
        "threshold: ten",
        &["7:12: threshold: `ten` is no comparison; write it like 10, `>= 10` or `>= 5, <= 20`"],
    );
    check(
        "window: 10m",
        "window: 600",
        &["8:9: window: 600 of what? write it like 10m, 90s, 1h 30m or 1d"],
    );
    check(
        "window: 10m",
        "window: 0m",
        &["8:9: window: must be longer than nothing"],
    );
    check(
        "window: 10m",
        "window: 367d",
        &["8:9: window: `367d` is too long; at most 366d"],
    );
    check(
        "suppress_for: 1h",
        "suppress_for: 1y",
        &["9:15: suppress_for: `y` is not a unit; the units are w, d, h, m and s"],
    );
}

#[test]
fn durations() {
    let micros = |text: &str| Period::parse(text).map(|period| period.micros() / 1_000_000);
    for (text, seconds) in [
        ("90s", 90),
        ("10m", 600),
        ("1h", 3_600),
        ("1d", 86_400),
        ("1h 30m", 5_400),
        ("1h30m", 5_400),
        ("366d", 31_622_400),
        ("2w", 1_209_600),
    ] {
        assert_eq!(micros(text), Ok(seconds), "{text}");
    }
    for text in [
        "",
        "m",
        "10",
        "-1m",
        "1.5h",
        "1h 1h",
        "1m 1h",
        "1m,",
        "1 m",
        "٣m",
        "99999999999999999999s",
        "366d 1s",
    ] {
        assert!(micros(text).is_err(), "{text}");
    }
}

#[test]
fn several_mistakes_are_told_together_in_the_order_of_the_file() {
    let text = GOOD
        .replace("severity: high", "severity: hot")
        .replace("window: 10m", "window: x")
        .replace("SELECT", "UPDATE");
    let error = Rule::parse("burst", &text).unwrap_err().to_string();
    let lines: Vec<&str> = error
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        lines,
        ["burst.sql:4:11:", "burst.sql:8:9:", "burst.sql:12:1:"]
    );
    let error = Rule::parse("no good", GOOD).unwrap_err().to_string();
    assert!(error.contains("1:1: id: `no good` is no id"), "{error}");
}

#[track_caller]
fn same_meaning(a: &str, b: &str, same: bool) {
    assert_eq!(
        statement::normal(a) == statement::normal(b),
        same,
        "{a}\n{b}"
    );
}

#[test]
fn sql_is_compared_without_spaces_and_comments_but_quotes_stay() {
    same_meaning(
        "SELECT  a\n -- why\nFROM b",
        "SELECT a /* x /* y */ */ FROM b -- end",
        true,
    );
    same_meaning("SELECT 'a  b'", "SELECT 'a b'", false);
    same_meaning("SELECT 'it''s  -- x'", "SELECT 'it''s  -- y'", false);
    same_meaning(r"SELECT E'it\'s  x' ", r"SELECT E'it\'s x'", false);
    same_meaning(r"SELECT e'\\' -- x", r"SELECT e'\\' -- y", true);
    same_meaning(r"SELECT '\' -- x", r"SELECT '\' -- y", true);
    same_meaning("SELECT \"a  b\"", "SELECT \"a b\"", false);
    same_meaning("SELECT $x$ a  b $$ $x$", "SELECT $x$ a b $$ $x$", false);
    same_meaning("SELECT $1  -- a", "SELECT $1", true);
    same_meaning("SELECT a/**/b", "SELECT ab", false);
    same_meaning("SELECT a - -1", "SELECT a --1", false);
}

#[test]
fn a_revision_changes_with_the_meaning_alone() {
    let revision = |text: &str| Rule::parse("burst", text).unwrap().revision();
    let original = revision(GOOD);
    assert_eq!(original.len(), 12);
    for (from, to) in [
        ("Many", "Some"),
        ("high", "low"),
        ("attack.", "a."),
        ("10m", "600s"),
        ("SELECT *", "SELECT\n  *"),
        ("sample\n", "sample -- none\n"),
    ] {
        assert_eq!(revision(&GOOD.replace(from, to)), original, "{from} {to}");
    }
    for (from, to) in [
        ("10m", "11m"),
        ("1h", "2h"),
        (": 10\n", ": 11\n"),
        (": findings", ": versions"),
        ("[remote_ip]", "[region]"),
        ("NOT sample", "sample"),
    ] {
        assert_ne!(revision(&GOOD.replace(from, to)), original, "{from} {to}");
    }
    let two = |columns: &str| revision(&GOOD.replace("[remote_ip]", columns));
    assert_eq!(two("[a, b]"), two("[b, a]"));
    assert_ne!(two("[ab]"), two("[a, b]"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the text: a rule, or mistakes that lie within it, each in one line.
    #[test]
    fn reading_never_panics(
        garbage in "[-/*'\"`$;:,#&|>!{}\\[\\]\\\\ \r\n\te0-9a-cä\u{feff}]{0,40}",
        at in 0..GOOD.len(),
        cut in 0..GOOD.len(),
    ) {
        for text in [garbage.clone(), format!("/*{garbage}"), format!("{}{garbage}{}", &GOOD[..at], &GOOD[cut..])] {
            if let Err(error) = Rule::parse("burst", &text) {
                prop_assert!(!error.mistakes.is_empty());
                for mistake in error.mistakes {
                    prop_assert!(mistake.line >= 1 && mistake.line <= text.split(['\n', '\r']).count() + 1, "{mistake} in {text:?}");
                    prop_assert!(mistake.column >= 1, "{mistake} in {text:?}");
                    prop_assert!(!mistake.message.chars().any(char::is_control), "{mistake:?} in {text:?}");
                }
            }
            let _ = statement::normal(&text);
        }
    }
}
