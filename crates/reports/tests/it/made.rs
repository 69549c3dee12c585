//! Small reports and answers that tests are made of.

use std::collections::BTreeMap;

use reports::{
    Answer, Answers, Cell, Column, Document, Each, Format, Kind, Period, Report, Table, render,
};

/// A report with every kind of section.
pub(crate) const FILE: &str = "\
title: Everything
description: One of each.
period: week
time_zone: Europe/Berlin
parameters: {severity: 4}
formats: [html, mail, markdown, csv, json]
sections:
  - title: In words
    text: |
      {{ answers.totals.rows[0].findings | number }} findings in {{ period.words }}.

      - the first: {{ answers.per_account.rows[0].account_name }}
      - the second: {{ answers.per_account.rows[1].account_id }}
  - figures:
      - {label: Findings, question: totals, column: findings, good: down}
      - {label: Critical, question: totals, column: critical, good: down}
      - {label: Coverage, question: totals, column: share, good: up}
      - {label: Nowhere, question: totals, column: nowhere}
  - question: per_day
    title: By severity
    chart: {kind: stacked, x: day, y: findings, series: severity_label}
    table: none
  - question: heat
    title: By account and day
    chart: {kind: heatmap, x: day, y: account_id, series: findings, top: 2}
    table: none
  - question: heat
    title: Lines
    chart: {kind: line, x: day, y: findings, series: account_id}
    table: none
  - question: heat
    title: Courses
    chart: {kind: sparkline-table, x: day, y: account_id, series: findings}
    table: none
  - question: per_account
    note: The worst first.
    chart: {kind: bar, x: account_id, y: findings, top: 2}
    table: {columns: [account_id, {account_name: Name}, severity, findings, seen, nowhere], rows: 2}
  - question: nothing
    title: Nothing
  - question: broken
    title: Broken
";

pub(crate) fn report() -> Report {
    Report::parse("everything", "everything.yaml", FILE).unwrap()
}

/// The same with one picture only: drawing is what takes long.
pub(crate) fn lean_report() -> Report {
    let kept = FILE
        .lines()
        .filter(|line| !line.contains("chart:") || line.contains("kind: bar"));
    let file = kept.collect::<Vec<_>>().join("\n");
    Report::parse("everything", "everything.yaml", &file).unwrap()
}

pub(crate) fn period(report: &Report) -> Period {
    report.period("2026-10-21").unwrap()
}

pub(crate) fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

pub(crate) fn table(columns: &[(&str, Kind)], rows: Vec<Vec<Cell>>) -> Table {
    let column = |(name, kind): &(&str, Kind)| Column {
        name: (*name).to_owned(),
        kind: *kind,
    };
    Table {
        columns: columns.iter().map(column).collect(),
        rows,
    }
}

pub(crate) fn day(text: &str) -> Cell {
    Cell::Time(alerts::instant(text).unwrap())
}

/// Answers in which every text that comes from outside is made by `say`, from a harmless one.
pub(crate) fn answers(report: &Report, say: impl Fn(&str) -> String) -> Answers {
    let mut answers = Answers {
        given: BTreeMap::from([("ou".to_owned(), say("/prod"))]),
        ..Answers::default()
    };
    let cell = |words: &str| Cell::Text(say(words));
    for ask in report.asks(&period(report), &answers.given) {
        let before = ask.id.ends_with(".before");
        let table = match ask.question.as_str() {
            "totals" => Ok(table(
                &[
                    ("findings", Kind::Integer),
                    ("critical", Kind::Integer),
                    ("share", Kind::Number),
                ],
                vec![vec![
                    Cell::Integer(if before { 1_100 } else { 1_234 }),
                    Cell::Integer(if before { 7 } else { 3 }),
                    Cell::Number(if before { 0.5 } else { 0.75 }),
                ]],
            )),
            "per_day" => Ok(table(
                &[
                    ("day", Kind::Time),
                    ("severity_label", Kind::Text),
                    ("findings", Kind::Integer),
                ],
                vec![
                    vec![day("2026-10-19"), text("High"), Cell::Integer(4)],
                    vec![day("2026-10-19"), text("Low"), Cell::Integer(40)],
                    vec![day("2026-10-21"), text("Critical"), Cell::Integer(1)],
                    vec![day("2026-10-25"), text("Medium"), Cell::Integer(12)],
                    vec![day("2026-10-25"), Cell::Null, Cell::Integer(2)],
                ],
            )),
            "heat" => Ok(table(
                &[
                    ("account_id", Kind::Text),
                    ("account_name", Kind::Text),
                    ("day", Kind::Time),
                    ("findings", Kind::Integer),
                ],
                vec![
                    vec![
                        text("111111111111"),
                        cell("payments"),
                        day("2026-10-19"),
                        Cell::Integer(9),
                    ],
                    vec![
                        text("111111111111"),
                        cell("payments"),
                        day("2026-10-20"),
                        Cell::Integer(1),
                    ],
                    vec![
                        cell("222222222222"),
                        Cell::Null,
                        day("2026-10-20"),
                        Cell::Integer(5),
                    ],
                    vec![
                        text("333333333333"),
                        cell("web"),
                        day("2026-10-25"),
                        Cell::Integer(2),
                    ],
                ],
            )),
            "per_account" => Ok(table(
                &[
                    ("account_id", Kind::Text),
                    ("account_name", Kind::Text),
                    ("severity", Kind::Number),
                    ("findings", Kind::Integer),
                    ("share", Kind::Number),
                    ("seen", Kind::Time),
                    ("archived", Kind::Boolean),
                    ("ips", Kind::List),
                ],
                vec![
                    vec![
                        text("111111111111"),
                        cell("payments"),
                        Cell::Number(9.0),
                        Cell::Integer(1_000),
                        Cell::Number(0.333),
                        day("2026-10-20T07:30Z"),
                        Cell::Boolean(false),
                        Cell::List(vec![say("203.0.113.9"), say("198.51.100.7")]),
                    ],
                    vec![
                        cell("222222222222"),
                        Cell::Null,
                        Cell::Number(5.5),
                        Cell::Integer(-3),
                        Cell::Number(f64::NAN),
                        Cell::Null,
                        Cell::Null,
                        Cell::Null,
                    ],
                    vec![
                        text("333333333333"),
                        cell("web"),
                        Cell::Number(2.0),
                        Cell::Integer(3),
                        Cell::Number(-1.5),
                        day("2026-10-24"),
                        Cell::Boolean(true),
                        Cell::List(vec![]),
                    ],
                ],
            )),
            "nothing" => Ok(table(&[("day", Kind::Time)], vec![])),
            _ => Err(say("the question took too long")),
        };
        let answer = Answer {
            title: say("Per account"),
            sql: format!(
                "SELECT *\nFROM {}\n\tWHERE note <> '{}'\n",
                ask.question,
                say("none")
            ),
            parameters: ask.parameters.clone(),
            table,
        };
        answers.by_id.insert(ask.id, answer);
    }
    answers
}

pub(crate) fn made(report: &Report, answers: &Answers, format: Format) -> Vec<Document> {
    render(report, &period(report), answers, format, None).unwrap()
}

pub(crate) fn body(document: &Document) -> &str {
    std::str::from_utf8(&document.bytes).unwrap()
}

/// One value of a sheet.
pub(crate) fn each(value: &str, label: &str) -> Option<Each> {
    Some(Each {
        value: value.to_owned(),
        label: label.to_owned(),
    })
}
