//! Enhanced fan-out: replies are pushed for five minutes, to one subscription of a consumer and a shard at a time.

use std::time::Duration;

use futures::stream::{self, StreamExt};
use ingest::kinesis::{CallError, ReadFrom, Reply, Subscription, Trouble};

use super::answers::{Place, call_error};
use super::door::Door;

/// A subscription ends after five minutes (API reference, `SubscribeToShard`).
const LIVES_MS: u64 = 300_000;
/// A second one is refused for so long after the first.
const REFUSED_MS: u64 = 5_000;
/// When nothing is put, this is said so often.
const HEARTBEAT_MS: u64 = 5_000;
/// A record is pushed so soon after it was put.
const PUSHED_WITHIN: Duration = Duration::from_millis(500);

/// One subscription.
struct Feed {
    door: Door,
    key: (String, String),
    number: u64,
    place: Place,
    pushed: u64,
    over: bool,
}

impl Door {
    pub(super) fn feed(
        &self,
        consumer_arn: &str,
        shard_id: &str,
        from: &ReadFrom,
    ) -> Result<Subscription, CallError> {
        self.kinesis.refuse_when_gone()?;
        let place = self.kinesis.place(shard_id, from)?;
        let key = (consumer_arn.to_owned(), shard_id.to_owned());
        let now = self.kinesis.ground().now_ms();
        let mut state = self.kinesis.state();
        let before = state.subscriptions.get(&key).copied();
        if before.is_some_and(|(_, since)| now < since + REFUSED_MS) {
            return Err(call_error(Trouble::Throttled, "ResourceInUseException"));
        }
        let number = before.map_or(0, |(number, _)| number + 1);
        state.subscriptions.insert(key.clone(), (number, now));
        drop(state);
        let feed = Feed {
            door: self.clone(),
            key,
            number,
            place,
            pushed: now,
            over: false,
        };
        let replies = stream::unfold(feed, |mut feed| async move {
            let reply = feed.next().await?;
            Some((reply, feed))
        });
        Ok(replies.boxed())
    }
}

impl Feed {
    async fn next(&mut self) -> Option<Result<Reply, CallError>> {
        let kinesis = self.door.kinesis.clone();
        let ground = kinesis.ground();
        loop {
            self.door.gate.pass().await;
            let now = ground.now_ms();
            if self.over || now >= self.place.issued + LIVES_MS {
                ground.note(format_args!(
                    "{} subscription to {} ends",
                    self.door.worker, self.key.1
                ));
                return None;
            }
            if let Some(error) = self.broken() {
                self.over = true;
                return Some(Err(error));
            }
            let reply = self.read(now);
            if !reply.records.is_empty() || reply.ended || now >= self.pushed + HEARTBEAT_MS {
                let chances = kinesis.state().chances;
                if ground.permille(chances.silence) {
                    ground.count("Kinesis faults");
                    std::future::pending::<()>().await;
                }
                if ground.permille(chances.passing) {
                    ground.count("Kinesis faults");
                    self.over = true;
                    return Some(Err(call_error(Trouble::Passing, "InternalFailure")));
                }
                let count = reply.records.len();
                ground.note(format_args!(
                    "{} is pushed {count} of {}",
                    self.door.worker, self.key.1
                ));
                self.pushed = now;
                self.over = reply.ended;
                return Some(Ok(reply));
            }
            tokio::time::sleep(PUSHED_WITHIN).await;
        }
    }

    /// Why nothing more can come, if so.
    fn broken(&self) -> Option<CallError> {
        let state = self.door.kinesis.state();
        if self.place.life != state.lives.len() {
            return Some(call_error(Trouble::NotFound, "the stream is gone"));
        }
        let newest = state
            .subscriptions
            .get(&self.key)
            .map(|(number, _)| *number);
        (newest != Some(self.number)).then(|| {
            call_error(
                Trouble::Throttled,
                "ResourceInUseException: another took over",
            )
        })
    }

    fn read(&mut self, now: u64) -> Reply {
        let kinesis = &self.door.kinesis;
        let mut state = kinesis.state();
        let shard = &state.life().shards[self.place.shard];
        let (reply, next) = kinesis.read_at(shard, self.place.at, now, self.place.silent);
        drop(state);
        self.place.at = next;
        let lag = if self.place.silent {
            Some(kinesis.retention_ms() as i64)
        } else {
            reply.millis_behind
        };
        Reply {
            millis_behind: lag,
            ..reply
        }
    }
}
