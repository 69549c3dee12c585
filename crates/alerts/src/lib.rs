//! How a rule is written, how observations become alerts, how alerts live and end.
//!
//! Quiet: no clock, no randomness, no network, no Arrow. Time is an argument, always in UTC microseconds.
//!
//! The cast: a [`Rule`] is one file, a SELECT that measures under a header that judges. An [`Observation`] is one row of
//! that SELECT; [`Observations`] holds the rows of one group. An [`Episode`] is a run of matches in one group. An
//! [`Alert`] is an episode with an identity and a life; an [`AlertEvent`] is one entry in the log of that life.
//!
//! The flow: [`Rule::parse`] reads the file; [`sweep`] turns one group's observations into episodes; [`plan`] compares them
//! with the alerts that exist and says what to log, [`ring()`] who hears of it, [`decide`] what people may do; [`fold`] turns the log back into alerts; [`evidence_sql`] says how to
//! see the rows again; [`terminal`] tells a person. A [`Pattern`] says of any JSON event whether a route is about it.
//!
//! Footnotes: episodes are a function of the rows and the rule alone. The ids of alerts and the events in the log also
//! depend on when somebody looked.

mod rule;
pub mod sigma;

mod observation;
mod sweep;

mod evidence;
mod glob;
mod life;
mod notice;
pub mod outbox;
mod pattern;
mod route;

mod text;
mod time;
mod wording;

pub use evidence::{evidence_sql, gap_sql};
pub use life::{
    Action, Alert, AlertEvent, AsPlanned, Bell, Decision, Event, Extent, Group, Look, State,
    Suppression, SuppressionError, Told, alert_id, decide, find, fold, fold_onto, followed,
    operator, plan, quiet, ring,
};
pub use notice::{AccountNotes, Item, Notice, RuleNotes, TopValues};
pub use observation::{Observation, Observations};
pub use pattern::{Pattern, PatternError, PatternMistake};
pub use route::{RouteError, Routed, Routes, Stop, event};
pub use rule::yaml;
pub use rule::{Bounds, Condition, Count, Kind, Mistake, Needs, Period, Rule, RuleError, Step};
pub use sweep::{Episode, Measure, StepTerms, Terms, Unit, sweep, sweep_from};
pub use text::{Shown, clean, terminal};
pub use time::{instant, rfc3339};
pub use wording::{Fact, Phase, Shape, Words, phase, prose, tame};

/// How bad something is; rules and findings share the words.
pub use finding::Label;

/// How many finding ids an episode, an alert and a log event name; the total and the evidence SQL stand for the rest.
pub const MAX_FINDINGS: usize = 1_000;
