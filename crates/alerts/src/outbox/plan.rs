//! Which rows the log of deliveries needs next. Plans are values; whoever carries them out adds nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{Attempt, DeliveryRow, ItemRef, Lane, LaneState, Outbox, Step, key, thread};
use crate::life::{Alert, Event, State};
use crate::route::{Routed, Routes, Stop};

/// How many alerts one notice tells of at most; more of a group follow in the next.
const MOST_ITEMS: usize = 1_000;

/// Why an alert is told again that nobody has taken.
const STILL_OPEN: &str = "still open";

/// An event of the alert log, and what routes look at.
#[derive(Debug, Clone, Copy)]
pub struct Happened<'a> {
    /// The alert as the event left it, and what is known of it.
    pub routed: Routed<'a>,
    /// What happened.
    pub event: Event,
    /// Somebody should hear of it.
    pub rings: bool,
}

/// By what [`queue`] decides.
pub struct Queue<'a> {
    /// All routes.
    pub routes: &'a Routes,
    /// Channels that take alerts one by one.
    pub one_by_one: &'a BTreeSet<String>,
    /// UTC microseconds.
    pub now: i64,
    /// This process.
    pub worker: &'a str,
}

/// What is to be told of events, in the order of the log: rows that say `queued` or `skipped`.
///
/// What rings goes where the routes say. What happens later to an alert that somebody was told of (acknowledged, resolved, reopened,
/// merged, withdrawn) goes to whoever was told. An alert too old to ring is skipped, with a row for every channel that would have been
/// told. No channel is told of one event twice, however many routes lead to it.
pub fn queue(outbox: &Outbox, happened: &[Happened<'_>], by: &Queue<'_>) -> Vec<DeliveryRow> {
    let mut rows: Vec<DeliveryRow> = Vec::new();
    let mut told: BTreeMap<&str, BTreeSet<(Lane, String)>> = BTreeMap::new();
    for happened in happened {
        let alert = happened.routed.alert;
        let item = ItemRef {
            alert_id: alert.alert_id.clone(),
            seq: alert.seq,
        };
        let row = |step: Step, lane: &Lane, route: &str, reason: String| DeliveryRow {
            delivery_id: String::new(),
            step,
            at: by.now,
            route: route.to_owned(),
            channel: lane.channel.clone(),
            thread: lane.thread.clone(),
            group: Vec::new(),
            items: vec![item.clone()],
            attempt: 0,
            due: None,
            reason,
            reference: None,
            detail: None,
            worker: by.worker.to_owned(),
        };
        let too_old = happened.event == Event::Opened && alert.historic;
        if happened.rings || too_old {
            let mut channels = BTreeSet::new();
            for stop in by.routes.of(&happened.routed) {
                for channel in &stop.channels {
                    if !channels.insert(channel) {
                        continue;
                    }
                    let single = by.one_by_one.contains(channel);
                    let group = stop.group_of(alert);
                    let lane = Lane {
                        channel: channel.clone(),
                        thread: match single {
                            true => alert.alert_id.clone(),
                            false => thread(&stop.path, &group),
                        },
                    };
                    let (step, reason) = match happened.rings {
                        true => (Step::Queued, String::new()),
                        false => (
                            Step::Skipped,
                            "its last match is too old to ring".to_owned(),
                        ),
                    };
                    let mut row = row(step, &lane, &stop.path, reason);
                    if !single {
                        row.group = group;
                    }
                    if happened.rings {
                        let known = told.entry(&alert.alert_id).or_default();
                        known.insert((lane, stop.path.clone()));
                    }
                    rows.push(row);
                }
            }
        } else if follows(happened.event) {
            let before = outbox.told.get(&alert.alert_id).into_iter().flatten();
            let now = told.get(alert.alert_id.as_str()).into_iter().flatten();
            let lanes: BTreeSet<&(Lane, String)> = before.chain(now).collect();
            for (lane, route) in lanes {
                let mut row = row(Step::Queued, lane, route, String::new());
                let queued = rows.iter().rev().find(|row| row.lane() == *lane);
                row.group = match (outbox.lanes.get(lane), queued) {
                    (_, Some(queued)) => queued.group.clone(),
                    (Some(state), None) => state.group.clone(),
                    (None, None) => Vec::new(),
                };
                rows.push(row);
            }
        }
    }
    rows
}

/// Whether those who were told of an alert are told of this, too.
fn follows(event: Event) -> bool {
    match event {
        Event::Acknowledged
        | Event::Resolved
        | Event::Reopened
        | Event::Merged
        | Event::Withdrawn => true,
        Event::Opened | Event::Grew | Event::Escalated | Event::Snoozed => false,
    }
}

/// Alerts that are still open long after they were told: rows that say `queued`. `alert` knows alerts by their ids.
pub fn repeat<'a>(
    outbox: &Outbox,
    by: &Queue<'_>,
    alert: impl Fn(&str) -> Option<&'a Alert>,
) -> Vec<DeliveryRow> {
    let stops: BTreeMap<&str, &Stop> = stops(by.routes);
    let mut rows = Vec::new();
    for (lane, state) in &outbox.lanes {
        let interval = stops
            .get(state.route.as_str())
            .and_then(|s| s.repeat_interval);
        let (Some(interval), Some(sent_at)) = (interval, state.sent_at) else {
            continue;
        };
        let busy = state.open.is_some() || !state.waiting.is_empty();
        if busy || sent_at.saturating_add(interval) > by.now {
            continue;
        }
        let open = state.seen.keys().filter_map(|id| alert(id));
        let open = open.filter(|alert| alert.state_at(by.now) == State::Open && !alert.historic);
        let items: Vec<ItemRef> = open
            .map(|alert| ItemRef {
                alert_id: alert.alert_id.clone(),
                seq: alert.seq,
            })
            .collect();
        if !items.is_empty() {
            rows.push(DeliveryRow {
                delivery_id: String::new(),
                step: Step::Queued,
                at: by.now,
                route: state.route.clone(),
                channel: lane.channel.clone(),
                thread: lane.thread.clone(),
                group: state.group.clone(),
                items,
                attempt: 0,
                due: None,
                reason: STILL_OPEN.to_owned(),
                reference: None,
                detail: None,
                worker: by.worker.to_owned(),
            });
        }
    }
    rows
}

fn stops(routes: &Routes) -> BTreeMap<&str, &Stop> {
    let stops = routes.stops().into_iter();
    stops.map(|stop| (stop.path.as_str(), stop)).collect()
}

/// How long things are waited for, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After the first failure; doubled with each further one.
    pub first: i64,
    /// Between attempts at most, unless the receiver asks for more.
    pub most: i64,
    /// From the first attempt until a delivery is given up.
    pub give_up: i64,
    /// Until an attempt of which nothing is heard counts as failed: its process may be dead.
    pub in_doubt: i64,
}

impl Default for Patience {
    /// 5 seconds, doubled up to 10 minutes, for a day; 90 seconds in doubt, which is longer than any attempt may take.
    fn default() -> Patience {
        let second = 1_000_000;
        Patience {
            first: 5 * second,
            most: 600 * second,
            give_up: 86_400 * second,
            in_doubt: 90 * second,
        }
    }
}

/// By what [`start`] decides.
pub struct Due<'a> {
    /// All routes.
    pub routes: &'a Routes,
    /// Channels that take alerts one by one.
    pub one_by_one: &'a BTreeSet<String>,
    /// By channel that there is: how many more deliveries it can take now.
    pub room: BTreeMap<String, usize>,
    /// Ids of the deliveries that this process is sending: they are not in doubt, however long they take.
    pub sending: &'a BTreeSet<String>,
    /// Whether a time of that name, in which nothing is sent, is now.
    pub muted: &'a dyn Fn(&str) -> bool,
    /// How long things are waited for.
    pub patience: Patience,
    /// UTC microseconds.
    pub now: i64,
    /// This process.
    pub worker: &'a str,
}

/// The deliveries that begin now: rows that say `started`, and `dead` where a channel is gone. To be logged before anything is sent.
pub fn start(outbox: &Outbox, due: &Due<'_>) -> Vec<DeliveryRow> {
    let stops = stops(due.routes);
    let mut room = due.room.clone();
    let mut rows = Vec::new();
    for (lane, state) in &outbox.lanes {
        let stop = stops.get(state.route.as_str()).copied();
        let (items, attempt, id, reason) = match &state.open {
            Some(open) if due.is_over(open) => {
                let again = open.attempt.saturating_add(1);
                (
                    open.items.clone(),
                    again,
                    open.delivery_id.clone(),
                    open.reason.clone(),
                )
            }
            Some(_) => continue,
            None if state.is_ready(lane, stop, due) => {
                let (items, reason) = state.taken();
                let decided = state.waiting.iter().map(|waiting| waiting.since).min();
                let id = key(lane, &items, decided.filter(|_| reason == STILL_OPEN));
                (items, 1, id, reason)
            }
            None => continue,
        };
        let mut row = DeliveryRow {
            delivery_id: id,
            step: Step::Started,
            at: due.now,
            route: state.route.clone(),
            channel: lane.channel.clone(),
            thread: lane.thread.clone(),
            group: state.group.clone(),
            items,
            attempt,
            due: None,
            reason,
            reference: None,
            detail: None,
            worker: due.worker.to_owned(),
        };
        match room.get_mut(&lane.channel) {
            Some(0) => {}
            Some(room) => {
                *room -= 1;
                rows.push(row);
            }
            None => {
                let gone = DeliveryRow {
                    step: Step::Dead,
                    reason: "there is no such channel any more".to_owned(),
                    ..row.clone()
                };
                row.reason = "to be given up".to_owned();
                rows.extend([row, gone]);
            }
        }
    }
    rows
}

impl Due<'_> {
    /// Whether an attempt that has begun is to be made again.
    fn is_over(&self, open: &Attempt) -> bool {
        match &open.running {
            Some((since, _)) => {
                !self.sending.contains(&open.delivery_id)
                    && since.saturating_add(self.patience.in_doubt) <= self.now
            }
            None => open.due <= self.now,
        }
    }
}

impl LaneState {
    fn is_ready(&self, lane: &Lane, stop: Option<&Stop>, due: &Due<'_>) -> bool {
        let Some(first) = self.waiting.iter().map(|waiting| waiting.since).min() else {
            return false;
        };
        // Without a route, and one by one, nothing is waited for.
        let Some(stop) = stop else { return true };
        if stop.mute_times.iter().any(|name| (due.muted)(name)) {
            return false;
        }
        if due.one_by_one.contains(&lane.channel) {
            return true;
        }
        let gathered = first.saturating_add(stop.group_wait);
        let spaced = self
            .sent_at
            .map_or(i64::MIN, |at| at.saturating_add(stop.group_interval));
        gathered.max(spaced) <= due.now
    }

    /// What the next notice tells, and why if that was said.
    fn taken(&self) -> (Vec<ItemRef>, String) {
        let mut alerts = BTreeSet::new();
        let mut items = Vec::new();
        let mut reason = String::new();
        for waiting in &self.waiting {
            let id = waiting.item.alert_id.as_str();
            if alerts.len() < MOST_ITEMS || alerts.contains(id) {
                alerts.insert(id);
                items.push(waiting.item.clone());
                if reason.is_empty() {
                    reason.clone_from(&waiting.reason);
                }
            }
        }
        (items, reason)
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It came through: what the receiver calls it, and what the channel needs next time, as JSON.
    Sent(Option<String>, Option<String>),
    /// Perhaps later: why, and how long the receiver asked to wait, in microseconds.
    ForNow(String, Option<i64>),
    /// Never: why.
    ForGood(String),
    /// It was not made after all: its turn did not come.
    NotMade,
}

/// The row that says how an attempt ended, after the row that says that it began. `spread` is any number: it keeps failed deliveries
/// from coming back all at once.
pub fn ended(
    outbox: &Outbox,
    started: &DeliveryRow,
    ended: Ended,
    patience: &Patience,
    spread: u64,
    now: i64,
) -> DeliveryRow {
    let mut row = DeliveryRow {
        step: Step::Sent,
        at: now,
        reason: String::new(),
        ..started.clone()
    };
    let open = (outbox.lanes.get(&started.lane())).and_then(|state| state.open.as_ref());
    let first_at = open
        .filter(|open| open.delivery_id == started.delivery_id)
        .map_or(started.at, |open| open.first_at);
    match ended {
        Ended::Sent(reference, detail) => {
            row.reference = reference;
            row.detail = detail;
        }
        Ended::NotMade => {
            row.step = Step::Failed;
            row.attempt = started.attempt.saturating_sub(1);
            row.reason = "its turn did not come".to_owned();
            row.due = Some(now);
        }
        Ended::ForGood(why) => {
            row.step = Step::Dead;
            row.reason = why;
        }
        Ended::ForNow(why, _) if first_at.saturating_add(patience.give_up) <= now => {
            row.step = Step::Dead;
            row.reason = format!("given up after {} attempts: {why}", started.attempt);
        }
        Ended::ForNow(why, asked) => {
            let doubled = 1_i64 << (started.attempt.clamp(1, 20) - 1);
            let most = patience
                .first
                .saturating_mul(doubled)
                .min(patience.most)
                .max(1);
            // Between half of it and all of it.
            let wait = most / 2 + (spread % (most / 2 + 1) as u64) as i64;
            row.step = Step::Failed;
            row.reason = why;
            row.due = Some(now.saturating_add(wait.max(asked.unwrap_or(0))));
        }
    }
    row
}
