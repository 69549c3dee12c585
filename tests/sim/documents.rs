//! What producers put, and what each record must become in the lake.

use std::sync::Arc;

use bytes::Bytes;
use sample::{Document, Generator, Options, Truth};

use super::ground::{BEGINNING, Ground};
use super::kpl;

/// A published version of a finding: account, Region, finding id, second of the update, count.
pub(crate) type Version = (String, String, String, i64, i64);

/// What one document of a record must become.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A row, unless the lake has this version already.
    Finding(Version),
    /// A row of `rejects`.
    Reject,
    /// Nothing but a count.
    Skipped,
}

/// A record to put.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) key: String,
    /// Where it goes, when not where its key says.
    pub(crate) hash_key: Option<u128>,
    pub(crate) data: Bytes,
    pub(crate) documents: Arc<[Kind]>,
    /// Whether its documents are user records of their own, each with a sub-sequence number.
    pub(crate) is_aggregate: bool,
}

impl Item {
    pub(crate) fn new(key: &str, data: impl Into<Bytes>, documents: Vec<Kind>) -> Item {
        Item {
            key: key.to_owned(),
            hash_key: None,
            data: data.into(),
            documents: documents.into(),
            is_aggregate: false,
        }
    }

    /// A finding as EventBridge sends it.
    pub(crate) fn finding(document: &Document) -> Item {
        Item::new(&document.partition_key, document.bytes.clone(), kinds(document))
    }

    /// Bytes that nobody can read.
    pub(crate) fn broken(number: u64) -> Item {
        Item::new(&format!("broken-{number}"), format!("{{ broken {number}"), vec![Kind::Reject])
    }

    /// An event that is no finding, and how many bytes of padding it carries.
    pub(crate) fn event(number: u64, padding: usize) -> Item {
        let padding = "x".repeat(padding);
        let data = format!(
            r#"{{"source":"aws.guardduty","detail-type":"GuardDuty Malware Protection Resource Status Active","detail":{{"padding":"{padding}"}}}}"#
        );
        Item::new(&format!("event-{number}"), data, vec![Kind::Skipped])
    }

    /// Several findings, one a line.
    pub(crate) fn lines(documents: &[Document]) -> Item {
        let lines: Vec<&[u8]> = documents.iter().map(|document| &*document.bytes).collect();
        let kinds = documents.iter().flat_map(kinds).collect();
        Item::new(&documents[0].partition_key, lines.join(&b'\n'), kinds)
    }

    /// Several findings that the Kinesis Producer Library has put into one record.
    pub(crate) fn aggregate(documents: &[Document]) -> Item {
        let records: Vec<_> = documents.iter().map(kpl::UserRecord::of).collect();
        let kinds = documents.iter().flat_map(kinds).collect();
        let plain = Item::new(&documents[0].partition_key, kpl::aggregate(&records), kinds);
        Item { is_aggregate: true, ..plain }
    }

    /// The same, but into the shard of a hash key.
    pub(crate) fn at(self, hash_key: u128) -> Item {
        Item { hash_key: Some(hash_key), ..self }
    }
}

/// What the documents of a generated document must become.
pub(crate) fn kinds(document: &Document) -> Vec<Kind> {
    document.truths.iter().map(|truth| Kind::Finding(version(truth))).collect()
}

fn version(truth: &Truth) -> Version {
    (
        truth.account_id.clone(),
        truth.region.clone(),
        truth.finding_id.clone(),
        truth.updated_at.div_euclid(1_000_000),
        truth.count as i64,
    )
}

/// Findings of two days, some of them handed out twice.
pub(crate) fn findings(seed: u64, count: u64) -> Vec<Document> {
    let options = Options {
        findings: count,
        accounts: 3,
        seed,
        end: BEGINNING,
        days: 1,
        duplicate_ratio: 0.05,
        every_type: false,
        ..Options::default()
    };
    Generator::new(options).collect()
}

/// What a careless producer makes of so many findings: some twice, some together, with other things in between.
pub(crate) fn careless(ground: &Ground, seed: u64, count: u64) -> Vec<Item> {
    let documents = findings(seed, count);
    let mut items = Vec::new();
    let mut rest = &documents[..];
    while let Some(document) = rest.first() {
        let together = (ground.between(2, 5) as usize).min(rest.len());
        let (item, taken) = match ground.below(20) {
            0 => (Item::lines(&rest[..together]), together),
            1..=2 => (Item::aggregate(&rest[..together]), together),
            _ => (Item::finding(document), 1),
        };
        rest = &rest[taken..];
        // A producer that did not hear the answer puts the same again.
        if ground.permille(80) {
            items.push(item.clone());
        }
        items.push(item);
        let number = items.len() as u64;
        match ground.below(40) {
            0..=1 => items.push(Item::broken(number)),
            2 => items.push(Item::event(number, 0)),
            3 => items.push(Item::event(number, 100_000)),
            _ => {}
        }
    }
    items
}
