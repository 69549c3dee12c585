//! How long documents get.

use reports::{Answer, Answers, Cell, Format, Kind, Report, Table};

use crate::made::{body, made, period, table, text};

/// A report of so many sections, each with so many rows of long cells.
fn huge(sections: usize, rows: usize) -> (Report, Answers) {
    let mut file = "title: t\nperiod: week\nsections:\n".to_owned();
    for nth in 0..sections {
        file += &format!(
            "  - question: q{nth}\n    note: {}\n    table: {{rows: 5000}}\n",
            "n".repeat(900)
        );
    }
    let report = Report::parse("huge", "huge.yaml", &file).unwrap();
    let row = || {
        (0..12)
            .map(|_| text(&"<&\"'@.x".repeat(60)))
            .collect::<Vec<Cell>>()
    };
    let names: Vec<String> = (0..12).map(|nth| format!("column_{nth}")).collect();
    let columns: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), Kind::Text))
        .collect();
    let many: Table = table(&columns, (0..rows).map(|_| row()).collect());
    let mut answers = Answers::default();
    for ask in report.asks(&period(&report), &answers.given) {
        let answer = Answer {
            title: "T".repeat(500),
            sql: "SELECT 1".repeat(20_000),
            parameters: ask.parameters,
            table: Ok(many.clone()),
        };
        answers.by_id.insert(ask.id, answer);
    }
    (report, answers)
}

#[test]
fn a_mail_is_never_cut_by_gmail() {
    for (sections, rows) in [(1, 1), (1, 5_000), (5, 40), (20, 40), (60, 30)] {
        let (report, answers) = huge(sections, rows);
        let mail = made(&report, &answers, Format::Mail).remove(0);
        let size = mail.bytes.len();
        assert!(
            size < 90 * 1024,
            "{sections} sections, {rows} rows: {size} bytes"
        );
        assert!(mail.plain.len() < 90 * 1024);
        if rows > 25 {
            let text = body(&mail);
            let said = ["more rows", "Left out", "more sections"];
            assert!(
                said.iter().any(|words| text.contains(words)),
                "{sections} sections, {rows} rows"
            );
        }
    }
}

#[test]
fn a_table_says_what_it_leaves_out() {
    let (report, answers) = huge(1, 5_003);
    let page = made(&report, &answers, Format::Html).remove(0);
    assert!(body(&page).contains("and 3 more rows, which CSV and JSON hold"));
    assert_eq!(body(&page).matches("<tr>").count(), 5_001);
    let csv = made(&report, &answers, Format::Csv).remove(0);
    assert_eq!(body(&csv).lines().count(), 5_004);
}
