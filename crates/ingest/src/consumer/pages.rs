//! Two ways to get the records of one shard, reply by reply: by asking, and by being told (enhanced fan-out).

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep_until, timeout};

use crate::Pace;
use crate::kinesis::{CallError, ReadFrom, Reply, Stream, Subscription, Trouble};

/// A call that has not answered by then will not: a half-open connection, a black hole. A subscription says something every
/// five seconds, even when there is nothing (developer guide, "Enhanced fan-out").
const ANSWER_WITHIN: Duration = Duration::from_secs(40);
/// A new consumer takes a while to become active.
const REGISTER_WITHIN: Duration = Duration::from_secs(120);
/// The most that one reply may hold (API reference, `GetRecords`).
pub(super) const MOST_BYTES: usize = 10 << 20;
/// A consumer may subscribe to a shard once in this time; sooner it is refused.
const BETWEEN_SUBSCRIPTIONS: Duration = Duration::from_secs(5);

/// Replies of one shard.
pub(super) trait Pages: Send {
    /// The next reply, as soon as the limits of Kinesis allow to ask for it.
    fn next(&mut self) -> BoxFuture<'_, Result<Reply, CallError>>;

    /// Goes on from another place.
    fn go_to(&mut self, from: ReadFrom);

    /// The most bytes that the next reply may bring and nobody holds yet.
    fn reserve(&self) -> usize;
}

/// A shard, and the stream that it must be of: shard ids start again when a stream is deleted and made anew.
pub(super) struct Of {
    pub(super) stream: Arc<dyn Stream>,
    pub(super) source: String,
    pub(super) shard_id: String,
}

impl Of {
    /// Whether a place that was just given is in the stream it should be in. Asked after, not before: streams only get newer.
    async fn check(&self) -> Result<(), CallError> {
        if answered(self.stream.describe()).await?.source() == self.source {
            return Ok(());
        }
        Err(CallError {
            trouble: Trouble::NotFound,
            reason: "the stream was deleted and made again".to_owned(),
        })
    }
}

/// Asks, within the limits of Kinesis.
pub(super) struct Polling {
    of: Of,
    pace: Pace,
    idle_poll: Duration,
    from: ReadFrom,
    iterator: Option<String>,
    next_call: Instant,
}

impl Polling {
    pub(super) fn new(of: Of, from: ReadFrom, pace: Pace, idle_poll: Duration) -> Polling {
        Polling {
            of,
            pace,
            idle_poll,
            from,
            iterator: None,
            next_call: Instant::now(),
        }
    }

    async fn ask(&mut self) -> Result<Reply, CallError> {
        sleep_until(self.next_call).await;
        let called = Instant::now();
        self.next_call = called + self.pace.between_calls;
        let iterator = match self.iterator.take() {
            Some(iterator) => iterator,
            None => {
                let asked = self.of.stream.iterator(&self.of.shard_id, &self.from);
                let iterator = answered(asked).await?;
                self.of.check().await?;
                iterator
            }
        };
        let reply = answered(self.of.stream.records(&iterator)).await;
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                // The same place again, unless it is the place that is wrong.
                if !matches!(error.trouble, Trouble::Expired | Trouble::Refused) {
                    self.iterator = Some(iterator);
                }
                return Err(error);
            }
        };
        if let Some(record) = reply.records.last() {
            self.from = ReadFrom::After(record.sequence_number.clone());
        }
        self.iterator.clone_from(&reply.next);
        self.next_call = called + self.pause(&reply);
        Ok(reply)
    }

    fn pause(&self, reply: &Reply) -> Duration {
        let at_the_tip = reply.records.is_empty() && reply.millis_behind.unwrap_or(0) == 0;
        let for_calls = if at_the_tip {
            self.idle_poll.max(self.pace.between_calls)
        } else {
            self.pace.between_calls
        };
        let for_bytes = self
            .pace
            .bytes_per_second
            .map(|rate| Duration::from_secs_f64(reply.bytes() as f64 / rate.max(1) as f64));
        for_calls.max(for_bytes.unwrap_or_default())
    }
}

impl Pages for Polling {
    fn next(&mut self) -> BoxFuture<'_, Result<Reply, CallError>> {
        self.ask().boxed()
    }

    fn go_to(&mut self, from: ReadFrom) {
        self.from = from;
        self.iterator = None;
    }

    fn reserve(&self) -> usize {
        MOST_BYTES
    }
}

/// Is told. A subscription ends after five minutes, or whenever it likes, and another goes on behind the last record.
pub(super) struct FanOut {
    of: Of,
    consumer: String,
    consumer_arn: Option<String>,
    from: ReadFrom,
    subscription: Option<Subscription>,
    next_call: Instant,
}

impl FanOut {
    pub(super) fn new(of: Of, from: ReadFrom, consumer: String) -> FanOut {
        FanOut {
            of,
            consumer,
            consumer_arn: None,
            from,
            subscription: None,
            next_call: Instant::now(),
        }
    }

    async fn hear(&mut self) -> Result<Reply, CallError> {
        loop {
            let mut subscription = match self.subscription.take() {
                Some(subscription) => subscription,
                None => self.subscribe().await?,
            };
            let next = subscription.next().map(Option::transpose);
            // `None`: five minutes are over.
            let Some(reply) = answered(next).await? else {
                continue;
            };
            self.subscription = Some(subscription);
            if let Some(record) = reply.records.last() {
                self.from = ReadFrom::After(record.sequence_number.clone());
            }
            return Ok(reply);
        }
    }

    async fn subscribe(&mut self) -> Result<Subscription, CallError> {
        let arn = match &self.consumer_arn {
            Some(arn) => arn.clone(),
            None => {
                let arn = within(REGISTER_WITHIN, self.of.stream.register(&self.consumer)).await?;
                self.consumer_arn.insert(arn).clone()
            }
        };
        sleep_until(self.next_call).await;
        self.next_call = Instant::now() + BETWEEN_SUBSCRIPTIONS;
        let asked = self
            .of
            .stream
            .subscribe(&arn, &self.of.shard_id, &self.from);
        let subscription = answered(asked).await?;
        self.of.check().await?;
        Ok(subscription)
    }
}

impl Pages for FanOut {
    fn next(&mut self) -> BoxFuture<'_, Result<Reply, CallError>> {
        self.hear().boxed()
    }

    fn go_to(&mut self, from: ReadFrom) {
        self.from = from;
        self.subscription = None;
    }

    /// What is pushed has arrived already when it is heard of: it is counted then.
    fn reserve(&self) -> usize {
        0
    }
}

/// A call that answers, or fails in time.
pub(super) async fn answered<T>(
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    within(ANSWER_WITHIN, call).await
}

async fn within<T>(
    time: Duration,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let silent = |_| CallError {
        trouble: Trouble::Passing,
        reason: format!("no answer within {} s", time.as_secs()),
    };
    timeout(time, call).await.map_err(silent)?
}
