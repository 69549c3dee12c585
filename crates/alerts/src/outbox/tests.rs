//! Whatever fails and whoever dies: what was queued is sent, in order, under one key for all attempts.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;

use super::{
    DeliveryRow, Due, Ended, Happened, Outbox, Patience, Queue, Step, ended, queue, repeat, start,
};
use crate::text::tests::alert as an_alert;
use crate::{Alert, Event, Routed, Routes, State};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;

fn routes() -> Routes {
    let tree = json!({
        "channels": ["chat", "pager"],
        "group_by": ["rule"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "4h",
        "mute_times": ["nights"],
        "routes": [
            {"name": "one", "match": {"severity": ">= low"}, "continue": true},
            {"name": "two", "match": {"rule": "burst*"}},
        ],
    });
    Routes::from_value(&tree, &["chat", "pager"], &["nights"]).unwrap()
}

fn single() -> BTreeSet<String> {
    BTreeSet::from(["pager".to_owned()])
}

/// A log of deliveries, and what is done with it.
struct World {
    routes: Routes,
    single: BTreeSet<String>,
    log: Vec<DeliveryRow>,
    outbox: Outbox,
    now: i64,
    muted: bool,
}

impl World {
    fn new() -> World {
        World {
            routes: routes(),
            single: single(),
            log: Vec::new(),
            outbox: Outbox::default(),
            now: HOUR,
            muted: false,
        }
    }

    fn log(&mut self, rows: Vec<DeliveryRow>) {
        for row in rows {
            self.outbox.apply(&row);
            self.log.push(row);
        }
    }

    fn by(&self) -> Queue<'_> {
        Queue {
            routes: &self.routes,
            one_by_one: &self.single,
            now: self.now,
            worker: "w",
        }
    }

    fn happens(&mut self, event: Event, rings: bool, alert: &Alert) {
        let happened = Happened {
            routed: Routed {
                alert,
                tags: &[],
                accounts: &[],
            },
            event,
            rings,
        };
        let rows = queue(&self.outbox, &[happened], &self.by());
        self.log(rows);
    }

    /// Begins what is due; returns what began.
    fn begin(&mut self) -> Vec<DeliveryRow> {
        let room = ["chat", "pager"].map(|name| (name.to_owned(), 10));
        let rows = start(
            &self.outbox,
            &Due {
                routes: &self.routes,
                one_by_one: &self.single,
                room: room.into_iter().collect(),
                sending: &BTreeSet::new(),
                muted: &|_| self.muted,
                patience: Patience::default(),
                now: self.now,
                worker: "w",
            },
        );
        self.log(rows.clone());
        rows
    }

    fn end(&mut self, row: &DeliveryRow, how: Ended) -> DeliveryRow {
        let row = ended(&self.outbox, row, how, &Patience::default(), 7, self.now);
        self.log(vec![row.clone()]);
        row
    }

    fn steps(&self) -> Vec<(&str, &str)> {
        let rows = self.log.iter();
        rows.map(|row| (row.channel.as_str(), row.step.as_str()))
            .collect()
    }
}

fn alert(id: &str, seq: i64) -> Alert {
    Alert {
        alert_id: id.to_owned(),
        seq,
        ..an_alert()
    }
}

fn sent() -> Ended {
    Ended::Sent(Some("ref".to_owned()), None)
}

#[test]
fn one_by_one_at_once_and_groups_after_waiting_for_others() {
    let mut world = World::new();
    world.happens(Event::Opened, true, &alert("a", 0));
    world.happens(Event::Opened, true, &alert("b", 0));
    // Two routes lead to the same channels: nobody hears it twice.
    let queued = [("chat", "queued"), ("pager", "queued")];
    assert_eq!(world.steps(), [queued, queued].concat());
    let first = world.begin();
    assert_eq!(first.len(), 2);
    assert!(
        first
            .iter()
            .all(|row| row.channel == "pager" && row.items.len() == 1)
    );
    world.now += 29 * SECOND;
    assert_eq!(world.begin(), []);
    world.now += SECOND;
    let chat = world.begin();
    assert_eq!((chat.len(), chat[0].items.len()), (1, 2));
    assert_eq!(
        chat[0].group,
        [(
            "rule".to_owned(),
            Some("burst_from_one_remote_ip".to_owned())
        )]
    );
    world.end(&chat[0], sent());
    // The next of the group waits for the interval.
    world.happens(Event::Opened, true, &alert("c", 0));
    world.now += 299 * SECOND;
    assert!(world.begin().iter().all(|row| row.channel == "pager"));
    world.now += SECOND;
    assert!(world.begin().iter().any(|row| row.channel == "chat"));
}

#[test]
fn a_lane_is_told_one_thing_after_the_other() {
    let mut world = World::new();
    world.happens(Event::Opened, true, &alert("a", 0));
    let opened = world.begin();
    world.happens(Event::Resolved, false, &alert("a", 1));
    assert_eq!(world.begin(), []);
    let failed = world.end(&opened[0], Ended::ForNow("503".into(), Some(20 * SECOND)));
    assert_eq!(failed.due, Some(world.now + 20 * SECOND));
    world.now += 20 * SECOND;
    let again = world.begin();
    assert_eq!(
        (&again[0].delivery_id, again[0].attempt),
        (&opened[0].delivery_id, 2)
    );
    world.end(&again[0], sent());
    let resolved = world.begin();
    assert_eq!(resolved[0].items[0].seq, 1);
    assert_ne!(resolved[0].delivery_id, opened[0].delivery_id);
    assert_eq!(
        world.outbox.receipt(&opened[0].lane()),
        Some((Some("ref"), None))
    );
}

#[test]
fn what_nobody_was_told_of_ends_silently_and_history_is_skipped() {
    let mut world = World::new();
    world.happens(Event::Resolved, false, &alert("a", 3));
    world.happens(Event::Grew, false, &alert("a", 4));
    let mut old = alert("b", 0);
    old.historic = true;
    world.happens(Event::Opened, false, &old);
    assert_eq!(world.steps(), [("chat", "skipped"), ("pager", "skipped")]);
    world.happens(Event::Resolved, false, &alert("b", 1));
    assert_eq!(world.log.len(), 2);
    assert!(world.outbox.owed().is_empty());
}

#[test]
fn an_attempt_of_which_nothing_is_heard_is_made_again_and_one_day_given_up() {
    let mut world = World::new();
    world.happens(Event::Opened, true, &alert("a", 0));
    let first = world.begin();
    world.now += 89 * SECOND;
    assert!(world.begin().iter().all(|row| row.channel == "chat"));
    world.now += SECOND;
    let again = world.begin();
    assert_eq!(
        (again[0].attempt, &again[0].delivery_id),
        (2, &first[0].delivery_id)
    );
    world.now += 25 * HOUR;
    let dead = world.end(&again[0], Ended::ForNow("503".into(), None));
    assert_eq!(
        (dead.step, dead.reason.as_str()),
        (Step::Dead, "given up after 2 attempts: 503")
    );
    assert_eq!(
        world
            .begin()
            .iter()
            .filter(|row| row.channel == "pager")
            .count(),
        0
    );
}

#[test]
fn waits_double_and_stay_below_their_limit() {
    let mut world = World::new();
    world.happens(Event::Opened, true, &alert("a", 0));
    let mut waits = Vec::new();
    for _ in 0..12 {
        let row = world
            .begin()
            .into_iter()
            .find(|row| row.channel == "pager")
            .unwrap();
        let failed = world.end(&row, Ended::ForNow("500".into(), None));
        waits.push(failed.due.unwrap() - world.now);
        world.now = failed.due.unwrap();
    }
    assert!((2_500_000..=5 * SECOND).contains(&waits[0]), "{waits:?}");
    assert!(waits[..6].is_sorted(), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 600 * SECOND), "{waits:?}");
}

#[test]
fn an_attempt_that_was_not_made_costs_nothing() {
    let mut world = World::new();
    world.happens(Event::Opened, true, &alert("a", 0));
    for _ in 0..20 {
        let row = world
            .begin()
            .into_iter()
            .find(|row| row.channel == "pager")
            .unwrap();
        assert_eq!(row.attempt, 1);
        let back = world.end(&row, Ended::NotMade);
        assert_eq!((back.step, back.due), (Step::Failed, Some(world.now)));
    }
}

#[test]
fn muted_routes_wait_and_open_alerts_are_repeated() {
    let mut world = World::new();
    world.muted = true;
    world.happens(Event::Opened, true, &alert("a", 0));
    world.now += HOUR;
    assert_eq!(world.begin(), []);
    world.muted = false;
    for row in world.begin() {
        world.end(&row, sent());
    }
    let mut open = alert("a", 0);
    let alerts = |open: &Alert| BTreeMap::from([("a".to_owned(), open.clone())]);
    let known = alerts(&open);
    assert_eq!(repeat(&world.outbox, &world.by(), |id| known.get(id)), []);
    world.now += 4 * HOUR;
    let again = repeat(&world.outbox, &world.by(), |id| known.get(id));
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|row| row.reason == "still open"));
    // A receiver that drops keys that it knows must not drop this.
    let first: BTreeSet<String> = world
        .log
        .iter()
        .map(|row| row.delivery_id.clone())
        .collect();
    world.log(again);
    world.now += 30 * SECOND;
    let begun = world.begin();
    assert_eq!(begun.len(), 2);
    assert!(begun.iter().all(|row| !first.contains(&row.delivery_id)));
    for row in begun {
        world.end(&row, sent());
    }
    world.now += 4 * HOUR;
    open.state = State::Acknowledged;
    let known = alerts(&open);
    assert_eq!(repeat(&world.outbox, &world.by(), |id| known.get(id)), []);
}

#[test]
fn a_channel_that_is_gone_is_given_up() {
    let mut world = World::new();
    world.happens(Event::Opened, true, &alert("a", 0));
    let due = Due {
        routes: &world.routes,
        one_by_one: &world.single,
        room: BTreeMap::from([("chat".to_owned(), 1)]),
        sending: &BTreeSet::new(),
        muted: &|_| false,
        patience: Patience::default(),
        now: world.now,
        worker: "w",
    };
    let rows = start(&world.outbox, &due);
    let steps: Vec<_> = rows.iter().map(|row| row.step).collect();
    assert_eq!(steps, [Step::Started, Step::Dead]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Alerts open and resolve, receivers fail, answers get lost, processes die between any two rows.
    #[test]
    fn everything_queued_is_sent_in_order(
        script in proptest::collection::vec((0..4_u8, 0..3_u8, any::<bool>()), 1..60),
    ) {
        let mut world = World::new();
        let mut seqs: BTreeMap<u8, i64> = BTreeMap::new();
        let mut got: Vec<DeliveryRow> = Vec::new();
        for (what, which, lucky) in script {
            match what {
                0 => {
                    let seq = seqs.entry(which).and_modify(|seq| *seq += 1).or_insert(0);
                    let (seq, opens) = (*seq, *seq % 2 == 0);
                    let event = if opens { Event::Opened } else { Event::Resolved };
                    world.happens(event, opens, &alert(&format!("a{which}"), seq));
                }
                1 => world.now += i64::from(which + 1) * 40 * SECOND,
                _ => {
                    for row in world.begin() {
                        match which {
                            // Came through, and the answer too.
                            0 => { got.push(row.clone()); world.end(&row, sent()); }
                            // Came through perhaps, and nothing is heard of it: a kill.
                            1 => if lucky { got.push(row) },
                            _ => { world.end(&row, Ended::ForNow("500".into(), None)); }
                        }
                    }
                }
            }
            // Whoever reads the log knows as much.
            let mut read = Outbox::default();
            world.log.iter().for_each(|row| read.apply(row));
            prop_assert_eq!(&read, &world.outbox);
        }
        for _ in 0..40 {
            world.now += 700 * SECOND;
            for row in world.begin() {
                got.push(row.clone());
                world.end(&row, sent());
            }
        }
        prop_assert!(world.outbox.owed().is_empty());
        for queued in world.log.iter().filter(|row| row.step == Step::Queued) {
            let lane: Vec<&DeliveryRow> = got.iter().filter(|row| row.lane() == queued.lane()).collect();
            prop_assert!(lane.iter().any(|row| row.items.contains(&queued.items[0])));
            // What a receiver sees once it drops keys that it knows is in order.
            let mut keys = BTreeSet::new();
            let first: Vec<i64> = lane.iter()
                .filter(|row| keys.insert(row.delivery_id.clone()))
                .flat_map(|row| row.items.iter().filter(|item| item.alert_id == queued.items[0].alert_id))
                .map(|item| item.seq)
                .collect();
            prop_assert!(first.is_sorted(), "{:?}", first);
        }
    }
}
