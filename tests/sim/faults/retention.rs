//! What a stream drops before it was read, and streams that are not what they were.

use std::time::Duration;

use crate::sim::kinesis::{Manners, Trimmed};
use crate::sim::world::{Setup, World, check};

const HOUR: u64 = 3_600;

fn setup(trimmed: Trimmed, fan_out: bool) -> Setup {
    Setup { manners: Manners { trimmed, ..Manners::default() }, fan_out, ..Setup::plain(27) }
}

/// Reads something, is away for longer than records are kept, and reads on: 15 records are lost, and the lake says so soon.
fn away_too_long(trimmed: Trimmed) {
    for fan_out in [false, true] {
        check(setup(trimmed, fan_out), async |world| {
            world.begin().await;
            world.pass(10).await;
            world.workers[0].kill();
            world.put_findings(15);
            world.pass(26 * HOUR).await;
            world.put_findings(10);
            world.start(0);
            world.caught_up_within(300).await;
            says_where(world).await;
        });
    }
}

/// Both shards have a gap, and the oracle finds exactly the records lost that nobody could read.
async fn says_where(world: &mut World) {
    world.settle().await;
    let gaps = world.lake().await.gaps().await.expect("gaps can be read");
    let shards: std::collections::BTreeSet<_> = gaps.iter().map(|gap| &gap.shard.shard_id).collect();
    assert_eq!((shards.len(), world.counted("records lost")), (2, 15), "{gaps:?}");
}

#[test]
fn fault_27_away_for_longer_than_records_are_kept() {
    away_too_long(Trimmed::Skipped);
}

#[test]
fn fault_28_the_old_position_is_refused() {
    away_too_long(Trimmed::Refused);
}

#[test]
fn fault_29_nothing_comes_and_the_lag_stands_at_the_retention() {
    away_too_long(Trimmed::Silent);
}

#[test]
fn not_quite_as_long_as_records_are_kept_is_no_gap() {
    for trimmed in [Trimmed::Refused, Trimmed::Skipped, Trimmed::Silent] {
        check(setup(trimmed, false), async |world| {
            world.begin().await;
            world.workers[0].kill();
            world.put_findings(15);
            world.pass(23 * HOUR).await;
            world.start(0);
            world.caught_up_within(60).await;
            let gaps = world.lake().await.gaps().await.expect("gaps can be read");
            assert_eq!(gaps, []);
        });
    }
}

#[test]
fn children_of_a_reshard_during_an_outage_that_lost_records_have_gaps_too() {
    check(setup(Trimmed::Skipped, false), async |world| {
        world.begin().await;
        world.workers[0].kill();
        let open = world.kinesis.open_shards();
        world.kinesis.split(&open[0]);
        world.put_findings(20);
        world.pass(20 * HOUR).await;
        world.put_findings(10);
        world.pass(6 * HOUR).await;
        world.put_findings(10);
        world.start(0);
        world.caught_up_within(300).await;
    });
}

#[test]
fn fault_30_the_stream_is_deleted_and_made_again() {
    for (absent, fan_out) in [(0, false), (0, true), (30, false), (30, true)] {
        check(Setup { fan_out, ..Setup::plain(30) }, async |world| {
            world.begin().await;
            world.kinesis.make_again(2, Duration::from_secs(absent));
            world.pass(absent).await;
            world.put_findings(10);
            world.pass(20).await;
            world.put_findings(10);
            world.caught_up_within(180).await;
            let sources: std::collections::BTreeSet<_> =
                world.log.commits.iter().flat_map(|commit| &commit.steps).map(|step| &step.source).collect();
            assert_eq!(sources.len(), 2);
        });
    }
}
