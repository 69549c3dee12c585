//! The rows that an evaluator holds, for those who ask what its alerts rest on: they are there before any file of the lake is opened.

use std::sync::{Arc, Mutex, PoisonError};

use alerts::Alert;

use super::quick::Quick;
use super::reads::{Reads, Rows};
use super::recent::Recent;
use crate::evidence::Top;
use crate::mistake::QueryError;
use crate::session::Session;

/// The rows that an [`Evaluator`](super::Evaluator) holds, as it last saw them. Clones are of the same rows.
#[derive(Clone, Default)]
pub struct AtHand(Arc<Mutex<Option<Arc<Held>>>>);

/// Rows later than a time, all that there are at a version of `findings`.
struct Held {
    rows: Rows,
    reads: Reads,
    /// UTC microseconds; `i64::MIN` where the lake has no other rows.
    after: i64,
    version: i64,
    /// Knows what all tables and views look like, and has no rows.
    empty: Arc<Session>,
}

impl AtHand {
    /// Puts what is held now in the place of what was.
    pub(super) fn put(&self, recent: &Recent, quick: Option<&Quick>) {
        let held = match (recent.version(), quick) {
            (Some(version), Some(quick)) => Some(Arc::new(Held {
                rows: recent.rows(),
                reads: recent.reads().clone(),
                after: recent.after(),
                version,
                empty: quick.session(),
            })),
            _ => None,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }

    /// What [`Session::top_values`] says of an alert's evidence; `None` where the rows that are held are not all that it rests on.
    pub async fn top_values(&self, alert: &Alert) -> Option<Vec<Top>> {
        let held = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        match held.is_enough_for(alert) {
            true => held.top_values(&alert.sql).await.unwrap_or_else(|error| {
                tracing::debug!(alert = alert.alert_id, %error, "rows in memory do not say what an alert rests on");
                None
            }),
            false => None,
        }
    }
}

impl Held {
    /// Whether all rows are held that an alert rests on. The first window of it ends with a row that is not before `first_seen`.
    fn is_enough_for(&self, alert: &Alert) -> bool {
        let since = alert.first_seen.saturating_sub(alert.window_us);
        self.version >= alert.findings_version && (self.after == i64::MIN || since >= self.after)
    }

    async fn top_values(&self, evidence: &str) -> Result<Option<Vec<Top>>, QueryError> {
        let mistaken = |error| self.empty.mistake(&error, evidence);
        let shallow = self.empty.shallow().map_err(mistaken)?;
        let asked = Reads::of_telling(&shallow, evidence).await?;
        if !self.reads.has(&asked) {
            return Ok(None);
        }
        let session = self.reads.session_of_these(&self.rows, &self.empty);
        session
            .map_err(mistaken)?
            .top_values(evidence)
            .await
            .map(Some)
    }
}
