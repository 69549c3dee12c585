//! Files of reports: what they may say, and how mistakes are told.

use proptest::prelude::*;

use crate::{CatchUp, ChartKind, Format, Good, Period, Report, Schedule, Section, Unit, Zone};

const WHOLE: &str = "\
title: Weekly overview
description: What happened.
period: week
time_zone: Europe/Berlin
schedule: 0 7 * * 1
catch_up: all
formats: [html, mail, csv]
parameters: {severity: 4, accounts: ['111111111111', '222222222222'], samples: false}
for_each: {question: severity_mix_per_account, column: account_id, label: account_name, parameter: accounts, top: 50}
deliver: {channels: [security], to: 's3://bucket/reports'}
sections:
  - text: |
      {{ answers.totals.rows[0].findings }} findings.
  - figures:
      - {label: Findings, question: totals, column: findings, good: down}
  - question: severity_per_day
    title: Per day
    note: In UTC.
    params: {limit: 5}
    chart: {kind: stacked, x: day, y: findings, series: severity_label}
    table: none
  - question: account_day_heatmap
    chart: {kind: heatmap, x: day, y: account_id, series: findings, top: 20}
    table: {columns: [day, {account_id: Account}], rows: 10}
";

#[test]
fn a_whole_file() {
    let report = Report::parse("weekly", "weekly.yaml", WHOLE).unwrap();
    assert_eq!(
        (report.unit, report.zone.name()),
        (Unit::Week, "Europe/Berlin")
    );
    assert_eq!(report.catch_up, CatchUp::All);
    assert_eq!(report.formats, [Format::Html, Format::Mail, Format::Csv]);
    assert_eq!(report.parameters["accounts"], "111111111111,222222222222");
    assert_eq!(
        (
            &*report.parameters["severity"],
            &*report.parameters["samples"]
        ),
        ("4", "false")
    );
    assert_eq!(report.for_each.as_ref().unwrap().top, 50);
    assert_eq!(report.deliver.to.as_deref(), Some("s3://bucket/reports"));
    let Section::Figures { figures, .. } = &report.sections[1] else {
        panic!("no figures")
    };
    assert_eq!(figures[0].good, Good::Down);
    let Section::Question(shown) = &report.sections[2] else {
        panic!("no question")
    };
    assert_eq!(shown.chart.as_ref().unwrap().kind, ChartKind::Stacked);
    assert!(shown.table.is_none());
    let Section::Question(shown) = &report.sections[3] else {
        panic!("no question")
    };
    let columns = &shown.table.as_ref().unwrap().columns;
    assert_eq!(
        columns[1],
        ("account_id".to_owned(), Some("Account".to_owned()))
    );
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let error = Report::parse("r", "r.yaml", text).unwrap_err().to_string();
    assert_eq!(error.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn all_mistakes_are_told() {
    check(
        "titel: x\nperiod: weak\ntime_zone: Mars/Base\nschedule: 0 7 * *\ncatch_up: some\nformats: [html, pdf, html]\nparameters: {from: x, a: {}}\nsections:\n  - qestion: totals\n  - text: '{{ x'\n  - {text: a, question: b}\n  - question: ../x;y\n    chart: {kind: pie, x: a}\n    table: {rows: 0}\n  - figures:\n    - {label: a, question: b, good: sideways}\n",
        &[
            "r.yaml:1:1: titel: there is no such field; did you mean `title`?",
            "r.yaml:1:1: title: missing; say what stands above the report",
            "r.yaml:2:9: period: there is no `weak`; did you mean `week`?",
            "r.yaml:3:12: time_zone: there is no time zone `Mars/Base`; write it like Europe/Berlin",
            "r.yaml:5:11: catch_up: there is no `some`; there are none, latest, all",
            "r.yaml:6:17: formats: there is no `pdf`; there are html, mail, markdown, csv, json",
            "r.yaml:6:22: formats: html is given twice",
            "r.yaml:7:14: parameters.from: comes from the period and time_zone of the report",
            "r.yaml:7:26: parameters.a: must be text, a number, true or false, or a list of them",
            "r.yaml:9:5: sections[1].qestion: there is no such field; did you mean `question`?",
            "r.yaml:9:5: sections[1]: must hold one of text, figures and question",
            "r.yaml:10:11: sections[2].text: line 1: syntax error: unexpected end of input, expected end of variable block",
            "r.yaml:11:5: sections[3]: holds text and question; make it several sections",
            "r.yaml:12:15: sections[4].question: `../x;y` is no name of a question",
            "r.yaml:13:12: sections[4].chart.y: missing; say which column of the answer",
            "r.yaml:13:19: sections[4].chart.kind: there is no `pie`; there are bar, stacked, line, heatmap, sparkline-table",
            "r.yaml:14:19: sections[4].table.rows: a whole number from 1 to 5000",
            "r.yaml:16:7: sections[5].figures[1].column: missing; say which column of the answer",
            "r.yaml:16:37: sections[5].figures[1].good: there is no `sideways`; there are up, down, none",
        ],
    );
}

#[test]
fn a_schedule_that_is_none() {
    let base = "title: x\nperiod: day\nsections: [{text: a}]\n";
    let error = Report::parse("r", "r.yaml", &format!("{base}schedule: 0 7 * *\n")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("r.yaml:4:11: schedule: `0 7 * *` is no cron line"),
        "{error}"
    );
    assert!(Report::parse("r", "r.yaml", base).is_ok());
    assert!(Report::parse("../r", "r.yaml", base).is_err());
}

#[test]
fn what_is_no_yaml() {
    for text in [
        "",
        "[",
        "- a",
        "a: b: c",
        &"[".repeat(10_000),
        &"a".repeat(300_000),
    ] {
        let error = Report::parse("r", "r.yaml", text).unwrap_err();
        assert!(!error.mistakes.is_empty() && error.to_string().len() < 2_000);
    }
}

proptest! {
    #[test]
    fn nothing_that_is_written_is_a_panic(text in "\\PC{0,60}", line in "[0-9*/,LW# a-z@-]{0,20}", keys in prop::collection::vec("(title|period|sections|schedule|for_each|deliver|formats|parameters|text|figures|question|chart|table): ?[\\[\\]{}a-z0-9,:' *-]{0,20}", 0..8)) {
        let _ = Report::parse("r", "r.yaml", &text);
        let _ = Report::parse("r", "r.yaml", &keys.join("\n"));
        let utc = Zone::named("UTC").unwrap();
        let _ = Schedule::parse(&line, &utc);
        let _ = Schedule::parse(&text, &utc);
        let _ = Zone::named(&text);
        for unit in [Unit::Day, Unit::Week, Unit::Month, Unit::Quarter] {
            if let Ok(period) = Period::named(unit, &utc, &text) {
                prop_assert!(period.from() < period.to());
            }
        }
    }
}
