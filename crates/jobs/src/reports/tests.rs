//! The reports that come ready can be made; what a file may get wrong is told.

use std::collections::BTreeMap;

use ::reports::{Format, Period};

use super::{MakeError, ReportFile, load, make, unknown_questions};
use crate::script::{Kind, Library, Source};
use crate::testing::empty;

fn file(text: &str) -> ReportFile {
    ReportFile {
        source: Source {
            name: "mine".to_owned(),
            file: "mine.yaml".to_owned(),
            text: text.into(),
        },
        report: ::reports::Report::parse("mine", "mine.yaml", text),
        frame: None,
    }
}

/// 2026-11-16, a Monday.
const MONDAY: i64 = 1_794_787_200_000_000;

fn period(file: &ReportFile) -> Period {
    let report = file.report.as_ref().expect("a report");
    Period::containing(report.unit, &report.zone, MONDAY).expect("a period")
}

#[tokio::test]
async fn what_comes_ready_is_made_from_an_empty_lake_twice_the_same() {
    let library = Library::built_in();
    let session = empty().await;
    let files = load(&library);
    let names: Vec<&str> = files.iter().map(|file| file.source.name.as_str()).collect();
    let known = [
        "account_sheet",
        "daily_digest",
        "executive_month",
        "weekly_overview",
    ];
    assert_eq!(names, known);
    for file in &files {
        let report = file.report.as_ref().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(unknown_questions(report, &library).expect("files"), [""; 0]);
        let given = BTreeMap::new();
        let period = period(file);
        let made = make(&session, file, &period, &given, &Format::ALL).await;
        let made = made.unwrap_or_else(|error| panic!("{error}"));
        let again = make(&session, file, &period, &given, &Format::ALL).await;
        assert_eq!(made, again.expect("the same"));
        // No question of theirs fails, whatever there is.
        for document in made.iter().flat_map(|made| &made.documents) {
            let text = String::from_utf8_lossy(&document.bytes);
            assert!(
                !text.contains("cannot be answered"),
                "{}: {text}",
                document.name
            );
        }
    }
}

#[tokio::test]
async fn questions_of_ones_own_and_those_that_fail() {
    let session = {
        let mut library = Library::built_in();
        let text = "/*\ntitle: Mine\nparameters:\n  - {name: from, type: timestamp}\n*/\nSELECT 1 AS a, $from AS b, ['x','y'] AS c";
        let source = Source {
            name: "own".to_owned(),
            file: "own.sql".to_owned(),
            text: text.into(),
        };
        library.insert(Kind::Report, source);
        let limits = crate::Limits::default();
        crate::Session::in_memory(Vec::new(), &library, &limits).await
    };
    let session = session.expect("a session");
    let mine = file(
        "title: Mine\nperiod: day\nformats: [json]\nsections:\n  - question: own\n  - question: nobody_wrote_this\n",
    );
    let report = mine.report.as_ref().expect("a report");
    let unknown = unknown_questions(report, session.library()).expect("files");
    assert_eq!(unknown, ["nobody_wrote_this"]);
    let given = BTreeMap::new();
    let made = make(&session, &mine, &period(&mine), &given, &[Format::Json]).await;
    let made = made.expect("a report with a failed question is one");
    let text = String::from_utf8_lossy(&made[0].documents[0].bytes).into_owned();
    for expected in [
        "there is no question `nobody_wrote_this`",
        "2026-11-16T00:00:00Z",
        "\"x\"",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }

    let broken = file("title: Broken\nperiod: century\n");
    let error = make(&session, &broken, &period(&mine), &given, &[Format::Json]).await;
    assert!(
        matches!(&error, Err(MakeError::Report { message, .. }) if message.contains("century")),
        "{error:?}"
    );
}
