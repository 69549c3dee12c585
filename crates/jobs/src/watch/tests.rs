//! Alerts of groups that fire, of groups that no longer do, and of a rule whose columns changed places.

mod at_hand;
mod forget;
mod live;
mod partly;

use std::time::Duration;

use tokio::time::Instant;

use alerts::{Event, Look, Rule, fold};

use super::{Evaluator, plan_rule, run_alerts};
use crate::evaluate::Fired;
use crate::testing::ask;
use crate::{Given, Library, Limits, Session, rules};

fn rule(group_by: &str) -> Rule {
    let text = format!(
        "/*\ntitle: t\nseverity: low\ngroup_by: [{group_by}]\ncount: findings\nthreshold: 1\nwindow: 1m\n*/\nSELECT * FROM observations"
    );
    Rule::parse("r", &text).unwrap()
}

fn fired(group: &[(&str, &str)]) -> Fired {
    let mut rows = alerts::Observations::new();
    rows.push(&alerts::Observation {
        event_time: 5,
        finding: finding::FindingKey(1),
        version: finding::VersionHash(1),
        increase: 0,
        value: None,
        account_id: "1",
        region: "eu-west-1",
        finding_id: "f",
        finding_type: None,
        severity: None,
        number: None,
        step: 0,
    });
    let episodes = alerts::sweep(&rule("region").terms(), &mut rows, i64::MAX);
    Fired {
        group: group
            .iter()
            .map(|(column, value)| (column.to_string(), Some(value.to_string())))
            .collect(),
        episodes,
    }
}

#[test]
fn groups_that_no_longer_fire_are_withdrawn() {
    let rule = rule("region");
    let opened = plan_rule(
        &rule,
        &[fired(&[("region", "a")]), fired(&[("region", "b")])],
        &[],
        &Look::at_all(10, 1, 100),
    );
    assert_eq!(
        opened.iter().map(|event| event.event).collect::<Vec<_>>(),
        [Event::Opened, Event::Opened]
    );
    let alerts = fold(opened);
    assert!(
        plan_rule(
            &rule,
            &[fired(&[("region", "a")]), fired(&[("region", "b")])],
            &alerts,
            &Look::at_all(11, 2, 100)
        )
        .is_empty()
    );
    let gone = plan_rule(
        &rule,
        &[fired(&[("region", "a")])],
        &alerts,
        &Look::at_all(12, 3, 100),
    );
    assert_eq!(gone.len(), 1);
    assert_eq!(
        (gone[0].event, gone[0].group[0].1.as_deref()),
        (Event::Withdrawn, Some("b"))
    );
}

#[test]
fn the_order_of_group_columns_does_not_matter() {
    let opened = plan_rule(
        &rule("region, type"),
        &[fired(&[("region", "a"), ("type", "x")])],
        &[],
        &Look::at_all(10, 1, 100),
    );
    let turned = rule("type, region");
    assert!(
        plan_rule(
            &turned,
            &[fired(&[("type", "x"), ("region", "a")])],
            &fold(opened),
            &Look::at_all(11, 2, 100)
        )
        .is_empty()
    );
}

/// A lake in a folder with twelve findings of one address within two minutes, and a thirteenth days before.
async fn small_lake(folder: &std::path::Path) -> lake::Lake {
    let lake = lake::Lake::open_or_create(folder.to_str().unwrap())
        .await
        .unwrap();
    let times = (0..12)
        .map(|at| DAY * 100 + at * 10_000_000)
        .chain([DAY * 90]);
    add(&lake, times.enumerate()).await;
    lake
}

const DAY: i64 = 86_400_000_000;

async fn add(lake: &lake::Lake, findings: impl Iterator<Item = (usize, i64)>) {
    let mut writer = lake.writer(lake::WriterOptions::default()).await.unwrap();
    let mut encoder = writer.encoder();
    for (id, time) in findings {
        let (finding_id, account) = (format!("{id:032}"), format!("{:012}", id % 3));
        let finding = finding::Finding {
            account_id: account.as_str().into(),
            region: "eu-west-1".into(),
            finding_id: finding_id.as_str().into(),
            finding_type: Some("Recon:EC2/PortProbeUnprotectedPort".into()),
            severity: Some(2.0),
            remote_ips: vec!["198.51.100.7".into()],
            count: Some(1),
            updated_at: Some(time),
            event_last_seen: Some(time),
            raw: "{}".into(),
            ..finding::Finding::default()
        };
        let provenance = lake::Provenance {
            source: "file:///test",
            shard_id: None,
            sequence_number: None,
            sub_sequence: None,
            item: id as u32,
            arrived_at: None,
            ingested_at: DAY * 200,
            backfilled: false,
        };
        tokio::task::block_in_place(|| encoder.append(&finding, &provenance)).unwrap();
    }
    let batch = tokio::task::block_in_place(|| encoder.finish()).unwrap();
    writer.commit(batch, &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_follows_the_lake() {
    let folder = tempfile::tempdir().unwrap();
    let lake = small_lake(folder.path()).await;
    let (library, limits) = (Library::built_in(), Limits::default());
    let rules: Vec<Rule> = rules::load(&library)
        .into_iter()
        .map(|file| file.rule.unwrap())
        .collect();
    let now = DAY * 101;

    let session = Session::open(&lake, &library, &limits).await.unwrap();
    let report = run_alerts(&lake, &session, &rules, &[], now, DAY * 2)
        .await
        .unwrap();
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    assert_eq!(report.evaluated.len(), rules.len());
    assert_eq!(
        (report.count(Event::Opened), report.told().count()),
        (1, 1),
        "{:?}",
        report.events
    );
    let told = report.told().next().unwrap().clone();
    assert_eq!(told.rule, "burst_from_one_remote_ip");
    assert_eq!(
        (told.count, told.findings_total, told.accounts.len()),
        (12, 12, 3)
    );

    // The evidence is the twelve rows, from the lake as it is now.
    let session = Session::open(&lake, &library, &limits).await.unwrap();
    let evidence = session
        .sql(&told.sql, &Given::new())
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(
        evidence.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        12
    );
    let stand = ask(&session, "SELECT alert_id, state, count FROM alerts")
        .await
        .unwrap();
    assert_eq!(stand, format!("{}|open|12", told.alert_id));

    // Nothing new: nothing is evaluated but what time alone can change. A late row: the alert grows and keeps its id.
    let again = run_alerts(&lake, &session, &rules, &[], now, DAY * 2)
        .await
        .unwrap();
    let resting = rules.iter().filter(|rule| !rule.kind.is_timely()).count();
    assert_eq!((again.events.len(), again.skipped.len()), (0, resting));
    add(&lake, [(50, DAY * 100 + 5_000_000)].into_iter()).await;
    let session = Session::open(&lake, &library, &limits).await.unwrap();
    let late = run_alerts(&lake, &session, &rules, &[], now, DAY * 2)
        .await
        .unwrap();
    assert_eq!(late.events.len(), 1, "{:?} {:?}", late.events, late.failed);
    assert_eq!(
        (
            late.events[0].event,
            &late.events[0].alert_id,
            late.events[0].count
        ),
        (Event::Grew, &told.alert_id, 13)
    );
    assert_eq!(late.told().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_took_long_rests_and_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lake = small_lake(folder.path()).await;
    let library = Library::built_in();
    let rules: Vec<Rule> = rules::load(&library)
        .into_iter()
        .filter_map(|file| file.rule.ok())
        .filter(|rule| rule.id.starts_with("burst"))
        .collect();
    let mut evaluator = Evaluator::new(lake.clone(), i64::MAX);
    let look = async |evaluator: &mut Evaluator| {
        let session = Session::open(&lake, &library, &Limits::default())
            .await
            .unwrap();
        evaluator
            .look(&session, &rules, &[], DAY * 101)
            .await
            .unwrap()
    };
    evaluator.let_rest(Duration::from_secs(3_600));
    let before = Instant::now();
    assert_eq!(look(&mut evaluator).await.evaluated.len(), 2);
    assert!(evaluator.resting.values().all(|until| *until > before));
    assert_eq!((evaluator.resting.len(), evaluator.rested()), (2, None));

    let loud = "burst_from_one_remote_ip".to_owned();
    let until = Instant::now() + Duration::from_secs(3_600);
    evaluator.resting = [(loud.clone(), until)].into();
    add(&lake, (100..112).map(|id| (id, DAY * 100 + DAY / 2))).await;
    let report = look(&mut evaluator).await;
    assert_eq!(
        (report.skipped, evaluator.rested()),
        (vec![loud.clone()], Some(until))
    );
    assert!(report.events.iter().all(|event| event.rule != loud));

    evaluator.let_rest(Duration::ZERO);
    let report = look(&mut evaluator).await;
    assert_eq!((report.evaluated, evaluator.rested()), (vec![loud], None));
    assert_eq!(report.events.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_take_long_wait_for_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let lake = small_lake(folder.path()).await;
    let library = Library::built_in();
    let long = ["burst_from_one_remote_ip", "account_left"];
    let rules: Vec<Rule> = rules::load(&library)
        .into_iter()
        .filter_map(|file| file.rule.ok())
        .filter(|rule| rule.id.starts_with("burst") || long.contains(&rule.id.as_str()))
        .collect();
    let mut evaluator = Evaluator::new(lake.clone(), i64::MAX);
    evaluator.let_rest(Duration::from_secs(3_600));
    let look = async |evaluator: &mut Evaluator| {
        let session = Session::open(&lake, &library, &Limits::default())
            .await
            .unwrap();
        evaluator
            .look(&session, &rules, &[], DAY * 101)
            .await
            .unwrap()
            .evaluated
    };
    assert_eq!(look(&mut evaluator).await.len(), 3);
    // Silence rests at least some seconds, however fast it was asked about.
    let silence = evaluator.resting["account_left"];
    assert!(silence > Instant::now() + super::resting::LEAST_REST / 2);
    assert!(evaluator.all_rest(&rules));
    assert_eq!(
        evaluator.rested(),
        evaluator.resting.values().min().copied()
    );

    add(&lake, (100..112).map(|id| (id, DAY * 100 + DAY / 2))).await;
    evaluator.resting.clear();
    evaluator.took = long
        .map(|id| (id.to_owned(), Duration::from_secs(5)))
        .into();
    assert_eq!(look(&mut evaluator).await, ["burst_in_one_account"]);
    assert!(
        evaluator.rested().unwrap() <= Instant::now(),
        "somebody waits"
    );
    evaluator.took = long
        .map(|id| (id.to_owned(), Duration::from_secs(5)))
        .into();
    let two = [look(&mut evaluator).await, look(&mut evaluator).await].concat();
    assert_eq!(two.len(), 2, "one at a time: {two:?}");
    assert!(
        long.iter().all(|id| two.contains(&id.to_string())),
        "{two:?}"
    );
    let rested = evaluator.rested();
    assert!(rested.is_none_or(|at| at > Instant::now()), "nobody waits");
}

/// Every commit brings a batch, and every rule walks through all of them.
#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_many_small_commits_are_held_as_few_batches() {
    let folder = tempfile::tempdir().unwrap();
    let lake = small_lake(folder.path()).await;
    let library = Library::built_in();
    let rules: Vec<Rule> = rules::load(&library)
        .into_iter()
        .filter_map(|file| file.rule.ok())
        .filter(|rule| rule.id.starts_with("burst"))
        .collect();
    let mut evaluator = Evaluator::new(lake.clone(), i64::MAX);
    for round in 0..3 {
        let session = Session::open(&lake, &library, &Limits::default())
            .await
            .unwrap();
        let report = evaluator
            .look(&session, &rules, &[], DAY * 100 + DAY / 2)
            .await
            .unwrap();
        assert!(report.failed.is_empty(), "{:?}", report.failed);
        for id in (0..70).filter(|_| round == 1) {
            add(&lake, [(1_000 + id, DAY * 100 + DAY / 2)].into_iter()).await;
        }
    }
    assert_eq!(
        evaluator.recent.version(),
        Some(lake.version(lake::Table::Findings).await.unwrap())
    );
    let (rows, batches) = evaluator.recent.held();
    assert!(
        rows >= 70 && batches < 10,
        "{rows} rows in {batches} batches"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn predicates_reach_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let lake = small_lake(folder.path()).await;
    let session = Session::open(&lake, &Library::built_in(), &Limits::default())
        .await
        .unwrap();
    assert_eq!(
        ask(&session, "SELECT count(*) FROM findings")
            .await
            .unwrap(),
        "13"
    );
    let sql = "EXPLAIN ANALYZE SELECT count(remote_ip) FROM observations WHERE event_time >= TIMESTAMP '1970-04-09T00:00:00Z'";
    let plan = ask(&session, sql).await.unwrap();
    // Two days, two files: one of them is never opened.
    assert!(
        plan.contains("count_files_scanned=1,") || plan.contains("count_files_scanned=1]"),
        "{plan}"
    );
}

#[test]
fn who_hears_that_a_rule_failed_hears_why() {
    let engine = datafusion::common::DataFusionError::Execution("no room".to_owned());
    let failed = super::incremental::Failed::Jobs(crate::JobsError::Engine(engine));
    assert!(failed.said().ends_with("no room"), "{}", failed.said());
    let wrong = crate::mistake::QueryError::correct("there is no query here", None);
    let text = wrong.to_string();
    assert_eq!(super::incremental::Failed::Query(wrong).said(), text);
}
