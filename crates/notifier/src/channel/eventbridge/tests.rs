//! Events as EventBridge takes them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Config, EventBridge};
use crate::channel::aws::tests::{assert_signed, client, errors_are_told_apart};
use crate::channel::{Channel, Failed, Receipt};
use crate::testing::{self, Answer, Receiver, Seen};

const BUS: &str = "arn:aws:events:eu-central-1:111122223333:event-bus/security";

fn channel(url: &str, bus: Option<&str>) -> EventBridge {
    let config = Config {
        bus: bus.map(str::to_owned),
    };
    let mut channel = EventBridge::new(&config, client!(aws_sdk_eventbridge, url)).unwrap();
    channel.timeout = Duration::from_secs(1);
    channel
}

/// What the API reference says of `PutEvents`.
fn contract(seen: &Seen) -> Answer {
    assert_eq!(seen.header("x-amz-target"), "AWSEvents.PutEvents");
    assert_eq!(seen.header("content-type"), "application/x-amz-json-1.1");
    let body = seen.json();
    let entries = body["Entries"].as_array().unwrap();
    assert!((1..=10).contains(&entries.len()));
    let mut bytes = 0;
    for entry in entries {
        let text = |field: &str| entry[field].as_str().unwrap();
        assert!(!text("Source").is_empty() && !text("Source").starts_with("aws."));
        assert!((1..=128).contains(&text("DetailType").len()));
        assert!((1..=1_600).contains(&text("EventBusName").len()));
        let detail: Value = serde_json::from_str(text("Detail")).unwrap();
        assert!(detail.is_object());
        assert!(entry["Time"].is_number());
        bytes += 14 + text("Source").len() + text("DetailType").len() + text("Detail").len();
    }
    assert!(bytes < 256_000, "targets take no more: {bytes}");
    Answer::Json(
        200,
        json!({"FailedEntryCount": 0, "Entries": [{"EventId": "11710aed"}]}),
    )
}

async fn published(report: &crate::Bulletin) -> Value {
    let receiver = Receiver::start(contract).await;
    let there = channel(&receiver.url, None);
    assert!(there.takes_reports());
    let sent = there.publish(report).await.unwrap();
    assert_eq!(sent.reference.as_deref(), Some("11710aed"));
    receiver.seen().remove(0).json()["Entries"][0].clone()
}

#[tokio::test]
async fn a_report_is_an_event() {
    let report = testing::report();
    let entry = published(&report).await;
    assert_eq!(entry["DetailType"], "guardlake report made");
    assert_eq!(
        entry["Time"].as_f64(),
        Some((report.made_at / 1_000_000) as f64)
    );
    let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&detail["key"], &detail["event"]),
        (&json!(report.key), &json!("report"))
    );
    let event =
        json!({"source": entry["Source"], "detail-type": entry["DetailType"], "detail": detail});
    testing::golden("report-eventbridge.json", &format!("{event:#}\n"));
    let entry = published(&testing::huge_report()).await;
    let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail["truncated"], json!(true));
    for text in ["", "\0\u{ffff}", "\"}", "\u{202e}👍"] {
        published(&testing::report_with(text)).await;
    }
}

async fn put(bus: Option<&str>, notice: &alerts::Notice) -> Seen {
    let receiver = Receiver::start(contract).await;
    let sent = channel(&receiver.url, bus)
        .deliver(notice, None)
        .await
        .unwrap();
    let due = Receipt {
        reference: Some("11710aed".to_owned()),
        detail: Value::Null,
    };
    assert_eq!(sent, due);
    receiver.seen().remove(0)
}

#[tokio::test]
async fn an_alert_is_an_event() {
    let notice = testing::opened();
    let seen = put(Some(BUS), &notice).await;
    assert_signed(&seen, "eu-central-1", "events");
    let entry = &seen.json()["Entries"][0];
    assert_eq!(entry["Source"], "guardlake");
    assert_eq!(entry["DetailType"], "GuardLake Alert");
    assert_eq!(entry["EventBusName"], BUS);
    assert_eq!(entry["Time"].as_f64(), Some((notice.at / 1_000_000) as f64));
    let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail["key"], notice.key);
    assert_eq!(detail["alert"]["alert_id"], notice.items[0].alert.alert_id);
    let ours = json!({"source": ["guardlake"], "detail": {
        "event": ["opened"], "alert": {"severity": ["High", "Critical"], "accounts": ["222222222222"]},
    }});
    let event = json!({"source": entry["Source"], "detail": detail});
    assert!(
        alerts::Pattern::from_value(&ours).unwrap().matches(&event),
        "rules find it"
    );
}

#[tokio::test]
async fn without_an_arn_the_region_is_that_of_the_client() {
    for (bus, named) in [(None, "default"), (Some("security"), "security")] {
        let seen = put(bus, &testing::opened()).await;
        assert_signed(&seen, "us-west-2", "events");
        assert_eq!(seen.json()["Entries"][0]["EventBusName"], named);
    }
}

#[tokio::test]
async fn too_much_is_cut_and_says_so_and_hostile_text_breaks_nothing() {
    let seen = put(None, &testing::huge(1)).await;
    let body = seen.json();
    let detail: Value =
        serde_json::from_str(body["Entries"][0]["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail["truncated"], json!(true));
    assert_eq!(detail["alert"]["findings_total"], json!(70_000));
    for text in ["", "\0\u{ffff}", "\"}", "\u{202e}👍"] {
        put(None, &testing::with(text, testing::opened(), 3)).await;
    }
}

#[tokio::test]
async fn an_entry_that_was_refused_is_a_failure_though_http_says_all_is_well() {
    let receiver = Receiver::start(contract).await;
    let channel = channel(&receiver.url, None);
    let entry = async |entry: Value| {
        receiver.first(Answer::Json(
            200,
            json!({"FailedEntryCount": 1, "Entries": [entry]}),
        ));
        channel.deliver(&testing::opened(), None).await.unwrap_err()
    };
    for code in [
        "InternalFailure",
        "ThrottlingException",
        "InternalException",
    ] {
        let failed = entry(json!({"ErrorCode": code, "ErrorMessage": "later"})).await;
        assert!(matches!(failed, Failed::ForNow { .. }), "{failed:?}");
    }
    let unclear = entry(json!({})).await;
    assert!(matches!(unclear, Failed::ForNow { .. }), "{unclear:?}");
    let both = entry(json!({"EventId": "1", "ErrorCode": "InternalFailure"})).await;
    assert!(matches!(both, Failed::ForNow { .. }), "{both:?}");
    for (code, words) in [
        ("MalformedDetail", "Detail is malformed"),
        ("NotAuthorizedForSourceException", "Detail is malformed"),
        ("AccessDeniedException", "allow events:PutEvents on default"),
    ] {
        let failed = entry(json!({"ErrorCode": code, "ErrorMessage": "Detail is malformed"})).await;
        let Failed::ForGood { why } = &failed else {
            panic!("{failed:?}");
        };
        assert!(why.contains(code) && why.contains(words), "{why}");
    }
    receiver.first(Answer::Json(
        200,
        json!({"FailedEntryCount": 0, "Entries": []}),
    ));
    let nothing = channel.deliver(&testing::opened(), None).await.unwrap_err();
    assert!(matches!(nothing, Failed::ForNow { .. }), "{nothing:?}");
}

#[tokio::test]
async fn errors() {
    let error = |status, code| Answer::Json(status, json!({"__type": code, "message": "is\nso"}));
    let permission = format!("allow events:PutEvents on {BUS}");
    errors_are_told_apart(
        &|url| Box::new(channel(url, Some(BUS))),
        &error,
        &permission,
    )
    .await;
}

#[test]
fn settings() {
    let read = |json: Value| serde_json::from_value::<Config>(json);
    assert!(read(json!({"bus": "a", "buss": "b"})).is_err());
    let new = |bus: Option<&str>| {
        let config = Config {
            bus: bus.map(str::to_owned),
        };
        EventBridge::new(&config, client!(aws_sdk_eventbridge, "http://127.0.0.1:1")).map(|_| ())
    };
    for good in [None, Some("a/b.c-d_e"), Some(BUS)] {
        assert_eq!(new(good), Ok(()), "{good:?}");
    }
    let rule = "arn:aws:events:eu-central-1:111122223333:rule/x";
    for bad in ["", "a b", rule, "arn:aws:sns:eu-central-1:111122223333:a"] {
        assert_eq!(
            new(Some(bad)),
            Err("bus: must be a bus's name or its ARN".to_owned()),
            "{bad}"
        );
    }
}

#[test]
fn it_reads_well() {
    let channel = channel("http://127.0.0.1:1", None);
    testing::golden(
        "eventbridge-opened.json",
        &channel.preview(&testing::opened()),
    );
}
