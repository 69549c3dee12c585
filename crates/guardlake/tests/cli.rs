//! What a user sees who makes a mistake: one clear line with the place, and the exit code that says what to do.

use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `guardlake` in `folder`: its exit code must be `code`, and its last words must hold all of `said`.
fn check(folder: &Path, arguments: &[&str], code: i32, said: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_guardlake"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the command starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    for words in said {
        assert!(
            stderr.contains(words),
            "{arguments:?}: `{words}` is not in: {stderr}"
        );
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn lake() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = Command::new(env!("CARGO_BIN_EXE_guardlake"))
        .args(["sample", "--findings", "5"])
        .output();
    std::fs::write(
        folder.path().join("f.jsonl"),
        sample.expect("it runs").stdout,
    )
    .expect("a file");
    check(
        folder.path(),
        &["--lake", "lake", "ingest", "f.jsonl"],
        0,
        &[],
    );
    folder
}

#[test]
fn mistakes_in_arguments_and_settings_are_exit_code_3() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    check(at, &["--no-such-flag"], 3, &["--no-such-flag"]);
    check(at, &["ingest"], 3, &["PATH"]);
    check(at, &["sql", "SELECT 1"], 3, &["--lake"]);
    check(
        at,
        &["--lake", "nowhere", "sql", "SELECT 1"],
        3,
        &["there is no lake at `nowhere`"],
    );
    check(
        at,
        &["--lake", "lake", "ingest", "missing.json"],
        3,
        &["missing.json", "no such file or folder"],
    );
    check(
        at,
        &["--lake", "lake", "ingest", "*.json"],
        3,
        &["*.json", "nothing to load"],
    );
    check(at, &["--lake", "gs://b/x", "lake", "info"], 3, &["gs://"]);
    check(
        at,
        &["sample", "--end", "yesterday"],
        3,
        &["--end", "yesterday"],
    );
    assert!(!at.join("lake").exists(), "a mistake must not make a lake");
    check(at, &["--lake", "new", "run"], 3, &["--stream"]);
    write(at, "guardlake.yaml", "lake:\n  url: x\n");
    check(
        at,
        &["sql", "SELECT 1"],
        3,
        &["guardlake.yaml", "url", "did you mean `uri`"],
    );
    check(
        at,
        &["--config", "none.yaml", "sql", "SELECT 1"],
        3,
        &["none.yaml"],
    );
}

#[test]
fn mistakes_in_sql_and_rules_are_exit_code_2_and_point_at_the_word() {
    let folder = lake();
    let at = folder.path();
    check(
        at,
        &["--lake", "lake", "sql", "SELECT acount_id FROM findings"],
        2,
        &["acount_id", "account_id", "^^^"],
    );
    check(
        at,
        &["--lake", "lake", "sql", "SELEC 1"],
        2,
        &["SELEC", "^"],
    );
    check(
        at,
        &["--lake", "lake", "sql", "DROP TABLE findings"],
        2,
        &["read-only"],
    );
    check(
        at,
        &["--lake", "lake", "sql", "COPY findings TO 'x.csv'"],
        2,
        &["read-only"],
    );
    assert!(!at.join("x.csv").exists());
    check(
        at,
        &["--lake", "lake", "sql", "SELECT * FROM '/etc/passwd'"],
        2,
        &["/etc/passwd"],
    );
    check(
        at,
        &[
            "--lake",
            "lake",
            "sql",
            "SELECT * FROM findings WHERE account_id = $account",
        ],
        2,
        &["account"],
    );
    check(
        at,
        &["--lake", "lake", "trend", "findings_per_acount_day"],
        3,
        &["did you mean `findings_per_account_day`"],
    );
    check(
        at,
        &[
            "--lake",
            "lake",
            "trend",
            "findings_per_account_day",
            "--from",
            "soon",
        ],
        2,
        &["soon"],
    );

    write(
        at,
        "rules/bad.sql",
        "/*\ntitle: Bad\nseverty: high\ngroup_by: [remote_ip]\nthreshold: 3\nwindow: 10m\n*/\nSELECT * FROM observations\n",
    );
    check(
        at,
        &["rule", "check", "--rules", "rules"],
        2,
        &["bad.sql:3", "severty", "severity"],
    );
    check(
        at,
        &[
            "--lake", "lake", "alert", "run", "--once", "--rules", "rules",
        ],
        2,
        &["bad.sql:3"],
    );
    let sum = "/*\ntitle: Sum\nseverity: high\ngroup_by: [remote_ip]\nthreshold: 3\nwindow: 10m\n*/\nSELECT remote_ip, count(*) FROM observations GROUP BY remote_ip\n";
    write(at, "sums/sum.sql", sum);
    check(at, &["rule", "check", "--rules", "sums"], 2, &["sum.sql:8"]);
    check(
        at,
        &["rule", "check", "--rules", "no-such-folder"],
        3,
        &["no-such-folder"],
    );
    check(at, &["rule", "check"], 0, &["0 wrong"]);
}

#[test]
fn a_damaged_lake_is_exit_code_1_and_an_unreadable_one_4() {
    let folder = lake();
    let at = folder.path();
    check(at, &["--lake", "lake", "lake", "verify"], 0, &[]);
    let parquet = walk(&at.join("lake/findings"))
        .into_iter()
        .find(|p| p.extension().is_some_and(|e| e == "parquet"));
    std::fs::remove_file(parquet.expect("a data file")).expect("it is removed");
    check(
        at,
        &["--lake", "lake", "lake", "verify"],
        1,
        &["is missing"],
    );
    write(
        at,
        "lake/findings/_delta_log/00000000000000000001.json",
        "{ torn",
    );
    check(
        at,
        &["--lake", "lake", "lake", "info"],
        4,
        &["00000000000000000001.json", "line 1"],
    );
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn the_demo_does_not_empty_a_folder_that_it_did_not_make() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "work/thesis.txt", "years");
    check(
        folder.path(),
        &["demo", "--once", "--dir", "work"],
        3,
        &["no demo made it"],
    );
    assert!(folder.path().join("work/thesis.txt").exists());
}

#[test]
fn the_demo_walks_twice_in_a_row() {
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..2 {
        let said = [
            "1500 records sent and stored",
            "The doorbell",
            "What came in",
        ];
        check(
            folder.path(),
            &["demo", "--once", "--findings", "1500", "--accounts", "12"],
            0,
            &said,
        );
    }
    check(
        folder.path(),
        &[
            "--lake",
            "guardlake-demo",
            "alert",
            "list",
            "--fail-on",
            "high",
        ],
        1,
        &[],
    );
}

#[test]
fn settings_are_made_checked_and_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    check(at, &["config", "path"], 1, &["config init"]);
    check(
        at,
        &["config", "init"],
        0,
        &["guardlake.yaml", "guardlake.schema.json"],
    );
    check(at, &["config", "init"], 3, &["is there already", "--force"]);
    check(at, &["config", "init", "--force"], 0, &[]);
    check(at, &["config", "validate"], 0, &["all is well"]);
    write(
        at,
        "wrong.yaml",
        "lake:\n  url: x\ningest:\n  max_rows: many\nrules: {dir: rules}\nsuppressions: {dir: nowhere}\nnotify: {file: notify.yaml}\n",
    );
    write(
        at,
        "rules/bad.sql",
        "/*\ntitle: Bad\nseverty: high\n*/\nSELECT * FROM observations\n",
    );
    write(at, "notify.yaml", "channels:\n  a: {kind: slak}\n");
    let said = [
        "wrong.yaml:2:3: lake.url: there is no such setting; did you mean `uri`?",
        "wrong.yaml:4:3: ingest.max_rows: must be a whole number, not `many`",
        "bad.sql:3",
        "nowhere",
        "notify.yaml:2",
    ];
    check(at, &["config", "validate", "wrong.yaml"], 3, &said);
    check(
        at,
        &["--config", "wrong.yaml", "config", "show"],
        3,
        &said[..2],
    );
    check(
        at,
        &["--config", "wrong.yaml", "sql", "SELECT 1"],
        3,
        &said[..2],
    );

    write(at, "guardlake.yaml", "lake: {uri: a}\nstream:\n  name: f\n");
    let shown = Command::new(env!("CARGO_BIN_EXE_guardlake"))
        .args([
            "--lake",
            "s3://me:hunter22@b",
            "config",
            "show",
            "--format",
            "csv",
        ])
        .env("GUARDLAKE__INGEST__MAX_ROWS", "7")
        .current_dir(at)
        .output()
        .expect("it runs");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    for line in [
        "lake.uri,s3://(not shown)@b,flag --lake",
        "stream.name,f,guardlake.yaml:3:3",
        "stream.start,oldest,default",
        "ingest.max_rows,7,GUARDLAKE__INGEST__MAX_ROWS",
    ] {
        assert!(
            shown.lines().any(|shown| shown == line),
            "`{line}` is not in {shown}"
        );
    }
    assert!(!shown.contains("hunter22"), "{shown}");
}
