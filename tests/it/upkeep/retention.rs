//! Retention: what is not to be kept goes, by severity and account, and nothing else does; alerts stay as they were.

use jobs::{Given, Library, Limits, Session};
use lake::{Lake, Retention, Surroundings};

use super::compact;
use super::ground::{DAY, Ground, check, documents, rows, stored_in_pieces};
use crate::life::ground::{self as life, MINUTE, alerts, burst, evaluate, rule};
use crate::support::folder;

/// Days since the last of the made findings.
fn age() -> i64 {
    const NEWEST: i64 = 1_782_864_000_000_000;
    ((Surroundings::default().now)() - NEWEST) / DAY
}

fn retention(text: &str) -> Retention {
    Retention::parse(text).expect("a retention")
}

async fn count(lake: &Lake, filter: &str) -> u64 {
    let session = Session::open(lake, &Library::built_in(), &Limits::default())
        .await
        .expect("a session");
    let sql = format!("SELECT * FROM findings WHERE {filter}");
    let answer = session.sql(&sql, &Given::new()).await.expect("rows");
    let batches = answer.collect().await.expect("rows");
    batches.iter().map(|batch| batch.num_rows() as u64).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_kept_goes_and_nothing_else() {
    let ground = Ground::new().await;
    let before = stored_in_pieces(&ground.lake, &documents(600, 31), 120).await;
    let newest = age();
    let session = Session::open(&ground.lake, &Library::built_in(), &Limits::default())
        .await
        .expect("a session");
    let first = session
        .sql("SELECT min(account_id) AS a FROM findings", &Given::new())
        .await
        .expect("a row")
        .collect()
        .await
        .expect("a row");
    let account = arrow::util::display::array_value_to_string(first[0].column(0), 0).expect("text");

    // All findings are older than the shortest period and none than the longest: low ones go, but for one account's.
    let (short, long) = (newest - 5, newest + 30);
    let kept = retention(&format!("{long}d, low={short}d, {account}={long}d"));
    let goes = format!("severity_label = 'Low' AND account_id <> '{account}'");
    let expected = count(&ground.lake, &goes).await;
    let stays = count(&ground.lake, &format!("NOT ({goes})")).await;
    assert!(expected > 20 && stays > 20, "{expected} go, {stays} stay");

    let planned = ground.lake.expire(&kept, true).await.expect("a plan");
    check(&ground.lake, &before);
    let done = ground.lake.expire(&kept, false).await.expect("it expires");
    let sum = |done: &[lake::Expired]| done.iter().map(|day| day.rows).sum::<u64>();
    assert_eq!((sum(&planned), sum(&done)), (expected, expected));
    assert_eq!(done.iter().map(|day| day.kept).sum::<u64>(), stays);
    assert_eq!(count(&ground.lake, &goes).await, 0);
    let left = rows(&ground.lake).await;
    assert_eq!(left.len() as u64, stays);
    assert!(left.iter().all(|row| before.binary_search(row).is_ok()));
    let verified = ground.lake.verify().await.expect("a look");
    assert_eq!((verified.problems, verified.expired), (vec![], expected));

    // Nothing is looked at twice, and the same again adds nothing that has expired.
    let version = ground
        .lake
        .version(lake::Table::Findings)
        .await
        .expect("one");
    assert_eq!(ground.lake.expire(&kept, false).await.expect("nothing"), []);
    assert_eq!(
        ground
            .lake
            .version(lake::Table::Findings)
            .await
            .expect("one"),
        version
    );
    let options = lake::WriterOptions {
        retention: kept.clone(),
        ..lake::WriterOptions::default()
    };
    let mut writer = ground
        .reopened()
        .await
        .writer(options)
        .await
        .expect("a writer");
    let again = super::ground::store(&mut writer, &documents(600, 31)).await;
    assert_eq!(again.ledger.committed, 0);
    assert!(again.ledger.expired >= expected, "{:?}", again.ledger);

    // Time passes, and all days go as whole files.
    ground.pass_days(60);
    ground.lake.expire(&kept, false).await.expect("it expires");
    assert_eq!(rows(&ground.lake).await, [""; 0]);
    assert_eq!(
        ground.lake.verify().await.expect("a look").problems,
        [""; 0]
    );
}

/// The same work by two at once, and beside a compactor that comes first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_expire_and_one_who_compacts() {
    let ground = Ground::new().await;
    stored_in_pieces(&ground.lake, &documents(400, 32), 50).await;
    let kept = retention(&format!("low={}d", age() - 5));
    let stays = count(&ground.lake, "severity_label <> 'Low'").await;
    let (one, two) = (ground.reopened().await, ground.reopened().await);

    ground.store.hold_next_commit();
    let slow = tokio::spawn({
        let kept = kept.clone();
        async move { one.expire(&kept, false).await.expect("it expires") }
    });
    ground.store.holds_one().await;
    compact(&two).await;
    two.expire(&kept, false).await.expect("it expires");
    ground.store.let_through();
    slow.await.expect("it ends");
    assert_eq!(rows(&ground.lake).await.len() as u64, stays);
    assert_eq!(count(&ground.lake, "severity_label = 'Low'").await, 0);
    assert_eq!(
        ground.lake.verify().await.expect("a look").problems,
        [""; 0]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_outlives_its_findings() {
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    let now = (Surroundings::default().now)();
    let rules = [rule("burst", 5, "")];
    life::store(&lake, &burst(0, 6, now - 60 * DAY, 1)).await;
    life::store(&lake, &burst(10, 6, now - 30 * MINUTE, 2)).await;
    evaluate(&lake, &rules, now).await;
    let before = alerts(&lake).await;
    assert_eq!(before.len(), 2);

    let done = lake
        .expire(&retention("30d"), false)
        .await
        .expect("it expires");
    assert_eq!(done.iter().map(|day| day.rows).sum::<u64>(), 6);
    assert!(lake.retained_from().await.expect("a time") > now - 61 * DAY);
    // An evaluator that knows nothing of the time before: the old alert is left alone, the new one is still judged.
    let report = evaluate(&lake, &rules, now).await;
    assert_eq!(report.events, []);
    life::store(&lake, &burst(20, 60, now - 20 * MINUTE, 2)).await;
    let report = evaluate(&lake, &rules, now).await;
    assert_eq!(report.events.len(), 1, "{:?}", report.events);
    let revised = [rule("burst", 4, "")];
    evaluate(&lake, &revised, now).await;
    let after = alerts(&lake).await;
    let old = |alerts: &[::alerts::Alert]| {
        let old = alerts
            .iter()
            .find(|alert| alert.last_match < now - 50 * DAY);
        old.map(|alert| (alert.alert_id.clone(), alert.state, alert.count))
    };
    assert_eq!((after.len(), old(&after)), (2, old(&before)));
}
