//! The AWS SDK behind our words. Errors become kinds of trouble here, each with its remedy.

mod examine;

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{
    ConsumerStatus, ShardIteratorType, StartingPosition, SubscribeToShardEventStream,
};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};

pub use examine::Summary;

use super::{
    CallError, Description, ReadFrom, Record, Reply, Shard, ShardPage, Stream, Subscription,
    Trouble,
};
use crate::error::aws_reason;

/// The most that one call may give (API reference, `GetRecords`).
const MOST_RECORDS: i32 = 10_000;
/// Between questions whether a new consumer is ready.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
const LOOKS: usize = 120;

/// A stream in AWS, or in something that speaks its protocol.
#[derive(Debug, Clone)]
pub struct AwsStream {
    client: Client,
    name: Option<String>,
    arn: Option<String>,
}

impl AwsStream {
    /// A stream by its name, in the client's account, or by its ARN; in the client's Region.
    pub fn new(client: Client, stream: impl Into<String>) -> AwsStream {
        let stream = stream.into();
        let (name, arn) = if stream.starts_with("arn:") {
            (None, Some(stream))
        } else {
            (Some(stream), None)
        };
        AwsStream { client, name, arn }
    }

    async fn consumer(&self, arn: &str, name: &str) -> Result<Option<(String, bool)>, CallError> {
        let request = self.client.describe_stream_consumer().stream_arn(arn);
        match request.consumer_name(name).send().await {
            Ok(reply) => Ok(reply.consumer_description().map(|consumer| {
                let active = *consumer.consumer_status() == ConsumerStatus::Active;
                (consumer.consumer_arn().to_owned(), active)
            })),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(call_error(&error)),
        }
    }
}

impl Stream for AwsStream {
    fn describe(&self) -> BoxFuture<'_, Result<Description, CallError>> {
        async {
            let request = self.client.describe_stream_summary();
            let reply = request
                .set_stream_name(self.name.clone())
                .set_stream_arn(self.arn.clone())
                .send()
                .await;
            let reply = reply.map_err(|e| call_error(&e))?;
            let summary = reply
                .stream_description_summary()
                .ok_or_else(|| empty_answer("description"))?;
            Ok(Description {
                arn: summary.stream_arn().to_owned(),
                created_ms: (summary.stream_creation_timestamp().as_nanos() / 1_000_000) as i64,
                retention_ms: i64::from(summary.retention_period_hours()) * 3_600_000,
            })
        }
        .boxed()
    }

    fn list_shards(&self, token: Option<String>) -> BoxFuture<'_, Result<ShardPage, CallError>> {
        async {
            let request = self.client.list_shards();
            // A token already names the stream; giving both is refused (API reference, `ListShards`).
            let request = match token {
                Some(token) => request.next_token(token),
                None => request
                    .set_stream_name(self.name.clone())
                    .set_stream_arn(self.arn.clone()),
            };
            let reply = request.send().await.map_err(|e| call_error(&e))?;
            Ok(ShardPage {
                shards: reply.shards().iter().map(shard).collect(),
                next: reply.next_token().map(str::to_owned),
            })
        }
        .boxed()
    }

    fn iterator<'a>(
        &'a self,
        shard_id: &'a str,
        from: &'a ReadFrom,
    ) -> BoxFuture<'a, Result<String, CallError>> {
        async move {
            let request = self.client.get_shard_iterator();
            let request = request
                .set_stream_name(self.name.clone())
                .set_stream_arn(self.arn.clone())
                .shard_id(shard_id);
            let request = match from {
                ReadFrom::Oldest => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
                ReadFrom::Time(micros) => request
                    .shard_iterator_type(ShardIteratorType::AtTimestamp)
                    .timestamp(date_time(*micros)),
                ReadFrom::After(number) => request
                    .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                    .starting_sequence_number(number),
            };
            let reply = request.send().await.map_err(|e| call_error(&e))?;
            let iterator = reply.shard_iterator().map(str::to_owned);
            iterator.ok_or_else(|| empty_answer("iterator"))
        }
        .boxed()
    }

    fn records<'a>(&'a self, iterator: &'a str) -> BoxFuture<'a, Result<Reply, CallError>> {
        async move {
            let request = self.client.get_records().shard_iterator(iterator);
            let reply = request.limit(MOST_RECORDS).send().await;
            let reply = reply.map_err(|e| call_error(&e))?;
            Ok(Reply {
                ended: reply.next_shard_iterator.is_none(),
                next: reply.next_shard_iterator,
                millis_behind: reply.millis_behind_latest,
                records: reply.records.into_iter().map(record).collect(),
            })
        }
        .boxed()
    }

    fn register<'a>(&'a self, consumer: &'a str) -> BoxFuture<'a, Result<String, CallError>> {
        async move {
            let arn = self.describe().await?.arn;
            if self.consumer(&arn, consumer).await?.is_none() {
                let request = self.client.register_stream_consumer().stream_arn(&arn);
                match request.consumer_name(consumer).send().await {
                    Ok(_) => {}
                    // Another worker was quicker.
                    Err(error) if error.code() == Some("ResourceInUseException") => {}
                    Err(error) => return Err(call_error(&error)),
                }
            }
            for _ in 0..LOOKS {
                if let Some((consumer_arn, true)) = self.consumer(&arn, consumer).await? {
                    return Ok(consumer_arn);
                }
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
            Err(CallError {
                trouble: Trouble::Passing,
                reason: format!("the consumer `{consumer}` does not become active"),
            })
        }
        .boxed()
    }

    fn subscribe<'a>(
        &'a self,
        consumer_arn: &'a str,
        shard_id: &'a str,
        from: &'a ReadFrom,
    ) -> BoxFuture<'a, Result<Subscription, CallError>> {
        async move {
            let start = StartingPosition::builder();
            let start = match from {
                ReadFrom::Oldest => start.r#type(ShardIteratorType::TrimHorizon),
                ReadFrom::Time(micros) => start
                    .r#type(ShardIteratorType::AtTimestamp)
                    .timestamp(date_time(*micros)),
                ReadFrom::After(number) => start
                    .r#type(ShardIteratorType::AfterSequenceNumber)
                    .sequence_number(number),
            };
            let start = start.build().map_err(|e| CallError {
                trouble: Trouble::Lasting,
                reason: e.to_string(),
            })?;
            let request = self.client.subscribe_to_shard().consumer_arn(consumer_arn);
            let reply = request.shard_id(shard_id).starting_position(start).send();
            let events = reply.await.map_err(|e| call_error(&e))?.event_stream;
            let replies = stream::unfold(Some(events), |events| async move {
                let mut events = events?;
                loop {
                    match events.recv().await {
                        Ok(Some(SubscribeToShardEventStream::SubscribeToShardEvent(event))) => {
                            let reply = Reply {
                                next: None,
                                // At the end of a shard its children are named (API reference, `SubscribeToShardEvent`).
                                ended: event.child_shards.is_some_and(|shards| !shards.is_empty()),
                                millis_behind: Some(event.millis_behind_latest),
                                records: event.records.into_iter().map(record).collect(),
                            };
                            return Some((Ok(reply), Some(events)));
                        }
                        Ok(Some(_)) => {}
                        Ok(None) => return None,
                        Err(error) => return Some((Err(call_error(&error)), None)),
                    }
                }
            });
            Ok(replies.boxed())
        }
        .boxed()
    }
}

fn shard(shard: &aws_sdk_kinesis::types::Shard) -> Shard {
    let key =
        |text: Option<&str>, otherwise| text.and_then(|t| t.parse().ok()).unwrap_or(otherwise);
    let range = shard.hash_key_range();
    Shard {
        id: shard.shard_id().to_owned(),
        parents: [shard.parent_shard_id(), shard.adjacent_parent_shard_id()]
            .into_iter()
            .flatten()
            .map(str::to_owned)
            .collect(),
        hash_keys: (
            key(range.map(|range| range.starting_hash_key()), 0),
            key(range.map(|range| range.ending_hash_key()), u128::MAX),
        ),
    }
}

fn record(record: aws_sdk_kinesis::types::Record) -> Record {
    let arrived_at = record.approximate_arrival_timestamp();
    Record {
        arrived_at: arrived_at.map(|time| (time.as_nanos() / 1_000) as i64),
        sequence_number: record.sequence_number,
        partition_key: record.partition_key.unwrap_or_default(),
        data: Bytes::from(record.data.into_inner()),
    }
}

fn date_time(micros: i64) -> DateTime {
    DateTime::from_nanos(i128::from(micros) * 1_000).unwrap_or_else(|_| DateTime::from_secs(0))
}

fn empty_answer(what: &str) -> CallError {
    CallError {
        trouble: Trouble::Passing,
        reason: format!("the answer holds no {what}"),
    }
}

fn call_error<E, R>(error: &SdkError<E, R>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    CallError {
        trouble: error.code().map_or(Trouble::Passing, trouble),
        reason: aws_reason(error),
    }
}

/// What a code means for the reader (API reference, errors of `GetRecords`, `GetShardIterator`, `SubscribeToShard`).
fn trouble(code: &str) -> Trouble {
    match code {
        "ExpiredIteratorException" => Trouble::Expired,
        "ProvisionedThroughputExceededException"
        | "KMSThrottlingException"
        | "LimitExceededException"
        | "ResourceInUseException"
        | "ThrottlingException" => Trouble::Throttled,
        "InvalidArgumentException" => Trouble::Refused,
        "ResourceNotFoundException" => Trouble::NotFound,
        "AccessDeniedException"
        | "ValidationException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "InvalidClientTokenId"
        | "KMSAccessDeniedException"
        | "KMSDisabledException"
        | "KMSInvalidStateException"
        | "KMSNotFoundException"
        | "KMSOptInRequired" => Trouble::Lasting,
        _ => Trouble::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_by_what_to_do() {
        for (code, expected) in [
            ("ExpiredIteratorException", Trouble::Expired),
            ("KMSThrottlingException", Trouble::Throttled),
            ("KMSDisabledException", Trouble::Lasting),
            ("AccessDeniedException", Trouble::Lasting),
            ("InvalidArgumentException", Trouble::Refused),
            ("InternalFailureException", Trouble::Passing),
            ("ExpiredTokenException", Trouble::Passing),
        ] {
            assert_eq!(trouble(code), expected, "{code}");
        }
    }
}
