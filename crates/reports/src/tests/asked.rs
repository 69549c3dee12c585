//! What is asked for a report.

use std::collections::BTreeMap;

use crate::{Cell, Column, Kind, Report, Table};

const FILE: &str = "\
title: t
period: month
time_zone: Europe/Berlin
parameters: {severity: 4, ou: /prod}
for_each: {question: severity_mix_per_account, column: account_id, label: account_name, parameter: accounts, top: 2}
sections:
  - figures:
      - {label: Findings, question: totals, column: findings}
      - {label: Critical, question: totals, column: critical}
      - {label: Low, question: totals, column: low, params: {severity: 1}}
  - question: totals
  - question: regions
";

#[test]
fn each_question_once() {
    let report = Report::parse("r", "r.yaml", FILE).unwrap();
    let period = report.period("2026-10-20").unwrap();
    let given = BTreeMap::from([("ou".to_owned(), "/dev".to_owned())]);
    let asks = report.asks(&period, &given);
    let ids: Vec<_> = asks.iter().map(|ask| ask.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "totals",
            "totals.before",
            "totals-2",
            "totals-2.before",
            "regions"
        ]
    );
    let show = |at: usize| {
        let pairs = asks[at].parameters.iter();
        pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let october =
        "from=2026-09-30T22:00:00Z ou=/dev severity=4 to=2026-10-31T23:00:00Z tz=Europe/Berlin";
    assert_eq!(show(0), october);
    assert_eq!(
        show(1),
        october
            .replace("2026-10-31T23", "2026-09-30T22")
            .replacen("2026-09-30", "2026-08-31", 1)
    );
    // A section's own value wins.
    assert_eq!(asks[2].parameters["severity"], "1");
    // No filter may be left out.
    let offered: Vec<_> = asks[0].offered.iter().map(String::as_str).collect();
    assert_eq!(offered, ["from", "to", "tz"]);
}

#[test]
fn one_document_for_each_value() {
    let report = Report::parse("r", "r.yaml", FILE).unwrap();
    let period = report.period("2026-10").unwrap();
    let ask = report.ask_for_each(&period, &BTreeMap::new()).unwrap();
    assert_eq!(
        (ask.id.as_str(), ask.question.as_str()),
        ("for_each", "severity_mix_per_account")
    );
    let text = |text: &str| Cell::Text(text.to_owned());
    let column = |name: &str| Column {
        name: name.to_owned(),
        kind: Kind::Text,
    };
    let table = Table {
        columns: vec![column("account_id"), column("account_name")],
        rows: vec![
            vec![text("1"), text("one")],
            vec![text("1"), text("again")],
            vec![Cell::Null, text("none")],
            vec![text("2"), Cell::Null],
            vec![text("3"), text("beyond the top")],
        ],
    };
    let each = report.each(&table).unwrap();
    let seen: Vec<_> = each
        .iter()
        .map(|each| (each.value.as_str(), each.label.as_str()))
        .collect();
    assert_eq!(seen, [("1", "one"), ("2", "2")]);
    let error = report.each(&Table::default()).unwrap_err();
    assert_eq!(
        error,
        "for_each: severity_mix_per_account has no column `account_id`"
    );
}
