//! How streams are followed. Settings are data; nothing here touches anything.

use std::sync::Arc;
use std::time::Duration;

use finding::Limits;
use lake::WriterOptions;

use crate::kinesis::Stream;

/// What to follow, and how.
#[derive(Clone)]
pub struct ConsumerOptions {
    /// Streams that flow into the one lake, usually one a Region.
    pub streams: Vec<Followed>,
    /// When a batch is committed.
    pub limits: Limits,
    /// How findings are written.
    pub writer: WriterOptions,
    /// Pause after a reply without records.
    pub idle_poll: Duration,
    /// How fast a shard is read.
    pub pace: Pace,
    /// Bytes of replies that may be held or asked for at once, over all shards. At least one reply of 10 MiB is always allowed.
    pub memory: usize,
    /// Shares the shards with other workers; without it this worker reads all of them.
    pub leases: Option<LeaseOptions>,
}

/// One stream to follow.
#[derive(Clone)]
pub struct Followed {
    /// What it is called in messages.
    pub name: String,
    /// The stream itself.
    pub stream: Arc<dyn Stream>,
    /// Where to begin when the lake knows nothing of it.
    pub start: Start,
    /// Name of the consumer to register for enhanced fan-out; without it the shards are polled.
    pub consumer: Option<String>,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// At the oldest record that the stream keeps.
    #[default]
    Oldest,
    /// With what arrives from now on.
    Newest,
    /// With what arrived at or after this UTC microsecond.
    Time(i64),
}

/// How fast one shard is read. Kinesis allows five calls a second and 2 MiB/s a shard, and after a reply of 10 MiB refuses
/// calls for five seconds (API reference, `GetRecords`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two calls.
    pub between_calls: Duration,
    /// Bytes a second; `None` for stand-ins that have no such limit.
    pub bytes_per_second: Option<u64>,
}

impl Default for Pace {
    /// The limits of Kinesis.
    fn default() -> Self {
        Pace {
            between_calls: Duration::from_millis(200),
            bytes_per_second: Some(2 << 20),
        }
    }
}

/// How workers share shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseOptions {
    /// This worker's name; no other may have it.
    pub worker: String,
    /// A lease that was not renewed for this long, by the watch of whoever looks, is free. Renewed three times as often.
    pub ttl: Duration,
}
