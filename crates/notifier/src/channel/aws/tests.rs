//! A fake AWS, and what its errors mean.

use std::time::Duration;

use aws_sdk_sns::config::{BehaviorVersion, Credentials, Region};

use super::{Call, arn, refused};
use crate::channel::{Channel, Failed};
use crate::testing::{self, Answer, Receiver, Seen, resetting};

/// A client of whatever service, of this machine. Its Region is not the one that any channel is told.
macro_rules! client {
    ($service:ident, $url:expr) => {
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version(crate::channel::aws::tests::latest())
                .region(crate::channel::aws::tests::home())
                .credentials_provider(crate::channel::aws::tests::credentials())
                .endpoint_url($url)
                .build(),
        )
    };
}
pub(crate) use client;

pub(crate) fn latest() -> BehaviorVersion {
    BehaviorVersion::latest()
}

pub(crate) fn home() -> Region {
    Region::new("us-west-2")
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("AKIDEXAMPLE", "very secret key", None, None, "test")
}

/// The request is signed for this Region and service.
#[track_caller]
pub(crate) fn assert_signed(seen: &Seen, region: &str, service: &str) {
    let signed = seen.header("authorization");
    let scope = format!("/{region}/{service}/aws4_request");
    assert!(
        signed.starts_with("AWS4-HMAC-SHA256 ") && signed.contains(&scope),
        "{signed}"
    );
}

/// What every channel does with errors, given a channel at an address and an error as the service words it.
pub(crate) async fn errors_are_told_apart(
    channel: &dyn Fn(&str) -> Box<dyn Channel>,
    error: &dyn Fn(u16, &'static str) -> Answer,
    permission: &str,
) {
    let receiver = Receiver::start(|_| Answer::Text(500, String::new())).await;
    let there = channel(&receiver.url);
    let notice = testing::opened();
    let mut failed = Vec::new();
    for (status, code) in [
        (429, "TooManyRequestsException"),
        (400, "ThrottlingException"),
        (500, "InternalFailure"),
        (503, "ServiceUnavailable"),
        (403, "ExpiredTokenException"),
    ] {
        receiver.first(error(status, code));
        failed.push(there.deliver(&notice, None).await.unwrap_err());
    }
    failed.push(there.deliver(&notice, None).await.unwrap_err());
    assert_eq!(receiver.seen().len(), failed.len(), "one attempt each");
    failed.push(
        channel(&resetting().await)
            .deliver(&notice, None)
            .await
            .unwrap_err(),
    );
    failed.push(
        channel("http://127.0.0.1:1")
            .deliver(&notice, None)
            .await
            .unwrap_err(),
    );
    receiver.first(Answer::Hang);
    failed.push(there.deliver(&notice, None).await.unwrap_err());
    for failed in failed {
        assert!(matches!(failed, Failed::ForNow { .. }), "{failed:?}");
    }
    for (status, code, remedy) in [
        (403, "AccessDeniedException", permission),
        (403, "InvalidClientTokenId", "check the AWS credentials"),
        (404, "NotFoundException", "check name, Region and account"),
        (400, "InvalidParameterException", ""),
        (418, "Teapot", ""),
    ] {
        receiver.first(error(status, code));
        let failed = there.deliver(&notice, None).await.unwrap_err();
        let Failed::ForGood { why } = &failed else {
            panic!("{code}: {failed:?}");
        };
        assert!(why.contains(code) && why.contains(remedy), "{why}");
        assert!(
            !why.contains("very secret key") && !why.contains('\n'),
            "{why}"
        );
    }
    assert!(!format!("{there:?}").contains("very secret key"));
}

#[test]
fn arns() {
    let topic = "arn:aws:sns:eu-central-1:111122223333:alerts";
    assert_eq!(arn(topic, "sns"), Some(("eu-central-1", "alerts")));
    let china = "arn:aws-cn:events:cn-north-1:111122223333:event-bus/a:b";
    assert_eq!(arn(china, "events"), Some(("cn-north-1", "event-bus/a:b")));
    for wrong in [
        "",
        "alerts",
        "arn:aws:sqs:eu-central-1:111122223333:alerts",
        "arn:aws:sns::111122223333:alerts",
        "arn:aws:sns:eu central:111122223333:alerts",
        "arn:aws:sns:eu-central-1:1111:alerts",
        "arn:aws:sns:eu-central-1:111122223333:",
        "arn:aws:sns:eu-central-1:111122223333",
        "urn:aws:sns:eu-central-1:111122223333:alerts",
    ] {
        assert_eq!(arn(wrong, "sns"), None, "{wrong}");
    }
}

#[test]
fn what_passes_and_what_does_not() {
    let call = Call {
        action: "sns:Publish",
        on: "arn:x",
    };
    let wait = Some(Duration::from_secs(7));
    let is = |code: Option<&str>, status| refused(call, code, Some("said\nso"), status, wait);
    for code in [
        "KMSThrottling",
        "KMSThrottlingException",
        "InternalException",
        "SendingPausedException",
    ] {
        let now = Failed::ForNow {
            why: format!("sns:Publish: {code}: said\\nso"),
            wait,
        };
        assert_eq!(is(Some(code), 400), now);
    }
    assert!(matches!(is(None, 502), Failed::ForNow { .. }));
    assert!(matches!(is(None, 408), Failed::ForNow { .. }));
    for (code, remedy) in [
        ("AuthorizationError", "allow sns:Publish on arn:x"),
        ("KMSAccessDeniedException", "kms:GenerateDataKey*"),
        ("KMSDisabled", "KMS key of arn:x"),
        ("MessageRejected", "sandbox"),
        ("MailFromDomainNotVerifiedException", "verify the domain"),
        ("NotAuthorizedForSourceException", ""),
    ] {
        match is(Some(code), 400) {
            Failed::ForGood { why } => assert!(why.contains(remedy), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(is(None, 400), Failed::ForGood { .. }));
}
