//! `guardlake backfill` against a GuardDuty over HTTP: everything it holds is stored once, whatever else brings it, whatever the API does.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::process::{Command, Output};
use std::time::Duration;

use finding::{Decoded, VersionHash, decode};
use sample::{Generator, Options, Shape};
use serde_json::{Value, json};

use crate::service::Service;
use crate::streams::{documents, signal};
use crate::support::guardduty::{GuardDuty, Held, Region, held};
use crate::support::{finish, folder, guardlake, ndjson, run, sql, verified};

fn command(guardduty: &GuardDuty, lake: &str, arguments: &[&str]) -> Command {
    let mut command = guardlake();
    command
        .args(["--lake", lake, "--format", "ndjson", "backfill"])
        .args(arguments)
        .env("AWS_ENDPOINT_URL_GUARDDUTY", &guardduty.endpoint)
        .env("AWS_ENDPOINT_URL_ACCOUNT", &guardduty.endpoint);
    command
}

/// Off the runtime, on which the server works.
async fn backfill(guardduty: &GuardDuty, lake: &str, arguments: &[&str], code: i32) -> Output {
    let mut command = command(guardduty, lake, arguments);
    let work = tokio::task::spawn_blocking(move || finish(&mut command, code));
    work.await.expect("it ran")
}

fn on(held: Vec<Held>) -> Region {
    Region {
        detector: Some("d1".to_owned()),
        held,
        ..Region::default()
    }
}

fn regions(documents: &[sample::Document]) -> BTreeMap<String, Region> {
    let held = held(documents).into_iter();
    held.map(|(name, held)| (name, on(held))).collect()
}

fn count(lake: &str, what: &str) -> i64 {
    let query = format!("SELECT count({what}) AS n FROM findings");
    sql(lake, &query)[0]["n"].as_i64().expect("a number")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `listed` is what became of it, in each Region.
#[track_caller]
fn balanced(output: &Output) -> BTreeMap<String, Value> {
    let mut regions = BTreeMap::new();
    for row in ndjson(output) {
        let number = |name: &str| {
            row[name]
                .as_i64()
                .unwrap_or_else(|| panic!("{name}: {row}"))
        };
        let ends = [
            "committed",
            "duplicate",
            "rejected",
            "skipped",
            "expired",
            "gone",
        ];
        let all: i64 = ends.iter().map(|name| number(name)).sum();
        assert_eq!(number("listed"), all, "{row}");
        regions.insert(row["region"].as_str().expect("a name").to_owned(), row);
    }
    regions
}

fn sum(regions: &BTreeMap<String, Value>, name: &str) -> i64 {
    regions.values().filter_map(|row| row[name].as_i64()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_guardduty_holds_is_stored_once_beside_what_the_stream_brings() {
    let (folder, lake) = folder();
    let all = documents(700, 11);
    let mut regions = regions(&all);
    let findings: usize = regions.values().map(|region| region.held.len()).sum();
    assert!(regions.len() > 2 && findings > 200, "{findings}");
    let biggest = regions.iter().max_by_key(|(_, region)| region.held.len());
    let biggest = biggest.expect("a Region").0.clone();
    assert!(regions[&biggest].held.len() > 50, "there is a second page");
    let denied = regions
        .keys()
        .find(|name| **name != biggest)
        .expect("one")
        .clone();
    let hidden = regions[&denied].held.len() as i64;
    regions.get_mut(&denied).expect("it").denied = HashSet::from(["ListFindings"]);
    // What the SDK's types cannot read is a finding all the same; what has no identity is a reject; what is gone is counted.
    let odd = |id: &str, raw: String| Held {
        id: id.to_owned(),
        account: "111122223333".to_owned(),
        updated: 1_700_000_000_000,
        raw,
    };
    let strange = r#"{"accountId":"111122223333","region":"REGION","id":"odd","type":"New:Kind/Of","severity":"HIGH","updatedAt":"2026-06-01T00:00:00Z","service":{"count":"7","additionalInfo":[1]},"newMember":{"a":[true]}}"#;
    let more = &mut regions.get_mut(&biggest).expect("it").held;
    more.push(odd("odd", strange.replace("REGION", &biggest)));
    more.push(odd("bad", r#"{"title":"no identity"}"#.to_owned()));
    more.push(odd("gone", String::new()));
    regions.get_mut(&biggest).expect("it").lost = HashSet::from(["gone".to_owned()]);
    regions.insert("mx-central-1".to_owned(), Region::default());
    let closed = Region {
        closed: true,
        ..Region::default()
    };
    regions.insert("ap-east-1".to_owned(), closed);
    let guardduty = GuardDuty::start(regions).await;
    guardduty.throttle(9);
    guardduty.break_off(4);

    let output = backfill(&guardduty, &lake, &[], 4).await;
    guardduty.throttle(0);
    let ended = balanced(&output);
    let stored = findings as i64 - hidden + 1;
    assert_eq!(sum(&ended, "committed"), stored);
    assert_eq!((sum(&ended, "rejected"), sum(&ended, "gone")), (1, 1));
    assert_eq!(ended[&biggest]["result"], "whole");
    assert_eq!(ended["mx-central-1"]["result"], "off");
    assert_eq!(ended[&denied]["result"], "refused");
    assert!(!ended.contains_key("ap-east-1"), "{ended:?}");
    let text = said(&output);
    assert!(
        text.contains(&format!(
            "error: {denied}: guardduty:ListFindings: AccessDenied"
        )) && text.contains("allow guardduty:ListFindings")
            && text.contains(&format!("to go on: guardlake backfill --regions {denied}")),
        "{text}"
    );
    assert_eq!(text.matches("error:").count(), 1, "{text}");
    let shapes = sql(
        &lake,
        "SELECT wire_shape, backfilled, count(*) AS n FROM findings GROUP BY 1, 2",
    );
    let shape = json!({"wire_shape": "rest", "backfilled": true, "n": stored});
    assert_eq!(shapes, [shape]);
    let row = &sql(
        &lake,
        "SELECT count, raw FROM findings WHERE finding_id = 'odd'",
    )[0];
    assert_eq!(row["count"], 7);
    // To the byte as it came.
    assert_eq!(row["raw"], json!(strange.replace("REGION", &biggest)));

    // Again: what was refused comes, and nothing a second time.
    guardduty.change(&denied, |region| region.denied.clear());
    let ended = balanced(&backfill(&guardduty, &lake, &[], 0).await);
    assert_eq!(sum(&ended, "committed"), hidden);
    assert_eq!(
        sum(&ended, "duplicate"),
        stored + 1,
        "the reject counts as one"
    );
    assert_eq!(count(&lake, "*"), findings as i64 + 1);
    assert_eq!(count(&lake, "DISTINCT finding_id"), findings as i64 + 1);

    // The stream brings all versions, those that are stored already among them.
    let events = folder.path().join("events.jsonl");
    let lines: Vec<&[u8]> = all.iter().map(|document| &document.bytes[..]).collect();
    std::fs::write(&events, lines.join(&b"\n"[..])).expect("a file");
    let versions: BTreeSet<(String, i64, u64)> = (all.iter())
        .flat_map(|document| &document.truths)
        .map(|truth| (truth.finding_id.clone(), truth.updated_at, truth.count))
        .collect();
    run(&lake, &["ingest", &events.display().to_string()], 0);
    assert_eq!(count(&lake, "*"), versions.len() as i64 + 1);
    assert_eq!(verified(&lake)["ok"], json!(true));

    // The other way round: after the stream the API has nothing new to say.
    let (_other, second) = crate::support::folder();
    run(&second, &["ingest", &events.display().to_string()], 0);
    let ended = balanced(&backfill(&guardduty, &second, &[], 0).await);
    assert_eq!(sum(&ended, "committed"), 1, "the strange one alone");
    assert_eq!(count(&second, "*"), versions.len() as i64 + 1);
}

/// Findings of the last eighty days: more than one slice of time.
fn recent(findings: u64) -> Vec<sample::Document> {
    let options = Options {
        findings,
        accounts: 3,
        seed: 5,
        days: 80,
        end: jiff::Timestamp::now().as_microsecond(),
        ..Options::default()
    };
    Generator::new(options).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_stopped_stores_what_there_is_and_goes_on() {
    let (_folder, lake) = folder();
    let mut regions = regions(&recent(900));
    let biggest = regions.iter().max_by_key(|(_, region)| region.held.len());
    let name = biggest.expect("a Region").0.clone();
    regions.retain(|region, _| *region == name);
    let findings = regions[&name].held.len() as i64;
    let guardduty = GuardDuty::start(regions).await;
    guardduty.stall_after(6);
    let mut service = Service::spawn(command(&guardduty, &lake, &["--regions", &name]));
    for _ in 0..600 {
        if guardduty.calls("GetFindings") > 6 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    signal(&service.child, "-INT");
    let ended = service.child.wait().expect("it ends");
    service.until_said("to go on").await;
    let text = service.said();
    assert_eq!(ended.code(), Some(4), "{text}");
    let stored = count(&lake, "*");
    assert!(
        stored > 0 && stored < findings,
        "{stored} of {findings}: {text}"
    );
    let from = text.split_once("--from ").expect("where to go on").1;
    let from = from.split_whitespace().next().expect("a time").to_owned();

    guardduty.stall_after(usize::MAX);
    let output = backfill(&guardduty, &lake, &["--regions", &name, "--from", &from], 0).await;
    let listed = sum(&balanced(&output), "listed");
    assert!(
        listed < findings,
        "all was listed again: {listed} of {findings}"
    );
    assert_eq!(count(&lake, "*"), findings);
    assert_eq!(verified(&lake)["ok"], json!(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_accounts_and_regions_are_chosen_and_mistakes_are_told() {
    let (_folder, lake) = folder();
    let all = recent(400);
    let guardduty = GuardDuty::start(regions(&all)).await;
    let held: Vec<(String, Held)> = (held(&all).into_iter())
        .flat_map(|(region, held)| held.into_iter().map(move |one| (region.clone(), one)))
        .collect();
    let (region, first) = held[0].clone();
    let cut = jiff::Timestamp::from_millisecond(first.updated).expect("a time");
    let counted = |wanted: &dyn Fn(&(String, Held)) -> bool| {
        held.iter().filter(|one| wanted(one)).count() as i64
    };
    let listed = async |arguments: &[&str]| {
        let arguments = [arguments, &["--dry-run"]].concat();
        let output = backfill(&guardduty, &lake, &arguments, 0).await;
        ndjson(&output)
            .iter()
            .filter_map(|row| row["listed"].as_i64())
            .sum::<i64>()
    };
    let text = cut.to_string();
    let at = first.updated;
    assert_eq!(listed(&[]).await, held.len() as i64);
    assert_eq!(
        listed(&["--from", &text]).await,
        counted(&|one| one.1.updated >= at)
    );
    assert_eq!(
        listed(&["--to", &text]).await,
        counted(&|one| one.1.updated < at)
    );
    let (account, other) = (first.account.clone(), all[1].truths[0].account_id.clone());
    let of = |one: &(String, Held)| one.1.account == account || one.1.account == other;
    let both = format!("{account},{other}");
    assert_eq!(listed(&["--accounts", &both]).await, counted(&of));
    assert_eq!(
        listed(&["--regions", &region]).await,
        counted(&|one| one.0 == region)
    );
    assert!(!std::path::Path::new(&lake).exists(), "looking made a lake");
    assert_eq!(guardduty.calls("GetFindings"), 0);

    for (arguments, words) in [
        (["--from", "yesterday"], "no time"),
        (["--to", "120d"], "--from must be before --to"),
        (["--regions", "Frankfurt"], "no Region"),
        (["--accounts", "4711"], "12 digits"),
    ] {
        let arguments = match arguments[0] {
            "--to" => [&arguments[..], &["--from", "1d"]].concat(),
            _ => arguments.to_vec(),
        };
        let text = said(&backfill(&guardduty, &lake, &arguments, 3).await);
        assert!(text.contains(words), "{text}");
    }
    // A Region that was named must have GuardDuty, and be open.
    guardduty.change(&region, |region| region.detector = None);
    let text = said(&backfill(&guardduty, &lake, &["--regions", &region], 4).await);
    assert!(text.contains("there is no detector"), "{text}");
    guardduty.change(&region, |region| region.closed = true);
    let text = said(&backfill(&guardduty, &lake, &["--regions", &region], 4).await);
    assert!(text.contains("opt in to the Region"), "{text}");
}

#[test]
fn what_the_command_line_of_aws_prints_are_the_same_versions() {
    let versions = |shape| -> BTreeSet<VersionHash> {
        let options = Options {
            findings: 1_500,
            shape,
            ..Options::default()
        };
        Generator::new(options)
            .flat_map(|document| {
                let mut versions = Vec::new();
                decode(&document.bytes, &mut |_, decoded| {
                    if let Decoded::Finding(finding) = decoded {
                        versions.push(finding.version());
                    }
                });
                versions
            })
            .collect()
    };
    let events = versions(Shape::EventBridge);
    assert!(events.len() > 1_000);
    assert!(events == versions(Shape::GetFindings));
}
