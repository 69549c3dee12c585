//! What is judged, and what is said about it.

use std::time::{Duration, SystemTime};

use ::lake::{Checkup, Position, ShardInfo, ShardKey, Step, Table, Tried, Unfit};
use aws_sdk_s3::config::Credentials;
use ingest::kinesis::{CallError, Summary, Trouble};

use super::*;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn a_clock_that_is_off_is_told_before_aws_refuses_it() {
    let outcome = |ours| clock::judge(at(10_000), at(ours)).outcome;
    for (ours, expected) in [
        (10_000, Outcome::Ok),
        (10_060, Outcome::Ok),
        (10_061, Outcome::Warning),
        (9_900, Outcome::Warning),
        (10_300, Outcome::Failed),
        (9_000, Outcome::Failed),
    ] {
        assert_eq!(outcome(ours), expected, "{ours}");
    }
    let steady =
        |after, passed| clock::steady(at(100), at(after), Duration::from_secs(passed)).outcome;
    assert_eq!(steady(105, 5), Outcome::Ok);
    assert_eq!(steady(90, 5), Outcome::Warning);
    assert_eq!(steady(200, 5), Outcome::Warning);
}

#[test]
fn credentials_are_named_and_not_shown() {
    let of = |ends: Option<u64>| {
        let credentials = Credentials::new(
            "AKIAEXAMPLE1234",
            "hunter22secret",
            None,
            ends.map(at),
            "Test",
        );
        aws::of(&credentials, at(1_000))
    };
    let row = of(None);
    assert_eq!(
        (row.outcome, &*row.seen),
        (
            Outcome::Ok,
            "from Test; access key ...1234; they do not end"
        )
    );
    for (ends, expected) in [
        (5_000, Outcome::Ok),
        (1_100, Outcome::Warning),
        (900, Outcome::Failed),
    ] {
        let row = of(Some(ends));
        assert_eq!(row.outcome, expected);
        assert!(
            !row.seen.contains("hunter22") && !row.seen.contains("AKIA"),
            "{row:?}"
        );
    }
}

#[test]
fn a_missing_permission_is_named_with_the_statement_to_add() {
    let denied = |step| Tried {
        step,
        outcome: Err(Unfit::Forbidden("AccessDenied: no".to_owned())),
    };
    let remedy = |step| lake::of_step("s3://bucket/prefix", &denied(step)).remedy;
    assert!(remedy(Step::Delete).ends_with(
        r#"{"Action":["s3:DeleteObject"],"Effect":"Allow","Resource":"arn:aws:s3:::bucket/prefix/*"}"#
    ));
    assert!(remedy(Step::List).contains(r#""Resource":"arn:aws:s3:::bucket"}"#));
    let overwrites = Tried {
        step: Step::WriteAgain,
        outcome: Err(Unfit::Overwrites),
    };
    assert!(
        lake::of_step("s3://b", &overwrites)
            .remedy
            .contains("If-None-Match")
    );
    let error = |trouble, reason: &str| CallError {
        trouble,
        reason: reason.to_owned(),
    };
    let arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/f";
    for (trouble, reason, said) in [
        (
            Trouble::Lasting,
            "AccessDeniedException: no",
            "kinesis:GetRecords",
        ),
        (
            Trouble::Lasting,
            "KMSAccessDeniedException: no",
            "kms:Decrypt",
        ),
        (
            Trouble::Lasting,
            "KMSDisabledException: off",
            "must be enabled",
        ),
        (
            Trouble::NotFound,
            "ResourceNotFoundException: no",
            "stream.name",
        ),
        (
            Trouble::Lasting,
            "UnrecognizedClientException: no",
            "credentials",
        ),
        (Trouble::Passing, "dispatch failure", "AWS_ENDPOINT_URL"),
    ] {
        let remedy = stream::remedy(&error(trouble, reason), "kinesis:GetRecords", arn);
        assert!(remedy.contains(said), "{reason}: {remedy}");
    }
}

fn summary() -> Summary {
    Summary {
        arn: "arn:aws:kinesis:eu-west-1:111122223333:stream/f".to_owned(),
        status: "ACTIVE".to_owned(),
        mode: None,
        retention_hours: 168,
        open_shards: 2,
        key: Some("alias/k".to_owned()),
    }
}

#[test]
fn a_stream_is_judged_by_state_retention_encryption_and_lag() {
    let outcomes = |summary: &Summary| -> Vec<Outcome> {
        stream::of_summary("f", summary)
            .iter()
            .map(|row| row.outcome)
            .collect()
    };
    assert_eq!(outcomes(&summary()), [Outcome::Ok; 3]);
    let poor = Summary {
        status: "DELETING".to_owned(),
        retention_hours: 24,
        key: None,
        ..summary()
    };
    assert_eq!(
        outcomes(&poor),
        [Outcome::Failed, Outcome::Warning, Outcome::Warning]
    );
    let lag = |seconds: i64, ended: bool| {
        let position = Position {
            read_through: Some(0),
            ended,
            ..Position::default()
        };
        let shard = ShardKey {
            source: format!("{}@1", summary().arn),
            shard_id: "s".to_owned(),
        };
        let info = ShardInfo { shard, position };
        stream::of_lag("f", &summary(), &[info], None, seconds * 1_000_000).outcome
    };
    assert_eq!(lag(60, false), Outcome::Ok);
    assert_eq!(lag(3_600, false), Outcome::Warning);
    assert_eq!(lag(168 * 3_600, false), Outcome::Failed);
    assert_eq!(lag(168 * 3_600, true), Outcome::Ok);
}

#[test]
fn a_table_and_a_disk_are_judged_by_what_will_hurt() {
    let table = Checkup {
        table: Table::Findings,
        version: 5,
        written_at: None,
        protocol: (1, 2),
        refusal: None,
        lacking: 0,
        files: 10,
        waiting: 3,
        since_checkpoint: 50,
        log_files: 60,
        positions: Vec::new(),
    };
    assert_eq!(lake::of_table(&table), []);
    let poor = Checkup {
        refusal: Some("it asks for writer version 5".to_owned()),
        waiting: 900,
        since_checkpoint: 1_000,
        log_files: 50_000,
        ..table
    };
    let outcomes: Vec<Outcome> = lake::of_table(&poor)
        .iter()
        .map(|row| row.outcome)
        .collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Failed,
            Outcome::Warning,
            Outcome::Warning,
            Outcome::Warning
        ]
    );
    assert_eq!(lake::room(50 << 30, 100 << 30).outcome, Outcome::Ok);
    assert_eq!(lake::room(2 << 30, 100 << 30).outcome, Outcome::Warning);
    assert_eq!(lake::room(1 << 20, 100 << 30).outcome, Outcome::Failed);
}

#[tokio::test]
async fn no_check_takes_longer_than_it_may() {
    let never = std::future::pending::<()>();
    let row = within(Duration::from_millis(10), "slow", never)
        .await
        .unwrap_err();
    assert_eq!(
        (row.outcome, &*row.seen),
        (Outcome::Failed, "no answer within 0.01 s")
    );
}
