//! What is owed to whom. The log of deliveries is append-only; [`Outbox`] adds it up, and the plans say which rows come next. Only
//! a send can happen twice: it lies between a row that says `started` and one that says how it ended.
//!
//! A *lane* is a channel and a thread: an alert where the channel takes alerts one by one, else a group of a route. Notices of a
//! lane go out one after the other, so that nobody hears of a resolve before the alert.

mod plan;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use crate::life::Group;

pub use plan::{Due, Ended, Happened, Patience, Queue, ended, queue, repeat, start};

/// What happened to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Something is to be told; it waits for its turn, and perhaps for others of its group.
    Queued,
    /// Nobody is told, for the reason that is given.
    Skipped,
    /// An attempt begins.
    Started,
    /// It came through.
    Sent,
    /// It did not, and is tried again.
    Failed,
    /// It is given up.
    Dead,
}

/// One row of the log of deliveries. Times are UTC microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// The same for all attempts: the idempotency key. Empty for `queued` and `skipped`.
    pub delivery_id: String,
    /// What happened.
    pub step: Step,
    /// When.
    pub at: i64,
    /// Path of the route.
    pub route: String,
    /// Name of the channel.
    pub channel: String,
    /// What is told of: the alert's id, or a hash of route and group.
    pub thread: String,
    /// The values of the group; empty where alerts are told one by one.
    pub group: Group,
    /// The events that are told.
    pub items: Vec<ItemRef>,
    /// From 1; 0 for `queued` and `skipped`.
    pub attempt: i64,
    /// `failed`: not again before.
    pub due: Option<i64>,
    /// Why, in one line.
    pub reason: String,
    /// `sent`: what the receiver calls what it made.
    pub reference: Option<String>,
    /// `sent`: what the channel needs next time, as JSON.
    pub detail: Option<String>,
    /// Who did it: a process.
    pub worker: String,
}

/// One event of an alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemRef {
    /// The alert.
    pub alert_id: String,
    /// `seq` of its event.
    pub seq: i64,
}

/// A channel and what it is told of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// Name of the channel.
    pub channel: String,
    /// See [`DeliveryRow::thread`].
    pub thread: String,
}

/// What the log of deliveries adds up to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outbox {
    lanes: BTreeMap<Lane, LaneState>,
    /// By alert: the lanes that were told of it, or will be, with the route that led there.
    told: HashMap<String, BTreeSet<(Lane, String)>>,
}

/// How a lane stands.
#[derive(Debug, Clone, Default, PartialEq)]
struct LaneState {
    route: String,
    group: Group,
    waiting: Vec<Waiting>,
    open: Option<Attempt>,
    /// When the last notice went out.
    sent_at: Option<i64>,
    reference: Option<String>,
    detail: Option<String>,
    /// The newest event that was told of each alert.
    seen: BTreeMap<String, i64>,
}

#[derive(Debug, Clone, PartialEq)]
struct Waiting {
    item: ItemRef,
    since: i64,
    reason: String,
}

/// A delivery that has begun and has not ended.
#[derive(Debug, Clone, PartialEq)]
struct Attempt {
    delivery_id: String,
    items: Vec<ItemRef>,
    reason: String,
    first_at: i64,
    attempt: i64,
    /// Being sent since then, by that worker; nothing while it waits for the next attempt.
    running: Option<(i64, String)>,
    due: i64,
}

impl Step {
    /// All of them.
    pub const ALL: [Step; 6] = [
        Step::Queued,
        Step::Skipped,
        Step::Started,
        Step::Sent,
        Step::Failed,
        Step::Dead,
    ];

    /// The word stored in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Queued => "queued",
            Step::Skipped => "skipped",
            Step::Started => "started",
            Step::Sent => "sent",
            Step::Failed => "failed",
            Step::Dead => "dead",
        }
    }

    /// The step of a stored word.
    pub fn from_word(word: &str) -> Option<Step> {
        Step::ALL.into_iter().find(|step| step.as_str() == word)
    }
}

impl DeliveryRow {
    /// The lane that it is of.
    pub fn lane(&self) -> Lane {
        Lane {
            channel: self.channel.clone(),
            thread: self.thread.clone(),
        }
    }
}

/// The thread of a group of a route.
pub(crate) fn thread(route: &str, group: &Group) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    part(route);
    for (column, value) in group {
        part(column);
        part(if value.is_some() { "=" } else { "0" });
        part(value.as_deref().unwrap_or_default());
    }
    hex(&hash.finalize()[..16])
}

/// The key of a delivery: of what is told to whom, and, where the same is told again because it is still open, of when that was decided.
fn key(lane: &Lane, items: &[ItemRef], repeated: Option<i64>) -> String {
    let mut hash = Sha256::new();
    for text in [&lane.channel, &lane.thread] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    for item in items {
        hash.update((item.alert_id.len() as u64).to_be_bytes());
        hash.update(&item.alert_id);
        hash.update(item.seq.to_be_bytes());
    }
    if let Some(at) = repeated {
        hash.update(at.to_be_bytes());
    }
    hex(&hash.finalize()[..16])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Outbox {
    /// Adds a row up. Rows come in the order of the log.
    pub fn apply(&mut self, row: &DeliveryRow) {
        let lane = row.lane();
        if row.step != Step::Skipped {
            for item in &row.items {
                let told = self.told.entry(item.alert_id.clone()).or_default();
                told.insert((lane.clone(), row.route.clone()));
            }
        }
        let state = self.lanes.entry(lane).or_default();
        state.route.clone_from(&row.route);
        state.group.clone_from(&row.group);
        match row.step {
            Step::Skipped => {}
            Step::Queued => state.waiting.extend(row.items.iter().map(|item| Waiting {
                item: item.clone(),
                since: row.at,
                reason: row.reason.clone(),
            })),
            Step::Started => {
                let taken = |waiting: &Waiting| row.items.contains(&waiting.item);
                state.waiting.retain(|waiting| !taken(waiting));
                let before = state.open.take();
                let first_at = before.filter(|open| open.delivery_id == row.delivery_id);
                state.open = Some(Attempt {
                    delivery_id: row.delivery_id.clone(),
                    items: row.items.clone(),
                    reason: row.reason.clone(),
                    first_at: first_at.map_or(row.at, |open| open.first_at),
                    attempt: row.attempt,
                    running: Some((row.at, row.worker.clone())),
                    due: row.at,
                });
            }
            Step::Sent | Step::Dead => {
                state
                    .open
                    .take_if(|open| open.delivery_id == row.delivery_id);
                for item in &row.items {
                    let seen = state.seen.entry(item.alert_id.clone()).or_insert(item.seq);
                    *seen = item.seq.max(*seen);
                }
                if row.step == Step::Sent {
                    state.sent_at = Some(row.at);
                    state.reference.clone_from(&row.reference);
                    state.detail.clone_from(&row.detail);
                }
            }
            Step::Failed => {
                if let Some(open) = &mut state.open
                    && open.delivery_id == row.delivery_id
                {
                    open.running = None;
                    open.attempt = row.attempt;
                    open.due = row.due.unwrap_or(row.at);
                }
            }
        }
    }

    /// How many items wait for their turn, and how many deliveries have begun and not ended, by channel.
    pub fn owed(&self) -> BTreeMap<&str, (usize, usize)> {
        let mut owed: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (lane, state) in &self.lanes {
            let (waiting, open) = owed.entry(&lane.channel).or_default();
            *waiting += state.waiting.len();
            *open += usize::from(state.open.is_some());
        }
        owed.retain(|_, (waiting, open)| *waiting + *open > 0);
        owed
    }

    /// Since when (UTC microseconds) the oldest that is owed has been, by channel.
    pub fn oldest(&self) -> BTreeMap<&str, i64> {
        let mut oldest: BTreeMap<&str, i64> = BTreeMap::new();
        for (lane, state) in &self.lanes {
            let waiting = state.waiting.iter().map(|waiting| waiting.since);
            let open = state.open.iter().map(|open| open.first_at);
            if let Some(since) = waiting.chain(open).min() {
                let known = oldest.entry(&lane.channel).or_insert(since);
                *known = since.min(*known);
            }
        }
        oldest
    }

    /// Whether anything was ever owed to a channel about an alert, or whatever else has an id.
    pub fn is_told(&self, id: &str, channel: &str) -> bool {
        let lanes = self.told.get(id);
        lanes.is_some_and(|lanes| lanes.iter().any(|(lane, _)| lane.channel == channel))
    }

    /// The events that are waiting or on their way: what must be known of alerts to tell them.
    pub fn needed(&self) -> impl Iterator<Item = &ItemRef> {
        self.lanes.values().flat_map(|state| {
            let open = state.open.iter().flat_map(|open| &open.items);
            open.chain(state.waiting.iter().map(|waiting| &waiting.item))
        })
    }

    /// What the last delivery of a lane left behind: reference, and detail as JSON. `None` before the first.
    pub fn receipt(&self, lane: &Lane) -> Option<(Option<&str>, Option<&str>)> {
        let state = self.lanes.get(lane)?;
        state.sent_at?;
        Some((state.reference.as_deref(), state.detail.as_deref()))
    }
}
