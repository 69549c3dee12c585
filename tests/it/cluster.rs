//! Questions on a cluster: a scheduler and three executors as processes on this machine, asked everything that the program can be asked.
//! Every answer is that of this process alone, whatever is killed meanwhile.

mod faults;
mod machines;
mod questions;

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use cluster::Cluster;
use jobs::{Answer, Given, Kind, Library, Limits, QueryError, Session};
use lake::Lake;
use sample::{Burst, BurstKind, Generator, Options};
use tempfile::TempDir;

use crate::support::{Chance, folder, run};
use machines::Machines;

/// A lake of two weeks in several files, with names of accounts and rung alerts.
fn made(findings: u64) -> (TempDir, String) {
    let end = Options::default().end;
    let bursts = vec![
        Burst {
            kind: BurstKind::OneRemoteIp {
                ip: "203.0.113.9".parse().expect("an address"),
                account: 1,
            },
            findings: 14,
            start: end - 3 * 86_400_000_000,
            within: 480_000_000,
        },
        Burst {
            kind: BurstKind::Severe,
            findings: 6,
            start: end - 86_400_000_000,
            within: 600_000_000,
        },
    ];
    let options = Options {
        findings,
        accounts: 15,
        seed: 23,
        bursts,
        days: 14,
        ..Options::default()
    };
    let generator = Generator::new(options);
    let accounts = generator.accounts().iter().enumerate();
    let names: String = accounts
        .map(|(number, account)| {
            format!("{},team {number},/prod/unit-{}\n", account.id, number % 4)
        })
        .collect();
    let mut documents: Vec<_> = generator.collect();
    Chance(3).shuffle(&mut documents);
    let (folder, lake) = folder();
    for (index, part) in documents.chunks(documents.len() / 3 + 1).enumerate() {
        let path = folder.path().join(format!("{index}.jsonl"));
        let lines: Vec<u8> = part
            .iter()
            .flat_map(|document| [document.bytes.as_slice(), b"\n"].concat())
            .collect();
        std::fs::write(&path, lines).expect("a file");
        run(&lake, &["ingest", &path.display().to_string()], 0);
    }
    let path = folder.path().join("accounts.csv");
    std::fs::write(&path, format!("account_id,name,ou\n{names}")).expect("a file");
    run(
        &lake,
        &["accounts", "import", &path.display().to_string()],
        0,
    );
    run(&lake, &["alert", "run", "--once"], 0);
    (folder, lake)
}

/// The same lake, asked here and on a cluster.
struct Two {
    here: Session,
    there: Session,
}

impl Two {
    async fn open(lake: &str, machines: &Machines) -> Two {
        let library = Library::built_in();
        let limits = Limits {
            partitions: Some(6),
            ..Limits::default()
        };
        let lake = Lake::open(lake).await.expect("the lake opens");
        let cluster = Cluster::parse(&machines.address()).expect("an address");
        let here = Session::open(&lake, &library, &limits).await;
        let there = cluster.session(&lake, &library, &limits).await;
        Two {
            here: here.expect("a session"),
            there: there.expect("a session on the cluster"),
        }
    }

    /// Asks the question of a script at both.
    async fn run(&self, kind: Kind, name: &str, given: &Given) -> (Vec<String>, Vec<String>) {
        let script = Library::built_in().script(kind, name);
        let script = script.expect("it is readable").expect("it is there");
        let here = lines(self.here.run(&script, given).await).await;
        let there = lines(self.there.run(&script, given).await).await;
        (here.expect("an answer"), told(there))
    }

    /// Asks a query at both.
    async fn sql(&self, sql: &str) -> (Vec<String>, Vec<String>) {
        let here = lines(self.here.sql(sql, &Given::new()).await).await;
        let there = lines(self.there.sql(sql, &Given::new()).await).await;
        (here.unwrap_or_else(|e| panic!("{sql}: {e:?}")), told(there))
    }
}

/// An error is no answer, and differs from all.
fn told(answer: Result<Vec<String>, QueryError>) -> Vec<String> {
    answer.unwrap_or_else(|error| vec![format!("{error:?}")])
}

/// The rows as text, with the names of their columns in the first line.
async fn lines(answer: Result<Answer, QueryError>) -> Result<Vec<String>, QueryError> {
    let answer = answer?;
    let names: Vec<_> = answer
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    let mut lines = vec![names.join("|")];
    for batch in answer.collect().await? {
        lines.extend(text(&batch));
    }
    Ok(lines)
}

fn text(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("null");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).expect("it can be shown"))
        .collect();
    let line = |row| {
        let cells = columns.iter().map(|column| column.value(row).to_string());
        cells.collect::<Vec<_>>().join("|")
    };
    (0..batch.num_rows()).map(line).collect()
}

/// Waits until something holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "not yet: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
