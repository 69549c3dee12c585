//! What `guardlake doctor` says of a machine that is well, and of each thing that can be wrong with it. AWS is `ministack` for S3, a
//! Kinesis in this process, and a fake that refuses.

#[path = "../../../tests/it/support/python.rs"]
mod python;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::http::StatusCode;
use ferrokinesis::store::StoreOptions;
use serde_json::Value;

/// The command, without anything of this machine's own AWS.
fn guardlake(
    folder: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guardlake"));
    for (name, _) in std::env::vars()
        .filter(|(name, _)| name.starts_with("AWS_") || name.starts_with("GUARDLAKE__"))
    {
        command.env_remove(name);
    }
    let output = command
        .args(arguments)
        .current_dir(folder)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the command starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(!err.contains("panicked"), "{err}");
    (output.status.code().unwrap_or(-1), out, err)
}

/// Runs the doctor; each expected row is (check, result, words in what was seen or in the remedy).
#[track_caller]
fn check(
    folder: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
    code: i32,
    rows: &[(&str, &str, &str)],
) {
    let arguments = [arguments, &["--format", "json"]].concat();
    let (ended, out, err) = guardlake(folder, &arguments, variables);
    assert_eq!(ended, code, "{out}{err}");
    let found: Vec<Value> = serde_json::from_str(&out).expect("JSON");
    for (check, result, words) in rows {
        let row = found.iter().find(|row| row["check"] == *check);
        let row = row.unwrap_or_else(|| panic!("no row `{check}` in {out}"));
        assert_eq!(row["result"], *result, "{row}");
        let said = format!("{} {}", row["seen"], row["remedy"]);
        assert!(said.contains(words), "`{words}` is not in {row}");
        let has_remedy = row["remedy"] != "";
        assert_eq!(has_remedy, matches!(*result, "warning" | "failed"), "{row}");
    }
    assert!(!out.contains("hunter22"), "{out}");
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn sample(folder: &Path, lake: &str, variables: &[(&str, &str)]) {
    let (_, findings, _) = guardlake(folder, &["sample", "--findings", "5"], &[]);
    write(folder, "f.jsonl", &findings);
    let (code, _, err) = guardlake(folder, &["--lake", lake, "ingest", "f.jsonl"], variables);
    assert_eq!(code, 0, "{err}");
}

#[test]
fn a_folder_is_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    sample(at, "lake", &[]);
    let rows = [
        ("settings", "ok", "no settings file"),
        ("lake: list", "ok", ""),
        ("lake: conditional write", "ok", "refused"),
        ("lake: delete", "ok", ""),
        ("lake: tables", "ok", "writer version 2"),
        ("lake: newest commit", "ok", " s ago"),
        ("aws", "skipped", ""),
        ("stream", "skipped", ""),
        ("rules", "ok", "rules"),
        ("clock: beside AWS", "skipped", ""),
        ("clock: steady", "ok", ""),
    ];
    check(at, &["--lake", "lake", "doctor"], &[], 0, &rows);
    assert!(!at.join("lake/_doctor").exists());
    // How full this machine is, nobody knows.
    let (_, out, _) = guardlake(at, &["--lake", "lake", "doctor"], &[]);
    assert!(out.contains("GiB free"), "{out}");
    // Whoever only reads tries no writing, and needs no rules.
    let (code, out, _) = guardlake(at, &["--lake", "lake", "doctor", "--role", "query"], &[]);
    assert!(
        code == 0 && !out.contains("lake: write") && !out.contains("rules"),
        "{out}"
    );
    let (_, table, _) = guardlake(at, &["doctor", "--format", "table"], &[]);
    assert!(
        table.contains("✗ lake: place: set lake.uri") && table.contains("1 failed"),
        "{table}"
    );
}

#[test]
fn what_is_wrong_on_this_machine_is_told_with_its_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(
        at,
        "rules/bad.sql",
        "/*\ntitle: Bad\nseverty: high\nseverity: high\ngroup_by: []\nthreshold: 1\nwindow: 1h\n*/\nSELECT * FROM observations\n",
    );
    write(
        at,
        "notify.yaml",
        "channels:\n  a: {kind: slack, channel: C1, token: {env: NO_SUCH_TOKEN}}\nroute: {channels: [a]}\n",
    );
    write(
        at,
        "guardlake.yaml",
        "rules: {dir: rules}\nnotify: {file: notify.yaml}\n",
    );
    let rows = [
        (
            "lake: write",
            "failed",
            "read and write the folder /proc/guardlake",
        ),
        ("rules", "failed", "bad.sql:3"),
        ("channels", "ok", "1 channels"),
        ("channels: secrets", "failed", "NO_SUCH_TOKEN is not set"),
    ];
    check(at, &["--lake", "/proc/guardlake", "doctor"], &[], 1, &rows);
    let rows = [("channels: secrets", "ok", "")];
    let secret = [("NO_SUCH_TOKEN", "xoxb-hunter22")];
    check(
        at,
        &["--lake", "new", "doctor", "--role", "notify"],
        &secret,
        1,
        &rows,
    );
    assert!(!at.join("new").exists(), "a lake was made by looking");
    // All checks are made although the settings cannot be used.
    write(at, "guardlake.yaml", "lake: {url: x}\n");
    let rows = [
        ("settings", "failed", "did you mean `uri`"),
        ("lake: place", "failed", "lake.uri"),
        ("rules", "ok", ""),
    ];
    check(at, &["doctor"], &[], 1, &rows);
    let rows = [("stream", "failed", "stream.name")];
    check(
        at,
        &[
            "--config",
            "/dev/null",
            "--lake",
            "l",
            "doctor",
            "--role",
            "ingest",
        ],
        &[],
        1,
        &rows,
    );
}

/// An S3 in another process, ended with the test.
struct Ministack {
    child: Child,
    endpoint: String,
}

impl Ministack {
    fn start() -> Ministack {
        let program = python::python().with_file_name("ministack");
        let free =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = free.expect("a free port").port();
        let child = Command::new(program)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ministack starts");
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "ministack does not listen"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ministack {
            child,
            endpoint: format!("http://127.0.0.1:{port}"),
        }
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves for as long as the test runs.
async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

fn credentials<'a>(s3: &'a str, kinesis: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE5678"),
        ("AWS_SECRET_ACCESS_KEY", "hunter22"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", s3),
        ("AWS_ENDPOINT_URL_KINESIS", kinesis),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_and_a_stream_are_well_and_what_is_missing_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let s3 = Ministack::start();
    let (app, _store) = ferrokinesis::create_app(StoreOptions {
        create_stream_ms: 0,
        ..StoreOptions::default()
    });
    let kinesis = serve(app).await;
    let aws = credentials(&s3.endpoint, &kinesis);
    let client = |endpoint: &str| {
        let credentials = aws_sdk_s3::config::Credentials::new("a", "b", None, None, "test");
        (
            endpoint.to_owned(),
            credentials,
            aws_sdk_s3::config::Region::new("us-east-1"),
        )
    };
    let (endpoint, provider, region) = client(&s3.endpoint);
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .credentials_provider(provider)
        .region(region)
        .force_path_style(true);
    let bucket = aws_sdk_s3::Client::from_conf(config.build()).create_bucket();
    bucket.bucket("findings").send().await.expect("a bucket");
    let (endpoint, provider, region) = client(&kinesis);
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(aws_sdk_kinesis::config::BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .credentials_provider(provider)
        .region(region);
    let stream = aws_sdk_kinesis::Client::from_conf(config.build()).create_stream();
    stream
        .stream_name("guardduty")
        .shard_count(2)
        .send()
        .await
        .expect("a stream");

    sample(at, "s3://findings/lake", &aws);
    let rows = [
        ("lake: bucket", "ok", "findings answers"),
        ("lake: conditional write", "ok", ""),
        ("lake: delete", "ok", ""),
        ("lake: tables", "ok", "writer version 2"),
        ("aws: credentials", "ok", "...5678"),
        ("aws: Region", "ok", "us-east-1"),
        ("stream guardduty: describe", "ok", "2 open shards"),
        (
            "stream guardduty: retention",
            "warning",
            "increase-stream-retention-period",
        ),
        ("stream guardduty: list shards", "ok", "2 shards"),
        ("stream guardduty: read", "ok", ""),
        ("stream guardduty: lag", "ok", "begins at: oldest"),
        ("clock: beside AWS", "ok", ""),
    ];
    check(
        at,
        &[
            "--lake",
            "s3://findings/lake",
            "doctor",
            "--stream",
            "guardduty",
        ],
        &aws,
        0,
        &rows,
    );

    let rows = [
        ("lake: bucket", "failed", "there is no bucket nowhere"),
        ("lake: list", "failed", "make the bucket"),
        ("stream absent: describe", "failed", "correct stream.name"),
    ];
    check(
        at,
        &[
            "--lake",
            "s3://nowhere/lake",
            "doctor",
            "--stream",
            "absent",
        ],
        &aws,
        1,
        &rows,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_calls_are_named_with_their_statement_and_a_clock_that_is_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    // Ten minutes behind, and no friend of ours.
    let fake = Router::new().fallback(async || {
        #[allow(clippy::disallowed_methods, reason = "a clock beside the real one")]
        let now = SystemTime::now();
        let date = httpdate::fmt_http_date(now - Duration::from_secs(600));
        let body = r#"{"__type":"AccessDeniedException","message":"not authorized"}"#;
        let headers = [
            ("date", date),
            ("content-type", "application/x-amz-json-1.1".to_owned()),
        ];
        (StatusCode::BAD_REQUEST, headers, body)
    });
    let fake = serve(fake).await;
    let aws = credentials(&fake, &fake);
    let rows = [
        (
            "stream f: describe",
            "failed",
            r#"[\"kinesis:DescribeStreamSummary\"]"#,
        ),
        (
            "stream f: list shards",
            "failed",
            r#"[\"kinesis:ListShards\"]"#,
        ),
        ("stream f: read", "skipped", ""),
        ("clock: beside AWS", "failed", "600 s ahead of"),
    ];
    check(
        at,
        &["--lake", "lake", "doctor", "--stream", "f"],
        &aws,
        1,
        &rows,
    );
    // An S3 that lets nobody in.
    let closed = Router::new().fallback(async || {
        let body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
        (StatusCode::FORBIDDEN, body)
    });
    let closed = serve(closed).await;
    let aws = credentials(&closed, &closed);
    let rows = [
        ("lake: bucket", "failed", "s3:ListBucket"),
        ("lake: list", "failed", r#"[\"s3:ListBucket\"]"#),
        ("lake: write", "failed", r#"[\"s3:PutObject\"]"#),
        ("lake: tables", "failed", ""),
    ];
    check(
        at,
        &["--lake", "s3://b/p", "doctor", "--role", "alerts"],
        &aws,
        1,
        &rows,
    );
    let rows = [("aws: credentials", "failed", "AWS_PROFILE")];
    let none = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", closed.as_str()),
    ];
    check(
        at,
        &["--lake", "s3://b/p", "doctor", "--role", "query"],
        &none,
        1,
        &rows,
    );
}
