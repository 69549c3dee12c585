//! What the channels over HTTP share: one way to send, one way to read a failure, nothing said of a secret.

mod guard;
mod target;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use alerts::clean;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};

pub(crate) use guard::{Guard, is_public};
pub use guard::{Lookup, lookup};
pub(crate) use target::Target;

use super::Failed;

/// Tells the time. An argument wherever it can be.
pub type Clock = fn() -> SystemTime;

/// From the first byte asked for to the last one read. Standard Webhooks asks for 15 to 30 seconds.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);
/// No receiver says more that is worth reading.
const MOST_READ: usize = 64 * 1024;
/// A receiver that asks for more is asked again after this.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Sends. Follows no redirect and asks no proxy: a redirect would take the message and its signature to where nobody meant it,
/// and a proxy would look up names that [`Guard`] has not seen.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
    clock: Clock,
}

/// What a receiver answered.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The first 64 KiB, whatever is no text replaced, secrets hidden.
    pub(crate) text: String,
    /// What it asked to wait, at most an hour.
    wait: Option<Duration>,
    host: String,
}

impl Http {
    /// `guard` decides to which addresses a name may lead; without one, to all.
    pub(crate) fn new(
        clock: Clock,
        guard: Option<Guard>,
        timeout: Duration,
    ) -> Result<Http, String> {
        let mut client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .timeout(timeout)
            .connect_timeout(Duration::from_secs(10).min(timeout))
            .user_agent(concat!("guardlake/", env!("CARGO_PKG_VERSION")));
        if let Some(guard) = guard {
            client = client.dns_resolver(std::sync::Arc::new(guard));
        }
        let client = client.build();
        let client = client.map_err(|_| "the TLS of this machine cannot be set up".to_owned())?;
        Ok(Http { client, clock })
    }

    /// The time, for signatures.
    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    pub(crate) async fn post(
        &self,
        target: &Target,
        headers: HeaderMap,
        json: Vec<u8>,
    ) -> Result<Reply, Failed> {
        self.send(Method::POST, target, headers, Some(json)).await
    }

    /// Asks once. An answer of whatever status is a [`Reply`]; no answer is [`Failed::ForNow`].
    pub(crate) async fn send(
        &self,
        method: Method,
        target: &Target,
        headers: HeaderMap,
        json: Option<Vec<u8>>,
    ) -> Result<Reply, Failed> {
        let mut request = self.client.request(method, target.url()).headers(headers);
        if let Some(json) = json {
            request = request
                .header("content-type", "application/json")
                .body(json);
        }
        let no_answer = |error: reqwest::Error| no_answer(&error.without_url(), target);
        let mut response = request.send().await.map_err(no_answer)?;
        let status = response.status().as_u16();
        let wait = response.headers().get(RETRY_AFTER);
        let wait = wait.and_then(|wait| retry_after(wait.to_str().ok()?, self.now()));
        let mut body = Vec::new();
        while body.len() < MOST_READ {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                // The status of a failure is said already; a success cut off is none.
                Err(error) if (200..300).contains(&status) => return Err(no_answer(error)),
                Err(_) => break,
            }
        }
        body.truncate(MOST_READ);
        Ok(Reply {
            status,
            text: target.hide(&String::from_utf8_lossy(&body)),
            wait,
            host: target.host().to_owned(),
        })
    }
}

impl Reply {
    /// The reply, if its status is 2xx.
    pub(crate) fn accepted(self) -> Result<Reply, Failed> {
        if (200..300).contains(&self.status) {
            Ok(self)
        } else {
            Err(self.failed())
        }
    }

    /// What its status means: 429 and 5xx may come through later, all else never will.
    pub(crate) fn failed(&self) -> Failed {
        let why = self.why();
        match self.status {
            429 | 500..=599 => Failed::ForNow {
                why,
                wait: self.wait,
            },
            300..=399 => Failed::ForGood {
                why: format!("{why}; redirects are not followed, give the address it leads to"),
            },
            _ => Failed::ForGood { why },
        }
    }

    /// As failed for now, whatever its status, because of what its body says.
    pub(crate) fn for_now(&self, what: &str) -> Failed {
        Failed::ForNow {
            why: format!("{}: {}", self.host, clean(what, 300)),
            wait: self.wait,
        }
    }

    /// As failed for good, because of what its body says.
    pub(crate) fn for_good(&self, what: &str) -> Failed {
        Failed::ForGood {
            why: format!("{}: {}", self.host, clean(what, 300)),
        }
    }

    /// `hooks.example answered 404: no_service`
    fn why(&self) -> String {
        let line = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let host = &self.host;
        match line.is_empty() {
            true => format!("{host} answered {}", self.status),
            false => format!("{host} answered {}: {}", self.status, clean(&line, 300)),
        }
    }
}

/// Nobody knows whether the message came through.
fn no_answer(error: &reqwest::Error, target: &Target) -> Failed {
    // The innermost cause is the one to act on: a name that is not known, a certificate, a reset.
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let host = target.host();
    if let Some(refused) = cause.downcast_ref::<guard::Refused>() {
        return Failed::ForGood {
            why: format!("{host}: {refused}"),
        };
    }
    let what = if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connect() {
        format!(
            "no connection: {}",
            clean(&target.hide(&cause.to_string()), 200)
        )
    } else {
        format!(
            "no answer: {}",
            clean(&target.hide(&cause.to_string()), 200)
        )
    };
    Failed::ForNow {
        why: format!("{host}: {what}"),
        wait: None,
    }
}

/// RFC 9110, section 10.2.3: seconds, or a date. At most an hour; a date that is past is no wait.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are longer than an hour.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let until = httpdate::parse_http_date(text).ok()?;
        until.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(LONGEST_WAIT))
}
