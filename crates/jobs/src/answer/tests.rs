//! Who asks does not wait for work that nothing stops.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};

use crate::{Library, Limits, Remedy, Session};

/// A function that gives way to nobody for half a minute.
async fn session() -> Session {
    let limits = Limits {
        time: Some(Duration::from_millis(300)),
        ..Limits::default()
    };
    let session = Session::in_memory(Vec::new(), &Library::built_in(), &limits)
        .await
        .unwrap();
    let slow = create_udf(
        "slow",
        vec![DataType::Int64],
        DataType::Int64,
        Volatility::Volatile,
        Arc::new(|values: &[ColumnarValue]| {
            std::thread::sleep(Duration::from_secs(30));
            Ok(values[0].clone())
        }),
    );
    session.context().register_udf(slow);
    session
}

/// What cannot be stopped is left alone: who asked hears so in time, and the next answer does not wait for it.
#[tokio::test]
async fn work_that_does_not_give_way_holds_nobody() {
    let session = session().await;
    let began = Instant::now();
    let asked = available_parallelism().unwrap().get() + 1;
    for _ in 0..asked {
        let slow = "SELECT slow(x) FROM range(0, 3) AS t(x)";
        let answer = session.sql(slow, &[].into()).await.unwrap();
        let error = answer.collect().await.unwrap_err();
        assert_eq!(error.kind, Remedy::AskForLess, "{error}");
    }
    // Time for planning on a busy machine; an answer that waits for threads takes half a minute.
    let limits = Limits::default();
    let other = Session::in_memory(Vec::new(), &Library::built_in(), &limits)
        .await
        .unwrap();
    let answer = other.sql("SELECT 1 AS one", &[].into()).await.unwrap();
    assert_eq!(answer.collect().await.unwrap()[0].num_rows(), 1);
    assert!(began.elapsed() < Duration::from_secs(25));
}
