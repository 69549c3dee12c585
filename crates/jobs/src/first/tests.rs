//! The first row of each group against a window that numbers all rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::datasource::MemTable;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionContext;
use proptest::prelude::*;

use crate::testing::lines;
use crate::{Library, Limits, Session};

/// Key, another key, order and label of a row. Its number comes after them.
type Row = (Option<u8>, i64, Option<u8>, u8);

/// Texts of which the longest may be too long for memory.
fn text(n: u8, longest: usize) -> String {
    match n % 4 {
        0 => String::new(),
        1 => format!("{n:032x}"),
        2 => format!("{n:012}"),
        _ => format!(
            "a text that is longer than a view holds {n} {}",
            "x".repeat(if n == 11 { longest } else { 0 })
        ),
    }
}

fn batch(rows: &[Row], from: usize, kind: &DataType, longest: usize) -> RecordBatch {
    let texts = |part: fn(&Row) -> Option<u8>| {
        let texts = rows.iter().map(|row| part(row).map(|n| text(n, longest)));
        cast(&StringArray::from_iter(texts), kind).unwrap()
    };
    let number = |number: fn(&Row) -> Option<i64>| -> ArrayRef {
        Arc::new(Int64Array::from_iter(rows.iter().map(number)))
    };
    let columns: [(&str, ArrayRef, bool); 6] = [
        ("k", texts(|row| row.0), true),
        ("j", number(|row| Some(row.1)), false),
        ("t", number(|row| row.2.map(Into::into)), true),
        ("w", texts(|row| row.2), true),
        ("label", texts(|row| Some(row.3)), true),
        (
            "u",
            Arc::new(Int64Array::from_iter_values(
                (from as i64..).take(rows.len()),
            )),
            false,
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// The same table in a session of ours and in DataFusion's.
async fn both(
    rows: &[Row],
    size: usize,
    kind: &DataType,
    longest: usize,
    limits: &Limits,
) -> (Session, SessionContext) {
    let ours = Session::in_memory(Vec::new(), &Library::built_in(), limits)
        .await
        .unwrap();
    let parts: Vec<_> = rows
        .chunks(size)
        .enumerate()
        .map(|(at, rows)| vec![batch(rows, at * size, kind, longest)])
        .collect();
    let table = Arc::new(MemTable::try_new(batch(&[], 0, kind, 0).schema(), parts).unwrap());
    ours.context()
        .register_table("t", Arc::clone(&table) as _)
        .unwrap();
    let plain = SessionContext::new();
    plain.register_table("t", table).unwrap();
    (ours, plain)
}

/// The rows by both; how often ours went to disk.
async fn compared(ours: &Session, plain: &SessionContext, sql: &str) -> (String, usize) {
    let plan = ours
        .context()
        .sql(sql)
        .await
        .unwrap()
        .create_physical_plan()
        .await
        .unwrap();
    let rows = collect(Arc::clone(&plan), ours.context().task_ctx())
        .await
        .unwrap();
    let expected = plain.sql(sql).await.unwrap().collect().await.unwrap();
    assert_eq!(lines(&rows), lines(&expected), "{sql}");
    let first = found(&plan).expect(sql);
    (
        lines(&rows),
        first
            .metrics()
            .and_then(|metrics| metrics.spill_count())
            .unwrap_or_default(),
    )
}

/// The operator in a plan.
fn found(plan: &Arc<dyn ExecutionPlan>) -> Option<&Arc<dyn ExecutionPlan>> {
    match plan.name() {
        "FirstOfEachExec" => Some(plan),
        _ => plan.children().into_iter().find_map(found),
    }
}

fn limits(memory: usize) -> Limits {
    Limits {
        memory,
        partitions: Some(2),
        ..Limits::default()
    }
}

const QUESTIONS: [&str; 8] = [
    "SELECT k, j, label, u FROM (SELECT *, row_number() OVER (PARTITION BY k, j ORDER BY t DESC, u) AS nth FROM t) WHERE nth = 1 ORDER BY u",
    "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY w NULLS FIRST, j, u DESC) AS nth FROM t) WHERE nth < 2 ORDER BY u",
    "SELECT u + nth FROM (SELECT u, row_number() OVER (PARTITION BY upper(k), j % 2 ORDER BY u) AS nth FROM t) WHERE 1 >= nth ORDER BY 1",
    "SELECT count(*) FROM (SELECT row_number() OVER (PARTITION BY k, t ORDER BY u) AS nth FROM t) WHERE nth = 1",
    "SELECT count(*), count(nth) FROM (SELECT row_number() OVER (PARTITION BY label) AS nth FROM t) WHERE nth <= 1",
    "SELECT nth, u FROM (SELECT u, j, k, row_number() OVER (PARTITION BY t ORDER BY u DESC) AS nth FROM t) \
     WHERE j > 1 AND nth = 1 AND k IS NOT NULL ORDER BY u",
    // What is grouped by the key counts on its rows being in one place, also when the order is left out of the rows.
    "SELECT k, count(*) FROM (SELECT k, row_number() OVER (PARTITION BY k ORDER BY t DESC, u) AS nth FROM t) \
     WHERE nth = 1 GROUP BY k ORDER BY k",
    // What is grouped by the same columns must not believe that rows come sorted.
    "SELECT k, j, count(*) FROM (SELECT k, j, row_number() OVER (PARTITION BY k, j, t ORDER BY u) AS nth FROM t) \
     WHERE nth = 1 GROUP BY k, j ORDER BY k, j",
];

fn a_row() -> impl Strategy<Value = Row> {
    (
        prop::option::of(0..12u8),
        0..3i64,
        prop::option::of(0..9u8),
        0..20u8,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_first_of_each_is_what_the_window_numbers_one(
        rows in prop::collection::vec(a_row(), 1..200),
        size in 1..60usize,
        kind in prop::sample::select(vec![DataType::Utf8, DataType::Utf8View, DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))]),
        longest in prop::sample::select(vec![0, 70_000]),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (ours, plain) = both(&rows, size, &kind, longest, &limits(64 << 20)).await;
            for question in QUESTIONS {
                compared(&ours, &plain, question).await;
            }
        });
    }
}

/// Rows of which each is in a group of its own, or better than all before it.
fn many(rows: usize, groups: usize) -> Vec<Row> {
    (0..rows)
        .map(|at| {
            (
                Some((at % 251) as u8),
                (at % groups) as i64,
                Some((at * 250 / rows) as u8),
                (at % 7) as u8,
            )
        })
        .collect()
}

#[tokio::test]
async fn what_does_not_fit_in_memory_goes_to_disk_on_the_way() {
    let rows = many(150_000, 150_000);
    let (ours, plain) = both(&rows, 2_000, &DataType::Utf8View, 0, &limits(20 << 20)).await;
    let newest = "SELECT count(*), sum(u) FROM (SELECT *, row_number() OVER (PARTITION BY j ORDER BY t DESC, u DESC) AS nth FROM t) WHERE nth = 1";
    let (found, spills) = compared(&ours, &plain, newest).await;
    assert!(found.starts_with("150000|"), "{found}");
    assert_eq!(spills, 2, "each partition once");
    let (ours, plain) = both(&rows, 2_000, &DataType::Utf8View, 0, &limits(256 << 20)).await;
    assert_eq!(compared(&ours, &plain, newest).await.1, 0);
}

#[tokio::test]
async fn other_windows_stay_as_they_are() {
    let (ours, plain) = both(&many(100, 5), 10, &DataType::Utf8, 0, &limits(64 << 20)).await;
    for (window, condition) in [
        ("row_number() OVER (PARTITION BY k ORDER BY u)", "nth = 2"),
        ("row_number() OVER (PARTITION BY k ORDER BY u)", "nth <= 2"),
        ("row_number() OVER (PARTITION BY k ORDER BY u)", "nth > 1"),
        (
            "row_number() OVER (PARTITION BY k ORDER BY u)",
            "nth = 1 OR u = 3",
        ),
        ("row_number() OVER (PARTITION BY k ORDER BY u)", "u = 1"),
        ("row_number() OVER (ORDER BY u)", "nth = 1"),
        ("rank() OVER (PARTITION BY k ORDER BY t)", "nth = 1"),
        ("count(*) OVER (PARTITION BY k ORDER BY u)", "nth = 1"),
        (
            "row_number() OVER (PARTITION BY k ORDER BY u) + 1",
            "nth = 1",
        ),
        (
            "row_number() OVER (PARTITION BY k ORDER BY u) AS nth, rank() OVER (PARTITION BY k ORDER BY u)",
            "nth = 1 AND other = 1",
        ),
    ] {
        let window = match window.contains(" AS nth") {
            true => format!("{window} AS other"),
            false => format!("{window} AS nth"),
        };
        let sql = format!("SELECT u FROM (SELECT *, {window} FROM t) WHERE {condition} ORDER BY u");
        let frame = ours.context().sql(&sql).await.unwrap();
        let plan = frame.create_physical_plan().await.unwrap();
        assert!(found(&plan).is_none(), "{sql}");
        let rows = collect(plan, ours.context().task_ctx()).await.unwrap();
        let expected = plain.sql(&sql).await.unwrap().collect().await.unwrap();
        assert_eq!(lines(&rows), lines(&expected), "{sql}");
    }
}

#[tokio::test]
async fn the_last_version_of_each_finding_is_found_without_sorting() {
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    let one = crate::testing::findings(vec![("account_id", text("1")), ("finding_id", text("f"))]);
    let session = crate::testing::over(vec![one]).await;
    for (sql, columns) in [
        (
            "SELECT severity_label, count(*) FROM current_findings GROUP BY 1",
            "columns=[severity_label]",
        ),
        ("SELECT * FROM current_findings", ""),
        (
            "SELECT count(*) FROM current_findings WHERE account_id = '1'",
            "columns=[]",
        ),
    ] {
        let frame = session.context().sql(sql).await.unwrap();
        let plan = frame.create_physical_plan().await.unwrap();
        let shown = datafusion::physical_plan::displayable(plan.as_ref())
            .indent(false)
            .to_string();
        assert!(
            found(&plan).is_some() && shown.contains(columns),
            "{sql}\n{shown}"
        );
        assert!(
            !shown.contains("SortExec") && !shown.contains("Window"),
            "{sql}\n{shown}"
        );
    }
}
