//! The logs are compacted, too: their rows keep their order, and those who follow them notice nothing.

use std::sync::Arc;

use lake::{AccountRow, CompactOptions, Lake, Surroundings, Table};

use super::gate::Gate;
use crate::life::ground::{DAY, MINUTE, NOW, alerts, burst, evaluate, log, rule, store};
use crate::support::folder;

async fn files(lake: &Lake, table: Table) -> u64 {
    let tables = lake.info().await.expect("a look");
    let of = tables.iter().find(|info| info.table == table);
    of.expect("the table").files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_log_in_few_files_says_the_same() {
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    let rules = [rule("burst", 5, "")];
    for round in 0..20 {
        let minute = NOW - DAY / 2 + i64::from(round) * 3 * MINUTE;
        store(
            &lake,
            &burst(round * 100, 6 + 40 * round, minute, round % 3),
        )
        .await;
        evaluate(&lake, &rules, NOW).await;
    }
    let (before, events) = (alerts(&lake).await, log(&lake).await);
    let many = files(&lake, Table::AlertLog).await;
    assert!(many >= 10, "{many} files");
    let version = lake.alert_log_version().await.expect("a version");

    lake.compact(CompactOptions::default())
        .await
        .expect("it compacts");
    assert_eq!(files(&lake, Table::AlertLog).await, 1);
    assert_eq!(
        (alerts(&lake).await, log(&lake).await),
        (before.clone(), events.clone())
    );
    let fresh = Lake::open(&uri).await.expect("the lake");
    assert_eq!(
        (alerts(&fresh).await, log(&fresh).await),
        (before, events.clone())
    );
    assert_eq!(lake.verify().await.expect("a look").problems, [""; 0]);

    // Whoever followed the log from before sees only what is new, in front of nothing that was.
    store(&lake, &burst(90_000, 9, NOW - MINUTE, 7)).await;
    let report = evaluate(&lake, &rules, NOW).await;
    let now = lake.alert_log_version().await.expect("a version");
    let between = lake
        .alert_events_between(version, now)
        .await
        .expect("a log");
    assert_eq!(between.expect("it can be said"), report.events);
    assert_eq!(log(&fresh).await[..events.len()], events);
}

/// Roles look every two seconds, and every request to S3 is paid for.
#[tokio::test]
async fn a_look_where_nothing_came_costs_one_request() {
    let gate = Arc::new(Gate::new());
    let store = Arc::clone(&gate) as Arc<dyn object_store::ObjectStore>;
    let lake = Lake::open_in(store, Surroundings::default())
        .await
        .expect("a lake");
    let account = |nth: usize| AccountRow {
        account_id: format!("{nth:012}"),
        name: None,
        ou: None,
        owner: None,
        email: None,
        tags: Vec::new(),
        valid_from: 0,
        valid_to: None,
    };
    for nth in 0..30 {
        lake.append_accounts(&[account(nth)])
            .await
            .expect("a commit");
    }
    assert_eq!(lake.accounts().await.expect("accounts").len(), 30);
    lake.provider(Table::Accounts).await.expect("a table");
    let asked = |before: usize| gate.questions() - before;
    let before = gate.questions();
    lake.version(Table::Accounts).await.expect("a version");
    assert_eq!(asked(before), 1);
    let before = gate.questions();
    lake.accounts().await.expect("accounts");
    lake.provider(Table::Accounts).await.expect("a table");
    assert_eq!(asked(before), 2);
    // A commit costs one more, and its file.
    lake.append_accounts(&[account(30)])
        .await
        .expect("a commit");
    let before = gate.questions();
    assert_eq!(lake.version(Table::Accounts).await.expect("a version"), 31);
    assert_eq!(asked(before), 2);
    assert_eq!(lake.accounts().await.expect("accounts").len(), 31);
}
