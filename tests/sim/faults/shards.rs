//! Splits, merges, and shards that are late in the listing.

use ingest::Start;

use crate::sim::world::{Setup, World, check};

/// Splits each open shard.
fn split_all(world: &World) {
    world.kinesis.open_shards().iter().for_each(|id| world.kinesis.split(id));
}

#[test]
fn fault_23_a_split_while_records_flow() {
    check(Setup::plain(23), async |world| {
        world.begin().await;
        for _ in 0..3 {
            world.put_findings(10);
            let open = world.kinesis.open_shards();
            world.kinesis.split(&open[0]);
            world.put_findings(10);
            world.pass(7).await;
        }
        world.caught_up_within(60).await;
    });
}

#[test]
fn fault_24_a_merge_of_one_who_is_read_and_one_who_is_not() {
    check(Setup { rows: 5, ..Setup::plain(24) }, async |world| {
        world.begin().await;
        // Much more lies in one of the two.
        let items: Vec<_> = crate::sim::documents::findings(24, 60)
            .iter()
            .map(|finding| crate::sim::documents::Item::finding(finding).at(0))
            .collect();
        world.put_all(&items);
        let (low, high) = world.kinesis.neighbours().remove(0);
        world.kinesis.merge(&low, &high);
        world.put_findings(20);
        world.caught_up_within(60).await;
    });
}

#[test]
fn fault_25_a_chain_of_splits_and_merges_while_nobody_reads() {
    check(Setup::plain(25), async |world| {
        world.begin().await;
        world.workers[0].kill();
        for round in 0..5 {
            world.put_findings(8);
            if round % 2 == 0 {
                split_all(world);
            } else {
                let (low, high) = world.kinesis.neighbours().remove(0);
                world.kinesis.merge(&low, &high);
            }
            world.pass(100).await;
        }
        world.put_findings(8);
        world.start(0);
        world.caught_up_within(300).await;
    });
}

#[test]
fn fault_26_begun_at_the_newest_record_and_resharded_before_the_first_read() {
    check(Setup { start: Start::Newest, ..Setup::plain(26) }, async |world| {
        world.put_findings(20);
        world.kinesis.forget_the_past();
        world.pass(60).await;
        world.start(0);
        world.pass(1).await;
        world.put_findings(5);
        split_all(world);
        world.put_findings(20);
        // It dies before it stored anything, and begins at the same place again.
        world.workers[0].kill();
        world.pass(120).await;
        world.put_findings(5);
        world.start(0);
        world.caught_up_within(120).await;
    });
}

#[test]
fn fault_31_many_shards_in_pages_and_children_that_are_listed_late() {
    check(Setup { shards: 7, ..Setup::plain(31) }, async |world| {
        world.begin().await;
        split_all(world);
        world.put_findings(40);
        world.caught_up_within(60).await;
        assert!(world.noted(&["list shards 1/"]) > 0, "no listing had a second page");
    });
}
