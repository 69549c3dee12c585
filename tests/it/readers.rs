//! The lake is a plain Delta Lake, on a folder and on S3.

use std::process::{Command, Stdio};

use crate::support::{S3, finish, folder, guardlake, ndjson, python, run, samples, sql};

/// Counts of the `findings` table at `uri`, read by the Python package `deltalake`.
fn other_reader(uri: &str, options: &str) -> serde_json::Value {
    let script = format!(
        r#"
import json
from deltalake import DeltaTable, QueryBuilder
table = DeltaTable({uri:?}, storage_options={options})
query = "select account_id, count(*) as n, count(distinct finding_id) as findings from t group by 1 order by 1"
rows = QueryBuilder().register("t", table).execute(query).read_all()
columns = [rows.column(i).to_pylist() for i in range(3)]
print(json.dumps([list(row) for row in zip(*columns)]))
"#
    );
    let output = finish(Command::new(python()).args(["-c", &script]), 0);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn own_counts(rows: &[serde_json::Value]) -> serde_json::Value {
    rows.iter()
        .map(|row| serde_json::json!([row["account_id"], row["n"], row["findings"]]))
        .collect()
}

const COUNTS: &str = "SELECT account_id, count(*) AS n, count(DISTINCT finding_id) AS findings FROM findings GROUP BY account_id ORDER BY account_id";

#[test]
fn another_delta_reader_counts_the_same() {
    let (folder, lake) = folder();
    run(&lake, &["ingest", &samples().display().to_string()], 0);
    let own = own_counts(&sql(&lake, COUNTS));
    assert!(own.as_array().is_some_and(|rows| rows.len() > 10));
    let findings = format!("{lake}/findings");
    assert_eq!(other_reader(&findings, "None"), own);

    // Another load, so that days have more than one file; then as before after they were rewritten.
    let more = folder.path().join("more.jsonl");
    let made = finish(guardlake().args(["sample", "--findings", "300"]), 0).stdout;
    for half in [0, 1] {
        let lines = made.split_inclusive(|byte| *byte == b'\n');
        let half: Vec<u8> = lines.skip(half).step_by(2).flatten().copied().collect();
        std::fs::write(&more, half).expect("a file");
        run(&lake, &["ingest", &more.display().to_string()], 0);
    }
    let own = own_counts(&sql(&lake, COUNTS));
    let compacted = ndjson(&run(&lake, &["--format", "ndjson", "lake", "compact"], 0));
    assert!(compacted.len() > 10, "{compacted:?}");
    assert_eq!(own_counts(&sql(&lake, COUNTS)), own);
    assert_eq!(other_reader(&findings, "None"), own);
    let vacuum = ["lake", "vacuum", "--older-than", "1s"];
    run(&lake, &vacuum, 3);
    std::thread::sleep(std::time::Duration::from_secs(2));
    run(&lake, &[&vacuum[..], &["--force"]].concat(), 0);
    assert_eq!(other_reader(&findings, "None"), own);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_on_s3_is_loaded_from_s3_and_read_by_others() {
    let s3 = S3::start();
    let client = s3.client();
    client
        .create_bucket()
        .bucket("lake")
        .send()
        .await
        .expect("a bucket");
    for entry in std::fs::read_dir(samples())
        .expect("samples")
        .flatten()
        .filter(|entry| entry.path().is_file())
    {
        let key = format!("export/AWSLogs/{}", entry.file_name().to_string_lossy());
        let body = std::fs::read(entry.path()).expect("a sample").into();
        client
            .put_object()
            .bucket("lake")
            .key(key)
            .body(body)
            .send()
            .await
            .expect("an object");
    }
    let lake = "s3://lake/tables";
    let command = |arguments: &[&str]| {
        let mut command = s3.guardlake();
        command
            .args(["--lake", lake, "--format", "ndjson"])
            .args(arguments);
        command
    };
    let first = ndjson(&finish(&mut command(&["ingest", "s3://lake/export/"]), 0)).remove(0);
    assert_eq!(
        (&first["rejected"], &first["skipped"]),
        (&0.into(), &1.into()),
        "{first}"
    );
    let again = ndjson(&finish(&mut command(&["ingest", "s3://lake/export/"]), 0)).remove(0);
    assert_eq!(
        (&again["committed"], &again["known"]),
        (&0.into(), &first["sources"]),
        "{again}"
    );

    // Four writers at once: conditional writes are what keeps them apart.
    let (folder, _) = folder();
    let made = finish(s3.guardlake().args(["sample", "--findings", "800"]), 0).stdout;
    let children: Vec<_> = (0..4)
        .map(|index| {
            let path = folder.path().join(format!("{index}.jsonl"));
            std::fs::write(&path, &made).expect("a file");
            let mut command = command(&["ingest", &path.display().to_string()]);
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("it starts")
        })
        .collect();
    let mut committed = first["committed"].as_u64().expect("a count");
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        committed += ndjson(&output)[0]["committed"].as_u64().expect("a count");
    }
    let ledger = ndjson(&finish(&mut command(&["lake", "verify"]), 0)).remove(0);
    assert_eq!(ledger["rows"].as_u64(), Some(committed), "{ledger}");
    let own = own_counts(&ndjson(&finish(&mut command(&["sql", COUNTS]), 0)));
    let endpoint = s3.endpoint();
    let options = format!(
        "{{'AWS_ENDPOINT_URL': '{endpoint}', 'AWS_ALLOW_HTTP': 'true', 'AWS_ACCESS_KEY_ID': 'test', 'AWS_SECRET_ACCESS_KEY': 'test', 'AWS_REGION': 'us-east-1'}}"
    );
    assert_eq!(other_reader("s3://lake/tables/findings", &options), own);
}
