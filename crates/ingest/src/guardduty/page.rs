//! Keeps the body of GetFindings' answer.
//!
//! Our decoder decides what a finding is, not the SDK: an answer that is a list of findings has come, whatever the SDK's types make of
//! what is in it. Any other answer that says to be a success is tried again: a body that is cut, a page of a proxy.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_guardduty::config::interceptors::FinalizerInterceptorContextMut;
use aws_sdk_guardduty::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_guardduty::error::BoxError;
use aws_sdk_guardduty::operation::get_findings::GetFindingsOutput;
use aws_smithy_runtime_api::client::interceptors::context::Output;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Findings;

/// The answer of one call.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Option<Findings>>>);

impl Kept {
    pub(super) fn take(&self) -> Option<Findings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Intercept for Kept {
    fn name(&self) -> &'static str {
        "body of GetFindings"
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        let answer = answer.filter(|answer| answer.status().is_success());
        // Bytes are there when the body came to its end.
        let Some(body) = answer.and_then(|answer| answer.body().bytes()) else {
            return Ok(());
        };
        let list = count(body).map(|count| Findings {
            body: Bytes::copy_from_slice(body),
            count,
        });
        if let Some(said) = context.output_or_error_mut() {
            *said = match &list {
                Some(_) => {
                    let nothing = GetFindingsOutput::builder().set_findings(Some(Vec::new()));
                    Ok(Output::erase(nothing.build()))
                }
                // An error of the answer is tried again; what the SDK makes of it itself is none that passes.
                None => Err(OrchestratorError::response(
                    "the answer is no list of findings".into(),
                )),
            };
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = list;
        Ok(())
    }
}

/// How many findings a list has; `None` when it is none.
fn count(body: &[u8]) -> Option<usize> {
    #[derive(Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        findings: Vec<&'a RawValue>,
    }
    let page: Page<'_> = serde_json::from_slice(body).ok()?;
    Some(page.findings.len())
}
