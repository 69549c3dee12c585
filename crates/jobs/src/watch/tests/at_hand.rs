//! What alerts rest on, told from the rows that an evaluator holds: the same as the lake says, or nothing.

use std::collections::BTreeSet;

use alerts::{Alert, Rule, evidence_sql, fold};
use lake::Lake;

use super::live::{NOW, Version, session_now, store};
use super::{fired, rule as any_rule};
use crate::watch::incremental::{counts_occurrences, is_in_part, reads};
use crate::watch::reads::Reads;
use crate::watch::recent::MOST_FINDINGS;
use crate::watch::{AtHand, Evaluator};
use crate::{Library, Limits, Session, rules};

/// Kinds of rules, and one that rests on another table.
fn kinds() -> Vec<Rule> {
    [
        (
            "group_by: [remote_ip]\nthreshold: 3\nwindow: 40m",
            "SELECT * FROM observations",
        ),
        (
            "group_by: [account_id]\ncount: occurrences\nthreshold: 6\nwindow: 2h",
            "SELECT * FROM observations",
        ),
        (
            "group_by: [bucket_names]\ncount: versions\nthreshold: 2\nwindow: 1h",
            "SELECT * FROM observations",
        ),
        (
            "group_by: [account_id]\nkind: absence\nthreshold: 1\nlookback: 5h\nwindow: 6h",
            "SELECT * FROM observations",
        ),
        // Of its rows it says nothing but where they are.
        (
            "group_by: [region]\nthreshold: 2\nwindow: 1h",
            "SELECT event_time, finding_id, account_id, region FROM observations",
        ),
        (
            "group_by: [region]\nkind: query\nwindow: 1h",
            "SELECT * FROM observations WHERE event_time <= $as_of",
        ),
    ]
    .iter()
    .enumerate()
    .map(|(nth, (header, select))| {
        let text = format!("/*\ntitle: t\nseverity: low\n{header}\n*/\n{select}");
        Rule::parse(&format!("r{nth}"), &text).unwrap_or_else(|error| panic!("{error}"))
    })
    .collect()
}

fn version(nth: i64) -> Version {
    let byte = |of: i64| (nth % of) as u8;
    Version {
        account: byte(2),
        finding: byte(5),
        update: byte(4),
        // Some of three days before.
        minute: 30 * nth % 200 + if nth % 3 == 0 { 0 } else { 3 * 24 * 60 - 300 },
        seen_after: 0,
        count: nth % 7 + 1,
        ips: vec![byte(3), 3 + byte(2)],
        buckets: vec![byte(2)],
        kind: byte(4),
    }
}

/// Which of the alerts the rows at hand say something of; what they say is what the lake does.
async fn said<'a>(
    at_hand: &AtHand,
    session: &Session,
    alerts: &'a [Alert],
) -> Vec<(&'a Alert, bool)> {
    let mut said = Vec::new();
    for alert in alerts {
        let tops = at_hand.top_values(alert).await;
        if let Some(tops) = &tops {
            let whole = session.top_values(&alert.sql).await.unwrap();
            assert_eq!(*tops, whole, "{}", alert.sql);
            let has_any = alert.rule == "r4" || !whole.is_empty();
            assert!(has_any, "{}", alert.sql);
        }
        said.push((alert, tops.is_some()));
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_at_hand_say_what_the_lake_says_or_nothing() {
    let all: Vec<Version> = (0..42).map(version).collect();
    // All rows are held, and those of the last two days.
    for most in [MOST_FINDINGS, 0] {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_or_create(folder.path().to_str().unwrap())
            .await
            .unwrap();
        let rules = kinds();
        let mut evaluator = Evaluator::new(lake.clone(), i64::MAX);
        evaluator.most = most;
        let at_hand = AtHand::default();
        evaluator.hold(&at_hand);
        let mut seen: BTreeSet<(String, bool, bool)> = BTreeSet::new();
        for some in all.chunks(14) {
            store(&lake, some).await;
            let session = session_now(&lake).await;
            let report = evaluator.look(&session, &rules, &[], NOW).await.unwrap();
            assert!(report.failed.is_empty(), "{:?}", report.failed);
            let mut alerts = fold(lake.alert_events().await.unwrap());
            let now = session.version(lake::Table::Findings).unwrap();
            alerts.retain(|alert| alert.findings_version == now);
            assert!(!alerts.is_empty());
            for (alert, is_said) in said(&at_hand, &session, &alerts).await {
                let is_old = alert.first_seen < NOW - 2 * super::DAY;
                seen.insert((alert.rule.clone(), is_old, is_said));
                // Rows that come later are not there yet.
                let mut later = alert.clone();
                later.findings_version += 1;
                assert_eq!(at_hand.top_values(&later).await, None);
            }
        }
        let says = |rule: &str, is_old: bool, is_said: bool| {
            seen.contains(&(rule.to_owned(), is_old, is_said))
        };
        for rule in ["r0", "r2", "r4"] {
            assert!(says(rule, false, true), "{rule} {seen:?}");
            // What is older than what is held is for the lake.
            assert_eq!(says(rule, true, true), most > 0, "{rule} {seen:?}");
            assert!(most > 0 || says(rule, true, false), "{rule} {seen:?}");
        }
        // How much a version brought depends on rows that may not be held.
        assert!(says("r1", false, false) && !says("r1", false, true));
        // Another evaluator begins with nothing.
        Evaluator::new(lake.clone(), i64::MAX).hold(&at_hand);
        let alerts = fold(lake.alert_events().await.unwrap());
        assert_eq!(at_hand.top_values(&alerts[0]).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_held_is_not_said() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path().to_str().unwrap())
        .await
        .unwrap();
    let some: Vec<Version> = (0..9).map(version).collect();
    store(&lake, &some).await;
    let rule = &kinds()[4..5];
    let mut evaluator = Evaluator::new(lake.clone(), i64::MAX);
    for _ in 0..2 {
        evaluator
            .look(&session_now(&lake).await, rule, &[], NOW)
            .await
            .unwrap();
    }
    let alert = fold(lake.alert_events().await.unwrap()).remove(0);
    assert_eq!(
        evaluator.at_hand().top_values(&alert).await,
        Some(Vec::new())
    );
    // Its SELECT has no type; the table has, but it is not among what is held. Other tables are not either.
    for sql in [
        "SELECT user_name FROM observations",
        "SELECT type FROM findings",
        "SELECT 1 AS type FROM gaps",
        "no SQL",
    ] {
        let other = Alert {
            sql: sql.to_owned(),
            ..alert.clone()
        };
        assert_eq!(evaluator.at_hand().top_values(&other).await, None, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_rules_that_ship_what_is_told_is_held() {
    let (library, limits) = (Library::built_in(), Limits::default());
    let session = Session::in_memory(Vec::new(), &library, &limits)
        .await
        .unwrap();
    let shallow = session.shallow().unwrap();
    let episode = fired(&[("region", "a")]).episodes.remove(0);
    let mut asked = 0;
    for file in rules::load(&library) {
        let rule = rules::checked(&session, &file.rule.unwrap()).await.unwrap();
        // Occurrences rest on other rows.
        if !is_in_part(&rule) || counts_occurrences(&rule) {
            continue;
        }
        asked += 1;
        let held = reads(&rule, &shallow, &session).await.unwrap().unwrap();
        let value = |column: &String| (column.clone(), Some("x".to_owned()));
        let group: Vec<(String, Option<String>)> = rule.group_by.iter().map(value).collect();
        let evidence = evidence_sql(&rule, &group, &episode, 0);
        let told = Reads::of_telling(&shallow, &evidence).await.unwrap();
        assert!(held.has(&told), "{}: {told:?} is not in {held:?}", rule.id);
    }
    assert!(asked > 20);
    let other = Reads::of_telling(&shallow, &any_rule("region").sql)
        .await
        .unwrap();
    assert!(!Reads::default().has(&other));
}
