//! What asks: `sql` with files and limits, `trend`, `investigate`, and the prompt on a pseudo terminal.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn guardlake(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_guardlake"))
        .args(["--lake", "lake"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the command starts")
}

/// The exit code must be `code`, the standard output `out`, and the last words must hold all of `said`.
fn check(folder: &Path, arguments: &[&str], code: i32, out: Option<&str>, said: &[&str]) {
    let output = guardlake(folder, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    if let Some(out) = out {
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            out,
            "{arguments:?}: {stderr}"
        );
    }
    for words in said {
        assert!(
            stderr.contains(words),
            "{arguments:?}: `{words}` is not in: {stderr}"
        );
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

fn lake() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = Command::new(env!("CARGO_BIN_EXE_guardlake"))
        .args(["sample", "--findings", "40"])
        .output();
    std::fs::write(
        folder.path().join("f.jsonl"),
        sample.expect("it runs").stdout,
    )
    .expect("a file");
    check(folder.path(), &["ingest", "f.jsonl"], 0, None, &[]);
    folder
}

#[test]
fn a_file_of_queries_stops_at_its_first_mistake() {
    let folder = lake();
    let at = folder.path();
    let text = "SELECT 1 AS a; -- one; two\nSELECT 'x;y' AS b, $n AS n;\n\n  SELECT acount_id FROM findings;\nSELECT 3 AS c;\n";
    std::fs::write(at.join("q.sql"), text).expect("a file");
    let said = ["q.sql:4:10", "acount_id", "did you mean \"account_id\"?"];
    let out = "a\n1\nb,n\nx;y,5\n";
    check(
        at,
        &["--format", "csv", "sql", "-f", "q.sql", "-p", "n=5"],
        2,
        Some(out),
        &said,
    );
    std::fs::write(at.join("good.sql"), "SELECT $n AS n; SELECT 2 AS m").expect("a file");
    check(
        at,
        &["--format", "csv", "sql", "-f", "good.sql", "-p", "n=5"],
        0,
        Some("n\n5\nm\n2\n"),
        &[],
    );
    let said = ["no parameter \"m\"", "did you mean \"n\"?"];
    check(
        at,
        &["sql", "-f", "good.sql", "-p", "n=5", "-p", "m=1"],
        2,
        Some(""),
        &said,
    );
    check(
        at,
        &["sql", "-f", "good.sql", "--output", "a.csv"],
        3,
        Some(""),
        &["one query", "has 2"],
    );
    check(at, &["sql", ""], 2, Some(""), &["there is no query here"]);
}

#[test]
fn an_answer_becomes_a_file_that_replaces_none_unasked() {
    let folder = lake();
    let at = folder.path();
    let query = "SELECT finding_id, event_time, severity, remote_ips FROM findings ORDER BY finding_id, event_time";
    for name in ["a.parquet", "a.csv", "a.json", "a.ndjson"] {
        check(
            at,
            &["sql", query, "--output", name],
            0,
            Some(""),
            &["rows in a."],
        );
    }
    let stored = guardlake(at, &["--format", "json", "sql", query]).stdout;
    assert_eq!(std::fs::read(at.join("a.json")).expect("the file"), stored);
    let file = std::fs::File::open(at.join("a.parquet")).expect("the file");
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.build())
        .expect("it is Parquet");
    let rows: usize = reader.map(|batch| batch.expect("rows").num_rows()).sum();
    assert_eq!(
        rows,
        String::from_utf8_lossy(&stored)
            .matches("finding_id")
            .count()
    );

    std::fs::write(at.join("mine.csv"), "precious").expect("a file");
    check(
        at,
        &["sql", "SELECT 1 AS a", "--output", "mine.csv"],
        3,
        Some(""),
        &["mine.csv exists", "--force"],
    );
    assert_eq!(
        std::fs::read_to_string(at.join("mine.csv")).expect("the file"),
        "precious"
    );
    let wrong = "SELECT CAST(finding_id AS INT) FROM findings";
    check(
        at,
        &["sql", wrong, "--output", "mine.csv", "--force"],
        2,
        Some(""),
        &[],
    );
    assert_eq!(
        std::fs::read_to_string(at.join("mine.csv")).expect("the file"),
        "precious"
    );
    check(
        at,
        &["sql", "SELECT 1 AS a", "--output", "mine.csv", "--force"],
        0,
        Some(""),
        &["1 row in"],
    );
    assert_eq!(
        std::fs::read_to_string(at.join("mine.csv")).expect("the file"),
        "a\n1\n"
    );
    check(
        at,
        &["sql", "SELECT 1", "--output", "a.xlsx"],
        3,
        Some(""),
        &[".parquet, .csv"],
    );
    check(
        at,
        &["trend", "regions", "--output", "regions.csv"],
        0,
        Some(""),
        &["rows in"],
    );
    let left = std::fs::read_dir(at).expect("the folder").flatten();
    let parts = left.filter(|entry| entry.file_name().to_string_lossy().contains(".part"));
    assert_eq!(parts.count(), 0, "no part of an answer is left");
}

#[test]
fn limits_hold_and_say_what_to_do() {
    let folder = lake();
    let at = folder.path();
    let three = [
        "--format",
        "csv",
        "sql",
        "SELECT unnest(range(0, 10)) AS n",
        "--max-rows",
        "3",
    ];
    check(
        at,
        &three,
        0,
        Some("n\n0\n1\n2\n"),
        &["only the first 3 rows", "--max-rows"],
    );
    let all = [
        "--format",
        "csv",
        "sql",
        "SELECT unnest(range(0, 3)) AS n",
        "--max-rows",
        "3",
    ];
    let output = guardlake(at, &all);
    assert!(output.stderr.is_empty(), "nothing was left out");
    let endless = "SELECT count(*) FROM findings a, findings b, findings c, findings d, findings e, findings f WHERE a.severity + b.severity > c.severity * d.severity + e.severity + f.severity";
    check(
        at,
        &["sql", endless, "--timeout", "1s"],
        2,
        Some(""),
        &["took longer than 1s", "allow more time"],
    );
    check(
        at,
        &["sql", "SELECT 1", "--timeout", "soon"],
        3,
        Some(""),
        &["--timeout"],
    );
    check(
        at,
        &["sql", "SELECT 1", "--memory", "lots"],
        3,
        Some(""),
        &["--memory", "512m"],
    );
    let greedy = "SELECT v, array_agg(v) OVER (ORDER BY v) FROM (SELECT unnest(range(0, 2000000)) AS v) ORDER BY v DESC";
    check(
        at,
        &["sql", greedy, "--memory", "2m"],
        2,
        Some(""),
        &["more memory than it may use"],
    );
}

#[test]
fn questions_are_found_and_say_what_they_need() {
    let folder = lake();
    let at = folder.path();
    check(at, &["investigate"], 0, None, &[]);
    check(
        at,
        &["investigate", "spread"],
        3,
        Some(""),
        &["`spread` needs entity", "-p entity=VALUE"],
    );
    check(
        at,
        &["investigate", "spred", "x"],
        3,
        Some(""),
        &["did you mean `spread`?"],
    );
    check(
        at,
        &["investigate", "regions"],
        3,
        Some(""),
        &["guardlake trend"],
    );
    check(
        at,
        &["trend", "spread"],
        3,
        Some(""),
        &["guardlake investigate"],
    );
    check(at, &["investigate", "spread", "nobody"], 0, Some(""), &[]);
    check(
        at,
        &["investigate", "spread", "-p", "entity=nobody"],
        0,
        Some(""),
        &[],
    );
    check(
        at,
        &["investigate", "spread", "-p", "entty=x"],
        3,
        Some(""),
        &["did you mean `entity`?"],
    );
    check(
        at,
        &["investigate", "finding_history", "f", "-p", "finding=g"],
        3,
        Some(""),
        &["needs no value"],
    );
    check(
        at,
        &["trend", "regions", "--tz", "Mars"],
        2,
        Some(""),
        &["\"Mars\" is not a time zone"],
    );
    check(
        at,
        &["trend", "regions", "--severity", "bad"],
        2,
        Some(""),
        &["\"bad\" is not a severity"],
    );
    check(
        at,
        &[
            "trend",
            "regions",
            "--accounts",
            "1",
            "--types",
            "No:*",
            "--ou",
            "/x",
        ],
        0,
        Some(""),
        &[],
    );
    let output = guardlake(at, &["--format", "json", "trend"]);
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        listed.contains("account_day_heatmap") && listed.contains("baseline_type"),
        "{listed}"
    );
}

/// Whoever is impatient finds no half file.
#[cfg(unix)]
#[test]
fn an_answer_given_up_leaves_no_file() {
    let folder = lake();
    let at = folder.path();
    let many =
        "SELECT a.raw FROM findings a, findings b, findings c, findings d, findings e, findings f";
    let mut child = Command::new(env!("CARGO_BIN_EXE_guardlake"))
        .args(["--lake", "lake", "sql", many, "--output", "many.ndjson"])
        .current_dir(at)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let parts = || {
        let entries = std::fs::read_dir(at).expect("the folder").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names
            .filter(|name| name.contains(".part") || name.contains("many"))
            .count()
    };
    for _ in 0..200 {
        if parts() > 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(parts(), 1, "it is being written");
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.expect("kill runs").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(4));
    assert_eq!(parts(), 0);
}

/// The prompt on a pseudo terminal.
struct Terminal {
    child: std::process::Child,
    input: std::process::ChildStdin,
    shown: Arc<Mutex<String>>,
    read: usize,
}

impl Terminal {
    fn open(folder: &Path) -> Terminal {
        let command = format!(
            "stty rows 30 cols 120; exec {} --lake lake --format table sql",
            env!("CARGO_BIN_EXE_guardlake")
        );
        let mut child = Command::new("script")
            .args(["-q", "-e", "-c", &command, "/dev/null"])
            .current_dir(folder)
            .env("XDG_STATE_HOME", folder.join("state"))
            .env("PAGER", "cat; echo through the pager")
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("`script` starts; if it is missing: apt-get install bsdutils");
        let input = child.stdin.take().expect("its input");
        let mut output = child.stdout.take().expect("its output");
        let shown = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                kept.lock().expect("not poisoned").push_str(&text);
            }
        });
        Terminal {
            child,
            input,
            shown,
            read: 0,
        }
    }

    fn press(&mut self, keys: &str) {
        self.input.write_all(keys.as_bytes()).expect("it is read");
    }

    /// Whether a text is shown within some seconds; what was waited for before is not looked at again.
    fn shows(&mut self, text: &str, seconds: u64) -> bool {
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            let shown = self.shown.lock().expect("not poisoned").clone();
            if let Some(at) = shown[self.read..].find(text) {
                self.read += at + text.len();
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn waits(&mut self, text: &str) {
        let seen = self.shows(text, 60);
        assert!(
            seen,
            "`{text}` is not in:\n{}",
            self.shown.lock().expect("not poisoned")
        );
    }
}

/// A query that nobody waits for must not go on when a test has failed.
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As an analyst types it. Plain DataFusion keeps a set of its own for each group: 960 MB for these, where 290 are enough.
#[test]
fn accounts_per_address_are_counted_in_little_memory() {
    const MOST_KIB: u64 = 600 << 10;
    let folder = lake();
    let rows = "SELECT concat('10.', x % 600000) AS remote_ip, concat('1111', x % 7) AS account_id FROM range(0, 700000) AS t(x)";
    let query = format!(
        "SELECT remote_ip, count(*) AS n, count(DISTINCT account_id) AS accounts FROM ({rows}) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 2"
    );
    let mut child = Command::new(env!("CARGO_BIN_EXE_guardlake"))
        .args(["--lake", "lake", "--format", "csv", "sql", &query])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().expect("a look").is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|line| line.split_whitespace().next()?.parse().ok());
        most = most.max(peak.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().expect("an end");
    let answer = String::from_utf8_lossy(&output.stdout);
    assert_eq!(answer, "remote_ip,n,accounts\n10.0,2,2\n10.1,2,2\n");
    assert!(0 < most && most < MOST_KIB, "{most} KiB");
}

#[test]
fn the_prompt_is_what_psql_users_expect() {
    let folder = lake();
    let at = folder.path();
    let mut terminal = Terminal::open(at);
    terminal.waits("guardlake> ");
    let steps = [
        ("SELECT count(*) AS all_of_them\r", "...> "),
        ("FROM findings -- no end here;\r", "...> "),
        (";\r", "(1 row, "),
        ("\\x\r", "a column a line"),
        (
            "SELECT 'left' AS first_column, 'right' AS second_column;\r",
            "second_column | right",
        ),
        ("\\x\r", "a row a line"),
        ("\\timing\r", "times are not shown"),
        ("SELECT nope; SELECT 2;\r", "no column \"nope\""),
        ("\\d sou\t\r", "loaded_at"),
        ("\\trend regions limit=1\r", "high_or_critical"),
        ("\\o answer.csv\r", "guardlake> "),
        ("SELECT 7 AS seven;\r", "(1 row)"),
        ("\\o\r", "guardlake> "),
        (
            "SELECT unnest(range(0, 90)) AS many;\r",
            "through the pager",
        ),
    ];
    for (keys, shown) in steps {
        terminal.press(keys);
        terminal.waits(shown);
        if shown != "...> " && shown != "guardlake> " {
            terminal.waits("guardlake> ");
        }
    }
    terminal.press("SELECT count(*) FROM findings a, findings b, findings c, findings d, findings e, findings f WHERE a.severity + b.severity > c.severity * d.severity + e.severity + f.severity;\r");
    // Until the query runs, Ctrl-C is a key that clears the line.
    let given_up = (0..30).any(|_| {
        std::thread::sleep(Duration::from_secs(1));
        terminal.press("\x03");
        terminal.shows("given up", 1)
    });
    assert!(given_up, "Ctrl-C gives up the query");
    terminal.press("SELECT 'still' || ' here';\r");
    terminal.waits("still here");
    terminal.press("\\q\r");
    let ended = terminal.child.wait().expect("it ends");
    assert!(ended.success(), "{ended}");

    assert_eq!(
        std::fs::read_to_string(at.join("answer.csv")).expect("the file"),
        "seven\n7\n"
    );
    let history = at.join("state/guardlake/history");
    let kept = std::fs::read_to_string(&history).expect("the history");
    assert!(
        kept.contains("all_of_them") && kept.contains("\\\\timing"),
        "{kept}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&history)
            .expect("the history")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "the history is the user's");
    }
}
