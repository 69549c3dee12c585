//! Leases at rest: who reads which group of shards, as small objects next to the tables.
//!
//! A lease is a row of objects `_leases/<name>/<number>.json`; the highest number is the lease as it is. Whoever changes it
//! creates the next number, which only one can: a conditional create is all it takes, on S3 and in a folder alike. Nothing
//! that must be right hangs on a lease; the commit is the fence.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};

use crate::{Lake, LakeError};

/// What a lease says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// Who holds it; `None` when it was given back.
    pub worker: Option<String>,
}

/// A lease as it lies in the store: its name and number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeaseObject {
    /// Letters, digits, `-` and `.`.
    pub name: String,
    /// Counts changes, renewals included.
    pub number: u64,
}

/// Where leases are kept.
#[derive(Clone)]
pub struct LeaseStore {
    store: std::sync::Arc<dyn ObjectStore>,
    uri: String,
}

impl Lake {
    /// The leases of this lake.
    pub fn leases(&self) -> Result<LeaseStore, LakeError> {
        let (store, uri) = self.folder("_leases")?;
        Ok(LeaseStore { store, uri })
    }
}

impl LeaseStore {
    /// All objects, old ones included.
    pub async fn list(&self) -> Result<Vec<LeaseObject>, LakeError> {
        let objects: Vec<_> = self
            .store
            .list(None)
            .try_collect()
            .await
            .map_err(|source| self.error("list the leases", source))?;
        let lease = |path: &Path| {
            let mut parts = path.parts();
            let name = parts.next()?.as_ref().to_owned();
            let number = parts.next()?.as_ref().strip_suffix(".json")?.parse().ok()?;
            Some(LeaseObject { name, number })
        };
        Ok(objects
            .iter()
            .filter_map(|object| lease(&object.location))
            .collect())
    }

    /// What one says; `None` when it is gone meanwhile, or is not one of ours.
    pub async fn read(&self, object: &LeaseObject) -> Result<Option<Lease>, LakeError> {
        let got = match self.store.get(&path(object)).await {
            Ok(got) => got.bytes().await,
            Err(error) => Err(error),
        };
        match got {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.error("read a lease", source)),
        }
    }

    /// Makes it. `false` when it is there already, which after a lost answer may be by ourselves: look again.
    pub async fn create(&self, object: &LeaseObject, lease: &Lease) -> Result<bool, LakeError> {
        let bytes = Bytes::from(serde_json::json!(lease).to_string());
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        match self
            .store
            .put_opts(&path(object), bytes.into(), options)
            .await
        {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(source) => Err(self.error("write a lease", source)),
        }
    }

    /// Removes one that a higher number has replaced.
    pub async fn delete(&self, object: &LeaseObject) -> Result<(), LakeError> {
        match self.store.delete(&path(object)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.error("remove an old lease", source)),
        }
    }

    fn error(&self, doing: &str, source: object_store::Error) -> LakeError {
        LakeError::Store {
            doing: doing.to_owned(),
            uri: self.uri.clone(),
            source,
        }
    }
}

fn path(object: &LeaseObject) -> Path {
    Path::from(format!("{}/{:012}.json", object.name, object.number))
}
