//! A world: one stream, one lake, some workers that carry the one into the other, on one thread and a clock that jumps to
//! whatever happens next.

mod troubles;
mod worker;

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use ingest::Start;
use lake::{Ids, Lake, Surroundings};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::documents::{self, Item};
use super::ground::{BEGINNING, Ground};
use super::kinesis::{FakeKinesis, Manners};
use super::oracle;
use super::store::faults::StoreFaults;
pub(crate) use troubles::a_bad_day;
pub(crate) use worker::Worker;

/// All that arrived must be in the lake so long after the last trouble.
const SETTLES_WITHIN: Duration = Duration::from_secs(3_600);

/// What kind of world.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) workers: u64,
    pub(crate) shards: u64,
    pub(crate) manners: Manners,
    /// Workers share the shards by leases of this length; without them everyone reads everything.
    pub(crate) leases: Option<Duration>,
    /// Shards are read by enhanced fan-out.
    pub(crate) fan_out: bool,
    pub(crate) start: Start,
    /// Rows of a batch.
    pub(crate) rows: usize,
    /// Bytes of replies that a worker may hold.
    pub(crate) memory: usize,
}

impl Setup {
    /// One worker, two shards, nothing special.
    pub(crate) fn plain(seed: u64) -> Setup {
        Setup {
            seed,
            workers: 1,
            shards: 2,
            manners: Manners::default(),
            leases: None,
            fan_out: false,
            start: Start::Oldest,
            rows: 100,
            memory: 64 << 20,
        }
    }
}

/// Everything of one run.
pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) ground: Ground,
    pub(crate) kinesis: FakeKinesis,
    pub(crate) disk: Arc<InMemory>,
    pub(crate) faults: Arc<StoreFaults>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) log: oracle::Log,
    /// Findings to put.
    fresh: Vec<Item>,
    batches: u64,
}

/// One world in which one thing goes wrong, and what the oracle says at its end.
pub(crate) fn check(setup: Setup, live: impl AsyncFnOnce(&mut World)) {
    simulate(async || {
        let mut world = World::new(setup, true).await;
        live(&mut world).await;
        world.holds().await;
    });
}

/// Runs a world of its own on this thread. The trace is kept when one seed is replayed.
pub(crate) fn simulate<T, F: Future<Output = T>>(work: impl FnOnce() -> F) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime can be built").block_on(work())
}

impl World {
    /// An empty lake, a stream without records, workers that have not started.
    pub(crate) async fn new(setup: Setup, keep_trace: bool) -> World {
        let ground = Ground::new(setup.seed, keep_trace);
        let kinesis = FakeKinesis::new(&ground, "findings", setup.shards, setup.manners);
        let disk = Arc::new(InMemory::new());
        for (path, bytes) in tables() {
            let put = disk.put(path, bytes.clone().into()).await;
            put.expect("memory takes what it is given");
        }
        let workers = (0..setup.workers).map(Worker::new).collect();
        World {
            setup,
            ground,
            kinesis,
            disk,
            faults: Arc::default(),
            workers,
            log: oracle::Log::default(),
            fresh: Vec::new(),
            batches: 0,
        }
    }

    /// Starts a worker that is not running.
    pub(crate) fn start(&mut self, worker: usize) {
        self.workers[worker].start(
            &self.setup,
            &self.ground,
            &self.kinesis,
            &self.disk,
            &self.faults,
        );
    }

    pub(crate) fn start_all(&mut self) {
        for worker in 0..self.workers.len() {
            self.start(worker);
        }
    }

    pub(crate) fn put_all(&self, items: &[Item]) {
        for item in items {
            self.kinesis.put(item);
        }
    }

    /// Waits until everything is in the lake that is still kept: with the troubles that there are.
    pub(crate) async fn caught_up(&mut self) {
        let waiting = tokio::time::timeout(SETTLES_WITHIN, async {
            loop {
                self.log.follow(&self.disk).await;
                let behind = oracle::behind(&self.log, &self.kinesis);
                if behind.is_none() {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        if waiting.await.is_err() {
            let behind = oracle::behind(&self.log, &self.kinesis).unwrap_or_default();
            self.ground
                .complain(format!("not caught up within {SETTLES_WITHIN:?}: {behind}"));
        }
    }

    /// Ends all troubles, waits until everything is in the lake, stops the workers, and asks the oracle.
    pub(crate) async fn settle(&mut self) {
        self.faults.calm();
        self.kinesis.calm();
        for worker in 0..self.workers.len() {
            self.workers[worker].resume();
            if !self.workers[worker].is_running() {
                self.start(worker);
            }
        }
        // What is still on its way lands first. A last record in each shard: whoever has read it has passed all gaps.
        tokio::time::sleep(Duration::from_secs(20)).await;
        self.kinesis.put_into_each(&Item::event(0, 0));
        self.caught_up().await;
        for worker in &mut self.workers {
            worker.stop(&self.ground).await;
        }
        self.log.follow(&self.disk).await;
        let complaints = oracle::complaints(self).await;
        for complaint in complaints {
            self.ground.complain(complaint);
        }
    }

    /// Like [`World::settle`]; fails the test with everything that was wrong.
    async fn holds(&mut self) {
        self.settle().await;
        let complaints = self.ground.complaints();
        let lines = self.ground.lines();
        let last = &lines[lines.len().saturating_sub(300)..];
        assert!(
            complaints.is_empty(),
            "{}\n\n{}",
            last.join("\n"),
            complaints.join("\n")
        );
    }

    /// Lets so much time pass.
    pub(crate) async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// Puts so many findings that were not put before, into whichever shards they belong.
    pub(crate) fn put_findings(&mut self, count: usize) {
        if self.fresh.len() < count {
            self.batches += 1;
            let more = documents::findings(self.setup.seed * 1_000 + self.batches, 200);
            self.fresh.extend(more.iter().map(Item::finding));
        }
        for item in self.fresh.drain(..count) {
            self.kinesis.put(&item);
        }
    }

    /// Starts everybody and waits until the first findings are in the lake.
    pub(crate) async fn begin(&mut self) {
        self.start_all();
        self.put_findings(10);
        self.caught_up().await;
    }

    /// Fails when it is not caught up soon.
    pub(crate) async fn caught_up_within(&mut self, seconds: u64) {
        let began = self.ground.now_ms();
        self.caught_up().await;
        let took = self.ground.now_ms() - began;
        assert!(took <= seconds * 1_000, "caught up after {took} ms");
    }

    /// How often a line of the trace holds all of these words.
    pub(crate) fn noted(&self, words: &[&str]) -> usize {
        let lines = self.ground.lines();
        lines
            .iter()
            .filter(|line| words.iter().all(|word| line.contains(word)))
            .count()
    }

    /// A count of the ground.
    pub(crate) fn counted(&self, what: &str) -> u64 {
        self.ground.counts().get(what).copied().unwrap_or(0)
    }

    /// The lake, for looking.
    pub(crate) async fn lake(&self) -> Lake {
        let ground = self.ground.clone();
        let surroundings = Surroundings {
            now: Arc::new(move || ground.wall(0)),
            ids: Ids::seeded(0),
            checkpoints: false,
        };
        let lake = Lake::open_in(self.disk.clone(), surroundings).await;
        lake.expect("the lake is there")
    }
}

/// The objects of an empty lake. delta-rs makes them with threads of its own, so they are made once and outside.
fn tables() -> &'static [(Path, Bytes)] {
    static TABLES: OnceLock<Vec<(Path, Bytes)>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let made = std::thread::spawn(|| {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime can be built");
            runtime.block_on(async {
                let disk = Arc::new(InMemory::new());
                let surroundings = Surroundings {
                    now: Arc::new(|| BEGINNING),
                    ids: Ids::seeded(0),
                    checkpoints: false,
                };
                let made = Lake::open_in(disk.clone(), surroundings).await;
                made.expect("tables can be made in memory");
                objects(&disk).await
            })
        });
        made.join().expect("the tables are made")
    })
}

async fn objects(disk: &InMemory) -> Vec<(Path, Bytes)> {
    let listed: Vec<_> = disk
        .list(None)
        .try_collect()
        .await
        .expect("memory can be listed");
    let mut objects = Vec::new();
    for object in listed {
        let got = disk
            .get(&object.location)
            .await
            .expect("what is listed is there");
        let bytes = got.bytes().await.expect("memory can be read");
        objects.push((object.location, bytes));
    }
    objects
}
