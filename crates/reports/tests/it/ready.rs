//! The ready-made reports: they can be read, and a lake that answers nothing, or nowhere, still makes them.

use std::path::Path;

use reports::{Answer, Answers, Format, Kind, Report, render};

use crate::made::{body, each, table};

fn ready() -> Vec<Report> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/reports");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        Report::parse(name, &path.to_string_lossy(), &text)
            .unwrap_or_else(|error| panic!("{error}"))
    };
    paths.iter().map(read).collect()
}

#[test]
fn there_are_four() {
    let names: Vec<_> = ready().into_iter().map(|report| report.name).collect();
    assert_eq!(
        names,
        [
            "account_sheet",
            "daily_digest",
            "executive_month",
            "weekly_overview"
        ]
    );
}

#[test]
fn an_empty_lake_makes_every_document() {
    for report in ready() {
        let period = report.period("2026-10-21").unwrap();
        let mut answers = Answers {
            each: report
                .for_each
                .as_ref()
                .and_then(|_| each("111111111111", "payments")),
            ..Answers::default()
        };
        for ask in report.asks(&period, &answers.parameters(&report)) {
            let answer = Answer {
                title: ask.question.clone(),
                sql: "q".to_owned(),
                parameters: ask.parameters,
                table: Ok(table(&[("day", Kind::Time)], vec![])),
            };
            answers.by_id.insert(ask.id, answer);
        }
        for format in Format::ALL {
            let made = render(&report, &period, &answers, format, None).unwrap();
            if format == Format::Html {
                assert!(body(&made[0]).contains("Nothing in this period."));
            }
        }
    }
}

#[test]
fn a_schedule_says_itself_in_words() {
    let say = |report: &Report| report.schedule.as_ref().map(|schedule| schedule.describe());
    let seen: Vec<_> = ready().iter().filter_map(say).collect();
    let expected = [
        "At 06:30 (UTC)",
        "At 07:00, on day 1 (UTC)",
        "At 07:00, on Monday (UTC)",
    ];
    assert_eq!(seen, expected);
}
