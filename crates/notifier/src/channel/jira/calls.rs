//! What is asked of Jira, one function a call.

use std::time::Duration;

use alerts::clean;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::Product;
use crate::channel::Failed;
use crate::channel::http::{Http, Reply, Target};
use crate::document::line;

/// After a change the search answers as before "from a few seconds to minutes", most within seconds
/// (developer.atlassian.com/cloud/jira/platform/search-and-reconcile; what helps there needs the id of the issue).
const INDEXED: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Calls {
    pub(super) http: Http,
    pub(super) site: Target,
    pub(super) authorization: HeaderValue,
    pub(super) product: Product,
}

/// An issue as it stands.
#[derive(Debug)]
pub(super) struct Issue {
    /// `SEC-12`
    pub(super) key: String,
    /// Its status is one of those that are done, whatever the workflow calls it.
    pub(super) done: bool,
}

impl Issue {
    fn read(issue: &Value) -> Option<Issue> {
        let category = &issue["fields"]["status"]["statusCategory"]["key"];
        Some(Issue {
            key: issue["key"].as_str()?.to_owned(),
            done: category == "done",
        })
    }
}

impl Calls {
    /// `None` where it was deleted, moved out of sight, or never was.
    pub(super) async fn issue(&self, key: &str) -> Result<Option<Issue>, Failed> {
        let target = self.at(&["issue", key]).with_query(&[("fields", "status")]);
        let reply = self.ask(Method::GET, target, None).await?;
        if reply.status == 404 {
            return Ok(None);
        }
        Ok(Issue::read(&json_of(reply.accepted()?)?))
    }

    /// The newest issue of a project with a label. Both are letters, digits, `_` and `-`.
    pub(super) async fn search(&self, project: &str, label: &str) -> Result<Option<Issue>, Failed> {
        let jql = format!("project = \"{project}\" AND labels = \"{label}\" ORDER BY created DESC");
        let path: &[&str] = match self.product {
            Product::Cloud => &["search", "jql"],
            Product::DataCenter => &["search"],
        };
        let body = json!({"jql": jql, "maxResults": 1, "fields": ["status"]});
        let reply = self.ask(Method::POST, self.at(path), Some(body)).await?;
        let found = json_of(reply.accepted()?)?;
        Ok(found["issues"].get(0).and_then(Issue::read))
    }

    /// The key of what was made. Where nobody knows whether it was, the next attempt is to wait until the search would know.
    pub(super) async fn create(&self, issue: Value) -> Result<String, Failed> {
        let reply = self
            .ask(Method::POST, self.at(&["issue"]), Some(issue))
            .await;
        let reply = reply.map_err(once_indexed)?;
        // Whoever is throttled has made nothing.
        let reply = match reply.status {
            429 => reply.accepted()?,
            _ => reply.accepted().map_err(once_indexed)?,
        };
        let made: Value = serde_json::from_str(&reply.text).unwrap_or_default();
        match made["key"].as_str() {
            Some(key) => Ok(key.to_owned()),
            None => Err(once_indexed(
                reply.for_now("it answered without the key of an issue"),
            )),
        }
    }

    /// Whether one of the last comments holds a text.
    pub(super) async fn has_comment(&self, key: &str, mark: &str) -> Result<bool, Failed> {
        let query = [("orderBy", "-created"), ("maxResults", "50")];
        let target = self.at(&["issue", key, "comment"]).with_query(&query);
        let reply = self.ask(Method::GET, target, None).await?;
        let found = json_of(reply.accepted()?)?;
        let comments = found["comments"].as_array().into_iter().flatten();
        Ok(comments
            .into_iter()
            .any(|comment| comment["body"].to_string().contains(mark)))
    }

    pub(super) async fn comment(&self, key: &str, body: Value) -> Result<(), Failed> {
        let target = self.at(&["issue", key, "comment"]);
        let reply = self
            .ask(Method::POST, target, Some(json!({"body": body})))
            .await?;
        reply.accepted()?;
        Ok(())
    }

    /// Transitions have names for people and ids for the API, and which there are depends on the status.
    pub(super) async fn transition(&self, key: &str, name: &str) -> Result<(), Failed> {
        let target = self.at(&["issue", key, "transitions"]);
        let reply = self
            .ask(Method::GET, target.clone(), None)
            .await?
            .accepted()?;
        let found: Value = serde_json::from_str(&reply.text).unwrap_or_default();
        let all: Vec<&Value> = found["transitions"]
            .as_array()
            .into_iter()
            .flatten()
            .collect();
        let named = |transition: &&&Value| {
            transition["name"]
                .as_str()
                .is_some_and(|known| known.eq_ignore_ascii_case(name))
        };
        let Some(id) = all
            .iter()
            .find(named)
            .and_then(|transition| transition["id"].as_str())
        else {
            let names: Vec<&str> = all
                .iter()
                .filter_map(|known| known["name"].as_str())
                .collect();
            let (key, names) = (clean(key, 60), names.join(", "));
            return Err(reply.for_good(&format!(
                "{key} has no transition `{name}`; there are: {names}"
            )));
        };
        let body = json!({"transition": {"id": id}});
        self.ask(Method::POST, target, Some(body))
            .await?
            .accepted()?;
        Ok(())
    }

    fn at(&self, path: &[&str]) -> Target {
        let version = match self.product {
            Product::Cloud => "3",
            Product::DataCenter => "2",
        };
        self.site.below(&["rest", "api", version]).below(path)
    }

    async fn ask(
        &self,
        method: Method,
        target: Target,
        body: Option<Value>,
    ) -> Result<Reply, Failed> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, self.authorization.clone())]);
        self.http
            .send(method, &target, headers, body.map(|body| line(&body)))
            .await
    }
}

fn json_of(reply: Reply) -> Result<Value, Failed> {
    serde_json::from_str(&reply.text).map_err(|_| reply.for_now("the answer is no JSON"))
}

fn once_indexed(failed: Failed) -> Failed {
    match failed {
        Failed::ForNow { why, wait } => Failed::ForNow {
            why,
            wait: Some(wait.unwrap_or_default().max(INDEXED)),
        },
        failed => failed,
    }
}
