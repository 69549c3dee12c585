//! How an alert lives and ends: the log of events, and the alert that the log adds up to.
//!
//! The log is append-only and is the audit trail. [`plan`] compares what the rows say with what the log says and answers
//! with the events that are missing; [`ring`] says which of them are worth a bell and what time alone does; [`decide`] says
//! what people may do; [`fold`] adds the log up.

mod act;
mod extent;
mod fold;
mod json;
mod plan;
mod ring;
mod suppression;
#[cfg(test)]
mod tests;

use finding::Label;

pub use act::{Action, Decision, decide, find, operator};
pub use extent::Extent;
pub use fold::{fold, fold_onto, followed};
pub use plan::{Look, alert_id, plan};
pub use ring::{AsPlanned, Bell, quiet, ring};
pub use suppression::{Suppression, SuppressionError};

/// Who logs what the evaluator plans. No person may act under this name.
pub(crate) const EVALUATOR: &str = "evaluator";

/// The values that name a group: column and text, `None` for null, in the order of the rule's `group_by`.
pub type Group = Vec<(String, Option<String>)>;

/// What happened to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// An episode without an alert got one.
    Opened,
    /// The episode changed: more or fewer matches, findings or accounts.
    Grew,
    /// It became worse in a way that is worth telling again.
    Escalated,
    /// Somebody has seen it.
    Acknowledged,
    /// Somebody asked for quiet for a while.
    Snoozed,
    /// Somebody closed it.
    Resolved,
    /// A match after a resolve, or the return of an episode that had been withdrawn or merged.
    Reopened,
    /// Late rows joined its episode to that of an older alert, which goes on for both.
    Merged,
    /// Late rows took the support of its episode away.
    Withdrawn,
}

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nobody has taken it yet.
    Open,
    /// Somebody has seen it.
    Acknowledged,
    /// Quiet for a while.
    Snoozed,
    /// Closed by somebody.
    Resolved,
    /// Gone into an older alert.
    Merged,
    /// No longer supported by the findings.
    Withdrawn,
}

/// One entry of the alert log. Times are UTC microseconds.
///
/// `opened`, `grew`, `escalated` and `reopened` say what the alert is from then on; the others only what state it is in, and
/// repeat the rest for the reader.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertEvent {
    /// Fixed when the alert opens: [`alert_id`].
    pub alert_id: String,
    /// 0 for the first event of an alert, then counting: the order of its log, whatever clocks say.
    pub seq: i64,
    /// What happened.
    pub event: Event,
    /// When it was logged.
    pub at: i64,
    /// The rule's id.
    pub rule: String,
    /// [`Rule::revision`](crate::Rule::revision) that was judged by.
    pub revision: String,
    /// The rule's title.
    pub title: String,
    /// The rule's severity.
    pub severity: Label,
    /// Which group.
    pub group: Group,
    /// The largest count of any one window.
    pub count: i64,
    /// The rule's threshold.
    pub threshold: i64,
    /// The rule's window in microseconds.
    pub window_us: i64,
    /// The rule's window as written, for example `10m`.
    pub window: String,
    /// Start (not included) of the earliest window that reaches `count`.
    pub window_start: i64,
    /// End (included) of that window.
    pub window_end: i64,
    /// First match of the episode.
    pub first_match: i64,
    /// Last match of the episode.
    pub last_match: i64,
    /// How many matches.
    pub matches: i64,
    /// First event time among the contributing rows.
    pub first_seen: i64,
    /// Last event time among the contributing rows.
    pub last_seen: i64,
    /// Finding ids. `grew` lists those that are new, or all where some went; at most [`MAX_FINDINGS`](crate::MAX_FINDINGS).
    pub findings: Vec<String>,
    /// How many distinct findings contribute in all.
    pub findings_total: i64,
    /// Accounts of the contributing findings, all of them.
    pub accounts: Vec<String>,
    /// Regions of the contributing findings, all of them.
    pub regions: Vec<String>,
    /// Types of the contributing findings, all of them; empty where the rule's SELECT has no `type`.
    pub types: Vec<String>,
    /// The highest label among the contributing rows.
    pub max_severity: Option<Label>,
    /// The SQL that returns the contributing rows.
    pub sql: String,
    /// The last match was too old to ring when this was logged.
    pub historic: bool,
    /// Who: the evaluator, or the name of a person.
    pub actor: String,
    /// Why, in one line.
    pub reason: String,
    /// The version of `findings` that was looked at.
    pub findings_version: i64,
    /// Somebody should hear of it.
    pub rings: bool,
    /// What people know of the alert from now on, where this event changes that.
    pub told: Option<Told>,
    /// `snoozed`: when the quiet ends.
    pub until: Option<i64>,
    /// Id of the suppression that hides the alert, as the last measuring event found.
    pub suppressed_by: Option<String>,
}

/// What people were last told of an alert: growth is told again when it goes far beyond this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The largest count of any one window.
    pub count: i64,
    /// The highest label among the contributing rows.
    pub severity: Option<Label>,
}

/// The present state of an alert. Serialises to the JSON of `alert list|show --format json`.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Fixed when the alert opened.
    pub alert_id: String,
    /// `seq` of its last event.
    pub seq: i64,
    /// Where it stands.
    pub state: State,
    /// When it was first logged.
    pub opened_at: i64,
    /// When its last event was logged.
    pub changed_at: i64,
    /// When the event was logged that put it in its state.
    pub state_since: i64,
    /// Who put it in its state.
    pub state_by: String,
    /// When its snooze ends; `None` unless it is snoozed.
    pub snoozed_until: Option<i64>,
    /// Id of the suppression that hid it when it was last measured.
    pub suppressed_by: Option<String>,
    /// What people know of it; `None` while it never rang.
    pub told: Option<Told>,
    /// The match it opened with; older alerts keep their id when two become one.
    pub opening_match: i64,
    /// The rule's id.
    pub rule: String,
    /// The rule's revision that was last judged by.
    pub revision: String,
    /// The rule's title.
    pub title: String,
    /// The rule's severity.
    pub severity: Label,
    /// Which group.
    pub group: Group,
    /// The largest count of any one window.
    pub count: i64,
    /// The rule's threshold.
    pub threshold: i64,
    /// The rule's window in microseconds.
    pub window_us: i64,
    /// The rule's window as written.
    pub window: String,
    /// Start (not included) of the earliest window that reaches `count`.
    pub window_start: i64,
    /// End (included) of that window.
    pub window_end: i64,
    /// First match of the episode.
    pub first_match: i64,
    /// Last match of the episode.
    pub last_match: i64,
    /// How many matches.
    pub matches: i64,
    /// First event time among the contributing rows.
    pub first_seen: i64,
    /// Last event time among the contributing rows.
    pub last_seen: i64,
    /// Finding ids in the order told; at most [`MAX_FINDINGS`](crate::MAX_FINDINGS).
    pub findings: Vec<String>,
    /// How many distinct findings contribute in all.
    pub findings_total: i64,
    /// Accounts of the contributing findings, sorted.
    pub accounts: Vec<String>,
    /// Regions of the contributing findings, sorted.
    pub regions: Vec<String>,
    /// Types of the contributing findings, sorted.
    pub types: Vec<String>,
    /// The highest label among the contributing rows.
    pub max_severity: Option<Label>,
    /// The SQL that returns the contributing rows.
    pub sql: String,
    /// The last match was too old to ring when the alert last changed.
    pub historic: bool,
    /// Who made the last event.
    pub actor: String,
    /// Why, in one line.
    pub reason: String,
    /// The version of `findings` that was last looked at.
    pub findings_version: i64,
}

impl Event {
    /// All of them, in the order of a life.
    pub const ALL: [Event; 9] = [
        Event::Opened,
        Event::Grew,
        Event::Escalated,
        Event::Acknowledged,
        Event::Snoozed,
        Event::Resolved,
        Event::Reopened,
        Event::Merged,
        Event::Withdrawn,
    ];

    /// The word stored in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Event::Opened => "opened",
            Event::Grew => "grew",
            Event::Escalated => "escalated",
            Event::Acknowledged => "acknowledged",
            Event::Snoozed => "snoozed",
            Event::Resolved => "resolved",
            Event::Reopened => "reopened",
            Event::Merged => "merged",
            Event::Withdrawn => "withdrawn",
        }
    }

    /// The event of a stored word.
    pub fn from_word(word: &str) -> Option<Event> {
        Event::ALL.into_iter().find(|event| event.as_str() == word)
    }
}

impl State {
    /// All of them.
    pub const ALL: [State; 6] = [
        State::Open,
        State::Acknowledged,
        State::Snoozed,
        State::Resolved,
        State::Merged,
        State::Withdrawn,
    ];

    /// The word in JSON and in filters.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Acknowledged => "acknowledged",
            State::Snoozed => "snoozed",
            State::Resolved => "resolved",
            State::Merged => "merged",
            State::Withdrawn => "withdrawn",
        }
    }

    /// The state of a word.
    pub fn from_word(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Stands for an episode: neither merged nor withdrawn.
    pub fn is_live(self) -> bool {
        !matches!(self, State::Merged | State::Withdrawn)
    }

    /// Somebody may still have to do something: open, acknowledged or snoozed.
    pub fn is_unresolved(self) -> bool {
        matches!(self, State::Open | State::Acknowledged | State::Snoozed)
    }
}

impl Event {
    /// Says what the alert is from then on, not only what state it is in.
    pub fn measures(self) -> bool {
        matches!(
            self,
            Event::Opened | Event::Grew | Event::Escalated | Event::Reopened
        )
    }
}

impl Alert {
    /// The state at a time (UTC microseconds): a snooze ends by itself, and then the alert is open again.
    pub fn state_at(&self, now: i64) -> State {
        match (self.state, self.snoozed_until) {
            (State::Snoozed, Some(until)) if until <= now => State::Open,
            (state, _) => state,
        }
    }

    /// The alert as it stands at a time, for those who show it.
    pub fn at(mut self, now: i64) -> Alert {
        self.state = self.state_at(now);
        if self.state != State::Snoozed {
            self.snoozed_until = None;
        }
        self
    }

    /// An event that changes the alert's state and nothing else, for example an acknowledgement.
    pub fn event(&self, event: Event, at: i64, actor: &str, reason: String) -> AlertEvent {
        AlertEvent {
            alert_id: self.alert_id.clone(),
            seq: self.seq.saturating_add(1),
            event,
            at,
            rule: self.rule.clone(),
            revision: self.revision.clone(),
            title: self.title.clone(),
            severity: self.severity,
            group: self.group.clone(),
            count: self.count,
            threshold: self.threshold,
            window_us: self.window_us,
            window: self.window.clone(),
            window_start: self.window_start,
            window_end: self.window_end,
            first_match: self.first_match,
            last_match: self.last_match,
            matches: self.matches,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            findings: Vec::new(),
            findings_total: self.findings_total,
            accounts: self.accounts.clone(),
            regions: self.regions.clone(),
            types: self.types.clone(),
            max_severity: self.max_severity,
            sql: self.sql.clone(),
            historic: self.historic,
            actor: actor.to_owned(),
            reason,
            findings_version: self.findings_version,
            rings: false,
            told: None,
            until: None,
            suppressed_by: self.suppressed_by.clone(),
        }
    }
}
