//! Calls to Kinesis: which shards there are, and the records of one of them, reply by reply.

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::types::{Record, ShardIteratorType};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::IngestError;
use crate::error::aws_reason;
use crate::shards::Shard;

/// Kinesis gives a shard at most 10,000 records and 10 MiB a call, five calls a second (API reference, `GetRecords`).
const MOST_RECORDS: i32 = 10_000;
pub(super) const BETWEEN_CALLS: Duration = Duration::from_millis(200);
/// Records of one reply, or the end of the shard.
pub(super) struct Page {
    pub(super) shard_id: String,
    pub(super) records: Vec<Record>,
    pub(super) ended: bool,
}

/// All shards of a stream, closed ones included.
pub(super) async fn list_shards(client: &Client, stream: &str) -> Result<Vec<Shard>, IngestError> {
    let mut shards = Vec::new();
    let mut next: Option<String> = None;
    loop {
        // A token already names the stream; giving both is refused (API reference, `ListShards`).
        let request = client.list_shards();
        let request = match next.take() {
            Some(token) => request.next_token(token),
            None => request.stream_name(stream),
        };
        let page = request.send().await.map_err(|e| IngestError::Aws {
            doing: format!("list the shards of `{stream}`"),
            reason: aws_reason(&e),
        })?;
        shards.extend(page.shards().iter().map(|shard| {
            Shard {
                id: shard.shard_id().to_owned(),
                parents: [shard.parent_shard_id(), shard.adjacent_parent_shard_id()]
                    .into_iter()
                    .flatten()
                    .map(str::to_owned)
                    .collect(),
            }
        }));
        next = page.next_token().map(str::to_owned);
        if next.is_none() {
            return Ok(shards);
        }
    }
}

/// Errors that no waiting mends: permissions, keys, a stream that is not there (API reference, `GetRecords`).
fn is_lasting(code: &str) -> bool {
    matches!(
        code,
        "AccessDeniedException"
            | "ResourceNotFoundException"
            | "InvalidArgumentException"
            | "ValidationException"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "KMSAccessDeniedException"
            | "KMSDisabledException"
            | "KMSInvalidStateException"
            | "KMSNotFoundException"
            | "KMSOptInRequired"
    )
}

/// Reads one shard from after `last`, or from its oldest record.
pub(super) struct Reader {
    pub(super) client: Client,
    pub(super) stream: String,
    pub(super) shard_id: String,
    pub(super) last: Option<String>,
    pub(super) idle_poll: Duration,
    pub(super) to_run: mpsc::Sender<Page>,
}

impl Reader {
    pub(super) async fn run(mut self) -> Result<(), IngestError> {
        let mut iterator = Some(self.iterator().await?);
        while let Some(at) = iterator {
            let called = Instant::now();
            let reply = self
                .client
                .get_records()
                .shard_iterator(&at)
                .limit(MOST_RECORDS)
                .send()
                .await;
            let reply = match reply {
                Ok(reply) => reply,
                Err(error) => match error.code() {
                    // An iterator lives five minutes; a slow commit can outlast it.
                    Some("ExpiredIteratorException") => {
                        iterator = Some(self.iterator().await?);
                        continue;
                    }
                    Some(
                        "ProvisionedThroughputExceededException"
                        | "KMSThrottlingException"
                        | "LimitExceededException",
                    ) => {
                        tracing::debug!(shard = %self.shard_id, "throttled");
                        tokio::time::sleep(BETWEEN_CALLS * 5).await;
                        iterator = Some(at);
                        continue;
                    }
                    Some(code) if is_lasting(code) => {
                        let doing = format!("read shard `{}` of `{}`", self.shard_id, self.stream);
                        return Err(IngestError::Aws {
                            doing,
                            reason: aws_reason(&error),
                        });
                    }
                    // The network, a 5xx, a time-out: Kinesis keeps what waits, so the shard waits too.
                    _ => {
                        let reason = aws_reason(&error);
                        tracing::warn!(shard = %self.shard_id, reason, "cannot read, trying again");
                        tokio::time::sleep(BETWEEN_CALLS * 5).await;
                        iterator = Some(at);
                        continue;
                    }
                },
            };
            iterator = reply.next_shard_iterator().map(str::to_owned);
            let ended = iterator.is_none();
            let empty = reply.records().is_empty();
            if let Some(record) = reply.records().last() {
                self.last = Some(record.sequence_number().to_owned());
            }
            if !empty || ended {
                let page = Page {
                    shard_id: self.shard_id.clone(),
                    records: reply.records,
                    ended,
                };
                // Nobody listens when the run is over.
                if self.to_run.send(page).await.is_err() {
                    return Ok(());
                }
            }
            let pause = if empty {
                self.idle_poll.max(BETWEEN_CALLS)
            } else {
                BETWEEN_CALLS
            };
            tokio::time::sleep_until(called + pause).await;
        }
        Ok(())
    }

    async fn iterator(&self) -> Result<String, IngestError> {
        let request = self
            .client
            .get_shard_iterator()
            .stream_name(&self.stream)
            .shard_id(&self.shard_id);
        let request = match &self.last {
            Some(last) => request
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .starting_sequence_number(last),
            None => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
        };
        let doing = || {
            format!(
                "start reading shard `{}` of `{}`",
                self.shard_id, self.stream
            )
        };
        let reply = request.send().await.map_err(|e| IngestError::Aws {
            doing: doing(),
            reason: aws_reason(&e),
        })?;
        reply
            .shard_iterator()
            .map(str::to_owned)
            .ok_or_else(|| IngestError::Aws {
                doing: doing(),
                reason: "the answer holds no iterator".to_owned(),
            })
    }
}
