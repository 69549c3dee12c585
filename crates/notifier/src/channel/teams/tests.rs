//! Teams' Workflows: an Adaptive Card or nothing.

use serde_json::Value;

use crate::channel::{Channel, Failed};
use crate::testing::{self, Answer, Receiver, Seen};

/// What Adaptive Cards 1.2 and the Workflow's trigger ask for.
pub(crate) fn wrong(message: &Value) -> Option<&'static str> {
    let attachment = &message["attachments"][0];
    let card = &attachment["content"];
    let checks = [
        (message["type"] == "message", "type"),
        (
            attachment["contentType"] == "application/vnd.microsoft.card.adaptive",
            "contentType",
        ),
        (
            attachment.get("contentUrl") == Some(&Value::Null),
            "contentUrl",
        ),
        (
            card["type"] == "AdaptiveCard" && card["version"] == "1.2",
            "card",
        ),
        (
            card["body"].as_array().is_some_and(|body| !body.is_empty()),
            "body",
        ),
    ];
    if let Some((_, what)) = checks.iter().find(|(fits, _)| !fits) {
        return Some(what);
    }
    for block in card["body"].as_array()? {
        let inlines = block["inlines"].as_array()?;
        let runs = inlines
            .iter()
            .all(|run| run["type"] == "TextRun" && run["text"].is_string());
        if block["type"] != "RichTextBlock" || inlines.is_empty() || !runs {
            return Some("block");
        }
    }
    let actions = card["actions"].as_array().into_iter().flatten();
    let opens = |action: &Value| {
        action["type"] == "Action.OpenUrl"
            && action["url"]
                .as_str()
                .is_some_and(|url| url.starts_with("http"))
    };
    (!actions.into_iter().all(opens)).then_some("actions")
}

fn contract(seen: &Seen) -> Answer {
    let named = seen.path == "/workflows/abcdef/triggers/manual/paths/invoke"
        && seen.query.contains("sig=");
    match (named, wrong(&seen.json()), seen.body.len()) {
        (false, ..) => Answer::Text(
            401,
            format!("bad signature in {}?{}", seen.path, seen.query),
        ),
        (_, Some(what), _) => Answer::Text(400, what.to_owned()),
        (_, _, 25_001..) => Answer::Text(413, String::new()),
        _ => Answer::Text(202, String::new()),
    }
}

fn channel(url: &str, sig: &str) -> Box<dyn Channel> {
    let address =
        format!("{url}/workflows/abcdef/triggers/manual/paths/invoke?sp=run&{sig}=s3cr3ts3cr3t");
    testing::build("kind: teams\nurl: {env: URL}", &[("URL", &address)])
}

#[tokio::test]
async fn cards_fit_whatever_comes() {
    let receiver = Receiver::start(contract).await;
    let channel = channel(&receiver.url, "sig");
    for notice in [
        testing::opened(),
        testing::resolved(),
        testing::group(200),
        testing::huge(1),
        testing::huge(200),
    ] {
        channel.deliver(&notice, None).await.unwrap();
    }
}

#[test]
fn what_is_too_much_is_left_out_and_said() {
    let fact = alerts::Fact {
        name: "Most frequent user_name".to_owned(),
        value: "東".repeat(600),
        shape: alerts::Shape::Long,
    };
    let mut words = alerts::Words::of(&testing::opened());
    words.facts.extend(vec![fact; 40]);
    let message = super::render(&words);
    assert!(crate::document::line(&message).len() <= 25_000);
    assert_eq!(wrong(&message), None);
    assert!(
        message
            .to_string()
            .contains("The rest is left out for want of room.")
    );
    assert!(
        message.to_string().contains("First seen"),
        "what matters most stays"
    );
}

#[tokio::test]
async fn the_signature_in_the_address_is_not_told() {
    let receiver = Receiver::start(contract).await;
    let failed = channel(&receiver.url, "gis")
        .deliver(&testing::opened(), None)
        .await
        .unwrap_err();
    let Failed::ForGood { why } = failed else {
        panic!("{failed:?}")
    };
    assert!(!why.contains("s3cr3t") && !why.contains("abcdef"), "{why}");
}

#[test]
fn messages_read_well() {
    let channel = channel("http://127.0.0.1:9", "sig");
    testing::golden("teams-opened.json", &channel.preview(&testing::opened()));
    testing::golden("teams-group.json", &channel.preview(&testing::group(200)));
}

#[tokio::test]
async fn a_report_is_a_card_that_opens_only_https() {
    let receiver = Receiver::start(contract).await;
    let channel = channel(&receiver.url, "sig");
    assert!(channel.takes_reports());
    for report in [
        testing::linked_report(),
        testing::report(),
        testing::huge_report(),
    ] {
        channel.publish(&report).await.unwrap();
    }
    let seen = receiver.seen();
    let actions = |at: usize| seen[at].json()["attachments"][0]["content"]["actions"].clone();
    assert_eq!(actions(0)[0]["url"], testing::linked_report().location);
    assert_eq!(actions(1), Value::Null);
    assert_eq!(actions(2), Value::Null);
    testing::golden("report-teams.json", &format!("{:#}\n", seen[0].json()));
}

pub(crate) fn report(bulletin: &crate::Bulletin) -> Value {
    super::render(&crate::bulletin::words(bulletin))
}
