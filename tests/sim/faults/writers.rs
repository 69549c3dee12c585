//! Several writers, of whom only one may be right.

use std::time::Duration;

use bytes::Bytes;
use lake::CompactOptions;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};

use crate::sim::documents::{self, Item};
use crate::sim::store::faults::PutFault;
use crate::sim::world::{Setup, World, check};

fn two(leases: Option<Duration>) -> Setup {
    Setup {
        workers: 2,
        leases,
        ..Setup::plain(9)
    }
}

#[test]
fn fault_06_a_commit_in_doubt_and_others_come_between() {
    for applied in [true, false] {
        check(two(None), async |world| {
            world.start(0);
            world.put_findings(30);
            world.caught_up().await;
            let silence = PutFault::Hang {
                applied,
                lasts: Duration::from_secs(30),
            };
            world.faults.next_put("findings/_delta_log", silence);
            world.put_findings(20);
            world.pass(10).await;
            assert!(world.faults.all_happened(), "the commit is in doubt");
            // Now another worker reads the same records, and somebody compacts what is there.
            world.start(1);
            world.pass(10).await;
            let compacted = world.lake().await.compact(CompactOptions::default()).await;
            assert!(!compacted.expect("it compacts").rewrites.is_empty());
            world.put_findings(5);
        });
    }
}

#[test]
fn fault_09_two_writers_on_the_same_shards() {
    check(two(None), async |world| {
        world.begin().await;
        for _ in 0..12 {
            world.put_findings(6);
            world.pass(9).await;
        }
        assert!(world.counted("conflicts") > 0, "they never met");
    });
}

/// Seed 155 found this: a commit without rows is not refused by rows of others, but whoever made it must learn of them.
#[test]
fn a_commit_without_rows_comes_second_and_the_rows_of_the_first_come_again() {
    check(two(Some(Duration::from_secs(10))), async |world| {
        world.begin().await;
        world.pass(30).await;
        // Each worker has one of the two shards.
        let finding = Item::finding(&documents::findings(155, 1)[0]);
        let silence = PutFault::Hang {
            applied: false,
            lasts: Duration::from_secs(3),
        };
        world.faults.next_put("findings/_delta_log", silence);
        world.put_all(&[Item::event(1, 0).at(0)]);
        world.pass(1).await;
        world.put_all(&[finding.clone().at(u128::MAX)]);
        world.pass(10).await;
        assert!(world.faults.all_happened());
        world.put_all(&[finding.at(0)]);
    });
}

#[test]
fn fault_10_a_zombie_wakes_up_with_a_batch_in_its_hands() {
    check(two(Some(Duration::from_secs(10))), async |world| {
        world.start(0);
        world.put_findings(10);
        world.caught_up().await;
        world.put_findings(20);
        world.pass(2).await;
        assert!(world.noted(&["worker-0 records"]) > 0);
        world.workers[0].pause();
        world.start(1);
        world.pass(6 * 60).await;
        world.put_findings(10);
        world.pass(6 * 60).await;
        world.caught_up().await;
        world.workers[0].resume();
        world.put_findings(10);
        world.pass(60).await;
    });
}

/// Puts a commit of another writer into the log of `findings`, at whatever version is free.
async fn commit_of_another_writer(world: &mut World, action: &str) {
    world.log.follow(&world.disk).await;
    let version = world.log.commits.len();
    let path = Path::from(format!("findings/_delta_log/{version:020}.json"));
    let put = world.disk.put_opts(
        &path,
        Bytes::from(action.to_owned()).into(),
        PutMode::Create.into(),
    );
    put.await.expect("the version is free");
}

#[test]
fn fault_16_another_writer_changes_the_tables_settings() {
    check(Setup::plain(16), async |world| {
        world.begin().await;
        let first = Path::from("findings/_delta_log/00000000000000000000.json");
        let got = world
            .disk
            .get(&first)
            .await
            .expect("the first version is there");
        let bytes = got.bytes().await.expect("memory can be read");
        let text = std::str::from_utf8(&bytes).expect("a log is text");
        let metadata = text
            .lines()
            .find(|line| line.starts_with(r#"{"metaData""#))
            .expect("the table has settings");
        let other = metadata.replacen(
            r#""configuration":{"#,
            r#""configuration":{"other.program":"was here","#,
            1,
        );
        assert_ne!(other, metadata);
        world.put_findings(10);
        world.pass(1).await;
        commit_of_another_writer(world, &other).await;
        world.put_findings(10);
        world.caught_up_within(60).await;
    });
}
