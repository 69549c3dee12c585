//! Jira: an issue for each alert, found again by a label, commented as the alert goes on, moved when it is resolved and when it is back.
//! Cloud speaks version 3 of the REST API and documents (ADF), Data Center version 2 and text.
//!
//! Contract: developer.atlassian.com/cloud/jira/platform/rest/v3 and docs.atlassian.com for Data Center. Creation has no idempotency key:
//! whoever creates looks for the label first. The search lags behind by seconds, seldom by minutes, so an attempt whose answer was lost asks for
//! a minute before the next; where the search takes longer there may be a second issue.

mod calls;
#[cfg(test)]
pub(crate) mod tests;
mod text;

use std::collections::BTreeMap;

use alerts::{Event, Notice, Phase, Words, clean};
use async_trait::async_trait;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::calls::{Calls, Issue};
use super::http::Target;
use super::{Channel, Failed, Receipt, Takes};
use crate::channels::{Outside, Settings};
use crate::document::pretty;
use crate::secret::SecretAt;
use crate::severity::Severity;

const SUMMARY: usize = 255;

/// Which Jira.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Product {
    /// `*.atlassian.net`
    Cloud,
    /// Jira Data Center or Server.
    DataCenter,
}

/// Where, as whom, and what issues are like.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// `https://acme.atlassian.net`, with whatever path Jira is served under.
    site: String,
    /// `cloud` or `datacenter`. `cloud` if not given.
    product: Option<Product>,
    /// The e-mail address that an API token belongs to (Cloud: always). Without it `token` is a personal access token (Data Center).
    user: Option<String>,
    /// An API token, a password or a personal access token.
    token: SecretAt,
    /// Key of the project: `SEC`.
    project: String,
    /// Name of the type of issue: `Task` if not given.
    issue_type: Option<String>,
    /// Names of priorities by severity: `{critical: Highest, high: High}`. Without, the project's own.
    #[serde(default)]
    priority: BTreeMap<Severity, String>,
    /// Labels in addition to our own.
    #[serde(default)]
    labels: Vec<String>,
    /// Name of the transition that closes an issue, for example `Done`. Without, a resolve is a comment.
    resolve_transition: Option<String>,
    /// Name of the transition that opens it again. Without, that is a comment.
    reopen_transition: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Jira {
    calls: Calls,
    product: Product,
    project: String,
    issue_type: String,
    priority: BTreeMap<Severity, String>,
    labels: Vec<String>,
    resolve_transition: Option<String>,
    reopen_transition: Option<String>,
}

impl Config {
    fn product(&self) -> Product {
        self.product.unwrap_or(Product::Cloud)
    }
}

impl Settings for Config {
    fn check(&self) -> Result<(), String> {
        Target::parse(&self.site, false).map_err(|why| format!("site: {why}"))?;
        if self.product() == Product::Cloud && self.user.is_none() {
            return Err(
                "user: missing; Jira Cloud wants the e-mail address that the token belongs to"
                    .to_owned(),
            );
        }
        let key = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.project.is_empty() || !self.project.chars().all(key) {
            return Err("project: must be the key of a project, such as SEC".to_owned());
        }
        match self
            .labels
            .iter()
            .find(|label| label.is_empty() || label.contains(char::is_whitespace))
        {
            Some(label) => Err(format!("labels: `{label}` holds white space or nothing")),
            None => Ok(()),
        }
    }

    fn build(&self, outside: &Outside<'_>) -> Result<Box<dyn Channel>, String> {
        let token = outside.secret("token", &self.token)?;
        let site = Target::parse(&self.site, false).map_err(|why| format!("site: {why}"))?;
        let (start, credential) = match &self.user {
            Some(user) => ("Basic ", Target::basic(user, &token)),
            None => ("Bearer ", token.expose_secret().into()),
        };
        let authorization =
            Target::header(start, &credential).map_err(|why| format!("token: {why}"))?;
        Ok(Box::new(Jira {
            calls: Calls {
                http: outside.http()?,
                site: site.hiding(&token).hiding(&credential),
                authorization,
                product: self.product(),
            },
            product: self.product(),
            project: self.project.clone(),
            issue_type: self.issue_type.clone().unwrap_or_else(|| "Task".to_owned()),
            priority: self.priority.clone(),
            labels: self.labels.clone(),
            resolve_transition: self.resolve_transition.clone(),
            reopen_transition: self.reopen_transition.clone(),
        }))
    }
}

/// What an issue is found again by: 16 hexadecimal digits of the SHA-256 of the thread.
fn label(thread: &str) -> String {
    let hash = Sha256::digest(thread.as_bytes());
    let hash: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("gl-{hash}")
}

impl Jira {
    /// What `POST issue` is given.
    fn issue(&self, notice: &Notice, words: &Words) -> Value {
        let mut labels = vec![label(&notice.thread), "guardlake".to_owned()];
        labels.extend(self.labels.iter().cloned());
        let mut fields = json!({
            "project": {"key": self.project},
            "issuetype": {"name": self.issue_type},
            "summary": clean(&words.headline, SUMMARY),
            "description": text::description(self.product, words),
            "labels": labels,
        });
        if let Some(priority) = self.priority.get(&Severity(words.level)) {
            fields["priority"] = json!({"name": priority});
        }
        json!({"fields": fields})
    }

    /// The issue of the thread: the one made before, else whichever has the label.
    async fn find(
        &self,
        notice: &Notice,
        before: Option<&Receipt>,
    ) -> Result<Option<Issue>, Failed> {
        if let Some(key) = before.and_then(|before| before.reference.as_deref())
            && let Some(issue) = self.calls.issue(key).await?
        {
            return Ok(Some(issue));
        }
        self.calls
            .search(&self.project, &label(&notice.thread))
            .await
    }

    /// Says in a comment what happened, unless an earlier attempt did.
    async fn comment(&self, issue: &Issue, notice: &Notice, words: &Words) -> Result<(), Failed> {
        let mark = format!("guardlake notice {}", clean(&notice.key, 100));
        if self.calls.has_comment(&issue.key, &mark).await? {
            return Ok(());
        }
        self.calls
            .comment(&issue.key, text::comment(self.product, words, &mark))
            .await
    }
}

#[async_trait]
impl Channel for Jira {
    fn takes(&self) -> Takes {
        Takes::Alerts
    }

    fn preview(&self, notice: &Notice) -> String {
        pretty(&self.issue(notice, &Words::of(notice)))
    }

    async fn deliver(&self, notice: &Notice, before: Option<&Receipt>) -> Result<Receipt, Failed> {
        let words = Words::of(notice);
        let receipt = |key: &str| Receipt {
            reference: Some(key.to_owned()),
            detail: Value::Null,
        };
        let Some(issue) = self.find(notice, before).await? else {
            if words.phase != Phase::Firing {
                // Nothing was ever told here, or somebody deleted it.
                return Ok(Receipt::default());
            }
            let key = self.calls.create(self.issue(notice, &words)).await?;
            return Ok(receipt(&key));
        };
        let opened = notice.items.iter().all(|item| item.event == Event::Opened);
        // An issue without a receipt is what an earlier attempt at this very notice left.
        if !(opened && before.is_none()) {
            self.comment(&issue, notice, &words).await?;
        }
        let transition = match (words.phase, issue.done) {
            (Phase::Firing, true) => self.reopen_transition.as_deref(),
            (Phase::Over, false) => self.resolve_transition.as_deref(),
            _ => None,
        };
        if let Some(name) = transition {
            self.calls.transition(&issue.key, name).await?;
        }
        Ok(receipt(&issue.key))
    }
}
