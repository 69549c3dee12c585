//! Webhooks against a receiver that verifies as the specification says.

use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use sha2::Sha256;

use crate::channel::{Channel, Failed, Lookup};
use crate::testing::{self, Answer, Receiver, Seen};
use crate::{Channels, Outside};

const OLD: [u8; 24] = [7; 24];
const NEW: [u8; 32] = [9; 32];

fn secret(key: &[u8]) -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(key))
}

/// The receiver's side, by hand: any signature in the list that fits will do.
fn verifies(seen: &Seen, key: &[u8]) -> bool {
    let (id, at) = (seen.header("webhook-id"), seen.header("webhook-timestamp"));
    let seconds = testing::clock()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let fresh = at
        .parse::<u64>()
        .is_ok_and(|at| at.abs_diff(seconds) <= 300);
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(&seen.body);
    let due = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    fresh
        && !id.is_empty()
        && !id.contains('.')
        && seen
            .header("webhook-signature")
            .split(' ')
            .any(|s| s == due)
}

fn contract(seen: &Seen) -> Answer {
    let body = seen.json();
    let named =
        body["type"].is_string() && body["timestamp"].is_string() && body["data"].is_object();
    match verifies(seen, &OLD) && verifies(seen, &NEW) && named && seen.body.len() < 20_000 {
        true => Answer::Text(204, String::new()),
        false => Answer::Text(400, "no".to_owned()),
    }
}

fn channel(url: &str) -> Box<dyn Channel> {
    let yaml = format!(
        "kind: webhook\nurl: {url}/in\nallow_private: true\nsecrets: [{{env: OLD}}, {{env: NEW}}]"
    );
    testing::build(&yaml, &[("OLD", &secret(&OLD)), ("NEW", &secret(&NEW))])
}

#[tokio::test]
async fn both_keys_sign_and_the_id_stays_the_same() {
    let receiver = Receiver::start(contract).await;
    let channel = channel(&receiver.url);
    for notice in [testing::opened(), testing::opened(), testing::huge(1)] {
        channel.deliver(&notice, None).await.unwrap();
    }
    let seen = receiver.seen();
    assert_eq!(seen[0].header("webhook-id"), seen[1].header("webhook-id"));
    assert_eq!(seen[0].header("content-type"), "application/json");
    assert_eq!(seen[0].json()["type"], "alert.opened");
}

#[tokio::test]
async fn redirects_are_failures_and_gone_is_gone() {
    let receiver = Receiver::start(contract).await;
    let elsewhere = Receiver::start(|_| Answer::Text(200, String::new())).await;
    let channel = channel(&receiver.url);
    for status in [301, 302, 307, 308] {
        receiver.first(Answer::With(
            status,
            "location",
            elsewhere.url.clone(),
            String::new(),
        ));
        let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
        assert!(matches!(failed, Failed::ForGood { .. }), "{failed:?}");
    }
    assert!(elsewhere.seen().is_empty());
    receiver.first(Answer::Text(
        400,
        format!("this is not signed with {}", secret(&NEW)),
    ));
    let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
    assert!(
        failed.to_string().ends_with("this is not signed with ***"),
        "{failed}"
    );
    receiver.first(Answer::Text(410, String::new()));
    let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
    assert!(
        matches!(&failed, Failed::ForGood { why } if why.contains("take the channel out")),
        "{failed:?}"
    );
}

#[test]
fn addresses_of_inside_are_refused_when_the_settings_are_read() {
    let parse = |url: &str| {
        let yaml = format!("w: {{kind: webhook, url: '{url}', secrets: [{{env: A}}]}}");
        Channels::parse(&yaml)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    for url in [
        "https://127.0.0.1/",
        "https://169.254.169.254/latest",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[fd00:ec2::254]/",
        "https://10.1.2.3/",
        "https://[fe80::1]/",
        "http://hooks.example/",
        "ftp://hooks.example/",
        "https://ann:pw@hooks.example/",
        "hooks.example",
    ] {
        let error = parse(url).unwrap_err();
        assert!(error.contains("channel w: url: "), "{error}");
    }
    assert_eq!(parse("https://hooks.example/in"), Ok(()));
    assert_eq!(parse("https://8.8.8.8/in"), Ok(()));
}

/// Answers with these addresses in turn, the last for ever, and counts.
fn answers(all: Vec<Vec<SocketAddr>>) -> (Lookup, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let lookup: Lookup = Arc::new(move |_| {
        let turn = count.fetch_add(1, Ordering::SeqCst);
        let answer = all[turn.min(all.len() - 1)].clone();
        Box::pin(ready(io::Result::Ok(answer)))
    });
    (lookup, asked)
}

fn named(url: &str, allow: bool, lookup: Lookup) -> Box<dyn Channel> {
    let yaml = format!(
        "w: {{kind: webhook, url: '{url}', secrets: [{{env: A}}], allow_private: {allow}}}"
    );
    let outside = Outside {
        read_secret: &|_| Ok(SecretString::from(secret(&OLD))),
        clock: testing::clock,
        lookup,
        timeout: std::time::Duration::from_secs(2),
    };
    let mut built = Channels::parse(&yaml).unwrap().build(&outside).unwrap();
    built.remove("w").unwrap()
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_before_anything_is_sent() {
    let inside = Receiver::start(|_| Answer::Text(200, String::new())).await;
    let port: u16 = inside.url.rsplit(':').next().unwrap().parse().unwrap();
    let public: SocketAddr = "93.184.216.34:0".parse().unwrap();
    for ip in [
        "127.0.0.1",
        "169.254.169.254",
        "::1",
        "::ffff:10.0.0.1",
        "fd00:ec2::254",
        "ff02::1",
    ] {
        let inner = SocketAddr::new(ip.parse().unwrap(), 0);
        let (lookup, asked) = answers(vec![vec![public, inner]]);
        let channel = named(&format!("https://hooks.example:{port}/in"), false, lookup);
        let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
        let Failed::ForGood { why } = failed else {
            panic!("{failed:?}")
        };
        assert!(why.starts_with("hooks.example: leads to "), "{why}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
    assert!(inside.seen().is_empty());
}

#[tokio::test]
async fn the_address_that_was_looked_at_is_the_one_that_is_connected_to() {
    let first = Receiver::start(|_| Answer::Text(200, String::new())).await;
    let at: SocketAddr = first.url.trim_start_matches("http://").parse().unwrap();
    // A second question would be answered with an address that nobody listens at.
    let (lookup, asked) = answers(vec![vec![at], vec!["127.0.0.2:1".parse().unwrap()]]);
    let channel = named(
        &format!("http://hooks.example:{}/in", at.port()),
        true,
        lookup,
    );
    channel.deliver(&testing::opened(), None).await.unwrap();
    assert_eq!((asked.load(Ordering::SeqCst), first.seen().len()), (1, 1));
}

#[test]
fn messages_read_well() {
    testing::golden(
        "webhook-opened.json",
        &channel("http://127.0.0.1:9").preview(&testing::opened()),
    );
}

#[tokio::test]
async fn a_report_is_signed_and_named_by_its_key() {
    let receiver = Receiver::start(contract).await;
    let channel = channel(&receiver.url);
    assert!(channel.takes_reports());
    let report = testing::report();
    let receipt = channel.publish(&report).await.unwrap();
    assert_eq!(receipt.reference.as_deref(), Some(&*report.key));
    channel.publish(&report).await.unwrap();
    channel.publish(&testing::huge_report()).await.unwrap();
    channel
        .publish(&testing::report_with("a.b\r\n"))
        .await
        .unwrap();
    let seen = receiver.seen();
    assert_eq!(seen[0].header("webhook-id"), report.key);
    assert_eq!(seen[1].header("webhook-id"), report.key);
    let body = seen[0].json();
    assert_eq!(body["type"], "guardlake.report.made");
    assert_eq!(body["data"]["summary"], serde_json::json!(report.summary));
    assert_eq!(seen[2].json()["data"]["truncated"], true);
    assert_eq!(seen[3].json()["data"]["title"], "a.b\r\n", "to the letter");
    testing::golden("report-webhook.json", &format!("{body:#}\n"));
}
