//! Messages as SNS takes them.

use std::collections::BTreeMap;
use std::time::Duration;

use alerts::{Label, Words, prose};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Config, Sns, render, render_report, subject};
use crate::Channels;
use crate::channel::aws::tests::{assert_signed, client, errors_are_told_apart};
use crate::channel::{Channel, Receipt};
use crate::hostile::{dull, nasty, no_formula};
use crate::testing::{self, Answer, Receiver, Seen};

const TOPIC: &str = "arn:aws:sns:eu-central-1:111122223333:alerts";

fn channel(url: &str, topic: &str) -> Sns {
    let config = Config {
        topic: topic.to_owned(),
    };
    let mut sns = Sns::new(&config, client!(aws_sdk_sns, url)).unwrap();
    sns.timeout = Duration::from_secs(1);
    sns
}

fn form(seen: &Seen) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(&seen.body)
        .into_owned()
        .collect()
}

/// Name to type and value.
fn attributes(form: &BTreeMap<String, String>) -> BTreeMap<&str, (&str, &str)> {
    let numbers =
        (1..).take_while(|n| form.contains_key(&format!("MessageAttributes.entry.{n}.Name")));
    let entry = |n: i32| {
        let get = |field: &str| form[&format!("MessageAttributes.entry.{n}.{field}")].as_str();
        (
            get("Name"),
            (get("Value.DataType"), get("Value.StringValue")),
        )
    };
    numbers.map(entry).collect()
}

/// What the API reference says of `Publish`; SNS refuses the rest.
fn contract(seen: &Seen) -> Answer {
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/"));
    assert_signed(seen, "eu-central-1", "sns");
    let form = form(seen);
    assert_eq!(
        (form["Action"].as_str(), form["Version"].as_str()),
        ("Publish", "2010-03-31")
    );
    let subject = &form["Subject"];
    assert!(subject.encode_utf16().count() < 100, "{subject}");
    assert!(
        !subject.is_empty() && !subject.contains(char::is_control),
        "{subject}"
    );
    assert!(!subject.starts_with(char::is_whitespace), "{subject}");
    assert_eq!(form["MessageStructure"], "json");
    let message: Value = serde_json::from_str(&form["Message"]).unwrap();
    let texts = message.as_object().unwrap();
    assert!(texts.contains_key("default") && texts.values().all(Value::is_string));
    let attributes = attributes(&form);
    assert!(
        !attributes.is_empty() && attributes.len() <= 10,
        "{attributes:?}"
    );
    let mut bytes = form["Message"].len();
    for (name, (kind, value)) in &attributes {
        assert!(
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
            "{name}"
        );
        // XML 1.0 has no place for others.
        let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        assert!(!value.is_empty() && value.chars().all(legal), "{value}");
        match *kind {
            "String" => {}
            "Number" => assert!(value.parse::<f64>().is_ok(), "{value}"),
            "String.Array" => {
                let array: Vec<String> = serde_json::from_str(value).unwrap();
                assert!(array.len() > 1, "{value}");
            }
            other => panic!("{other}"),
        }
        bytes += name.len() + kind.len() + value.len();
    }
    assert!(bytes <= 262_144, "{bytes}");
    let fifo = [
        form.get("MessageGroupId"),
        form.get("MessageDeduplicationId"),
    ];
    for id in fifo {
        assert_eq!(id.is_some(), form["TopicArn"].ends_with(".fifo"));
        let fits =
            |id: &String| (1..=128).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic());
        assert!(id.is_none_or(fits), "{id:?}");
    }
    let id = "<PublishResult><MessageId>567910cd</MessageId></PublishResult>";
    let answer = format!(
        "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">{id}</PublishResponse>"
    );
    Answer::Text(200, answer)
}

/// What is published of a notice.
async fn published(topic: &str, notice: &alerts::Notice) -> BTreeMap<String, String> {
    let receiver = Receiver::start(contract).await;
    let sent = channel(&receiver.url, topic)
        .deliver(notice, None)
        .await
        .unwrap();
    let due = Receipt {
        reference: Some("567910cd".to_owned()),
        detail: Value::Null,
    };
    assert_eq!(sent, due);
    let [seen] = &receiver.seen()[..] else {
        panic!("one request");
    };
    form(seen)
}

#[tokio::test]
async fn people_get_prose_and_machines_get_json() {
    let notice = testing::opened();
    let form = published(TOPIC, &notice).await;
    assert_eq!(form["TopicArn"], TOPIC);
    let words = Words::of(&notice);
    assert_eq!(form["Subject"], words.headline);
    let message: Value = serde_json::from_str(&form["Message"]).unwrap();
    assert_eq!(message["default"], prose(&words));
    assert_eq!(message.get("email"), None, "e-mail is the default");
    assert_eq!(message["sms"], words.headline);
    for machine in ["sqs", "lambda", "http", "https", "firehose"] {
        let document: Value = serde_json::from_str(message[machine].as_str().unwrap()).unwrap();
        assert_eq!(document["key"], notice.key);
        assert_eq!(document["alert"]["findings"].as_array().unwrap().len(), 12);
        assert_eq!(document.get("truncated"), None);
    }
}

#[tokio::test]
async fn attributes_are_what_filters_ask_for() {
    let mut notice = testing::opened();
    let form = published(TOPIC, &notice).await;
    let types = r#"["Recon:EC2/PortProbeUnprotectedPort","UnauthorizedAccess:EC2/SSHBruteForce"]"#;
    let due = [
        (
            "account_id",
            (
                "String.Array",
                r#"["111111111111","222222222222","333333333333"]"#,
            ),
        ),
        ("event", ("String", "opened")),
        ("finding_type", ("String.Array", types)),
        (
            "region",
            ("String.Array", r#"["eu-central-1","us-east-1"]"#),
        ),
        ("rule", ("String", "burst_from_one_remote_ip")),
        ("severity", ("Number", "7")),
        ("severity_label", ("String", "High")),
        ("state", ("String", "open")),
    ];
    assert_eq!(attributes(&form), due.into());
    let alert = &mut notice.items[0].alert;
    alert.accounts.truncate(1);
    alert.regions.clear();
    alert.severity = Label::Critical;
    alert.group = vec![("type".to_owned(), Some("Recon:EC2/Portscan".to_owned()))];
    notice.items[0].top.clear();
    let form = published(TOPIC, &notice).await;
    let attributes = attributes(&form);
    assert_eq!(attributes["account_id"], ("String", "111111111111"));
    assert_eq!(attributes["finding_type"], ("String", "Recon:EC2/Portscan"));
    assert_eq!(attributes["severity"], ("Number", "9"));
    assert!(!attributes.contains_key("region"));
}

#[tokio::test]
async fn too_much_is_cut_and_says_so() {
    let mut huge = testing::huge(1);
    huge.items[0].alert.accounts = (0..9_000).map(|n| format!("{n:012}")).collect();
    let form = published(TOPIC, &huge).await;
    let accounts: Vec<String> = serde_json::from_str(attributes(&form)["account_id"].1).unwrap();
    assert_eq!(accounts.len(), 9_000, "filters by account miss nothing");
    let message: Value = serde_json::from_str(&form["Message"]).unwrap();
    let document: Value = serde_json::from_str(message["sqs"].as_str().unwrap()).unwrap();
    assert_eq!(document["truncated"], json!(true));
    assert_eq!(document["alert"]["findings_total"], json!(70_000));
    assert!(
        message["default"]
            .as_str()
            .unwrap()
            .contains("70000 findings")
    );
}

#[tokio::test]
async fn long_names_leave_room_for_the_message() {
    let mut notice = testing::opened();
    let long = |n: usize| format!("{n:06}{}", "x".repeat(250));
    let alert = &mut notice.items[0].alert;
    alert.accounts = (0..6_000).map(long).collect();
    alert.regions = (0..6_000).map(long).collect();
    alert.rule = "r".repeat(300);
    published(TOPIC, &notice).await;
}

#[tokio::test]
async fn hostile_text_breaks_no_field() {
    for text in [
        "",
        " ",
        "\0\u{1}\u{ffff}",
        "\r\nSubject: x",
        "\"],[\"",
        "\u{202e}👍",
        "a&Action=DeleteTopic",
    ] {
        let mut notice = testing::with(text, testing::opened(), 3);
        notice.items[0].alert.title = text.to_owned();
        notice.items[0].alert.rule = text.to_owned();
        notice.thread = text.repeat(50);
        notice.key = text.repeat(50);
        published(TOPIC, &notice).await;
        published(&format!("{TOPIC}.fifo"), &notice).await;
    }
}

#[tokio::test]
async fn a_fifo_topic_keeps_the_order_of_a_thread_and_drops_doubles_only() {
    let topic = format!("{TOPIC}.fifo");
    let (opened, resolved) = (testing::opened(), testing::resolved());
    let first = published(&topic, &opened).await;
    let again = published(&topic, &opened).await;
    let next = published(&topic, &resolved).await;
    let (group, double) = ("MessageGroupId", "MessageDeduplicationId");
    assert_eq!(first[group], opened.thread);
    assert_eq!(first[group], next[group]);
    assert_eq!(first[double], again[double]);
    assert_ne!(first[double], next[double]);
}

#[test]
fn subjects_are_cut_at_a_character() {
    assert_eq!(subject("[HIGH] x"), "[HIGH] x");
    for text in [
        "x".repeat(100),
        "ü".repeat(150),
        "👍".repeat(80),
        "a\n👍".repeat(60),
    ] {
        let cut = subject(&text);
        let units = cut.encode_utf16().count();
        assert!(
            (90..100).contains(&units) && cut.ends_with('…'),
            "{units}: {cut}"
        );
    }
}

#[tokio::test]
async fn errors() {
    let error = |status, code| {
        let told = format!(
            "<Error><Type>Sender</Type><Code>{code}</Code><Message>is\nso</Message></Error>"
        );
        Answer::Text(
            status,
            format!("<ErrorResponse>{told}<RequestId>1</RequestId></ErrorResponse>"),
        )
    };
    let permission = format!("allow sns:Publish on {TOPIC}");
    errors_are_told_apart(&|url| Box::new(channel(url, TOPIC)), &error, &permission).await;
}

#[tokio::test]
async fn groups_are_not_for_it() {
    let away = channel("http://127.0.0.1:1", TOPIC);
    let failed = away.deliver(&testing::group(2), None).await.unwrap_err();
    assert!(
        failed.to_string().contains("one is told at a time"),
        "{failed}"
    );
    assert_eq!(away.preview(&testing::group(2)), "");
}

#[test]
fn settings() {
    let read = |json: Value| -> Result<Config, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    };
    assert!(
        read(json!({"topic": TOPIC, "tpic": 1}))
            .unwrap_err()
            .contains("unknown field `tpic`")
    );
    for wrong in [
        "alerts",
        "",
        "arn:aws:sns:eu-central-1:111122223333:a b",
        "arn:aws:sqs:eu-central-1:111122223333:a",
    ] {
        let config = read(json!({"topic": wrong})).unwrap();
        let error = Sns::new(&config, client!(aws_sdk_sns, "http://127.0.0.1:1")).unwrap_err();
        assert!(
            error.starts_with("topic: must be a topic's ARN"),
            "{wrong}: {error}"
        );
    }
}

#[test]
fn settings_are_judged_before_anything_is_built() {
    let error = Channels::parse("a:\n  kind: sns\n  topic: alerts\n")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("channel a: topic: must be a topic's ARN"),
        "{error}"
    );
    let good = format!(
        "a: {{kind: sns, topic: '{TOPIC}'}}\nb: {{kind: eventbridge}}\nc: {{kind: ses, from: a@b.example, to: [c@d.example]}}"
    );
    assert!(Channels::parse(&good).is_ok());
    for wrong in [
        "{kind: eventbridge, bus: a b}",
        "{kind: ses, from: x, to: [c@d.example]}",
    ] {
        assert!(Channels::parse(&format!("a: {wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn it_reads_well() {
    let channel = channel("http://127.0.0.1:1", TOPIC);
    testing::golden("sns-opened.txt", &channel.preview(&testing::opened()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_more_than_text(text in nasty(), fifo in any::<bool>()) {
        let notice = testing::with(&text, testing::opened(), 3);
        let sent = render(&notice, &notice.items[0], fifo);
        prop_assert!(sent.bytes() <= 262_144);
        dull(&sent.subject);
        no_formula(&sent.subject);
        let texts: Value = serde_json::from_str(&sent.message).unwrap();
        for people in ["default", "sms", "application"] {
            dull(texts[people].as_str().unwrap());
        }
        let machine = texts["sqs"].as_str().unwrap();
        prop_assert_eq!(alerts::clean(machine, usize::MAX), machine, "odd characters are escaped");
        let document: Value = serde_json::from_str(machine).unwrap();
        let to_the_letter = document["alert"]["group"]["remote_ip"] == json!(text);
        prop_assert!(to_the_letter || document["truncated"] == json!(true));
        for (_, _, value) in sent.attributes {
            prop_assert!(value.chars().all(|c| c.is_ascii_graphic()), "{}", value);
        }
    }

    #[test]
    fn no_text_of_a_report_is_more_than_text(text in nasty(), fifo in any::<bool>()) {
        let sent = render_report(&testing::report_with(&text), fifo);
        prop_assert!(sent.bytes() <= 262_144);
        prop_assert!(sent.subject.is_ascii() && (1..100).contains(&sent.subject.len()));
        dull(&sent.subject);
        no_formula(&sent.subject);
        let texts: Value = serde_json::from_str(&sent.message).unwrap();
        for people in ["default", "sms", "application"] {
            dull(texts[people].as_str().unwrap());
        }
        for (_, _, value) in sent.attributes {
            prop_assert!(value.chars().all(|c| c.is_ascii_graphic()), "{}", value);
        }
    }
}

async fn told(topic: &str, report: &crate::Bulletin) -> BTreeMap<String, String> {
    let receiver = Receiver::start(contract).await;
    let there = channel(&receiver.url, topic);
    assert!(there.takes_reports());
    let sent = there.publish(report).await.unwrap();
    assert_eq!(sent.reference.as_deref(), Some("567910cd"));
    let form = form(&receiver.seen()[0]);
    assert!(form["Subject"].is_ascii(), "{}", form["Subject"]);
    form
}

#[tokio::test]
async fn a_report_is_prose_for_people_and_json_for_machines() {
    let report = testing::report();
    let form = told(TOPIC, &report).await;
    assert_eq!(form["Subject"], report.title);
    let due = [
        ("event", ("String", "report")),
        ("report", ("String", "weekly")),
    ];
    assert_eq!(attributes(&form), due.into());
    let message: Value = serde_json::from_str(&form["Message"]).unwrap();
    let document: Value = serde_json::from_str(message["sqs"].as_str().unwrap()).unwrap();
    assert_eq!(document["key"], report.key);
    let prose = message["default"].as_str().unwrap();
    testing::golden(
        "report-sns.txt",
        &format!("Subject: {}\n\n{prose}", form["Subject"]),
    );
    let topic = format!("{TOPIC}.fifo");
    let (first, again) = (told(&topic, &report).await, told(&topic, &report).await);
    let next = crate::Bulletin {
        key: "other".to_owned(),
        ..report
    };
    let next = told(&topic, &next).await;
    let (group, double) = ("MessageGroupId", "MessageDeduplicationId");
    assert_eq!(
        (&first[group], &first[double]),
        (&again[group], &again[double])
    );
    assert_eq!(first[group], next[group]);
    assert_ne!(first[double], next[double]);
}

#[tokio::test]
async fn no_report_is_too_long_or_breaks_a_field() {
    told(TOPIC, &testing::huge_report()).await;
    for text in [
        "",
        " ",
        "\0\u{1}\u{ffff}",
        "\r\nSubject: x",
        "\u{202e}👍",
        "a&Action=DeleteTopic",
        "ü–…",
    ] {
        for text in [text.to_owned(), text.repeat(60)] {
            told(&format!("{TOPIC}.fifo"), &testing::report_with(&text)).await;
        }
    }
}
