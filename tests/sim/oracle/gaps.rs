//! Gaps: what a stream dropped before it was read, and whether the lake says so.

use std::collections::BTreeSet;

use lake::GapRow;

use super::ledgers::{counted, missing};
use super::log::{Log, Step};
use super::rows::{Place, Stored};
use crate::sim::ground::BEGINNING;
use crate::sim::kinesis::{FakeKinesis, Life, Put, Shard};

/// Clocks of workers may be wrong by so much.
const HOUR_MS: u64 = 3_600_000;
const HOUR: i64 = 3_600_000_000;

/// Records that were dropped unread.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    pub(crate) records: BTreeSet<Place>,
    pub(crate) complaints: Vec<String>,
}

/// A step with a gap right behind its start: the first so many of these records can be lost, and no others.
struct Candidate<'a> {
    step: &'a Step,
    records: Vec<&'a Put>,
}

impl Lost {
    /// Finds the records that are missing, which are the first ones behind gaps; anything else that is missing is wrong.
    pub(super) fn find(
        log: &Log,
        lives: &[Life],
        stored: &Stored,
        gaps: &[GapRow],
        kinesis: &FakeKinesis,
    ) -> Lost {
        let mut lost = Lost::default();
        let stored: BTreeSet<&Place> = stored.findings.iter().map(|(place, ..)| place).collect();
        for commit in &log.commits {
            let documents = missing(commit, lives);
            if documents == 0 {
                continue;
            }
            let candidates: Vec<_> = commit
                .steps
                .iter()
                .map(|step| {
                    let has_gap = gaps.iter().any(|gap| {
                        starts_at(gap, &step.source, &step.shard, step.after.as_deref())
                    });
                    // What a stream dropped before anybody began to read it was never promised.
                    let began = log.begun(&step.source).unwrap_or(i64::MAX);
                    let droppable = |put: &&Put| {
                        let promised = !kinesis.dropped_by(put, began.saturating_add(HOUR));
                        if promised && !has_gap {
                            return false;
                        }
                        let place = (
                            step.source.clone(),
                            step.shard.clone(),
                            put.sequence_number.clone(),
                        );
                        kinesis.is_trimmed(put) && !stored.contains(&place)
                    };
                    let records = counted(step, lives)
                        .into_iter()
                        .take_while(droppable)
                        .collect();
                    Candidate { step, records }
                })
                .collect();
            let Some(lengths) = lengths(&candidates, documents) else {
                let version = commit.version;
                lost.complaints.push(format!(
                    "version {version}: {documents} documents are missing, and no gaps say so"
                ));
                continue;
            };
            for (candidate, length) in candidates.iter().zip(lengths) {
                let Step { source, shard, .. } = candidate.step;
                let numbers = candidate.records[..length]
                    .iter()
                    .map(|put| put.sequence_number.clone());
                lost.records
                    .extend(numbers.map(|number| (source.clone(), shard.clone(), number)));
            }
        }
        if let Some(life) = lives.last() {
            life.shards
                .iter()
                .for_each(|shard| lost.dropped_at_the_end(log, life, shard, gaps, kinesis));
        }
        lost.complaints.extend(
            gaps.iter()
                .filter(|gap| !is_possible(gap, lives, kinesis))
                .map(|gap| format!("a gap where nothing was dropped: {gap:?}")),
        );
        lost
    }

    /// Records past the position of their shard that are kept no longer.
    fn dropped_at_the_end(
        &mut self,
        log: &Log,
        life: &Life,
        shard: &Shard,
        gaps: &[GapRow],
        kinesis: &FakeKinesis,
    ) {
        let reached = log
            .position(&life.source, &shard.id)
            .and_then(|step| step.sequence_number.as_deref());
        let began = log.begun(&life.source).unwrap_or(i64::MAX);
        let unread = shard
            .records
            .iter()
            .filter(|put| Some(&*put.sequence_number) > reached)
            .filter(|put| !kinesis.dropped_by(put, began.saturating_add(HOUR)));
        let dropped: Vec<_> = unread.filter(|put| kinesis.is_trimmed(put)).collect();
        let says_so = |gap: &GapRow| {
            starts_at(gap, &life.source, &shard.id, reached)
                || (reached.is_none()
                    && kinesis.came_and_went(shard)
                    && is_around(gap, life, shard))
        };
        if !dropped.is_empty() && !gaps.iter().any(says_so) {
            let count = dropped.len();
            self.complaints.push(format!(
                "{count} records of {} were dropped, and no gap says so",
                shard.id
            ));
        }
        let place = |put: &&Put| {
            (
                life.source.clone(),
                shard.id.clone(),
                put.sequence_number.clone(),
            )
        };
        self.records.extend(dropped.iter().map(place));
    }
}

/// A shard that was made and forgotten while nobody looked has no row of its own, as nobody ever heard of it; the gaps of the
/// shards before or behind it tell the time.
fn is_around(gap: &GapRow, life: &Life, shard: &Shard) -> bool {
    let first = shard.records.first().map(|put| put.arrived_ms);
    let through = gap
        .after
        .as_ref()
        .and_then(|position| position.read_through);
    let through = through.map(|micros| ((micros - BEGINNING) / 1_000) as u64);
    gap.shard.source == life.source
        && first
            .zip(through)
            .is_some_and(|(first, through)| through <= first + HOUR_MS)
}

fn starts_at(gap: &GapRow, source: &str, shard: &str, after: Option<&str>) -> bool {
    let number = gap
        .after
        .as_ref()
        .and_then(|position| position.sequence_number.as_ref());
    (&*gap.shard.source, &*gap.shard.shard_id) == (source, shard)
        && number.map(ToString::to_string).as_deref() == after
}

/// A gap may be recorded once a stream can have dropped anything, and for a stream that was deleted. A consumer that was away
/// for longer than records are kept cannot know that there were none.
fn is_possible(gap: &GapRow, lives: &[Life], kinesis: &FakeKinesis) -> bool {
    let is_present = lives
        .last()
        .is_some_and(|life| life.source == gap.shard.source);
    !is_present || kinesis.has_dropped_any()
}

/// How many records of each candidate are lost, when so many documents are: the most of the first that is possible.
fn lengths(candidates: &[Candidate<'_>], documents: usize) -> Option<Vec<usize>> {
    let Some((first, rest)) = candidates.split_first() else {
        return (documents == 0).then(Vec::new);
    };
    (0..=first.records.len()).rev().find_map(|length| {
        let held: usize = first.records[..length]
            .iter()
            .map(|put| put.documents.len())
            .sum();
        let mut lengths = lengths(rest, documents.checked_sub(held)?)?;
        lengths.insert(0, length);
        Some(lengths)
    })
}
