//! Failures as they come, and what is said of them.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use reqwest::header::HeaderMap;
use secrecy::SecretString;

use super::{Http, Target, is_public, retry_after};
use crate::channel::Failed;
use crate::testing::{self, Answer, Receiver, endless, resetting};

fn http() -> Http {
    Http::new(testing::clock, None, Duration::from_millis(400)).unwrap()
}

async fn post(address: &str) -> Result<super::Reply, Failed> {
    let secret = SecretString::from("t0ken");
    let target = Target::parse(address, false).unwrap().hiding(&secret);
    http()
        .post(&target, HeaderMap::new(), b"{}".to_vec())
        .await?
        .accepted()
}

fn wait(failed: &Failed) -> Option<Option<u64>> {
    match failed {
        Failed::ForNow { wait, .. } => Some(wait.map(|wait| wait.as_secs())),
        Failed::ForGood { .. } => None,
    }
}

#[tokio::test]
async fn statuses_say_whether_to_try_again() {
    let receiver = Receiver::start(|_| Answer::Text(200, "fine".to_owned())).await;
    let address = format!("{}/services/very-secret-path", receiver.url);
    assert_eq!(post(&address).await.unwrap().text, "fine");
    for (status, again) in [
        (400, false),
        (401, false),
        (403, false),
        (404, false),
        (409, false),
        (413, false),
        (302, false),
    ] {
        receiver.first(Answer::Text(status, String::new()));
        assert_eq!(
            wait(&post(&address).await.unwrap_err()).is_some(),
            again,
            "{status}"
        );
    }
    for status in [429, 500, 502, 503, 504] {
        receiver.first(Answer::Text(status, String::new()));
        assert_eq!(
            wait(&post(&address).await.unwrap_err()),
            Some(None),
            "{status}"
        );
    }
    receiver.first(Answer::With(
        429,
        "retry-after",
        "17".to_owned(),
        String::new(),
    ));
    assert_eq!(wait(&post(&address).await.unwrap_err()), Some(Some(17)));
    receiver.first(Answer::With(
        503,
        "retry-after",
        "Sat, 21 Nov 2026 10:01:30 GMT".to_owned(),
        String::new(),
    ));
    assert_eq!(wait(&post(&address).await.unwrap_err()), Some(Some(60)));
}

#[tokio::test]
async fn who_never_answers_or_hangs_up_is_asked_again() {
    let receiver = Receiver::start(|_| Answer::Hang).await;
    let started = Instant::now();
    let failed = post(&format!("{}/very-secret-path", receiver.url))
        .await
        .unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(failed.to_string(), "127.0.0.1: no answer in time");
    let failed = post(&format!("{}/very-secret-path", resetting().await))
        .await
        .unwrap_err();
    assert_eq!(wait(&failed), Some(None), "{failed:?}");
    // Nobody listens there.
    let failed = post("http://127.0.0.1:1/very-secret-path")
        .await
        .unwrap_err();
    assert_eq!(wait(&failed), Some(None), "{failed:?}");
    assert!(!failed.to_string().contains("very-secret-path"), "{failed}");
}

#[tokio::test]
async fn what_is_said_holds_no_secret_and_no_control_codes_and_has_an_end() {
    let receiver = Receiver::start(|_| Answer::Text(200, "x".repeat(10 << 20))).await;
    let address = format!(
        "{}/services/very-secret-path?key=another-secret",
        receiver.url
    );
    assert_eq!(post(&address).await.unwrap().text.len(), 64 * 1024);
    let echo = "no such hook: /services/very-secret-path key=another-secret t0ken \u{1b}[2J\r\n";
    receiver.first(Answer::Text(404, format!("{echo}{}", "y".repeat(5_000))));
    let why = post(&address).await.unwrap_err().to_string();
    for secret in [
        "very-secret-path",
        "another-secret",
        "t0ken",
        "\u{1b}",
        "\n",
    ] {
        assert!(!why.contains(secret), "{why}");
    }
    assert!(
        why.starts_with("127.0.0.1 answered 404: no such hook: *** "),
        "{why}"
    );
    assert!(why.chars().count() < 400, "{why}");
    let target = Target::parse(&address, false).unwrap();
    assert_eq!(format!("{target:?}"), "Target(\"127.0.0.1\")");
}

#[tokio::test]
async fn who_talks_without_end_is_heard_for_a_while() {
    assert_eq!(post(&endless().await).await.unwrap().text.len(), 64 * 1024);
}

#[test]
fn waits_are_seconds_or_dates_and_at_most_an_hour() {
    let check = |text: &str, seconds: Option<u64>| {
        let wait = retry_after(text, testing::clock());
        assert_eq!(wait, seconds.map(Duration::from_secs), "{text}");
    };
    check("0", Some(0));
    check(" 120 ", Some(120));
    check("3601", Some(3_600));
    check("99999999999999999999999999", Some(3_600));
    check("Sat, 21 Nov 2026 10:00:40 GMT", Some(10));
    check("Sat, 21 Nov 2026 09:00:40 GMT", Some(0));
    check("Saturday, 21-Nov-26 10:00:40 GMT", Some(10));
    check("Fri, 31 Dec 9999 23:59:59 GMT", Some(3_600));
    for text in ["", "-1", "1.5", "soon", "+5"] {
        check(text, None);
    }
    assert_eq!(
        retry_after("5", SystemTime::UNIX_EPOCH),
        Some(Duration::from_secs(5))
    );
}

#[test]
fn addresses_of_inside() {
    let public = |ip: &str| is_public(ip.parse::<IpAddr>().unwrap());
    for ip in [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "::ffff:0:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::8.8.8.8",
        "2002:a00:1::",
        "2001:0:1::",
        "2001:db8::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ] {
        assert!(!public(ip), "{ip}");
    }
    for ip in [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.167.1.1",
        "169.253.1.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450:4001::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::",
    ] {
        assert!(public(ip), "{ip}");
    }
}

#[test]
fn only_this_machine_is_spoken_to_without_tls() {
    for address in [
        "http://hooks.example/",
        "http://10.0.0.1/",
        "ftp://x/",
        "https://a:b@x/",
        "nothing",
        "https://",
    ] {
        let error = Target::parse(address, false).unwrap_err();
        assert!(!error.contains("hooks.example"), "{error}");
    }
    for address in [
        "https://hooks.example/",
        "http://127.0.0.1:8/",
        "http://[::1]/",
        "http://localhost/",
    ] {
        assert!(Target::parse(address, false).is_ok(), "{address}");
    }
    assert!(Target::parse("http://alertmanager.local:9093", true).is_ok());
}
