//! What is told of alerts: all that a channel words, so that it has nothing to look up.

use crate::life::{Alert, Event, Group};

/// One message: of one alert, or of a group of them, depending on what the channel takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The same at every attempt, and of no other notice: a receiver that can tell drops the second one.
    pub key: String,
    /// The same for all notices of the alert or of the group: what a channel updates, threads or resolves.
    pub thread: String,
    /// The names of the routes that lead here, from the root: `default/production`.
    pub route: String,
    /// What the route groups by, with the values of this group. Empty where everything is one group, and where alerts are
    /// told one by one.
    pub group: Group,
    /// When the newest of its events was logged, in UTC microseconds.
    pub at: i64,
    /// What happened, at least one: the worst first, of those the latest.
    pub items: Vec<Item>,
}

/// What happened to one alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The newest event that is told. Who and why are `actor` and `reason` of the alert.
    pub event: Event,
    /// The alert as that event left it.
    pub alert: Alert,
    /// What its rule says of itself.
    pub rule: RuleNotes,
    /// What is known of the alert's accounts, in the order of `alert.accounts`; unknown ones have only their id.
    pub accounts: Vec<AccountNotes>,
    /// The most frequent values among the rows it rests on. Empty where nobody looked.
    pub top: Vec<TopValues>,
}

/// What a rule says of itself. Trusted text: somebody of the user's wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleNotes {
    /// What it looks for.
    pub description: String,
    /// For example `attack.t1110`.
    pub tags: Vec<String>,
    /// Where it is written what to do.
    pub runbook: Option<String>,
    /// Who answers for the rule.
    pub owner: Option<String>,
    /// Addresses of further reading.
    pub references: Vec<String>,
    /// What else it may be.
    pub false_positives: Vec<String>,
}

/// What is known of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountNotes {
    /// Twelve digits, or whatever the finding said.
    pub account_id: String,
    /// Its name; `None` where the lake does not know it.
    pub name: Option<String>,
    /// Path of its organizational unit: `Root/Production/Payments`.
    pub ou: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
}

/// The most frequent values of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopValues {
    /// The column of `findings`.
    pub column: String,
    /// Values and in how many rows they are, the most frequent first.
    pub values: Vec<(String, i64)>,
}
