//! Every `.slt` file of `tests/sql` is a test over the small lake in `tests/sql/fixture`.
//!
//! Beside SQL a query may be `trend NAME key=value ..` or `investigation NAME key=value ..`. `UPDATE_SLT=1` rewrites the files with
//! what comes out; read the diff.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use arrow::array::RecordBatch;
use arrow::json::ReaderBuilder;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use jobs::{Answer, Given, Kind, Library, Limits, QueryError, Session};
use lake::Table;
use serde_json::{Map, Value};
use sqllogictest::{
    DB, DBOutput, DefaultColumnType, Runner, default_column_validator, default_validator,
};
use tokio::runtime::Runtime;

/// The fixture as a session. Rows name only the columns that matter; the others get what a plain EventBridge row has.
pub(crate) async fn fixture() -> Session {
    let tables =
        [Table::Findings, Table::Accounts, Table::AlertLog].map(|table| (table, rows(table)));
    let limits = Limits {
        partitions: Some(2),
        ..Limits::default()
    };
    Session::in_memory(tables.into(), &Library::built_in(), &limits)
        .await
        .expect("the fixture opens")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sql")
}

fn rows(table: Table) -> Vec<RecordBatch> {
    let file = folder()
        .join("fixture")
        .join(format!("{}.ndjson", table.name()));
    let Ok(text) = std::fs::read_to_string(&file) else {
        return Vec::new();
    };
    let mut decoder = ReaderBuilder::new(table.schema())
        .build_decoder()
        .expect("a table's schema is readable");
    for (item, line) in text.lines().enumerate() {
        let mut row: Map<String, Value> = serde_json::from_str(line).expect("the fixture is JSON");
        if table == Table::Findings {
            fill(&mut row, item);
        }
        decoder
            .serialize(&[row])
            .expect("the fixture's values fit their columns");
    }
    decoder
        .flush()
        .expect("the fixture has all columns that must not be null")
        .into_iter()
        .collect()
}

fn fill(row: &mut Map<String, Value>, item: usize) {
    for (column, value) in [
        ("sample", Value::from(false)),
        ("backfilled", Value::from(false)),
        ("raw", Value::from("{}")),
        ("wire_shape", Value::from("eventbridge")),
        ("source", Value::from("file:///fixture")),
        ("item", Value::from(item)),
        ("ingested_at", Value::from("2026-03-31T00:00:00Z")),
    ] {
        row.entry(column).or_insert(value);
    }
    let event_time = row
        .get("event_time")
        .and_then(Value::as_str)
        .unwrap_or("1970-01-01")
        .to_owned();
    row.entry("event_date")
        .or_insert(Value::from(&event_time[..10]));
    let severity = row.get("severity").and_then(Value::as_f64);
    let label = severity
        .and_then(finding::Label::of)
        .map(finding::Label::as_str);
    row.entry("severity_label").or_insert(Value::from(label));
    let first_ip = row.get("remote_ips").and_then(|ips| ips.get(0)).cloned();
    row.entry("remote_ip")
        .or_insert(first_ip.unwrap_or(Value::Null));
}

struct Db {
    runtime: Arc<Runtime>,
    session: Arc<Session>,
}

impl DB for Db {
    type Error = QueryError;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, text: &str) -> Result<DBOutput<DefaultColumnType>, QueryError> {
        let batches = self
            .runtime
            .block_on(async { self.ask(text).await?.collect().await })?;
        let columns = batches.first().map_or(0, RecordBatch::num_columns);
        Ok(DBOutput::Rows {
            types: vec![DefaultColumnType::Any; columns],
            rows: cells(&batches),
        })
    }
}

impl Db {
    async fn ask(&self, text: &str) -> Result<Answer, QueryError> {
        let mut words = text.split_whitespace();
        let kind = match words.next() {
            Some("trend") => Kind::Trend,
            Some("investigation") => Kind::Investigation,
            _ => return self.session.sql(text, &Given::new()).await,
        };
        let name = words.next().expect("a script's name");
        let script = self
            .session
            .library()
            .script(kind, name)
            .expect("its header is right")
            .expect("it exists");
        let given = words.map(|word| word.split_once('=').expect("key=value"));
        self.session
            .run(
                &script,
                &given
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .collect(),
            )
            .await
    }
}

fn cells(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let options = FormatOptions::new()
        .with_null("NULL")
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%SZ"));
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| {
                ArrayFormatter::try_new(column, &options).expect("every type can be shown")
            })
            .collect();
        for row in 0..batch.num_rows() {
            let cell = |text: String| {
                if text.is_empty() {
                    "(empty)".to_owned()
                } else {
                    text.replace(' ', "_")
                }
            };
            rows.push(
                columns
                    .iter()
                    .map(|column| cell(column.value(row).to_string()))
                    .collect(),
            );
        }
    }
    rows
}

#[test]
fn sql_logic_files() {
    let runtime = Arc::new(Runtime::new().expect("a runtime starts"));
    let session = Arc::new(runtime.block_on(fixture()));
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("tests/sql")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "slt"));
    files.sort();
    assert!(!files.is_empty());
    let mut failures = Vec::new();
    for file in files {
        let mut runner = Runner::new(|| {
            let db = Db {
                runtime: Arc::clone(&runtime),
                session: Arc::clone(&session),
            };
            async move { Ok(db) }
        });
        if std::env::var_os("UPDATE_SLT").is_some() {
            let update = runner.update_test_file(
                &file,
                " ",
                default_validator,
                sqllogictest::default_normalizer,
                default_column_validator,
            );
            drive(update).expect("the file can be rewritten");
        } else if let Err(error) = runner.run_file(&file) {
            failures.push(error.display(false).to_string());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Runs a future that never waits: the database blocks. A tokio runtime could not hold another that blocks.
fn drive<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// Every script of the library has a test that names it.
#[test]
fn sql_scripts_are_tested() {
    let texts: String = std::fs::read_dir(folder())
        .expect("tests/sql")
        .map(|entry| entry.expect("an entry").path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "slt"))
        .map(|file| std::fs::read_to_string(file).expect("it can be read"))
        .collect();
    let library = Library::built_in();
    for kind in [Kind::View, Kind::Trend, Kind::Investigation] {
        for script in library.scripts(kind).expect("headers are right") {
            assert!(
                !script.header.title.is_empty() && !script.header.returns.is_empty(),
                "{}",
                script.source.file
            );
            assert!(
                texts.contains(&script.source.name),
                "{} has no test",
                script.source.file
            );
        }
    }
}
