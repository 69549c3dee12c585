//! Ledgers: each commit counts exactly the documents of the records it moved over.

use super::gaps::Lost;
use super::log::{Commit, Log, Step};
use crate::sim::documents::Kind;
use crate::sim::kinesis::{Life, Put};

/// The records that a step moved over.
pub(super) fn counted<'a>(step: &Step, lives: &'a [Life]) -> Vec<&'a Put> {
    let life = lives.iter().filter(|life| life.source == step.source);
    let shards = life.flat_map(|life| &life.shards).filter(|shard| shard.id == step.shard);
    let records = shards.flat_map(|shard| &shard.records);
    let within = |put: &&Put| {
        let number = Some(&put.sequence_number);
        number > step.after.as_ref() && number <= step.sequence_number.as_ref()
    };
    records.filter(within).collect()
}

/// How many documents of its records a commit did not count.
pub(super) fn missing(commit: &Commit, lives: &[Life]) -> usize {
    let steps = commit.steps.iter().flat_map(|step| counted(step, lives));
    let documents: usize = steps.map(|put| put.documents.len()).sum();
    let received = commit.ledger.map_or(0, |ledger| ledger.received);
    documents.saturating_sub(received as usize)
}

pub(super) fn complaints(log: &Log, lives: &[Life], lost: &Lost) -> Vec<String> {
    let mut complaints = Vec::new();
    for commit in &log.commits {
        let ledger = commit.ledger.unwrap_or_default();
        let (mut findings, mut rejects, mut skipped) = (0, 0, 0);
        for step in &commit.steps {
            let is_lost = |put: &&Put| {
                let place = (step.source.clone(), step.shard.clone(), put.sequence_number.clone());
                lost.records.contains(&place)
            };
            let read = counted(step, lives).into_iter().filter(|put| !is_lost(put));
            for kind in read.flat_map(|put| put.documents.iter()) {
                match kind {
                    Kind::Finding(_) => findings += 1,
                    Kind::Reject => rejects += 1,
                    Kind::Skipped => skipped += 1,
                }
            }
        }
        let expected = (findings, rejects, skipped);
        let counted = (ledger.committed + ledger.duplicate, ledger.rejected, ledger.skipped);
        if counted != expected {
            let version = commit.version;
            complaints.push(format!(
                "version {version} counts {counted:?} findings, rejects and others; its records held {expected:?}"
            ));
        }
    }
    complaints
}
