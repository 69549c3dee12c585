//! The log of `findings`, read line by line as anybody could.

use std::collections::{BTreeMap, BTreeSet};

use lake::Ledger;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt};
use serde_json::Value;

/// A shard's move in one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) source: String,
    pub(crate) shard: String,
    pub(crate) after: Option<String>,
    pub(crate) sequence_number: Option<String>,
    pub(crate) ended: bool,
}

/// One commit.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) version: i64,
    /// Files it added, not as rewrites of others.
    pub(crate) added: Vec<String>,
    pub(crate) ledger: Option<Ledger>,
    pub(crate) steps: Vec<Step>,
}

/// All commits so far.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) commits: Vec<Commit>,
    files: BTreeSet<String>,
    positions: BTreeMap<(String, String), Step>,
    /// When reading of each stream began, by the clock of whoever began.
    begun: BTreeMap<String, i64>,
}

impl Log {
    /// Reads what was committed since.
    pub(crate) async fn follow(&mut self, disk: &InMemory) {
        loop {
            let version = self.commits.len() as i64;
            let Some(actions) = actions(disk, "findings", version).await else {
                return;
            };
            self.apply(version, &actions);
        }
    }

    fn apply(&mut self, version: i64, actions: &[Value]) {
        let mut commit = Commit {
            version,
            added: Vec::new(),
            ledger: None,
            steps: Vec::new(),
        };
        for action in actions {
            if let Some(path) = action["remove"]["path"].as_str() {
                self.files.remove(path);
            }
            if let Some(path) = action["add"]["path"].as_str() {
                self.files.insert(path.to_owned());
                if action["add"]["dataChange"] == true {
                    commit.added.push(path.to_owned());
                }
            }
            let id = action["txn"]["appId"].as_str().unwrap_or_default();
            if let Some((_, source)) = id.split_once("/begun/") {
                let at = action["txn"]["version"].as_i64().expect("a time");
                self.begun.insert(source.to_owned(), at);
            }
            let info = &action["commitInfo"]["guardlake"];
            if !info["ledger"].is_null() {
                let ledger = serde_json::from_value(info["ledger"].clone());
                commit.ledger = Some(ledger.expect("a ledger has numbers"));
            }
            commit
                .steps
                .extend(info["positions"].as_array().into_iter().flatten().map(step));
        }
        for step in &commit.steps {
            let shard = (step.source.clone(), step.shard.clone());
            self.positions.insert(shard, step.clone());
        }
        self.commits.push(commit);
    }

    /// The newest position of a shard.
    pub(crate) fn position(&self, source: &str, shard: &str) -> Option<&Step> {
        self.positions.get(&(source.to_owned(), shard.to_owned()))
    }

    /// When reading of a stream began, UTC microseconds; `None` when nobody has begun.
    pub(crate) fn begun(&self, source: &str) -> Option<i64> {
        self.begun.get(source).copied()
    }

    /// Paths of the data files that are not removed, from the table's root.
    pub(crate) fn files(&self) -> impl Iterator<Item = &String> {
        self.files.iter()
    }
}

fn step(position: &Value) -> Step {
    let text = |name: &str| position[name].as_str().map(str::to_owned);
    Step {
        source: text("source").unwrap_or_default(),
        shard: text("shard").unwrap_or_default(),
        after: text("after"),
        sequence_number: text("sequence_number"),
        ended: position["ended"] == true,
    }
}

/// The actions of one commit of a table; `None` when there is no such commit.
pub(super) async fn actions(disk: &InMemory, table: &str, version: i64) -> Option<Vec<Value>> {
    let path = Path::from(format!("{table}/_delta_log/{version:020}.json"));
    let got = match disk.get(&path).await {
        Err(Error::NotFound { .. }) => return None,
        got => got.expect("memory can be read"),
    };
    let bytes = got.bytes().await.expect("memory can be read");
    let lines = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let action = |line| serde_json::from_slice(line).expect("a line of the log is JSON");
    Some(lines.map(action).collect())
}
