//! Alertmanager, as its `openapi.yaml` and its validation have it.

use alerts::instant;
use serde_json::Value;

use crate::channel::Failed;
use crate::testing::{self, Answer, Receiver, Seen};

/// What it refuses: `ValidateAlert` and the shapes of the API.
pub(crate) fn wrong(alert: &Value) -> Option<&'static str> {
    let text = |name: &str| alert[name].as_str().and_then(instant);
    let (Some(starts), Some(ends)) = (text("startsAt"), text("endsAt")) else {
        return Some("times");
    };
    if ends <= starts {
        return Some("start time must be before end time");
    }
    for part in ["labels", "annotations"] {
        for (name, value) in alert[part].as_object()? {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty()
                || name.starts_with(|c: char| c.is_ascii_digit())
                || !name.chars().all(fits)
            {
                return Some("invalid label name");
            }
            if !value.is_string() {
                return Some("value");
            }
        }
    }
    (alert["labels"]["alertname"].as_str()?.is_empty())
        .then_some("at least one label pair required")
}

fn contract(seen: &Seen) -> Answer {
    let body = seen.json();
    let alerts = body.as_array().unwrap();
    match (
        seen.method.as_str(),
        seen.path.as_str(),
        alerts.iter().find_map(wrong),
    ) {
        ("POST", "/am/api/v2/alerts", None) => Answer::Text(200, String::new()),
        ("POST", "/am/api/v2/alerts", Some(why)) => Answer::Text(400, format!("\"{why}\"")),
        _ => Answer::Text(404, String::new()),
    }
}

#[tokio::test]
async fn resolving_moves_the_end_of_the_same_alert() {
    let receiver = Receiver::start(contract).await;
    let channel = testing::channel(&format!(
        "kind: alertmanager\nurl: {}/am/\nlabels: {{cluster: eu}}",
        receiver.url
    ));
    for notice in [
        testing::opened(),
        testing::escalated(),
        testing::acknowledged(),
        testing::resolved(),
    ] {
        channel.deliver(&notice, None).await.unwrap();
    }
    let bodies: Vec<Value> = receiver.seen().iter().map(Seen::json).collect();
    assert_eq!(bodies.len(), 3, "an acknowledgement is not told");
    for body in &bodies {
        assert_eq!(body[0]["labels"], bodies[0][0]["labels"]);
        assert_eq!(body[0]["startsAt"], bodies[0][0]["startsAt"]);
    }
    assert_eq!(bodies[0][0]["labels"]["group_remote_ip"], "203.0.113.9");
    assert_eq!(bodies[0][0]["labels"]["cluster"], "eu");
    assert_eq!(bodies[0][0]["endsAt"], "2026-12-21T10:00:20Z");
    assert_eq!(bodies[2][0]["endsAt"], "2026-11-21T10:00:21Z");
    channel.deliver(&testing::huge(1), None).await.unwrap();
}

#[tokio::test]
async fn what_it_refuses_is_refused() {
    let receiver = Receiver::start(contract).await;
    let channel = testing::channel(&format!(
        "kind: alertmanager\nurl: {}/elsewhere",
        receiver.url
    ));
    let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
    assert!(matches!(failed, Failed::ForGood { .. }));
}

#[tokio::test]
async fn a_password_goes_as_basic_and_is_not_shown() {
    let receiver = Receiver::start(|seen| match seen.header("authorization") {
        "Basic YW5uOnBhc3N3b3Jk" => Answer::Text(200, String::new()),
        other => Answer::Text(401, other.to_owned()),
    })
    .await;
    let yaml = format!(
        "kind: alertmanager\nurl: {}\nuser: ann\npassword: {{env: PASSWORD}}",
        receiver.url
    );
    testing::channel(&yaml)
        .deliver(&testing::opened(), None)
        .await
        .unwrap();
    let yaml = format!(
        "kind: alertmanager\nurl: {}\nuser: bob\npassword: {{env: PASSWORD}}",
        receiver.url
    );
    let failed = testing::channel(&yaml)
        .deliver(&testing::opened(), None)
        .await
        .unwrap_err();
    assert_eq!(failed.to_string(), "127.0.0.1 answered 401: Basic ***");
}

#[test]
fn messages_read_well() {
    let channel = testing::channel("kind: alertmanager\nurl: http://alertmanager:9093");
    testing::golden(
        "alertmanager-opened.json",
        &channel.preview(&testing::opened()),
    );
}
