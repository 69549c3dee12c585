//! PagerDuty, both ways in.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::channel::{Channel, Failed};
use crate::testing::{self, Answer, Receiver, Seen};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// What the Events API v2 documents as needed.
pub(crate) fn wrong(event: &Value) -> Option<&'static str> {
    let text = |value: &Value, most: usize| {
        value
            .as_str()
            .is_some_and(|text| (1..=most).contains(&text.chars().count()))
    };
    if event["routing_key"]
        .as_str()
        .is_none_or(|key| key.len() != 32)
    {
        return Some("routing_key");
    }
    if !text(&event["dedup_key"], 255) {
        return Some("dedup_key");
    }
    match event["event_action"].as_str() {
        Some("acknowledge" | "resolve") => None,
        Some("trigger") => {
            let payload = &event["payload"];
            let severities = ["critical", "error", "warning", "info"];
            let severity = payload["severity"]
                .as_str()
                .is_some_and(|word| severities.contains(&word));
            let fits =
                text(&payload["summary"], 1_024) && text(&payload["source"], 255) && severity;
            (!fits).then_some("payload")
        }
        _ => Some("event_action"),
    }
}

fn events(seen: &Seen) -> Answer {
    if seen.body.len() > 512 * 1024 {
        return Answer::Text(413, String::new());
    }
    match (seen.path.as_str(), wrong(&seen.json())) {
        ("/v2/enqueue", None) => {
            let event = seen.json();
            Answer::Json(
                202,
                json!({"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}),
            )
        }
        (_, why) => Answer::Json(400, json!({"status": "invalid event", "errors": [why]})),
    }
}

fn by_events(url: &str) -> Box<dyn Channel> {
    let yaml = format!("kind: pagerduty\nrouting_key: {{env: KEY}}\nevents_url: {url}/v2/enqueue");
    testing::build(&yaml, &[("KEY", KEY)])
}

#[tokio::test]
async fn one_incident_is_triggered_acknowledged_and_resolved() {
    let pagerduty = Receiver::start(events).await;
    let channel = by_events(&pagerduty.url);
    for notice in [
        testing::opened(),
        testing::escalated(),
        testing::acknowledged(),
        testing::resolved(),
        testing::huge(1),
    ] {
        channel.deliver(&notice, None).await.unwrap();
    }
    let bodies: Vec<Value> = pagerduty.seen().iter().map(Seen::json).collect();
    let actions: Vec<&str> = bodies
        .iter()
        .map(|body| body["event_action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        ["trigger", "trigger", "acknowledge", "resolve", "trigger"]
    );
    assert!(
        bodies[..4]
            .iter()
            .all(|body| body["dedup_key"] == "guardlake:al-3f9a61c07be2d815")
    );
    assert_eq!(bodies[0]["payload"]["severity"], "error");
}

#[tokio::test]
async fn long_threads_have_short_keys_of_their_own() {
    let pagerduty = Receiver::start(events).await;
    let channel = by_events(&pagerduty.url);
    for ending in ["a", "b"] {
        let mut notice = testing::opened();
        notice.thread = format!("{}{ending}", "ü".repeat(500));
        channel.deliver(&notice, None).await.unwrap();
    }
    let seen = pagerduty.seen();
    assert_ne!(seen[0].json()["dedup_key"], seen[1].json()["dedup_key"]);
}

#[tokio::test]
async fn refusals_are_for_good_and_name_no_key() {
    let pagerduty = Receiver::start(events).await;
    let channel = by_events(&pagerduty.url);
    pagerduty.first(Answer::Text(400, format!("invalid routing key {KEY}")));
    let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
    assert!(
        matches!(&failed, Failed::ForGood { why } if !why.contains(KEY)),
        "{failed:?}"
    );
    pagerduty.first(Answer::Text(429, String::new()));
    let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
    assert!(matches!(failed, Failed::ForNow { .. }), "{failed:?}");
    assert!(!channel.preview(&testing::opened()).contains(KEY));
}

type Incidents = Arc<Mutex<Vec<Value>>>;

/// Incidents as the REST API keeps them.
fn rest(incidents: Incidents) -> impl Fn(&Seen) -> Answer {
    move |seen| {
        let known = seen.header("authorization") == "Token token=t0ken"
            && seen.header("from") == "ann@corp.example";
        if !known {
            return Answer::Text(401, String::new());
        }
        let mut all = incidents.lock().unwrap();
        let parts: Vec<&str> = seen.path.split('/').skip(1).collect();
        match (seen.method.as_str(), &parts[..]) {
            ("GET", ["incidents"]) => {
                assert!(
                    seen.query.contains("incident_key=guardlake%3A")
                        && seen.query.contains("statuses%5B%5D=triggered")
                );
                let open: Vec<&Value> = all
                    .iter()
                    .filter(|incident| incident["status"] != "resolved")
                    .collect();
                Answer::Json(200, json!({"incidents": open}))
            }
            ("POST", ["incidents"]) => {
                let mut incident = seen.json()["incident"].clone();
                let fits = incident["type"] == "incident"
                    && incident["service"]["type"] == "service_reference"
                    && incident["title"]
                        .as_str()
                        .is_some_and(|title| title.chars().count() <= 255);
                assert!(fits, "{incident}");
                let key = &incident["incident_key"];
                if all
                    .iter()
                    .any(|known| known["incident_key"] == *key && known["status"] != "resolved")
                {
                    let error =
                        "Open incident with matching dedup key already exists on this service";
                    return Answer::Json(
                        400,
                        json!({"error": {"message": "Arguments Caused Error", "errors": [error]}}),
                    );
                }
                incident["id"] = json!(format!("Q{}", all.len()));
                incident["status"] = json!("triggered");
                incident["notes"] = json!([]);
                all.push(incident.clone());
                Answer::Json(201, json!({"incident": incident}))
            }
            ("POST", ["incidents", id, "notes"]) => {
                let incident = all
                    .iter_mut()
                    .find(|incident| incident["id"] == **id)
                    .unwrap();
                incident["notes"]
                    .as_array_mut()
                    .unwrap()
                    .push(seen.json()["note"]["content"].clone());
                Answer::Json(200, json!({"note": {}}))
            }
            ("PUT", ["incidents", id]) => {
                let incident = all
                    .iter_mut()
                    .find(|incident| incident["id"] == **id)
                    .unwrap();
                incident["status"] = seen.json()["incident"]["status"].clone();
                Answer::Json(200, json!({"incident": incident.clone()}))
            }
            _ => Answer::Text(404, String::new()),
        }
    }
}

fn by_rest(url: &str) -> Box<dyn Channel> {
    let yaml = format!(
        "kind: pagerduty\ntoken: {{env: TOKEN}}\nfrom: ann@corp.example\nservice: PSVC\napi: {url}\npriority: {{high: P2, Critical: P1}}"
    );
    testing::build(&yaml, &[("TOKEN", "t0ken")])
}

#[tokio::test]
async fn an_incident_with_a_priority_lives_once() {
    let incidents = Incidents::default();
    let pagerduty = Receiver::start(rest(incidents.clone())).await;
    let channel = by_rest(&pagerduty.url);
    let receipt = channel.deliver(&testing::opened(), None).await.unwrap();
    assert_eq!(receipt.reference.as_deref(), Some("Q0"));
    // The same again, as after a crash.
    channel.deliver(&testing::opened(), None).await.unwrap();
    channel
        .deliver(&testing::escalated(), Some(&receipt))
        .await
        .unwrap();
    {
        let all = incidents.lock().unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(
            all[0]["priority"],
            json!({"id": "P2", "type": "priority_reference"})
        );
        assert_eq!(all[0]["notes"].as_array().unwrap().len(), 1);
    }
    channel
        .deliver(&testing::acknowledged(), Some(&receipt))
        .await
        .unwrap();
    assert_eq!(incidents.lock().unwrap()[0]["status"], "acknowledged");
    channel
        .deliver(&testing::resolved(), Some(&receipt))
        .await
        .unwrap();
    channel
        .deliver(&testing::resolved(), Some(&receipt))
        .await
        .unwrap();
    assert_eq!(incidents.lock().unwrap()[0]["status"], "resolved");
    // After a resolve the same key opens another.
    channel
        .deliver(&testing::escalated(), Some(&receipt))
        .await
        .unwrap();
    assert_eq!(incidents.lock().unwrap().len(), 2);
}

#[test]
fn messages_read_well() {
    let channel = by_events("http://127.0.0.1:9");
    testing::golden(
        "pagerduty-opened.json",
        &channel.preview(&testing::opened()),
    );
    testing::golden(
        "pagerduty-resolved.json",
        &channel.preview(&testing::resolved()),
    );
    testing::golden(
        "pagerduty-incident.json",
        &by_rest("http://127.0.0.1:9").preview(&testing::opened()),
    );
}
