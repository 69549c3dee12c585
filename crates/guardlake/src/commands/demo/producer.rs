//! Sends made findings to a stream: PutRecords in full batches, throttled records again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ::sample::Generator;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// Kinesis takes 500 records and 10 MiB a call (API reference, `PutRecords`).
const MOST_RECORDS: usize = 500;
const MOST_BYTES: usize = 8 << 20;

/// A producer at work.
pub(super) struct Producer {
    sent: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    task: JoinHandle<Result<u64, Failure>>,
}

impl Producer {
    pub(super) fn start(client: Client, stream: &'static str, generator: Generator) -> Producer {
        let (sent, done) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (counter, flag) = (sent.clone(), done.clone());
        let task = tokio::spawn(async move {
            let outcome = send_all(&client, stream, generator, &counter).await;
            flag.store(true, Ordering::Release);
            outcome
        });
        Producer { sent, done, task }
    }

    /// Records sent so far, and whether that is all.
    pub(super) fn sent(&self) -> (u64, bool) {
        let done = self.done.load(Ordering::Acquire);
        (self.sent.load(Ordering::Relaxed), done)
    }

    /// Waits for the end; returns how many records were sent.
    pub(super) async fn finish(self) -> Result<u64, Failure> {
        self.task
            .await
            .map_err(|e| Failure::io(format!("the producer stopped: {e}")))?
    }
}

async fn send_all(
    client: &Client,
    stream: &str,
    generator: Generator,
    sent: &AtomicU64,
) -> Result<u64, Failure> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    for document in generator {
        bytes += document.bytes.len();
        let entry = PutRecordsRequestEntry::builder()
            .data(Blob::new(document.bytes))
            .partition_key(document.partition_key)
            .build()
            .map_err(|e| Failure::io(format!("a record cannot be sent: {e}")))?;
        batch.push(entry);
        if batch.len() == MOST_RECORDS || bytes >= MOST_BYTES {
            put(client, stream, std::mem::take(&mut batch), sent).await?;
            bytes = 0;
        }
    }
    put(client, stream, batch, sent).await?;
    Ok(sent.load(Ordering::Relaxed))
}

/// Puts records until each is taken: a reply may take some and refuse others.
async fn put(
    client: &Client,
    stream: &str,
    mut records: Vec<PutRecordsRequestEntry>,
    sent: &AtomicU64,
) -> Result<(), Failure> {
    while !records.is_empty() {
        let reply = client
            .put_records()
            .stream_name(stream)
            .set_records(Some(records.clone()))
            .send()
            .await;
        let reply = reply
            .map_err(|e| Failure::io(format!("cannot put records: {}", e.into_service_error())))?;
        let mut results = reply.records().iter();
        let before = records.len();
        records.retain(|_| {
            results
                .next()
                .is_none_or(|result| result.error_code().is_some())
        });
        sent.fetch_add((before - records.len()) as u64, Ordering::Relaxed);
        if !records.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}
