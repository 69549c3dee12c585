//! What GuardDuty exports to S3 is followed: objects that appear, a process that ends, an object that cannot be read, a finding that came
//! by a stream, too.

use std::io::Write;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::service::Service;
use crate::streams::{documents, signal, until_rows};
use crate::support::{S3, folder, run, sql, verified};

/// As GuardDuty writes exports: gzip, a finding a line.
fn object(documents: &[sample::Document]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    for document in documents {
        let event: serde_json::Value = serde_json::from_slice(&document.bytes).expect("JSON");
        let finding = event.get("detail").unwrap_or(&event);
        writeln!(gzip, "{finding}").expect("bytes in memory");
    }
    gzip.finish().expect("bytes in memory")
}

async fn put(s3: &aws_sdk_s3::Client, key: &str, bytes: Vec<u8>) {
    let key = format!("export/AWSLogs/111122223333/GuardDuty/{key}");
    let put = s3.put_object().bucket("exports").key(key);
    let put = put.body(ByteStream::from(bytes)).send();
    put.await.expect("an object is put");
}

fn follow(s3: &S3, lake: &str) -> Service {
    let mut command = s3.guardlake();
    command
        .args([
            "--lake",
            lake,
            "-v",
            "run",
            "--source",
            "s3-export",
            "--roles",
            "ingest",
        ])
        .env("GUARDLAKE__EXPORTS__FROM", "s3://exports/export/")
        .env("GUARDLAKE__EXPORTS__EVERY", "1s");
    Service::spawn(command)
}

async fn stopped(mut service: Service) -> String {
    signal(&service.child, "-TERM");
    assert!(service.child.wait().expect("it ends").success());
    // The last of what it said may still be on its way.
    for _ in 0..50 {
        if service.said().contains("received") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    service.said()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_are_followed_and_nothing_is_loaded_twice() {
    let s3 = S3::start();
    let client = s3.client();
    client
        .create_bucket()
        .bucket("exports")
        .send()
        .await
        .expect("a bucket");
    let (folder, lake) = folder();
    let all = documents(100, 7);
    // The first thirty came by a stream before: events, not exports.
    let events = folder.path().join("events.jsonl");
    let lines: Vec<u8> = all[..30]
        .iter()
        .flat_map(|document| [&document.bytes[..], b"\n"].concat())
        .collect();
    std::fs::write(&events, lines).expect("a file");
    run(&lake, &["ingest", &events.display().to_string()], 0);

    put(
        &client,
        "us-east-1/2026/11/20/a.jsonl.gz",
        object(&all[..60]),
    )
    .await;
    put(
        &client,
        "us-east-1/2026/11/22/b.jsonl.gz",
        b"\x1f\x8bnot gzip".to_vec(),
    )
    .await;
    let mut service = follow(&s3, &lake);
    until_rows(&lake, 60).await;
    service.until_said("b.jsonl.gz").await;
    // A day that is new, and a Region that is: the first is seen at once.
    put(
        &client,
        "us-east-1/2026/11/23/c.jsonl.gz",
        object(&all[60..80]),
    )
    .await;
    put(
        &client,
        "eu-west-1/2026/11/23/d.jsonl.gz",
        object(&all[80..]),
    )
    .await;
    until_rows(&lake, 80).await;
    let said = stopped(service).await;
    assert_eq!(said.matches("cannot read").count(), 1, "told once: {said}");
    assert!(said.contains("committed 50 + duplicate 30"), "{said}");

    // Whoever begins anew looks at everything, loads what is new, and nothing again.
    let service = follow(&s3, &lake);
    until_rows(&lake, 100).await;
    let said = stopped(service).await;
    assert!(said.contains("committed 20 + duplicate 0"), "{said}");
    assert_eq!(verified(&lake)["ok"], json!(true));
    assert_eq!(
        sql(&lake, "SELECT count(*) AS n FROM findings")[0],
        json!({"n": 100})
    );
}
