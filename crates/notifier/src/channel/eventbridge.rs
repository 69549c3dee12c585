//! Amazon EventBridge: each alert and each report as an event, for the user's own rules.
//!
//! Contract: `PutEvents` and `PutEventsRequestEntry` in the API reference of EventBridge. An event is `source` `guardlake`, `detail-type`
//! `GuardLake Alert` or `guardlake report made`, and in `detail` the alert or report as JSON; `detail.key` is the same at every attempt, since EventBridge drops no
//! doubles.

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use alerts::{Item, Notice};
use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::Region;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde::Deserialize;
use serde_json::Value;

use super::aws::{Call, Lazy, TIMEOUT, arn, failed, one_attempt, only, refused};
use super::{Channel, Failed, Receipt, Takes};
use crate::bulletin::{self, Bulletin};
use crate::channels::{Outside, Settings};
use crate::document::{line, pretty, within};

/// What rules find our events by.
const SOURCE: &str = "guardlake";
const DETAIL_TYPE: &str = "GuardLake Alert";
const REPORT_TYPE: &str = "guardlake report made";
/// EventBridge takes 1 MB since January 2026, and most of its targets 256 KB: what a target cannot take is lost without a word. Room is
/// left for the envelope that targets get.
const MOST_BYTES: usize = 240_000;

/// Which bus.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name or ARN of the bus; an ARN says the Region too. If not given, the account's default bus in guardlake's Region.
    pub bus: Option<String>,
}

/// A bus.
pub struct EventBridge {
    bus: String,
    region: Option<Region>,
    client: Lazy<Client>,
    timeout: Duration,
}

impl EventBridge {
    /// A bus, reached by a client with whatever credentials. The error says what is wrong with the settings.
    pub fn new(config: &Config, client: Client) -> Result<EventBridge, String> {
        EventBridge::over(config, Lazy::now(client), TIMEOUT)
    }

    fn over(
        config: &Config,
        client: Lazy<Client>,
        timeout: Duration,
    ) -> Result<EventBridge, String> {
        let bus = config.bus.as_deref().unwrap_or("default");
        let name_fits = |name: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
            !name.is_empty() && name.len() <= 256 && name.chars().all(plain)
        };
        let region = match arn(bus, "events") {
            Some((region, resource))
                if resource.strip_prefix("event-bus/").is_some_and(name_fits) =>
            {
                Some(Region::new(region.to_owned()))
            }
            None if name_fits(bus) => None,
            _ => return Err("bus: must be a bus's name or its ARN".to_owned()),
        };
        Ok(EventBridge {
            bus: bus.to_owned(),
            region,
            client,
            timeout,
        })
    }

    fn call(&self) -> Call<'_> {
        Call {
            action: "events:PutEvents",
            on: &self.bus,
        }
    }
}

impl Settings for Config {
    fn check(&self) -> Result<(), String> {
        EventBridge::over(self, Lazy::later(), TIMEOUT).map(drop)
    }

    fn build(&self, outside: &Outside<'_>) -> Result<Box<dyn Channel>, String> {
        Ok(Box::new(EventBridge::over(
            self,
            Lazy::later(),
            outside.timeout,
        )?))
    }
}

/// The event's detail.
fn render(notice: &Notice, item: &Item) -> String {
    let detail = line(&within(MOST_BYTES, notice, item));
    String::from_utf8_lossy(&detail).into_owned()
}

/// The detail of a report's event.
fn render_report(bulletin: &Bulletin) -> String {
    let detail = line(&bulletin::within(MOST_BYTES, bulletin));
    String::from_utf8_lossy(&detail).into_owned()
}

impl fmt::Debug for EventBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBridge")
            .field("bus", &self.bus)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Channel for EventBridge {
    fn takes(&self) -> Takes {
        Takes::Alerts
    }

    fn preview(&self, notice: &Notice) -> String {
        let Ok(item) = only(notice) else {
            return String::new();
        };
        let detail: Value = serde_json::from_str(&render(notice, item)).unwrap_or_default();
        let event =
            serde_json::json!({"source": SOURCE, "detail-type": DETAIL_TYPE, "detail": detail});
        pretty(&event)
    }

    async fn deliver(&self, notice: &Notice, _: Option<&Receipt>) -> Result<Receipt, Failed> {
        let item = only(notice)?;
        self.put(notice.at, DETAIL_TYPE, render(notice, item)).await
    }

    fn takes_reports(&self) -> bool {
        true
    }

    async fn publish(&self, bulletin: &Bulletin) -> Result<Receipt, Failed> {
        let detail = render_report(bulletin);
        self.put(bulletin.made_at, REPORT_TYPE, detail).await
    }
}

impl EventBridge {
    /// Puts one event. `at` is in UTC microseconds.
    async fn put(&self, at: i64, detail_type: &str, detail: String) -> Result<Receipt, Failed> {
        let entry = PutEventsRequestEntry::builder()
            .time(DateTime::from_secs(at.div_euclid(1_000_000)))
            .source(SOURCE)
            .detail_type(detail_type)
            .detail(detail)
            .event_bus_name(&self.bus)
            .build();
        let (retry, timeout) = one_attempt(self.timeout);
        let mut config = aws_sdk_eventbridge::Config::builder()
            .retry_config(retry)
            .timeout_config(timeout);
        config.set_region(self.region.clone());
        let region = self.region.as_ref();
        let client = self.client.get(self.call(), region, Client::new).await?;
        let put = client.put_events().entries(entry);
        let answer = put.customize().config_override(config).send().await;
        let answer = answer.map_err(|error| failed(self.call(), &error))?;
        // All is well by HTTP even where the one entry was refused.
        let entry = answer.entries().first();
        match entry.and_then(|entry| entry.event_id()) {
            Some(id) if answer.failed_entry_count() == 0 => Ok(Receipt {
                reference: Some(id.to_owned()),
                detail: Value::Null,
            }),
            _ => {
                let code = entry.and_then(|entry| entry.error_code());
                let message = entry.and_then(|entry| entry.error_message());
                Err(match (code, message) {
                    (None, None) => Failed::ForNow {
                        why: "events:PutEvents: the answer says neither yes nor no".to_owned(),
                        wait: None,
                    },
                    (code, message) => refused(self.call(), code, message, 0, None),
                })
            }
        }
    }
}
