//! Promise 1: no finding lost, none stored twice, wherever consumers are killed or stopped, however many there are.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use sample::{Generator, Options};

use crate::support::{Chance, Kinesis, folder, guardlake, ndjson, run, sql, verified};

const STREAM: &str = "findings";

/// How often a worker is killed or stopped: `GUARDLAKE_TEST_KILLS`, else 60.
fn kills() -> u32 {
    #[allow(clippy::disallowed_methods, reason = "a test's own switch")]
    let asked = std::env::var("GUARDLAKE_TEST_KILLS").ok();
    asked.map_or(60, |text| {
        text.parse().expect("GUARDLAKE_TEST_KILLS is a number")
    })
}

fn consumer(lake: &str, endpoint: &str) -> Command {
    let mut command = guardlake();
    command
        .args([
            "--lake", lake, "run", "--stream", STREAM, "--roles", "ingest", "--share",
        ])
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("GUARDLAKE__INGEST__MAX_ROWS", "150")
        .env("GUARDLAKE__INGEST__MAX_AGE", "1s")
        .env("GUARDLAKE__INGEST__LEASE_TTL", "1s")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn signal(child: &Child, signal: &str) {
    // The shell's kill, so that the test needs no library for signals. The child may have ended meanwhile.
    let _ = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
}

fn ended(mut child: Child, with: &str) {
    signal(&child, with);
    let _ = child.wait();
}

/// Puts the documents slowly; every tenth is put twice, as a producer that retries does.
async fn produce(kinesis: &Kinesis, documents: Vec<sample::Document>, pause: Duration) -> u64 {
    let mut put = 0;
    for (index, chunk) in documents.chunks(40).enumerate() {
        let entry = |document: &sample::Document| {
            PutRecordsRequestEntry::builder()
                .data(Blob::new(document.bytes.clone()))
                .partition_key(&document.partition_key)
                .build()
                .expect("an entry is whole")
        };
        let mut entries: Vec<_> = chunk.iter().map(entry).collect();
        if index % 10 == 0 {
            entries.extend(chunk.iter().map(entry));
        }
        // Something that is no finding, and something that is not even JSON.
        if index % 7 == 0 {
            for bytes in [br#"{"source":"aws.guardduty","detail-type":"GuardDuty Malware Protection Resource Status Active","detail":{}}"#.to_vec(), format!("{{ broken {index}").into_bytes()] {
                entries.push(PutRecordsRequestEntry::builder().data(Blob::new(bytes)).partition_key("x").build().expect("whole"));
            }
        }
        put += entries.len() as u64;
        let reply = kinesis
            .client
            .put_records()
            .stream_name(STREAM)
            .set_records(Some(entries))
            .send()
            .await;
        assert_eq!(
            reply.expect("records are put").failed_record_count(),
            Some(0)
        );
        tokio::time::sleep(pause).await;
    }
    put
}

/// Three workers share eight shards while two shards are split, two are merged, and again and again one worker is killed, or
/// stopped for longer than its leases live and woken again: a zombie with a batch in its hands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_is_stored_exactly_once_however_often_workers_are_killed_or_stopped() {
    let kinesis = Kinesis::start(STREAM, 8).await;
    let (_folder, lake) = folder();
    let kills = kills();
    let documents: Vec<_> = Generator::new(Options {
        findings: 120 * u64::from(kills),
        accounts: 8,
        ..Options::default()
    })
    .collect();
    let versions: BTreeSet<(String, String, String, i64, i64)> = documents
        .iter()
        .flat_map(|document| &document.truths)
        .map(|t| {
            (
                t.account_id.clone(),
                t.region.clone(),
                t.finding_id.clone(),
                t.updated_at.div_euclid(1_000_000),
                t.count as i64,
            )
        })
        .collect();

    let kinesis = Arc::new(kinesis);
    let producer = {
        let kinesis = kinesis.clone();
        tokio::spawn(async move { produce(&kinesis, documents, Duration::from_millis(200)).await })
    };
    let start = || {
        consumer(&lake, &kinesis.endpoint)
            .spawn()
            .expect("a worker starts")
    };
    let mut workers: Vec<Child> = (0..3).map(|_| start()).collect();
    let mut zombies: Vec<(Child, Instant)> = Vec::new();
    let mut chance = Chance(1);
    let mut stops = 0;
    for kill in 0..kills {
        tokio::time::sleep(Duration::from_millis(200 + chance.below(800))).await;
        let worker = workers.swap_remove(chance.below(3) as usize);
        workers.push(start());
        if kill % 5 == 4 {
            signal(&worker, "-STOP");
            zombies.push((worker, Instant::now()));
            stops += 1;
        } else {
            ended(worker, "-KILL");
        }
        for (zombie, stopped) in &zombies {
            if stopped.elapsed() > Duration::from_secs(3) {
                signal(zombie, "-CONT");
            }
        }
        // A woken zombie has had a second or more to do harm.
        while zombies
            .first()
            .is_some_and(|(_, stopped)| stopped.elapsed() > Duration::from_secs(5))
        {
            ended(zombies.remove(0).0, "-KILL");
        }
        match kill {
            k if k == kills / 4 => kinesis.split(STREAM, 1).await,
            k if k == kills / 2 => kinesis.merge(STREAM, 4).await,
            k if k == kills * 3 / 4 => kinesis.split(STREAM, 6).await,
            _ => {}
        }
    }
    let put = producer.await.expect("the producer ends");
    for (zombie, _) in zombies {
        ended(zombie, "-KILL");
    }

    // The last workers are asked to stop, not killed, once everything is in.
    let started = Instant::now();
    let mut rows = 0;
    while rows < versions.len() as i64 && started.elapsed() < Duration::from_secs(120) {
        tokio::time::sleep(Duration::from_secs(2)).await;
        rows = sql(&lake, "SELECT count(*) AS n FROM findings")[0]["n"]
            .as_i64()
            .expect("a count");
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    for worker in workers {
        ended(worker, "-TERM");
    }

    let stored = sql(
        &lake,
        "SELECT account_id, region, finding_id, CAST(floor(date_part('epoch', updated_at)) AS BIGINT) AS second, count,
                count(*) AS copies
         FROM findings GROUP BY account_id, region, finding_id, second, count",
    );
    let twice: Vec<_> = stored.iter().filter(|row| row["copies"] != 1).collect();
    assert!(twice.is_empty(), "stored twice: {twice:?}");
    let text =
        |row: &serde_json::Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let found: BTreeSet<_> = stored
        .iter()
        .map(|row| {
            let number = |name: &str| row[name].as_i64().unwrap_or(-1);
            (
                text(row, "account_id"),
                text(row, "region"),
                text(row, "finding_id"),
                number("second"),
                number("count"),
            )
        })
        .collect();
    assert_eq!(found.len(), stored.len());
    let lost: Vec<_> = versions.difference(&found).take(5).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(found.is_subset(&versions), "made up");

    // The ledger over all commits counts each record once: nothing was read into two commits.
    let ledger = verified(&lake);
    assert_eq!(ledger["received"].as_u64(), Some(put), "{ledger}");
    assert_eq!(
        ledger["committed"].as_u64(),
        Some(versions.len() as u64),
        "{ledger}"
    );
    let rejects = sql(
        &lake,
        "SELECT count(*) AS n, count(DISTINCT sha256) AS distinct_bytes FROM rejects",
    );
    assert_eq!(
        rejects[0]["n"], rejects[0]["distinct_bytes"],
        "a reject is stored twice"
    );
    assert_eq!(rejects[0]["n"], ledger["rejected"]);
    let shards = ndjson(&run(
        &lake,
        &["--format", "ndjson", "lake", "verify", "--positions"],
        0,
    ));
    report(&format!(
        "{} kills and {stops} stops of 3 workers, {} shards, {put} records put, ledger {ledger}",
        kills - stops,
        shards.len()
    ));
}

/// The counts that the claim is made of, for `--nocapture`.
#[allow(clippy::print_stdout, reason = "shown by --nocapture")]
fn report(line: &str) {
    println!("{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_and_a_merge_lose_nothing() {
    let kinesis = Kinesis::start(STREAM, 2).await;
    let (_folder, lake) = folder();
    let mut documents: Vec<_> = Generator::new(Options {
        findings: 1_200,
        accounts: 5,
        duplicate_ratio: 0.0,
        ..Options::default()
    })
    .collect();
    let rest = documents.split_off(600);
    let mut put = produce(&kinesis, documents, Duration::ZERO).await;
    kinesis.split(STREAM, 0).await;
    assert_eq!(kinesis.open_shards(STREAM).await.len(), 3);
    kinesis.merge(STREAM, 0).await;
    let versions = (600 + rest.len()) as i64;
    put += produce(&kinesis, rest, Duration::ZERO).await;

    let child = consumer(&lake, &kinesis.endpoint)
        .spawn()
        .expect("the consumer starts");
    let started = Instant::now();
    let mut received = BTreeMap::new();
    while received.get("n") != Some(&versions) && started.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if std::path::Path::new(&lake)
            .join("findings/_delta_log/00000000000000000001.json")
            .exists()
        {
            let n = sql(&lake, "SELECT count(*) AS n FROM findings")[0]["n"]
                .as_i64()
                .expect("a count");
            received.insert("n", n);
        }
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    ended(child, "-TERM");
    let ledger = verified(&lake);
    assert_eq!(ledger["received"].as_u64(), Some(put), "{ledger}");
    assert_eq!(ledger["committed"].as_i64(), Some(versions), "{ledger}");
}
