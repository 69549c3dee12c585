//! Delivers what is due over its channels and records receipts.
//!
//! A [`Notice`](alerts::Notice) says what to tell; a [`Channel`] tells it to one receiver, once. Finding text is hostile; each
//! channel says what it does about it.

mod channel;

pub use channel::{Channel, Failed, Receipt, Takes};

use alerts::Alert;

/// An alert as a terminal shows it. Control codes, bidirectional marks and invisible characters of finding text are shown
/// escaped ([`alerts::clean`]), so nothing in a finding can move the cursor or hide a line.
pub fn stdout_text(alert: &Alert) -> String {
    alerts::terminal(alert)
}
