//! Delivers what is due over its channels and records receipts.
//!
//! A [`Notice`](alerts::Notice) says what to tell; a [`Channel`] tells it to one receiver, once. Finding text is hostile; each
//! channel says what it does about it. [`Channels`] reads the settings of channels and builds them.
//!
//! The words that people read are [`alerts::Words`], the same for all channels; machines get a JSON document. Secrets are read from
//! where [`SecretAt`] says, and no error, receipt or preview holds one.

mod bell;
mod bulletin;
mod channel;
mod channels;
mod document;
mod file;
#[cfg(test)]
mod hostile;
mod mute;
mod secret;
mod severity;
#[cfg(test)]
mod testing;

pub use bell::{Evidence, Notifier, NotifierOptions, Report, rule_notes};
pub use bulletin::{BULLETINS, Bulletin, Image, bulletin_path};
pub use channel::{Channel, Clock, Failed, Lookup, Receipt, Takes, eventbridge, lookup, ses, sns};
pub use channels::{Channels, ChannelsError, Outside, tree};
pub use file::{Setup, SetupError};
pub use secret::{SecretAt, read_secret};
pub use severity::Severity;

use alerts::Alert;

/// An alert as a terminal shows it. Control codes, bidirectional marks and invisible characters of finding text are shown
/// escaped ([`alerts::clean`]), so nothing in a finding can move the cursor or hide a line.
pub fn stdout_text(alert: &Alert) -> String {
    alerts::terminal(alert)
}
