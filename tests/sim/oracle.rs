//! What must be true when all is quiet: read from the objects themselves, without the code under test, except where that
//! code offers a check of its own.

mod gaps;
mod ledgers;
mod log;
mod order;
mod rows;

use super::kinesis::{FakeKinesis, Put, Shard};
use super::world::World;
use gaps::Lost;
pub(crate) use log::Log;
use rows::Stored;

/// Complaints of one kind that are shown.
const MOST_SHOWN: usize = 5;

/// Everything that is wrong, a line each.
pub(super) async fn complaints(world: &World) -> Vec<String> {
    let lake = world.lake().await;
    let mut complaints = match lake.verify().await {
        Ok(verified) => verified.problems,
        Err(error) => vec![format!("the lake cannot be verified: {error}")],
    };
    let gaps = match lake.gaps().await {
        Ok(gaps) => gaps,
        Err(error) => {
            complaints.push(format!("the gaps cannot be read: {error}"));
            Vec::new()
        }
    };
    let stored = Stored::read(&world.disk, &world.log).await;
    world.kinesis.history(|lives| {
        let lost = Lost::find(&world.log, lives, &stored, &gaps, &world.kinesis);
        world.ground.add("records lost", lost.records.len() as u64);
        for more in [
            order::complaints(&world.log, lives, &world.kinesis),
            ledgers::complaints(&world.log, lives, &lost),
            stored.complaints(&world.log, lives, &lost),
            lost.complaints,
        ] {
            complaints.extend(first(more));
        }
    });
    complaints
}

/// The first of many that are alike.
fn first(mut complaints: Vec<String>) -> Vec<String> {
    let more = complaints.len().saturating_sub(MOST_SHOWN);
    complaints.truncate(MOST_SHOWN);
    complaints.extend((more > 0).then(|| format!("and {more} more like these")));
    complaints
}

/// The first shard of the present stream whose position is not yet at its last record, or its end.
pub(super) fn behind(log: &Log, kinesis: &FakeKinesis) -> Option<String> {
    kinesis.history(|lives| {
        let life = lives.last()?;
        let unread = |shard: &&Shard| {
            let reached = log.position(&life.source, &shard.id);
            let last = shard.records.iter().rev().find(|put| !put.documents.is_empty());
            let number = reached.and_then(|step| step.sequence_number.as_deref());
            let kept = |put: &&Put| !kinesis.is_trimmed(put);
            let all_read = last.filter(kept).is_none_or(|put| number == Some(&put.sequence_number));
            let ended = !kinesis.is_readable_to_its_end(shard) || reached.is_some_and(|step| step.ended);
            !(all_read && ended)
        };
        let shard = life.shards.iter().find(unread)?;
        Some(format!("{} of {} is at {:?}", shard.id, life.source, log.position(&life.source, &shard.id)))
    })
}
