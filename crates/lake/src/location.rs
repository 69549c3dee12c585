//! Where a lake is: a folder, or `s3://bucket/prefix`. Turns an address into object stores.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deltalake::logstore::{IORuntime, LogStoreRef, StorageConfig, logstore_for, logstore_with};
use object_store::ObjectStore;
use tokio::runtime::Handle;
use url::Url;

use crate::{LakeError, Table};

/// The address of a lake.
#[derive(Debug, Clone)]
pub struct Location {
    root: Url,
    shown: String,
    options: HashMap<String, String>,
    /// A store of one's own, instead of what the address stands for.
    store: Option<Arc<dyn ObjectStore>>,
}

impl Location {
    /// Reads an address: a path (made absolute) or `s3://bucket/prefix`. Touches nothing.
    ///
    /// S3 takes region, credentials and endpoint from the environment, as all AWS tools do (`AWS_REGION`, `AWS_PROFILE`,
    /// `AWS_ENDPOINT_URL`, ...). An endpoint given as `http://` is allowed.
    pub fn parse(uri: &str) -> Result<Location, LakeError> {
        let refuse = |reason: &str| LakeError::Address {
            uri: uri.to_owned(),
            reason: reason.to_owned(),
        };
        if uri.trim().is_empty() {
            return Err(refuse("it is empty"));
        }
        let mut options = HashMap::new();
        let root = match uri.split_once("://") {
            Some(("s3" | "s3a", rest)) => {
                if rest.split('/').next().unwrap_or("").is_empty() {
                    return Err(refuse("it names no bucket"));
                }
                options.insert("aws_conditional_put".to_owned(), "etag".to_owned());
                options.insert("allow_http".to_owned(), "true".to_owned());
                Url::parse(&format!("{}/", uri.trim_end_matches('/')))
                    .map_err(|e| refuse(&e.to_string()))?
            }
            Some(("file", _)) => {
                let url = Url::parse(uri).map_err(|e| refuse(&e.to_string()))?;
                let path = url
                    .to_file_path()
                    .map_err(|()| refuse("it is no local path"))?;
                folder(&path).ok_or_else(|| refuse("it is no local path"))?
            }
            Some((scheme, _)) => {
                return Err(refuse(&format!(
                    "`{scheme}://` is not supported; give a folder or s3://bucket/prefix"
                )));
            }
            None => {
                let path = std::path::absolute(uri).map_err(|e| refuse(&e.to_string()))?;
                if path.is_file() {
                    return Err(refuse("it is a file; a lake is a folder"));
                }
                folder(&path).ok_or_else(|| refuse("it is no local path"))?
            }
        };
        Ok(Location {
            root,
            shown: uri.trim_end_matches('/').to_owned(),
            options,
            store: None,
        })
    }

    /// The whole of a store, whatever it is.
    pub(crate) fn in_store(store: Arc<dyn ObjectStore>) -> Result<Location, LakeError> {
        let shown = "memory:///".to_owned();
        let root = Url::parse(&shown).map_err(|e| LakeError::Address {
            uri: shown.clone(),
            reason: e.to_string(),
        })?;
        Ok(Location {
            root,
            shown,
            options: HashMap::new(),
            store: Some(store),
        })
    }

    /// The address as it was given.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The URL of a table's folder, with a trailing slash.
    pub fn table_url(&self, table: Table) -> Url {
        let mut url = self.root.clone();
        url.set_path(&format!("{}{}/", self.root.path(), table.name()));
        url
    }

    /// Storage options for delta-rs and object_store.
    pub(crate) fn options(&self) -> HashMap<String, String> {
        self.options.clone()
    }

    /// The folder when the lake is local.
    pub fn local_path(&self) -> Option<PathBuf> {
        (self.root.scheme() == "file")
            .then(|| self.root.to_file_path().ok())
            .flatten()
    }

    /// A folder next to the tables, with its URL for messages.
    pub(crate) fn folder(&self, name: &str) -> Result<(Arc<dyn ObjectStore>, String), LakeError> {
        let mut url = self.root.clone();
        url.set_path(&format!("{}{name}/", self.root.path()));
        Ok((
            self.open(&url, name, true)?.object_store(None),
            url.to_string(),
        ))
    }

    /// All that is below the address, with its URL. On disk the folder is made first.
    pub(crate) fn whole(&self) -> Result<(Arc<dyn ObjectStore>, String), LakeError> {
        let store = self.open(&self.root, "", true)?.object_store(None);
        Ok((store, self.root.to_string()))
    }

    /// The store at a table's root. On disk the folder is made first: object_store wants it to exist.
    pub(crate) fn log_store(&self, table: Table, make: bool) -> Result<LogStoreRef, LakeError> {
        self.open(&self.table_url(table), table.name(), make)
    }

    fn open(&self, url: &Url, name: &str, make: bool) -> Result<LogStoreRef, LakeError> {
        if let (true, Some(root)) = (make, self.local_path()) {
            let path = root.join(name);
            std::fs::create_dir_all(&path).map_err(|e| LakeError::Address {
                uri: self.shown.clone(),
                reason: format!("the folder {} cannot be made: {e}", path.display()),
            })?;
        }
        let config = StorageConfig::parse_options(self.options())
            .map_err(|source| self.delta(url, "read storage options", source))?;
        let opened = match (&self.store, Handle::try_current()) {
            (Some(store), _) => logstore_with(store.clone(), url, config),
            // Connections live on the threads that open the lake, whoever reads from it: others may be busy for a long time.
            (None, Ok(here)) if self.local_path().is_none() => {
                logstore_for(url, config.with_io_runtime(IORuntime::RT(here)))
            }
            (None, _) => logstore_for(url, config),
        };
        opened.map_err(|source| self.delta(url, "open the store", source))
    }

    fn delta(&self, url: &Url, doing: &str, source: deltalake::DeltaTableError) -> LakeError {
        LakeError::Delta {
            doing: doing.to_owned(),
            uri: url.to_string(),
            source: Box::new(source),
        }
    }
}

fn folder(path: &Path) -> Option<Url> {
    Url::from_directory_path(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_table_urls() {
        let table =
            |uri: &str| Location::parse(uri).map(|l| l.table_url(Table::Findings).to_string());
        assert_eq!(table("s3://b/p/").unwrap(), "s3://b/p/findings/");
        assert_eq!(table("s3://b").unwrap(), "s3://b/findings/");
        assert_eq!(table("/tmp/a b").unwrap(), "file:///tmp/a%20b/findings/");
        for bad in ["", "s3://", "gs://b/p", "/etc/passwd"] {
            assert!(table(bad).is_err(), "{bad}");
        }
    }
}
