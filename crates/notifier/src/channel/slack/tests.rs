//! Slack, as strict as Slack is.

use serde_json::{Value, json};

use super::message::mrkdwn;
use crate::channel::{Channel, Failed};
use crate::testing::{self, Answer, Receiver, Seen};

/// What Slack refuses in a message, by its documents and by what others ran into.
pub(crate) fn wrong(message: &Value) -> Result<(), String> {
    let len = |text: &Value| text.as_str().map_or(0, |text| text.encode_utf16().count());
    let ensure = |fits: bool, what: &str| if fits { Ok(()) } else { Err(what.to_owned()) };
    ensure((1..=40_000).contains(&len(&message["text"])), "no_text")?;
    let none = Vec::new();
    let mut sets = Vec::new();
    for attachment in message["attachments"].as_array().unwrap_or(&none) {
        let color = attachment["color"].as_str().unwrap_or_default();
        ensure(color.len() == 7 && color.starts_with('#'), "color")?;
        sets.push(attachment["blocks"].as_array().ok_or("blocks")?);
    }
    sets.extend(message["blocks"].as_array());
    let mut all = 0;
    for blocks in sets {
        ensure((1..=50).contains(&blocks.len()), "too many blocks")?;
        for block in blocks {
            let mut texts = vec![];
            match block["type"].as_str() {
                Some("header") => {
                    let text = &block["text"];
                    ensure(text["type"] == "plain_text", "type of header")?;
                    ensure((1..=150).contains(&len(&text["text"])), "length of header")?;
                    all += len(&text["text"]);
                }
                Some("section") => {
                    ensure(
                        block["text"].is_object() || block["fields"].is_array(),
                        "empty section",
                    )?;
                    if block["text"].is_object() {
                        texts.push((&block["text"], 3_000));
                    }
                    let fields = block["fields"].as_array().unwrap_or(&none);
                    ensure(fields.len() <= 10, "too many fields")?;
                    texts.extend(fields.iter().map(|field| (field, 2_000)));
                }
                Some("context") => {
                    let elements = block["elements"].as_array().unwrap_or(&none);
                    ensure((1..=10).contains(&elements.len()), "elements")?;
                    texts.extend(elements.iter().map(|element| (element, 3_000)));
                }
                other => return Err(format!("unsupported type {other:?}")),
            }
            for (text, most) in texts {
                ensure(text["type"] == "mrkdwn", "type of text")?;
                ensure((1..=most).contains(&len(&text["text"])), "length of text")?;
                all += len(&text["text"]);
            }
        }
    }
    ensure(all <= 13_000, "msg_blocks_too_long")
}

fn hook(seen: &Seen) -> Answer {
    if seen.method != "POST" || seen.path != "/services/T000/B000/s3cr3ts3cr3t" {
        return Answer::Text(404, "no_service".to_owned());
    }
    if !seen.header("content-type").starts_with("application/json") {
        return Answer::Text(400, "invalid_payload".to_owned());
    }
    match wrong(&seen.json()) {
        Ok(()) => Answer::Text(200, "ok".to_owned()),
        Err(_) => Answer::Text(400, "invalid_payload".to_owned()),
    }
}

fn api(seen: &Seen) -> Answer {
    let error = |error: &str| Answer::Json(200, json!({"ok": false, "error": error}));
    if seen.header("authorization") != "Bearer xoxb-t0ken" {
        return error("invalid_auth");
    }
    let body = seen.json();
    // Without these, `chat.update` parses as a client does.
    if body["parse"] != "none" || body["link_names"] != false {
        return error("links");
    }
    if let Err(why) = wrong(&body) {
        return error(&why);
    }
    match (
        seen.path.as_str(),
        body["channel"].as_str(),
        body["ts"].as_str(),
    ) {
        ("/api/chat.postMessage", Some("C1"), None) => Answer::Json(
            200,
            json!({"ok": true, "channel": "C1", "ts": "1700.5", "message": {}}),
        ),
        ("/api/chat.update", Some("C1"), Some("1700.5")) => Answer::Json(
            200,
            json!({"ok": true, "channel": "C1", "ts": "1700.5", "text": ""}),
        ),
        ("/api/chat.update", Some("C1"), _) => error("message_not_found"),
        _ => error("channel_not_found"),
    }
}

fn webhook(url: &str, more: &str) -> Box<dyn Channel> {
    let address = format!("{url}/services/T000/B000/s3cr3ts3cr3t");
    testing::build(
        &format!("kind: slack\nwebhook: {{env: HOOK}}{more}"),
        &[("HOOK", &address)],
    )
}

fn bot(url: &str, channel: &str) -> Box<dyn Channel> {
    let yaml = format!(
        "kind: slack\ntoken: {{env: TOKEN}}\nchannel: {channel}\napi: {url}/api\nhere: critical"
    );
    testing::build(&yaml, &[("TOKEN", "xoxb-t0ken")])
}

#[tokio::test]
async fn a_webhook_is_right_only_when_it_says_ok() {
    let slack = Receiver::start(hook).await;
    let channel = webhook(&slack.url, "");
    channel.deliver(&testing::opened(), None).await.unwrap();
    channel.deliver(&testing::huge(200), None).await.unwrap();
    slack.first(Answer::Text(200, "<html>please log in</html>".to_owned()));
    let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
    assert!(matches!(failed, Failed::ForNow { .. }), "{failed:?}");
    slack.first(Answer::Text(
        404,
        "no_service for /services/T000/B000/s3cr3ts3cr3t".to_owned(),
    ));
    let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
    let why = failed.to_string();
    assert!(
        matches!(failed, Failed::ForGood { .. }) && why.contains("404: no_service"),
        "{why}"
    );
    assert!(
        !why.contains("s3cr3t") && !format!("{channel:?}").contains("s3cr3t"),
        "{why}"
    );
}

#[tokio::test]
async fn a_bot_edits_the_first_message_and_answers_in_its_thread() {
    let slack = Receiver::start(api).await;
    let channel = bot(&slack.url, "C1");
    let receipt = channel.deliver(&testing::opened(), None).await.unwrap();
    assert_eq!(receipt.reference.as_deref(), Some("1700.5"));
    let first = slack.seen();
    assert_eq!(first.len(), 1);
    assert!(first[0].json()["thread_ts"].is_null());
    let again = channel
        .deliver(&testing::resolved(), Some(&receipt))
        .await
        .unwrap();
    assert_eq!(again, receipt);
    let seen = slack.seen();
    let paths: Vec<&str> = seen.iter().map(|seen| &*seen.path).collect();
    assert_eq!(paths, ["/api/chat.update", "/api/chat.postMessage"]);
    assert_eq!(seen[1].json()["thread_ts"], "1700.5");
    testing::golden("slack-answer.json", &format!("{:#}\n", seen[1].json()));
    assert_eq!(seen[1].json()["reply_broadcast"], false);
    assert_eq!(seen[0].json()["attachments"][0]["color"], "#1e8e3e");
}

#[tokio::test]
async fn a_message_that_somebody_deleted_is_posted_anew() {
    let slack = Receiver::start(api).await;
    let channel = bot(&slack.url, "C1");
    let mut receipt = channel.deliver(&testing::opened(), None).await.unwrap();
    receipt.reference = Some("1.1".to_owned());
    let new = channel
        .deliver(&testing::escalated(), Some(&receipt))
        .await
        .unwrap();
    assert_eq!(new.reference.as_deref(), Some("1700.5"));
}

#[tokio::test]
async fn an_error_with_status_200_is_an_error() {
    let slack = Receiver::start(api).await;
    let failed = bot(&slack.url, "C9")
        .deliver(&testing::opened(), None)
        .await
        .unwrap_err();
    let Failed::ForGood { why } = failed else {
        panic!("{failed:?}")
    };
    assert!(why.contains("channel_not_found"), "{why}");
    slack.first(Answer::Json(
        200,
        json!({"ok": false, "error": "ratelimited"}),
    ));
    let failed = bot(&slack.url, "C1")
        .deliver(&testing::opened(), None)
        .await
        .unwrap_err();
    assert!(matches!(failed, Failed::ForNow { .. }), "{failed:?}");
    slack.first(Answer::With(
        429,
        "retry-after",
        "30".to_owned(),
        String::new(),
    ));
    let failed = bot(&slack.url, "C1")
        .deliver(&testing::opened(), None)
        .await
        .unwrap_err();
    let Failed::ForNow { wait, .. } = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(wait.map(|wait| wait.as_secs()), Some(30));
}

#[tokio::test]
async fn people_are_called_for_the_configured_severity_and_above_and_never_otherwise() {
    let slack = Receiver::start(hook).await;
    for (here, calls) in [
        ("", false),
        ("\nhere: critical", false),
        ("\nhere: high", true),
        ("\nhere: low", true),
    ] {
        let channel = webhook(&slack.url, here);
        assert_eq!(
            channel.preview(&testing::opened()).contains("<!here>"),
            calls,
            "{here}"
        );
        assert!(!channel.preview(&testing::resolved()).contains("<!here>"));
        assert!(
            !channel
                .preview(&testing::acknowledged())
                .contains("<!here>")
        );
    }
}

#[test]
fn text_is_shown_as_it_is() {
    let check = |text: &str, shown: &str| assert_eq!(mrkdwn(text, 100), shown);
    check(
        "a & <!here> <@U1> <https://x|y>",
        "a &amp; &lt;!here&gt; &lt;@U1&gt; &lt;https://x|y&gt;",
    );
    check("*b* ~s~ `c` _i_ remote_ip", "∗b∗ ∼s∼ ˋcˋ ˍiˍ remote_ip");
    check(
        ":fire: 10:30:00 2001:db8:a::1 :100:",
        ":fire∶ 10:30:00 2001:db8:a::1 :100∶",
    );
    assert_eq!(mrkdwn("ab<cd", 7), "ab&lt;…");
    assert_eq!(mrkdwn("ab<cd", 6), "ab…");
    assert_eq!(mrkdwn("abc", 3), "abc");
}

#[tokio::test]
async fn messages_read_well() {
    let channel = webhook("http://127.0.0.1:9", "\nhere: high");
    testing::golden("slack-opened.json", &channel.preview(&testing::opened()));
    testing::golden(
        "slack-resolved.json",
        &channel.preview(&testing::resolved()),
    );
    testing::golden("slack-group.json", &channel.preview(&testing::group(200)));
}

#[tokio::test]
async fn a_report_is_posted_by_webhook_and_by_bot_and_calls_nobody() {
    let slack = Receiver::start(hook).await;
    let channel = webhook(&slack.url, "\nhere: informational");
    assert!(channel.takes_reports());
    let receipt = channel.publish(&testing::report()).await.unwrap();
    assert_eq!(receipt, crate::Receipt::default());
    channel.publish(&testing::huge_report()).await.unwrap();
    for seen in slack.seen() {
        assert!(!seen.json().to_string().contains("<!here>"));
    }
    slack.first(Answer::Text(200, "no_text".to_owned()));
    let failed = channel.publish(&testing::report()).await.unwrap_err();
    assert!(matches!(failed, Failed::ForNow { .. }), "{failed:?}");
    let slack = Receiver::start(api).await;
    let channel = bot(&slack.url, "C1");
    let receipt = channel.publish(&testing::linked_report()).await.unwrap();
    assert_eq!(receipt.reference.as_deref(), Some("1700.5"));
    channel
        .publish(&testing::report_with("a\0 <b>"))
        .await
        .unwrap();
    let seen = slack.seen();
    let message = seen[0].json();
    assert_eq!(
        message["metadata"]["event_payload"]["key"],
        testing::report().key
    );
    assert!(message["thread_ts"].is_null());
    testing::golden("report-slack.json", &format!("{message:#}\n"));
    let failed = bot(&slack.url, "C9").publish(&testing::report()).await;
    let why = failed.unwrap_err().to_string();
    assert!(why.contains("channel_not_found"), "{why}");
}

#[test]
fn only_https_is_a_link_in_a_report() {
    let link = |bulletin: &crate::Bulletin| {
        let message = super::message::report(&crate::bulletin::words(bulletin)).to_string();
        wrong(&serde_json::from_str(&message).unwrap()).unwrap();
        message.matches("<http").count()
    };
    assert_eq!(link(&testing::linked_report()), 1);
    for location in [
        "s3://reports/x",
        "/srv/x",
        "http://r.example/",
        "https://r.example/>|<!here>",
    ] {
        let mut report = testing::report();
        report.location = location.to_owned();
        assert_eq!(link(&report), 0, "{location}");
    }
}

pub(crate) fn report(bulletin: &crate::Bulletin) -> Value {
    super::message::report(&crate::bulletin::words(bulletin))
}
