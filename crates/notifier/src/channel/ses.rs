//! Amazon SES: an e-mail of text and HTML, one thread an alert or group; a report as a page with its pictures.
//!
//! Contract: `SendEmail` and `Attachment` in the API reference of SES v2, and "Amazon SES header fields" in its developer guide.

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use alerts::{Label, Notice, Phase, Words, clean, prose};
use async_trait::async_trait;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::Region;
use aws_sdk_sesv2::error::BuildError;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{
    Attachment, AttachmentContentDisposition, AttachmentContentTransferEncoding, Body, Content,
    Destination, EmailContent, Message, MessageHeader,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::aws::{Call, Lazy, TIMEOUT, failed, for_good, one_attempt};
use super::{Channel, Failed, Receipt, Takes};
use crate::bulletin::{self, Bulletin, Picture};
use crate::channels::{Outside, Settings};

/// Recipients of one message (quotas of SES).
const RECIPIENTS: usize = 50;
/// Longer subjects are cut by most mail programs, and lines of a header end at 998 bytes.
const SUBJECT: usize = 200;

/// From whom, to whom.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `alerts@corp.example` or `GuardDuty alerts <alerts@corp.example>`: verified in SES, itself or its domain.
    pub from: String,
    /// One to 50 addresses, written the same way. All see each other.
    pub to: Vec<String>,
    /// Where SES is used; guardlake's Region if not given.
    pub region: Option<String>,
    /// A configuration set of SES, for events of bounces and the like.
    pub configuration_set: Option<String>,
}

/// A sender and its recipients.
pub struct Ses {
    config: Config,
    client: Lazy<Client>,
    timeout: Duration,
}

/// A message as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mail {
    subject: String,
    text: String,
    html: Option<String>,
    /// Name and value.
    headers: Vec<(&'static str, String)>,
    /// What the HTML shows.
    pictures: Vec<Picture>,
}

impl Ses {
    /// A sender, reached by a client with whatever credentials. The error says what is wrong with the settings.
    pub fn new(config: Config, client: Client) -> Result<Ses, String> {
        Ses::over(config, Lazy::now(client), TIMEOUT)
    }

    fn over(config: Config, client: Lazy<Client>, timeout: Duration) -> Result<Ses, String> {
        address(&config.from).map_err(|why| format!("from: {why}"))?;
        if config.to.is_empty() || config.to.len() > RECIPIENTS {
            return Err(format!("to: must be 1 to {RECIPIENTS} addresses"));
        }
        for (at, to) in config.to.iter().enumerate() {
            address(to).map_err(|why| format!("to[{at}]: {why}"))?;
        }
        let plain = |text: &String| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            !text.is_empty() && text.len() <= 64 && text.chars().all(fits)
        };
        if !config.region.iter().all(plain) {
            return Err("region: must be a Region such as eu-central-1".to_owned());
        }
        if !config.configuration_set.iter().all(plain) {
            return Err("configuration_set: must be letters, digits, `-` and `_`".to_owned());
        }
        Ok(Ses {
            config,
            client,
            timeout,
        })
    }

    fn call(&self) -> Call<'_> {
        Call {
            action: "ses:SendEmail",
            on: &self.config.from,
        }
    }

    /// How SES names a message to the world.
    fn message_id(&self, client: &Client, id: &str) -> Option<String> {
        let own = client.config().region().map(Region::as_ref);
        let host = match self.config.region.as_deref().or(own)? {
            "us-east-1" => "email",
            region => region,
        };
        // Stand-ins answer with the whole of it.
        let id = id.split('@').next().unwrap_or_default();
        let named = format!("<{id}@{host}.amazonses.com>");
        is_message_id(&named).then_some(named)
    }

    fn message(&self, mail: Mail) -> Result<Message, BuildError> {
        let content = |text: String| Content::builder().charset("UTF-8").data(text).build();
        let body = Body::builder()
            .text(content(mail.text)?)
            .set_html(mail.html.map(content).transpose()?)
            .build();
        let mut message = Message::builder()
            .subject(content(mail.subject)?)
            .body(body);
        for (name, value) in mail.headers {
            message = message.headers(MessageHeader::builder().name(name).value(value).build()?);
        }
        for picture in mail.pictures {
            let attachment = Attachment::builder()
                .raw_content(Blob::new(picture.bytes))
                .content_disposition(AttachmentContentDisposition::Inline)
                .content_transfer_encoding(AttachmentContentTransferEncoding::Base64)
                .content_type("image/png")
                .content_id(picture.content_id)
                .file_name(picture.name);
            message = message.attachments(attachment.build()?);
        }
        Ok(message.build())
    }
}

impl Settings for Config {
    fn check(&self) -> Result<(), String> {
        Ses::over(self.clone(), Lazy::later(), TIMEOUT).map(drop)
    }

    fn build(&self, outside: &Outside<'_>) -> Result<Box<dyn Channel>, String> {
        let (config, later) = (self.clone(), Lazy::later());
        Ok(Box::new(Ses::over(config, later, outside.timeout)?))
    }
}

fn render(notice: &Notice, before: Option<&Receipt>) -> Mail {
    let words = Words::of(notice);
    let text = prose(&words);
    // So that nobody's absence answers, and no ticket system answers the answer (RFC 3834).
    let mut headers = vec![("Auto-Submitted", "auto-generated".to_owned())];
    if let Some(first) = before.and_then(first) {
        headers.push(("In-Reply-To", first.clone()));
        headers.push(("References", first));
    }
    Mail {
        subject: clean(&words.headline, SUBJECT).into_owned(),
        html: Some(html(&words, &text)),
        text,
        headers,
        pictures: Vec::new(),
    }
}

fn render_report(bulletin: &Bulletin) -> Result<Mail, String> {
    let mail = bulletin::mail(bulletin)?;
    Ok(Mail {
        subject: clean(&mail.subject, SUBJECT).into_owned(),
        text: mail.text,
        html: mail.page,
        headers: vec![("Auto-Submitted", "auto-generated".to_owned())],
        pictures: mail.pictures,
    })
}

/// The first message of the thread.
fn first(before: &Receipt) -> Option<String> {
    let first = before.detail["first"].as_str()?;
    is_message_id(first).then(|| first.to_owned())
}

fn is_message_id(text: &str) -> bool {
    let inner = text.strip_prefix('<').and_then(|t| t.strip_suffix('>'));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    text.len() <= 200
        && inner.is_some_and(|id| id.chars().all(plain) && id.matches('@').count() == 1)
}

/// The text as it is, in a frame. Loads nothing and has no link; a mail program makes one of what it takes for an address.
fn html(words: &Words, text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    let color = match (words.phase, words.level) {
        (Phase::Over, _) => "#1e8e3e",
        (Phase::Taken, _) => "#5f6368",
        (_, Label::Critical) => "#7b0a24",
        (_, Label::High) => "#d93025",
        (_, Label::Medium) => "#e8710a",
        (_, Label::Low) => "#f2c200",
        (_, Label::Informational) => "#1a73e8",
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"></head><body>\n\
         <div style=\"border-left:6px solid {color};padding-left:12px\">\
         <pre style=\"font-family:Menlo,Consolas,monospace;font-size:13px;white-space:pre-wrap\">{escaped}</pre></div>\n\
         </body></html>\n"
    )
}

/// Whether SES would take it, as far as that can be told without asking.
fn address(text: &str) -> Result<(), String> {
    let bare = match text.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
        None => text,
    };
    let plain = |c: char| c.is_ascii_graphic() && !"<>,;:()[]\\\"@".contains(c);
    let fits = |(user, host): (&str, &str)| {
        !user.is_empty() && user.chars().all(plain) && host.contains('.') && host.chars().all(plain)
    };
    // What is not ASCII must be encoded by the rules of mail and of host names; nobody who configures alerts should have to.
    let printable = text.len() <= 320 && text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if printable && bare.split_once('@').is_some_and(fits) {
        Ok(())
    } else {
        let shown = clean(text, 80);
        Err(format!(
            "`{shown}` is no e-mail address in ASCII, such as alerts@corp.example or GuardDuty <alerts@corp.example>"
        ))
    }
}

impl fmt::Debug for Ses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ses")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Channel for Ses {
    fn takes(&self) -> Takes {
        Takes::Groups
    }

    fn preview(&self, notice: &Notice) -> String {
        let mail = render(notice, None);
        let to = self.config.to.join(", ");
        format!(
            "From: {}\nTo: {to}\nSubject: {}\n\n{}",
            self.config.from, mail.subject, mail.text
        )
    }

    /// SES tells no second attempt from a first: after a failure that nobody knows the end of, a mail may come twice.
    async fn deliver(&self, notice: &Notice, before: Option<&Receipt>) -> Result<Receipt, Failed> {
        let (reference, own) = self.send(render(notice, before)).await?;
        let first = before.and_then(first).or(own);
        Ok(Receipt {
            reference,
            detail: first.map_or(Value::Null, |first| json!({"first": first})),
        })
    }

    fn takes_reports(&self) -> bool {
        true
    }

    /// As with alerts, a mail may come twice.
    async fn publish(&self, bulletin: &Bulletin) -> Result<Receipt, Failed> {
        let mail = render_report(bulletin).map_err(|why| for_good(self.call(), &why, ""))?;
        let (reference, _) = self.send(mail).await?;
        Ok(Receipt {
            reference,
            detail: Value::Null,
        })
    }
}

impl Ses {
    /// The id of the message, and how SES names it to the world.
    async fn send(&self, mail: Mail) -> Result<(Option<String>, Option<String>), Failed> {
        let message = self.message(mail);
        let message = message.map_err(|error| for_good(self.call(), &error.to_string(), ""))?;
        let to = Destination::builder().set_to_addresses(Some(self.config.to.clone()));
        let (retry, timeout) = one_attempt(self.timeout);
        let mut config = aws_sdk_sesv2::Config::builder()
            .retry_config(retry)
            .timeout_config(timeout);
        let region = self.config.region.clone().map(Region::new);
        let client = self.client.get(self.call(), region.as_ref(), Client::new);
        let client = client.await?;
        config.set_region(region);
        let sent = (client.send_email())
            .from_email_address(&self.config.from)
            .destination(to.build())
            .content(EmailContent::builder().simple(message).build())
            .set_configuration_set_name(self.config.configuration_set.clone())
            .customize()
            .config_override(config)
            .send()
            .await
            .map_err(|error| failed(self.call(), &error))?;
        let own = sent.message_id().and_then(|id| self.message_id(client, id));
        Ok((sent.message_id, own))
    }
}
