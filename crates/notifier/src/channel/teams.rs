//! Microsoft Teams: an Adaptive Card to the address of a Workflow. Workflows can only post, so every notice is a card of its own.
//!
//! Contract: Alertmanager's `msteamsv2`, and Adaptive Cards 1.2. Finding text stands in text runs, which know no Markdown.

#[cfg(test)]
pub(crate) mod tests;

use alerts::{Label, Notice, Phase, Shape, Words};
use async_trait::async_trait;
use reqwest::header::HeaderMap;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::{Http, Target};
use super::{Channel, Failed, Receipt, Takes};
use crate::bulletin::{self, Bulletin};
use crate::channels::{Outside, Settings};
use crate::document::{line, pretty};
use crate::secret::SecretAt;

/// Teams takes about 28 KB (not confirmed by a document).
const MOST_BYTES: usize = 25_000;
/// Actions that a card shows.
const ACTIONS: usize = 4;

/// Where.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The address of the Workflow ("When a Teams webhook request is received"). Whoever has it can post, so it is a secret.
    url: SecretAt,
}

#[derive(Debug)]
pub(crate) struct Teams {
    http: Http,
    target: Target,
}

impl Settings for Config {
    fn build(&self, outside: &Outside<'_>) -> Result<Box<dyn Channel>, String> {
        let address = outside.secret("url", &self.url)?;
        let target = Target::parse(address.expose_secret(), false);
        Ok(Box::new(Teams {
            http: outside.http()?,
            target: target
                .map_err(|why| format!("url: {why}"))?
                .hiding(&address),
        }))
    }
}

/// The card, inside the limit: what matters least is left out first, and the card says so.
fn render(words: &Words) -> Value {
    let rows = rows(words);
    let whole = card(words, &rows, false);
    if line(&whole).len() <= MOST_BYTES {
        return whole;
    }
    let mut kept = rows.len();
    loop {
        let card = card(words, &rows[..kept], true);
        if kept == 0 || line(&card).len() <= MOST_BYTES {
            return card;
        }
        kept -= 1;
    }
}

fn rows(words: &Words) -> Vec<Value> {
    let mut rows: Vec<Value> = (words.lines.iter())
        .map(|line| runs(&[run(&format!("• {line}"), false)], "Small"))
        .collect();
    if words.more > 0 {
        rows.push(runs(
            &[run(&format!("and {} more", words.more), false)],
            "None",
        ));
    }
    for fact in &words.facts {
        let name = run(&format!("{}: ", fact.name), true);
        match fact.shape {
            Shape::Link => {}
            Shape::Sql => {
                // As it runs: a text run reads nothing in it, and `Words` tells only SQL in which nothing is strange.
                let mut sql = run("", false);
                sql["text"] = json!(fact.value);
                sql["fontType"] = json!("Monospace");
                sql["size"] = json!("Small");
                rows.push(runs(&[name, sql], "Small"));
            }
            Shape::Short | Shape::Long => rows.push(runs(&[name, run(&fact.value, false)], "None")),
        }
    }
    rows
}

fn card(words: &Words, rows: &[Value], cut: bool) -> Value {
    let mut headline = run(&words.headline, true);
    headline["size"] = json!("Medium");
    headline["color"] = json!(color(words));
    let mut body = vec![
        runs(&[headline], "None"),
        runs(&[run(&words.sentence, false)], "Small"),
    ];
    body.extend_from_slice(rows);
    if cut {
        let more = "The rest is left out for want of room.";
        body.push(runs(&[run(more, false)], "Small"));
    }
    let links = words.facts.iter().filter(|fact| fact.shape == Shape::Link);
    let actions: Vec<Value> = links
        .take(ACTIONS)
        .map(|link| json!({"type": "Action.OpenUrl", "title": link.name, "url": link.value}))
        .collect();
    let mut content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "msteams": {"width": "Full"},
        "fallbackText": plain(&words.headline),
        "body": body,
    });
    if !actions.is_empty() {
        content["actions"] = Value::Array(actions);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": content,
        }],
    })
}

fn color(words: &Words) -> &'static str {
    match (words.phase, words.level) {
        (Phase::Over, _) => "Good",
        (Phase::Taken, _) => "Default",
        (_, Label::Critical | Label::High) => "Attention",
        (_, Label::Medium | Label::Low) => "Warning",
        (_, Label::Informational) => "Accent",
    }
}

fn runs(inlines: &[Value], spacing: &str) -> Value {
    json!({"type": "RichTextBlock", "spacing": spacing, "inlines": inlines})
}

fn run(text: &str, bold: bool) -> Value {
    let weight = if bold { "Bolder" } else { "Default" };
    json!({"type": "TextRun", "text": plain(text), "weight": weight})
}

/// Cards replace `{{DATE(...)}}` and, in templates, `${...}`; a client that knows no text runs might read tags.
fn plain(text: &str) -> String {
    text.replace("{{", "{ {")
        .replace("${", "$ {")
        .replace('<', "‹")
        .replace('>', "›")
}

#[async_trait]
impl Channel for Teams {
    fn takes(&self) -> Takes {
        Takes::Groups
    }

    fn preview(&self, notice: &Notice) -> String {
        pretty(&render(&Words::of(notice)))
    }

    async fn deliver(&self, notice: &Notice, _: Option<&Receipt>) -> Result<Receipt, Failed> {
        self.send(&Words::of(notice)).await
    }

    fn takes_reports(&self) -> bool {
        true
    }

    async fn publish(&self, bulletin: &Bulletin) -> Result<Receipt, Failed> {
        self.send(&bulletin::words(bulletin)).await
    }
}

impl Teams {
    async fn send(&self, words: &Words) -> Result<Receipt, Failed> {
        let body = line(&render(words));
        self.http
            .post(&self.target, HeaderMap::new(), body)
            .await?
            .accepted()?;
        Ok(Receipt::default())
    }
}
