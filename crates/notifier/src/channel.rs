//! What every channel can do, and the channels.

pub(crate) mod http;

mod aws;

pub(crate) mod alertmanager;
pub(crate) mod email;
pub mod eventbridge;
pub(crate) mod file;
pub(crate) mod jira;
pub(crate) mod pagerduty;
pub mod ses;
pub(crate) mod slack;
pub mod sns;
pub(crate) mod stdout;
pub(crate) mod teams;
#[cfg(test)]
mod tests;
pub(crate) mod webhook;

pub use http::{Clock, Lookup, lookup};

use std::time::Duration;

use alerts::Notice;
use async_trait::async_trait;
use serde_json::Value;

use crate::Bulletin;

/// Whether a channel tells of alerts one by one or of a group at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A notice has exactly one item: an incident, an issue, an event.
    Alerts,
    /// A notice has one item or more: a message in a chat, an e-mail.
    Groups,
}

/// One way to tell somebody. All channels share an anatomy: a `Config` read from YAML, `new`, a pure `render` of what would be
/// sent, and this.
#[async_trait]
pub trait Channel: Send + Sync + std::fmt::Debug {
    /// What a notice for it holds.
    fn takes(&self) -> Takes;

    /// What would be sent, for people to look at. Holds no secret.
    fn preview(&self, notice: &Notice) -> String;

    /// Tells, once: no retries in here. `before` is what the last delivery of the same thread left, for updates and answers.
    ///
    /// After a process was killed in the middle of this, the same notice comes again with the same `before`.
    async fn deliver(&self, notice: &Notice, before: Option<&Receipt>) -> Result<Receipt, Failed>;

    /// Whether [`Channel::publish`] can come through: incidents and issues are no place for reports.
    fn takes_reports(&self) -> bool {
        false
    }

    /// Tells of a report, once: no retries in here. What is told under [`Bulletin::key`] twice is the same report.
    async fn publish(&self, bulletin: &Bulletin) -> Result<Receipt, Failed> {
        let why = format!(
            "this kind of channel takes no reports, as {}",
            bulletin.report
        );
        Err(Failed::ForGood { why })
    }
}

/// What a delivery leaves behind: stored in the lake, given back with the next notice of the thread. Holds no secret.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Receipt {
    /// What the receiver calls what it made: a message's time stamp, an issue's key.
    pub reference: Option<String>,
    /// Whatever else the channel needs next time. `Null` if nothing.
    pub detail: Value,
}

/// Why a delivery did not come through. The text names no secret: no token, no webhook's address beyond its host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// May come through later: too many requests, an error of the server, the network. Nobody knows whether it did.
    #[error("{why}")]
    ForNow {
        /// In one line.
        why: String,
        /// What the receiver asked to wait.
        wait: Option<Duration>,
    },
    /// Will never come through as it is: the receiver refuses it.
    #[error("{why}")]
    ForGood {
        /// In one line, with what to do about it if that is known.
        why: String,
    },
}
