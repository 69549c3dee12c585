//! The Delta log of one table: replayed once at start, then followed commit by commit, and appended to by compare-and-swap.
//!
//! delta-rs commits rebase over other writers' commits and materialise all files to do so. Here a writer must know every
//! `txn` at the very version it commits on, and the cost of a commit must not grow with the table; so a commit is one
//! conditional PUT of version n+1 and nothing else. Whoever loses reads what won and decides (`facts/kinesis-delta.md` 3).

mod action;
pub(crate) mod replay;
mod shape;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use deltalake::logstore::LogStoreRef;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde_json::Value;

pub use action::Ledger;
pub(crate) use action::{Add, Followed, Remove};

use crate::{LakeError, Surroundings, Table};
use shape::{Metadata, Protocol};

/// How often one commit is tried before giving up.
const MAX_ATTEMPTS: u32 = 30;
/// UTC microseconds. A log that was last looked at longer ago than this may have been cleaned up meanwhile, so that an
/// absent version no longer means a free one. Far below what clean-up keeps.
const STALE: i64 = crate::upkeep::LOG_RETENTION / 30;

/// A table's log, followed through `version`. Cheap to clone.
#[derive(Clone)]
pub(crate) struct TableLog {
    table: Table,
    store: Arc<dyn ObjectStore>,
    uri: String,
    state: Arc<State>,
    /// Why nothing may be written, since another writer changed the table.
    refusal: Option<String>,
    /// When the log was last known to end at the state's version: UTC microseconds.
    looked_at: i64,
    surroundings: Surroundings,
}

/// What the log says at a version.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// Last version replayed.
    pub(crate) version: i64,
    /// Delta's id of the table: part of every txn id, so that a table made anew inherits nothing.
    pub(crate) table_id: String,
    /// All application transactions.
    pub(crate) txns: HashMap<String, i64>,
    /// Active files: path to add action. In order, so that they are read in the same order in every run.
    pub(crate) files: BTreeMap<String, Add>,
    metadata: Metadata,
    protocol: Protocol,
}

impl State {
    fn apply(&mut self, commit: &Followed) {
        self.version = commit.version;
        self.txns.extend(commit.txns.iter().cloned());
        self.replace_files(&commit.removes, &commit.adds);
        if let Some(metadata) = &commit.metadata {
            self.table_id.clone_from(&metadata.id);
            self.metadata = metadata.clone();
        }
        if let Some(protocol) = &commit.protocol {
            self.protocol = protocol.clone();
        }
    }

    fn replace_files(&mut self, removes: &[Remove], adds: &[Add]) {
        for remove in removes {
            self.files.remove(&remove.path);
        }
        let adds = adds.iter().map(|add| (add.path.clone(), add.clone()));
        self.files.extend(adds);
    }
}

/// What to append.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    /// Files to add.
    pub(crate) adds: Vec<Add>,
    /// Files to take out. A commit of another writer that takes one of them out refuses this one.
    pub(crate) removes: Vec<Remove>,
    /// Application transactions to set. A commit of another writer that sets one of them refuses this one.
    pub(crate) txns: Vec<(String, i64)>,
    /// Goes into `commitInfo` under `guardlake`.
    pub(crate) info: Value,
    /// What readers of the history see.
    pub(crate) operation: Operation,
}

/// What a commit does, in the words of Delta's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Operation {
    /// Rows are added: `WRITE`.
    #[default]
    Append,
    /// The same rows in other files: `OPTIMIZE`.
    Rewrite,
    /// Rows that retention does not keep are taken out: `DELETE`.
    Expire,
}

impl Change {
    fn is_refused_by(&self, winner: &Followed) -> bool {
        let same_txn = |(id, _): &(String, i64)| self.txns.iter().any(|(own, _)| own == id);
        let same_file = |path: &str| self.removes.iter().any(|own| own.path == path);
        winner.metadata.is_some()
            || winner.protocol.is_some()
            || winner.txns.iter().any(same_txn)
            || winner.removes.iter().any(|remove| same_file(&remove.path))
    }
}

/// How a commit ended.
pub(crate) enum Outcome {
    /// It is version n. Others committed what does not touch it in between; their commits have been followed.
    Committed(i64, Vec<Followed>),
    /// Others committed first and set one of our ids, took one of our files or changed the table. Their commits have been followed; nothing of ours was written.
    Overtaken(Vec<Followed>),
}

impl TableLog {
    /// Replays the log. `None` when there is no table.
    pub(crate) async fn open(
        table: Table,
        log_store: &LogStoreRef,
        uri: &str,
        surroundings: &Surroundings,
    ) -> Result<Option<TableLog>, LakeError> {
        let store = log_store.object_store(None);
        let looked_at = (surroundings.now)();
        let replay = replay::load(store.as_ref(), uri).await?;
        Ok(replay.map(|replay| TableLog {
            table,
            store,
            uri: uri.to_owned(),
            refusal: shape::refusal(table, &replay.state.metadata, &replay.state.protocol),
            state: Arc::new(replay.state),
            looked_at,
            surroundings: surroundings.clone(),
        }))
    }

    /// What the log says now.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Reader and writer version that the table asks for.
    pub(crate) fn protocol(&self) -> (i32, i32) {
        let protocol = &self.state.protocol;
        (protocol.min_reader_version, protocol.min_writer_version)
    }

    /// The store at the table's root.
    pub(crate) fn store(&self) -> &dyn ObjectStore {
        self.store.as_ref()
    }

    /// The same, to keep.
    pub(crate) fn shared_store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// The table's URI, for messages.
    pub(crate) fn table(&self) -> Table {
        self.table
    }

    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// Whether the newest entry that is known is in the store: clean-up never takes it.
    pub(crate) async fn is_there(&self) -> Result<bool, LakeError> {
        let path = commit_path(self.state.version);
        match self.store.head(&path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(self.store_error(format!("look for {path}"), source)),
        }
    }

    /// Follows other writers' commits up to the newest; returns them in order.
    pub(crate) async fn follow(&mut self) -> Result<Vec<Followed>, LakeError> {
        let mut followed = Vec::new();
        let now = (self.surroundings.now)();
        while let Some(commit) = self.read(self.state.version + 1).await? {
            self.apply(&commit);
            followed.push(commit);
        }
        self.refuse_if_left_behind(now).await?;
        self.looked_at = now;
        Ok(followed)
    }

    /// Columns that the table lacks because an older version of this program made it.
    pub(crate) fn lacking(&self) -> Vec<deltalake::kernel::StructField> {
        shape::lacking(self.table, &self.state.metadata)
    }

    /// Why nothing may be written; `None` where all is well.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Why nothing may be written now: another writer has changed the table.
    pub(crate) fn refuse_unusable(&self) -> Result<(), LakeError> {
        match &self.refusal {
            None => Ok(()),
            Some(reason) => Err(LakeError::Damaged {
                what: format!("the schema of version {}", self.state.version),
                uri: self.uri.clone(),
                reason: reason.clone(),
            }),
        }
    }

    /// The next version is absent when nobody has written it, but also when it was written and cleaned up since: a commit
    /// there would lie below the newest checkpoint, where nobody reads it.
    async fn refuse_if_left_behind(&self, now: i64) -> Result<(), LakeError> {
        if now - self.looked_at < STALE {
            return Ok(());
        }
        let version = self.state.version;
        let folder = Path::from("_delta_log");
        let later: Vec<_> = self
            .store
            .list_with_offset(Some(&folder), &commit_path(version))
            .try_collect()
            .await
            .map_err(|source| self.store_error("list the log".to_owned(), source))?;
        let next = commit_path(version + 1);
        let is_later = |name: &str| replay::version_of(name).is_some_and(|later| later > version);
        let passed = later
            .iter()
            .any(|o| o.location.filename().is_some_and(is_later));
        if passed && !later.iter().any(|object| object.location == next) {
            return Err(LakeError::LeftBehind {
                uri: self.uri.clone(),
                version,
            });
        }
        Ok(())
    }

    /// Appends a change at the next version, by compare-and-swap.
    ///
    /// An error of the store leaves the outcome unknown, so the version is read back: it is ours, another's, or still
    /// free, and only when it is free are the same bytes put again.
    pub(crate) async fn commit(&mut self, change: Change) -> Result<Outcome, LakeError> {
        let nonce = self.surroundings.ids.uuid().to_string();
        let now_ms = self.surroundings.now_ms();
        let bytes = Bytes::from(action::encode(&change, &nonce, now_ms));
        let mut overtaken = Vec::new();
        self.refuse_if_left_behind((self.surroundings.now)())
            .await?;
        for attempt in 0..MAX_ATTEMPTS {
            self.refuse_unusable()?;
            let version = self.state.version + 1;
            let put = self.put(version, bytes.clone()).await;
            if put.is_ok() {
                self.adopt(version, &change);
                return Ok(Outcome::Committed(version, overtaken));
            }
            match self.read(version).await? {
                Some(winner) if winner.nonce.as_deref() == Some(&nonce) => {
                    self.adopt(version, &change);
                    return Ok(Outcome::Committed(version, overtaken));
                }
                Some(winner) => {
                    self.apply(&winner);
                    let before = overtaken.len();
                    overtaken.push(winner);
                    // All of them at once: a slow change would never catch up one attempt at a time.
                    overtaken.extend(self.follow().await?);
                    if overtaken[before..].iter().any(|w| change.is_refused_by(w)) {
                        return Ok(Outcome::Overtaken(overtaken));
                    }
                }
                None => match put {
                    Err(source) if attempt + 1 == MAX_ATTEMPTS => {
                        return Err(LakeError::Store {
                            doing: format!("commit version {version}"),
                            uri: self.uri.clone(),
                            source,
                        });
                    }
                    Err(error) => {
                        tracing::warn!(uri = %self.uri, version, %error, attempt, "commit is in doubt, trying again")
                    }
                    Ok(()) => {}
                },
            }
            self.pause(attempt).await;
        }
        Err(LakeError::Contention {
            uri: self.uri.clone(),
            attempts: MAX_ATTEMPTS,
        })
    }

    async fn put(&self, version: i64, bytes: Bytes) -> Result<(), object_store::Error> {
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        self.store
            .put_opts(&commit_path(version), bytes.into(), options)
            .await
            .map(|_| ())
    }

    /// One commit, as long as the log has it.
    pub(crate) async fn commit_at(&self, version: i64) -> Result<Option<Followed>, LakeError> {
        self.read(version).await
    }

    async fn read(&self, version: i64) -> Result<Option<Followed>, LakeError> {
        let path = commit_path(version);
        let got = match self.store.get(&path).await {
            Ok(got) => got,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(self.store_error(format!("read {path}"), source)),
        };
        let bytes = got
            .bytes()
            .await
            .map_err(|source| self.store_error(format!("read {path}"), source))?;
        action::parse(version, &bytes)
            .map(Some)
            .map_err(|reason| LakeError::Damaged {
                what: path.to_string(),
                uri: self.uri.clone(),
                reason,
            })
    }

    fn apply(&mut self, commit: &Followed) {
        Arc::make_mut(&mut self.state).apply(commit);
        if commit.metadata.is_some() || commit.protocol.is_some() {
            let State {
                metadata, protocol, ..
            } = self.state.as_ref();
            self.refusal = shape::refusal(self.table, metadata, protocol);
        }
    }

    fn adopt(&mut self, version: i64, change: &Change) {
        self.looked_at = (self.surroundings.now)();
        let state = Arc::make_mut(&mut self.state);
        state.version = version;
        state.txns.extend(change.txns.iter().cloned());
        state.replace_files(&change.removes, &change.adds);
    }

    /// Waits longer each time, and not the same time as others do: 10 ms doubling to 2 s, the half of it by chance.
    async fn pause(&self, attempt: u32) {
        let most = 10u64.saturating_mul(1 << attempt.min(8)).min(2_000);
        let chance = self.surroundings.ids.below(most / 2 + 1);
        tokio::time::sleep(std::time::Duration::from_millis(most / 2 + chance)).await;
    }

    fn store_error(&self, doing: String, source: object_store::Error) -> LakeError {
        LakeError::Store {
            doing,
            uri: self.uri.clone(),
            source,
        }
    }
}

fn commit_path(version: i64) -> Path {
    Path::from(format!("_delta_log/{version:020}.json"))
}
