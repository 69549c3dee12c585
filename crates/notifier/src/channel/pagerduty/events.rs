//! The Events API v2: trigger, acknowledge and resolve by a key that we choose, so that a repeated event changes nothing.

use std::time::Duration;

use alerts::{Notice, Phase, Shape, Words, clean, rfc3339};
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{dedup_key, severity};
use crate::channel::http::{Http, Target};
use crate::channel::{Failed, Receipt};
use crate::document::line;

/// 512 KB, and room for the routing key.
const MOST_BYTES: usize = 500_000;
const SUMMARY: usize = 1_024;
/// PagerDuty asks those that it throttles for "a backoff of a few minutes" and names no figure.
const BACKOFF: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(super) struct Events {
    pub(super) http: Http,
    pub(super) target: Target,
    pub(super) key: SecretString,
}

/// The event without its routing key.
pub(super) fn render(notice: &Notice) -> Value {
    let words = Words::of(notice);
    let action = match words.phase {
        Phase::Firing => "trigger",
        Phase::Taken => "acknowledge",
        Phase::Over => "resolve",
    };
    let mut event = json!({"event_action": action, "dedup_key": dedup_key(&notice.thread)});
    if action != "trigger" {
        return event;
    }
    let Some(item) = notice.items.first() else {
        return event;
    };
    let alert = &item.alert;
    let source = match &alert.accounts[..] {
        [account] => format!("GuardDuty in account {}", alerts::tame(account, 24)),
        accounts => format!("GuardDuty in {} accounts", accounts.len()),
    };
    event["payload"] = json!({
        "summary": clean(&words.headline, SUMMARY),
        "source": source,
        "severity": severity(words.level),
        "timestamp": rfc3339(alert.last_seen),
        "component": words.facts.iter().find(|fact| fact.name == "Group").map(|fact| clean(&fact.value, 250)),
        "class": clean(&alert.rule, 250),
        "custom_details": details(&words),
    });
    let links = words.facts.iter().filter(|fact| fact.shape == Shape::Link);
    let links: Vec<Value> = links
        .map(|link| json!({"href": link.value, "text": link.name}))
        .collect();
    if !links.is_empty() {
        event["links"] = Value::Array(links);
    }
    event["client"] = json!("guardlake");
    if line(&event).len() > MOST_BYTES {
        event["payload"]["custom_details"] =
            json!({"Left out": "the details are too long for PagerDuty"});
    }
    event
}

/// Facts by name; those that share a name are numbered.
fn details(words: &Words) -> Map<String, Value> {
    let mut details = Map::new();
    details.insert("What happened".to_owned(), json!(words.sentence));
    for fact in words.facts.iter().filter(|fact| fact.shape != Shape::Link) {
        let names = (2..).map(|n| format!("{} ({n})", fact.name));
        let mut names = std::iter::once(fact.name.clone()).chain(names);
        if let Some(name) = names.find(|name| !details.contains_key(name)) {
            details.insert(name, json!(fact.value));
        }
    }
    details
}

impl Events {
    pub(super) async fn deliver(&self, notice: &Notice) -> Result<Receipt, Failed> {
        let mut event = render(notice);
        event["routing_key"] = json!(self.key.expose_secret());
        let reply = self
            .http
            .post(&self.target, HeaderMap::new(), line(&event))
            .await?;
        let throttled = reply.status == 429;
        reply.accepted().map_err(|failed| match failed {
            Failed::ForNow { why, wait } if throttled => Failed::ForNow {
                why,
                wait: wait.or(Some(BACKOFF)),
            },
            failed => failed,
        })?;
        Ok(Receipt {
            reference: event["dedup_key"].as_str().map(str::to_owned),
            detail: Value::Null,
        })
    }
}
