//! One worker: a place where one consumer after the other lives, each a process of its own over the same lake.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use finding::Limits;
use ingest::{ConsumerOptions, Followed, IngestError, LeaseOptions, Pace, Progress, consume};
use lake::{Ids, Lake, Surroundings, WriterOptions};
use object_store::memory::InMemory;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Setup;
use crate::sim::gate::Gate;
use crate::sim::ground::Ground;
use crate::sim::kinesis::{Door, FakeKinesis};
use crate::sim::store::FaultyStore;
use crate::sim::store::faults::StoreFaults;

/// Whoever asks a worker to stop waits no longer.
const STOPS_WITHIN: Duration = Duration::from_secs(120);

/// A place for a consumer.
pub(crate) struct Worker {
    number: u64,
    lives: u64,
    /// How wrong its clock is, microseconds.
    skew: Arc<AtomicI64>,
    life: Option<(Gate, CancellationToken, JoinHandle<()>)>,
}

impl Worker {
    pub(super) fn new(number: u64) -> Worker {
        Worker { number, lives: 0, skew: Arc::default(), life: None }
    }

    pub(super) fn start(
        &mut self,
        setup: &Setup,
        ground: &Ground,
        kinesis: &FakeKinesis,
        disk: &Arc<InMemory>,
        faults: &Arc<StoreFaults>,
    ) {
        self.lives += 1;
        let (gate, stop) = (Gate::new(), CancellationToken::new());
        let name = format!("worker-{}", self.number);
        let store = FaultyStore {
            disk: disk.clone(),
            worker: name.clone(),
            gate: gate.clone(),
            faults: faults.clone(),
            ground: ground.clone(),
        };
        let (clock, skew) = (ground.clone(), self.skew.clone());
        let surroundings = Surroundings {
            now: Arc::new(move || clock.wall(skew.load(Ordering::Relaxed))),
            ids: Ids::seeded(setup.seed ^ (self.number << 32) ^ (self.lives << 40)),
            checkpoints: false,
        };
        let door = Door { kinesis: kinesis.clone(), worker: name.clone(), gate: gate.clone() };
        let options = options(setup, door, format!("{name}-{}", self.lives));
        ground.note(format_args!("{name} starts"));
        let life = live(Arc::new(store), surroundings, options, stop.clone(), ground.clone());
        let (held, ground) = (gate.clone(), ground.clone());
        let task = tokio::spawn(async move {
            tokio::select! {
                biased;
                () = held.death() => ground.note(format_args!("{name} is dead")),
                () = held.hold(life) => {}
            }
        });
        self.life = Some((gate, stop, task));
    }

    /// Whether a consumer lives here, be it stopped for a while.
    pub(crate) fn is_running(&self) -> bool {
        self.life.as_ref().is_some_and(|(gate, _, task)| !gate.is_dead() && !task.is_finished())
    }

    pub(crate) fn kill(&self) {
        if let Some((gate, ..)) = &self.life {
            gate.kill();
        }
    }

    pub(crate) fn pause(&self) {
        if let Some((gate, ..)) = &self.life {
            gate.pause();
        }
    }

    pub(crate) fn resume(&self) {
        if let Some((gate, ..)) = &self.life {
            gate.resume();
        }
    }

    /// Sets its clock wrong by so many microseconds.
    pub(crate) fn set_clock(&self, skew: i64) {
        self.skew.store(skew, Ordering::Relaxed);
    }

    /// Waits until it has been killed.
    pub(crate) async fn death(&self) {
        if let Some((gate, ..)) = &self.life {
            gate.death().await;
        }
    }

    /// Asks it to stop, as SIGTERM does, and waits until it has.
    pub(crate) async fn stop(&mut self, ground: &Ground) {
        let Some((gate, stop, task)) = self.life.take() else { return };
        stop.cancel();
        if tokio::time::timeout(STOPS_WITHIN, task).await.is_err() {
            ground.complain(format!("worker-{} does not stop within {STOPS_WITHIN:?}", self.number));
        }
        gate.kill();
    }
}

fn options(setup: &Setup, door: Door, worker: String) -> ConsumerOptions {
    let followed = Followed {
        name: "findings".to_owned(),
        stream: Arc::new(door),
        start: setup.start,
        consumer: setup.fan_out.then(|| "guardlake".to_owned()),
    };
    ConsumerOptions {
        streams: vec![followed],
        limits: Limits { max_rows: setup.rows, ..Limits::default() },
        writer: WriterOptions::default(),
        idle_poll: Duration::from_secs(1),
        pace: Pace::default(),
        memory: setup.memory,
        leases: setup.leases.map(|ttl| LeaseOptions { worker, ttl }),
    }
}

/// From the opening of the lake to the end of the consumer, which only comes when it is asked for.
async fn live(
    store: Arc<FaultyStore>,
    surroundings: Surroundings,
    options: ConsumerOptions,
    stop: CancellationToken,
    ground: Ground,
) {
    loop {
        let opened = Lake::open_in(store.clone(), surroundings.clone()).await;
        let ended = match opened {
            Ok(lake) => consume(&lake, &options, &stop, &Arc::new(Progress::default())).await,
            Err(error) => Err(IngestError::Lake(error)),
        };
        let worker = &store.worker;
        match ended {
            _ if stop.is_cancelled() => return,
            Ok(_) => return ground.complain(format!("{worker} ended although nobody asked")),
            // Whoever runs a process starts it again when the lake or the stream cannot be opened.
            Err(error) => ground.note(format_args!("{worker} could not begin: {error}")),
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}
