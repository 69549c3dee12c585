//! A Kinesis in memory: streams that are resharded, trimmed, deleted and made again, with the limits and the manners of the
//! real one. Workers reach it through a [`Door`]; tests put records, pull the strings and read the history.

mod answers;
mod door;
mod fan_out;
mod shard;
mod traffic;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use md5::{Digest, Md5};

use super::documents::Item;
use super::ground::{BEGINNING, Ground};
pub(crate) use door::Door;
pub(crate) use shard::{Put, Shard};

/// How this stream behaves when nothing is wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners {
    pub(crate) retention: Duration,
    pub(crate) trimmed: Trimmed,
    /// Some stand-ins always say that a reader is at the tip.
    pub(crate) says_lag: bool,
    /// The longest that a new shard stays out of the listing.
    pub(crate) listed_within: Duration,
}

impl Default for Manners {
    fn default() -> Self {
        Manners {
            retention: Duration::from_secs(24 * 3_600),
            trimmed: Trimmed::Refused,
            says_lag: true,
            listed_within: Duration::from_secs(10),
        }
    }
}

/// What has been seen to happen when somebody reads on after a record that is no longer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trimmed {
    /// `InvalidArgumentException` (harlow/kinesis-consumer 175).
    Refused,
    /// Reading goes on at the oldest record that is kept (Flink's documentation).
    Skipped,
    /// No records, and a lag that stands at the retention (harlow/kinesis-consumer 125).
    Silent,
}

/// How often what goes wrong by chance, in a thousand calls.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Chances {
    /// An error of the network or a 5xx.
    pub(crate) passing: u64,
    /// No answer, ever.
    pub(crate) silence: u64,
    /// `ProvisionedThroughputExceeded` although nobody asked too much.
    pub(crate) throttled: u64,
    /// No records although some wait.
    pub(crate) empty: u64,
    /// The longest that a call or its answer takes.
    pub(crate) latency: Duration,
}

/// The stream. Clones are the same.
#[derive(Clone)]
pub(crate) struct FakeKinesis(Arc<Inner>);

struct Inner {
    ground: Ground,
    arn: String,
    manners: Manners,
    state: Mutex<State>,
}

struct State {
    /// The stream and those that had its name before it.
    lives: Vec<Life>,
    /// Nothing has the name until then: the stream was deleted and is not made again yet.
    gone_until: u64,
    chances: Chances,
    throttled_until: u64,
    lasting_until: u64,
    counter: u64,
    subscriptions: BTreeMap<(String, String), (u64, u64)>,
}

/// One stream from its creation to its deletion.
pub(crate) struct Life {
    /// What its positions are kept by.
    pub(crate) source: String,
    created_ms: i64,
    pub(crate) shards: Vec<Shard>,
}

impl FakeKinesis {
    pub(crate) fn new(ground: &Ground, name: &str, shards: u64, manners: Manners) -> FakeKinesis {
        let kinesis = FakeKinesis(Arc::new(Inner {
            ground: ground.clone(),
            arn: format!("arn:aws:kinesis:us-east-1:111122223333:stream/{name}"),
            manners,
            state: Mutex::new(State {
                lives: Vec::new(),
                gone_until: 0,
                chances: Chances::default(),
                throttled_until: 0,
                lasting_until: 0,
                counter: 0,
                subscriptions: BTreeMap::new(),
            }),
        }));
        kinesis.begin_life(shards, 0);
        kinesis
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ground(&self) -> &Ground {
        &self.0.ground
    }

    fn begin_life(&self, shards: u64, begins: u64) {
        let created_ms = BEGINNING / 1_000 + begins as i64;
        let width = u128::MAX / u128::from(shards);
        let shard = |index: u64| {
            let first = width * u128::from(index);
            let last = if index + 1 == shards {
                u128::MAX
            } else {
                first + width - 1
            };
            Shard::new(index as usize, Vec::new(), (first, last), 0)
        };
        let life = Life {
            source: format!("{}@{created_ms}", self.0.arn),
            created_ms,
            shards: (0..shards).map(shard).collect(),
        };
        let mut state = self.state();
        state.lives.push(life);
        state.gone_until = begins;
        state.subscriptions.clear();
    }

    /// Deletes the stream with all its records; after `absent` there is another one of its name.
    pub(crate) fn make_again(&self, shards: u64, absent: Duration) {
        let begins = self.ground().now_ms() + absent.as_millis() as u64;
        self.ground()
            .note(format_args!("the stream is deleted and made again"));
        self.begin_life(shards, begins);
    }

    pub(crate) fn by_chance(&self, chances: Chances) {
        self.state().chances = chances;
    }

    /// `KMSThrottlingException` on whatever reads.
    pub(crate) fn throttle(&self, lasts: Duration) {
        self.state().throttled_until = self.ground().now_ms() + lasts.as_millis() as u64;
    }

    /// `KMSDisabledException` on whatever reads: somebody must mend it.
    pub(crate) fn disable_key(&self, lasts: Duration) {
        self.state().lasting_until = self.ground().now_ms() + lasts.as_millis() as u64;
    }

    /// Nothing goes wrong from now on.
    pub(crate) fn calm(&self) {
        let mut state = self.state();
        state.chances = Chances::default();
        state.throttled_until = 0;
        state.lasting_until = 0;
    }

    /// Puts a record into the open shard of its key; which shard that was.
    pub(crate) fn put(&self, item: &Item) -> String {
        let now = self.ground().now_ms();
        let step = self.ground().between(1, 1_000);
        let hash = item.hash_key.unwrap_or_else(|| hash_key(&item.key));
        let mut state = self.state();
        state.counter += step;
        let sequence_number = format!(
            "4959033827149025660855969253836157109592{:016}",
            state.counter
        );
        let shard = state.life().shard_of(hash);
        shard.put(sequence_number, item, now);
        let id = shard.id.clone();
        drop(state);
        self.ground().count("records put");
        id
    }

    /// Puts a record into each open shard.
    pub(crate) fn put_into_each(&self, item: &Item) {
        let firsts = self.history(|lives| {
            let shards = lives.last().into_iter().flat_map(|life| &life.shards);
            let open = shards.filter(|shard| shard.closed_at.is_none());
            open.map(|shard| shard.hash_keys.0).collect::<Vec<_>>()
        });
        for first in firsts {
            self.put(&item.clone().at(first));
        }
    }

    /// Nobody wants what was put so far: whoever begins at the newest record never sees it.
    pub(crate) fn forget_the_past(&self) {
        for shard in &mut self.state().life().shards {
            for put in &mut shard.records {
                put.documents = [].into();
            }
        }
    }

    /// Ids of the open shards.
    pub(crate) fn open_shards(&self) -> Vec<String> {
        let mut state = self.state();
        let open = state
            .life()
            .shards
            .iter()
            .filter(|shard| shard.closed_at.is_none());
        open.map(|shard| shard.id.clone()).collect()
    }

    /// Splits an open shard into two halves.
    pub(crate) fn split(&self, id: &str) {
        let now = self.ground().now_ms();
        let listed = [self.listing_delay(), self.listing_delay()];
        let mut state = self.state();
        let life = state.life();
        let parent = life.shard(id);
        let (first, last) = parent.hash_keys;
        parent.closed_at = Some(now);
        // A child is not listed before its parents are.
        let least = parent.listed_at;
        let middle = first + (last - first) / 2;
        for (range, delay) in [(first, middle), (middle + 1, last)]
            .into_iter()
            .zip(listed)
        {
            let listed_at = least.max(now + delay);
            let child = Shard::new(life.shards.len(), vec![id.to_owned()], range, listed_at);
            life.shards.push(child);
        }
        drop(state);
        self.ground().note(format_args!("split {id}"));
        self.ground().count("splits");
    }

    /// Merges two open shards that lie side by side.
    pub(crate) fn merge(&self, low: &str, high: &str) {
        let now = self.ground().now_ms();
        let mut listed_at = now + self.listing_delay();
        let mut state = self.state();
        let life = state.life();
        let first = life.shard(low).hash_keys.0;
        let last = life.shard(high).hash_keys.1;
        for id in [low, high] {
            let parent = life.shard(id);
            parent.closed_at = Some(now);
            listed_at = listed_at.max(parent.listed_at);
        }
        let parents = vec![low.to_owned(), high.to_owned()];
        life.shards.push(Shard::new(
            life.shards.len(),
            parents,
            (first, last),
            listed_at,
        ));
        drop(state);
        self.ground().note(format_args!("merge {low} and {high}"));
        self.ground().count("merges");
    }

    /// Pairs of open shards that lie side by side.
    pub(crate) fn neighbours(&self) -> Vec<(String, String)> {
        let mut state = self.state();
        let shards = &state.life().shards;
        let mut open: Vec<&Shard> = shards.iter().filter(|s| s.closed_at.is_none()).collect();
        open.sort_by_key(|shard| shard.hash_keys);
        open.windows(2)
            .map(|pair| (pair[0].id.clone(), pair[1].id.clone()))
            .collect()
    }

    fn listing_delay(&self) -> u64 {
        self.ground()
            .below(self.0.manners.listed_within.as_millis() as u64 + 1)
    }

    /// Whether a record has passed its retention.
    pub(crate) fn is_trimmed(&self, put: &Put) -> bool {
        put.arrived_ms + self.retention_ms() <= self.ground().now_ms()
    }

    /// Whether a record had passed its retention at this UTC microsecond.
    pub(crate) fn dropped_by(&self, put: &Put, micros: i64) -> bool {
        let kept_until = BEGINNING + ((put.arrived_ms + self.retention_ms()) * 1_000) as i64;
        kept_until <= micros
    }

    /// Whether any record can have passed its retention, by a clock that may be an hour ahead.
    pub(crate) fn has_dropped_any(&self) -> bool {
        self.ground().now_ms() + 3_600_000 >= self.retention_ms()
    }

    /// Whether a shard is closed and still there, so that its end can be read.
    pub(crate) fn is_readable_to_its_end(&self, shard: &Shard) -> bool {
        let now = self.ground().now_ms();
        shard
            .closed_at
            .is_some_and(|closed| now < closed + self.retention_ms())
    }

    /// Whether a shard was closed so long ago that no listing has it.
    pub(crate) fn came_and_went(&self, shard: &Shard) -> bool {
        shard.closed_at.is_some() && !self.is_readable_to_its_end(shard)
    }

    fn retention_ms(&self) -> u64 {
        self.0.manners.retention.as_millis() as u64
    }

    /// Looks at all streams that had this name; the last one has it now.
    pub(crate) fn history<T>(&self, look: impl FnOnce(&[Life]) -> T) -> T {
        look(&self.state().lives)
    }

    /// The most calls that one shard of the present stream got within any second.
    pub(crate) fn most_calls_a_second(&self) -> usize {
        let mut state = self.state();
        let shards = state.life().shards.iter();
        shards
            .map(|shard| shard.traffic.most_a_second())
            .max()
            .unwrap_or(0)
    }

    /// How many reads were refused because they came too fast.
    pub(crate) fn calls_refused(&self) -> u64 {
        let mut state = self.state();
        state
            .life()
            .shards
            .iter()
            .map(|shard| shard.traffic.refused)
            .sum()
    }
}

/// MD5 of a partition key, as Kinesis places records.
pub(crate) fn hash_key(partition_key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key.as_bytes()).into())
}

impl State {
    fn life(&mut self) -> &mut Life {
        self.lives.last_mut().expect("a stream is made at once")
    }
}

impl Life {
    /// The shard of an id.
    pub(crate) fn shard(&mut self, id: &str) -> &mut Shard {
        let shard = self.shards.iter_mut().find(|shard| shard.id == id);
        shard.unwrap_or_else(|| panic!("{id} is a shard"))
    }

    fn shard_of(&mut self, hash: u128) -> &mut Shard {
        let shard = self.shards.iter_mut().find(|shard| {
            shard.closed_at.is_none() && (shard.hash_keys.0..=shard.hash_keys.1).contains(&hash)
        });
        shard.expect("open shards cover all keys")
    }
}
