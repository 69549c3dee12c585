//! Sigma rules asked of findings: correlations ring where they should, files lie beside those of SQL.

mod detection;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use alerts::sigma;
use arrow::array::{ArrayRef, StringArray};
use arrow::record_batch::RecordBatch;

use crate::rules::{check, load};
use crate::testing::{empty, findings, over};
use crate::{Library, evaluate};

/// Rows of findings, each `column=value` with spaces between; `at` is the second of its event.
fn rows(lines: &[&str]) -> RecordBatch {
    let cells = |line: &str| -> Vec<(String, String)> {
        let cell = |word: &str| {
            let (name, value) = word.split_once('=').unwrap();
            match name {
                "at" => {
                    let (minute, second) = (
                        value.parse::<u32>().unwrap() / 60,
                        value.parse::<u32>().unwrap() % 60,
                    );
                    (
                        "event_time".to_owned(),
                        format!("2026-07-01T00:{minute:02}:{second:02}Z"),
                    )
                }
                name => (name.to_owned(), value.replace('+', " ")),
            }
        };
        line.split(' ').map(cell).collect()
    };
    let lines: Vec<_> = lines.iter().map(|line| cells(line)).collect();
    let names: BTreeSet<&String> = lines.iter().flatten().map(|(name, _)| name).collect();
    let column = |name: &&String| {
        let name: &str = name;
        let of = |line: &Vec<(String, String)>| {
            line.iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        };
        let texts = StringArray::from_iter(lines.iter().map(of));
        Arc::new(texts) as ArrayRef
    };
    let columns = names.iter().map(|name| (name.as_str(), column(name)));
    findings(columns.collect())
}

/// Groups that ring and how many findings each of their alerts has, of the first rule of a file.
async fn rings(yaml: &str, lines: &[&str]) -> Vec<String> {
    let session = over(vec![rows(lines)]).await;
    let converted = sigma::convert("r", yaml).unwrap_or_else(|error| panic!("{error}"));
    let rule = &converted[0].rule;
    check(&session, rule)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", converted[0].text));
    let fired = evaluate(&session, rule, i64::MAX).await.unwrap();
    let told = fired.iter().flat_map(|fired| {
        let group: Vec<&str> = (fired.group.iter())
            .map(|(_, value)| value.as_deref().unwrap_or("null"))
            .collect();
        let group = group.join("/");
        fired
            .episodes
            .iter()
            .map(move |episode| format!("{group}: {}", episode.findings_total))
    });
    told.collect()
}

#[tokio::test]
async fn every_rule_of_the_corpus_is_one_that_can_run() {
    let session = empty().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../alerts/tests/sigma");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "yml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for converted in sigma::convert("r", &text).into_iter().flatten() {
            check(&session, &converted.rule)
                .await
                .unwrap_or_else(|error| panic!("{}: {error}\n{}", path.display(), converted.text));
            evaluate(&session, &converted.rule, 0)
                .await
                .unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
            checked += 1;
        }
    }
    assert!(checked >= 25, "only {checked}");
}

const LOGINS: &str = "
title: Failed
name: failed
detection: {s: {error_code: AccessDenied}, condition: s}
---
title: Success
name: success
detection: {s: {action_type: AWS_API_CALL}, f: {error_code: '*'}, condition: s and not f}
";

#[tokio::test]
async fn event_count_counts_findings_in_windows_open_at_the_start() {
    let rule = format!("
title: Burst
correlation: {{type: event_count, rules: [failed], group-by: [user_name], timespan: 60s, condition: {{gt: 2}}}}
---{LOGINS}");
    let told = rings(
        &rule,
        &[
            "finding_id=a user_name=eve error_code=accessdenied at=0",
            "finding_id=b user_name=eve error_code=AccessDenied at=30",
            // Exactly a timespan after the first, which is out.
            "finding_id=c user_name=eve error_code=AccessDenied at=60",
            "finding_id=c user_name=eve error_code=AccessDenied at=61",
            "finding_id=d user_name=bob error_code=AccessDenied at=60",
            "finding_id=e user_name=bob error_code=AccessDenied at=70",
            "finding_id=f user_name=bob error_code=AccessDenied at=119",
            // Without a user: in no group.
            "finding_id=g error_code=AccessDenied at=1",
            "finding_id=h error_code=AccessDenied at=2",
            "finding_id=i error_code=AccessDenied at=3",
        ],
    )
    .await;
    assert_eq!(told, ["bob: 3"]);
}

#[tokio::test]
async fn ranges_have_an_end_from_above() {
    let rule = format!("
title: Two or three
correlation: {{type: event_count, rules: [failed], group-by: [user_name], timespan: 60s, condition: {{gte: 2, lte: 3}}}}
---{LOGINS}");
    let mut lines = Vec::new();
    for (user, many) in [("one", 1), ("two", 2), ("four", 4)] {
        for nth in 0..many {
            // All at once, so that no window holds less.
            lines.push(format!(
                "finding_id={user}{nth} user_name={user} error_code=AccessDenied at=5"
            ));
        }
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(rings(&rule, &lines).await, ["two: 2"]);
}

#[tokio::test]
async fn order_is_of_strictly_later_times() {
    let rule = format!("
title: Then
correlation: {{type: temporal_ordered, rules: [failed, success], group-by: [user_name], timespan: 1m}}
---{LOGINS}");
    let told = rings(
        &rule,
        &[
            "finding_id=a user_name=eve error_code=AccessDenied at=1",
            "finding_id=b user_name=eve action_type=AWS_API_CALL at=2",
            "finding_id=c user_name=bob action_type=AWS_API_CALL at=1",
            "finding_id=d user_name=bob error_code=AccessDenied at=2",
            "finding_id=e user_name=joe action_type=AWS_API_CALL at=1",
            "finding_id=f user_name=joe error_code=AccessDenied at=1",
        ],
    )
    .await;
    assert_eq!(told, ["eve: 2"]);
    let any_order = rule.replace("temporal_ordered", "temporal");
    let told = rings(
        &any_order,
        &[
            "finding_id=c user_name=bob action_type=AWS_API_CALL at=1",
            "finding_id=d user_name=bob error_code=AccessDenied at=2",
            "finding_id=e user_name=joe action_type=AWS_API_CALL at=1",
        ],
    )
    .await;
    assert_eq!(told, ["bob: 2"]);
}

#[tokio::test]
async fn a_finding_can_be_of_several_rules() {
    let rule = "
title: Both at once
correlation: {type: temporal, rules: [severe, remote], group-by: [account_id], timespan: 1m}
---
{title: S, name: severe, detection: {s: {severity|gte: 7}, condition: s}}
---
{title: R, name: remote, detection: {s: {remote_ip|exists: true}, condition: s}}
";
    let told = rings(
        rule,
        &[
            "finding_id=a account_id=1 severity=8 remote_ips=198.51.100.1 at=1",
            "finding_id=b account_id=2 severity=8 at=1",
        ],
    )
    .await;
    assert_eq!(told, ["1: 1"]);
}

#[tokio::test]
async fn a_count_can_be_a_step() {
    let rule = format!("
title: Guessed
correlation: {{type: temporal_ordered, rules: [many, success], group-by: [user_name], timespan: 10m}}
---
title: Many
name: many
correlation: {{type: event_count, rules: [failed], group-by: [user_name], timespan: 1m, condition: {{gte: 3}}}}
---{LOGINS}");
    let told = rings(
        &rule,
        &[
            "finding_id=a user_name=eve error_code=AccessDenied at=1",
            "finding_id=b user_name=eve error_code=AccessDenied at=2",
            "finding_id=c user_name=eve error_code=AccessDenied at=3",
            "finding_id=d user_name=eve action_type=AWS_API_CALL at=300",
            "finding_id=e user_name=bob error_code=AccessDenied at=1",
            "finding_id=f user_name=bob error_code=AccessDenied at=100",
            "finding_id=g user_name=bob error_code=AccessDenied at=200",
            "finding_id=h user_name=bob action_type=AWS_API_CALL at=300",
        ],
    )
    .await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("eve: "), "{told:?}");
}

#[tokio::test]
async fn words_can_ask_that_something_did_not_come() {
    let rule = "
title: Not the scanner
correlation: {type: temporal, condition: access and not scanner, group-by: [account_id], timespan: 1m}
---
{title: A, name: access, detection: {s: {threat_purpose: UnauthorizedAccess}, condition: s}}
---
{title: S, name: scanner, detection: {s: {remote_ip|cidr: 198.51.100.0/24}, condition: s}}
";
    let told = rings(
        rule,
        &[
            "finding_id=a account_id=1 threat_purpose=UnauthorizedAccess at=10",
            "finding_id=b account_id=2 threat_purpose=UnauthorizedAccess at=10",
            "finding_id=c account_id=2 remote_ips=198.51.100.9 at=5",
        ],
    )
    .await;
    assert_eq!(told, ["1: 1"]);
}

#[tokio::test]
async fn aliases_bring_fields_together() {
    let rule = "
title: In and out
correlation:
    type: temporal
    rules: [inbound, outbound]
    group-by: [host]
    timespan: 1m
    aliases:
        host: {inbound: instance_id, outbound: resource_id}
---
{title: I, name: inbound, detection: {s: {direction: INBOUND}, condition: s}}
---
{title: O, name: outbound, detection: {s: {direction: OUTBOUND}, condition: s}}
";
    let told = rings(
        rule,
        &[
            "finding_id=a direction=INBOUND instance_id=i-1 resource_id=i-2 at=1",
            "finding_id=b direction=OUTBOUND instance_id=i-3 resource_id=i-1 at=2",
            "finding_id=c direction=OUTBOUND instance_id=i-2 resource_id=i-4 at=2",
        ],
    )
    .await;
    assert_eq!(told, ["i-1: 2"]);
    // Of both rules: in the group of each, and there as that rule alone.
    let both = rule.replace("direction: OUTBOUND", "severity: 8");
    let told = rings(
        &both,
        &[
            "finding_id=a direction=INBOUND severity=8 instance_id=i-1 resource_id=i-2 at=1",
            "finding_id=b direction=INBOUND severity=5 instance_id=i-2 at=2",
            "finding_id=c direction=OUTBOUND severity=8 resource_id=i-3 at=2",
        ],
    )
    .await;
    assert_eq!(told, ["i-2: 2"]);
}

#[tokio::test]
async fn values_are_counted_added_and_averaged() {
    let lines = [
        "finding_id=a account_id=1 severity=8 user_name=x type=T at=1 count=1 updated_at=2026-07-01T00:00:01Z",
        "finding_id=b account_id=1 severity=4 user_name=x type=U at=2 count=1 updated_at=2026-07-01T00:00:01Z",
        "finding_id=c account_id=1 severity=3 user_name=y type=T at=3 count=1 updated_at=2026-07-01T00:00:01Z",
        "finding_id=d account_id=2 severity=5 type=T at=1 count=1 updated_at=2026-07-01T00:00:01Z",
        "finding_id=e account_id=2 severity=5 user_name=x type=T at=2 count=1 updated_at=2026-07-01T00:00:01Z",
    ];
    let rule = |kind: &str, condition: &str| {
        format!("
title: Values
correlation: {{type: {kind}, rules: [any], group-by: [account_id], timespan: 1m, condition: {{{condition}}}}}
---
{{title: A, name: any, detection: {{s: {{severity|gt: 0}}, condition: s}}}}
")
    };
    for (kind, condition, expected) in [
        ("value_count", "field: user_name, gte: 2", vec!["1: 3"]),
        (
            "value_count",
            "field: [user_name, type], gte: 3",
            vec!["1: 3"],
        ),
        (
            "value_count",
            "field: user_name, eq: 1",
            vec!["1: 2", "2: 2"],
        ),
        ("value_sum", "field: severity, gte: 14.5", vec!["1: 3"]),
        ("value_avg", "field: severity, gt: 7.5", vec!["1: 1"]),
        (
            "value_percentile",
            "field: severity, percentile: 50, gte: 4.9, lt: 5.5",
            vec!["2: 2"],
        ),
    ] {
        assert_eq!(
            rings(&rule(kind, condition), &lines).await,
            expected,
            "{kind} {condition}"
        );
    }
}

#[tokio::test]
async fn a_rule_alone_rings_once_for_each_finding() {
    let told = rings(
        "{title: T, detection: {s: {type|startswith: 'Recon:'}, condition: s}}",
        &[
            "finding_id=a account_id=1 region=x type=Recon:EC2/Portscan at=1",
            "finding_id=a account_id=1 region=x type=Recon:EC2/Portscan at=3000",
            "finding_id=b account_id=1 region=x type=recon:EC2/x at=1",
            "finding_id=c account_id=1 region=x type=Trojan:EC2/Recon: at=1",
        ],
    )
    .await;
    assert_eq!(told, ["1/x/a: 1", "1/x/b: 1"]);
}

#[test]
fn sigma_files_lie_beside_those_of_sql() {
    let folder = tempfile::tempdir().unwrap();
    let alerts = folder.path().join("alerts");
    std::fs::create_dir(&alerts).unwrap();
    let write = |name: &str, text: &str| std::fs::write(alerts.join(name), text).unwrap();
    let base = |name: &str| {
        format!("{{title: T, {name} detection: {{s: {{region: x}}, condition: s}}}}\n")
    };
    // A rule of the user's own replaces a built-in one of its id, whatever it is written in.
    write(
        "mine.yml",
        &format!("{}---\n{}", base("name: burst_in_one_account,"), base("")),
    );
    write("broken.yaml", "{title: T}");
    write(
        "mine.sql",
        "/*\ntitle: t\nseverity: low\ngroup_by: []\nthreshold: 1\nwindow: 1m\n*/ SELECT * FROM observations",
    );
    write("note.txt", "no rule");
    let built_in = load(&Library::built_in()).len();
    let files = load(&Library::with_overlay(folder.path()).unwrap());
    assert_eq!(files.len(), built_in + 3);
    let told: Vec<String> = files
        .iter()
        .filter(|file| !file.file.starts_with("sql/"))
        .map(|file| {
            let name = Path::new(&file.file).file_name().unwrap().to_string_lossy();
            match &file.rule {
                Ok(rule) => format!("{name}: {}", rule.id),
                Err(error) => format!(
                    "{name}: {}",
                    error
                        .to_string()
                        .replace(folder.path().to_str().unwrap(), "")
                ),
            }
        })
        .collect();
    assert_eq!(
        told,
        [
            "broken.yaml: broken.yaml:1:1: a document has a detection, a correlation or a filter",
            "mine.yml: burst_in_one_account",
            "mine.sql: mine",
            "mine.yml: mine.yml:1:1: id: `mine` is that of a rule in /alerts/mine.sql too",
        ]
    );
    let alone = Library::built_in().with_rules_only(&alerts).unwrap();
    assert_eq!(load(&alone).len(), 4);
}
