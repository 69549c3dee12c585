//! What tests share: the binary, a Kinesis and an S3 over the wire, a Python with Delta readers, folders that go away.

pub(crate) mod guardduty;
mod python;

pub(crate) use python::python;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesis::types::StreamStatus;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ferrokinesis::store::StoreOptions;
use serde_json::Value;
use tempfile::TempDir;

/// The command under test.
pub(crate) fn guardlake() -> Command {
    program("guardlake")
}

/// A program under test, built by `cargo test --workspace` before any test runs.
pub(crate) fn program(name: &str) -> Command {
    let mut path = std::env::current_exe().expect("the test knows itself");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push(name);
    assert!(
        path.is_file(),
        "{} is missing: run all tests with `cargo test --workspace`",
        path.display()
    );
    let mut command = Command::new(path);
    command
        .env_remove("AWS_PROFILE")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

/// Runs the command to its end; its exit code must be `code`.
pub(crate) fn run(lake: &str, arguments: &[&str], code: i32) -> Output {
    finish(guardlake().args(["--lake", lake]).args(arguments), code)
}

/// Runs a command to its end; its exit code must be `code`.
pub(crate) fn finish(command: &mut Command, code: i32) -> Output {
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("the command starts");
    assert_eq!(
        output.status.code(),
        Some(code),
        "{command:?}\nstdout: {}\nstderr: {}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Lines of JSON on standard output.
pub(crate) fn ndjson(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).expect("output is UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect()
}

/// Asks in SQL; the rows.
pub(crate) fn sql(lake: &str, query: &str) -> Vec<Value> {
    ndjson(&run(lake, &["--format", "ndjson", "sql", query], 0))
}

/// `lake verify` finds nothing wrong; its ledger.
pub(crate) fn verified(lake: &str) -> Value {
    ndjson(&run(lake, &["--format", "ndjson", "lake", "verify"], 0)).remove(0)
}

/// A folder that goes away, and a lake's address in it.
pub(crate) fn folder() -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lake = folder.path().join("lake").display().to_string();
    (folder, lake)
}

/// The public samples.
pub(crate) fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/samples/public")
}

/// A Kinesis in this process.
pub(crate) struct Kinesis {
    pub(crate) client: Client,
    pub(crate) endpoint: String,
    refusal: Arc<Refusal>,
}

/// What a Kinesis says to every call but puts and reshards, if it is in that mood.
#[derive(Default)]
struct Refusal {
    code: Mutex<Option<&'static str>>,
    refused: AtomicU64,
}

async fn refuse(State(refusal): State<Arc<Refusal>>, request: Request, next: Next) -> Response {
    let target = request.headers().get("x-amz-target");
    let target = target
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default();
    let reads = ["GetRecords", "GetShardIterator", "ListShards"];
    let code = *refusal.code.lock().expect("nobody panics with it");
    match code {
        Some(code) if reads.iter().any(|call| target.ends_with(call)) => {
            refusal.refused.fetch_add(1, Ordering::Relaxed);
            let body = format!(r#"{{"__type":"{code}","message":"refused by the test"}}"#);
            (
                StatusCode::BAD_REQUEST,
                [("content-type", "application/x-amz-json-1.1")],
                body,
            )
                .into_response()
        }
        _ => next.run(request).await,
    }
}

impl Kinesis {
    /// Starts one on a free port, with a stream.
    pub(crate) async fn start(stream: &str, shards: i32) -> Kinesis {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let options = StoreOptions {
            create_stream_ms: 20,
            update_stream_ms: 20,
            shard_limit: 100,
            ..StoreOptions::default()
        };
        let (app, _) = ferrokinesis::create_app(options);
        let refusal = Arc::new(Refusal::default());
        let app = app.layer(axum::middleware::from_fn_with_state(
            refusal.clone(),
            refuse,
        ));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let config = aws_sdk_kinesis::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(&endpoint)
            .build();
        let kinesis = Kinesis {
            client: Client::from_conf(config),
            endpoint,
            refusal,
        };
        kinesis.create(stream, shards).await;
        kinesis
    }

    /// Makes a stream.
    pub(crate) async fn create(&self, stream: &str, shards: i32) {
        let create = self.client.create_stream().stream_name(stream);
        let create = create.shard_count(shards).send().await;
        create.expect("the stream is made");
        self.active(stream).await;
    }

    /// Refuses reads with this code from now on, or no longer.
    pub(crate) fn refuse_with(&self, code: Option<&'static str>) {
        *self.refusal.code.lock().expect("nobody panics with it") = code;
    }

    /// How many calls were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refusal.refused.load(Ordering::Relaxed)
    }

    /// Shards that take records, in the order of their hash keys: id, first and last key.
    pub(crate) async fn open_shards(&self, stream: &str) -> Vec<(String, u128, u128)> {
        let listed = self.client.list_shards().stream_name(stream).send().await;
        let listed = listed.expect("shards are listed");
        let is_open = |shard: &&aws_sdk_kinesis::types::Shard| {
            let range = shard.sequence_number_range();
            range.is_some_and(|range| range.ending_sequence_number().is_none())
        };
        let mut open: Vec<_> = listed
            .shards()
            .iter()
            .filter(is_open)
            .map(|shard| {
                let range = shard.hash_key_range().expect("a range");
                let key = |text: &str| text.parse().expect("a number");
                (
                    shard.shard_id().to_owned(),
                    key(range.starting_hash_key()),
                    key(range.ending_hash_key()),
                )
            })
            .collect();
        open.sort_by_key(|(_, first, _)| *first);
        open
    }

    /// Splits an open shard in the middle.
    pub(crate) async fn split(&self, stream: &str, index: usize) {
        let (id, first, last) = self.open_shards(stream).await.swap_remove(index);
        let middle = first / 2 + last / 2;
        let split = self.client.split_shard().stream_name(stream);
        let split = split
            .shard_to_split(id)
            .new_starting_hash_key(middle.to_string());
        split.send().await.expect("the shard is split");
        self.active(stream).await;
    }

    /// Merges an open shard with the next one.
    pub(crate) async fn merge(&self, stream: &str, index: usize) {
        let open = self.open_shards(stream).await;
        let merge = self.client.merge_shards().stream_name(stream);
        let merge = merge
            .shard_to_merge(&open[index].0)
            .adjacent_shard_to_merge(&open[index + 1].0);
        merge.send().await.expect("the shards are merged");
        self.active(stream).await;
    }

    /// Waits until the stream is active.
    pub(crate) async fn active(&self, stream: &str) {
        loop {
            let summary = self
                .client
                .describe_stream_summary()
                .stream_name(stream)
                .send()
                .await;
            let summary = summary.expect("the stream is described");
            let status = summary
                .stream_description_summary()
                .map(|s| s.stream_status().clone());
            if status == Some(StreamStatus::Active) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// An S3 in another process, ended with the test.
pub(crate) struct S3 {
    child: std::process::Child,
    endpoint: String,
}

impl S3 {
    pub(crate) fn start() -> S3 {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|l| l.local_addr())
            .expect("a free port")
            .port();
        let log = std::env::temp_dir().join(format!("ministack-{port}.log"));
        let log = std::fs::File::create(log).expect("a log file");
        let child = Command::new(python().with_file_name("ministack"))
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .spawn()
            .expect("ministack starts");
        let s3 = S3 {
            child,
            endpoint: format!("http://127.0.0.1:{port}"),
        };
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "ministack does not listen on port {port}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        s3
    }

    /// The command, told to use this S3.
    pub(crate) fn guardlake(&self) -> Command {
        let mut command = guardlake();
        command.env("AWS_ENDPOINT_URL", &self.endpoint);
        command
    }

    /// Where it listens.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A client of it.
    pub(crate) fn client(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_s3::config::Credentials::new(
                "test", "test", None, None, "test",
            ))
            .endpoint_url(&self.endpoint)
            .force_path_style(true)
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Numbers that are random enough and the same in each run.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
