//! Promise 1: no finding lost, none stored twice, wherever the consumer is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use sample::{Generator, Options};

use crate::support::{Chance, Kinesis, folder, guardlake, sql, verified};

const STREAM: &str = "findings";

/// How often the consumer is killed: `GUARDLAKE_TEST_KILLS`, else 100.
fn kills() -> u32 {
    #[allow(clippy::disallowed_methods, reason = "a test's own switch")]
    let asked = std::env::var("GUARDLAKE_TEST_KILLS").ok();
    asked.map_or(100, |text| {
        text.parse().expect("GUARDLAKE_TEST_KILLS is a number")
    })
}

fn consumer(lake: &str, endpoint: &str) -> Command {
    let mut command = guardlake();
    command
        .args([
            "--lake", lake, "run", "--stream", STREAM, "--roles", "ingest",
        ])
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("GUARDLAKE__INGEST__MAX_ROWS", "150")
        .env("GUARDLAKE__INGEST__MAX_AGE", "1s")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn ended(mut child: Child, signal: &str) {
    // The shell's kill, so that the test needs no library for signals. The child may have ended meanwhile.
    let _ = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_is_stored_exactly_once_however_often_the_consumer_is_killed() {
    let kinesis = Kinesis::start(STREAM, 4).await;
    let (_folder, lake) = folder();
    let kills = kills();
    let documents: Vec<_> = Generator::new(Options {
        findings: 60 * u64::from(kills),
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
    let done = Arc::new(AtomicBool::new(false));
    let producer = {
        let (kinesis, done) = (kinesis.clone(), done.clone());
        tokio::spawn(async move {
            let put = produce(&kinesis, documents, Duration::from_millis(200)).await;
            done.store(true, Ordering::Release);
            put
        })
    };
    let mut chance = Chance(1);
    for _ in 0..kills {
        let child = consumer(&lake, &kinesis.endpoint)
            .spawn()
            .expect("the consumer starts");
        tokio::time::sleep(Duration::from_millis(60 + chance.below(900))).await;
        ended(child, "-KILL");
    }
    let put = producer.await.expect("the producer ends");

    // The last consumer is asked to stop, not killed, once everything is in.
    let last = consumer(&lake, &kinesis.endpoint)
        .spawn()
        .expect("the consumer starts");
    let started = Instant::now();
    let mut rows = 0;
    while rows < versions.len() as i64 && started.elapsed() < Duration::from_secs(120) {
        tokio::time::sleep(Duration::from_secs(2)).await;
        rows = sql(&lake, "SELECT count(*) AS n FROM findings")[0]["n"]
            .as_i64()
            .expect("a count");
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    ended(last, "-TERM");

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
    report(&format!(
        "{kills} kills, {put} records put, ledger {ledger}"
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
    let shards = kinesis
        .client
        .list_shards()
        .stream_name(STREAM)
        .send()
        .await
        .expect("shards are listed");
    let ids: Vec<String> = shards
        .shards()
        .iter()
        .map(|shard| shard.shard_id().to_owned())
        .collect();
    let range = shards.shards()[0]
        .hash_key_range()
        .expect("a range")
        .clone();
    let ends: (u128, u128) = (
        range.starting_hash_key().parse().expect("a number"),
        range.ending_hash_key().parse().expect("a number"),
    );
    let middle = (ends.0 / 2 + ends.1 / 2).to_string();
    let split = kinesis
        .client
        .split_shard()
        .stream_name(STREAM)
        .shard_to_split(&ids[0])
        .new_starting_hash_key(middle);
    split.send().await.expect("the shard is split");
    kinesis.active(STREAM).await;
    let open: Vec<String> = kinesis
        .client
        .list_shards()
        .stream_name(STREAM)
        .send()
        .await
        .expect("shards are listed")
        .shards()
        .iter()
        .filter(|shard| {
            shard
                .sequence_number_range()
                .is_some_and(|range| range.ending_sequence_number().is_none())
        })
        .map(|shard| shard.shard_id().to_owned())
        .collect();
    assert_eq!(open.len(), 3, "{open:?}");
    let children: Vec<_> = open.iter().filter(|id| **id != ids[1]).collect();
    let merge = kinesis.client.merge_shards().stream_name(STREAM);
    let merged = merge
        .shard_to_merge(children[0])
        .adjacent_shard_to_merge(children[1])
        .send()
        .await;
    merged.expect("the shards are merged");
    kinesis.active(STREAM).await;
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
