//! What GuardDuty's API says in one Region: detectors, ids of findings, findings as the bytes that came, and how an organization is set up
//! ([`setup`]); beside it which rules of EventBridge pass findings on ([`events`]).
//!
//! The SDK signs, finds the endpoint and tries again. Its typed findings are not used: they leave out what the model does not know and do
//! not become JSON again, so the body of the answer is kept ([`page`]).

pub mod events;
mod page;
mod setup;

pub use setup::{Detector, Member, Organization};

use aws_sdk_guardduty::Client;
use aws_sdk_guardduty::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_guardduty::types::{Condition, FindingCriteria, OrderBy, SortCriteria};
use bytes::Bytes;

/// Most ids that one call takes, and most that one page of a list has (GuardDuty API reference: GetFindings, ListFindings).
pub const PAGE: usize = 50;
/// Most accounts that a criterion may name (the same, `Condition`).
pub const MOST_ACCOUNTS: usize = 50;

/// GuardDuty in one Region, as one account sees it.
#[derive(Debug, Clone)]
pub struct GuardDuty {
    region: String,
    client: Client,
}

/// Why a call was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {why}")]
pub struct CallError {
    /// The call, as IAM names it: `guardduty:ListFindings`.
    pub call: &'static str,
    /// The code of the error, where AWS gave one: `AccessDeniedException`.
    pub code: Option<String>,
    /// A clause, with the remedy where it is known.
    pub why: String,
}

/// Which findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Updated at or after this, in UTC milliseconds.
    pub from: Option<i64>,
    /// Updated before this, in UTC milliseconds.
    pub to: Option<i64>,
    /// Accounts, [`MOST_ACCOUNTS`] at most; none for all.
    pub accounts: Vec<String>,
}

/// Findings as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// The body of the answer: `{"findings":[...]}`.
    pub body: Bytes,
    /// Findings in it.
    pub count: usize,
}

impl GuardDuty {
    /// GuardDuty of the Region that the client is made for.
    pub fn new(region: impl Into<String>, client: Client) -> GuardDuty {
        GuardDuty {
            region: region.into(),
            client,
        }
    }

    /// The Region's name.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The detector of this account; `None` where GuardDuty is off. There is one at most (API reference: CreateDetector).
    pub async fn detector(&self) -> Result<Option<String>, CallError> {
        const CALL: &str = "guardduty:ListDetectors";
        let mut pages = self.client.list_detectors().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| refused(CALL, &error))?;
            if let Some(id) = page.detector_ids().first() {
                return Ok(Some(id.clone()));
            }
        }
        Ok(None)
    }

    /// Ids of findings, archived ones too, by the time of their last update, and the token of the page behind this one.
    pub async fn list(
        &self,
        detector: &str,
        wanted: &Wanted,
        token: Option<String>,
    ) -> Result<(Vec<String>, Option<String>), CallError> {
        let sort = SortCriteria::builder().attribute_name("updatedAt");
        let call = (self.client.list_findings())
            .detector_id(detector)
            .set_finding_criteria(criteria(wanted))
            .sort_criteria(sort.order_by(OrderBy::Asc).build())
            .max_results(PAGE as i32)
            .set_next_token(token);
        let page = call.send().await;
        let page = page.map_err(|error| refused("guardduty:ListFindings", &error))?;
        let next = page.next_token().filter(|token| !token.is_empty());
        let next = next.map(str::to_owned);
        Ok((page.finding_ids.unwrap_or_default(), next))
    }

    /// Findings by id, [`PAGE`] at most. Those that GuardDuty does not hold any more are left out.
    pub async fn get(&self, detector: &str, ids: Vec<String>) -> Result<Findings, CallError> {
        const CALL: &str = "guardduty:GetFindings";
        let kept = page::Kept::default();
        let call = self.client.get_findings().detector_id(detector);
        let call = call.set_finding_ids(Some(ids)).customize();
        let answer = call.interceptor(kept.clone()).send().await;
        answer.map_err(|error| refused(CALL, &error))?;
        kept.take().ok_or_else(|| CallError {
            call: CALL,
            code: None,
            why: "the answer is no list of findings".to_owned(),
        })
    }
}

/// Names of the Regions that this account may use: those that always are on, and those that it has opted in to.
///
/// # Errors
/// [`CallError`] with the remedy.
pub async fn regions(client: &aws_sdk_account::Client) -> Result<Vec<String>, CallError> {
    use aws_sdk_account::types::RegionOptStatus::{Enabled, EnabledByDefault};
    let asked = client.list_regions().region_opt_status_contains(Enabled);
    let asked = asked.region_opt_status_contains(EnabledByDefault);
    let mut pages = asked.into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| refused("account:ListRegions", &error))?;
        names.extend((page.regions().iter()).filter_map(|region| region.region_name.clone()));
    }
    names.sort();
    Ok(names)
}

/// `updatedAt` is compared in milliseconds since 1970 (API reference: ListFindings). Without `service.archived` all are listed.
fn criteria(wanted: &Wanted) -> Option<FindingCriteria> {
    let mut criteria = FindingCriteria::builder();
    let (from, to) = (wanted.from, wanted.to);
    if from.is_some() || to.is_some() {
        let period = Condition::builder().set_greater_than_or_equal(from);
        criteria = criteria.criterion("updatedAt", period.set_less_than(to).build());
    }
    if !wanted.accounts.is_empty() {
        let accounts = Condition::builder().set_equals(Some(wanted.accounts.clone()));
        criteria = criteria.criterion("accountId", accounts.build());
    }
    let criteria = criteria.build();
    criteria.criterion.is_some().then_some(criteria)
}

/// What an error of the SDK means to whoever has to mend it.
fn refused<E, R>(call: &'static str, error: &SdkError<E, R>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let said = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => DisplayErrorContext(error).to_string(),
    };
    let remedy = match error.code() {
        Some("AccessDeniedException" | "AccessDenied") => {
            format!("; allow {call} (and no service control policy may deny it)")
        }
        // What a Region answers that the account has not opted in to: it does not know the key.
        Some(
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "AuthFailure"
            | "OptInRequired"
            | "SubscriptionRequiredException",
        ) => "; opt in to the Region (aws account enable-region), or renew the credentials"
            .to_owned(),
        Some("ThrottlingException" | "TooManyRequestsException" | "Throttling") => {
            "; it stayed so however long was waited: run it again later".to_owned()
        }
        _ => String::new(),
    };
    CallError {
        call,
        code: error.code().map(str::to_owned),
        why: format!("{said}{remedy}"),
    }
}
