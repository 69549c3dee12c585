//! SNS, EventBridge and SES as the stand-in `ministack` understands them: to queues behind filter policies and rules, and to an outbox.

#[path = "../../../tests/it/support/python.rs"]
mod python;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alerts::{Alert, Event, Item, Label, Notice, RuleNotes, State, instant};
use aws_sdk_sns::config::{BehaviorVersion, Credentials, Region};
use notifier::{Bulletin, Channel, Channels, Image, Outside, eventbridge, ses, sns};
use serde_json::{Value, json};

/// An AWS in another process, ended with the test.
struct Aws {
    child: Child,
    endpoint: String,
    http: reqwest::Client,
}

/// A client of whatever service.
macro_rules! client {
    ($service:ident, $aws:expr) => {
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("us-east-1"))
                .credentials_provider(Credentials::new("test", "test", None, None, "test"))
                .endpoint_url(&$aws.endpoint)
                .build(),
        )
    };
}

impl Aws {
    async fn start() -> Aws {
        let program = python::python().with_file_name("ministack");
        let free =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = free.expect("a free port").port();
        let child = Command::new(program)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ministack starts");
        let aws = Aws {
            child,
            endpoint: format!("http://127.0.0.1:{port}"),
            http: reqwest::Client::builder().build().expect("a client"),
        };
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let waited = started.elapsed();
            assert!(
                waited < Duration::from_secs(60),
                "ministack does not listen on port {port}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        aws
    }

    /// An operation of a service that speaks JSON.
    async fn ask(&self, target: &str, body: Value) -> Value {
        let service = if target.starts_with("AmazonSQS") {
            "sqs"
        } else {
            "events"
        };
        let scope =
            format!("AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/{service}/aws4_request");
        let asked = (self.http.post(format!("{}/", self.endpoint)))
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", scope)
            .body(body.to_string());
        let answer = asked.send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("text"));
        assert!(status.is_success(), "{target}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Address and ARN of a queue.
    async fn queue(&self, name: &str) -> (String, String) {
        let made = self
            .ask("AmazonSQS.CreateQueue", json!({"QueueName": name}))
            .await;
        let url = made["QueueUrl"].as_str().expect("an address").to_owned();
        (url, format!("arn:aws:sqs:us-east-1:000000000000:{name}"))
    }

    /// The bodies of the messages in a queue.
    async fn received(&self, url: &str) -> Vec<Value> {
        let ask = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1});
        let answer = self.ask("AmazonSQS.ReceiveMessage", ask).await;
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        let body = |message: &Value| serde_json::from_str(message["Body"].as_str()?).ok();
        messages.iter().filter_map(body).collect()
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn notice() -> Notice {
    let at = instant("2026-11-21T10:00:00Z").expect("a time");
    let alert = Alert {
        alert_id: "al-3f9a61c07be2d815".to_owned(),
        seq: 0,
        state: State::Open,
        opened_at: at,
        changed_at: at,
        state_since: at,
        state_by: "evaluator".to_owned(),
        snoozed_until: None,
        suppressed_by: None,
        told: None,
        opening_match: at,
        rule: "burst_from_one_remote_ip".to_owned(),
        revision: "5b1c".to_owned(),
        title: "Many findings from one remote IP".to_owned(),
        severity: Label::High,
        group: vec![("remote_ip".to_owned(), Some("203.0.113.9".to_owned()))],
        count: 12,
        threshold: 10,
        window_us: 600_000_000,
        window: "10m".to_owned(),
        window_start: at - 600_000_000,
        window_end: at,
        first_match: at,
        last_match: at,
        matches: 1,
        first_seen: at - 500_000_000,
        last_seen: at,
        findings: vec!["f1".to_owned(), "f2 \u{202e}<b>&\"ü👍".to_owned()],
        findings_total: 2,
        accounts: vec!["111111111111".to_owned(), "222222222222".to_owned()],
        regions: vec!["us-east-1".to_owned()],
        types: vec!["UnauthorizedAccess:EC2/SSHBruteForce".to_owned()],
        max_severity: Some(Label::High),
        sql: String::new(),
        historic: false,
        actor: "evaluator".to_owned(),
        reason: "12 findings within 10m (threshold 10)".to_owned(),
        findings_version: 41,
    };
    Notice {
        key: "9d1f0c52a7".to_owned(),
        thread: "al-3f9a61c07be2d815".to_owned(),
        route: "default".to_owned(),
        group: Vec::new(),
        at,
        items: vec![Item {
            event: Event::Opened,
            alert,
            rule: RuleNotes::default(),
            accounts: Vec::new(),
            top: Vec::new(),
        }],
    }
}

fn report() -> Bulletin {
    Bulletin {
        key: "5f0c2d9a41".to_owned(),
        report: "weekly".to_owned(),
        period: "2026-W47".to_owned(),
        title: "Weekly overview, week 47".to_owned(),
        summary: vec!["Findings: 1,234 \u{202e}<b>&\"ü👍".to_owned()],
        plain: "Findings: 1,234".to_owned(),
        html: "<!DOCTYPE html><html><body><img src=\"cid:chart-1\"></body></html>".to_owned(),
        images: vec![Image {
            content_id: "chart-1".to_owned(),
            name: "chart-1.png".to_owned(),
            // Eight bytes that begin a PNG, and an end.
            base64: "iVBORw0KGgoAAAAASUVORK5CYII=".to_owned(),
        }],
        location: "s3://reports/weekly/2026-W47".to_owned(),
        documents: vec!["weekly.html".to_owned()],
        made_at: instant("2026-11-23T06:00:00Z").expect("a time"),
    }
}

#[tokio::test]
async fn reports_reach_a_topic_a_bus_and_the_outbox() {
    let aws = Aws::start().await;
    let client = client!(aws_sdk_sns, aws);
    let topic = client.create_topic().name("alerts").send().await;
    let topic = topic
        .expect("a topic")
        .topic_arn()
        .expect("an ARN")
        .to_owned();
    let mut queues = Vec::new();
    for (name, policy) in [
        ("reports", r#"{"event": ["report"], "report": ["weekly"]}"#),
        ("alerts", r#"{"severity": [{"numeric": [">=", 0]}]}"#),
    ] {
        let (url, arn) = aws.queue(name).await;
        let subscribe = client.subscribe().topic_arn(&topic).protocol("sqs");
        let subscribe = subscribe.endpoint(arn).attributes("FilterPolicy", policy);
        let subscribed = subscribe.attributes("RawMessageDelivery", "true").send();
        subscribed.await.expect("a subscription");
        queues.push(url);
    }
    let channel = sns::Sns::new(&sns::Config { topic }, client).expect("right settings");
    channel.publish(&report()).await.expect("it is published");
    let got = aws.received(&queues[0]).await;
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!(got[0]["key"], "5f0c2d9a41");
    assert_eq!(got[0]["summary"][0], report().summary[0], "to the letter");
    assert_eq!(aws.received(&queues[1]).await, Vec::<Value>::new());

    let (url, arn) = aws.queue("events").await;
    let pattern = json!({"source": ["guardlake"], "detail-type": ["guardlake report made"], "detail": {"report": ["weekly"]}});
    let rule = json!({"Name": "reports", "EventPattern": pattern.to_string()});
    aws.ask("AWSEvents.PutRule", rule).await;
    let targets = json!({"Rule": "reports", "Targets": [{"Id": "q", "Arn": arn}]});
    aws.ask("AWSEvents.PutTargets", targets).await;
    let client = client!(aws_sdk_eventbridge, aws);
    let channel = eventbridge::EventBridge::new(&eventbridge::Config::default(), client);
    let channel = channel.expect("right settings");
    channel.publish(&report()).await.expect("it is put");
    channel.deliver(&notice(), None).await.expect("it is put");
    let got = aws.received(&url).await;
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!(got[0]["detail"]["key"], "5f0c2d9a41");

    let client = client!(aws_sdk_sesv2, aws);
    let identity = client
        .create_email_identity()
        .email_identity("corp.example");
    identity.send().await.expect("an identity");
    let config = ses::Config {
        from: "GuardDuty alerts <alerts@corp.example>".to_owned(),
        to: vec!["ann@corp.example".to_owned()],
        region: None,
        configuration_set: None,
    };
    let channel = ses::Ses::new(config, client).expect("right settings");
    let receipt = channel.publish(&report()).await.expect("it is sent");
    assert!(receipt.reference.is_some_and(|id| !id.is_empty()));
    let outbox = (aws.http)
        .get(format!("{}/_ministack/ses/messages", aws.endpoint))
        .send();
    let outbox = outbox.await.expect("an outbox").text().await.expect("text");
    assert!(outbox.contains("Weekly overview, week 47"), "{outbox}");
}

#[tokio::test]
async fn filter_policies_of_a_topic_find_alerts_and_queues_get_json() {
    let aws = Aws::start().await;
    let client = client!(aws_sdk_sns, aws);
    let topic = client
        .create_topic()
        .name("alerts")
        .send()
        .await
        .expect("a topic");
    let topic = topic.topic_arn().expect("an ARN").to_owned();
    let policies = [
        (
            "wanted",
            r#"{"severity": [{"numeric": [">=", 7]}], "account_id": ["222222222222"], "rule": [{"prefix": "burst_"}]}"#,
        ),
        ("milder", r#"{"severity": [{"numeric": ["<", 7]}]}"#),
        ("others", r#"{"account_id": ["999999999999"]}"#),
        ("closed", r#"{"state": ["resolved"]}"#),
    ];
    let mut queues = Vec::new();
    for (name, policy) in policies {
        let (url, arn) = aws.queue(name).await;
        let subscribed = (client
            .subscribe()
            .topic_arn(&topic)
            .protocol("sqs")
            .endpoint(arn))
        .attributes("FilterPolicy", policy)
        .attributes("RawMessageDelivery", "true");
        subscribed.send().await.expect("a subscription");
        queues.push(url);
    }
    let config = sns::Config {
        topic: topic.clone(),
    };
    let channel = sns::Sns::new(&config, client).expect("right settings");
    let receipt = channel
        .deliver(&notice(), None)
        .await
        .expect("it is published");
    assert!(receipt.reference.is_some_and(|id| !id.is_empty()));
    let got = aws.received(&queues[0]).await;
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!(got[0]["key"], "9d1f0c52a7");
    assert_eq!(
        got[0]["alert"]["findings"][1], "f2 \u{202e}<b>&\"ü👍",
        "to the letter"
    );
    for url in &queues[1..] {
        assert_eq!(aws.received(url).await, Vec::<Value>::new(), "{url}");
    }
}

#[tokio::test]
async fn a_fifo_topic_drops_a_second_attempt() {
    let aws = Aws::start().await;
    let client = client!(aws_sdk_sns, aws);
    let topic = client
        .create_topic()
        .name("alerts.fifo")
        .attributes("FifoTopic", "true");
    let topic = topic.send().await.expect("a topic");
    let topic = topic.topic_arn().expect("an ARN").to_owned();
    let attributes = json!({"QueueName": "q.fifo", "Attributes": {"FifoQueue": "true"}});
    let made = aws.ask("AmazonSQS.CreateQueue", attributes).await;
    let url = made["QueueUrl"].as_str().expect("an address");
    let arn = "arn:aws:sqs:us-east-1:000000000000:q.fifo";
    let subscribed = client
        .subscribe()
        .topic_arn(&topic)
        .protocol("sqs")
        .endpoint(arn);
    subscribed.send().await.expect("a subscription");
    let channel = sns::Sns::new(&sns::Config { topic }, client).expect("right settings");
    for _ in 0..2 {
        channel
            .deliver(&notice(), None)
            .await
            .expect("it is published");
    }
    let got = aws.received(url).await;
    assert_eq!(got.len(), 1, "{got:?}");
}

#[tokio::test]
async fn rules_of_a_bus_find_alerts() {
    let aws = Aws::start().await;
    let (url, arn) = aws.queue("events").await;
    let pattern = json!({
        "source": ["guardlake"],
        "detail-type": ["GuardLake Alert"],
        "detail": {"event": ["opened"], "alert": {"severity": ["High", "Critical"], "accounts": ["222222222222"]}},
    });
    let rule = json!({"Name": "high", "EventPattern": pattern.to_string()});
    aws.ask("AWSEvents.PutRule", rule).await;
    let targets = json!({"Rule": "high", "Targets": [{"Id": "q", "Arn": arn}]});
    aws.ask("AWSEvents.PutTargets", targets).await;
    let client = client!(aws_sdk_eventbridge, aws);
    let channel = eventbridge::EventBridge::new(&eventbridge::Config::default(), client);
    let channel = channel.expect("right settings");
    channel.deliver(&notice(), None).await.expect("it is put");
    let got = aws.received(&url).await;
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!(got[0]["source"], "guardlake");
    assert_eq!(got[0]["detail"]["key"], "9d1f0c52a7");
    let ours = alerts::Pattern::from_value(&pattern).expect("a pattern");
    assert!(ours.matches(&got[0]), "our matcher says the same");
}

#[tokio::test]
async fn mail_reaches_the_outbox() {
    let aws = Aws::start().await;
    let config = ses::Config {
        from: "GuardDuty alerts <alerts@corp.example>".to_owned(),
        to: vec!["ann@corp.example".to_owned()],
        region: None,
        configuration_set: None,
    };
    let client = client!(aws_sdk_sesv2, aws);
    let identity = client
        .create_email_identity()
        .email_identity("corp.example");
    identity.send().await.expect("an identity");
    let channel = ses::Ses::new(config, client).expect("right settings");
    let first = channel.deliver(&notice(), None).await.expect("it is sent");
    let id = first.reference.clone().expect("an id");
    // The stand-in's id is the whole name of the message already.
    assert_eq!(first.detail["first"], format!("<{id}>"));
    channel
        .deliver(&notice(), Some(&first))
        .await
        .expect("an answer is sent");
    let outbox = aws
        .http
        .get(format!("{}/_ministack/ses/messages", aws.endpoint));
    let outbox = outbox
        .send()
        .await
        .expect("an outbox")
        .text()
        .await
        .expect("text");
    assert!(
        outbox.contains("[HIGH] Many findings from one remote IP"),
        "{outbox}"
    );
    assert!(outbox.contains("ann@corp.example"), "{outbox}");
}

/// The channels as the settings build them, in a process whose environment says where AWS is: nothing is given to them.
#[tokio::test]
async fn channels_of_the_settings_find_aws_by_themselves() {
    let aws = Aws::start().await;
    let client = client!(aws_sdk_sns, aws);
    let topic = client
        .create_topic()
        .name("alerts")
        .send()
        .await
        .expect("a topic");
    let topic = topic.topic_arn().expect("an ARN").to_owned();
    let (url, arn) = aws.queue("q").await;
    let subscribed = (client
        .subscribe()
        .topic_arn(&topic)
        .protocol("sqs")
        .endpoint(arn))
    .attributes("RawMessageDelivery", "true");
    subscribed.send().await.expect("a subscription");
    let itself = std::env::current_exe().expect("this program");
    let told = Command::new(itself)
        .args(["--exact", "in_an_environment", "--ignored", "--nocapture"])
        .env("AWS_ENDPOINT_URL", &aws.endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .env("GUARDLAKE_TEST_TOPIC", topic)
        .output()
        .expect("it runs");
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stdout)
    );
    assert_eq!(aws.received(&url).await.len(), 1);
}

#[tokio::test]
#[ignore = "is run by channels_of_the_settings_find_aws_by_themselves"]
#[allow(clippy::disallowed_methods)]
async fn in_an_environment() {
    let topic = std::env::var("GUARDLAKE_TEST_TOPIC").expect("a topic");
    let settings = format!("topic: {{kind: sns, topic: '{topic}'}}\nbus: {{kind: eventbridge}}\n");
    let channels = Channels::parse(&settings).expect("right settings");
    let built = channels.build(&Outside::real(std::time::SystemTime::now));
    for (name, channel) in built.expect("they are built") {
        channel
            .deliver(&notice(), None)
            .await
            .unwrap_or_else(|failed| panic!("{name}: {failed}"));
    }
}
