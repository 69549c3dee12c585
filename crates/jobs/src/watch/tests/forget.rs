//! Alerts that are over are forgotten with the findings of their time, and come back when somebody goes on with them.

use alerts::{Action, Alert, Decision, Event, Rule, State, decide, fold};
use lake::{AlertCommit, Lake, Retention, Surroundings};

use super::{DAY, add};
use crate::gaps::STREAM_GAP;
use crate::watch::book::Book;
use crate::watch::{Evaluator, Report};
use crate::{Library, Limits, Session};

const LAST: i64 = DAY * 510;

fn rule() -> Rule {
    let text = "/*\ntitle: t\nseverity: low\ngroup_by: [remote_ip]\ncount: findings\nthreshold: 2\nwindow: 1h\nsuppress_for: 300d\nresolve_after: 2d\n*/\nSELECT * FROM observations";
    Rule::parse("r", text).unwrap()
}

async fn look(evaluator: &mut Evaluator, lake: &Lake, now: i64) -> Report {
    let session = Session::open(lake, &Library::built_in(), &Limits::default())
        .await
        .unwrap();
    let report = evaluator.look(&session, &[rule()], &[], now).await.unwrap();
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    report
}

fn two(first: usize, at: i64) -> impl Iterator<Item = (usize, i64)> {
    (first..first + 2).map(move |id| (id, at))
}

/// A lake whose only alert, of day 100, was resolved, and whose findings are kept from day 110 on; who looked at it all the while, and the alert.
async fn old_lake(folder: &std::path::Path) -> (Lake, Evaluator, Alert) {
    let surroundings = Surroundings {
        now: std::sync::Arc::new(|| LAST),
        ..Surroundings::default()
    };
    let lake = Lake::open_or_create_in(folder.to_str().unwrap(), surroundings)
        .await
        .unwrap();
    let mut evaluator = Evaluator::new(lake.clone(), i64::MAX);
    add(&lake, two(1, DAY * 100)).await;
    assert_eq!(
        look(&mut evaluator, &lake, DAY * 101)
            .await
            .count(Event::Opened),
        1
    );
    assert_eq!(
        look(&mut evaluator, &lake, DAY * 110)
            .await
            .count(Event::Resolved),
        1
    );
    assert_eq!(evaluator.alerts_held(), 1);
    let alert = fold(lake.alert_events().await.unwrap()).remove(0);
    let expired = lake
        .expire(&Retention::parse("400d").unwrap(), false)
        .await
        .unwrap();
    assert_eq!(expired.iter().map(|day| day.rows).sum::<u64>(), 2);
    (lake, evaluator, alert)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_with_a_forgotten_alert_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, mut evaluator, alert) = old_lake(folder.path()).await;
    assert!(look(&mut evaluator, &lake, LAST).await.events.is_empty());
    assert_eq!(evaluator.alerts_held(), 0);

    let reopen = decide(&alert, Action::Reopen, "ada", "", LAST);
    let Decision::Log(event) = reopen else {
        panic!("{reopen:?}")
    };
    let version = lake.alert_log_version().await.unwrap();
    let logged = lake.append_alert_events(version, &[*event], &[]).await;
    assert!(matches!(logged.unwrap(), AlertCommit::Committed { .. }));
    assert!(look(&mut evaluator, &lake, LAST).await.events.is_empty());
    // It is the whole alert that is remembered, when it began and what was told of it, too; so it is resolved for quiet as any other.
    let all = fold(lake.alert_events().await.unwrap());
    assert_eq!(evaluator.book.alerts(), all);
    assert!(all[0].opened_at < LAST);
    let later = look(&mut evaluator, &lake, LAST + 3 * DAY).await;
    assert_eq!(later.events.len(), 1);
    assert_eq!(
        (later.events[0].event, later.events[0].seq),
        (Event::Resolved, alert.seq + 2)
    );
    look(&mut evaluator, &lake, LAST + 3 * DAY).await;
    assert_eq!(evaluator.alerts_held(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_forgotten_alert_is_not_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, mut evaluator, alert) = old_lake(folder.path()).await;
    look(&mut evaluator, &lake, LAST).await;
    assert_eq!(evaluator.alerts_held(), 0);

    // Late rows of the very time, and others that make them an episode that reaches into what is kept.
    add(&lake, two(11, DAY * 100).chain(two(13, DAY * 395))).await;
    let report = look(&mut evaluator, &lake, LAST).await;
    assert_eq!(report.count(Event::Opened), 1, "{:?}", report.events);
    let alerts = fold(lake.alert_events().await.unwrap());
    let other: Vec<&Alert> = alerts
        .iter()
        .filter(|other| other.alert_id != alert.alert_id)
        .collect();
    assert_eq!((alerts.len(), other.len()), (2, 1));
    assert_eq!(
        (other[0].first_match, other[0].last_match, other[0].state),
        (alert.first_match, DAY * 395, State::Resolved)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_log_of_other_rules_changes_no_plan() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, _, alert) = old_lake(folder.path()).await;
    let mut book = Book::default();
    let other = Rule {
        id: "other".to_owned(),
        ..rule()
    };
    assert!(
        !book
            .follow(&lake)
            .await
            .unwrap()
            .spares(std::slice::from_ref(&other))
    );
    assert!(book.follow(&lake).await.unwrap().spares(&[rule()]));

    for (of, spared) in [
        (rule().id, false),
        (STREAM_GAP.to_owned(), false),
        ("third".to_owned(), true),
    ] {
        let reopen = decide(&alert, Action::Reopen, "ada", "", LAST);
        let Decision::Log(mut event) = reopen else {
            panic!("{reopen:?}")
        };
        event.alert_id = format!("al-{of}");
        event.rule = of.clone();
        let version = lake.alert_log_version().await.unwrap();
        lake.append_alert_events(version, &[*event], &[])
            .await
            .unwrap();
        let followed = book.follow(&lake).await.unwrap();
        assert_eq!(followed.spares(&[rule()]), spared, "{of}");
        assert_eq!(
            followed.spares(std::slice::from_ref(&other)),
            of != STREAM_GAP,
            "{of}"
        );
    }
}
