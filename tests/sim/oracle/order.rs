//! Order: each shard is committed in one unbroken chain of positions, and a child only after its parents have ended.

use std::collections::BTreeMap;

use super::log::Log;
use crate::sim::kinesis::Life;

pub(super) fn complaints(log: &Log, lives: &[Life]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut positions: BTreeMap<(&str, &str), (Option<&str>, bool)> = BTreeMap::new();
    for commit in &log.commits {
        let version = commit.version;
        for step in &commit.steps {
            let (source, shard) = (&*step.source, &*step.shard);
            let before = positions.get(&(source, shard)).copied();
            if before.is_some_and(|(_, ended)| ended) {
                complaints.push(format!("version {version}: {shard} goes on after its end"));
            }
            if step.after.as_deref() != before.and_then(|(number, _)| number) {
                let after = &step.after;
                complaints.push(format!("version {version}: {shard} moves from {after:?}, it was at {before:?}"));
            }
            if step.sequence_number < step.after {
                complaints.push(format!("version {version}: {shard} moves back"));
            }
            if before.is_none() {
                let parents = parents(lives, source, shard);
                let unread = |parent: &&&str| !positions.get(&(source, **parent)).is_some_and(|(_, ended)| *ended);
                if let Some(parent) = parents.iter().find(unread) {
                    complaints.push(format!("version {version}: {shard} begins before {parent} has ended"));
                }
            }
        }
        for step in &commit.steps {
            let now = (step.sequence_number.as_deref(), step.ended);
            positions.insert((&step.source, &step.shard), now);
        }
    }
    complaints
}

fn parents<'a>(lives: &'a [Life], source: &str, shard: &str) -> Vec<&'a str> {
    let life = lives.iter().filter(|life| life.source == source);
    let shards = life.flat_map(|life| &life.shards).filter(|known| known.id == shard);
    shards.flat_map(|shard| &shard.parents).map(String::as_str).collect()
}
