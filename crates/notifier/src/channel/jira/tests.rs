//! Jira as it keeps issues, Cloud and Data Center.

use std::sync::{Arc, Mutex};

use alerts::{Event, State};
use serde_json::{Value, json};

use crate::channel::{Channel, Failed};
use crate::testing::{self, Answer, Receiver, Seen};

/// A document of ADF as Jira validates it: known nodes, no empty text, marks that we mean.
pub(crate) fn wrong_document(node: &Value) -> Option<String> {
    let nothing = Vec::new();
    let content = node["content"].as_array().unwrap_or(&nothing);
    match node["type"].as_str() {
        Some("doc") if node["version"] == 1 => {}
        Some("paragraph") => {}
        Some("codeBlock") if content.iter().all(|text| text["marks"].is_null()) => {}
        Some("text") if node["text"].as_str().is_some_and(|text| !text.is_empty()) => {
            let marks = node["marks"].as_array().unwrap_or(&nothing);
            let known = |mark: &Value| mark["type"] == "strong" || mark["type"] == "link";
            return (!marks.iter().all(known)).then(|| format!("mark in {node}"));
        }
        _ => return Some(format!("node {node}")),
    }
    content.iter().find_map(wrong_document)
}

#[derive(Default)]
struct Board {
    issues: Vec<Value>,
    comments: Vec<Value>,
    /// Answers are lost after what they answer was done.
    loses_answers: bool,
}

type Shared = Arc<Mutex<Board>>;

fn jira(board: Shared, version: &'static str) -> impl Fn(&Seen) -> Answer {
    move |seen| {
        let due = if version == "3" {
            "Basic YW5uQGNvcnAuZXhhbXBsZTp0MGtlbg=="
        } else {
            "Bearer t0ken"
        };
        if seen.header("authorization") != due {
            return Answer::Text(401, seen.header("authorization").to_owned());
        }
        let mut board = board.lock().unwrap();
        let board = &mut *board;
        let start = format!("/jira/rest/api/{version}/");
        let Some(path) = seen.path.strip_prefix(&start) else {
            return Answer::Text(404, String::new());
        };
        let parts: Vec<&str> = path.split('/').collect();
        let shown = |issue: &Value| {
            let category = if issue["open"] == true { "new" } else { "done" };
            json!({"key": issue["key"], "fields": {"status": {"statusCategory": {"key": category}}}})
        };
        let text = |value: &Value| match version {
            "3" => wrong_document(value).is_none(),
            _ => value
                .as_str()
                .is_some_and(|text| text.chars().count() <= 32_767),
        };
        match (seen.method.as_str(), &parts[..], version) {
            ("POST", ["search", "jql"], "3") | ("POST", ["search"], "2") => {
                let body = seen.json();
                assert!(body["fields"].is_array());
                let jql = body["jql"].as_str().unwrap();
                let label = jql.split('"').nth(3).unwrap();
                assert_eq!(
                    jql,
                    format!("project = \"SEC\" AND labels = \"{label}\" ORDER BY created DESC")
                );
                let has =
                    |issue: &&Value| issue["labels"].as_array().unwrap().contains(&json!(label));
                let found: Vec<Value> = board.issues.iter().rev().filter(has).map(shown).collect();
                Answer::Json(200, json!({"issues": found}))
            }
            ("POST", ["issue"], _) => {
                let fields = seen.json()["fields"].clone();
                let labels = fields["labels"].as_array().unwrap();
                let fits = fields["summary"].as_str().is_some_and(|summary| {
                    summary.chars().count() <= 255 && !summary.contains('\n')
                }) && labels
                    .iter()
                    .all(|label| !label.as_str().unwrap().contains(' '))
                    && fields["project"]["key"] == "SEC"
                    && fields["issuetype"]["name"] == "Incident"
                    && text(&fields["description"])
                    && fields["priority"]["name"] == "High";
                if !fits {
                    return Answer::Json(
                        400,
                        json!({"errorMessages": [], "errors": {"fields": "wrong"}}),
                    );
                }
                let key = format!("SEC-{}", board.issues.len() + 1);
                board
                    .issues
                    .push(json!({"key": key, "labels": labels, "open": true}));
                match board.loses_answers {
                    true => Answer::Text(503, String::new()),
                    false => Answer::Json(201, json!({"id": "1", "key": key, "self": ""})),
                }
            }
            (method, ["issue", key, rest @ ..], _) => {
                let Some(issue) = board.issues.iter_mut().find(|issue| issue["key"] == **key)
                else {
                    return Answer::Json(404, json!({"errorMessages": ["Issue does not exist"]}));
                };
                match (method, rest) {
                    ("GET", []) => Answer::Json(200, shown(issue)),
                    ("GET", ["comment"]) => Answer::Json(200, json!({"comments": board.comments})),
                    ("POST", ["comment"]) if text(&seen.json()["body"]) => {
                        board.comments.push(seen.json());
                        match board.loses_answers {
                            true => Answer::Text(500, String::new()),
                            false => Answer::Json(201, json!({"id": "1"})),
                        }
                    }
                    ("GET", ["transitions"]) => {
                        let all = [
                            json!({"id": "11", "name": "To Do"}),
                            json!({"id": "31", "name": "Done"}),
                        ];
                        Answer::Json(200, json!({"transitions": all}))
                    }
                    ("POST", ["transitions"]) => {
                        issue["open"] = json!(seen.json()["transition"]["id"] == "11");
                        Answer::Text(204, String::new())
                    }
                    _ => Answer::Text(400, String::new()),
                }
            }
            _ => Answer::Text(405, String::new()),
        }
    }
}

fn channel(url: &str, version: &str, resolve: &str) -> Box<dyn Channel> {
    let product = match version {
        "3" => "user: ann@corp.example",
        _ => "product: datacenter",
    };
    let yaml = format!(
        "kind: jira\nsite: {url}/jira\n{product}\ntoken: {{env: TOKEN}}\nproject: SEC\nissue_type: Incident\n\
         priority: {{high: High, critical: High, medium: High}}\nresolve_transition: {resolve}\nreopen_transition: to do"
    );
    testing::build(&yaml, &[("TOKEN", "t0ken")])
}

#[tokio::test]
async fn an_issue_is_made_commented_closed_and_opened_again() {
    for version in ["3", "2"] {
        let board = Shared::default();
        let receiver = Receiver::start(jira(board.clone(), version)).await;
        let channel = channel(&receiver.url, version, "Done");
        let receipt = channel.deliver(&testing::opened(), None).await.unwrap();
        assert_eq!(receipt.reference.as_deref(), Some("SEC-1"));
        for (notice, comments, open) in [
            (testing::escalated(), 1, true),
            (testing::acknowledged(), 2, true),
            (testing::resolved(), 3, false),
            // The same again, as after a crash.
            (testing::resolved(), 3, false),
            (
                testing::by_a_person(Event::Reopened, State::Open, "b1", "not over"),
                4,
                true,
            ),
        ] {
            assert_eq!(
                channel.deliver(&notice, Some(&receipt)).await.unwrap(),
                receipt
            );
            let board = board.lock().unwrap();
            let now = (
                board.issues.len(),
                board.comments.len(),
                board.issues[0]["open"] == true,
            );
            assert_eq!(
                now,
                (1, comments, open),
                "version {version}, {}",
                notice.key
            );
        }
        channel.deliver(&testing::huge(1), None).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_issue_and_no_second_comment() {
    let board = Shared::default();
    let receiver = Receiver::start(jira(board.clone(), "3")).await;
    let channel = channel(&receiver.url, "3", "Done");
    board.lock().unwrap().loses_answers = true;
    let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
    let minute = Some(std::time::Duration::from_secs(60));
    assert!(
        matches!(failed, Failed::ForNow { wait, .. } if wait == minute),
        "{failed:?}"
    );
    let receipt = channel.deliver(&testing::opened(), None).await.unwrap();
    assert_eq!(receipt.reference.as_deref(), Some("SEC-1"));
    channel
        .deliver(&testing::escalated(), Some(&receipt))
        .await
        .unwrap_err();
    channel
        .deliver(&testing::escalated(), Some(&receipt))
        .await
        .unwrap();
    let board = board.lock().unwrap();
    assert_eq!((board.issues.len(), board.comments.len()), (1, 1));
}

#[tokio::test]
async fn what_was_deleted_is_made_anew_and_not_closed() {
    let board = Shared::default();
    let receiver = Receiver::start(jira(board.clone(), "2")).await;
    let channel = channel(&receiver.url, "2", "Done");
    let receipt = channel.deliver(&testing::opened(), None).await.unwrap();
    board.lock().unwrap().issues.clear();
    assert_eq!(
        channel
            .deliver(&testing::resolved(), Some(&receipt))
            .await
            .unwrap()
            .reference,
        None
    );
    assert!(board.lock().unwrap().issues.is_empty());
    channel
        .deliver(&testing::escalated(), Some(&receipt))
        .await
        .unwrap();
    assert_eq!(board.lock().unwrap().issues.len(), 1);
}

#[tokio::test]
async fn a_transition_that_is_not_there_is_named_with_those_that_are() {
    let receiver = Receiver::start(jira(Shared::default(), "3")).await;
    let channel = channel(&receiver.url, "3", "Closed");
    let receipt = channel.deliver(&testing::opened(), None).await.unwrap();
    let failed = channel
        .deliver(&testing::resolved(), Some(&receipt))
        .await
        .unwrap_err();
    let due = "127.0.0.1: SEC-1 has no transition `Closed`; there are: To Do, Done";
    assert_eq!(failed.to_string(), due);
}

#[test]
fn messages_read_well() {
    let cloud = channel("http://127.0.0.1:9", "3", "Done");
    testing::golden("jira-cloud-opened.json", &cloud.preview(&testing::opened()));
    let text = channel("http://127.0.0.1:9", "2", "Done").preview(&testing::opened());
    let text: Value = serde_json::from_str(&text).unwrap();
    testing::golden(
        "jira-datacenter-opened.txt",
        text["fields"]["description"].as_str().unwrap(),
    );
}
