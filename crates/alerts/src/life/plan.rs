//! What to log so that the log says what the rows say.

use crate::life::{Alert, AlertEvent};
use crate::{Episode, Rule};

/// placeholder
pub fn plan(
    rule: &Rule,
    group: &[(String, Option<String>)],
    existing: &[Alert],
    episodes: &[Episode],
    now: i64,
    findings_version: i64,
    max_age: i64,
) -> Vec<AlertEvent> {
    let _ = (
        rule,
        group,
        existing,
        episodes,
        now,
        findings_version,
        max_age,
    );
    Vec::new()
}

/// placeholder
pub fn alert_id(rule: &str, group: &[(String, Option<String>)], opening_match: i64) -> String {
    format!("{rule}{group:?}{opening_match}")
}
