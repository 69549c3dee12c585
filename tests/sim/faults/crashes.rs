//! A worker dies at the worst moments of a commit.

use object_store::ObjectStore;
use object_store::path::Path;

use crate::sim::store::faults::PutFault;
use crate::sim::world::{Setup, World, check};

/// Kills the worker at a PUT, puts more, and starts it again.
fn killed_at(part: &'static str, fault: PutFault, then: impl AsyncFnOnce(&mut World)) {
    check(Setup::plain(1), async |world| {
        world.begin().await;
        world.faults.next_put(part, fault);
        world.put_findings(20);
        world.workers[0].death().await;
        then(world).await;
        world.put_findings(5);
        world.start(0);
        world.caught_up_within(60).await;
    });
}

#[test]
fn fault_01_killed_before_the_upload() {
    killed_at("findings/event_date", PutFault::KillBefore, async |_| {});
}

#[test]
fn fault_02_killed_between_upload_and_commit() {
    let orphans = async |world: &mut World| {
        world.log.follow(&world.disk).await;
        let folder = Path::from("findings");
        let listed: Vec<_> = futures::TryStreamExt::try_collect(world.disk.list(Some(&folder))).await.expect("memory lists");
        let stored = listed.iter().filter(|object| object.location.as_ref().ends_with(".parquet")).count();
        assert!(stored > world.log.files().count(), "no file is without a commit");
    };
    killed_at("findings/_delta_log", PutFault::KillBefore, orphans);
}

#[test]
fn fault_03_killed_after_the_commit_landed() {
    let landed = async |world: &mut World| {
        let before = world.log.commits.len();
        world.log.follow(&world.disk).await;
        assert_eq!(world.log.commits.len(), before + 1);
    };
    killed_at("findings/_delta_log", PutFault::KillAfter, landed);
}

#[test]
fn killed_between_the_rejects_and_the_findings_of_a_batch() {
    for (part, fault) in [
        ("rejects/_delta_log", PutFault::KillBefore),
        ("rejects/_delta_log", PutFault::KillAfter),
    ] {
        check(Setup::plain(2), async |world| {
            world.begin().await;
            world.faults.next_put(part, fault);
            world.put_findings(5);
            world.put_all(&[crate::sim::documents::Item::broken(1)]);
            world.workers[0].death().await;
            world.start(0);
        });
    }
}
