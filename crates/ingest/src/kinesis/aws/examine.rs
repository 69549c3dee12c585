//! Looking a stream over: what it is, and whether each call that reads it is allowed.

use aws_sdk_kinesis::types::ShardIteratorType;

use super::{AwsStream, call_error, empty_answer};
use crate::kinesis::CallError;

/// What a stream is, for whoever looks after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its ARN.
    pub arn: String,
    /// `ACTIVE`, `UPDATING`, ...
    pub status: String,
    /// `ON_DEMAND` or `PROVISIONED`, where it is said.
    pub mode: Option<String>,
    /// Hours that it keeps records.
    pub retention_hours: i32,
    /// Shards that take records now.
    pub open_shards: i32,
    /// The KMS key that it is encrypted with; `None` where it is not.
    pub key: Option<String>,
}

impl AwsStream {
    /// What it is (`kinesis:DescribeStreamSummary`).
    pub async fn summary(&self) -> Result<Summary, CallError> {
        let request = self.client.describe_stream_summary();
        let request = request.set_stream_name(self.name.clone());
        let reply = request.set_stream_arn(self.arn.clone()).send().await;
        let reply = reply.map_err(|e| call_error(&e))?;
        let summary = reply
            .stream_description_summary()
            .ok_or_else(|| empty_answer("description"))?;
        let mode = summary.stream_mode_details();
        let is_encrypted = summary
            .encryption_type()
            .is_some_and(|kind| kind.as_str() == "KMS");
        let key = summary.key_id().unwrap_or("a key that is not named");
        Ok(Summary {
            arn: summary.stream_arn().to_owned(),
            status: summary.stream_status().as_str().to_owned(),
            mode: mode.map(|details| details.stream_mode().as_str().to_owned()),
            retention_hours: summary.retention_period_hours(),
            open_shards: summary.open_shard_count(),
            key: is_encrypted.then(|| key.to_owned()),
        })
    }

    /// A place behind the newest record of a shard (`kinesis:GetShardIterator`).
    pub async fn newest(&self, shard_id: &str) -> Result<String, CallError> {
        let request = self.client.get_shard_iterator();
        let request = request
            .set_stream_name(self.name.clone())
            .set_stream_arn(self.arn.clone())
            .shard_id(shard_id)
            .shard_iterator_type(ShardIteratorType::Latest);
        let reply = request.send().await.map_err(|e| call_error(&e))?;
        let iterator = reply.shard_iterator().map(str::to_owned);
        iterator.ok_or_else(|| empty_answer("iterator"))
    }

    /// Reads one record at most, and forgets it (`kinesis:GetRecords`, and `kms:Decrypt` where the stream is encrypted).
    pub async fn read_one(&self, iterator: &str) -> Result<(), CallError> {
        let request = self.client.get_records().shard_iterator(iterator).limit(1);
        let reply = request.send().await;
        reply.map(|_| ()).map_err(|e| call_error(&e))
    }
}
