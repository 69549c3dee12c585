//! Reports by the clock: each period once, whoever watches, whoever dies and whatever the clock does; the same bytes when made again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jobs::reports::{Asked, MakeError, ReportFile, SCHEDULE, due_now, load, make_once, put, write};
use jobs::{Library, Limits, Session};
use lake::{Lake, LakeError, ReportRow, ReportStep, Shelf};

use crate::life::ground::{DAY, MINUTE, NOW, burst, store};
use crate::support::folder;

const HOUR: i64 = 60 * MINUTE;

#[derive(Debug)]
enum Ended {
    Killed,
    Wrong(String),
}

impl From<MakeError> for Ended {
    fn from(error: MakeError) -> Ended {
        Ended::Wrong(error.to_string())
    }
}

impl From<LakeError> for Ended {
    fn from(error: LakeError) -> Ended {
        Ended::Wrong(error.to_string())
    }
}

fn report(text: &str) -> ReportFile {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("reports")).expect("a folder");
    std::fs::write(folder.path().join("reports/mine.yaml"), text).expect("a file");
    let library = Library::with_overlay(folder.path()).expect("a library");
    let mut files = load(&library);
    let at = files
        .iter()
        .position(|file| file.source.name == "mine")
        .expect("mine");
    files.swap_remove(at)
}

fn daily(catch_up: &str, more: &str) -> ReportFile {
    report(&format!(
        "title: Mine\nperiod: day\ntime_zone: Europe/Berlin\nschedule: 30 6 * * *\ncatch_up: {catch_up}\nformats: [csv, json]\n{more}sections:\n  - question: totals\n"
    ))
}

async fn session(lake: &Lake) -> Session {
    Session::open(lake, &Library::built_in(), &Limits::default())
        .await
        .expect("a session")
}

/// One look at the clock; `dies` says whether the process is killed before a report is logged.
async fn look(
    lake: &Lake,
    file: &ReportFile,
    now: i64,
    dies: impl Fn() -> bool,
) -> Result<u32, Ended> {
    let read = file.report.as_ref().expect("a report");
    let mut made = 0;
    for period in due_now(lake, read, now).await? {
        let session = session(lake).await;
        let given = BTreeMap::new();
        let asked = Asked {
            file,
            period: &period,
            given: &given,
            formats: &read.formats,
        };
        let shelf = lake.shelf("reports")?;
        let lay_out = async |_: &ReportRow| if dies() { Err(Ended::Killed) } else { Ok(()) };
        if make_once(lake, &session, &asked, &shelf, now, lay_out).await? {
            made += 1;
        }
    }
    Ok(made)
}

async fn made(lake: &Lake) -> Vec<ReportRow> {
    let (_, mut rows) = lake.reports().await.expect("a log");
    rows.retain(|row| row.step == ReportStep::Made);
    rows
}

/// Each period is logged once, in order, and lies where the row says.
async fn check(lake: &Lake, expected: &[&str]) {
    let rows = made(lake).await;
    let periods: Vec<&str> = rows.iter().map(|row| row.period.as_str()).collect();
    assert_eq!(periods, expected);
    for row in rows {
        let shelf = Shelf::at(row.location.as_deref().expect("a place")).expect("a shelf");
        assert_eq!((row.documents.len(), row.by.as_str()), (2, SCHEDULE));
        for document in &row.documents {
            assert!(
                shelf.get(document).await.expect("a look").is_some(),
                "{document}"
            );
        }
    }
}

/// `NOW` is 2026-11-21T10:00:00Z, eleven o'clock in Berlin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_and_a_clock_that_jumps_make_each_period_once() {
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    let file = daily("all", "");
    let alive = || false;
    // Who looks first owes nothing of the time before.
    assert_eq!(look(&lake, &file, NOW, alive).await.expect("a look"), 0);
    assert_eq!(
        look(&lake, &file, NOW + 18 * HOUR, alive)
            .await
            .expect("a look"),
        0
    );
    assert_eq!(
        look(&lake, &file, NOW + 20 * HOUR, alive)
            .await
            .expect("a look"),
        1
    );
    assert_eq!(
        look(&lake, &file, NOW + 21 * HOUR, alive)
            .await
            .expect("a look"),
        0
    );
    check(&lake, &["2026-11-21"]).await;
    // Three days without anybody; then the clock is set back by two, and runs on.
    assert_eq!(
        look(&lake, &file, NOW + 4 * DAY, alive)
            .await
            .expect("a look"),
        3
    );
    for hours in 0..60 {
        let now = NOW + 2 * DAY + hours * HOUR;
        let expected = 0;
        assert_eq!(
            look(&lake, &file, now, alive).await.expect("a look"),
            expected,
            "{hours}"
        );
    }
    check(
        &lake,
        &["2026-11-21", "2026-11-22", "2026-11-23", "2026-11-24"],
    )
    .await;
    // Only the newest is caught up with where that was asked for.
    let latest = daily("latest", "");
    assert_eq!(
        look(&lake, &latest, NOW + 10 * DAY, alive)
            .await
            .expect("a look"),
        1
    );
    let rows = made(&lake).await;
    assert_eq!(rows.last().expect("a row").period, "2026-11-30");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_schedulers_of_which_one_dies_make_each_period_once() {
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    store(&lake, &burst(0, 30, NOW + HOUR, 1)).await;
    let file = Arc::new(daily("all", "deliver:\n  channels: [soc]\n"));
    look(&lake, &file, NOW, || false).await.expect("a look");
    let deaths = Arc::new(AtomicU32::new(0));
    let mut expected = Vec::new();
    for day in 1..7_i64 {
        let now = NOW + day * DAY;
        let before = jiff::Timestamp::from_microsecond(now - DAY).expect("a time");
        expected.push(before.strftime("%Y-%m-%d").to_string());
        let watcher = |nth: u32| {
            let (file, deaths, uri) = (Arc::clone(&file), Arc::clone(&deaths), uri.clone());
            async move {
                let lake = Lake::open(&uri).await.expect("the lake");
                // The first is killed each day between making and logging, and begins again.
                let dies = || nth == 0 && deaths.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
                loop {
                    match look(&lake, &file, now, dies).await {
                        Ok(made) => return made,
                        Err(Ended::Killed) => {}
                        Err(Ended::Wrong(why)) => panic!("{why}"),
                    }
                }
            }
        };
        let made = futures::future::join_all((0..3).map(watcher)).await;
        let made: u32 = made.into_iter().sum();
        assert_eq!(made, 1, "day {day}");
    }
    assert!(deaths.load(Ordering::Relaxed) > 0);
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&lake, &expected).await;
}

/// All reports that come ready, of a week with findings: made again after more has come in of other weeks, they are the same to the byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_of_a_past_week_is_the_same_when_it_is_made_again() {
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    store(&lake, &burst(0, 300, NOW - 9 * DAY, 1)).await;
    let mut before = BTreeMap::new();
    let mut digests = BTreeSet::new();
    for round in 0..2 {
        let session = session(&lake).await;
        for file in load(&Library::built_in()) {
            let report = file.report.as_ref().expect("a report");
            let period = ::reports::Period::containing(report.unit, &report.zone, NOW - 9 * DAY);
            let asked = Asked {
                file: &file,
                period: &period.expect("a period"),
                given: &BTreeMap::new(),
                formats: &::reports::Format::ALL,
            };
            let written = write(&session, &asked, NOW + round)
                .await
                .expect("documents");
            assert!(written.documents.len() > 5, "{}", written.documents.len());
            let row = put(&lake.shelf("reports").expect("a shelf"), written.clone()).await;
            digests.insert(row.expect("a row").digest);
            match before.remove(&file.source.name) {
                None => {
                    before.insert(file.source.name.clone(), written.documents);
                }
                Some(first) => assert!(first == written.documents, "{}", file.source.name),
            }
        }
        store(&lake, &burst(1_000, 300, NOW + 40 * DAY, 2)).await;
    }
    assert_eq!(digests.len(), load(&Library::built_in()).len());
}

/// Every number of a page is that of the query beside it: the queries are taken from the page as a browser shows them, and asked again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_number_is_that_of_the_query_beside_it() {
    let (folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    let options = sample::Options {
        findings: 3_000,
        accounts: 30,
        end: NOW - 3 * DAY,
        days: 20,
        ..sample::Options::default()
    };
    let made: Vec<_> = sample::Generator::new(options).collect();
    let mut writer = crate::upkeep::ground::writer(&lake).await;
    crate::upkeep::ground::store(&mut writer, &made).await;
    let files = load(&Library::built_in());
    let weekly = files
        .iter()
        .find(|file| file.source.name == "weekly_overview");
    let file = weekly.expect("the weekly overview");
    let report = file.report.as_ref().expect("a report");
    let period = ::reports::Period::containing(report.unit, &report.zone, NOW - 6 * DAY);
    let period = period.expect("a period");
    let given = BTreeMap::new();
    let asked = Asked {
        file,
        period: &period,
        given: &given,
        formats: &[
            ::reports::Format::Html,
            ::reports::Format::Json,
            ::reports::Format::Mail,
        ],
    };
    let session = session(&lake).await;
    let written = write(&session, &asked, NOW).await.expect("documents");
    let document = |end: &str| {
        let found = written
            .documents
            .iter()
            .find(|(name, _)| name.ends_with(end));
        String::from_utf8(found.expect("a document").1.clone()).expect("text")
    };
    let json: serde_json::Value = serde_json::from_str(&document(".json")).expect("JSON");
    let answers = json["answers"].as_object().expect("answers");
    assert!(answers.len() >= 12, "{}", answers.len());
    let page = document("W46.html");
    let shown = unescaped(&page);
    let mut numbers = 0;
    for (id, answer) in answers {
        let sql = answer["sql"].as_str().expect("a query");
        let printed: Vec<&str> = sql.lines().map(str::trim_end).collect();
        let is_printed = printed.iter().all(|line| shown.contains(line));
        assert!(is_printed || id.ends_with(".before"), "{id} is not printed");
        let source = jobs::Source {
            name: id.clone(),
            file: "printed".to_owned(),
            text: sql.into(),
        };
        let script = jobs::Script::read_as(jobs::Kind::Trend, source).expect("a header");
        let parameters = answer["parameters"].as_object().expect("parameters");
        let given: jobs::Given = parameters
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
            .collect();
        let again = session
            .run(&script, &given)
            .await
            .unwrap_or_else(|e| panic!("{id}: {e:?}"));
        let batches = again.collect().await.expect("rows");
        let mut lines = arrow::json::LineDelimitedWriter::new(Vec::new());
        lines
            .write_batches(&batches.iter().collect::<Vec<_>>())
            .expect("JSON");
        let text = String::from_utf8(lines.into_inner()).expect("text");
        let again: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let rows = answer["rows"].as_array().expect("rows");
        assert_eq!(rows.len(), again.len(), "{id}");
        let columns = answer["columns"].as_array().expect("columns");
        for (row, again) in rows.iter().zip(&again) {
            for (at, column) in columns.iter().enumerate() {
                let name = column["name"].as_str().expect("a name");
                if row[at].is_number() {
                    assert_eq!(row[at].as_f64(), again[name].as_f64(), "{id}.{name}");
                    numbers += 1;
                }
            }
        }
    }
    assert!(numbers > 200, "{numbers}");
    let totals = &answers["totals"];
    let figure = totals["rows"][0][0].as_i64().expect("findings");
    assert!(figure > 100 && shown.contains(&grouped(figure)), "{figure}");

    // A parser that is strict finds nothing wrong with either page; nothing in them runs or is loaded.
    for (end, images) in [("W46.html", "data:"), (".mail.html", "cid:")] {
        let page = document(end);
        let path = folder.path().join("page.html");
        std::fs::write(&path, &page).expect("a file");
        let strict = "import html5lib,sys; html5lib.HTMLParser(strict=True).parse(open(sys.argv[1], encoding='utf-8'))";
        let output = std::process::Command::new(crate::support::python())
            .args(["-c", strict])
            .arg(&path)
            .output()
            .expect("python starts");
        assert!(
            output.status.success(),
            "{end}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        for loads in [
            "<script",
            "<link",
            "<iframe",
            "@import",
            "url(",
            " onload",
            "javascript:",
        ] {
            assert!(!page.to_lowercase().contains(loads), "{end}: {loads}");
        }
        for part in page.split(" src=\"").skip(1) {
            assert!(part.starts_with(images), "{end}: {part:.60}");
        }
    }
    assert!(document(".mail.html").len() < 90_000);
}

/// `1,234`.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn unescaped(html: &str) -> String {
    let mut text = html.to_owned();
    for (from, to) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&amp;", "&"),
    ] {
        text = text.replace(from, to);
    }
    text
}
