//! How fast a stream flows into a lake, beside how fast the stand-in can give it; the memory of a replay; and how long a finding
//! takes from its put to its row. Prints one line a measurement.
//!
//! cargo run --release -p guardlake --example stream_bench -- [MEGABYTES [SECONDS]]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ShardIteratorType, StreamStatus};
use ferrokinesis::store::StoreOptions;
use ingest::kinesis::AwsStream;
use ingest::{ConsumerOptions, Followed, Pace, Progress, Start, consume};
use lake::{Lake, WriterOptions};
use sample::{Generator, Options};
use tokio_util::sync::CancellationToken;

const STREAM: &str = "findings";
const SHARDS: i32 = 8;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, endpoint, lake, documents, pace] = &arguments[..]
        && mode == "consume"
    {
        return child(endpoint, lake, documents.parse()?, pace == "kinesis").await;
    }
    let megabytes: u64 = arguments.first().map_or(Ok(1_000), |text| text.parse())?;
    let seconds: u64 = arguments.get(1).map_or(Ok(60), |text| text.parse())?;
    let folder = tempfile::tempdir()?;

    let endpoint = stand_in().await?;
    let (documents, bytes) = fill(&endpoint, megabytes).await?;
    say(&format!(
        "{documents} records, {} MB in {SHARDS} shards",
        bytes / 1_000_000
    ));
    let began = Instant::now();
    let read = read_all(&endpoint).await?;
    let rate = |bytes: u64, took: Duration| bytes as f64 / 1e6 / took.as_secs_f64();
    let ceiling = rate(read, began.elapsed());
    say(&format!(
        "the stand-in gives {ceiling:.0} MB/s to a reader that does nothing with it"
    ));
    for pace in ["free", "kinesis"] {
        let lake = folder.path().join(pace);
        let began = Instant::now();
        let said = run_child(&endpoint, &lake, documents, pace)?;
        let took = began.elapsed();
        say(&format!(
            "pace {pace}: {:.1} s, {:.0} MB/s, {:.0} records/s, {:.2} of the stand-in's own; {said}",
            took.as_secs_f64(),
            rate(bytes, took),
            documents as f64 / took.as_secs_f64(),
            rate(bytes, took) / ceiling
        ));
    }

    let endpoint = stand_in().await?;
    let lake = folder.path().join("latency");
    let put = 100 * seconds;
    let producing = tokio::spawn({
        let endpoint = endpoint.clone();
        async move { trickle(&endpoint, put).await }
    });
    let said = tokio::task::block_in_place(|| run_child(&endpoint, &lake, put, "kinesis"))?;
    producing.await??;
    let mut waits = latencies(&lake.join("findings"))?;
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize] as f64 / 1e6;
    say(&format!(
        "100 findings/s for {seconds} s, defaults: {} rows, put to row p50 {:.2} s, p99 {:.2} s, most {:.2} s; {said}",
        waits.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    ));
    Ok(())
}

#[allow(
    clippy::print_stdout,
    reason = "what it measured is what this program is for"
)]
fn say(line: &str) {
    println!("{line}");
}

/// Consumes until so many documents are settled, and says how much memory that took.
async fn child(endpoint: &str, lake: &str, documents: u64, kinesis: bool) -> Result<(), Failure> {
    let lake = Lake::open_or_create(lake).await?;
    let pace = if kinesis {
        Pace::default()
    } else {
        Pace {
            between_calls: Duration::ZERO,
            bytes_per_second: None,
        }
    };
    let options = ConsumerOptions {
        streams: vec![Followed {
            name: STREAM.to_owned(),
            stream: Arc::new(AwsStream::new(client(endpoint), STREAM)),
            start: Start::Oldest,
            consumer: None,
        }],
        limits: finding::Limits::default(),
        writer: WriterOptions::default(),
        idle_poll: Duration::from_secs(1),
        pace,
        memory: 128 << 20,
        leases: None,
    };
    let (stop, progress) = (CancellationToken::new(), Arc::new(Progress::default()));
    let ending = tokio::spawn({
        let (stop, progress) = (stop.clone(), progress.clone());
        async move {
            while Progress::get(&progress.settled) < documents {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            stop.cancel();
        }
    });
    let ledger = consume(&lake, &options, &stop, &progress).await?;
    ending.await?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or("?");
    say(&format!(
        "{} rows + {} duplicates in {} commits, peak RSS {}",
        ledger.committed,
        ledger.duplicate,
        Progress::get(&progress.commits),
        peak.trim()
    ));
    Ok(())
}

fn run_child(endpoint: &str, lake: &Path, documents: u64, pace: &str) -> Result<String, Failure> {
    let output = Command::new(std::env::current_exe()?)
        .args(["consume", endpoint])
        .arg(lake)
        .args([&documents.to_string(), pace])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("the consumer failed".into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

async fn stand_in() -> Result<String, Failure> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let (app, _) = ferrokinesis::create_app(StoreOptions {
        create_stream_ms: 20,
        shard_limit: 100,
        ..StoreOptions::default()
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = client(&endpoint);
    client
        .create_stream()
        .stream_name(STREAM)
        .shard_count(SHARDS)
        .send()
        .await?;
    loop {
        let described = client
            .describe_stream_summary()
            .stream_name(STREAM)
            .send()
            .await?;
        let status = described
            .stream_description_summary()
            .map(|s| s.stream_status().clone());
        if status == Some(StreamStatus::Active) {
            return Ok(endpoint);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .build();
    Client::from_conf(config)
}

fn entry(document: sample::Document) -> Result<PutRecordsRequestEntry, Failure> {
    let entry = PutRecordsRequestEntry::builder().data(Blob::new(document.bytes));
    Ok(entry.partition_key(document.partition_key).build()?)
}

async fn put(client: &Client, entries: Vec<PutRecordsRequestEntry>) -> Result<(), Failure> {
    let put = client
        .put_records()
        .stream_name(STREAM)
        .set_records(Some(entries));
    let refused = put.send().await?.failed_record_count().unwrap_or(0);
    if refused > 0 {
        Err(format!("{refused} records were refused").into())
    } else {
        Ok(())
    }
}

async fn fill(endpoint: &str, megabytes: u64) -> Result<(u64, u64), Failure> {
    let client = client(endpoint);
    let options = Options {
        findings: u64::MAX / 2,
        accounts: 200,
        ..Options::default()
    };
    let (mut documents, mut bytes, mut batch) = (0, 0, Vec::new());
    for document in Generator::new(options) {
        documents += 1;
        bytes += document.bytes.len() as u64;
        batch.push(entry(document)?);
        let done = bytes >= megabytes * 1_000_000;
        if batch.len() == 400 || done {
            put(&client, std::mem::take(&mut batch)).await?;
        }
        if done {
            break;
        }
    }
    Ok((documents, bytes))
}

async fn trickle(endpoint: &str, documents: u64) -> Result<(), Failure> {
    let client = client(endpoint);
    let options = Options {
        findings: documents,
        duplicate_ratio: 0.0,
        ..Options::default()
    };
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut documents = Generator::new(options);
    loop {
        ticks.tick().await;
        let batch: Vec<_> = documents
            .by_ref()
            .take(10)
            .map(entry)
            .collect::<Result<_, _>>()?;
        if batch.is_empty() {
            return Ok(());
        }
        put(&client, batch).await?;
    }
}

async fn read_all(endpoint: &str) -> Result<u64, Failure> {
    let listed = client(endpoint)
        .list_shards()
        .stream_name(STREAM)
        .send()
        .await?;
    let mut tasks = tokio::task::JoinSet::new();
    for shard in listed.shards() {
        let (client, shard) = (client(endpoint), shard.shard_id().to_owned());
        tasks.spawn(async move {
            let iterator = client
                .get_shard_iterator()
                .stream_name(STREAM)
                .shard_id(shard);
            let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon);
            let mut iterator = iterator.send().await?.shard_iterator;
            let mut bytes = 0;
            loop {
                let reply = client
                    .get_records()
                    .set_shard_iterator(iterator)
                    .limit(10_000);
                let reply = reply.send().await?;
                if reply.records().is_empty() {
                    return Ok::<u64, Failure>(bytes);
                }
                bytes += reply
                    .records()
                    .iter()
                    .map(|r| r.data().as_ref().len() as u64)
                    .sum::<u64>();
                iterator = reply.next_shard_iterator;
            }
        });
    }
    let mut bytes = 0;
    while let Some(read) = tasks.join_next().await {
        bytes += read??;
    }
    Ok(bytes)
}

/// Microseconds from the arrival of each row's record to the moment its commit lay in the log.
fn latencies(table: &Path) -> Result<Vec<i64>, Failure> {
    use arrow::array::AsArray;
    use arrow::datatypes::TimestampMicrosecondType;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let mut committed: BTreeMap<PathBuf, i64> = BTreeMap::new();
    for entry in std::fs::read_dir(table.join("_delta_log"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let at = path
            .metadata()?
            .modified()?
            .duration_since(UNIX_EPOCH)?
            .as_micros() as i64;
        for line in std::fs::read_to_string(&path)?.lines() {
            let action: serde_json::Value = serde_json::from_str(line)?;
            if let Some(file) = action["add"]["path"].as_str() {
                committed.insert(table.join(file), at);
            }
        }
    }
    let mut waits = Vec::new();
    for (file, at) in committed {
        let file = std::fs::File::open(file)?;
        for batch in ParquetRecordBatchReaderBuilder::try_new(file)?.build()? {
            let batch = batch?;
            let arrived = batch.column_by_name("arrived_at").ok_or("no arrived_at")?;
            let arrived = arrived.as_primitive::<TimestampMicrosecondType>();
            waits.extend(arrived.iter().flatten().map(|arrived| at - arrived));
        }
    }
    Ok(waits)
}
