//! A store that counts what it is asked, and holds one commit of a table back until it is told to let it through, as a process does that
//! stops there.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::watch;

/// A store in memory with a gate.
#[derive(Debug)]
pub(crate) struct Gate {
    inner: InMemory,
    armed: AtomicBool,
    held: watch::Sender<bool>,
    log: String,
    questions: AtomicUsize,
}

impl Gate {
    pub(crate) fn new() -> Gate {
        Gate::at("findings")
    }

    /// For commits of that table.
    pub(crate) fn at(table: &str) -> Gate {
        Gate {
            log: format!("{table}/_delta_log/"),
            inner: InMemory::new(),
            armed: AtomicBool::new(false),
            held: watch::Sender::new(false),
            questions: AtomicUsize::new(0),
        }
    }

    /// How often objects were asked for or listed.
    pub(crate) fn questions(&self) -> usize {
        self.questions.load(Ordering::Acquire)
    }

    /// The next commit of the table will wait.
    pub(crate) fn hold_next_commit(&self) {
        self.armed.store(true, Ordering::Release);
    }

    /// Waits until a commit waits.
    pub(crate) async fn holds_one(&self) {
        let mut held = self.held.subscribe();
        held.wait_for(|held| *held).await.expect("the gate stands");
    }

    /// Lets the commit through that waits.
    pub(crate) fn let_through(&self) {
        self.held.send_replace(false);
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store with a gate")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Gate {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        if location.as_ref().starts_with(&self.log) && self.armed.swap(false, Ordering::AcqRel) {
            let mut held = self.held.subscribe();
            self.held.send_replace(true);
            held.wait_for(|held| !held).await.expect("the gate stands");
        }
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.questions.fetch_add(1, Ordering::AcqRel);
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.questions.fetch_add(1, Ordering::AcqRel);
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
