//! The stores that executors read data files from, opened when a plan first names them; and those of a scheduler, which are empty.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::ObjectStore;
use object_store::memory::InMemory;
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

/// DataFusion reads no plan without a store for each address in it. A scheduler only hands plans on, needs no credentials, and finds nothing
/// wherever it looks.
#[derive(Debug, Default)]
pub(crate) struct Nothing(Arc<InMemory>);

impl ObjectStoreRegistry for Nothing {
    fn register_store(&self, _: &Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, _: &Url) -> Result<Arc<dyn ObjectStore>> {
        Ok(Arc::clone(&self.0) as Arc<dyn ObjectStore>)
    }
}
