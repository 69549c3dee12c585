//! Rules that need more than the new rows, asked about less than everything.

use alerts::{Event, Rule};
use lake::Lake;

use super::live::{MINUTE, NOW, START, Version, session_now, store};
use crate::watch::{Evaluator, Report, incremental, run_alerts};
use crate::{Library, rules};

const HOUR: i64 = 60 * MINUTE;

fn rule(header: &str, select: &str) -> Rule {
    let text =
        format!("/*\ntitle: t\nseverity: low\ngroup_by: [account_id]\n{header}\n*/\n{select}");
    Rule::parse("r", &text).unwrap_or_else(|error| panic!("{error}"))
}

async fn empty_lake(folder: &tempfile::TempDir) -> Lake {
    Lake::open_or_create(folder.path().to_str().unwrap())
        .await
        .unwrap()
}

/// A version of one finding: the hour of its update, and its count.
fn version(hour: i64, count: i64) -> Version {
    Version {
        account: 1,
        finding: 1,
        update: 0,
        minute: hour * 60,
        seen_after: 0,
        count,
        ips: Vec::new(),
        buckets: Vec::new(),
        kind: 0,
    }
}

/// What a look brought: the kind of each event, the hour of the first match, and the count.
fn told(report: &Report) -> Vec<(Event, i64, i64)> {
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    let of = |event: &alerts::AlertEvent| {
        let hour = (event.first_match - START) / HOUR;
        (event.event, hour, event.count)
    };
    report.events.iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_version_changes_what_the_next_one_brought() {
    // From memory, and from the lake, as what is held begins long after the finding.
    for most in [super::super::MOST_FINDINGS, 0] {
        let folder = tempfile::tempdir().unwrap();
        let lake = empty_lake(&folder).await;
        let select = "SELECT * FROM observations";
        let rules = [rule(
            "count: occurrences\nthreshold: 5\nwindow: 10m",
            select,
        )];
        let mut evaluator = Evaluator::new(lake.clone(), i64::MAX);
        evaluator.most = most;
        let look = async |evaluator: &mut Evaluator| {
            let session = session_now(&lake).await;
            let report = evaluator.look(&session, &rules, &[], NOW).await.unwrap();
            told(&report)
        };
        // The later version was seen first.
        let later = Version {
            seen_after: -150,
            ..version(5, 9)
        };
        store(&lake, &[version(1, 3), later]).await;
        assert_eq!(look(&mut evaluator).await, [(Event::Opened, 2, 6)]);
        assert_eq!(look(&mut evaluator).await, []);
        assert!(evaluator.recent.version().is_some());
        store(&lake, &[version(4, 8)]).await;
        let mut said = look(&mut evaluator).await;
        said.sort_by_key(|(_, hour, _)| *hour);
        let expected = [(Event::Withdrawn, 2, 6), (Event::Opened, 4, 5)];
        assert_eq!(said, expected, "most {most}");
        // With what another finding brought within ten minutes there is enough.
        let other = Version {
            finding: 2,
            seen_after: -5,
            ..version(1, 2)
        };
        store(&lake, &[other]).await;
        assert_eq!(look(&mut evaluator).await, [(Event::Opened, 1, 5)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_told_when_it_is_time_though_nothing_came() {
    let folder = tempfile::tempdir().unwrap();
    let lake = empty_lake(&folder).await;
    let select = "SELECT * FROM observations";
    let header = "kind: absence\nthreshold: 1\nlookback: 1h\nwindow: 2h";
    let rules = [rule(header, select)];
    let mut evaluator = Evaluator::new(lake.clone(), i64::MAX);
    let look = async |evaluator: &mut Evaluator, hour: i64| {
        let now = START + hour * HOUR;
        let session = session_now(&lake).await;
        let report = evaluator.look(&session, &rules, &[], now).await.unwrap();
        told(&report)
    };
    store(&lake, &[version(1, 1), version(40, 2)]).await;
    assert_eq!(look(&mut evaluator, 2).await, []);
    assert_eq!(look(&mut evaluator, 4).await, [(Event::Opened, 3, 1)]);
    assert_eq!(look(&mut evaluator, 5).await, []);
    // What was said to be of the future has come.
    assert_eq!(look(&mut evaluator, 41).await, [(Event::Resolved, 3, 1)]);
    // Another one begins where the log says that this one was.
    let session = session_now(&lake).await;
    let later = START + 43 * HOUR;
    let report = run_alerts(&lake, &session, &rules, &[], later, i64::MAX);
    assert_eq!(told(&report.await.unwrap()), [(Event::Opened, 42, 1)]);
    // Long after, and only by a row that came in late.
    store(&lake, &[version(60, 3)]).await;
    assert_eq!(look(&mut evaluator, 61).await, [(Event::Resolved, 42, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_asked_about_some_rows_alone() {
    let folder = tempfile::tempdir().unwrap();
    let lake = empty_lake(&folder).await;
    let session = session_now(&lake).await;
    let shallow = session.shallow().unwrap();
    let reads = async |rule: &Rule| incremental::reads(rule, &shallow, &session).await.unwrap();
    for file in rules::load(&Library::built_in()) {
        let rule = rules::checked(&session, &file.rule.unwrap()).await.unwrap();
        let is_query = rule.kind == alerts::Kind::Query;
        assert_eq!(reads(&rule).await.is_none(), is_query, "{}", rule.id);
    }
    let count = "count: occurrences\nthreshold: 5\nwindow: 10m";
    // Times and findings that are not those of the rows, and counts that the SELECT itself looks at.
    for select in [
        "SELECT * EXCLUDE (event_time), updated_at AS event_time FROM observations",
        "SELECT * FROM (SELECT * EXCLUDE (event_time), updated_at AS event_time FROM observations) AS o",
        "SELECT * EXCLUDE (finding_id), region AS finding_id FROM observations",
        "SELECT * FROM observations WHERE increase < 100",
        "SELECT *, 1 AS version FROM occurrences",
    ] {
        let rule = rule(count, select);
        let rule = rules::checked(&session, &rule).await.unwrap();
        assert!(reads(&rule).await.is_none(), "{select}");
    }
    for select in [
        "SELECT * FROM observations AS o",
        "SELECT o.* FROM observations AS o WHERE o.account_id > '1'",
        "SELECT account_id, region, finding_id, event_time, version_id, count FROM versions",
    ] {
        let rule = rule("count: versions\nthreshold: 5\nwindow: 10m", select);
        let rule = rules::checked(&session, &rule).await.unwrap();
        assert!(reads(&rule).await.is_some(), "{select}");
    }
}
