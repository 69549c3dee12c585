//! `count(DISTINCT text)` against the same count by other means, and in little memory.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::datasource::MemTable;
use proptest::prelude::*;

use crate::testing::lines;
use crate::{Library, Limits, Session};

/// Rows of group, text and a number to filter by, as they may come: in several batches and parts.
type Rows = Vec<(u8, Option<u8>, i64)>;

async fn session(rows: &Rows, kind: &DataType, limits: &Limits, in_order: bool) -> Session {
    let session = Session::in_memory(Vec::new(), &Library::built_in(), limits)
        .await
        .unwrap();
    // Long and short texts are held differently by views.
    let text = |n: u8| match n % 2 {
        0 => format!("{n}"),
        _ => format!("a text that is longer than a view {n}"),
    };
    let batch = |rows: &[(u8, Option<u8>, i64)]| {
        let texts: ArrayRef = Arc::new(StringArray::from_iter(rows.iter().map(|r| r.1.map(text))));
        let groups = StringArray::from_iter_values(rows.iter().map(|r| format!("{:03}", r.0)));
        let numbers = Int64Array::from_iter_values(rows.iter().map(|r| r.2));
        let columns: [(&str, ArrayRef, bool); 3] = [
            ("k", Arc::new(groups), false),
            ("v", cast(&texts, kind).unwrap(), true),
            ("n", Arc::new(numbers), false),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    };
    let schema = batch(&[]).schema();
    let parts: Vec<_> = match in_order {
        true => vec![vec![batch(rows)]],
        false => rows.chunks(7).map(|rows| vec![batch(rows)]).collect(),
    };
    let parts = if parts.is_empty() {
        vec![vec![]]
    } else {
        parts
    };
    let table = MemTable::try_new(schema, parts).unwrap();
    session
        .context()
        .register_table("t", Arc::new(table))
        .unwrap();
    session
}

async fn ask(session: &Session, sql: &str) -> String {
    let answer = session.sql(sql, &[].into()).await.unwrap();
    lines(&answer.collect().await.unwrap())
}

fn kinds() -> [DataType; 4] {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        dictionary,
    ]
}

/// The same by other means: each pair once, then counted.
const TWICE: &str = "SELECT k, count(v) AS d, count(CASE WHEN m > 0 THEN v END) AS few, sum(c) AS c \
    FROM (SELECT k, v, max(n) AS m, count(*) AS c FROM t GROUP BY k, v) GROUP BY k ORDER BY k";
const ONCE: &str = "SELECT k, count(DISTINCT v) AS d, count(DISTINCT v) FILTER (WHERE n > 0) AS few, count(*) AS c \
    FROM t GROUP BY k ORDER BY k";
/// Groups that come in order are emitted one after the other.
const IN_ORDER: &str = "SELECT k, count(DISTINCT v) AS d, count(DISTINCT v) FILTER (WHERE n > 0) AS few, count(*) AS c \
    FROM (SELECT * FROM t ORDER BY k) GROUP BY k ORDER BY k";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn each_text_counts_once_in_its_group(
        rows in prop::collection::vec((0..40_u8, prop::option::of(0..30_u8), -2..3_i64), 0..400),
        kind in 0..4_usize,
        batch_size in prop::sample::select(vec!["2", "16", "8192"]),
        skips in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let limits = Limits { partitions: Some(3), ..Limits::default() };
            for in_order in [false, true] {
                let session = session(&rows, &kinds()[kind], &limits, in_order).await;
                let state = session.context().state_ref();
                let set = |key: &str, value: &str| {
                    let key = format!("datafusion.execution.{key}");
                    let mut state = state.write();
                    state.config_mut().options_mut().set(&key, value).unwrap();
                };
                set("batch_size", batch_size);
                if skips {
                    // Rows go on to the second step as they are.
                    set("skip_partial_aggregation_probe_rows_threshold", "1");
                    set("skip_partial_aggregation_probe_ratio_threshold", "0.0");
                }
                let expected = ask(&session, TWICE).await;
                assert_eq!(ask(&session, ONCE).await, expected);
                assert_eq!(ask(&session, IN_ORDER).await, expected);
            }
        });
    }
}

/// What does not fit is put on disk and merged from there.
#[tokio::test]
async fn what_does_not_fit_is_counted_all_the_same() {
    let limits = Limits {
        memory: 24 << 20,
        partitions: Some(2),
        ..Limits::default()
    };
    let session = Session::in_memory(Vec::new(), &Library::built_in(), &limits)
        .await
        .unwrap();
    let sql = "SELECT count(*) AS groups, sum(d) AS d FROM (SELECT k, count(DISTINCT v) AS d FROM \
        (SELECT concat('a long key ', x % 200000) AS k, concat('text ', x % 11) AS v FROM range(0, 600000) AS t(x)) GROUP BY k)";
    assert_eq!(ask(&session, sql).await, "200000|600000");
}
