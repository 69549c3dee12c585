//! Upkeep under faults: compaction, vacuum and log clean-up change no row, whoever else is at work and wherever they die.

pub(crate) mod gate;
pub(crate) mod ground;
mod history;
mod logs;
mod retention;

use lake::{CompactOptions, Lake, LakeError, MIN_RETENTION, VacuumOptions};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::support::folder;
use ground::{Ground, batch, check, documents, files, rows, store, stored_in_pieces, writer};

fn at_once() -> VacuumOptions {
    VacuumOptions {
        older_than: 0,
        force: true,
        ..VacuumOptions::default()
    }
}

async fn compact(lake: &Lake) -> lake::Compaction {
    lake.compact(CompactOptions::default())
        .await
        .expect("it compacts")
}

/// Data files that a vacuum of `findings` deleted, or would.
async fn vacuum(lake: &Lake, options: VacuumOptions) -> Vec<String> {
    let mut done = lake.vacuum(options).await.expect("it vacuums");
    done.remove(0).files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compaction_leaves_one_sorted_file_a_day_and_every_row() {
    let ground = Ground::new().await;
    let before = stored_in_pieces(&ground.lake, &documents(600, 1), 60).await;
    let many = files(&ground.lake).await;
    let options = CompactOptions {
        dry_run: true,
        ..CompactOptions::default()
    };
    let planned = ground.lake.compact(options).await.expect("a plan");
    assert_eq!(files(&ground.lake).await, many);
    let done = compact(&ground.lake).await;
    let rows = |done: &lake::Compaction| done.rewrites.iter().map(|r| r.rows).sum::<u64>();
    assert_eq!(
        (rows(&planned), rows(&done)),
        (before.len() as u64, before.len() as u64)
    );
    let days = ground.lake.verify().await.expect("a look").days;
    assert_eq!((files(&ground.lake).await, done.lost_races), (days, 0));
    assert!(many > 3 * days, "{many} files of {days} days");
    check(&ground.lake, &before);
    check(&ground.reopened().await, &before);
    assert_eq!(compact(&ground.lake).await.rewrites, []);

    vacuum(&ground.lake, at_once()).await;
    check(&ground.lake, &before);
    for path in ground.objects(".parquet").await {
        let file = SerializedFileReader::new(ground.bytes(&path).await).expect("a data file");
        let columns: Vec<_> = file
            .get_row_iter(None)
            .expect("rows")
            .map(|row| {
                let row = row.expect("a row");
                let column = |name: &str| {
                    row.get_column_iter()
                        .find(|(n, _)| *n == name)
                        .map(|(_, value)| value.to_string().trim_matches('"').to_owned())
                };
                // Small files are one slice: what is alike lies together, in order of time.
                ["type", "account_id", "event_time", "finding_id"].map(column)
            })
            .collect();
        assert!(columns.is_sorted() && !columns.is_empty(), "{path}");
        let blooms = file.metadata().row_group(0).columns().iter();
        let blooms = blooms.filter(|column| column.bloom_filter_offset().is_some());
        let names: Vec<_> = blooms.map(|column| column.column_path().string()).collect();
        assert_eq!(names, ["finding_id", "remote_ip"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_that_does_not_fit_one_file_becomes_several() {
    let ground = Ground::new().await;
    let before = stored_in_pieces(&ground.lake, &documents(600, 1), 30).await;
    let options = CompactOptions {
        target_bytes: 200_000,
        ..CompactOptions::default()
    };
    let done = ground.lake.compact(options).await.expect("it compacts");
    let days = ground.lake.verify().await.expect("a look").days as usize;
    assert!(done.rewrites.len() > days, "{done:?}");
    assert!(
        done.rewrites.iter().all(|r| r.bytes_before <= 200_000),
        "{done:?}"
    );
    check(&ground.lake, &before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_11_two_compactors_at_once_leave_the_rows_as_they_were() {
    let ground = Ground::new().await;
    let before = stored_in_pieces(&ground.lake, &documents(600, 2), 60).await;
    let (one, two) = (ground.reopened().await, ground.reopened().await);

    // The first has written its file and stops before its commit; the second does the whole work meanwhile.
    ground.store.hold_next_commit();
    let slow = tokio::spawn(async move { compact(&one).await });
    ground.store.holds_one().await;
    let quick = compact(&two).await;
    assert_eq!(quick.lost_races, 0);
    check(&ground.lake, &before);
    ground.store.let_through();
    let slow = slow.await.expect("it ends");
    assert_eq!((slow.lost_races, slow.rewrites.len()), (1, 0));
    check(&ground.lake, &before);
    // What the loser had written is gone already: the only files that vacuum finds are the inputs.
    let inputs: u64 = quick.rewrites.iter().map(|r| r.files).sum();
    let dry = VacuumOptions {
        dry_run: true,
        ..at_once()
    };
    assert_eq!(vacuum(&ground.lake, dry).await.len() as u64, inputs);

    // And now without order.
    let mut before = before;
    for seed in 3..6 {
        before = stored_in_pieces(&ground.lake, &documents(300, seed), 20).await;
        let racers: Vec<_> = futures::future::join_all((0..4).map(|_| ground.reopened())).await;
        let racers = racers
            .into_iter()
            .map(|lake| tokio::spawn(async move { compact(&lake).await }));
        for racer in futures::future::join_all(racers).await {
            racer.expect("it ends");
        }
        check(&ground.lake, &before);
    }
    vacuum(&ground.lake, at_once()).await;
    check(&ground.lake, &before);
}

/// Why compaction is our own. When this fails, delta-rs has changed its mind: see `facts/kinesis-delta.md` 0.1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_11_delta_rs_own_optimize_stores_rows_twice_and_verify_says_so() {
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    let before = stored_in_pieces(&lake, &documents(120, 2), 20).await;
    let url = url::Url::parse(&lake.table_url(lake::Table::Findings)).expect("a URL");
    let mut handles = Vec::new();
    for _ in 0..2 {
        let mut table = deltalake::DeltaTable::try_from_url(url.clone())
            .await
            .expect("a table");
        table.load().await.expect("it loads");
        handles.push(table);
    }
    for table in handles {
        table.optimize().await.expect("both are let through");
    }
    assert_eq!(rows(&lake).await.len(), 2 * before.len());
    let problems = lake.verify().await.expect("a look").problems;
    let twice = problems
        .iter()
        .filter(|problem| problem.contains("a version is in"));
    assert_eq!(twice.count(), before.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_12_a_compactor_that_dies_before_its_commit_leaves_files_for_vacuum_alone() {
    let ground = Ground::new().await;
    let before = stored_in_pieces(&ground.lake, &documents(300, 4), 60).await;
    let known = ground.objects(".parquet").await;
    let lake = ground.reopened().await;
    ground.store.hold_next_commit();
    let compactor = tokio::spawn(async move { compact(&lake).await });
    ground.store.holds_one().await;
    compactor.abort();
    assert!(compactor.await.is_err_and(|error| error.is_cancelled()));
    ground.store.let_through();
    check(&ground.lake, &before);
    let mut orphans = ground.objects(".parquet").await;
    orphans.retain(|path| !known.contains(path));
    assert_eq!(orphans.len(), 1);

    // The next compactor is not disturbed, and vacuum takes the orphan once it is old enough.
    assert_eq!(
        vacuum(&ground.lake, VacuumOptions::default()).await,
        [""; 0]
    );
    ground.pass_days(8);
    let found = vacuum(&ground.lake, VacuumOptions::default()).await;
    assert_eq!(found, [orphans[0].as_ref().trim_start_matches("findings/")]);
    check(&ground.lake, &before);
    assert!(!compact(&ground.lake).await.rewrites.is_empty());
    check(&ground.lake, &before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_13_vacuum_spares_a_slow_writers_files() {
    let ground = Ground::new().await;
    let before = stored_in_pieces(&ground.lake, &documents(200, 5), 40).await;
    let lake = ground.reopened().await;
    ground.store.hold_next_commit();
    let slow = tokio::spawn(async move {
        let mut writer = writer(&lake).await;
        store(&mut writer, &documents(200, 6)).await
    });
    ground.store.holds_one().await;
    compact(&ground.lake).await;
    ground.pass_days(6);
    // Six days later the writer's files and the compactor's inputs are still there.
    assert_eq!(
        vacuum(&ground.lake, VacuumOptions::default()).await,
        [""; 0]
    );
    ground.store.let_through();
    let committed = slow.await.expect("it ends");
    assert!(committed.ledger.committed > 100, "{committed:?}");
    let all = rows(&ground.lake).await;
    assert_eq!(
        all.len() as u64,
        before.len() as u64 + committed.ledger.committed
    );
    ground.pass_days(2);
    let inputs = vacuum(&ground.lake, VacuumOptions::default()).await;
    assert!(!inputs.is_empty());
    check(&ground.lake, &all);
    check(&ground.reopened().await, &all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vacuum_spares_what_a_reader_of_an_older_version_may_still_read() {
    let ground = Ground::new().await;
    let before = stored_in_pieces(&ground.lake, &documents(200, 5), 40).await;
    // The files are old, but were part of the table until now.
    ground.pass_days(30);
    compact(&ground.lake).await;
    ground.pass_days(6);
    assert_eq!(
        vacuum(&ground.lake, VacuumOptions::default()).await,
        [""; 0]
    );
    // A checkpoint remembers when they were removed.
    let table = lake::Table::Findings;
    ground.lake.checkpoint(table).await.expect("a checkpoint");
    assert_eq!(
        vacuum(&ground.lake, VacuumOptions::default()).await,
        [""; 0]
    );
    ground.pass_days(2);
    assert!(
        !vacuum(&ground.lake, VacuumOptions::default())
            .await
            .is_empty()
    );
    check(&ground.lake, &before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vacuum_asks_before_it_is_hasty_and_leaves_hidden_files_alone() {
    let ground = Ground::new().await;
    let before = stored_in_pieces(&ground.lake, &documents(60, 5), 60).await;
    for path in [
        "findings/_leases/a",
        "findings/event_date=2026-06-30/.b",
        "findings/c.parquet",
    ] {
        let put = ground.store.put(&Path::from(path), "x".into()).await;
        put.expect("an object");
    }
    let hasty = VacuumOptions {
        older_than: MIN_RETENTION - 1,
        ..VacuumOptions::default()
    };
    let refused = ground.lake.vacuum(hasty).await.expect_err("it is refused");
    assert!(matches!(refused, LakeError::Retention) && refused.is_configuration());
    assert_eq!(vacuum(&ground.lake, at_once()).await, ["c.parquet"]);
    assert_eq!(
        ground.objects("_leases").await.len() + ground.objects("/.b").await.len(),
        2
    );
    check(&ground.lake, &before);
}

/// A writer finds duplicates of what it, or another, stored before and after a compaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_are_found_across_a_compaction() {
    let ground = Ground::new().await;
    let made = documents(400, 7);
    let (old, new) = made.split_at(200);
    let mut ours = writer(&ground.lake).await;
    for piece in old.chunks(40) {
        store(&mut ours, piece).await;
    }
    let mut fresh = writer(&ground.lake).await;
    compact(&ground.reopened().await).await;
    let mut stored = rows(&ground.lake).await.len() as u64;
    for writer in [&mut ours, &mut fresh] {
        let again = store(writer, old).await;
        assert_eq!((again.ledger.committed, again.version), (0, None));
        let more = store(writer, &made).await;
        stored += more.ledger.committed;
    }
    assert!(stored > 300, "{stored}");
    compact(&ground.reopened().await).await;
    for writer in [&mut ours, &mut fresh] {
        assert_eq!(store(writer, new).await.ledger.committed, 0);
    }
    let all = rows(&ground.lake).await;
    assert_eq!(all.len() as u64, stored);
    check(&ground.lake, &all);
}

/// The files that a writer knows of, or must read, are rewritten and vacuumed under it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_are_found_although_the_files_they_were_in_are_gone() {
    let ground = Ground::new().await;
    let made = documents(400, 8);
    let (old, new) = made.split_at(200);
    stored_in_pieces(&ground.lake, old, 40).await;
    // It has loaded no day: it will look into files that are gone by then.
    let mut late = writer(&ground.lake).await;
    // It has filled a batch, and will learn of files that are gone by then.
    let mut busy = writer(&ground.lake).await;
    let filled = batch(&busy, &made);
    let mut other = writer(&ground.lake).await;
    for piece in new.chunks(40) {
        store(&mut other, piece).await;
    }
    compact(&ground.reopened().await).await;
    assert!(!vacuum(&ground.lake, at_once()).await.is_empty());
    let all = rows(&ground.lake).await;

    assert_eq!(store(&mut late, &made).await.ledger.committed, 0);
    let committed = busy.commit(filled, &[]).await.expect("a commit");
    assert_eq!(committed.ledger.committed, 0, "{committed:?}");
    assert!(committed.ledger.balances());
    check(&ground.lake, &all);
}
