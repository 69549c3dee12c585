//! An object store that fails as S3 does. Each worker has its own, all of them over the same objects in memory; the first
//! among the faults is the operation that is applied although its caller is told that it failed.

pub(crate) mod faults;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result,
};

use super::gate::Gate;
use super::ground::Ground;
use faults::{PutFault, ReadFault, StoreFaults};

/// One worker's way to the objects.
#[derive(Clone)]
pub(crate) struct FaultyStore {
    pub(crate) disk: Arc<InMemory>,
    pub(crate) worker: String,
    pub(crate) gate: Gate,
    pub(crate) faults: Arc<StoreFaults>,
    pub(crate) ground: Ground,
}

impl FaultyStore {
    fn note(&self, operation: &str, path: &str, outcome: &str) {
        let worker = &self.worker;
        self.ground.note(format_args!("{worker} {operation} {path}: {outcome}"));
    }

    /// The process is cut off here and never hears the answer.
    async fn die(&self, operation: &str, path: &str, moment: &str) -> ! {
        self.note(operation, path, moment);
        self.ground.count("kills");
        self.gate.kill();
        std::future::pending().await
    }

    async fn put_faulty(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.gate.pass().await;
        self.ground.wait_up_to(self.faults.latency()).await;
        let fault = self.faults.of_put(&self.ground, path.as_ref());
        if fault.is_some() {
            self.ground.count("store faults");
        }
        let is_create = options.mode == PutMode::Create;
        let apply = self.disk.put_opts(path, payload.clone(), options.clone());
        let (outcome, told) = match fault {
            None => {
                let result = apply.await;
                if is_create && path.as_ref().contains("_delta_log") && result.is_err() {
                    self.ground.count("conflicts");
                }
                (if result.is_ok() { "done" } else { "refused" }, result)
            }
            Some(PutFault::KillBefore) => self.die("put", path.as_ref(), "killed before").await,
            Some(PutFault::KillAfter) => {
                apply.await?;
                self.die("put", path.as_ref(), "killed after").await
            }
            Some(PutFault::Error(reason)) => (reason, Err(failed(reason))),
            Some(PutFault::AppliedThenError) => {
                // Refused for a good reason, it is not applied.
                apply.await?;
                ("applied, then an error", Err(failed("connection reset")))
            }
            Some(PutFault::AppliedThenExists) => {
                apply.await?;
                ("applied, then 412", Err(exists(path)))
            }
            Some(PutFault::Conflict) => ("409", Err(exists(path))),
            Some(PutFault::Hang { applied, lasts }) => {
                if applied {
                    apply.await?;
                }
                tokio::time::sleep(lasts).await;
                (if applied { "applied, then silence" } else { "silence" }, Err(failed("time-out")))
            }
            Some(PutFault::Late(delay)) => {
                self.land_later(path.clone(), payload, options, delay);
                ("an error, lands later", Err(failed("connection reset")))
            }
        };
        self.note("put", path.as_ref(), outcome);
        self.ground.wait_up_to(self.faults.latency()).await;
        self.gate.pass().await;
        told
    }

    /// The request was on its way when its connection broke: the store gets it later, whatever becomes of the worker.
    fn land_later(&self, path: Path, payload: PutPayload, options: PutOptions, delay: Duration) {
        let store = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            let landed = store.disk.put_opts(&path, payload, options).await.is_ok();
            store.note("late put", path.as_ref(), if landed { "done" } else { "refused" });
        });
    }

    async fn read<T>(
        &self,
        operation: &str,
        path: &str,
        apply: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.gate.pass().await;
        self.ground.wait_up_to(self.faults.latency()).await;
        let fault = self.faults.of_read(&self.ground, path);
        if fault.is_some() {
            self.ground.count("store faults");
        }
        let (outcome, told) = match fault {
            None => {
                let result = apply.await;
                (if result.is_ok() { "done" } else { "nothing there" }, result)
            }
            Some(ReadFault::Error(reason)) => (reason, Err(failed(reason))),
            Some(ReadFault::Hang(lasts)) => {
                tokio::time::sleep(lasts).await;
                ("silence", Err(failed("time-out")))
            }
        };
        self.note(operation, path, outcome);
        self.gate.pass().await;
        told
    }

    fn list_faulty(&self, prefix: Option<&Path>, after: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix, after) = (self.clone(), prefix.cloned(), after.cloned());
        let listed = async move {
            let shown = prefix.as_ref().map_or("", |path| path.as_ref()).to_owned();
            let apply = async {
                match &after {
                    Some(after) => store.disk.list_with_offset(prefix.as_ref(), after),
                    None => store.disk.list(prefix.as_ref()),
                }
                .try_collect::<Vec<_>>()
                .await
            };
            store.read("list", &shown, apply).await
        };
        stream::once(listed)
            .map_ok(|objects| stream::iter(objects.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }

    async fn delete_faulty(&self, path: Path) -> Result<Path> {
        let apply = async { self.disk.delete(&path).await };
        self.read("delete", path.as_ref(), apply).await?;
        Ok(path)
    }
}

fn failed(reason: &'static str) -> Error {
    Error::Generic { store: "simulated", source: reason.into() }
}

fn exists(path: &Path) -> Error {
    Error::AlreadyExists { path: path.to_string(), source: "precondition failed".into() }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty store of {}", self.worker)
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[async_trait::async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.put_faulty(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.disk.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let operation = if options.head { "head" } else { "get" };
        let apply = self.disk.get_opts(location, options);
        self.read(operation, location.as_ref(), apply).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let apply = self.disk.get_ranges(location, ranges);
        self.read("get ranges", location.as_ref(), apply).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .and_then(move |path| {
                let store = store.clone();
                async move { store.delete_faulty(path).await }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_faulty(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_faulty(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let shown = prefix.map_or("", |path| path.as_ref());
        self.read("list", shown, self.disk.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let apply = self.disk.copy_opts(from, to, options);
        self.read("copy to", to.as_ref(), apply).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let apply = self.disk.rename_opts(from, to, options);
        self.read("rename to", to.as_ref(), apply).await
    }
}
