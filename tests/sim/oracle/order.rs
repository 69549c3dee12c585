//! Order: each shard is committed in one unbroken chain of positions, and a child only after its parents have ended.

use std::collections::BTreeMap;

use super::log::Log;
use crate::sim::kinesis::{FakeKinesis, Life, Shard};

pub(super) fn complaints(log: &Log, lives: &[Life], kinesis: &FakeKinesis) -> Vec<String> {
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
                // A parent that is kept no longer can never be read to its end.
                let parents = parents(lives, source, shard);
                let readable = parents.iter().filter(|parent| kinesis.is_readable_to_its_end(parent));
                let ended = |id: &str| positions.get(&(source, id)).is_some_and(|(_, ended)| *ended);
                if let Some(parent) = readable.map(|parent| &parent.id).find(|id| !ended(id)) {
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

fn parents<'a>(lives: &'a [Life], source: &str, shard: &str) -> Vec<&'a Shard> {
    let Some(life) = lives.iter().find(|life| life.source == source) else { return Vec::new() };
    let Some(child) = life.shards.iter().find(|known| known.id == shard) else { return Vec::new() };
    life.shards.iter().filter(|known| child.parents.contains(&known.id)).collect()
}
