//! What the consumer asks of Kinesis: four questions and a subscription, in our own words. Shapes of the AWS SDK stop in
//! [`aws`]; a simulation answers the same questions from memory.

mod aws;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

pub use aws::{AwsStream, Summary};

/// One stream, as seen by its consumer.
pub trait Stream: Send + Sync {
    /// What the stream is.
    fn describe(&self) -> BoxFuture<'_, Result<Description, CallError>>;

    /// One page of its shards, closed ones included, and the token of the next page.
    fn list_shards(&self, token: Option<String>) -> BoxFuture<'_, Result<ShardPage, CallError>>;

    /// A place to read from; it lives for five minutes.
    fn iterator<'a>(
        &'a self,
        shard_id: &'a str,
        from: &'a ReadFrom,
    ) -> BoxFuture<'a, Result<String, CallError>>;

    /// What lies there: up to 10,000 records and 10 MiB. Five calls a second and 2 MiB/s are allowed a shard.
    fn records<'a>(&'a self, iterator: &'a str) -> BoxFuture<'a, Result<Reply, CallError>>;

    /// The ARN of the registered consumer of this name, registered now if need be (enhanced fan-out).
    fn register<'a>(&'a self, consumer: &'a str) -> BoxFuture<'a, Result<String, CallError>>;

    /// Replies pushed for up to five minutes (enhanced fan-out). A second subscription of the same consumer to the same shard
    /// is refused for five seconds and takes over after that.
    fn subscribe<'a>(
        &'a self,
        consumer_arn: &'a str,
        shard_id: &'a str,
        from: &'a ReadFrom,
    ) -> BoxFuture<'a, Result<Subscription, CallError>>;
}

/// Replies as they are pushed.
pub type Subscription = BoxStream<'static, Result<Reply, CallError>>;

/// What a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its ARN.
    pub arn: String,
    /// When it was made, UTC milliseconds: a stream deleted and made again under its name is another stream.
    pub created_ms: i64,
    /// How long it keeps records, milliseconds.
    pub retention_ms: i64,
}

impl Description {
    /// What its positions are kept by: ARN and creation time.
    pub fn source(&self) -> String {
        format!("{}@{}", self.arn, self.created_ms)
    }
}

/// A shard as `ListShards` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its id, unique within its stream.
    pub id: String,
    /// The shard it was split from, or the two it was merged from.
    pub parents: Vec<String>,
    /// Hash keys of its records: first and last, both included. MD5 of a partition key is such a key.
    pub hash_keys: (u128, u128),
}

/// One page of shards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShardPage {
    /// In the order of the answer.
    pub shards: Vec<Shard>,
    /// For the next page.
    pub next: Option<String>,
}

/// Where to read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadFrom {
    /// The oldest record that is kept.
    Oldest,
    /// The first record that arrived at or after this UTC microsecond.
    Time(i64),
    /// The record after the one of this sequence number (`AFTER_SEQUENCE_NUMBER`: `AT_` would read it again).
    After(String),
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Decimal, up to 129 digits, unique and increasing within its shard.
    pub sequence_number: String,
    /// What it was placed by.
    pub partition_key: String,
    /// When it arrived, about: UTC microseconds. Neither exact nor monotonic (API reference, `Record`).
    pub arrived_at: Option<i64>,
    /// Its bytes.
    pub data: Bytes,
}

/// What one read gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// Records in order; often none although some wait.
    pub records: Vec<Record>,
    /// Where to go on when polling; `None` at the end of a closed shard.
    pub next: Option<String>,
    /// The shard is closed and this was its end.
    pub ended: bool,
    /// How far behind the newest record this reply is; 0 at the tip. Some stand-ins always say 0.
    pub millis_behind: Option<i64>,
}

impl Reply {
    /// Bytes of its records' data.
    pub fn bytes(&self) -> usize {
        self.records.iter().map(|record| record.data.len()).sum()
    }
}

/// A call that did not give what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CallError {
    /// What kind of trouble.
    pub trouble: Trouble,
    /// One line: what AWS said, and the remedy where it is known.
    pub reason: String,
}

/// Kinds of trouble, by what to do about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The iterator is older than five minutes: get another one after the last record.
    Expired,
    /// Too much at once: wait, then the same again.
    Throttled,
    /// The network, a 5xx, a time-out: the same again.
    Passing,
    /// The place to read from is not accepted (`InvalidArgumentException`): what was after it is gone.
    Refused,
    /// The stream or consumer is not there.
    NotFound,
    /// Permissions, keys, settings: somebody must mend it, and reading goes on once it is mended.
    Lasting,
}
