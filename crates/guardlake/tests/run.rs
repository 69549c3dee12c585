//! What an operator sees of `guardlake run`: health, readiness and metrics, from a stream to a receiver.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesis::primitives::Blob;
use ferrokinesis::store::StoreOptions;
use serde_json::Value;

/// `guardlake run`, ended with the test.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Status and body.
fn ask(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// Waits until it holds.
fn until<T>(what: &str, mut holds: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = holds() {
            return value;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "{what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

async fn stream(findings: &str) -> (String, Client) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let (app, _store) = ferrokinesis::create_app(StoreOptions {
        create_stream_ms: 0,
        ..StoreOptions::default()
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(&endpoint)
        .credentials_provider(Credentials::new("a", "b", None, None, "test"))
        .region(Region::new("us-east-1"));
    let client = Client::from_conf(config.build());
    let made = client.create_stream().stream_name("f").shard_count(2);
    made.send().await.expect("a stream");
    put(&client, findings).await;
    (endpoint, client)
}

async fn put(client: &Client, findings: &str) {
    for (nth, line) in findings.lines().enumerate() {
        let put = client
            .put_record()
            .stream_name("f")
            .partition_key(nth.to_string());
        put.data(Blob::new(line)).send().await.expect("a record");
    }
}

/// Made findings of the last day, bursts among them.
fn sample(seed: &str) -> String {
    let end = time();
    let sample = ["sample", "--findings", "300", "--bursts", "--days", "1"];
    let sample = Command::new(env!("CARGO_BIN_EXE_guardlake"))
        .args(sample)
        .args(["--accounts", "5", "--seed", seed, "--end", &end])
        .output()
        .expect("findings");
    String::from_utf8(sample.stdout).expect("text")
}

fn start(folder: &Path, endpoint: &str, address: &str) -> Run {
    let notify =
        "channels:\n  a: {kind: file, path: told.jsonl}\nroute: {channels: [a], group_wait: 1s}\n";
    std::fs::write(folder.join("notify.yaml"), notify).expect("a file");
    let child = Command::new(env!("CARGO_BIN_EXE_guardlake"))
        .args(["--lake", "lake", "run", "--stream", "f"])
        .current_dir(folder)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL_KINESIS", endpoint)
        .env("GUARDLAKE__METRICS__LISTEN", address)
        .env("GUARDLAKE__NOTIFY__FILE", "notify.yaml")
        .env("GUARDLAKE__INGEST__MAX_AGE", "1s")
        .env("GUARDLAKE__LOG__LEVEL", "info")
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.join("log")).expect("a file"))
        .spawn();
    Run(child.expect("it starts"))
}

/// What `docs/operate.md` lists.
fn documented() -> Vec<String> {
    let page = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate.md"),
    );
    let page = page.expect("the page");
    let lines = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `guardlake_"));
    let names = lines.filter_map(|line| line.split(['`', '{']).next());
    names.map(|name| format!("guardlake_{name}")).collect()
}

/// The time as `sample --end` takes it.
#[allow(
    clippy::disallowed_methods,
    reason = "findings of long ago do not ring"
)]
fn time() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    alerts::rfc3339(since.expect("a time").as_micros() as i64)
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_say_what_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let (endpoint, client) = stream(&sample("1")).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = free.expect("a free port").to_string();
    let _run = start(at, &endpoint, &address);

    until("it becomes ready", || {
        ask(&address, "/readyz").filter(|(status, _)| *status == 200)
    });
    assert_eq!(ask(&address, "/livez"), Some((200, "ok\n".to_owned())));
    let detail = until("somebody is told", || {
        let (_, detail) = ask(&address, "/healthz")?;
        let detail: Value = serde_json::from_str(&detail).ok()?;
        (!detail["last_delivery_seconds_ago"].is_null()).then_some(detail)
    });
    assert!(detail["ingest"]["committed"].as_u64() > Some(0), "{detail}");
    assert_eq!(
        (&detail["ready"], &detail["ingest"]["shards"]),
        (&Value::from(true), &Value::from(2)),
        "{detail}"
    );
    assert!(
        detail["roles"]["alerts"]["ready"] == true
            && !detail["last_evaluation_seconds_ago"].is_null()
    );

    until("accounts are counted", || {
        let (_, metrics) = ask(&address, "/metrics")?;
        let has = |name: &str| metrics.lines().any(|line| line.starts_with(name));
        (has("guardlake_accounts_reporting") && has("guardlake_alert_to_told_seconds_bucket"))
            .then_some(())
    });
    // From the second look on rows are held in memory.
    put(&client, &sample("2")).await;
    let metrics = until("what alerts rest on is at hand", || {
        let (_, now) = ask(&address, "/metrics")?;
        now.contains("guardlake_evidence_total{from=\"memory\"}")
            .then_some(now)
    });
    for name in [
        "guardlake_build_info{version=",
        "guardlake_documents_total{outcome=\"committed\"}",
        "guardlake_commits_total",
        "guardlake_commit_seconds_bucket",
        "guardlake_arrival_to_row_seconds_bucket",
        "guardlake_evaluation_seconds_bucket",
        "guardlake_rule_seconds_bucket{rule=",
        "guardlake_alerts_opened_total{rule=",
        "guardlake_deliveries_total{channel=\"a\",outcome=\"sent\"}",
        "guardlake_outbox_items{channel=\"a\"}",
        "guardlake_outbox_oldest_seconds{channel=\"a\"}",
        "guardlake_delivery_seconds_bucket{channel=\"a\"",
        "guardlake_accounts_silent",
    ] {
        assert!(
            metrics.lines().any(|line| line.starts_with(name)),
            "no {name} in\n{metrics}"
        );
    }
    let documented = documented();
    let families = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    for family in families {
        assert!(
            documented.iter().any(|name| name == family),
            "docs/operate.md does not list {family}"
        );
    }
    // Accounts are thousands: they are no labels.
    assert!(
        !metrics.contains("account_id=") && !metrics.contains("account=\""),
        "{metrics}"
    );
    let log = std::fs::read_to_string(at.join("log")).expect("a log");
    let json = log.lines().filter(|line| line.starts_with('{'));
    assert!(
        json.clone().count() > 0
            && json
                .into_iter()
                .all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{log}"
    );
}
