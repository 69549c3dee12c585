//! Loading files: any shape, again without effect, side by side, and what cannot be read.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{finish, folder, guardlake, ndjson, run, samples, sql, verified};

/// Loads paths; the ledger that is printed.
fn ingest(lake: &str, paths: &[&str], code: i32) -> Value {
    let mut arguments = vec!["--format", "ndjson", "ingest"];
    arguments.extend(paths);
    ndjson(&run(lake, &arguments, code)).remove(0)
}

fn made(folder: &Path, name: &str, arguments: &[&str]) -> String {
    let output = finish(guardlake().arg("sample").args(arguments), 0);
    let path = folder.join(name);
    std::fs::write(&path, output.stdout).expect("a file is written");
    path.display().to_string()
}

#[test]
fn public_samples_load_without_a_reject_and_again_without_effect() {
    let (_folder, lake) = folder();
    let samples = samples().display().to_string();
    let first = ingest(&lake, &[&samples], 0);
    assert_eq!(
        (&first["rejected"], &first["skipped"], &first["known"]),
        (&0.into(), &1.into(), &0.into()),
        "{first}"
    );
    let total = |row: &Value| {
        ["committed", "duplicate", "rejected", "skipped", "expired"]
            .iter()
            .map(|c| row[c].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(first["received"].as_u64(), Some(total(&first)));
    assert!(first["committed"].as_u64() > Some(80), "{first}");

    let again = ingest(&lake, &[&samples], 0);
    assert_eq!(
        (&again["committed"], &again["version"]),
        (&0.into(), &Value::Null),
        "{again}"
    );
    assert_eq!(
        again["duplicate"].as_u64(),
        Some(first["committed"].as_u64().unwrap() + first["duplicate"].as_u64().unwrap())
    );

    // The same bytes under another name are found by what they say.
    let copy = folder_with_copies();
    let copied = ingest(&lake, &[&copy.path().display().to_string()], 0);
    assert_eq!(
        (&copied["committed"], &copied["known"]),
        (&0.into(), &0.into()),
        "{copied}"
    );
    assert_eq!(verified(&lake)["rows"], first["committed"]);
}

fn folder_with_copies() -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(samples()).expect("samples").flatten() {
        if entry.path().is_file() {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("a copy");
        }
    }
    copy
}

#[test]
fn a_version_is_stored_once_whatever_shape_it_comes_in() {
    let (folder, lake) = folder();
    let shapes = ["eventbridge", "export", "get-findings"];
    let of = |shape| {
        made(
            folder.path(),
            &format!("{shape}.json"),
            &["--findings", "600", "--shape", shape, "--seed", "3"],
        )
    };
    let [eventbridge, export, get_findings] = shapes.map(of);
    let first = ingest(&lake, &[&eventbridge], 0);
    let rows = first["committed"].clone();
    for path in [export, get_findings] {
        let more = ingest(&lake, &[&path], 0);
        assert_eq!(
            (&more["committed"], &more["rejected"]),
            (&0.into(), &0.into()),
            "{path}: {more}"
        );
    }
    assert_eq!(verified(&lake)["rows"], rows);
}

#[test]
fn gzip_globs_and_standard_input_are_the_same_findings() {
    let (folder, lake) = folder();
    let plain = made(folder.path(), "plain.jsonl", &["--findings", "300"]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&std::fs::read(&plain).expect("the file"))
        .expect("gzip");
    std::fs::create_dir(folder.path().join("in")).expect("a folder");
    std::fs::write(
        folder.path().join("in/a.jsonl.gz"),
        gzip.finish().expect("gzip"),
    )
    .expect("a file");
    let glob = format!("{}/in/*.gz", folder.path().display());
    let first = ingest(&lake, &[&glob], 0);
    assert!(first["committed"].as_u64() > Some(200), "{first}");

    let output = guardlake()
        .args(["--lake", &lake, "--format", "ndjson", "ingest", "-"])
        .stdin(std::fs::File::open(&plain).expect("the file"))
        .stderr(Stdio::null())
        .output()
        .expect("the command runs");
    let piped = ndjson(&output).remove(0);
    assert_eq!(
        (&piped["received"], &piped["committed"]),
        (&first["received"], &0.into()),
        "{piped}"
    );
}

#[test]
fn two_writers_at_once_store_each_version_once() {
    let (folder, lake) = folder();
    // Two files with the same findings: only the content can tell.
    let one = made(
        folder.path(),
        "one.jsonl",
        &["--findings", "3000", "--seed", "5"],
    );
    let two = folder.path().join("two.jsonl").display().to_string();
    std::fs::copy(&one, &two).expect("a copy");
    run(&lake, &["ingest", &samples().display().to_string()], 0);
    let children: Vec<_> = [&one, &two, &one, &two]
        .into_iter()
        .map(|path| {
            let mut command = guardlake();
            command.args(["--lake", &lake, "--format", "ndjson", "ingest", path]);
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("it starts")
        })
        .collect();
    let mut committed = 0;
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        committed += ndjson(&output)[0]["committed"].as_u64().expect("a count");
    }
    let before = sql(
        &lake,
        "SELECT count(*) AS n FROM findings WHERE source NOT LIKE '%.jsonl' OR source LIKE '%fixtures%'",
    );
    let ledger = verified(&lake);
    assert_eq!(
        ledger["rows"].as_u64(),
        Some(committed + before[0]["n"].as_u64().unwrap()),
        "{ledger}"
    );
    let distinct = "SELECT count(*) AS n FROM (SELECT DISTINCT account_id, region, finding_id, updated_at, count FROM findings
                    WHERE source LIKE '%one.jsonl' OR source LIKE '%two.jsonl')";
    assert_eq!(sql(&lake, distinct)[0]["n"].as_u64(), Some(committed));
}

#[test]
fn what_cannot_be_read_is_kept_with_its_place() {
    let (folder, lake) = folder();
    let good = std::fs::read_to_string(made(
        folder.path(),
        "good.jsonl",
        &["--findings", "2", "--seed", "9"],
    ))
    .expect("a file");
    let (first, second) = good.split_once('\n').expect("two lines");
    let path = folder.path().join("bad.jsonl");
    std::fs::write(&path, format!("{first}\n{{\"broken\": tru\n{second}")).expect("a file");
    let path = path.display().to_string();
    let ledger = ingest(&lake, &[&path], 0);
    assert_eq!(
        (&ledger["committed"], &ledger["rejected"]),
        (&2.into(), &1.into()),
        "{ledger}"
    );
    let rejects = sql(
        &lake,
        "SELECT source, sequence_number, reason, CAST(bytes AS VARCHAR) AS text FROM rejects",
    );
    assert_eq!(rejects.len(), 1);
    assert!(
        rejects[0]["source"]
            .as_str()
            .unwrap()
            .ends_with("bad.jsonl")
    );
    assert_eq!(
        rejects[0]["sequence_number"].as_str(),
        Some((first.len() + 1).to_string().as_str())
    );
    assert!(
        rejects[0]["text"]
            .as_str()
            .unwrap()
            .starts_with("{\"broken\": tru"),
        "{rejects:?}"
    );
    // The same broken bytes elsewhere are the same reject.
    let copy = folder.path().join("copy.jsonl").display().to_string();
    std::fs::copy(&path, &copy).expect("a copy");
    let again = ingest(&lake, &[&copy], 0);
    assert_eq!(
        (&again["rejected"], &again["duplicate"]),
        (&0.into(), &3.into()),
        "{again}"
    );
    assert_eq!(sql(&lake, "SELECT count(*) AS n FROM rejects")[0]["n"], 1);
}

#[test]
fn a_torn_file_does_not_stop_the_others_and_is_read_again_when_it_is_whole() {
    let (folder, lake) = folder();
    let good = made(folder.path(), "good.jsonl", &["--findings", "50"]);
    let other = std::fs::read(made(
        folder.path(),
        "other.jsonl",
        &["--findings", "50", "--seed", "2"],
    ))
    .expect("a file");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&other).expect("gzip");
    let whole = gzip.finish().expect("gzip");
    let torn = folder.path().join("a-torn.jsonl.gz");
    std::fs::write(&torn, &whole[..whole.len() / 2]).expect("a file");
    let output = run(
        &lake,
        &[
            "--format",
            "ndjson",
            "ingest",
            &torn.display().to_string(),
            &good,
        ],
        4,
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("a-torn.jsonl.gz"), "{said}");
    let first = ndjson(&output).remove(0);
    std::fs::write(&torn, &whole).expect("a file");
    let second = ingest(&lake, &[&torn.display().to_string(), &good], 0);
    assert_eq!(second["known"], 1, "{second}");
    assert!(second["committed"].as_u64() > Some(0), "{second}");
    let rows = first["committed"].as_u64().unwrap() + second["committed"].as_u64().unwrap();
    assert_eq!(verified(&lake)["rows"].as_u64(), Some(rows));
}
