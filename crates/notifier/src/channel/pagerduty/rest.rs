//! The REST API, for incidents with a priority: made by `POST /incidents`, found again by their key, changed by `PUT`.

use std::collections::BTreeMap;

use alerts::{Event, Notice, Phase, Words, clean, prose};
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::dedup_key;
use crate::channel::http::{Http, Target};
use crate::channel::{Failed, Receipt};
use crate::document::line;
use crate::severity::Severity;

const TITLE: usize = 255;
/// Characters of a body and of a note; PagerDuty names no limit that I know of, and nobody reads more.
const BODY: usize = 20_000;

#[derive(Debug)]
pub(super) struct Rest {
    http: Http,
    api: Target,
    headers: HeaderMap,
    service: String,
    priority: BTreeMap<Severity, String>,
}

impl Rest {
    pub(super) fn new(
        http: Http,
        api: Target,
        token: &SecretString,
        from: &str,
        service: &str,
        priority: BTreeMap<Severity, String>,
    ) -> Result<Rest, String> {
        let from =
            HeaderValue::from_str(from).map_err(|_| "from: is no e-mail address".to_owned())?;
        let token = Target::header("Token token=", token).map_err(|why| format!("token: {why}"))?;
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, token),
            (HeaderName::from_static("from"), from),
            (
                ACCEPT,
                HeaderValue::from_static("application/vnd.pagerduty+json;version=2"),
            ),
        ]);
        Ok(Rest {
            http,
            api,
            headers,
            service: service.to_owned(),
            priority,
        })
    }

    pub(super) fn incident(&self, notice: &Notice) -> Value {
        let words = Words::of(notice);
        let urgency = if words.level >= alerts::Label::High {
            "high"
        } else {
            "low"
        };
        let mut incident = json!({
            "type": "incident",
            "title": clean(&words.headline, TITLE),
            "service": {"id": self.service, "type": "service_reference"},
            "urgency": urgency,
            "incident_key": dedup_key(&notice.thread),
            "body": {"type": "incident_body", "details": shortened(&prose(&words))},
        });
        if let Some(priority) = self.priority.get(&Severity(words.level)) {
            incident["priority"] = json!({"id": priority, "type": "priority_reference"});
        }
        json!({"incident": incident})
    }

    pub(super) async fn deliver(&self, notice: &Notice) -> Result<Receipt, Failed> {
        let words = Words::of(notice);
        let key = dedup_key(&notice.thread);
        if words.phase == Phase::Firing {
            let reply = self.ask(
                Method::POST,
                self.api.below(&["incidents"]),
                Some(self.incident(notice)),
            );
            let reply = reply.await?;
            // The key is that of an incident that is still open.
            let known = reply.status == 400 && reply.text.contains("matching dedup key");
            if !known {
                let text = reply.accepted()?.text;
                let made: Value = serde_json::from_str(&text).unwrap_or_default();
                return Ok(receipt(&made["incident"]));
            }
        }
        let Some(incident) = self.open(&key).await? else {
            // Somebody resolved it there, or it never was: nothing to do either way.
            return Ok(Receipt::default());
        };
        let id = incident["id"].as_str().unwrap_or_default();
        match words.phase {
            // Opened, once more: the first attempt came through and its answer did not.
            Phase::Firing if notice.items.iter().all(|item| item.event == Event::Opened) => {}
            Phase::Firing => {
                let note = json!({"note": {"content": format!("{}\n\n{}", words.headline, words.sentence)}});
                let target = self.api.below(&["incidents", id, "notes"]);
                self.ask(Method::POST, target, Some(note))
                    .await?
                    .accepted()?;
            }
            Phase::Taken | Phase::Over => {
                let status = if words.phase == Phase::Over {
                    "resolved"
                } else {
                    "acknowledged"
                };
                let change = json!({"incident": {"type": "incident_reference", "status": status}});
                let target = self.api.below(&["incidents", id]);
                self.ask(Method::PUT, target, Some(change))
                    .await?
                    .accepted()?;
            }
        }
        Ok(receipt(&incident))
    }

    /// The open incident of a key.
    async fn open(&self, key: &str) -> Result<Option<Value>, Failed> {
        let query = [
            ("incident_key", key),
            ("statuses[]", "triggered"),
            ("statuses[]", "acknowledged"),
        ];
        let target = self.api.below(&["incidents"]).with_query(&query);
        let reply = self.ask(Method::GET, target, None).await?.accepted()?;
        let Ok(found) = serde_json::from_str::<Value>(&reply.text) else {
            return Err(reply.for_now("the answer is no JSON"));
        };
        let incidents = found["incidents"].as_array().into_iter().flatten();
        let ours = |incident: &&Value| incident["incident_key"] == key;
        Ok(incidents.into_iter().find(ours).cloned())
    }

    async fn ask(
        &self,
        method: Method,
        target: Target,
        body: Option<Value>,
    ) -> Result<crate::channel::http::Reply, Failed> {
        let body = body.map(|body| line(&body));
        self.http
            .send(method, &target, self.headers.clone(), body)
            .await
    }
}

fn receipt(incident: &Value) -> Receipt {
    Receipt {
        reference: incident["id"].as_str().map(str::to_owned),
        detail: Value::Null,
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(BODY) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
