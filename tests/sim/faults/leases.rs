//! Clocks that jump and leases that are lost.

use std::time::Duration;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::sim::store::faults::PutFault;
use crate::sim::world::{Setup, World, check};

const HOUR: i64 = 3_600_000_000;

fn three() -> Setup {
    Setup { workers: 3, shards: 6, leases: Some(Duration::from_secs(9)), ..Setup::plain(35) }
}

/// Puts a little for a minute.
async fn a_minute(world: &mut World) {
    for _ in 0..6 {
        world.put_findings(5);
        world.pass(10).await;
    }
}

async fn lease_objects(world: &World) -> Vec<Path> {
    let folder = Path::from("_leases");
    let listed: Vec<_> = world.disk.list(Some(&folder)).try_collect().await.expect("memory lists");
    listed.into_iter().map(|object| object.location).collect()
}

#[test]
fn workers_share_the_shards() {
    check(three(), async |world| {
        world.start_all();
        a_minute(world).await;
        let before = world.ground.lines().len();
        a_minute(world).await;
        let lines = world.ground.lines();
        for shard in 0..6 {
            let call = format!("records 1/{shard}/");
            let readers: std::collections::BTreeSet<_> = lines[before..]
                .iter()
                .filter(|line| line.contains(&call))
                .filter_map(|line| line.split_whitespace().nth(1))
                .collect();
            assert_eq!(readers.len(), 1, "shard {shard} is read by {readers:?}");
        }
        world.workers[1].kill();
        a_minute(world).await;
        world.caught_up_within(30).await;
    });
}

#[test]
fn fault_35_clocks_jump_by_an_hour_and_disagree() {
    check(three(), async |world| {
        world.workers[1].set_clock(HOUR);
        world.workers[2].set_clock(-HOUR);
        world.start_all();
        a_minute(world).await;
        for skew in [HOUR, -HOUR, 0] {
            world.workers[0].set_clock(skew);
            a_minute(world).await;
        }
        world.caught_up_within(30).await;
        let gaps = world.lake().await.gaps().await.expect("gaps can be read");
        assert_eq!(gaps, []);
    });
}

#[test]
fn fault_36_lease_objects_are_deleted() {
    check(three(), async |world| {
        world.start_all();
        a_minute(world).await;
        for _ in 0..3 {
            for path in lease_objects(world).await {
                world.disk.delete(&path).await.expect("memory deletes");
            }
            a_minute(world).await;
        }
        world.caught_up_within(30).await;
    });
}

#[test]
fn fault_36_a_renewal_is_in_doubt() {
    for fault in [
        PutFault::AppliedThenError,
        PutFault::AppliedThenExists,
        PutFault::Conflict,
        PutFault::Late(Duration::from_secs(5)),
        PutFault::Hang { applied: true, lasts: Duration::from_secs(30) },
    ] {
        check(three(), async |world| {
            world.start_all();
            a_minute(world).await;
            for _ in 0..6 {
                world.faults.next_put("_leases/", fault);
            }
            a_minute(world).await;
            a_minute(world).await;
            assert!(world.faults.all_happened());
            world.caught_up_within(30).await;
        });
    }
}
