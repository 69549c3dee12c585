//! `guardlake doctor --aws`: an organization that is set up, and each thing that can be wrong with it, Region by Region.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::guardduty::{GuardDuty, Held, Region};
use crate::support::{S3, finish, folder, guardlake, run};

const PATTERN: &str = r#"{"source":["aws.guardduty"],"detail-type":["GuardDuty Finding"]}"#;
const BUS: &str = "arn:aws:events:eu-central-1:111122223333:event-bus/guardlake";

fn well() -> Region {
    let member = |number: u32, status: &str| {
        json!({"accountId": format!("{number:012}"), "masterId": "1", "email": "a@example.com",
            "relationshipStatus": status, "updatedAt": "2026-01-01T00:00:00Z"})
    };
    let answers = [
        (
            ("GET", ""),
            json!({"status": "ENABLED", "findingPublishingFrequency": "FIFTEEN_MINUTES", "serviceRole": "r"}),
        ),
        (
            ("GET", "/admin"),
            json!({"autoEnable": true, "memberAccountLimitReached": false, "autoEnableOrganizationMembers": "ALL"}),
        ),
        (
            ("GET", "/member"),
            json!({"members": [member(1, "Enabled"), member(2, "Enabled")]}),
        ),
        (
            ("GET", "/publishingDestination"),
            json!({"destinations": [{"destinationId": "1", "destinationType": "S3", "status": "PUBLISHING"}]}),
        ),
    ];
    Region {
        detector: Some("d1".to_owned()),
        answers: answers.into(),
        rules: vec![
            ("other", "ENABLED", r#"{"source":["aws.ec2"]}"#, vec![]),
            ("forward", "ENABLED", PATTERN, vec![BUS]),
        ],
        ..Region::default()
    }
}

/// Runs it off the runtime; the rows by check.
async fn doctor(
    guardduty: &GuardDuty,
    lake: &str,
    more: &[&str],
    variables: &[(&str, &str)],
    code: i32,
) -> BTreeMap<String, Value> {
    let mut command = guardlake();
    command
        .args([
            "--lake", lake, "--format", "json", "doctor", "--role", "query", "--aws",
        ])
        .args(more)
        .env("AWS_ENDPOINT_URL_GUARDDUTY", &guardduty.endpoint)
        .env("AWS_ENDPOINT_URL_EVENTBRIDGE", &guardduty.endpoint)
        .env("AWS_ENDPOINT_URL_ACCOUNT", &guardduty.endpoint)
        .envs(variables.iter().copied());
    let work = tokio::task::spawn_blocking(move || finish(&mut command, code));
    let output = work.await.expect("it ran");
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let named = |row: Value| (row["check"].as_str().expect("a name").to_owned(), row);
    rows.into_iter().map(named).collect()
}

/// Each expected row is (check, result, words in what was seen or in the remedy).
#[track_caller]
fn has(rows: &BTreeMap<String, Value>, expected: &[(&str, &str, &str)]) {
    for (check, result, words) in expected {
        let row = rows.get(*check);
        let row = row.unwrap_or_else(|| panic!("no row `{check}` in {rows:?}"));
        assert_eq!(row["result"], *result, "{row}");
        let said = format!("{} {}", row["seen"], row["remedy"]);
        assert!(said.contains(words), "`{words}` is not in {row}");
        let has_remedy = row["remedy"] != "";
        assert_eq!(has_remedy, matches!(*result, "warning" | "failed"), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_region_is_looked_at_and_what_is_wrong_is_told_with_its_remedy() {
    let (folder, lake) = folder();
    let now = jiff::Timestamp::now().to_string();
    let finding = json!({"accountId": "111122223333", "region": "eu-central-1", "id": "f", "type": "Recon:EC2/Portscan",
        "updatedAt": now, "service": {"count": 1, "eventLastSeen": now}});
    let file = folder.path().join("f.json");
    std::fs::write(&file, finding.to_string()).expect("a file");
    run(&lake, &["ingest", &file.display().to_string()], 0);

    let mut hourly = well();
    hourly.answers.insert(
        ("GET", ""),
        json!({"status": "DISABLED", "findingPublishingFrequency": "SIX_HOURS"}),
    );
    hourly.answers.insert(
        ("GET", "/admin"),
        json!({"autoEnableOrganizationMembers": "NONE", "memberAccountLimitReached": false}),
    );
    let members = json!({"members": [
        {"accountId": "000000000007", "masterId": "1", "email": "a@example.com", "relationshipStatus": "Removed", "updatedAt": "x"},
        {"accountId": "000000000008", "masterId": "1", "email": "a@example.com", "relationshipStatus": "Enabled", "updatedAt": "x"}]});
    hourly.answers.insert(("GET", "/member"), members);
    hourly.rules = vec![("forward", "DISABLED", PATTERN, vec![BUS])];
    let mut member = well();
    // GuardDuty refuses as a bad request what only an administrator may ask.
    member.answers.remove(&("GET", "/admin"));
    member.rules.clear();
    let mut denied = well();
    denied.denied = HashSet::from(["GetDetector", "ListMembers", "ListRules"]);
    let mut shut = well();
    shut.denied = HashSet::from(["*"]);
    let regions = [
        ("eu-central-1", well()),
        ("eu-north-1", hourly),
        ("eu-west-1", member),
        ("sa-east-1", denied),
        ("us-east-1", shut),
        ("us-west-2", Region::default()),
    ];
    let regions = regions.map(|(name, region)| (name.to_owned(), region));
    let guardduty = GuardDuty::start(regions.into()).await;
    let rows = doctor(&guardduty, &lake, &[], &[], 1).await;
    has(
        &rows,
        &[
            ("eu-central-1: detector", "ok", "d1, ENABLED"),
            ("eu-central-1: updates", "ok", "FIFTEEN_MINUTES"),
            ("eu-central-1: administrator", "ok", "ALL"),
            ("eu-central-1: members", "ok", "2, all Enabled"),
            ("eu-central-1: events", "ok", "rule forward"),
            ("eu-central-1: findings", "ok", "s ago"),
            (
                "eu-north-1: detector",
                "failed",
                "update-detector --region eu-north-1 --detector-id d1 --enable",
            ),
            ("eu-north-1: updates", "warning", "6 hours late"),
            (
                "eu-north-1: administrator",
                "warning",
                "--auto-enable-organization-members ALL",
            ),
            (
                "eu-north-1: members",
                "warning",
                "1 of 2 are not Enabled, their findings do not come: 000000000007 (Removed)",
            ),
            (
                "eu-north-1: events",
                "failed",
                "enable-rule --region eu-north-1 --name forward",
            ),
            (
                "eu-north-1: findings",
                "warning",
                "create-sample-findings --region eu-north-1",
            ),
            (
                "eu-west-1: administrator",
                "failed",
                "enable-organization-admin-account",
            ),
            ("eu-west-1: events", "failed", "member.yaml"),
            (
                "sa-east-1: detector",
                "failed",
                r#"[\"guardduty:GetDetector\"]"#,
            ),
            ("sa-east-1: administrator", "ok", "ALL"),
            (
                "sa-east-1: members",
                "failed",
                r#"[\"guardduty:ListMembers\"]"#,
            ),
            ("sa-east-1: events", "failed", r#"[\"events:ListRules\"]"#),
            (
                "us-east-1: detector",
                "failed",
                r#"[\"guardduty:ListDetectors\"]"#,
            ),
            ("us-west-2: detector", "warning", "GuardDuty is off"),
        ],
    );
    assert!(!rows.contains_key("eu-central-1: export"), "{rows:?}");
    assert!(!rows.contains_key("us-east-1: members"), "{rows:?}");

    // One Region that is well; and one that was named and is off.
    doctor(&guardduty, &lake, &["--regions", "eu-central-1"], &[], 0).await;
    let rows = doctor(&guardduty, &lake, &["--regions", "us-west-2"], &[], 1).await;
    has(
        &rows,
        &[("us-west-2: detector", "failed", "GuardDuty is off")],
    );
    // Who has the export instead of a stream needs no rule.
    guardduty.change("eu-central-1", |region| {
        region.rules.clear();
    });
    let exports = [(
        "GUARDLAKE__EXPORTS__FROM",
        folder.path().to_str().expect("text"),
    )];
    let rows = doctor(
        &guardduty,
        &lake,
        &["--regions", "eu-central-1"],
        &exports,
        0,
    )
    .await;
    has(&rows, &[("eu-central-1: export", "ok", "PUBLISHING")]);
    guardduty.change("eu-central-1", |region| {
        let none = json!({"destinations": []});
        region
            .answers
            .insert(("GET", "/publishingDestination"), none);
    });
    let rows = doctor(
        &guardduty,
        &lake,
        &["--regions", "eu-central-1"],
        &exports,
        1,
    )
    .await;
    has(
        &rows,
        &[("eu-central-1: export", "failed", "nothing is exported")],
    );
}

/// The policy that `deploy/` has for both commands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_allows_what_is_asked_and_no_more() {
    let (folder, lake) = folder();
    let mut region = well();
    region.held = vec![Held {
        id: "f".to_owned(),
        account: "111122223333".to_owned(),
        updated: 1_700_000_000_000,
        raw: r#"{"accountId":"111122223333","region":"eu-central-1","id":"f","type":"t"}"#
            .to_owned(),
    }];
    let guardduty = GuardDuty::start([("eu-central-1".to_owned(), region)].into()).await;
    let mut backfill = guardlake();
    backfill
        .args(["--lake", &lake, "backfill"])
        .env("AWS_ENDPOINT_URL_GUARDDUTY", &guardduty.endpoint)
        .env("AWS_ENDPOINT_URL_ACCOUNT", &guardduty.endpoint);
    let work = tokio::task::spawn_blocking(move || finish(&mut backfill, 0));
    work.await.expect("it ran");
    let settings = [
        (
            "GUARDLAKE__EXPORTS__FROM",
            folder.path().to_str().expect("text"),
        ),
        ("GUARDLAKE__STREAM__NAME", "findings"),
    ];
    doctor(&guardduty, &lake, &[], &settings, 0).await;
    let hub = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/cloudformation/hub.yaml");
    let hub = std::fs::read_to_string(hub).expect("the template");
    let policy = hub.split_once("  ReadGuardDuty:\n").expect("the policy").1;
    let policy = policy.split_once("Resource:").expect("its end").0;
    let allowed: BTreeSet<String> = (policy.lines())
        .filter_map(|line| line.trim().strip_prefix("- "))
        .filter(|line| line.contains(':') && !line.contains(' '))
        .map(str::to_owned)
        .collect();
    assert_eq!(guardduty.asked(), allowed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bucket_of_the_export_is_listed_and_read() {
    let s3 = S3::start();
    let client = s3.client();
    let bucket = client.create_bucket().bucket("exports");
    bucket.send().await.expect("a bucket");
    let (_folder, lake) = folder();
    let check = |code: i32, from: &'static str| {
        let mut command = s3.guardlake();
        command
            .args([
                "--lake", &lake, "--format", "json", "doctor", "--role", "ingest",
            ])
            .env("GUARDLAKE__EXPORTS__FROM", from);
        async move {
            let work = tokio::task::spawn_blocking(move || finish(&mut command, code));
            let output = work.await.expect("it ran");
            let rows: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
            let named = |row: Value| (row["check"].as_str().expect("a name").to_owned(), row);
            rows.into_iter().map(named).collect::<BTreeMap<_, _>>()
        }
    };
    let rows = check(1, "s3://nowhere/AWSLogs/").await;
    has(
        &rows,
        &[("exports: list", "failed", "correct exports.from")],
    );
    let rows = check(0, "s3://exports/AWSLogs/").await;
    has(
        &rows,
        &[
            (
                "exports: list",
                "warning",
                "nothing below s3://exports/AWSLogs/",
            ),
            ("exports: read", "skipped", ""),
        ],
    );
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"{}");
    let put = client
        .put_object()
        .bucket("exports")
        .key("AWSLogs/1/GuardDuty/a.jsonl.gz");
    put.body(body).send().await.expect("an object is put");
    let rows = check(0, "s3://exports/AWSLogs/").await;
    has(
        &rows,
        &[("exports: list", "ok", ""), ("exports: read", "ok", "")],
    );
}
