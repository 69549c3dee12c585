//! Looks see every commit at once, ask for little, and wake who waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::{AccountRow, Lake, LakeError, Surroundings, Table};

async fn commit(lake: &Lake, account: &str) {
    let row = AccountRow {
        account_id: account.to_owned(),
        name: None,
        ou: None,
        owner: None,
        email: None,
        tags: Vec::new(),
        valid_from: 0,
        valid_to: None,
    };
    lake.append_accounts(&[row]).await.unwrap();
}

#[tokio::test]
async fn commits_of_others_are_seen_and_ones_own_wake() {
    let folder = tempfile::tempdir().unwrap();
    let uri = folder.path().display().to_string();
    let mine = Lake::open_or_create(&uri).await.unwrap();
    let other = Lake::open_or_create(&uri).await.unwrap();
    let mut commits = mine.commits(Table::Accounts);
    for nth in 1..4 {
        let version = mine.version(Table::Accounts).await.unwrap();
        commit(&other, &format!("{nth:012}")).await;
        assert_eq!(mine.version(Table::Accounts).await.unwrap(), version + 1);
        assert_eq!(mine.accounts().await.unwrap().len(), nth);
        let reader = mine.reader(Table::Accounts).await.unwrap();
        assert_eq!(reader.version().map(|v| v as i64), Some(version + 1));
    }
    assert!(!commits.has_changed().unwrap());
    commit(&mine, "000000000009").await;
    assert!(commits.has_changed().unwrap());
    let version = *commits.borrow_and_update();
    assert_eq!(version, mine.version(Table::Accounts).await.unwrap());
    assert!(!mine.commits(Table::Findings).has_changed().unwrap());
}

#[tokio::test]
async fn a_log_that_is_gone_is_missed_before_long() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicI64::new(1_000_000_000));
    let now = Arc::clone(&clock);
    let surroundings = Surroundings {
        now: Arc::new(move || now.load(Ordering::Acquire)),
        ..Surroundings::default()
    };
    let uri = folder.path().display().to_string();
    let lake = Lake::open_or_create_in(&uri, surroundings).await.unwrap();
    commit(&lake, "000000000001").await;
    let version = lake.version(Table::Accounts).await.unwrap();
    clock.fetch_add(31_000_000, Ordering::AcqRel);
    assert_eq!(lake.version(Table::Accounts).await.unwrap(), version);
    let log = folder.path().join("accounts/_delta_log");
    let hidden = folder.path().join("accounts/hidden");
    std::fs::rename(&log, &hidden).unwrap();
    clock.fetch_add(31_000_000, Ordering::AcqRel);
    let missed = lake.version(Table::Accounts).await;
    assert!(
        matches!(missed, Err(LakeError::Missing { .. })),
        "{missed:?}"
    );
    std::fs::rename(&hidden, &log).unwrap();
    assert_eq!(lake.version(Table::Accounts).await.unwrap(), version);
}
