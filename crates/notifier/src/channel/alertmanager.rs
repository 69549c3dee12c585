//! Prometheus Alertmanager, `POST /api/v2/alerts`: silences, inhibition and its receivers for our alerts.
//!
//! An alert there is its set of labels; it fires until `endsAt`, and a later post with the same labels moves that. Contract: Alertmanager's
//! `api/v2/openapi.yaml`.

#[cfg(test)]
pub(crate) mod tests;

use alerts::{Item, Notice, Phase, Shape, Words, clean, phase, rfc3339, tame};
use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::http::{Http, Target};
use super::{Channel, Failed, Receipt, Takes};
use crate::channels::{Outside, Settings};
use crate::document::{line, pretty};
use crate::secret::SecretAt;

/// Characters of a label's value and of an annotation.
const LABEL: usize = 300;
const ANNOTATION: usize = 4_000;
/// An alert that nobody resolves goes on this long, in days: Alertmanager would end it after five minutes if nothing were said.
const FIRES_FOR: u32 = 30;
const DAY: i64 = 86_400_000_000;

/// Where, and as whom.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// `http://alertmanager:9093`, with whatever path it is served under.
    url: String,
    /// A bearer token; with it, `url` must be `https`.
    token: Option<SecretAt>,
    /// For basic authentication, together with `password`; `url` must be `https`.
    user: Option<String>,
    /// See `user`.
    password: Option<SecretAt>,
    /// Days until an alert that nobody resolved ends there. 30 if not given.
    fires_for_days: Option<u32>,
    /// Put on every alert: `{cluster: eu}`.
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Alertmanager {
    http: Http,
    target: Target,
    authorization: Option<HeaderValue>,
    fires_for: i64,
    labels: Map<String, Value>,
}

impl Settings for Config {
    fn check(&self) -> Result<(), String> {
        self.target()?;
        match (&self.token, &self.user, &self.password) {
            (_, None, None) | (None, Some(_), Some(_)) => {}
            (Some(_), ..) => return Err("token: give that, or `user` and `password`".to_owned()),
            _ => return Err("user: `user` and `password` go together".to_owned()),
        }
        if self.fires_for_days == Some(0) {
            return Err("fires_for_days: must be 1 or more".to_owned());
        }
        match self.labels.keys().find(|name| label(name) != **name) {
            Some(name) => Err(format!(
                "labels: `{name}` is no name of a label: letters, digits and `_`"
            )),
            None => Ok(()),
        }
    }

    fn build(&self, outside: &Outside<'_>) -> Result<Box<dyn Channel>, String> {
        let mut target = self.target()?;
        let mut authorization = None;
        if let Some(at) = &self.token {
            let token = outside.secret("token", at)?;
            authorization =
                Some(Target::header("Bearer ", &token).map_err(|why| format!("token: {why}"))?);
            target = target.hiding(&token);
        }
        if let (Some(user), Some(at)) = (&self.user, &self.password) {
            let password = outside.secret("password", at)?;
            let pair = Target::basic(user, &password);
            authorization =
                Some(Target::header("Basic ", &pair).map_err(|why| format!("password: {why}"))?);
            target = target.hiding(&password).hiding(&pair);
        }
        let labels = self
            .labels
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)));
        Ok(Box::new(Alertmanager {
            http: outside.http()?,
            target,
            authorization,
            fires_for: i64::from(self.fires_for_days.unwrap_or(FIRES_FOR)) * DAY,
            labels: labels.collect(),
        }))
    }
}

impl Config {
    fn target(&self) -> Result<Target, String> {
        let secret = self.token.is_some() || self.password.is_some();
        let target = Target::parse(&self.url, !secret);
        Ok(target
            .map_err(|why| format!("url: {why}"))?
            .below(&["api", "v2", "alerts"]))
    }
}

impl Alertmanager {
    fn render(&self, notice: &Notice) -> Value {
        notice
            .items
            .iter()
            .map(|item| self.alert(notice, item))
            .collect()
    }

    fn alert(&self, notice: &Notice, item: &Item) -> Value {
        let alert = &item.alert;
        // Labels are the alert's identity: nothing in them may change while it lives, so no count and no account.
        let mut labels = self.labels.clone();
        for (column, value) in &alert.group {
            if let Some(value) = value {
                labels.insert(
                    format!("group_{}", label(column)),
                    json!(plain(&tame(value, LABEL))),
                );
            }
        }
        labels.insert(
            "alertname".to_owned(),
            json!(plain(&clean(&alert.rule, LABEL))),
        );
        labels.insert(
            "alert_id".to_owned(),
            json!(plain(&clean(&alert.alert_id, LABEL))),
        );
        labels.insert(
            "severity".to_owned(),
            json!(alert.severity.as_str().to_lowercase()),
        );
        labels.insert("source".to_owned(), json!("guardlake"));
        let words = Words::of_item(notice, item);
        let mut annotations = Map::new();
        annotations.insert("summary".to_owned(), json!(plain(&words.headline)));
        annotations.insert("description".to_owned(), json!(plain(&words.sentence)));
        for fact in &words.facts {
            let name = label(&fact.name.to_lowercase());
            let value: String = match fact.shape {
                Shape::Link => fact.value.clone(),
                // Without its angles it would not run.
                Shape::Sql => format!(
                    "guardlake alert show {} prints the SQL that returns them",
                    plain(&clean(&alert.alert_id, 64))
                ),
                _ => plain(&fact.value).chars().take(ANNOTATION).collect(),
            };
            let name = if name == "runbook" {
                "runbook_url".to_owned()
            } else {
                name
            };
            annotations.entry(name).or_insert_with(|| json!(value));
        }
        // It refuses what ends before it starts.
        let starts = alert.opened_at;
        let ends = match phase(item.event) {
            Phase::Over => notice.at.max(starts.saturating_add(1_000_000)),
            Phase::Firing | Phase::Taken => notice.at.max(starts).saturating_add(self.fires_for),
        };
        json!({
            "labels": labels, "annotations": annotations, "startsAt": rfc3339(starts), "endsAt": rfc3339(ends),
        })
    }
}

/// A name of a label: letters, digits and `_`, no digit first.
fn label(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out: String = name
        .chars()
        .take(60)
        .map(|c| if fits(c) { c } else { '_' })
        .collect();
    if !out.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        out.insert(0, '_');
    }
    out
}

/// Its templates put annotations into Slack and mail as they are. Without angles there is no mention, no link and no tag in either;
/// without braces in pairs nothing that a template would read.
fn plain(text: &str) -> String {
    text.replace('<', "‹")
        .replace('>', "›")
        .replace("{{", "{ {")
        .replace("}}", "} }")
}

#[async_trait]
impl Channel for Alertmanager {
    fn takes(&self) -> Takes {
        Takes::Alerts
    }

    fn preview(&self, notice: &Notice) -> String {
        pretty(&self.render(notice))
    }

    async fn deliver(&self, notice: &Notice, before: Option<&Receipt>) -> Result<Receipt, Failed> {
        // It has no word for "somebody is on it"; silences are set there.
        if notice
            .items
            .iter()
            .all(|item| phase(item.event) == Phase::Taken)
        {
            return Ok(before.cloned().unwrap_or_default());
        }
        let mut headers = HeaderMap::new();
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let body = line(&self.render(notice));
        self.http
            .post(&self.target, headers, body)
            .await?
            .accepted()?;
        Ok(Receipt::default())
    }
}
