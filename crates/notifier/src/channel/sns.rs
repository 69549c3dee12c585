//! Amazon SNS: each alert and each report to a topic, prose for people and JSON for machines in one message, attributes for filter policies.
//!
//! Contract: `Publish` in the API reference of SNS, "Amazon SNS message attributes", and "Message deduplication for FIFO topics".

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use alerts::{Item, Notice, Words, clean, prose};
use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::config::Region;
use aws_sdk_sns::types::MessageAttributeValue;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::aws::{Call, Lazy, TIMEOUT, arn, failed, for_good, one_attempt, only};
use super::{Channel, Failed, Receipt, Takes};
use crate::bulletin::{self, Bulletin};
use crate::channels::{Outside, Settings};
use crate::document::{line, within};

/// Message and attributes together, in bytes, unless a topic was given more.
const MOST_BYTES: usize = 262_144;
/// Fewer than 100 characters; counted here as UTF-16, which is never less.
const SUBJECT: usize = 99;
/// For the accounts that subscriptions filter by: room for 10,000 of them, so that no filter misses an alert.
const ACCOUNT_BYTES: usize = 150_000;
/// For each other list of values.
const LIST_BYTES: usize = 8_000;
/// Who gets JSON. Everybody else gets prose: e-mail above all.
const MACHINES: [&str; 5] = ["firehose", "http", "https", "lambda", "sqs"];
/// How many bytes the JSON may have, tried in this order; it is there once for each of [`MACHINES`], in quotes.
const STEPS: [usize; 8] = [48_000, 40_000, 32_000, 24_000, 16_000, 10_000, 6_000, 3_000];
/// Text messages are paid for by the part.
const SMS: usize = 300;

/// Which topic.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its ARN, `arn:aws:sns:eu-central-1:111122223333:alerts`. Says the Region too. The topic is FIFO if it ends in `.fifo`.
    pub topic: String,
}

/// A topic.
pub struct Sns {
    topic: String,
    region: Region,
    client: Lazy<Client>,
    timeout: Duration,
}

/// A message as it is published.
#[derive(Debug, Clone, PartialEq)]
struct Publication {
    subject: String,
    /// JSON: a text for each protocol.
    message: String,
    /// Name, type, value.
    attributes: Vec<(&'static str, &'static str, String)>,
    /// Group and deduplication id of a FIFO topic.
    fifo: Option<(String, String)>,
}

impl Sns {
    /// A topic, reached by a client with whatever credentials; its Region is the topic's. The error says what is wrong with the settings.
    pub fn new(config: &Config, client: Client) -> Result<Sns, String> {
        Sns::over(config, Lazy::now(client), TIMEOUT)
    }

    fn over(config: &Config, client: Lazy<Client>, timeout: Duration) -> Result<Sns, String> {
        let topic = config.topic.as_str();
        let name_fits = |name: &str| {
            let name = name.strip_suffix(".fifo").unwrap_or(name);
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            !name.is_empty() && name.len() <= 256 && name.chars().all(plain)
        };
        match arn(topic, "sns").filter(|(_, name)| name_fits(name)) {
            Some((region, _)) => Ok(Sns {
                topic: topic.to_owned(),
                region: Region::new(region.to_owned()),
                client,
                timeout,
            }),
            None => Err(
                "topic: must be a topic's ARN, such as arn:aws:sns:eu-central-1:111122223333:alerts"
                    .to_owned(),
            ),
        }
    }

    fn call(&self) -> Call<'_> {
        Call {
            action: "sns:Publish",
            on: &self.topic,
        }
    }

    fn render(&self, notice: &Notice, item: &Item) -> Publication {
        render(notice, item, self.topic.ends_with(".fifo"))
    }
}

impl Settings for Config {
    fn check(&self) -> Result<(), String> {
        Sns::over(self, Lazy::later(), TIMEOUT).map(drop)
    }

    fn build(&self, outside: &Outside<'_>) -> Result<Box<dyn Channel>, String> {
        Ok(Box::new(Sns::over(self, Lazy::later(), outside.timeout)?))
    }
}

fn render(notice: &Notice, item: &Item, fifo: bool) -> Publication {
    let words = Words::of(notice);
    let mut publication = Publication {
        subject: subject(&words.headline),
        message: String::new(),
        attributes: attributes(item),
        fifo: fifo.then(|| (group_id(&notice.thread), hashed(&notice.key))),
    };
    for most in STEPS {
        publication.message = message(&words, &line(&within(most, notice, item)));
        if publication.bytes() <= MOST_BYTES {
            break;
        }
    }
    publication
}

/// A report: attributes are `event` (`report`) and `report` (its name), and its documents are not sent but named.
fn render_report(bulletin: &Bulletin, fifo: bool) -> Publication {
    let words = bulletin::words(bulletin);
    let mut attributes = vec![("event", "String", "report".to_owned())];
    if is_safe(&bulletin.report) {
        attributes.push(("report", "String", bulletin.report.clone()));
    }
    let thread = format!("report {}", bulletin.report);
    let mut publication = Publication {
        subject: ascii(&words.headline),
        message: String::new(),
        attributes,
        fifo: fifo.then(|| (hashed(&thread), hashed(&bulletin.key))),
    };
    for most in STEPS {
        publication.message = message(&words, &line(&bulletin::within(most, bulletin)));
        if publication.bytes() <= MOST_BYTES {
            break;
        }
    }
    publication
}

impl Publication {
    fn bytes(&self) -> usize {
        let attributes = self.attributes.iter();
        let attributes =
            attributes.map(|(name, kind, value)| name.len() + kind.len() + value.len());
        self.message.len() + self.subject.len() + attributes.sum::<usize>()
    }
}

/// Printable, and cut at a character.
fn subject(headline: &str) -> String {
    let mut most = SUBJECT;
    loop {
        let subject = clean(headline, most);
        let over = subject.encode_utf16().count().saturating_sub(SUBJECT);
        if over == 0 {
            return subject.into_owned();
        }
        most = most
            .min(subject.chars().count())
            .saturating_sub(over.div_ceil(2));
    }
}

/// A subject of fewer than 100 signs of ASCII, as the API reference still asks for.
fn ascii(title: &str) -> String {
    let mut out = String::new();
    for c in title.chars() {
        match c {
            ' '..='~' => out.push(c),
            '–' | '—' => out.push('-'),
            '…' => out.push_str("..."),
            _ => out.push('?'),
        }
    }
    // What stood within a word may stand alone now.
    let mut out = alerts::tame(&out, usize::MAX);
    if out.len() > SUBJECT {
        out.truncate(SUBJECT - 3);
        out.push_str("...");
    }
    out
}

fn message(words: &Words, document: &[u8]) -> String {
    let document = String::from_utf8_lossy(document);
    let short = clean(&words.headline, SMS);
    let mut message = json!({"default": prose(words), "sms": short, "application": short});
    for machine in MACHINES {
        message[machine] = json!(document);
    }
    message.to_string()
}

/// What subscriptions can be filtered by. At most ten: more, and SQS drops messages that are delivered raw.
fn attributes(item: &Item) -> Vec<(&'static str, &'static str, String)> {
    let alert = &item.alert;
    let mut attributes = vec![
        (
            "severity_label",
            "String",
            alert.severity.as_str().to_owned(),
        ),
        ("severity", "Number", alert.severity.least().to_string()),
        ("state", "String", alert.state.as_str().to_owned()),
        ("event", "String", item.event.as_str().to_owned()),
    ];
    let mut several = |name, most: usize, values: Vec<&str>| {
        let mut values: Vec<&str> = values.into_iter().filter(|value| is_safe(value)).collect();
        values.sort_unstable();
        values.dedup();
        // Quotes and a comma each.
        let mut bytes = 0;
        values.retain(|value| {
            bytes += value.len() + 3;
            bytes <= most
        });
        match values[..] {
            [] => {}
            [one] => attributes.push((name, "String", one.to_owned())),
            _ => attributes.push((name, "String.Array", json!(values).to_string())),
        }
    };
    fn texts(values: &[String]) -> Vec<&str> {
        values.iter().map(String::as_str).collect()
    }
    several("rule", LIST_BYTES, vec![&alert.rule]);
    several("account_id", ACCOUNT_BYTES, texts(&alert.accounts));
    several("region", LIST_BYTES, texts(&alert.regions));
    several("finding_type", LIST_BYTES, finding_types(item));
    attributes
}

/// Types of findings where they are known: by the group, or as the most frequent ones.
fn finding_types(item: &Item) -> Vec<&str> {
    let is_type = |column: &str| ["type", "finding_type"].contains(&column);
    let group = item.alert.group.iter();
    let grouped = group.filter(|(column, _)| is_type(column));
    let mut types: Vec<&str> = grouped.filter_map(|(_, value)| value.as_deref()).collect();
    for top in item.top.iter().filter(|top| is_type(&top.column)) {
        types.extend(top.values.iter().take(20).map(|(value, _)| value.as_str()));
    }
    types
}

/// Ids and names as AWS makes them. Whatever else a finding says has no place in an attribute, where some characters make the whole
/// message be refused.
fn is_safe(value: &str) -> bool {
    let printable = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    !value.is_empty() && value.len() <= 256 && value.chars().all(printable)
}

/// At most 128 letters, figures and punctuation marks.
fn group_id(thread: &str) -> String {
    let fits =
        !thread.is_empty() && thread.len() <= 128 && thread.chars().all(|c| c.is_ascii_graphic());
    if fits {
        thread.to_owned()
    } else {
        hashed(thread)
    }
}

fn hashed(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Debug for Sns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sns")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Channel for Sns {
    fn takes(&self) -> Takes {
        Takes::Alerts
    }

    fn preview(&self, notice: &Notice) -> String {
        let Ok(item) = only(notice) else {
            return String::new();
        };
        let sent = self.render(notice, item);
        let texts: Value = serde_json::from_str(&sent.message).unwrap_or_default();
        let attributes = sent.attributes.iter();
        let attributes: Vec<String> = attributes
            .map(|(name, kind, value)| format!("{name} ({kind}): {}", clean(value, 200)))
            .collect();
        format!(
            "Subject: {}\n{}\n\n{}\n{}\n",
            sent.subject,
            attributes.join("\n"),
            texts["default"].as_str().unwrap_or_default(),
            texts["sqs"].as_str().unwrap_or_default(),
        )
    }

    /// A topic that is not FIFO tells no second attempt from a first; the JSON's `key` does.
    async fn deliver(&self, notice: &Notice, _: Option<&Receipt>) -> Result<Receipt, Failed> {
        let item = only(notice)?;
        self.send(self.render(notice, item)).await
    }

    fn takes_reports(&self) -> bool {
        true
    }

    /// People get title, summary and where the documents lie; machines get JSON, without pages and pictures.
    async fn publish(&self, bulletin: &Bulletin) -> Result<Receipt, Failed> {
        let fifo = self.topic.ends_with(".fifo");
        self.send(render_report(bulletin, fifo)).await
    }
}

impl Sns {
    async fn send(&self, sent: Publication) -> Result<Receipt, Failed> {
        let client = self
            .client
            .get(self.call(), Some(&self.region), Client::new);
        let mut publish = (client.await?.publish())
            .topic_arn(&self.topic)
            .subject(sent.subject)
            .message_structure("json")
            .message(sent.message);
        for (name, kind, value) in sent.attributes {
            let value = MessageAttributeValue::builder()
                .data_type(kind)
                .string_value(value)
                .build()
                .map_err(|error| for_good(self.call(), &error.to_string(), ""))?;
            publish = publish.message_attributes(name, value);
        }
        if let Some((group, deduplication)) = sent.fifo {
            publish = publish
                .message_group_id(group)
                .message_deduplication_id(deduplication);
        }
        let (retry, timeout) = one_attempt(self.timeout);
        let config = aws_sdk_sns::Config::builder()
            .region(self.region.clone())
            .retry_config(retry)
            .timeout_config(timeout);
        let published = publish.customize().config_override(config).send().await;
        let published = published.map_err(|error| failed(self.call(), &error))?;
        Ok(Receipt {
            reference: published.message_id,
            detail: Value::Null,
        })
    }
}
