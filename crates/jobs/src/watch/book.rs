//! The alerts that the log adds up to, without those that nothing can change any more.

use std::collections::{BTreeSet, HashSet};

use alerts::{Alert, AlertEvent, Rule, fold, fold_onto};
use lake::{Lake, LakeError};

use crate::gaps::STREAM_GAP;

/// The alerts that the log adds up to at a version.
pub(super) struct Book {
    version: Option<i64>,
    alerts: Vec<Alert>,
    /// Alerts that are over and matched last before this may be missing; UTC microseconds, `i64::MIN` where all are there.
    forgotten: i64,
}

/// What came of following the log.
pub(super) struct Followed {
    /// The version that the alerts are of.
    pub(super) version: i64,
    /// The rules whose alerts have changed; `None` where that could be any.
    rules: Option<BTreeSet<String>>,
}

impl Followed {
    /// Whether no alert has changed that these rules, or gaps, have made.
    pub(super) fn spares(&self, rules: &[Rule]) -> bool {
        self.rules.as_ref().is_some_and(|changed| {
            let theirs = rules.iter().any(|rule| changed.contains(&rule.id));
            !theirs && !changed.contains(STREAM_GAP)
        })
    }
}

impl Default for Book {
    fn default() -> Book {
        Book {
            version: None,
            alerts: Vec::new(),
            forgotten: i64::MIN,
        }
    }
}

impl Book {
    /// What is held: see [`Book::forget`].
    pub(super) fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// Follows the log.
    pub(super) async fn follow(&mut self, lake: &Lake) -> Result<Followed, LakeError> {
        let version = lake.alert_log_version().await?;
        let new = match self.version {
            Some(before) => lake.alert_events_between(before, version).await?,
            None => None,
        };
        let rules = match new {
            Some(events) if self.knows_the_beginnings(&events) => {
                let rules = events.iter().map(|event| event.rule.clone()).collect();
                self.alerts = fold_onto(std::mem::take(&mut self.alerts), events);
                Some(rules)
            }
            _ => {
                self.read(lake).await?;
                None
            }
        };
        self.version = Some(version);
        Ok(Followed { version, rules })
    }

    /// Reads the whole log again, where something was forgotten.
    pub(super) async fn recall(&mut self, lake: &Lake) -> Result<(), LakeError> {
        if self.forgotten > i64::MIN {
            self.read(lake).await?;
        }
        Ok(())
    }

    async fn read(&mut self, lake: &Lake) -> Result<(), LakeError> {
        self.alerts = fold(lake.alert_events().await?);
        self.forgotten = i64::MIN;
        Ok(())
    }

    /// Forgets alerts that are over and have to do with no row that is left: findings before `retained` (UTC microseconds) may have been taken
    /// out, so what is older stays as it is. That of a gap stays, because the gap does: it would open again.
    pub(super) fn forget(&mut self, retained: i64) {
        let before = self.alerts.len();
        self.alerts.retain(|alert| {
            let ended = alert.last_match.max(alert.opening_match);
            alert.state.is_unresolved() || ended >= retained || alert.rule == STREAM_GAP
        });
        if self.alerts.len() < before {
            self.alerts.shrink_to_fit();
        }
        self.forgotten = self.forgotten.max(retained);
    }

    /// Whether one of the planned events may begin an alert whose id one has that was forgotten: late rows, or a query's.
    pub(super) fn may_repeat(&self, planned: &[AlertEvent]) -> bool {
        planned
            .iter()
            .any(|event| event.seq == 0 && event.first_match < self.forgotten)
    }

    /// Whether each event goes on with an alert that is held, or begins one: somebody may go on with one that was forgotten.
    fn knows_the_beginnings(&self, events: &[AlertEvent]) -> bool {
        let goes_on: Vec<&AlertEvent> = events.iter().filter(|event| event.seq > 0).collect();
        if self.forgotten == i64::MIN || goes_on.is_empty() {
            return true;
        }
        let held = self.alerts.iter().map(|alert| alert.alert_id.as_str());
        let begun = events.iter().filter(|event| event.seq == 0);
        let known: HashSet<&str> = held
            .chain(begun.map(|event| event.alert_id.as_str()))
            .collect();
        goes_on
            .iter()
            .all(|event| known.contains(event.alert_id.as_str()))
    }
}
