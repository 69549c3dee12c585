//! Webhooks of anybody, signed by Standard Webhooks 1.0.0 (standardwebhooks.com): an alert or a report as JSON, one request
//! each.

mod signature;
#[cfg(test)]
mod tests;

use std::time::UNIX_EPOCH;

use alerts::{Notice, clean, rfc3339};
use async_trait::async_trait;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Host;

use self::signature::Key;
use super::http::{Guard, Http, Target, is_public};
use super::{Channel, Failed, Receipt, Takes};
use crate::bulletin::{self, Bulletin};
use crate::channels::{Outside, Settings};
use crate::document::{line, pretty, within};
use crate::secret::{Address, SecretAt};

/// The specification asks for less than 20 KB.
const MOST_BYTES: usize = 20_000;

/// Where, and what is signed with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// `https://...`, or where it lies if it is a secret. `http://` only with `allow_private`.
    url: Address,
    /// Keys of the signature, `whsec_` and base64 of 24 to 64 bytes; all of them sign, so that a receiver may change to the second before
    /// the first is taken away. At least one.
    secrets: Vec<SecretAt>,
    /// Lets addresses of the own network in, the metadata service of the machine among them.
    #[serde(default)]
    allow_private: bool,
    /// The longest body in bytes, 4,000 or more; longer alerts are cut and say so. 20,000 if not given.
    max_bytes: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Webhook {
    http: Http,
    target: Target,
    keys: Vec<Key>,
    most: usize,
}

impl Settings for Config {
    fn check(&self) -> Result<(), String> {
        if let Address::Open(address) = &self.url {
            self.target(address)?;
        }
        if self.secrets.is_empty() {
            return Err("secrets: is empty; without a signature nobody knows who sends".to_owned());
        }
        match self.max_bytes {
            Some(..4_000) => Err("max_bytes: must be 4000 or more".to_owned()),
            _ => Ok(()),
        }
    }

    fn build(&self, outside: &Outside<'_>) -> Result<Box<dyn Channel>, String> {
        let mut target = match &self.url {
            Address::Open(address) => self.target(address)?,
            Address::Secret(at) => {
                let address = outside.secret("url", at)?;
                self.target(address.expose_secret())?.hiding(&address)
            }
        };
        let guard = Guard::new(outside.lookup.clone(), self.allow_private);
        let mut keys = Vec::new();
        for at in &self.secrets {
            let secret = outside.secret("secrets", at)?;
            keys.push(Key::parse(&secret).map_err(|why| format!("secrets: {at} {why}"))?);
            target = target.hiding(&secret);
        }
        Ok(Box::new(Webhook {
            http: Http::new(outside.clock, Some(guard), outside.timeout)?,
            target,
            keys,
            most: self.max_bytes.unwrap_or(MOST_BYTES),
        }))
    }
}

impl Config {
    /// The address, unless it is one of the own network. Names are looked at when they are looked up.
    fn target(&self, address: &str) -> Result<Target, String> {
        let target = Target::parse(address, self.allow_private);
        let target = target.map_err(|why| format!("url: {why}"))?;
        let ip = match target.address() {
            Some(Host::Ipv4(ip)) => Some(ip.into()),
            Some(Host::Ipv6(ip)) => Some(ip.into()),
            _ => None,
        };
        match ip.filter(|ip| !is_public(*ip)) {
            Some(ip) if !self.allow_private => Err(format!(
                "url: {ip} is no public address; `allow_private: true` allows that"
            )),
            _ => Ok(target),
        }
    }
}

/// `{type: "alert.opened", timestamp, data}`: see [`within`] for the data.
fn render(notice: &Notice, most: usize) -> Value {
    let item = notice.items.first();
    let data = item.map_or(Value::Null, |item| {
        within(most.saturating_sub(200), notice, item)
    });
    let event = item.map_or("nothing", |item| item.event.as_str());
    json!({"type": format!("alert.{event}"), "timestamp": rfc3339(notice.at), "data": data})
}

/// `{type: "guardlake.report.made", timestamp, data}`: see [`bulletin::within`] for the data.
fn render_report(bulletin: &Bulletin, most: usize) -> Value {
    let data = bulletin::within(most.saturating_sub(200), bulletin);
    json!({"type": "guardlake.report.made", "timestamp": rfc3339(bulletin.made_at), "data": data})
}

/// The id of a message, the same at every attempt. Keys are short and plain; should one not be, its hash stands for it.
pub(super) fn id(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !key.is_empty() && key.len() <= 128 && key.chars().all(plain) {
        return key.to_owned();
    }
    let hash = Sha256::digest(key.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[async_trait]
impl Channel for Webhook {
    fn takes(&self) -> Takes {
        Takes::Alerts
    }

    fn preview(&self, notice: &Notice) -> String {
        pretty(&render(notice, self.most))
    }

    async fn deliver(&self, notice: &Notice, _: Option<&Receipt>) -> Result<Receipt, Failed> {
        self.send(id(&notice.key), &render(notice, self.most)).await
    }

    fn takes_reports(&self) -> bool {
        true
    }

    async fn publish(&self, bulletin: &Bulletin) -> Result<Receipt, Failed> {
        let message = render_report(bulletin, self.most);
        self.send(id(&bulletin.key), &message).await
    }
}

impl Webhook {
    /// Signs and sends.
    async fn send(&self, id: String, message: &Value) -> Result<Receipt, Failed> {
        let body = line(message);
        let seconds = self
            .http
            .now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let signatures: Vec<String> = (self.keys.iter())
            .map(|key| key.sign(&id, seconds, &body))
            .collect();
        let mut headers = HeaderMap::new();
        let all = [
            ("webhook-id", id.clone()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signatures.join(" ")),
        ];
        for (name, value) in all {
            // Figures, letters and base64 all fit.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        let reply = self.http.post(&self.target, headers, body).await?;
        if reply.status == 410 {
            let text = clean(reply.text.trim(), 200).into_owned();
            let gone = "answered 410, gone: it wants no more; take the channel out of the settings";
            return Err(reply.for_good(format!("{gone} {text}").trim_end()));
        }
        reply.accepted()?;
        Ok(Receipt {
            reference: Some(id),
            detail: Value::Null,
        })
    }
}
