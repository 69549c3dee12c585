//! PagerDuty: an incident for each alert. By events (Events API v2), or, where incidents need a priority, by the REST API.
//!
//! Contract: developer.pagerduty.com, "Send an Alert Event" and "Create an Incident".

mod events;
mod rest;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use alerts::{Label, Notice};
use async_trait::async_trait;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use self::events::Events;
use self::rest::Rest;
use super::http::Target;
use super::{Channel, Failed, Receipt, Takes};
use crate::channels::{Outside, Settings};
use crate::document::pretty;
use crate::secret::SecretAt;
use crate::severity::Severity;

/// Either `routing_key`, or `token`, `from` and `service`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The integration key of a service, 32 characters.
    routing_key: Option<SecretAt>,
    /// Where events go: `https://events.eu.pagerduty.com/v2/enqueue` for accounts in the EU.
    events_url: Option<String>,
    /// A key of the REST API.
    token: Option<SecretAt>,
    /// The e-mail address of the user in whose name incidents are made.
    from: Option<String>,
    /// Id of the service: `PABC123`.
    service: Option<String>,
    /// Ids of priorities by severity: `{critical: P53ZZH5, high: P7QUWEZ}`. Only over REST.
    #[serde(default)]
    priority: BTreeMap<Severity, String>,
    /// Where the REST API is: `https://api.eu.pagerduty.com` for accounts in the EU.
    api: Option<String>,
}

#[derive(Debug)]
pub(crate) struct PagerDuty(Way);

#[derive(Debug)]
enum Way {
    Events(Events),
    Rest(Rest),
}

impl Settings for Config {
    fn check(&self) -> Result<(), String> {
        let rest = [
            self.token.is_some(),
            self.from.is_some(),
            self.service.is_some(),
        ];
        match (&self.routing_key, rest) {
            (Some(_), [false, false, false]) if self.priority.is_empty() => Ok(()),
            (Some(_), [false, false, false]) => {
                Err("priority: events have none; give `token`, `from` and `service` instead of `routing_key`".to_owned())
            }
            (Some(_), _) => Err("routing_key: give that, or `token`, `from` and `service`".to_owned()),
            (None, [true, true, true]) => Ok(()),
            (None, [false, ..]) => Err("routing_key: missing".to_owned()),
            (None, [_, false, _]) => Err("from: missing; say whose e-mail address incidents are made by".to_owned()),
            (None, _) => Err("service: missing; say the id of the service".to_owned()),
        }
    }

    fn build(&self, outside: &Outside<'_>) -> Result<Box<dyn Channel>, String> {
        let target = |field: &str, given: &Option<String>, otherwise: &str| {
            let address = given.as_deref().unwrap_or(otherwise);
            Target::parse(address, false).map_err(|why| format!("{field}: {why}"))
        };
        let http = outside.http()?;
        if let Some(at) = &self.routing_key {
            let key = outside.secret("routing_key", at)?;
            let url = "https://events.pagerduty.com/v2/enqueue";
            let target = target("events_url", &self.events_url, url)?.hiding(&key);
            return Ok(Box::new(PagerDuty(Way::Events(Events {
                http,
                target,
                key,
            }))));
        }
        let (Some(at), Some(from), Some(service)) = (&self.token, &self.from, &self.service) else {
            return Err("routing_key: missing".to_owned());
        };
        let token = outside.secret("token", at)?;
        let api = target("api", &self.api, "https://api.pagerduty.com")?.hiding(&token);
        let rest = Rest::new(http, api, &token, from, service, self.priority.clone())?;
        Ok(Box::new(PagerDuty(Way::Rest(rest))))
    }
}

/// What tells incidents apart, at most 255 characters: the thread is of one alert, so a second wave after a resolve is another incident and
/// a repeated attempt is none.
fn dedup_key(thread: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if thread.len() <= 200 && thread.chars().all(plain) {
        return format!("guardlake:{thread}");
    }
    let hash = Sha256::digest(thread.as_bytes());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("guardlake:{hash}")
}

/// PagerDuty's words for severities of GuardDuty.
fn severity(level: Label) -> &'static str {
    match level {
        Label::Critical => "critical",
        Label::High => "error",
        Label::Medium => "warning",
        Label::Low | Label::Informational => "info",
    }
}

#[async_trait]
impl Channel for PagerDuty {
    fn takes(&self) -> Takes {
        Takes::Alerts
    }

    fn preview(&self, notice: &Notice) -> String {
        match &self.0 {
            Way::Events(_) => pretty(&events::render(notice)),
            Way::Rest(rest) => pretty(&rest.incident(notice)),
        }
    }

    async fn deliver(&self, notice: &Notice, _: Option<&Receipt>) -> Result<Receipt, Failed> {
        match &self.0 {
            Way::Events(events) => events.deliver(notice).await,
            Way::Rest(rest) => rest.deliver(notice).await,
        }
    }
}
