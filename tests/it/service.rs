//! The service as a whole: all roles in one process, files that change under it, trouble that passes, and an end in order.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lake::{Lake, ReportStep};
use serde_json::Value;

use crate::streams::{documents, put, signal, until_rows};
use crate::support::{Kinesis, folder, guardlake, sql, verified};

const RULE: &str = "/*\ntitle: Every finding\nseverity: low\ngroup_by: [account_id]\ncount: findings\nthreshold: THRESHOLD\nwindow: 1d\n*/\nSELECT * FROM observations";
const NOTIFY: &str = "channels:\n  desk:\n    kind: file\n    path: PATH\nroute:\n  channels: [desk]\n  group_wait: 0s\n";
/// Every minute: the first look begins to watch, and the next minute owes the day before.
const REPORT: &str = "title: Minutely\nperiod: day\nschedule: '* * * * *'\nformats: [json]\ndeliver:\n  channels: [desk]\nsections:\n  - question: totals\n";

/// What a process writes, read as it comes.
pub(crate) struct Service {
    pub(crate) child: Child,
    said: std::sync::Arc<std::sync::Mutex<String>>,
}

impl Service {
    fn start(folder: &Path, lake: &str, endpoint: &str, more: &[(&str, &str)]) -> Service {
        let mut command: Command = guardlake();
        command
            .args(["--lake", lake, "run", "--stream", "findings"])
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("GUARDLAKE__INGEST__MAX_AGE", "1s")
            .env("GUARDLAKE__RULES__DIR", folder.join("rules"))
            .env("GUARDLAKE__SQL__DIR", folder.join("sql"))
            .env("GUARDLAKE__NOTIFY__FILE", folder.join("notify.yaml"))
            .envs(more.iter().copied());
        Service::spawn(command)
    }

    pub(crate) fn spawn(mut command: Command) -> Service {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut error = child.stderr.take().expect("standard error");
        let said = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let heard = said.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = error.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                heard.lock().expect("nobody panics").push_str(&text);
            }
        });
        Service { child, said }
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("nobody panics").clone()
    }

    pub(crate) async fn until_said(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !self.said().contains(text) {
            let ended = self.child.try_wait().expect("a look");
            assert!(ended.is_none(), "it ended: {}", self.said());
            assert!(Instant::now() < deadline, "no `{text}` in: {}", self.said());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn files(folder: &Path) {
    for name in ["rules", "sql/reports"] {
        std::fs::create_dir_all(folder.join(name)).expect("a folder");
    }
    let desk = folder.join("desk.jsonl").display().to_string();
    let rule = RULE.replace("THRESHOLD", "1000000");
    std::fs::write(folder.join("rules/every.sql"), rule).expect("a rule");
    std::fs::write(folder.join("notify.yaml"), NOTIFY.replace("PATH", &desk)).expect("a file");
}

fn told(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("desk.jsonl")).unwrap_or_default();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_change_under_a_service_that_ends_in_order() {
    let kinesis = Kinesis::start("findings", 2).await;
    let (folder, lake) = folder();
    let at = folder.path();
    files(at);
    put(&kinesis, "findings", &documents(150, 1)).await;
    let mut service = Service::start(at, &lake, &kinesis.endpoint, &[]);
    until_rows(&lake, 150).await;
    service.until_said("1 rules at findings version").await;
    let count = "SELECT count(*) AS n FROM alerts";
    assert_eq!(sql(&lake, count)[0]["n"], 0);

    // A rule that is wrong is told, and the old one goes on.
    let rule = |text: &str| std::fs::write(at.join("rules/every.sql"), text).expect("a rule");
    rule(
        &RULE
            .replace("THRESHOLD", "1")
            .replace("observations", "nowhere"),
    );
    service.until_said("changed files are not used").await;
    assert!(service.said().contains("nowhere"), "{}", service.said());
    // One that is right takes its place, by a signal at once.
    rule(&RULE.replace("THRESHOLD", "1"));
    signal(&service.child, "-HUP");
    service.until_said("files were read again: 1 rules").await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while sql(&lake, count)[0]["n"] == 0 {
        assert!(Instant::now() < deadline, "{}", service.said());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // The made findings are old: what rings is what comes now, but for the report, which is new.
    std::fs::write(at.join("sql/reports/minutely.yaml"), REPORT).expect("a report");
    service.until_said("report minutely of").await;

    // What was put is committed, evaluated and told, although the end comes at once.
    put(&kinesis, "findings", &documents(400, 7)).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    signal(&service.child, "-TERM");
    let status = service.child.wait().expect("it ends");
    assert!(status.success(), "{status}: {}", service.said());
    let ledger = verified(&lake);
    let rows = sql(&lake, "SELECT count(*) AS n FROM findings")[0]["n"].clone();
    assert_eq!(ledger["committed"], rows);
    let seen = Lake::open(&lake).await.expect("the lake");
    let findings = seen
        .version(lake::Table::Findings)
        .await
        .expect("a version");
    let evaluated = format!("1 rules at findings version {findings}:");
    assert!(
        service.said().contains(&evaluated),
        "{evaluated} {}",
        service.said()
    );
    let (_, made) = seen.reports().await.expect("a log");
    let made: Vec<_> = made
        .iter()
        .filter(|row| row.step == ReportStep::Made)
        .collect();
    let periods: std::collections::BTreeSet<_> = made.iter().map(|row| &row.period).collect();
    assert!(!made.is_empty() && periods.len() == made.len(), "{made:?}");
    let reports = told(at)
        .iter()
        .filter(|line| line.to_string().contains("Minutely"))
        .count();
    assert_eq!(reports, made.len(), "{:?}", told(at));
}

/// The folder of the log cannot be written for a while: the roles break and are begun again, and the process lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_for_a_while_ends_nothing() {
    let kinesis = Kinesis::start("findings", 1).await;
    let (folder, lake) = folder();
    let at = folder.path();
    files(at);
    put(&kinesis, "findings", &documents(50, 1)).await;
    let mut service = Service::start(at, &lake, &kinesis.endpoint, &[]);
    until_rows(&lake, 50).await;
    service.until_said("1 rules at findings version").await;
    // A store that is not there: every look of every role fails.
    let log = Path::new(&lake).join("findings/_delta_log");
    let hidden = Path::new(&lake).join("findings/hidden");
    std::fs::rename(&log, &hidden).expect("it is moved");
    service.until_said("it begins again in").await;
    std::fs::rename(&hidden, &log).expect("it is moved back");
    put(&kinesis, "findings", &documents(80, 2)).await;
    until_rows(&lake, 130).await;
    signal(&service.child, "-TERM");
    let status = service.child.wait().expect("it ends");
    assert!(status.success(), "{status}: {}", service.said());
    assert_eq!(verified(&lake)["committed"], 130);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_from_the_start_ends_the_process_and_says_why() {
    let kinesis = Kinesis::start("findings", 1).await;
    let (folder, lake) = folder();
    let at = folder.path();
    files(at);
    let broken = |name: &str, text: &str, code: i32, says: &str| {
        let before = std::fs::read_to_string(at.join(name)).ok();
        std::fs::write(at.join(name), text).expect("a file");
        let mut service = Service::start(at, &lake, &kinesis.endpoint, &[]);
        let status = service.child.wait().expect("it ends");
        std::thread::sleep(Duration::from_millis(200));
        let said = service.said();
        assert!(
            status.code() == Some(code) && said.contains(says),
            "{name}: {status} {said}"
        );
        match before {
            Some(text) => std::fs::write(at.join(name), text).expect("a file"),
            None => std::fs::remove_file(at.join(name)).expect("a file"),
        }
    };
    tokio::task::block_in_place(|| {
        broken("rules/every.sql", "SELECT 1", 2, "every.sql");
        broken("notify.yaml", "channels: 1", 3, "notify.yaml");
        broken(
            "sql/reports/mine.yaml",
            "title: x\nperiod: era\n",
            2,
            "mine.yaml",
        );
        let tells = "title: x\nperiod: day\nformats: [csv]\ndeliver:\n  channels: [attic]\nsections:\n  - question: totals\n";
        broken("sql/reports/mine.yaml", tells, 2, "no channel `attic`");
        let asks =
            "title: x\nperiod: day\nformats: [csv]\nsections:\n  - question: nothing_like_it\n";
        broken(
            "sql/reports/mine.yaml",
            asks,
            2,
            "there is no question `nothing_like_it`",
        );
    });
}
