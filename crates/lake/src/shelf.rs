//! Documents at rest: files below a folder or an S3 prefix, written whole and read whole.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::{Lake, LakeError, Location};

/// A place for documents.
#[derive(Debug, Clone)]
pub struct Shelf {
    store: Arc<dyn ObjectStore>,
    uri: String,
}

impl Lake {
    /// A folder of documents beside the tables.
    pub fn shelf(&self, name: &str) -> Result<Shelf, LakeError> {
        let (store, uri) = self.folder(name)?;
        let uri = uri.trim_end_matches('/').to_owned();
        Ok(Shelf { store, uri })
    }
}

impl Shelf {
    /// A folder, which is made, or `s3://bucket/prefix`.
    pub fn at(uri: &str) -> Result<Shelf, LakeError> {
        let (store, uri) = Location::parse(uri)?.whole()?;
        let uri = uri.trim_end_matches('/').to_owned();
        Ok(Shelf { store, uri })
    }

    /// Its address as a URL, without a slash at the end.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Puts a document where `path` says, `/` between folders; what lay there is gone.
    pub async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LakeError> {
        let put = self.store.put(&Path::from(path), bytes.into()).await;
        put.map(|_| ()).map_err(|source| LakeError::Store {
            doing: format!("write {path}"),
            uri: self.uri.clone(),
            source,
        })
    }

    /// The document that lies there; `None` where there is none.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>, LakeError> {
        let read = async { self.store.get(&Path::from(path)).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(LakeError::Store {
                doing: format!("read {path}"),
                uri: self.uri.clone(),
                source,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_put_is_found_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let uri = folder.path().join("new").display().to_string();
        let shelf = Shelf::at(&uri).unwrap();
        shelf.put("a/b.txt", b"1".to_vec()).await.unwrap();
        shelf.put("a/b.txt", b"2".to_vec()).await.unwrap();
        assert_eq!(shelf.get("a/b.txt").await.unwrap().unwrap(), "2");
        assert_eq!(shelf.get("a/c.txt").await.unwrap(), None);
        assert_eq!(std::fs::read(format!("{uri}/a/b.txt")).unwrap(), b"2");
        assert!(shelf.uri().starts_with("file:///"));
    }
}
