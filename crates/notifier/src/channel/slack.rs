//! Slack: one message an alert or group. With a bot's token it is edited as the alert goes on and answered in its thread; an incoming
//! webhook can only post, again each time.
//!
//! Contracts: api.slack.com/messaging/webhooks (success is the body `ok`), api.slack.com/methods/chat.postMessage and chat.update (failure
//! is HTTP 200 with `"ok": false`).

mod message;
#[cfg(test)]
pub(crate) mod tests;

use alerts::{Notice, Phase, Words};
use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::{Http, Reply, Target};
use super::{Channel, Failed, Receipt, Takes, webhook};
use crate::bulletin::{self, Bulletin};
use crate::channels::{Outside, Settings};
use crate::document::{line, pretty};
use crate::secret::SecretAt;
use crate::severity::Severity;

/// Either `webhook`, or `token` and `channel`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Address of an incoming webhook. Whoever has it can post, so it is a secret.
    webhook: Option<SecretAt>,
    /// A bot's token, `xoxb-...`, with the scope `chat:write`.
    token: Option<SecretAt>,
    /// The id of a channel that the bot is a member of: `C0123456789`. A name works for posting, an id always.
    channel: Option<String>,
    /// Calls everybody who is there (`<!here>`) for alerts of this severity and above, when they open or get worse. Otherwise nobody.
    here: Option<Severity>,
    /// Where the Web API is; for tests and proxies.
    api: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Slack {
    http: Http,
    way: Way,
    here: Option<Severity>,
}

#[derive(Debug)]
enum Way {
    Webhook(Target),
    Bot {
        api: Target,
        token: HeaderValue,
        channel: String,
    },
}

impl Settings for Config {
    fn check(&self) -> Result<(), String> {
        match (&self.webhook, &self.token, &self.channel) {
            (Some(_), None, None) | (None, Some(_), Some(_)) => Ok(()),
            (Some(_), ..) => {
                Err("webhook: has its own channel; leave `token` and `channel` out".to_owned())
            }
            (None, Some(_), None) => {
                Err("channel: missing; say where the bot is to post".to_owned())
            }
            (None, None, _) => {
                Err("webhook: missing; give that, or `token` and `channel`".to_owned())
            }
        }
    }

    fn build(&self, outside: &Outside<'_>) -> Result<Box<dyn Channel>, String> {
        let way = match (&self.webhook, &self.token, &self.channel) {
            (Some(webhook), ..) => {
                let address = outside.secret("webhook", webhook)?;
                let target = Target::parse(address.expose_secret(), false);
                Way::Webhook(
                    target
                        .map_err(|why| format!("webhook: {why}"))?
                        .hiding(&address),
                )
            }
            (None, Some(token), Some(channel)) => {
                let secret = outside.secret("token", token)?;
                let api = self.api.as_deref().unwrap_or("https://slack.com/api");
                let api = Target::parse(api, false).map_err(|why| format!("api: {why}"))?;
                Way::Bot {
                    api: api.hiding(&secret),
                    token: Target::header("Bearer ", &secret)
                        .map_err(|why| format!("token: {why}"))?,
                    channel: channel.clone(),
                }
            }
            _ => return Err("webhook: missing; give that, or `token` and `channel`".to_owned()),
        };
        Ok(Box::new(Slack {
            http: outside.http()?,
            way,
            here: self.here,
        }))
    }
}

impl Slack {
    /// Whether people are to be called.
    fn calls(&self, words: &Words) -> bool {
        let bad = self
            .here
            .is_some_and(|Severity(least)| words.level >= least);
        bad && words.phase == Phase::Firing
    }

    /// Calls a method of the Web API.
    async fn call(&self, method: &str, message: &Value) -> Result<Value, Answer> {
        let Way::Bot { api, token, .. } = &self.way else {
            return Err(Answer::Failed(Failed::ForGood {
                why: "an incoming webhook has no methods".to_owned(),
            }));
        };
        let mut body = message.clone();
        // `chat.update` would make links and names of what looks like one; what is marked as one is still read.
        body["parse"] = json!("none");
        body["link_names"] = json!(false);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, token.clone())]);
        let reply = self
            .http
            .post(&api.below(&[method]), headers, line(&body))
            .await?;
        let reply = reply.accepted()?;
        let Ok(answer) = serde_json::from_str::<Value>(&reply.text) else {
            return Err(reply.for_now("the answer is no JSON").into());
        };
        if answer["ok"] == json!(true) {
            return Ok(answer);
        }
        let error = answer["error"]
            .as_str()
            .unwrap_or("an unknown error")
            .to_owned();
        Err(Answer::Error { error, reply })
    }

    /// Posts to an incoming webhook.
    async fn hook(&self, target: &Target, message: &Value) -> Result<Receipt, Failed> {
        let sent = self.http.post(target, HeaderMap::new(), line(message));
        let reply = sent.await?.accepted()?;
        match reply.text.trim() {
            "ok" => Ok(Receipt::default()),
            other => Err(reply.for_now(&format!("answered {other:?} where `ok` was due"))),
        }
    }

    async fn post(&self, words: &Words, notice: &Notice) -> Result<Receipt, Answer> {
        let Way::Bot { channel, .. } = &self.way else {
            return Ok(Receipt::default());
        };
        let mut body = message::of(words, self.calls(words));
        body["channel"] = json!(channel);
        // Two posts of one notice after a crash can be told by this.
        body["metadata"] = json!({
            "event_type": "guardlake_notice", "event_payload": {"key": notice.key, "thread": notice.thread},
        });
        self.posted(&body).await
    }

    /// Posts a message of the bot.
    async fn posted(&self, body: &Value) -> Result<Receipt, Answer> {
        let answer = self.call("chat.postMessage", body).await?;
        Ok(Receipt {
            reference: answer["ts"].as_str().map(str::to_owned),
            detail: json!({"channel": answer["channel"]}),
        })
    }

    /// Edits the first message, then says in its thread what changed.
    async fn go_on(
        &self,
        words: &Words,
        notice: &Notice,
        ts: &str,
        channel: &str,
    ) -> Result<(), Answer> {
        let mut edit = message::of(words, false);
        edit["channel"] = json!(channel);
        edit["ts"] = json!(ts);
        match self.call("chat.update", &edit).await {
            // It may be too old to be edited; its thread is still there.
            Err(Answer::Error { error, .. })
                if ["cant_update_message", "edit_window_closed"].contains(&&*error) => {}
            other => {
                other?;
            }
        }
        let mut answer = message::answer(words, self.calls(words));
        answer["channel"] = json!(channel);
        answer["thread_ts"] = json!(ts);
        // What asks for somebody must be seen by those who do not follow the thread.
        answer["reply_broadcast"] = json!(words.phase == Phase::Firing);
        answer["metadata"] = json!({
            "event_type": "guardlake_notice", "event_payload": {"key": notice.key, "thread": notice.thread},
        });
        self.call("chat.postMessage", &answer).await?;
        Ok(())
    }
}

#[async_trait]
impl Channel for Slack {
    fn takes(&self) -> Takes {
        Takes::Groups
    }

    fn preview(&self, notice: &Notice) -> String {
        let words = Words::of(notice);
        pretty(&message::of(&words, self.calls(&words)))
    }

    async fn deliver(&self, notice: &Notice, before: Option<&Receipt>) -> Result<Receipt, Failed> {
        let words = Words::of(notice);
        if let Way::Webhook(target) = &self.way {
            let message = message::of(&words, self.calls(&words));
            return self.hook(target, &message).await;
        }
        let first = before.and_then(|before| {
            let channel = before.detail["channel"].as_str()?;
            Some((before.reference.as_deref()?, channel, before))
        });
        let done = match first {
            Some((ts, channel, before)) => match self.go_on(&words, notice, ts, channel).await {
                Ok(()) => Ok(before.clone()),
                // Somebody deleted it.
                Err(Answer::Error { error, .. })
                    if ["message_not_found", "thread_not_found"].contains(&&*error) =>
                {
                    self.post(&words, notice).await
                }
                Err(error) => Err(error),
            },
            None => self.post(&words, notice).await,
        };
        done.map_err(Answer::failed)
    }

    fn takes_reports(&self) -> bool {
        true
    }

    /// Never calls anybody. A second attempt posts again; of a bot, with the same `key` in `metadata`.
    async fn publish(&self, bulletin: &Bulletin) -> Result<Receipt, Failed> {
        let mut message = message::report(&bulletin::words(bulletin));
        match &self.way {
            Way::Webhook(target) => self.hook(target, &message).await,
            Way::Bot { channel, .. } => {
                message["channel"] = json!(channel);
                message["metadata"] = json!({
                    "event_type": "guardlake_report", "event_payload": {"key": webhook::id(&bulletin.key)},
                });
                self.posted(&message).await.map_err(Answer::failed)
            }
        }
    }
}

/// What was not a success.
#[derive(Debug)]
enum Answer {
    Failed(Failed),
    /// One of Slack's words for errors.
    Error {
        error: String,
        reply: Reply,
    },
}

impl From<Failed> for Answer {
    fn from(failed: Failed) -> Answer {
        Answer::Failed(failed)
    }
}

impl Answer {
    fn failed(self) -> Failed {
        let (error, reply) = match self {
            Answer::Failed(failed) => return failed,
            Answer::Error { error, reply } => (error, reply),
        };
        let what = match error.as_str() {
            "ratelimited"
            | "rate_limited"
            | "internal_error"
            | "fatal_error"
            | "request_timeout"
            | "service_unavailable"
            | "message_limit_exceeded" => return reply.for_now(&error),
            "not_in_channel" => "; invite the bot to the channel",
            "channel_not_found" => "; is `channel` the id of a channel that the bot is in?",
            "missing_scope" => "; the bot needs the scope chat:write",
            "invalid_auth" | "not_authed" | "token_revoked" | "token_expired"
            | "account_inactive" => "; the token is no longer good",
            _ => "",
        };
        reply.for_good(&format!("{error}{what}"))
    }
}
