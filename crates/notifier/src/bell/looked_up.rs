//! What is looked up once for an alert, however many channels tell of it and however often they try.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alerts::{Alert, TopValues};
use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::Evidence;

/// Answers that are kept; then all are forgotten.
const MOST: usize = 1_024;

type Answer = Arc<OnceCell<Vec<TopValues>>>;

/// Evidence that remembers what it said of an alert as one of its events left it.
pub(super) struct LookedUp {
    evidence: Arc<dyn Evidence>,
    answers: Mutex<HashMap<(String, i64), Answer>>,
}

impl LookedUp {
    pub(super) fn of(evidence: Arc<dyn Evidence>) -> Arc<LookedUp> {
        Arc::new(LookedUp {
            evidence,
            answers: Mutex::default(),
        })
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<(String, i64), Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Evidence for LookedUp {
    async fn top(&self, alert: &Alert) -> Vec<TopValues> {
        let of = (alert.alert_id.clone(), alert.seq);
        let answer = {
            let mut answers = self.answers();
            if answers.len() >= MOST {
                answers.clear();
            }
            Arc::clone(answers.entry(of.clone()).or_default())
        };
        // Who gives up leaves the question to the next who asks.
        let said = answer.get_or_init(|| self.evidence.top(alert)).await;
        // Perhaps it could not be said just now.
        if said.is_empty() {
            self.answers().remove(&of);
        }
        said.clone()
    }
}
