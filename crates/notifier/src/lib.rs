//! Delivers what is due over its channels. In this release there is one: standard output.
//!
//! Finding text is hostile; each channel says what it does about it.

use alerts::Alert;

/// An alert as a terminal shows it. Control codes, bidirectional marks and invisible characters of finding text are shown
/// escaped ([`alerts::clean`]), so nothing in a finding can move the cursor or hide a line.
pub fn stdout_text(alert: &Alert) -> String {
    alerts::terminal(alert)
}
