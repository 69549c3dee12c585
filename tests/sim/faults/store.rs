//! The object store, its network and its disk.

use std::time::Duration;

use crate::sim::kinesis;
use crate::sim::store::faults::{PutFault, ReadFault};
use crate::sim::world::{Setup, check};

const COMMIT: &str = "findings/_delta_log";
/// The client of the store gives up then (object_store, `ClientOptions`).
const TIME_OUT: Duration = Duration::from_secs(30);

/// One fault at the next commit; it must not cost more than so many seconds.
fn at_a_commit(fault: PutFault, seconds: u64) {
    check(Setup::plain(4), async |world| {
        world.begin().await;
        let before = world.log.commits.len();
        world.faults.next_put(COMMIT, fault);
        world.put_findings(15);
        world.caught_up_within(seconds).await;
        assert!(world.faults.all_happened());
        assert!(world.log.commits.len() > before);
    });
}

/// The commit landed, and whoever made it knows it again: nothing is read a second time.
fn landed_unheard(fault: PutFault) {
    check(Setup::plain(4), async |world| {
        world.begin().await;
        let opened = world.noted(&["list findings/_delta_log"]);
        world.faults.next_put(COMMIT, fault);
        world.put_findings(15);
        world.caught_up_within(15).await;
        assert!(world.faults.all_happened());
        world.pass(60).await;
        assert_eq!(world.noted(&["list findings/_delta_log"]), opened);
    });
}

#[test]
fn fault_04_a_commit_lands_and_the_answer_is_lost() {
    landed_unheard(PutFault::AppliedThenError);
}

#[test]
fn fault_05_a_commit_lands_and_the_answer_is_412() {
    landed_unheard(PutFault::AppliedThenExists);
}

#[test]
fn fault_07_a_commit_is_refused_with_409() {
    at_a_commit(PutFault::Conflict, 30);
}

#[test]
fn a_commit_fails_and_lands_later() {
    for seconds in [1, 8, 40] {
        at_a_commit(PutFault::Late(Duration::from_secs(seconds)), 60);
    }
}

#[test]
fn fault_08_slow_down_for_ten_minutes() {
    check(Setup::plain(8), async |world| {
        world.begin().await;
        world.faults.storm(Duration::from_secs(600));
        for _ in 0..60 {
            world.put_findings(3);
            world.pass(10).await;
        }
        world.caught_up_within(90).await;
    });
}

#[test]
fn fault_38_the_disk_is_full() {
    check(Setup::plain(38), async |world| {
        world.begin().await;
        let before = world.log.commits.len();
        world.faults.full(Duration::from_secs(300));
        world.put_findings(40);
        world.pass(299).await;
        world.log.follow(&world.disk).await;
        assert_eq!(world.log.commits.len(), before);
        world.caught_up_within(90).await;
    });
}

#[test]
fn fault_40_a_put_is_not_answered() {
    for applied in [true, false] {
        at_a_commit(
            PutFault::Hang {
                applied,
                lasts: TIME_OUT,
            },
            90,
        );
    }
}

#[test]
fn fault_40_a_get_is_not_answered() {
    check(Setup::plain(40), async |world| {
        world.begin().await;
        world
            .faults
            .reads(COMMIT, ReadFault::Hang(TIME_OUT), Duration::from_secs(60));
        world.put_findings(10);
        world.pass(60).await;
        world.put_findings(10);
        world.caught_up_within(120).await;
    });
}

#[test]
fn fault_40_a_stream_is_never_answered() {
    for fan_out in [false, true] {
        check(
            Setup {
                fan_out,
                ..Setup::plain(41)
            },
            async |world| {
                world.begin().await;
                let silence = kinesis::Chances {
                    silence: 1_000,
                    ..kinesis::Chances::default()
                };
                world.kinesis.by_chance(silence);
                world.put_findings(10);
                world.pass(60).await;
                world.kinesis.calm();
                world.caught_up_within(120).await;
            },
        );
    }
}
