//! The stores that executors read data files from, opened when a plan first names them.

use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::ObjectStore;
use std::collections::HashMap;
use url::Url;

/// Folders of this machine and buckets, each opened once. Buckets take their credentials from the environment, as everywhere in guardlake.
#[derive(Debug, Default)]
pub(crate) struct Stores(Mutex<HashMap<String, Arc<dyn ObjectStore>>>);

impl Stores {
    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<dyn ObjectStore>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(url: &Url) -> String {
    format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default())
}

impl ObjectStoreRegistry for Stores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.all().insert(key(url), store)
    }

    fn deregister_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let gone = self.all().remove(&key(url));
        gone.ok_or_else(|| DataFusionError::Execution(format!("no store at {url}")))
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        if let Some(store) = self.all().get(&key(url)) {
            return Ok(Arc::clone(store));
        }
        let store = lake::store_of(url).map_err(|e| DataFusionError::External(Box::new(e)))?;
        self.all().insert(key(url), Arc::clone(&store));
        Ok(store)
    }
}
