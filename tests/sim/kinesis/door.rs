//! One worker's way to the stream, and what goes wrong on it.

use futures::FutureExt;
use futures::future::BoxFuture;
use ingest::kinesis::{
    CallError, Description, ReadFrom, Reply, ShardPage, Stream, Subscription, Trouble,
};

use super::FakeKinesis;
use super::answers::{call_error, not_found};
use crate::sim::gate::Gate;

/// A worker's client.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) kinesis: FakeKinesis,
    pub(crate) worker: String,
    pub(crate) gate: Gate,
}

/// Which calls need the stream's key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Key,
}

impl Door {
    async fn call<T>(
        &self,
        name: &str,
        subject: &str,
        needs: Needs,
        answer: impl FnOnce(&FakeKinesis) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        self.gate.pass().await;
        let chances = self.kinesis.state().chances;
        self.kinesis.ground().wait_up_to(chances.latency).await;
        let ground = self.kinesis.ground();
        if ground.permille(chances.silence) {
            ground.count("Kinesis faults");
            ground.note(format_args!("{} {name} {subject}: silence", self.worker));
            std::future::pending::<()>().await;
        }
        let answer = match self.trouble(needs) {
            Some(error) => {
                ground.count("Kinesis faults");
                Err(error)
            }
            None => answer(&self.kinesis),
        };
        let outcome = answer.as_ref().err().map_or("done", |error| &*error.reason);
        ground.note(format_args!("{} {name} {subject}: {outcome}", self.worker));
        ground.wait_up_to(chances.latency).await;
        self.gate.pass().await;
        answer
    }

    fn trouble(&self, needs: Needs) -> Option<CallError> {
        let ground = self.kinesis.ground();
        let state = self.kinesis.state();
        let now = ground.now_ms();
        if needs == Needs::Key && now < state.lasting_until {
            return Some(call_error(Trouble::Lasting, "KMSDisabledException"));
        }
        if needs == Needs::Key && now < state.throttled_until {
            return Some(call_error(Trouble::Throttled, "KMSThrottlingException"));
        }
        if ground.permille(state.chances.passing) {
            return Some(call_error(Trouble::Passing, "InternalFailure"));
        }
        (needs == Needs::Key && ground.permille(state.chances.throttled)).then(|| {
            call_error(
                Trouble::Throttled,
                "ProvisionedThroughputExceeded by chance",
            )
        })
    }
}

impl Stream for Door {
    fn describe(&self) -> BoxFuture<'_, Result<Description, CallError>> {
        self.call(
            "describe",
            "the stream",
            Needs::Nothing,
            FakeKinesis::describe,
        )
        .boxed()
    }

    fn list_shards(&self, token: Option<String>) -> BoxFuture<'_, Result<ShardPage, CallError>> {
        async move {
            let subject = token.as_deref().unwrap_or("from the start");
            let answer = |kinesis: &FakeKinesis| kinesis.list(token.as_deref());
            self.call("list shards", subject, Needs::Nothing, answer)
                .await
        }
        .boxed()
    }

    fn iterator<'a>(
        &'a self,
        shard_id: &'a str,
        from: &'a ReadFrom,
    ) -> BoxFuture<'a, Result<String, CallError>> {
        let answer = move |kinesis: &FakeKinesis| kinesis.iterator(shard_id, from);
        self.call("iterator", shard_id, Needs::Nothing, answer)
            .boxed()
    }

    fn records<'a>(&'a self, iterator: &'a str) -> BoxFuture<'a, Result<Reply, CallError>> {
        let answer = |kinesis: &FakeKinesis| kinesis.read(iterator);
        self.call("records", iterator, Needs::Key, answer).boxed()
    }

    fn register<'a>(&'a self, consumer: &'a str) -> BoxFuture<'a, Result<String, CallError>> {
        let answer = move |kinesis: &FakeKinesis| {
            kinesis.refuse_when_gone()?;
            Ok(kinesis.consumer_arn(consumer))
        };
        self.call("register", consumer, Needs::Nothing, answer)
            .boxed()
    }

    fn subscribe<'a>(
        &'a self,
        consumer_arn: &'a str,
        shard_id: &'a str,
        from: &'a ReadFrom,
    ) -> BoxFuture<'a, Result<Subscription, CallError>> {
        let answer = move |kinesis: &FakeKinesis| {
            // A consumer goes with its stream.
            let name = consumer_arn.rsplit(['/', ':']).nth(1).unwrap_or_default();
            if consumer_arn != kinesis.consumer_arn(name) {
                return Err(not_found("there is no such consumer"));
            }
            self.feed(consumer_arn, shard_id, from)
        };
        self.call("subscribe", shard_id, Needs::Key, answer).boxed()
    }
}
