//! A lake that an older version made: its alert log lacks the columns that have come since.

use std::path::{Path, PathBuf};
use std::process::Command;

use alerts::{Action, Event, State};
use jobs::operate;
use lake::{Lake, Table};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::ground::{
    DAY, MINUTE, NOW, alerts, burst, check_log, evaluate, log, rule, session, store,
};
use crate::support::{finish, folder, python};

/// Those of the first version.
const COLUMNS: usize = 30;

/// Rewrites the alert log of a lake as the first version would have written it: a table of thirty columns, one commit of rows.
fn age(table: &Path) {
    let log = |version: usize| table.join(format!("_delta_log/{version:020}.json"));
    let lines = |path: PathBuf| -> Vec<Value> {
        let text = std::fs::read_to_string(path).expect("a commit");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    };
    let write = |path: PathBuf, lines: &[Value]| {
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        std::fs::write(path, lines.join("\n")).expect("a commit");
    };
    let mut made = lines(log(0));
    for line in &mut made {
        if let Some(metadata) = line.get_mut("metaData") {
            let schema = metadata["schemaString"].as_str().expect("a schema");
            let mut schema: Value = serde_json::from_str(schema).expect("JSON");
            schema["fields"]
                .as_array_mut()
                .expect("fields")
                .truncate(COLUMNS);
            metadata["schemaString"] = schema.to_string().into();
        }
    }
    write(log(0), &made);
    let mut written = lines(log(1));
    for line in &mut written {
        let Some(add) = line.get_mut("add") else {
            continue;
        };
        let path = table.join(add["path"].as_str().expect("a path"));
        let file = std::fs::File::open(&path).expect("a data file");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        let batches: Vec<_> = reader
            .build()
            .expect("rows")
            .map(|b| b.expect("rows"))
            .collect();
        let old: Vec<usize> = (0..COLUMNS).collect();
        let batches: Vec<_> = batches
            .iter()
            .map(|b| b.project(&old).expect("columns"))
            .collect();
        let file = std::fs::File::create(&path).expect("a data file");
        let mut writer = ArrowWriter::try_new(file, batches[0].schema(), None).expect("Parquet");
        batches
            .iter()
            .for_each(|batch| writer.write(batch).expect("rows"));
        writer.close().expect("Parquet");
        add["size"] = json!(std::fs::metadata(&path).expect("a file").len());
        add.as_object_mut().expect("an object").remove("stats");
    }
    write(log(1), &written);
    assert!(!log(2).exists(), "the log had one commit");
}

fn commits(table: &Path) -> usize {
    let names = std::fs::read_dir(table.join("_delta_log"))
        .expect("a log")
        .flatten();
    names
        .filter(|name| name.path().extension().is_some_and(|end| end == "json"))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_the_first_version_is_read_written_and_read_by_others() {
    let (_folder, uri) = folder();
    let rules = [rule("burst", 3, "")];
    {
        let lake = Lake::open_or_create(&uri).await.expect("a lake");
        store(&lake, &burst(0, 3, NOW - MINUTE, 1)).await;
        store(&lake, &burst(10, 3, NOW - 3 * DAY, 2)).await;
        assert_eq!(evaluate(&lake, &rules, NOW).await.events.len(), 2);
    }
    let table = Path::new(&uri).join("alert_log");
    age(&table);

    // Several open it at once; one commit brings the columns.
    let opened = (0..4).map(|_| Lake::open(&uri));
    let lakes = futures::future::join_all(opened).await;
    let lake = lakes
        .into_iter()
        .map(|lake| lake.expect("it opens"))
        .next()
        .expect("one");
    assert_eq!(commits(&table), 3);
    Lake::open(&uri).await.expect("it opens");
    assert_eq!(commits(&table), 3, "nothing is added twice");

    // What was logged then is understood: the one that was no history rang.
    let old = log(&lake).await;
    let told: Vec<_> = old
        .iter()
        .map(|event| (event.historic, event.rings, event.told.is_some()))
        .collect();
    assert!(
        told.contains(&(true, false, false)) && told.contains(&(false, true, true)),
        "{told:?}"
    );
    assert!(
        old.iter()
            .all(|event| event.until.is_none() && event.suppressed_by.is_none())
    );
    assert_eq!(evaluate(&lake, &rules, NOW).await.events, []);

    let id = alerts(&lake).await.remove(1).alert_id;
    let until = NOW + DAY;
    operate(&lake, &[id], Action::Snooze { until }, "ada", "", NOW)
        .await
        .expect("it is logged");
    let events = log(&lake).await;
    check_log(&events);
    assert_eq!(
        (events[2].event, events[2].until),
        (Event::Snoozed, Some(until))
    );
    assert_eq!(alerts(&lake).await[1].state_at(NOW), State::Snoozed);

    // DataFusion, and a reader that is not ours.
    let rows = session(&lake)
        .await
        .sql(
            "SELECT count(*), count(rings), count(until) FROM alert_log",
            &jobs::Given::new(),
        )
        .await
        .expect("an answer")
        .collect()
        .await
        .expect("rows");
    let shown = arrow::util::pretty::pretty_format_batches(&rows)
        .expect("text")
        .to_string();
    assert!(shown.contains("| 3        | 1"), "{shown}");
    let script = format!(
        r#"
import json
from deltalake import DeltaTable, QueryBuilder
table = DeltaTable({:?})
query = "select event, rings, until is null as endless from t order by event, historic"
rows = QueryBuilder().register("t", table).execute(query).read_all()
columns = [rows.column(i).to_pylist() for i in range(3)]
print(json.dumps([list(row) for row in zip(*columns)]))
"#,
        lake.table_url(Table::AlertLog)
    );
    let output = finish(Command::new(python()).args(["-c", &script]), 0);
    let read: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let expected = json!([
        ["opened", null, true],
        ["opened", null, true],
        ["snoozed", false, false]
    ]);
    assert_eq!(read, expected);
}
