//! Mail as SES takes it.

use std::time::Duration;

use alerts::{Words, prose};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Config, Ses, address, render};
use crate::channel::aws::tests::{assert_signed, client, errors_are_told_apart};
use crate::channel::{Channel, Failed, Receipt};
use crate::hostile::{dull, nasty, no_formula};
use crate::testing::{self, Answer, Receiver, Seen};

fn config(more: Value) -> Config {
    let mut config = json!({"from": "GuardDuty alerts <alerts@corp.example>", "to": ["ann@corp.example", "On Call <oncall@corp.example>"]});
    if let Value::Object(more) = more {
        config.as_object_mut().unwrap().extend(more);
    }
    serde_json::from_value(config).unwrap()
}

fn channel(url: &str, more: Value) -> Ses {
    let mut ses = Ses::new(config(more), client!(aws_sdk_sesv2, url)).unwrap();
    ses.timeout = Duration::from_secs(1);
    ses
}

#[track_caller]
fn only_our_tags(html: &str) {
    let tags: Vec<&str> = html
        .split('<')
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap())
        .collect();
    let styled = |tag: &str| tag.split(" style=").next().unwrap().to_owned();
    let tags: Vec<String> = tags.into_iter().map(styled).collect();
    let ours = [
        "!DOCTYPE html",
        "html lang=\"en\"",
        "head",
        "meta charset=\"utf-8\"",
        "/head",
        "body",
        "div",
        "pre",
        "/pre",
        "/div",
        "/body",
        "/html",
    ];
    assert_eq!(
        tags, ours,
        "nothing is loaded, nothing of a finding is a tag"
    );
    assert!(!html.contains("url("), "{html}");
}

/// What the API reference says of `SendEmail`, and the developer guide of headers.
fn contract(seen: &Seen) -> Answer {
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("POST", "/v2/email/outbound-emails")
    );
    let body = seen.json();
    let simple = &body["Content"]["Simple"];
    let subject = simple["Subject"]["Data"].as_str().unwrap();
    assert!(
        !subject.is_empty()
            && subject.chars().count() <= 200
            && !subject.contains(char::is_control)
    );
    let (text, html) = (&simple["Body"]["Text"], &simple["Body"]["Html"]);
    for part in [&simple["Subject"], text, html] {
        assert_eq!(part["Charset"], "UTF-8");
        assert!(!part["Data"].as_str().unwrap().is_empty());
    }
    let html = html["Data"].as_str().unwrap();
    only_our_tags(html);
    for header in simple["Headers"].as_array().unwrap() {
        let (name, value) = (
            header["Name"].as_str().unwrap(),
            header["Value"].as_str().unwrap(),
        );
        assert!(
            ["Auto-Submitted", "In-Reply-To", "References"].contains(&name),
            "{name}"
        );
        assert!(
            (1..=870).contains(&value.len()) && value.chars().all(|c| c.is_ascii_graphic()),
            "{value}"
        );
    }
    let to = body["Destination"]["ToAddresses"].as_array().unwrap();
    assert!((1..=50).contains(&to.len()));
    assert!(seen.body.len() < 500_000, "{}", seen.body.len());
    assert!(simple["Attachments"].is_null());
    Answer::Json(200, json!({"MessageId": "0107018f-1c2d"}))
}

fn header<'a>(seen: &'a Value, name: &str) -> Option<&'a str> {
    let headers = seen["Content"]["Simple"]["Headers"].as_array()?;
    headers.iter().find(|header| header["Name"] == name)?["Value"].as_str()
}

async fn sent(more: Value, notice: &alerts::Notice, before: Option<&Receipt>) -> (Seen, Receipt) {
    let receiver = Receiver::start(contract).await;
    let receipt = channel(&receiver.url, more)
        .deliver(notice, before)
        .await
        .unwrap();
    assert_eq!(receipt.reference.as_deref(), Some("0107018f-1c2d"));
    (receiver.seen().remove(0), receipt)
}

#[tokio::test]
async fn a_mail_has_text_and_html_of_the_same_words() {
    let notice = testing::opened();
    let (seen, _) = sent(json!({"configuration_set": "alerts"}), &notice, None).await;
    assert_signed(&seen, "us-west-2", "ses");
    let body = seen.json();
    assert_eq!(
        body["FromEmailAddress"],
        "GuardDuty alerts <alerts@corp.example>"
    );
    assert_eq!(
        body["Destination"]["ToAddresses"],
        json!(["ann@corp.example", "On Call <oncall@corp.example>"])
    );
    assert_eq!(body["ConfigurationSetName"], "alerts");
    let words = Words::of(&notice);
    let simple = &body["Content"]["Simple"];
    assert_eq!(simple["Subject"]["Data"], words.headline);
    assert_eq!(simple["Body"]["Text"]["Data"], prose(&words));
    let html = simple["Body"]["Html"]["Data"].as_str().unwrap();
    assert!(
        html.contains("Many findings from one remote IP") && html.contains("#d93025"),
        "{html}"
    );
    assert!(html.contains("?team=sec&amp;lang=en"), "escaped: {html}");
}

/// What the API reference says of attachments.
fn contract_of_reports(seen: &Seen) -> Answer {
    let body = seen.json();
    let simple = &body["Content"]["Simple"];
    assert!(!simple["Body"]["Text"]["Data"].as_str().unwrap().is_empty());
    let page = simple["Body"]["Html"]["Data"].as_str();
    for attachment in simple["Attachments"].as_array().into_iter().flatten() {
        let text = |name: &str| attachment[name].as_str().unwrap();
        assert_eq!(
            (text("ContentDisposition"), text("ContentType")),
            ("INLINE", "image/png")
        );
        assert_eq!(text("ContentTransferEncoding"), "BASE64");
        assert!((1..=78).contains(&text("ContentId").len()));
        assert!((1..=255).contains(&text("FileName").len()));
        let png = BASE64_STANDARD.decode(text("RawContent")).unwrap();
        assert!(png.starts_with(b"\x89PNG"));
        assert!(page.is_some());
    }
    assert!(seen.body.len() < 10_000_000, "{}", seen.body.len());
    Answer::Json(200, json!({"MessageId": "0107018f-1c2d"}))
}

#[tokio::test]
async fn a_report_is_a_page_with_its_pictures() {
    let receiver = Receiver::start(contract_of_reports).await;
    let mut there = channel(&receiver.url, json!({}));
    // Megabytes of pictures, without optimisation.
    there.timeout = Duration::from_secs(60);
    assert!(there.takes_reports());
    let report = testing::report();
    let receipt = there.publish(&report).await.unwrap();
    assert_eq!(receipt.reference.as_deref(), Some("0107018f-1c2d"));
    there.publish(&testing::huge_report()).await.unwrap();
    let seen = receiver.seen();
    let body = seen[0].json();
    let simple = &body["Content"]["Simple"];
    assert_eq!(simple["Subject"]["Data"], report.title);
    assert_eq!(simple["Body"]["Html"]["Data"], report.html, "as it is");
    let picture = &simple["Attachments"][0];
    assert_eq!(picture["ContentId"], report.images[0].content_id);
    assert_eq!(picture["RawContent"], report.images[0].base64);
    assert_eq!(header(&body, "Auto-Submitted"), Some("auto-generated"));
    testing::golden("report-ses.json", &format!("{body:#}\n"));
    let mut wrong = testing::report();
    wrong.images[0].base64 = "!".to_owned();
    let failed = there.publish(&wrong).await.unwrap_err();
    assert!(
        matches!(&failed, Failed::ForGood { why } if why.contains("images[0]")),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_thread_names_its_first_message_as_ses_sends_it() {
    for (region, host) in [("eu-central-1", "eu-central-1"), ("us-east-1", "email")] {
        let more = json!({"region": region});
        let (seen, first) = sent(more.clone(), &testing::opened(), None).await;
        assert_signed(&seen, region, "ses");
        assert_eq!(header(&seen.json(), "In-Reply-To"), None);
        assert_eq!(
            header(&seen.json(), "Auto-Submitted"),
            Some("auto-generated")
        );
        let id = format!("<0107018f-1c2d@{host}.amazonses.com>");
        assert_eq!(first.detail, json!({"first": id}));
        let (seen, second) = sent(more, &testing::resolved(), Some(&first)).await;
        let body = seen.json();
        assert_eq!(header(&body, "In-Reply-To"), Some(&*id));
        assert_eq!(header(&body, "References"), Some(&*id));
        assert_eq!(second.detail, first.detail);
    }
}

#[tokio::test]
async fn no_text_adds_a_header_a_tag_or_a_recipient() {
    let hostile = "x\r\nBcc: eve@evil.example\r\n\r\n<img src=//evil.example/x><a href='https://evil.example'>&";
    let mut notice = testing::with(hostile, testing::opened(), 3);
    notice.items[0].alert.title = hostile.to_owned();
    notice.items[0].rule.description = hostile.to_owned();
    let before = Receipt {
        reference: None,
        detail: json!({"first": "<x@y>\r\nBcc: eve@evil.example"}),
    };
    let (seen, _) = sent(json!({}), &notice, Some(&before)).await;
    assert_eq!(header(&seen.json(), "In-Reply-To"), None);
    sent(json!({}), &testing::huge(200), None).await;
    sent(json!({}), &testing::with("", testing::group(40), 0), None).await;
}

#[tokio::test]
async fn errors() {
    let error = |status, code| {
        Answer::With(
            status,
            "x-amzn-errortype",
            code_of(code),
            json!({"message": "is\nso"}).to_string(),
        )
    };
    let permission = "allow ses:SendEmail on GuardDuty alerts <alerts@corp.example>";
    errors_are_told_apart(&|url| Box::new(channel(url, json!({}))), &error, permission).await;
}

fn code_of(code: &str) -> String {
    format!("{code}:http://internal.amazon.com/coral/com.amazonaws.ses/")
}

#[tokio::test]
async fn what_ses_says_of_senders_and_recipients() {
    let receiver = Receiver::start(contract).await;
    let channel = channel(&receiver.url, json!({}));
    for (code, for_now, words) in [
        ("MessageRejected", false, "sandbox"),
        (
            "MailFromDomainNotVerifiedException",
            false,
            "verify the domain",
        ),
        ("AccountSuspendedException", false, "stopped sending"),
        ("SendingPausedException", true, ""),
        ("LimitExceededException", true, ""),
    ] {
        receiver.first(Answer::With(
            400,
            "x-amzn-errortype",
            code.to_owned(),
            "{}".to_owned(),
        ));
        let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
        assert_eq!(
            matches!(failed, Failed::ForNow { .. }),
            for_now,
            "{failed:?}"
        );
        assert!(failed.to_string().contains(words), "{failed}");
    }
    receiver.first(Answer::With(
        429,
        "retry-after",
        "90000".to_owned(),
        "{}".to_owned(),
    ));
    let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
    let hour = Some(Duration::from_secs(3_600));
    assert!(
        matches!(failed, Failed::ForNow { wait, .. } if wait == hour),
        "{failed:?}"
    );
}

#[test]
fn settings() {
    for good in ["a@b.example", "A. B. <a+b@c-d.example>", "a.b@c.d.example"] {
        assert_eq!(address(good), Ok(()), "{good}");
    }
    for bad in [
        "",
        "a",
        "a@b",
        "@b.example",
        "a@b.example, c@d.example",
        "a@b.example\r\nBcc: c@d.example",
        "Ä <a@b.example>",
        "a <a@b.example",
        "a b@c.example",
        "a@b@c.example",
        "A <a@b.example> <c@d.example>",
    ] {
        assert!(address(bad).is_err(), "{bad}");
    }
    let new = |more: Value| {
        Ses::new(config(more), client!(aws_sdk_sesv2, "http://127.0.0.1:1")).map(|_| ())
    };
    for (more, words) in [
        (json!({"to": []}), "to: must be 1 to 50 addresses"),
        (
            json!({"to": vec!["a@b.example"; 51]}),
            "to: must be 1 to 50 addresses",
        ),
        (
            json!({"to": ["a@b.example", "x"]}),
            "to[1]: `x` is no e-mail address",
        ),
        (json!({"from": "x"}), "from: `x` is no e-mail address"),
        (json!({"region": "eu central"}), "region: must be"),
        (
            json!({"configuration_set": ""}),
            "configuration_set: must be",
        ),
    ] {
        let error = new(more).unwrap_err();
        assert!(error.starts_with(words), "{error}");
    }
    assert!(
        serde_json::from_value::<Config>(json!({"from": "a@b.example", "to": [], "tls": "none"}))
            .is_err()
    );
}

#[test]
fn a_preview_is_the_mail() {
    let channel = channel("http://127.0.0.1:1", json!({}));
    let words = Words::of(&testing::group(3));
    let head = "From: GuardDuty alerts <alerts@corp.example>\nTo: ann@corp.example, On Call <oncall@corp.example>";
    let due = format!("{head}\nSubject: {}\n\n{}", words.headline, prose(&words));
    assert_eq!(channel.preview(&testing::group(3)), due);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_more_than_text(text in nasty(), several in any::<bool>()) {
        let notice = if several { testing::group(20) } else { testing::opened() };
        let mail = render(&testing::with(&text, notice, 3), None);
        dull(&mail.subject);
        no_formula(&mail.subject);
        dull(&mail.text);
        only_our_tags(&mail.html.unwrap());
    }
}
