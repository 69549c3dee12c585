//! Records that are not as they should be.

use sample::Document;
use serde_json::{Value, json};

use crate::sim::documents::{self, Item, Kind};
use crate::sim::kinesis::hash_key;
use crate::sim::kpl::{self, UserRecord};
use crate::sim::world::{Setup, check};

fn changed(document: &Document, change: impl FnOnce(&mut Value)) -> Item {
    let mut value = serde_json::from_slice(&document.bytes).expect("a document is JSON");
    change(&mut value);
    Item::new(&document.partition_key, value.to_string(), documents::kinds(document))
}

#[test]
fn fault_17_fields_that_nobody_knew() {
    check(Setup::plain(17), async |world| {
        world.start(0);
        let findings = documents::findings(17, 8);
        world.put_all(&[
            changed(&findings[0], |v| v["detail"]["service"]["newThing"] = json!({ "deep": [1, { "a": null }] })),
            changed(&findings[1], |v| v["detail"]["resource"] = json!("not an object any more")),
            changed(&findings[2], |v| v["detail"]["service"]["action"] = Value::Null),
            changed(&findings[3], |v| v["detail"]["severity"] = json!("8.0")),
            changed(&findings[4], |v| v["detail"]["title"] = json!([1, 2, 3])),
            changed(&findings[5], |v| v["detail"]["type"] = json!("NewPurpose:NewResource/NewThing!New")),
        ]);
    });
}

#[test]
fn fault_18_poison() {
    check(Setup { shards: 1, ..Setup::plain(18) }, async |world| {
        world.begin().await;
        let poison = |key: &str, data: Vec<u8>| Item::new(key, data, vec![Kind::Reject]);
        world.put_all(&[
            Item::broken(1),
            poison("text", vec![0xff, 0xfe, 0x00, 0x80]),
            poison("deep", "[".repeat(200_000).into_bytes()),
            poison("closed", format!("{}{}", "{\"a\":".repeat(50_000), "}".repeat(50_000)).into_bytes()),
            poison("long", vec![b'x'; (10 << 20) - 1]),
            poison("gzip", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]),
        ]);
        world.put_findings(10);
        world.caught_up_within(60).await;
    });
}

#[test]
fn fault_32_producers_put_the_same_twice() {
    check(Setup::plain(32), async |world| {
        world.start(0);
        let items: Vec<_> = documents::findings(32, 30).iter().map(Item::finding).collect();
        world.put_all(&items);
        world.put_all(&items[..15]);
        world.pass(20).await;
        world.put_all(&items);
        world.caught_up().await;
        world.workers[0].kill();
        world.put_all(&items);
        world.start(0);
    });
}

fn user_records(findings: &[Document]) -> Vec<UserRecord> {
    findings.iter().map(UserRecord::of).collect()
}

#[test]
fn fault_33_aggregates_good_and_broken() {
    check(Setup { rows: 4, ..Setup::plain(33) }, async |world| {
        world.start(0);
        let findings = documents::findings(33, 40);
        let records = user_records(&findings[20..26]);
        let broken = |key: &str, data: Vec<u8>| Item::new(key, data, vec![Kind::Reject]);
        let mut cut = kpl::aggregate(&records);
        cut.truncate(cut.len() / 2);
        world.put_all(&[
            Item::aggregate(&findings[..6]),
            broken("digest", kpl::with_bad_digest(&records)),
            broken("truncated", kpl::truncated(&records)),
            broken("cut", cut),
            broken("index", kpl::with_huge_index(&records)),
            Item::aggregate(&findings[6..20]),
            Item::finding(&findings[30]),
        ]);
    });
}

#[test]
fn fault_33_killed_in_the_middle_of_an_aggregate() {
    check(Setup { rows: 3, shards: 1, ..Setup::plain(33) }, async |world| {
        world.begin().await;
        let findings = documents::findings(34, 40);
        for part in ["findings/event_date", "findings/_delta_log"] {
            world.faults.next_put(part, crate::sim::store::faults::PutFault::KillAfter);
            world.put_all(&[Item::aggregate(&findings[..12]), Item::aggregate(&findings[12..24])]);
            world.workers[0].death().await;
            world.start(0);
        }
    });
}

#[test]
fn fault_33_user_records_of_another_shard_are_kept_once() {
    check(Setup::plain(33), async |world| {
        world.start(0);
        let findings = documents::findings(35, 12);
        // One producer thinks that the shards are as they were, and puts all into one; later it puts each where it belongs.
        let wrong = if hash_key(&findings[0].partition_key) > u128::MAX / 2 { 0 } else { u128::MAX };
        world.put_all(&[Item::aggregate(&findings).at(wrong)]);
        world.pass(20).await;
        let each: Vec<_> = findings.iter().map(Item::finding).collect();
        world.put_all(&each);
    });
}
