//! A bad day: producers put, and at random moments whatever can go wrong does.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::TryStreamExt;
use ingest::Start;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{Setup, World};
use crate::sim::documents;
use crate::sim::ground::Ground;
use crate::sim::kinesis::{self, Manners, Trimmed};
use crate::sim::store::faults;

const HOUR: i64 = 3_600_000_000;
const MINUTE: u64 = 60_000;

/// How a day ended.
pub(crate) struct Ended {
    pub(crate) trace_hash: u64,
    pub(crate) lines: Vec<String>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    pub(crate) complaints: Vec<String>,
}

/// One day of a seed, from an empty lake to the oracle's word.
pub(crate) async fn a_bad_day(seed: u64, keep_trace: bool) -> Ended {
    let mut world = World::new(setup(seed), keep_trace).await;
    world.ground.note(format_args!("{:?}", world.setup));
    world.live_through().await;
    world.settle().await;
    world.count_rows();
    Ended {
        trace_hash: world.ground.trace_hash(),
        lines: world.ground.lines(),
        counts: world.ground.counts(),
        complaints: world.ground.complaints(),
    }
}

fn setup(seed: u64) -> Setup {
    let chance = Ground::new(seed ^ 0x5e7, false);
    let workers = chance.between(1, 3);
    let trimmed = chance.pick(&[Trimmed::Refused, Trimmed::Skipped, Trimmed::Silent]);
    Setup {
        seed,
        workers,
        shards: chance.between(1, 3),
        manners: Manners {
            trimmed,
            // Its lag is how the silent one shows that something is wrong.
            says_lag: trimmed == Trimmed::Silent || chance.permille(800),
            ..Manners::default()
        },
        leases: chance
            .permille(if workers > 1 { 800 } else { 200 })
            .then(|| Duration::from_secs(chance.between(6, 30))),
        fan_out: chance.permille(200),
        start: Start::Oldest,
        rows: chance.between(10, 60) as usize,
        memory: chance.pick(&[1 << 20, 64 << 20]),
    }
}

impl World {
    async fn live_through(&mut self) {
        let ground = self.ground.clone();
        self.kinesis.by_chance(kinesis::Chances {
            passing: ground.pick(&[0, 10, 50]),
            silence: ground.pick(&[0, 2, 10]),
            throttled: ground.pick(&[0, 10, 50]),
            empty: ground.pick(&[0, 100, 500]),
            latency: Duration::from_millis(ground.pick(&[0, 20, 300])),
        });
        self.faults.by_chance(faults::Chances {
            put: ground.pick(&[0, 20, 100]),
            read: ground.pick(&[0, 5, 20]),
            latency: Duration::from_millis(ground.pick(&[0, 20, 300])),
        });
        let documents = ground.between(50, 100);
        let mut items = documents::careless(&ground, self.setup.seed, documents);
        // Worker and time until which it stays stopped.
        let mut stopped: Vec<(usize, u64)> = Vec::new();
        self.start_all();
        while !items.is_empty() {
            tokio::time::sleep(Duration::from_millis(ground.between(1, 15_000))).await;
            let count = ground.between(0, 12).min(items.len() as u64) as usize;
            for item in items.drain(..count) {
                self.kinesis.put(&item);
            }
            stopped.retain(|(worker, until)| {
                let is_over = ground.now_ms() >= *until;
                if is_over {
                    self.workers[*worker].resume();
                }
                !is_over
            });
            for worker in 0..self.workers.len() {
                if !self.workers[worker].is_running() && ground.permille(600) {
                    self.start(worker);
                }
            }
            if ground.permille(700) {
                self.trouble(&mut stopped).await;
            }
        }
    }

    async fn trouble(&mut self, stopped: &mut Vec<(usize, u64)>) {
        let ground = self.ground.clone();
        let worker = ground.below(self.workers.len() as u64) as usize;
        let seconds = |least, most| Duration::from_secs(ground.between(least, most));
        match ground.below(24) {
            0..=3 => {
                ground.count("kills");
                self.workers[worker].kill();
            }
            4..=6 => {
                ground.count("pauses");
                ground.note(format_args!("worker-{worker} is stopped"));
                self.workers[worker].pause();
                let lasts = ground.pick(&[5_000, 20_000, 90_000, 12 * MINUTE]);
                stopped.push((worker, ground.now_ms() + lasts));
            }
            7..=9 => {
                let open = self.kinesis.open_shards();
                if open.len() < 5 {
                    self.kinesis
                        .split(&open[ground.below(open.len() as u64) as usize]);
                }
            }
            10..=11 => {
                let pairs = self.kinesis.neighbours();
                if !pairs.is_empty() {
                    let (low, high) = &pairs[ground.below(pairs.len() as u64) as usize];
                    self.kinesis.merge(low, high);
                }
            }
            12 => self.faults.storm(seconds(5, 180)),
            13 => self.faults.full(seconds(5, 90)),
            14 => self.kinesis.throttle(seconds(5, 60)),
            15 => self.kinesis.disable_key(seconds(5, 120)),
            16..=17 => self.workers[worker].set_clock(ground.pick(&[-HOUR, 0, 1_500_000, HOUR])),
            18 => self.lose_leases().await,
            19 => tokio::time::sleep(seconds(60, 420)).await,
            20 if ground.permille(150) => {
                ground.count("streams made again");
                let shards = ground.between(1, 3);
                self.kinesis.make_again(shards, seconds(0, 60));
            }
            21 if ground.permille(300) => {
                ground.count("outages");
                self.workers.iter().for_each(super::Worker::kill);
                // Clocks are wrong by an hour at most, so that everyone agrees whether this is longer than a day.
                let hours = ground.pick(&[3, 22, 26, 40]);
                tokio::time::sleep(Duration::from_secs(hours * 3_600)).await;
            }
            _ => {}
        }
    }

    /// Somebody deletes all objects of the leases.
    async fn lose_leases(&self) {
        self.ground.note(format_args!("the leases are deleted"));
        let folder = Path::from("_leases");
        let listed: Vec<_> = self
            .disk
            .list(Some(&folder))
            .try_collect()
            .await
            .expect("memory lists");
        for object in listed {
            self.disk
                .delete(&object.location)
                .await
                .expect("memory deletes");
        }
    }

    fn count_rows(&self) {
        for commit in &self.log.commits {
            let Some(ledger) = commit.ledger else {
                continue;
            };
            self.ground.count("commits");
            self.ground.add("rows", ledger.committed);
            self.ground.add("duplicates", ledger.duplicate);
            self.ground.add("rejects", ledger.rejected);
        }
    }
}
