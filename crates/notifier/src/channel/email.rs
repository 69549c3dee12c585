//! E-mail over SMTP: text and HTML of the same words, one thread an alert or group; a report as a page with its pictures.
//!
//! Message-ID comes from the notice's key, so mail programs that drop doubles drop a second attempt; answers of the thread name the first
//! message (RFC 5322, section 3.6.4).

mod html;
#[cfg(test)]
pub(crate) mod tests;

use std::time::{Duration, UNIX_EPOCH};

use alerts::{Notice, Words, clean, prose};
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, Subject};
use lettre::message::{Attachment, Mailbox, Message, MessageBuilder, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{AsyncTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::http::Clock;
use super::{Channel, Failed, Receipt, Takes};
use crate::bulletin::{self, Bulletin};
use crate::channels::{Outside, Settings};
use crate::secret::SecretAt;

/// How a connection is made safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Safety {
    /// Begins in the clear and goes on only with TLS. Port 587.
    #[default]
    Starttls,
    /// TLS from the first byte. Port 465.
    Tls,
    /// None. Port 25. Not together with a password, except to this machine.
    None,
}

/// Which server, from whom, to whom.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the server.
    host: String,
    /// Its port; by `tls` if not given.
    port: Option<u16>,
    /// `starttls` (if not given), `tls` or `none`.
    #[serde(default)]
    tls: Safety,
    /// Together with `password`.
    user: Option<String>,
    /// See `user`.
    password: Option<SecretAt>,
    /// `GuardDuty alerts <alerts@corp.example>`
    from: String,
    /// One or more. If the server refuses one, it is sent to none.
    to: Vec<String>,
    /// What this machine calls itself; some servers want a name that they can look up.
    hello: Option<String>,
}

pub(crate) struct Email {
    mailer: AsyncSmtpTransport<Tokio1Executor>,
    host: String,
    from: Mailbox,
    to: Vec<Mailbox>,
    /// The password, and as the server is given it.
    hidden: Vec<SecretString>,
    clock: Clock,
    timeout: Duration,
}

impl Settings for Config {
    fn check(&self) -> Result<(), String> {
        self.mailboxes()?;
        let word = |name: &String| name.bytes().all(|b| b.is_ascii_graphic()) && !name.is_empty();
        if !self.hello.as_ref().is_none_or(word) || !word(&self.host) {
            return Err("host: `host` and `hello` must be names of machines".to_owned());
        }
        let local = ["localhost", "127.0.0.1", "::1"].contains(&self.host.as_str());
        match (&self.user, &self.password) {
            (None, None) => Ok(()),
            (Some(_), Some(_)) if self.tls != Safety::None || local => Ok(()),
            (Some(_), Some(_)) => {
                Err("tls: without it the password could be read on the way".to_owned())
            }
            _ => Err("user: `user` and `password` go together".to_owned()),
        }
    }

    fn build(&self, outside: &Outside<'_>) -> Result<Box<dyn Channel>, String> {
        let (from, to) = self.mailboxes()?;
        let (tls, port) = match self.tls {
            Safety::None => (Tls::None, 25),
            safe => {
                let parameters = TlsParameters::new(self.host.clone());
                let parameters =
                    parameters.map_err(|_| "tls: cannot be set up on this machine".to_owned())?;
                match safe {
                    Safety::Tls => (Tls::Wrapper(parameters), 465),
                    _ => (Tls::Required(parameters), 587),
                }
            }
        };
        let mut mailer = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(self.port.unwrap_or(port))
            .tls(tls)
            .timeout(Some(outside.timeout));
        if let Some(name) = &self.hello {
            mailer = mailer.hello_name(ClientId::Domain(name.clone()));
        }
        let mut hidden = Vec::new();
        if let (Some(user), Some(at)) = (&self.user, &self.password) {
            let secret = outside.secret("password", at)?;
            mailer = mailer.credentials(Credentials::new(
                user.clone(),
                secret.expose_secret().to_owned(),
            ));
            // RFC 4616 (PLAIN) and LOGIN.
            let plain = format!("\0{user}\0{}", secret.expose_secret());
            let encoded =
                [plain, secret.expose_secret().to_owned()].map(|text| BASE64_STANDARD.encode(text));
            hidden.extend(encoded.map(SecretString::from));
            hidden.push(secret);
        }
        Ok(Box::new(Email {
            mailer: mailer.build(),
            host: self.host.clone(),
            from,
            to,
            hidden,
            clock: outside.clock,
            timeout: outside.timeout,
        }))
    }
}

impl Config {
    fn mailboxes(&self) -> Result<(Mailbox, Vec<Mailbox>), String> {
        let read = |field: &str, text: &String| {
            let mailbox = text.parse::<Mailbox>();
            mailbox.map_err(|_| format!("{field}: `{}` is no e-mail address", clean(text, 100)))
        };
        if self.to.is_empty() {
            return Err("to: is empty".to_owned());
        }
        let to = self
            .to
            .iter()
            .map(|text| read("to", text))
            .collect::<Result<_, _>>()?;
        Ok((read("from", &self.from)?, to))
    }
}

impl Email {
    /// `<gl-0123...@corp.example>`, the same for the same text.
    fn message_id(&self, text: &str) -> String {
        format!("<gl-{}@{}>", hash(text), self.from.email.domain())
    }

    fn render(&self, notice: &Notice, first: Option<&str>) -> Result<Message, String> {
        let words = Words::of(notice);
        let mut message = self.head(&words.headline, &notice.key);
        if let Some(first) = first {
            message = message
                .in_reply_to(first.to_owned())
                .references(first.to_owned());
        }
        let parts = MultiPart::alternative()
            .boundary(boundary("", &notice.key))
            .singlepart(part(ContentType::TEXT_PLAIN, prose(&words)))
            .singlepart(part(ContentType::TEXT_HTML, html::page(&words)));
        message.multipart(parts).map_err(|error| error.to_string())
    }

    /// Text, or else the page with its pictures (RFC 2046 and 2387).
    fn render_report(&self, bulletin: &Bulletin) -> Result<Message, String> {
        let mail = bulletin::mail(bulletin)?;
        let message = self.head(&mail.subject, &bulletin.key);
        let text = part(ContentType::TEXT_PLAIN, mail.text);
        let made = match mail.page {
            None => message.singlepart(text),
            Some(page) => {
                let page = part(ContentType::TEXT_HTML, page);
                let parts = MultiPart::alternative()
                    .boundary(boundary("", &bulletin.key))
                    .singlepart(text);
                let png = ContentType::parse("image/png").map_err(|error| error.to_string())?;
                let related = mail.pictures.into_iter().fold(
                    MultiPart::related()
                        .boundary(boundary("page ", &bulletin.key))
                        .singlepart(page),
                    |related, picture| {
                        let (id, name) = (picture.content_id, picture.name);
                        let picture = Attachment::new_inline_with_name(id, name)
                            .body(picture.bytes, png.clone());
                        related.singlepart(picture)
                    },
                );
                message.multipart(parts.multipart(related))
            }
        };
        made.map_err(|error| error.to_string())
    }

    fn head(&self, headline: &str, key: &str) -> MessageBuilder {
        // `Words` has no line break in a headline; the library would fold what a header cannot hold. Once more costs nothing.
        let subject: String = clean(headline, 250)
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        let mut message = Message::builder()
            .from(self.from.clone())
            .date((self.clock)().max(UNIX_EPOCH))
            .message_id(Some(self.message_id(key)))
            .header(Subject::from(subject))
            // RFC 3834: nobody's holiday answers it.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        for to in &self.to {
            message = message.to(to.clone());
        }
        message
    }

    /// Hands a message over.
    async fn send(&self, message: Result<Message, String>) -> Result<(), Failed> {
        let message = message.map_err(|why| Failed::ForGood {
            why: format!("no message can be made of it: {}", clean(&why, 300)),
        })?;
        // The library's limit is for each command, and there are a dozen.
        match tokio::time::timeout(self.timeout * 3, self.mailer.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(Failed::ForNow {
                why: format!("{}: no answer in time", self.host),
                wait: None,
            }),
        }
    }

    fn failed(&self, error: &Error) -> Failed {
        let mut said = error.to_string();
        for secret in &self.hidden {
            said = said.replace(secret.expose_secret(), "***");
        }
        let why = format!("{}: {}", self.host, clean(&said, 300));
        // A refusal of the server with a code of 5xx; all else may pass.
        match error.is_permanent() {
            true => Failed::ForGood { why },
            false => Failed::ForNow { why, wait: None },
        }
    }
}

fn part(kind: ContentType, text: String) -> SinglePart {
    SinglePart::builder().header(kind).body(text)
}

/// The library's own is made by chance.
fn boundary(what: &str, key: &str) -> String {
    format!("guardlake-{}", hash(&format!("{what}boundary {key}")))
}

fn hash(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[async_trait]
impl Channel for Email {
    fn takes(&self) -> Takes {
        Takes::Groups
    }

    fn preview(&self, notice: &Notice) -> String {
        let words = Words::of(notice);
        format!(
            "Subject: {}\n\n{}",
            clean(&words.headline, 250),
            prose(&words)
        )
    }

    async fn deliver(&self, notice: &Notice, before: Option<&Receipt>) -> Result<Receipt, Failed> {
        let own = self.message_id(&notice.key);
        let first = before
            .and_then(|before| before.reference.as_deref())
            // It comes from the lake, and goes into a header.
            .filter(|first| **first != own && first.bytes().all(|b| b.is_ascii_graphic()));
        self.send(self.render(notice, first)).await?;
        Ok(Receipt {
            reference: Some(first.unwrap_or(&own).to_owned()),
            detail: Value::Null,
        })
    }

    fn takes_reports(&self) -> bool {
        true
    }

    async fn publish(&self, bulletin: &Bulletin) -> Result<Receipt, Failed> {
        self.send(self.render_report(bulletin)).await?;
        Ok(Receipt {
            reference: Some(self.message_id(&bulletin.key)),
            detail: Value::Null,
        })
    }
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let to: Vec<String> = self.to.iter().map(ToString::to_string).collect();
        f.debug_struct("Email")
            .field("host", &self.host)
            .field("to", &to)
            .finish_non_exhaustive()
    }
}
