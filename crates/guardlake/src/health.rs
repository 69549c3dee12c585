//! Whether this process is well: does every role still turn, and can it do its work? Roles say so as they go; the listener asks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::ValueEnum;
use ingest::Progress;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::args::Role;

/// A role whose loop has not turned for so long is stuck, unless it asks for more patience.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// What is done now and then, and missed when it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Done {
    /// Rules were evaluated.
    Evaluation,
    /// Somebody was told.
    Delivery,
}

/// Cheap to clone; clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Address of the lake, once it is open.
    lake: Option<String>,
    roles: BTreeMap<String, Beat>,
    /// Roles that have turned before they were begun again.
    worked: BTreeSet<String>,
    done: BTreeMap<Done, Instant>,
    /// Of the consumer, whose loop is in another room.
    progress: Option<Arc<Progress>>,
}

#[derive(Debug, Clone, Copy)]
struct Beat {
    last: Instant,
    patience: Duration,
    /// It has turned once: what it needs is there.
    ready: bool,
}

impl Health {
    /// What a role is called on the command line.
    pub(crate) fn name(role: Role) -> String {
        let value = role.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether the loop of a role has ever turned.
    pub(crate) fn has_worked(&self, role: Role) -> bool {
        let state = self.state();
        let name = Health::name(role);
        state.worked.contains(&name) || state.beats().get(&name).is_some_and(|beat| beat.ready)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lake is open.
    pub(crate) fn opened(&self, uri: &str) {
        self.state().lake = Some(uri.to_owned());
    }

    /// A role begins, and beats at least once in `patience` from now on.
    pub(crate) fn expect(&self, role: Role, patience: Duration) {
        let beat = Beat {
            last: Instant::now(),
            patience,
            ready: false,
        };
        let worked = self.has_worked(role);
        let mut state = self.state();
        if worked {
            state.worked.insert(Health::name(role));
        }
        state.roles.insert(Health::name(role), beat);
    }

    /// The loop of a role turns.
    pub(crate) fn beat(&self, role: Role) {
        if let Some(beat) = self.state().roles.get_mut(&Health::name(role)) {
            beat.last = Instant::now();
            beat.ready = true;
        }
    }

    /// A role has ended as it should, and is missed no more.
    pub(crate) fn ended(&self, role: Role) {
        self.state().roles.remove(&Health::name(role));
    }

    /// The role `ingest` beats by the progress of its consumer.
    pub(crate) fn follow(&self, progress: Arc<Progress>) {
        self.state().progress = Some(progress);
    }

    /// Something was done now.
    pub(crate) fn done(&self, what: Done) {
        self.state().done.insert(what, Instant::now());
    }

    /// Nothing, or a line for each role that is stuck.
    pub(crate) fn stuck(&self, now: Instant) -> Vec<String> {
        let beats = self.state().beats();
        let stuck = beats
            .iter()
            .filter(|(_, beat)| beat.since(now) > beat.patience);
        let line = |(role, beat): (&String, &Beat)| {
            let minutes = beat.since(now).as_secs() / 60;
            format!("{role}: its loop has not turned for {minutes} minutes")
        };
        stuck.map(line).collect()
    }

    /// Nothing, or a line for each thing that is waited for.
    pub(crate) fn unready(&self) -> Vec<String> {
        let state = self.state();
        let mut lines = Vec::new();
        if state.lake.is_none() {
            lines.push("the lake is not open yet".to_owned());
        }
        for (role, _) in state.beats().iter().filter(|(_, beat)| !beat.ready) {
            lines.push(match role.as_str() {
                "ingest" => "ingest: its shards are not assigned yet".to_owned(),
                role => format!("{role}: has not begun yet"),
            });
        }
        lines
    }

    /// All of it.
    pub(crate) fn detail(&self, now: Instant) -> Value {
        let (stuck, waiting_for) = (self.stuck(now), self.unready());
        let state = self.state();
        let ago = |at: Option<&Instant>| at.map(|at| now.duration_since(*at).as_secs());
        let role = |(role, beat): (&String, &Beat)| {
            let detail = json!({
                "seconds_since_turn": beat.since(now).as_secs(),
                "patience_seconds": beat.patience.as_secs(),
                "ready": beat.ready,
            });
            (role.clone(), detail)
        };
        let roles: Map<String, Value> = state.beats().iter().map(role).collect();
        let ingest = state.progress.as_ref().map(|progress| {
            json!({
                "shards": progress.shards(),
                "millis_behind": progress.millis_behind(),
                "records": Progress::get(&progress.records),
                "committed": Progress::get(&progress.committed),
                "findings_version": Progress::get(&progress.version),
                "last_commit_seconds_ago": ago(progress.last_commit().as_ref()),
            })
        });
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "live": stuck.is_empty(),
            "ready": waiting_for.is_empty(),
            "stuck": stuck,
            "waiting_for": waiting_for,
            "lake": state.lake,
            "roles": roles,
            "ingest": ingest,
            "last_evaluation_seconds_ago": ago(state.done.get(&Done::Evaluation)),
            "last_delivery_seconds_ago": ago(state.done.get(&Done::Delivery)),
        })
    }
}

impl State {
    /// All beats, that of the consumer among them.
    fn beats(&self) -> BTreeMap<String, Beat> {
        let mut beats = self.roles.clone();
        let turned = self
            .progress
            .as_ref()
            .and_then(|progress| progress.last_turn());
        if let (Some(beat), Some(turned)) = (beats.get_mut("ingest"), turned) {
            beat.last = turned.max(beat.last);
            beat.ready = true;
        }
        beats
    }
}

impl Beat {
    fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    #[test]
    fn a_role_that_turns_no_more_is_named() {
        let health = Health::default();
        let now = Instant::now();
        assert_eq!(health.stuck(now + minutes(60)), Vec::<String>::new());
        health.expect(Role::Alerts, minutes(15));
        health.expect(Role::Notify, PATIENCE);
        health.beat(Role::Alerts);
        assert_eq!(health.stuck(now + minutes(4)), Vec::<String>::new());
        let stuck = health.stuck(now + minutes(11));
        assert!(
            stuck.len() == 1 && stuck[0].starts_with("notify: ") && stuck[0].contains("10 minutes"),
            "{stuck:?}"
        );
        let detail = health.detail(now + minutes(20));
        assert_eq!(
            (
                &detail["live"],
                &detail["roles"]["alerts"]["patience_seconds"]
            ),
            (&json!(false), &json!(900))
        );
        health.ended(Role::Notify);
        health.ended(Role::Alerts);
        assert_eq!(health.stuck(now + minutes(60)), Vec::<String>::new());
    }

    #[test]
    fn nobody_is_ready_before_the_lake_is_open_and_shards_are_assigned() {
        let health = Health::default();
        health.expect(Role::Ingest, PATIENCE);
        health.expect(Role::Alerts, PATIENCE);
        health.follow(Arc::default());
        assert_eq!(health.unready().len(), 3);
        health.opened("./lake");
        health.beat(Role::Alerts);
        assert_eq!(
            health.unready(),
            ["ingest: its shards are not assigned yet"]
        );
        assert_eq!(health.detail(Instant::now())["ready"], json!(false));
        health.beat(Role::Ingest);
        assert_eq!(health.unready(), Vec::<String>::new());
        health.done(Done::Evaluation);
        assert_eq!(
            health.detail(Instant::now())["last_evaluation_seconds_ago"],
            json!(0)
        );
    }
}
