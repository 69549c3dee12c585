//! One shard: its records in order, and which of them are still kept.

use std::sync::Arc;

use bytes::Bytes;
use ingest::kinesis::Record;

use super::traffic::Traffic;
use crate::sim::documents::{Item, Kind};
use crate::sim::ground::{BEGINNING, Ground};

/// A reply holds at most so many bytes (API reference, `GetRecords`).
const REPLY_BYTES: usize = 10 << 20;

/// A record that was put, and what it holds.
#[derive(Debug, Clone)]
pub(crate) struct Put {
    pub(crate) sequence_number: String,
    pub(crate) partition_key: String,
    pub(crate) arrived_ms: u64,
    pub(crate) data: Bytes,
    pub(crate) documents: Arc<[Kind]>,
    pub(crate) is_aggregate: bool,
}

impl Put {
    /// As a reader gets it. Its time of arrival is off by up to half a second either way.
    pub(super) fn record(&self, ground: &Ground) -> Record {
        let off = ground.below(1_000) as i64 - 500;
        Record {
            sequence_number: self.sequence_number.clone(),
            partition_key: self.partition_key.clone(),
            arrived_at: Some(BEGINNING + (self.arrived_ms as i64 + off) * 1_000),
            data: self.data.clone(),
        }
    }
}

/// A shard and everything that was ever put into it.
pub(crate) struct Shard {
    pub(super) index: usize,
    pub(crate) id: String,
    pub(crate) parents: Vec<String>,
    pub(super) hash_keys: (u128, u128),
    /// It is in no listing before.
    pub(super) listed_at: u64,
    pub(crate) closed_at: Option<u64>,
    pub(crate) records: Vec<Put>,
    pub(super) traffic: Traffic,
}

impl Shard {
    pub(super) fn new(
        index: usize,
        parents: Vec<String>,
        hash_keys: (u128, u128),
        listed_at: u64,
    ) -> Shard {
        Shard {
            index,
            id: format!("shardId-{index:012}"),
            parents,
            hash_keys,
            listed_at,
            closed_at: None,
            records: Vec::new(),
            traffic: Traffic::default(),
        }
    }

    pub(super) fn listed(&self) -> ingest::kinesis::Shard {
        ingest::kinesis::Shard {
            id: self.id.clone(),
            parents: self.parents.clone(),
            hash_keys: self.hash_keys,
        }
    }

    pub(super) fn put(&mut self, sequence_number: String, item: &Item, now: u64) {
        self.records.push(Put {
            sequence_number,
            partition_key: item.key.clone(),
            arrived_ms: now,
            data: item.data.clone(),
            documents: item.documents.clone(),
            is_aggregate: item.is_aggregate,
        });
    }

    /// Index of the oldest record that arrived after a time.
    pub(super) fn oldest_kept(&self, time: u64) -> usize {
        // A record goes when its time is up; at the very beginning nothing can be.
        self.records.partition_point(|put| time > 0 && put.arrived_ms <= time)
    }

    pub(super) fn index_of(&self, sequence_number: &str) -> Option<usize> {
        // All numbers have the same length, so that text is in the order of the numbers.
        let found = self.records.binary_search_by(|put| (*put.sequence_number).cmp(sequence_number));
        found.ok()
    }

    /// How many records from a place fit into one reply.
    pub(super) fn within_10_mib(&self, at: usize) -> usize {
        let mut bytes = 0;
        let fits = |put: &&Put| {
            bytes += put.data.len();
            bytes <= REPLY_BYTES
        };
        self.records[at..].iter().take_while(fits).count()
    }
}
