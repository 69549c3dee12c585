//! What people do with alerts, written to the log while evaluators and other people write too.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use alerts::{Action, AlertEvent, Decision, decide, find, fold, operator};
use lake::{AlertCommit, Lake, LakeError, Table};

/// How often somebody else may write to the log first.
const ATTEMPTS: u32 = 50;

/// What was done.
#[derive(Debug, Default)]
pub struct Operated {
    /// What was logged, in one commit.
    pub events: Vec<AlertEvent>,
    /// What was so already, in words.
    pub already: Vec<String>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// The name, an id or the state of an alert does not allow it. One line each.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// The lake cannot be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

/// Does the same with each of some alerts, named by their ids or the start of them: all of it in one commit, or nothing where
/// one of them cannot be done. `now` is UTC microseconds.
///
/// When somebody else writes to the log meanwhile, it is read and decided on again: an alert that was merged in between
/// refuses.
pub async fn operate(
    lake: &Lake,
    ids: &[String],
    action: Action,
    by: &str,
    reason: &str,
    now: i64,
) -> Result<Operated, OperateError> {
    let by = operator(by).map_err(|why| OperateError::Refused(vec![why]))?;
    for _ in 0..ATTEMPTS {
        let planned_on = lake.alert_log_version().await?;
        let alerts = fold(lake.alert_events().await?);
        let mut operated = Operated::default();
        let (mut refused, mut named) = (Vec::new(), BTreeSet::new());
        for id in ids {
            let alert = match find(&alerts, id) {
                Ok(alert) => alert,
                Err(why) => {
                    refused.push(why);
                    continue;
                }
            };
            if !named.insert(&alert.alert_id) {
                continue;
            }
            match decide(alert, action, by, reason, now) {
                Decision::Log(event) => operated.events.push(*event),
                Decision::Nothing(how) => operated.already.push(how),
                Decision::Refused(why) => refused.push(why),
            }
        }
        if !refused.is_empty() {
            return Err(OperateError::Refused(refused));
        }
        match lake
            .append_alert_events(planned_on, &operated.events, &[])
            .await?
        {
            AlertCommit::Committed { .. } => return Ok(operated),
            AlertCommit::Conflict => {
                tracing::debug!(planned_on, "somebody else wrote to the alert log first")
            }
        }
    }
    Err(OperateError::Lake(LakeError::Contention {
        uri: lake.table_url(Table::AlertLog),
        attempts: ATTEMPTS,
    }))
}
