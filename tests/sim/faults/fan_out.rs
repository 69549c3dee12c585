//! Enhanced fan-out: subscriptions end, are refused and are taken over.

use crate::sim::world::{Setup, check};

#[test]
fn fault_34_subscriptions_end_after_five_minutes() {
    check(Setup { fan_out: true, ..Setup::plain(34) }, async |world| {
        world.start(0);
        for _ in 0..26 {
            world.put_findings(3);
            world.pass(30).await;
        }
        world.caught_up_within(15).await;
        assert!(world.noted(&["subscription to", "ends"]) >= 4);
        assert_eq!(world.noted(&[": ResourceInUseException"]), 0);
    });
}

#[test]
fn fault_34_a_new_worker_comes_while_the_old_subscription_is_there() {
    check(Setup { fan_out: true, workers: 2, ..Setup::plain(34) }, async |world| {
        world.start(0);
        world.put_findings(10);
        world.pass(2).await;
        world.workers[0].kill();
        world.put_findings(10);
        world.start(0);
        world.caught_up_within(30).await;
        assert!(world.noted(&[": ResourceInUseException"]) > 0);
        // The second takes the subscriptions over, and the first does not give up.
        world.start(1);
        for _ in 0..10 {
            world.put_findings(3);
            world.pass(5).await;
        }
        world.caught_up_within(60).await;
    });
}
