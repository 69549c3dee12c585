//! Reading a shard: iterators, limits, empty replies, keys.

use std::time::Duration;

use crate::sim::documents::Item;
use crate::sim::kinesis;
use crate::sim::world::{Setup, check};

#[test]
fn fault_19_the_iterator_expires() {
    check(Setup::plain(19), async |world| {
        world.begin().await;
        world.workers[0].pause();
        world.put_findings(10);
        world.pass(6 * 60).await;
        world.workers[0].resume();
        world.put_findings(10);
        world.caught_up_within(30).await;
        assert!(world.noted(&["the iterator is older than five minutes"]) > 0);
        // Nothing was read again: no commit counts a record twice, and none of them is a duplicate.
        let ledgers = world.log.commits.iter().filter_map(|commit| commit.ledger);
        let duplicates = ledgers.map(|ledger| ledger.duplicate).sum::<u64>();
        assert!(duplicates <= 2, "{duplicates} duplicates");
    });
}

#[test]
fn fault_20_after_ten_mib_calls_are_refused_for_five_seconds() {
    check(Setup { shards: 1, ..Setup::plain(20) }, async |world| {
        let big: Vec<_> = (0..24).map(|number| Item::event(number, 1 << 20)).collect();
        world.put_all(&big);
        world.put_findings(10);
        world.start(0);
        world.caught_up_within(60).await;
        assert_eq!(world.kinesis.calls_refused(), 0);
        assert!(world.kinesis.most_calls_a_second() <= 5);
    });
}

#[test]
fn fault_20_somebody_else_reads_the_same_shard() {
    check(Setup { shards: 1, workers: 3, ..Setup::plain(20) }, async |world| {
        world.start_all();
        for _ in 0..20 {
            world.put_findings(5);
            world.pass(3).await;
        }
        world.caught_up_within(60).await;
    });
}

#[test]
fn fault_21_a_thousand_empty_replies_although_records_wait() {
    check(Setup { shards: 1, ..Setup::plain(21) }, async |world| {
        world.begin().await;
        let empty = kinesis::Chances { empty: 1_000, ..kinesis::Chances::default() };
        world.kinesis.by_chance(empty);
        world.put_findings(10);
        let before = world.noted(&["records 1/0"]);
        world.pass(220).await;
        let calls = world.noted(&["records 1/0"]) - before;
        assert!((1_000..=1_100).contains(&calls), "{calls} calls in 220 s");
        assert!(world.kinesis.most_calls_a_second() <= 5);
        world.kinesis.calm();
        world.caught_up_within(15).await;
    });
}

#[test]
fn fault_22_the_key_is_throttled_then_disabled() {
    for fan_out in [false, true] {
        check(Setup { fan_out, ..Setup::plain(22) }, async |world| {
            world.begin().await;
            world.kinesis.throttle(Duration::from_secs(60));
            world.put_findings(10);
            world.pass(61).await;
            world.caught_up_within(60).await;
            let commits = world.log.commits.len();
            world.kinesis.disable_key(Duration::from_secs(1_200));
            world.put_findings(10);
            world.pass(1_200).await;
            let asked = world.noted(&["KMSDisabledException"]);
            assert!(asked < 200, "{asked} calls for a key that is disabled");
            world.log.follow(&world.disk).await;
            let moved = world.log.commits[commits..].iter().any(|commit| commit.ledger.is_some_and(|l| l.received > 0));
            assert!(fan_out || !moved, "records came from nowhere");
            world.caught_up_within(180).await;
        });
    }
}
