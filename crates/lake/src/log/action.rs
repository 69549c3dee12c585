//! Lines of a Delta commit, as far as this project writes and reads them (Delta protocol, "Actions").

use std::collections::HashMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shape::{Metadata, Protocol};
use super::{Change, Operation};

/// A data file of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Add {
    /// Path relative to the table, URL-encoded as the protocol asks.
    pub(crate) path: String,
    /// Partition columns as text.
    pub(crate) partition_values: HashMap<String, Option<String>>,
    /// Bytes.
    pub(crate) size: i64,
    /// Milliseconds since the epoch.
    pub(crate) modification_time: i64,
    /// False for rewrites of rows that were there before.
    pub(crate) data_change: bool,
    /// Row count, minima, maxima and null counts as JSON text.
    #[serde(default)]
    pub(crate) stats: Option<String>,
}

impl Add {
    /// Rows of the file as its statistics say.
    pub(crate) fn rows(&self) -> Option<u64> {
        #[derive(Deserialize)]
        struct Stats {
            #[serde(rename = "numRecords")]
            num_records: u64,
        }
        serde_json::from_str::<Stats>(self.stats.as_deref()?)
            .ok()
            .map(|stats| stats.num_records)
    }
}

/// A data file that is no longer part of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remove {
    /// Path as its add action had it.
    pub(crate) path: String,
    /// Milliseconds since the epoch; other writers may leave it out.
    pub(crate) deletion_timestamp: Option<i64>,
    /// False when the rows are in another file now.
    data_change: bool,
    /// Whether partition values and size are said here.
    extended_file_metadata: Option<bool>,
    partition_values: Option<HashMap<String, Option<String>>>,
    size: Option<i64>,
}

impl Remove {
    /// Whether rows went, rather than moved to another file.
    pub(crate) fn data_change(&self) -> bool {
        self.data_change
    }

    /// Takes a file out some of whose rows have expired. `now_ms` in milliseconds since the epoch.
    pub(crate) fn expired(add: &Add, now_ms: i64) -> Remove {
        Remove {
            data_change: true,
            ..Remove::rewritten(add, now_ms)
        }
    }

    /// Takes a file out whose rows were rewritten. `now_ms` in milliseconds since the epoch.
    pub(crate) fn rewritten(add: &Add, now_ms: i64) -> Remove {
        Remove {
            path: add.path.clone(),
            deletion_timestamp: Some(now_ms),
            data_change: false,
            extended_file_metadata: Some(true),
            partition_values: Some(add.partition_values.clone()),
            size: Some(add.size),
        }
    }
}

/// How the documents of a batch ended. Always `received = committed + duplicate + rejected + skipped + expired`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Documents after framing.
    pub received: u64,
    /// Stored as new rows.
    pub committed: u64,
    /// Versions that the lake has already.
    pub duplicate: u64,
    /// Unreadable or without identity; kept in `rejects`.
    pub rejected: u64,
    /// Of GuardDuty but no finding, or of another product.
    pub skipped: u64,
    /// Older than retention.
    pub expired: u64,
}

impl Ledger {
    /// Whether every document received ended in one of the five ways.
    pub fn balances(&self) -> bool {
        self.received
            == self.committed + self.duplicate + self.rejected + self.skipped + self.expired
    }
}

impl Ledger {
    /// What was counted since an earlier reading of the same ledger.
    pub fn since(&self, before: Ledger) -> Ledger {
        Ledger {
            received: self.received - before.received,
            committed: self.committed - before.committed,
            duplicate: self.duplicate - before.duplicate,
            rejected: self.rejected - before.rejected,
            skipped: self.skipped - before.skipped,
            expired: self.expired - before.expired,
        }
    }
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, other: Ledger) {
        self.received += other.received;
        self.committed += other.committed;
        self.duplicate += other.duplicate;
        self.rejected += other.rejected;
        self.skipped += other.skipped;
        self.expired += other.expired;
    }
}

/// One commit as read from the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Followed {
    /// Its version.
    pub(crate) version: i64,
    /// Files added.
    pub(crate) adds: Vec<Add>,
    /// Files removed.
    pub(crate) removes: Vec<Remove>,
    /// Application transactions set.
    pub(crate) txns: Vec<(String, i64)>,
    /// Schema, partitioning or properties, where the commit changes them.
    pub(crate) metadata: Option<Metadata>,
    /// What readers and writers must understand, where the commit changes it.
    pub(crate) protocol: Option<Protocol>,
    /// The writer's own mark, to know its commit again.
    pub(crate) nonce: Option<String>,
    /// The writer's ledger.
    pub(crate) ledger: Option<Ledger>,
    /// How many rows retention took out.
    pub(crate) expired: Option<u64>,
}

#[derive(Deserialize)]
struct Line {
    add: Option<Add>,
    remove: Option<Remove>,
    txn: Option<Txn>,
    #[serde(rename = "metaData")]
    metadata: Option<Metadata>,
    protocol: Option<Protocol>,
    #[serde(rename = "commitInfo")]
    commit_info: Option<CommitInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Txn {
    app_id: String,
    version: i64,
}

#[derive(Deserialize)]
struct CommitInfo {
    guardlake: Option<Info>,
}

#[derive(Deserialize)]
struct Info {
    nonce: Option<String>,
    ledger: Option<Ledger>,
    expired: Option<u64>,
}

/// Reads a commit file. The error says which line is wrong.
pub(crate) fn parse(version: i64, bytes: &[u8]) -> Result<Followed, String> {
    let mut commit = Followed {
        version,
        ..Followed::default()
    };
    for (number, line) in bytes.split(|b| *b == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let line: Line =
            serde_json::from_slice(line).map_err(|e| format!("line {}: {e}", number + 1))?;
        commit.adds.extend(line.add);
        commit.removes.extend(line.remove);
        commit
            .txns
            .extend(line.txn.map(|txn| (txn.app_id, txn.version)));
        commit.metadata = line.metadata.or(commit.metadata);
        commit.protocol = line.protocol.or(commit.protocol);
        if let Some(info) = line.commit_info.and_then(|info| info.guardlake) {
            commit.nonce = info.nonce;
            commit.ledger = info.ledger;
            commit.expired = info.expired;
        }
    }
    Ok(commit)
}

/// Writes a commit file.
pub(crate) fn encode(change: &Change, nonce: &str, now_ms: i64) -> Vec<u8> {
    let mut info = match &change.info {
        Value::Object(map) => map.clone(),
        _ => serde_json::Map::new(),
    };
    info.insert("nonce".to_owned(), json!(nonce));
    let (operation, parameters) = match change.operation {
        Operation::Append => ("WRITE", json!({ "mode": "Append" })),
        Operation::Rewrite => ("OPTIMIZE", json!({ "predicate": "[]" })),
        Operation::Expire => ("DELETE", json!({ "predicate": "[\"retention\"]" })),
    };
    let mut lines = vec![json!({ "commitInfo": {
        "timestamp": now_ms,
        "operation": operation,
        "operationParameters": parameters,
        "engineInfo": concat!("guardlake/", env!("CARGO_PKG_VERSION")),
        "isBlindAppend": change.operation == Operation::Append,
        "guardlake": info,
    }})];
    lines.extend(
        change
            .txns
            .iter()
            .map(|(id, version)| json!({ "txn": { "appId": id, "version": version } })),
    );
    lines.extend(
        change
            .removes
            .iter()
            .map(|remove| json!({ "remove": remove })),
    );
    lines.extend(change.adds.iter().map(|add| json!({ "add": add })));
    lines
        .iter()
        .map(Value::to_string)
        .collect::<Vec<_>>()
        .join("\n")
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_reads_back_as_written() {
        let add = Add {
            path: "event_date=2026-01-01/a.parquet".into(),
            partition_values: HashMap::from([("event_date".into(), Some("2026-01-01".into()))]),
            size: 3,
            modification_time: 4,
            data_change: false,
            stats: Some(r#"{"numRecords":7}"#.into()),
        };
        let ledger = Ledger {
            received: 7,
            committed: 7,
            ..Ledger::default()
        };
        let change = Change {
            adds: vec![add.clone()],
            txns: vec![("a".into(), 5)],
            removes: vec![Remove::rewritten(&add, 8)],
            operation: Operation::Rewrite,
            info: json!({ "ledger": ledger }),
        };
        let read = parse(9, &encode(&change, "n", 0)).unwrap();
        assert_eq!(
            (read.version, read.adds, read.txns),
            (9, vec![add.clone()], vec![("a".into(), 5)])
        );
        assert_eq!(
            (read.nonce.as_deref(), read.ledger, &read.removes),
            (Some("n"), Some(ledger), &change.removes)
        );
        assert!(read.metadata.is_none() && read.protocol.is_none());
        assert_eq!(add.rows(), Some(7));
        assert!(parse(1, b"{\"add\":1}").unwrap_err().starts_with("line 1"));
    }
}
