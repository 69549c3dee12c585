//! Several at once, and some that die: the log is a compare-and-swap, so whoever comes second looks again.

use std::sync::Arc;

use alerts::{Action, Event, State};
use jobs::{OperateError, operate, run_alerts};
use lake::{AlertCommit, Lake, Surroundings};

use super::ground::{
    DAY, MINUTE, NOW, alerts, burst, check_log, evaluate, ip, log, rule, session, store,
};
use crate::support::folder;
use crate::upkeep::gate::Gate;

/// Ten bursts of three findings.
async fn ten_bursts(lake: &Lake) {
    let all = (0..10).flat_map(|n| burst(n * 10, 3, NOW - MINUTE, n));
    store(lake, &all.collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_evaluators_at_once_open_and_ring_once() {
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    ten_bursts(&lake).await;
    let rules = [rule("burst", 3, "")];
    // Each with a lake and a session of its own, as two processes have; all of them have evaluated before any has written.
    let mut evaluators = Vec::new();
    for _ in 0..4 {
        let lake = Lake::open(&uri).await.expect("a lake");
        let session = session(&lake).await;
        evaluators.push((lake, session));
    }
    let runs = evaluators
        .iter()
        .map(|(lake, session)| run_alerts(lake, session, &rules, &[], NOW, DAY));
    let reports = futures::future::join_all(runs).await;
    let rung: usize = reports
        .into_iter()
        .map(|report| report.expect("a report").told().count())
        .sum();
    assert_eq!(rung, 10, "each alert rings in one of them");
    let events = log(&lake).await;
    assert_eq!(events.len(), 10);
    check_log(&events);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_and_evaluators_at_once_lose_nothing() {
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    ten_bursts(&lake).await;
    let rules = [rule("burst", 3, "")];
    evaluate(&lake, &rules, NOW).await;
    let ids: Vec<String> = alerts(&lake)
        .await
        .into_iter()
        .map(|a| a.alert_id)
        .collect();

    // Ten people acknowledge one alert each while rows come and two evaluators look.
    let people = ids.iter().enumerate().map(|(n, id)| {
        let (uri, id) = (uri.clone(), id.clone());
        async move {
            let lake = Lake::open(&uri).await.expect("a lake");
            let by = format!("person-{n}");
            operate(&lake, &[id], Action::Acknowledge, &by, "seen", NOW + 1)
                .await
                .expect("it is logged")
                .events
                .len()
        }
    });
    let evaluators = (0..2_u32).map(|n| {
        let (uri, rules) = (uri.clone(), rules.clone());
        async move {
            let lake = Lake::open(&uri).await.expect("a lake");
            for more in 0..4_u32 {
                let from = 1_000 + n * 100 + more * 10;
                store(&lake, &burst(from, 2, NOW - MINUTE, more)).await;
                evaluate(&lake, &rules, NOW + 2).await;
            }
        }
    });
    let (logged, _) = tokio::join!(
        futures::future::join_all(people),
        futures::future::join_all(evaluators)
    );
    assert_eq!(logged, [1; 10]);
    let events = log(&lake).await;
    check_log(&events);
    let acknowledged = events.iter().filter(|e| e.event == Event::Acknowledged);
    assert_eq!(acknowledged.count(), 10);
    let alerts = alerts(&lake).await;
    assert!(
        alerts
            .iter()
            .all(|alert| alert.state == State::Acknowledged)
    );
    let grown: i64 = alerts.iter().map(|alert| alert.findings_total).sum();
    assert_eq!(grown, 30 + 16, "every row is in an alert");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_decided_on_an_older_log_is_refused() {
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    ten_bursts(&lake).await;
    let rules = [rule("burst", 3, "")];
    evaluate(&lake, &rules, NOW).await;
    let planned_on = lake.alert_log_version().await.expect("a version");
    let mut alerts = alerts(&lake).await;
    alerts.retain(|alert| alert.group[0].1 == Some(ip(0)));
    let alert = alerts.remove(0);
    let late = alert.event(Event::Acknowledged, NOW, "ada", String::new());
    // The evaluator comes first.
    store(&lake, &burst(500, 2, NOW - MINUTE, 0)).await;
    evaluate(&lake, &rules, NOW).await;
    let answer = lake.append_alert_events(planned_on, &[late], &[]).await;
    assert_eq!(answer.expect("an answer"), AlertCommit::Conflict);
    // Through the front door it is decided again.
    let done = operate(
        &lake,
        std::slice::from_ref(&alert.alert_id),
        Action::Acknowledge,
        "ada",
        "",
        NOW,
    )
    .await;
    assert_eq!(done.expect("it is logged").events[0].seq, 2);
    check_log(&log(&lake).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_that_is_merged_while_somebody_reads_of_it_refuses_by_name() {
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    let (early, late) = (NOW - 100 * MINUTE, NOW - 20 * MINUTE);
    let mut rows = burst(0, 3, early, 1);
    rows.extend(burst(10, 3, late, 1));
    store(&lake, &rows).await;
    let rules = [rule("burst", 3, "")];
    evaluate(&lake, &rules, NOW).await;
    let younger = alerts(&lake).await.remove(1).alert_id;
    store(&lake, &burst(20, 3, NOW - 60 * MINUTE, 1)).await;
    evaluate(&lake, &rules, NOW).await;
    let older = alerts(&lake).await.remove(0).alert_id;
    let both = [older, younger.clone()];
    let refused = operate(&lake, &both, Action::Acknowledge, "ada", "", NOW).await;
    let Err(OperateError::Refused(why)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(why.len(), 1);
    assert!(
        why[0].starts_with(&format!("{younger} is merged: it was merged into ")),
        "{why:?}"
    );
    // All or nothing.
    assert!(
        log(&lake)
            .await
            .iter()
            .all(|e| e.event != Event::Acknowledged)
    );
    let start = "al-";
    let refused = operate(
        &lake,
        &[start.to_owned()],
        Action::Acknowledge,
        "ada",
        "",
        NOW,
    )
    .await;
    assert!(
        matches!(refused, Err(OperateError::Refused(why)) if why[0].starts_with("2 alerts start with"))
    );
}

/// Fault 43: the process dies between its evaluation and its commit, and once right after its commit. Bell and transition are
/// the same row, so there is no state between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_43_killed_before_or_after_the_commit_an_alert_rings_once() {
    let store_in_memory = Arc::new(Gate::at("alert_log"));
    let lake = Lake::open_in(store_in_memory.clone(), Surroundings::default())
        .await
        .expect("a lake");
    ten_bursts(&lake).await;
    let rules = [rule("burst", 3, "")];

    store_in_memory.hold_next_commit();
    let dying = {
        let (lake, rules) = (lake.clone(), rules.clone());
        tokio::spawn(async move { evaluate(&lake, &rules, NOW).await })
    };
    store_in_memory.holds_one().await;
    dying.abort();
    assert!(dying.await.expect_err("it was killed").is_cancelled());
    assert_eq!(log(&lake).await, [], "nothing was half done");

    let report = evaluate(&lake, &rules, NOW).await;
    assert_eq!((report.events.len(), report.told().count()), (10, 10));
    // Killed after the commit: whoever starts next knows that it rang.
    let again = evaluate(&lake, &rules, NOW).await;
    assert_eq!(again.told().count(), 0);
    let events = log(&lake).await;
    assert_eq!(events.iter().filter(|event| event.rings).count(), 10);
    check_log(&events);

    // The same for what a person does.
    store_in_memory.hold_next_commit();
    let id = events[0].alert_id.clone();
    let dying = {
        let (lake, id) = (lake.clone(), id.clone());
        tokio::spawn(async move {
            operate(&lake, &[id], Action::Resolve, "ada", "done", NOW)
                .await
                .map(drop)
        })
    };
    store_in_memory.holds_one().await;
    dying.abort();
    assert!(dying.await.expect_err("it was killed").is_cancelled());
    assert_eq!(log(&lake).await.len(), 10);
}
