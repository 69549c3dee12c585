//! `guardlake run` as an operator meets it: several streams, fan-out, a start at the newest record, a stop, metrics, credentials
//! that run out, a burst, and positions made anew.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use sample::{Generator, Options};
use serde_json::Value;

use crate::support::{Kinesis, finish, folder, guardlake, ndjson, run, sql, verified};

pub(crate) fn documents(findings: u64, seed: u64) -> Vec<sample::Document> {
    let options = Options {
        findings,
        seed,
        accounts: 5,
        duplicate_ratio: 0.0,
        ..Options::default()
    };
    Generator::new(options).collect()
}

pub(crate) async fn put(kinesis: &Kinesis, stream: &str, documents: &[sample::Document]) {
    for chunk in documents.chunks(100) {
        let entry = |document: &sample::Document| {
            let entry = PutRecordsRequestEntry::builder().data(Blob::new(document.bytes.clone()));
            let entry = entry.partition_key(&document.partition_key).build();
            entry.expect("an entry is whole")
        };
        let put = kinesis.client.put_records().stream_name(stream);
        let put = put.set_records(Some(chunk.iter().map(entry).collect()));
        let reply = put.send().await.expect("records are put");
        assert_eq!(reply.failed_record_count(), Some(0));
    }
}

fn worker(lake: &str, endpoint: &str, streams: &[&str]) -> Command {
    let mut command = guardlake();
    command.args(["--lake", lake, "run", "--roles", "ingest"]);
    for stream in streams {
        command.args(["--stream", stream]);
    }
    command
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("GUARDLAKE__INGEST__MAX_AGE", "1s")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn rows(lake: &str) -> i64 {
    let made = std::path::Path::new(lake).join("findings/_delta_log/00000000000000000001.json");
    if !made.exists() {
        return 0;
    }
    let counted = sql(lake, "SELECT count(*) AS n FROM findings");
    counted[0]["n"].as_i64().expect("a count")
}

pub(crate) async fn until_rows(lake: &str, wanted: i64) {
    let started = Instant::now();
    while rows(lake) < wanted {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{} of {wanted} rows",
            rows(lake)
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

pub(crate) fn signal(child: &Child, signal: &str) {
    let _ = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
}

fn stopped(mut child: Child) {
    signal(&child, "-TERM");
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_streams_flow_into_one_lake_and_a_finding_in_both_is_stored_once() {
    let kinesis = Kinesis::start("first", 2).await;
    kinesis.create("second", 1).await;
    let (_folder, lake) = folder();
    let (shared, own) = (documents(200, 1), documents(100, 2));
    put(&kinesis, "first", &shared).await;
    put(&kinesis, "second", &shared).await;
    put(&kinesis, "second", &own).await;
    let child = worker(&lake, &kinesis.endpoint, &["first", "second@us-east-1"]);
    let child = { child }.spawn().expect("it starts");
    until_rows(&lake, 300).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    stopped(child);
    let ledger = verified(&lake);
    assert_eq!(
        (ledger["received"].as_i64(), ledger["committed"].as_i64()),
        (Some(500), Some(300))
    );
    let positions = ndjson(&run(
        &lake,
        &["--format", "ndjson", "lake", "verify", "--positions"],
        0,
    ));
    assert_eq!(positions.len(), 3, "{positions:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enhanced_fan_out_reads_all_through_a_split_and_ends_of_subscriptions() {
    let kinesis = Kinesis::start("findings", 2).await;
    let (_folder, lake) = folder();
    put(&kinesis, "findings", &documents(300, 1)).await;
    let mut child = worker(&lake, &kinesis.endpoint, &["findings"]);
    let child = child
        .env("GUARDLAKE__STREAM__FAN_OUT", "guardlake")
        .spawn()
        .expect("it starts");
    until_rows(&lake, 300).await;
    kinesis.split("findings", 0).await;
    put(&kinesis, "findings", &documents(300, 2)).await;
    until_rows(&lake, 600).await;
    stopped(child);
    assert_eq!(verified(&lake)["received"], 600);
    let ended = ndjson(&run(
        &lake,
        &["--format", "ndjson", "lake", "verify", "--positions"],
        0,
    ));
    assert_eq!(
        ended.iter().filter(|shard| shard["ended"] == true).count(),
        1,
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_at_a_time_holds_through_a_split_and_for_ever() {
    let kinesis = Kinesis::start("findings", 1).await;
    let (_folder, lake) = folder();
    put(&kinesis, "findings", &documents(100, 1)).await;
    // The stand-in tells times apart by the second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let begun = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    put(&kinesis, "findings", &documents(150, 2)).await;
    kinesis.split("findings", 0).await;
    put(&kinesis, "findings", &documents(50, 3)).await;
    let start = |at: &str| {
        let mut child = worker(&lake, &kinesis.endpoint, &["findings"]);
        child
            .env("GUARDLAKE__STREAM__START", at)
            .spawn()
            .expect("it starts")
    };
    let child = start(&alerts::rfc3339(begun as i64 * 1_000_000));
    until_rows(&lake, 200).await;
    stopped(child);
    // Where a stream was begun is not changed by saying so.
    let child = start("oldest");
    tokio::time::sleep(Duration::from_secs(3)).await;
    stopped(child);
    assert_eq!(
        verified(&lake)["received"],
        200,
        "what was put before the start is not read"
    );
    assert_eq!(start("yesterday").wait().expect("it ends").code(), Some(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_say_how_things_stand() {
    let kinesis = Kinesis::start("findings", 1).await;
    let (_folder, lake) = folder();
    put(&kinesis, "findings", &documents(120, 1)).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    let address = port.expect("a free port").to_string();
    let mut child = worker(&lake, &kinesis.endpoint, &["findings"]);
    let child = child
        .env("GUARDLAKE__METRICS__LISTEN", &address)
        .spawn()
        .expect("it starts");
    until_rows(&lake, 120).await;
    let text = http_get(&address, "/metrics");
    for line in [
        "guardlake_documents_total{outcome=\"committed\"} 120",
        "guardlake_kinesis_records_total 120",
        "guardlake_commits_total ",
        "guardlake_kinesis_millis_behind_latest{stream=\"findings\",shard=\"shardId-000000000000\"} 0",
    ] {
        assert!(text.contains(line), "`{line}` is not in {text}");
    }
    stopped(child);
    let wrong = guardlake()
        .args(["--lake", &lake, "run", "--stream", "findings"])
        .env("GUARDLAKE__METRICS__LISTEN", "nowhere")
        .output();
    let wrong = wrong.expect("it runs");
    assert_eq!(wrong.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("metrics.listen"));
}

fn http_get(address: &str, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_37_credentials_that_ran_out_are_waited_for() {
    let kinesis = Kinesis::start("findings", 2).await;
    let (_folder, lake) = folder();
    put(&kinesis, "findings", &documents(100, 1)).await;
    let child = worker(&lake, &kinesis.endpoint, &["findings"])
        .spawn()
        .expect("it starts");
    until_rows(&lake, 100).await;
    kinesis.refuse_with(Some("ExpiredTokenException"));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(kinesis.refused() > 0, "nobody was refused");
    kinesis.refuse_with(None);
    put(&kinesis, "findings", &documents(100, 2)).await;
    until_rows(&lake, 200).await;
    stopped(child);
    assert_eq!(verified(&lake)["received"], 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_39_a_burst_cut_off_in_its_middle_is_stored_once_in_bounded_memory() {
    let kinesis = Kinesis::start("findings", 4).await;
    let (_folder, lake) = folder();
    let burst = documents(6_000, 1);
    put(&kinesis, "findings", &burst).await;
    let mut start = worker(&lake, &kinesis.endpoint, &["findings"]);
    let mut child = start
        .env("GUARDLAKE__INGEST__MAX_ROWS", "500")
        .spawn()
        .expect("it starts");
    until_rows(&lake, 1).await;
    // As the kernel does when memory runs out.
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    let child = start.spawn().expect("it starts");
    until_rows(&lake, 6_000).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    let status = status.expect("it runs");
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a peak");
    let kilobytes: u64 = peak
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number");
    stopped(child);
    assert_eq!(verified(&lake)["received"], 6_000);
    assert!(kilobytes < 600_000, "{kilobytes} kB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_that_were_lost_are_made_anew_from_the_rows() {
    let kinesis = Kinesis::start("findings", 2).await;
    let (_folder, lake) = folder();
    put(&kinesis, "findings", &documents(200, 1)).await;
    let child = worker(&lake, &kinesis.endpoint, &["findings"])
        .spawn()
        .expect("it starts");
    until_rows(&lake, 200).await;
    stopped(child);

    // A table without its positions: the log is written again as a program would that does not know them.
    let log = std::path::Path::new(&lake).join("findings/_delta_log");
    for entry in std::fs::read_dir(&log).expect("a log") {
        let path = entry.expect("a file").path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let text = std::fs::read_to_string(&path).expect("text");
            let kept: Vec<&str> = text
                .lines()
                .filter(|line| !line.starts_with("{\"txn\""))
                .collect();
            std::fs::write(&path, kept.join("\n")).expect("it is written");
        }
    }
    let check = ["--format", "ndjson", "lake", "verify", "--positions"];
    let lost = ndjson(&run(&lake, &check, 1));
    assert!(
        lost.iter()
            .all(|shard| shard["ok"] == false && shard["position"] == Value::Null)
    );
    let repair = [
        "--format",
        "ndjson",
        "lake",
        "verify",
        "--positions",
        "--repair",
    ];
    let repaired = ndjson(&run(&lake, &repair, 0));
    assert!(
        repaired
            .iter()
            .all(|shard| shard["position"] == shard["newest_row"])
    );

    // Reading goes on behind them.
    put(&kinesis, "findings", &documents(100, 2)).await;
    let child = worker(&lake, &kinesis.endpoint, &["findings"])
        .spawn()
        .expect("it starts");
    until_rows(&lake, 300).await;
    stopped(child);
    assert_eq!(verified(&lake)["received"], 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_not_there_is_said_at_once() {
    let kinesis = Kinesis::start("findings", 1).await;
    let (_folder, lake) = folder();
    let mut command = worker(&lake, &kinesis.endpoint, &["findngs"]);
    let said = finish(command.stderr(Stdio::piped()), 4);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(
        said.contains("findngs") && said.contains("check the name"),
        "{said}"
    );
    let mut command = guardlake();
    let said = finish(
        command.args(["--lake", &lake, "run", "--stream", "arn:aws:s3:::x"]),
        3,
    );
    assert!(String::from_utf8_lossy(&said.stderr).contains("NAME@REGION"));
}
