//! What holds for every channel over HTTP, whatever its receiver: how failures are told apart, and that nothing goes elsewhere.

use std::time::Duration;

use crate::channel::{Channel, Failed};
use crate::testing::{self, Answer, Receiver, resetting};

const SECRET: &str = "s3cr3t-of-32-characters-012345678";
const HOOK_KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// One of each, told to speak to an address.
fn all(url: &str) -> Vec<(&'static str, Box<dyn Channel>)> {
    let secret_url = format!("{url}/services/{SECRET}");
    let secrets = [("URL", &*secret_url), ("TOKEN", SECRET), ("HOOK", HOOK_KEY)];
    let kinds = [
        (
            "slack, webhook",
            "kind: slack\nwebhook: {env: URL}".to_owned(),
        ),
        (
            "slack, token",
            format!("kind: slack\ntoken: {{env: TOKEN}}\nchannel: C1\napi: {url}"),
        ),
        ("teams", "kind: teams\nurl: {env: URL}".to_owned()),
        (
            "pagerduty, events",
            format!("kind: pagerduty\nrouting_key: {{env: TOKEN}}\nevents_url: {url}"),
        ),
        (
            "pagerduty, rest",
            format!(
                "kind: pagerduty\ntoken: {{env: TOKEN}}\nfrom: a@b.example\nservice: P\napi: {url}"
            ),
        ),
        (
            "jira",
            format!("kind: jira\nsite: {url}\nuser: a\ntoken: {{env: TOKEN}}\nproject: SEC"),
        ),
        (
            "webhook",
            "kind: webhook\nurl: {env: URL}\nsecrets: [{env: HOOK}]\nallow_private: true"
                .to_owned(),
        ),
        (
            "alertmanager",
            format!("kind: alertmanager\nurl: {url}\ntoken: {{env: TOKEN}}"),
        ),
    ];
    let build = |(kind, yaml): (&'static str, String)| (kind, testing::build(&yaml, &secrets));
    kinds.into_iter().map(build).collect()
}

async fn failed(channel: &dyn Channel) -> Failed {
    let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
    let why = failed.to_string();
    assert!(
        !why.contains("s3cr3t") && !why.contains("MfKQ") && !why.contains('\n'),
        "{why}"
    );
    failed
}

fn echoing(status: u16) -> Answer {
    Answer::Text(status, format!("no: {SECRET}\n\u{1b}[2J"))
}

#[tokio::test]
async fn what_may_pass_is_told_from_what_never_will() {
    let receiver = Receiver::start(|_| echoing(500)).await;
    for (kind, channel) in all(&receiver.url) {
        for status in [500, 502, 503, 504] {
            receiver.first(echoing(status));
            let failed = failed(&*channel).await;
            assert!(
                matches!(failed, Failed::ForNow { wait: None, .. }),
                "{kind}, {status}: {failed:?}"
            );
        }
        // Without a word of the receiver: what its documents ask for.
        receiver.first(echoing(429));
        let asked = (kind == "pagerduty, events").then_some(Duration::from_secs(120));
        let throttled = failed(&*channel).await;
        assert!(
            matches!(throttled, Failed::ForNow { wait, .. } if wait == asked),
            "{kind}: {throttled:?}"
        );
        receiver.first(Answer::With(
            429,
            "retry-after",
            "7".to_owned(),
            String::new(),
        ));
        let seven = Some(Duration::from_secs(7));
        let throttled = failed(&*channel).await;
        assert!(
            matches!(throttled, Failed::ForNow { wait, .. } if wait == seven),
            "{kind}: {throttled:?}"
        );
        for status in [400, 401, 403, 413, 422] {
            receiver.first(echoing(status));
            let failed = failed(&*channel).await;
            assert!(
                matches!(failed, Failed::ForGood { .. }),
                "{kind}, {status}: {failed:?}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_follows_a_redirect() {
    let elsewhere = Receiver::start(|_| Answer::Text(200, "ok".to_owned())).await;
    let receiver = Receiver::start(|_| echoing(500)).await;
    for (kind, channel) in all(&receiver.url) {
        for status in [301, 302, 303, 307, 308] {
            receiver.first(Answer::With(
                status,
                "location",
                elsewhere.url.clone(),
                String::new(),
            ));
            let failed = failed(&*channel).await;
            assert!(
                matches!(failed, Failed::ForGood { .. }),
                "{kind}, {status}: {failed:?}"
            );
        }
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn who_hangs_or_hangs_up_is_asked_again() {
    let hanging = Receiver::start(|_| Answer::Hang).await;
    for url in [
        hanging.url.clone(),
        resetting().await,
        "http://127.0.0.1:1".to_owned(),
    ] {
        let tasks: Vec<_> = (all(&url).into_iter())
            .map(|(kind, channel)| tokio::spawn(async move { (kind, failed(&*channel).await) }))
            .collect();
        for task in tasks {
            let (kind, failed) = task.await.unwrap();
            assert!(
                matches!(failed, Failed::ForNow { wait: None, .. }),
                "{kind} at {url}: {failed:?}"
            );
        }
    }
}

#[tokio::test]
async fn reports_fail_as_alerts_do_and_places_for_incidents_take_none() {
    let receiver = Receiver::start(|_| echoing(500)).await;
    let mut takes = Vec::new();
    for (kind, channel) in all(&receiver.url) {
        if !channel.takes_reports() {
            let failed = channel.publish(&testing::report()).await.unwrap_err();
            assert!(
                matches!(&failed, Failed::ForGood { why } if why.contains("weekly")),
                "{failed:?}"
            );
            continue;
        }
        takes.push(kind);
        for (status, later) in [
            (503, true),
            (429, true),
            (400, false),
            (401, false),
            (308, false),
        ] {
            receiver.first(echoing(status));
            let failed = channel.publish(&testing::report()).await.unwrap_err();
            let why = failed.to_string();
            assert!(
                !why.contains("s3cr3t") && !why.contains("MfKQ") && !why.contains('\n'),
                "{why}"
            );
            assert_eq!(
                matches!(failed, Failed::ForNow { .. }),
                later,
                "{kind}, {status}: {failed:?}"
            );
        }
    }
    assert_eq!(
        takes,
        ["slack, webhook", "slack, token", "teams", "webhook"]
    );
}
