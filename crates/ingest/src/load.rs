//! Loading files and objects: one thread reads, all cores decode and encode, one task commits.

use std::collections::HashMap;
use std::io::Read;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::Client;
use finding::Decoded;
use lake::{Batch, Encoder, Lake, LakeError, Ledger, Provenance, SourceRow, WriterOptions};
use tokio::sync::mpsc;
use tokio_util::io::SyncIoBridge;

use crate::bytes_in::{Piece, Pieces};
use crate::error::aws_reason;
use crate::{IngestError, Origin, Progress, Source};

/// An encoder that holds this much is committed before the end.
const ENCODER_BYTES: usize = 96 << 20;
/// Or that has this many rows.
const ENCODER_ROWS: usize = 1_000_000;

/// How to load.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// UTC microseconds: when.
    pub now: i64,
    /// Threads that decode; `None` for one a core.
    pub threads: Option<NonZero<usize>>,
    /// How findings are written.
    pub writer: WriterOptions,
    /// The findings come from an API that knows only the last version of each.
    pub backfilled: bool,
}

/// How loading ended.
#[derive(Debug, Default)]
pub struct Loaded {
    /// How the documents ended, sources known before included.
    pub ledger: Ledger,
    /// Sources read now.
    pub read: usize,
    /// Sources that the lake knew already, unchanged: not read again.
    pub known: usize,
    /// Newest version of `findings` that was committed.
    pub version: Option<i64>,
    /// Sources that could not be read to their end. What was read of them is in the lake.
    pub failures: Vec<IngestError>,
}

/// Work for a decoding thread: a piece of the source with this index.
struct Job {
    source: usize,
    piece: Piece,
}

/// Loads sources into the lake. Loading again is free of effect.
///
/// # Errors
/// Only when the lake cannot be written; sources that cannot be read are in [`Loaded::failures`].
pub async fn load(
    lake: &Lake,
    sources: Vec<Source>,
    s3: Option<Client>,
    options: LoadOptions,
    progress: Arc<Progress>,
) -> Result<Loaded, IngestError> {
    let known = lake.sources().await?;
    let mut loaded = Loaded::default();
    let (old, new): (Vec<_>, Vec<_>) = sources
        .into_iter()
        .partition(|source| is_known(source, &known));
    for source in &old {
        let before = known[&source.uri].ledger;
        loaded.known += 1;
        loaded.ledger += Ledger {
            received: before.received,
            duplicate: before.received - before.skipped - before.expired,
            skipped: before.skipped,
            expired: before.expired,
            ..Ledger::default()
        };
        Progress::add(&progress.bytes, source.bytes);
        Progress::add(&progress.sources, 1);
    }
    loaded.read = new.len();
    if new.is_empty() {
        return Ok(loaded);
    }

    let mut writer = lake.writer(options.writer.clone()).await?;
    let new = Arc::new(new);
    let threads = options
        .threads
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZero::get);
    let (to_workers, jobs) = sync_channel::<Job>(threads);
    let jobs = Arc::new(Mutex::new(jobs));
    let (to_writer, mut batches) = mpsc::channel::<(Batch, bool)>(1);
    let ledgers = Arc::new(Mutex::new(vec![Ledger::default(); new.len()]));

    let reader = {
        let (new, progress) = (new.clone(), progress.clone());
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            read_all(&new, s3.as_ref(), &runtime, &to_workers, &progress)
        })
    };
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let worker = Worker {
                jobs: jobs.clone(),
                sources: new.clone(),
                ledgers: ledgers.clone(),
                encoder: writer.encoder(),
                batches: to_writer.clone(),
                options: options.clone(),
                progress: progress.clone(),
            };
            tokio::task::spawn_blocking(move || worker.run())
        })
        .collect();
    drop((to_writer, jobs));

    // Last batches are gathered into one commit: few files and versions are what keeps a lake quick.
    let mut last = Batch::default();
    while let Some((batch, is_last)) = batches.recv().await {
        if is_last {
            last.merge(batch);
        } else {
            finish(writer.commit(batch, &[]).await?, &mut loaded, &progress);
        }
    }
    for worker in workers {
        worker.await.map_err(|e| broken(&e))??;
    }
    finish(writer.commit(last, &[]).await?, &mut loaded, &progress);

    let failures = reader.await.map_err(|e| broken(&e))?;
    let ledgers = ledgers
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let failed: Vec<usize> = failures.iter().map(|(source, _)| *source).collect();
    let rows: Vec<SourceRow> = new
        .iter()
        .enumerate()
        .filter(|(index, _)| !failed.contains(index))
        .filter_map(|(index, source)| {
            let (etag, ledger) = (source.etag.clone()?, ledgers[index]);
            Some(SourceRow {
                uri: source.uri.clone(),
                etag,
                bytes: source.bytes as i64,
                ledger,
                loaded_at: options.now,
            })
        })
        .collect();
    lake.record_sources(&rows).await?;
    loaded.failures = failures.into_iter().map(|(_, error)| error).collect();
    Ok(loaded)
}

/// Whether the lake has loaded a source as it is now.
pub(crate) fn is_known(source: &Source, known: &HashMap<String, SourceRow>) -> bool {
    known
        .get(&source.uri)
        .is_some_and(|row| source.etag.as_ref() == Some(&row.etag))
}

fn finish(committed: lake::Committed, loaded: &mut Loaded, progress: &Progress) {
    progress.committed(&committed);
    loaded.ledger += committed.ledger;
    loaded.version = committed.version.or(loaded.version);
}

fn broken(error: &tokio::task::JoinError) -> IngestError {
    IngestError::Argument {
        given: "ingest".to_owned(),
        reason: format!("a worker stopped: {error}; please report this"),
    }
}

/// Reads every source; returns those that failed, by index.
fn read_all(
    sources: &[Source],
    s3: Option<&Client>,
    runtime: &tokio::runtime::Handle,
    jobs: &SyncSender<Job>,
    progress: &Progress,
) -> Vec<(usize, IngestError)> {
    let mut failures = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let outcome = open(source, s3, runtime).and_then(|reader| {
            let counted = Counted { reader, progress };
            let at = |offset: u64| {
                move |e| IngestError::Read {
                    uri: source.uri.clone(),
                    offset,
                    source: e,
                }
            };
            let mut pieces = Pieces::new(counted).map_err(at(0))?;
            while let Some(piece) = pieces.next().map_err(at(pieces.offset()))? {
                // Workers end early only when the lake failed; the writer says why.
                if jobs
                    .send(Job {
                        source: index,
                        piece,
                    })
                    .is_err()
                {
                    return Ok(());
                }
            }
            Progress::add(&progress.sources, 1);
            Ok(())
        });
        if let Err(error) = outcome {
            failures.push((index, error));
        }
    }
    failures
}

fn open(
    source: &Source,
    s3: Option<&Client>,
    runtime: &tokio::runtime::Handle,
) -> Result<Box<dyn Read>, IngestError> {
    match &source.origin {
        Origin::Stdin => Ok(Box::new(std::io::stdin().lock())),
        Origin::File(path) => match std::fs::File::open(path) {
            Ok(file) => Ok(Box::new(file)),
            Err(e) => Err(IngestError::Read {
                uri: source.uri.clone(),
                offset: 0,
                source: e,
            }),
        },
        Origin::Object { bucket, key } => {
            let no_client = || IngestError::Argument {
                given: source.uri.clone(),
                reason: "no S3 client".to_owned(),
            };
            let request = s3
                .ok_or_else(no_client)?
                .get_object()
                .bucket(bucket)
                .key(key);
            let object = runtime
                .block_on(request.send())
                .map_err(|e| IngestError::Aws {
                    doing: format!("read `{}`", source.uri),
                    reason: aws_reason(&e),
                })?;
            Ok(Box::new(SyncIoBridge::new_with_handle(
                object.body.into_async_read(),
                runtime.clone(),
            )))
        }
    }
}

/// Counts bytes as they are read, before decompression: they add up to the sizes of the sources.
struct Counted<'a> {
    reader: Box<dyn Read>,
    progress: &'a Progress,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        Progress::add(&self.progress.bytes, read as u64);
        Ok(read)
    }
}

struct Worker {
    jobs: Arc<Mutex<Receiver<Job>>>,
    sources: Arc<Vec<Source>>,
    ledgers: Arc<Mutex<Vec<Ledger>>>,
    encoder: Encoder,
    batches: mpsc::Sender<(Batch, bool)>,
    options: LoadOptions,
    progress: Arc<Progress>,
}

impl Worker {
    fn run(mut self) -> Result<(), LakeError> {
        loop {
            let job = self
                .jobs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            let Ok(job) = job else { break };
            let before = self.encoder.ledger();
            self.decode(&job)?;
            let done = self.encoder.ledger().since(before);
            self.ledgers.lock().unwrap_or_else(PoisonError::into_inner)[job.source] += done;
            Progress::add(&self.progress.documents, done.received);
            if self.encoder.memory() > ENCODER_BYTES || self.encoder.fill().1 > ENCODER_ROWS {
                let batch = self.encoder.finish()?;
                if self.batches.blocking_send((batch, false)).is_err() {
                    return Ok(());
                }
            }
        }
        let batch = self.encoder.finish()?;
        // Nobody listens only when the commit before has failed; that error is the one to tell.
        let _ = self.batches.blocking_send((batch, true));
        Ok(())
    }

    fn decode(&mut self, job: &Job) -> Result<(), LakeError> {
        let reading = Reading {
            source: &self.sources[job.source].uri,
            now: self.options.now,
            backfilled: self.options.backfilled,
        };
        decode(
            &mut self.encoder,
            &job.piece.bytes,
            job.piece.offset,
            &reading,
        )
    }
}

/// What is the same for all that is read from one place.
pub(crate) struct Reading<'a> {
    pub(crate) source: &'a str,
    pub(crate) now: i64,
    pub(crate) backfilled: bool,
}

/// Puts the findings and rejects of some bytes into the encoder; `offset` is where in the source they begin.
pub(crate) fn decode(
    encoder: &mut Encoder,
    bytes: &[u8],
    offset: u64,
    reading: &Reading<'_>,
) -> Result<(), LakeError> {
    let mut failure = None;
    let mut place = String::new();
    let mut place_of = u64::MAX;
    finding::decode(bytes, &mut |at, decoded| {
        let offset = offset + at.offset as u64;
        if offset != place_of {
            use std::fmt::Write;
            place.clear();
            // Writing to a String cannot fail.
            let _ = write!(place, "{offset}");
            place_of = offset;
        }
        let provenance = Provenance {
            source: reading.source,
            shard_id: None,
            sequence_number: Some(&place),
            sub_sequence: None,
            item: at.item,
            arrived_at: None,
            ingested_at: reading.now,
            backfilled: reading.backfilled,
        };
        match decoded {
            Decoded::Finding(finding) => {
                if failure.is_none() {
                    failure = encoder.append(&finding, &provenance).err();
                }
            }
            Decoded::Skipped => encoder.skip(),
            Decoded::Reject(reject) => encoder.reject(&reject, &provenance),
        }
    });
    failure.map_or(Ok(()), Err)
}
