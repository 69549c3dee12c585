//! The one port there is until `console` exists: metrics for Prometheus, and whether this process is well. It says how things stand and
//! takes no questions.

use std::net::SocketAddr;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use jobs::{Given, Kind, Library, Limits, Session};
use lake::Lake;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::Instant;

use crate::failure::Failure;
use crate::health::Health;
use crate::wire_up;

/// Histograms are drained this often, or they would grow for ever when nobody asks.
const BETWEEN_UPKEEPS: Duration = Duration::from_secs(5);
/// Between counts of accounts, each of which reads a day of findings.
const BETWEEN_COUNTS: Duration = Duration::from_secs(900);
/// Accounts are counted over this many microseconds.
const COUNTED: i64 = 86_400_000_000;
/// Upper ends of the buckets of everything that is measured in seconds: from a fast commit to a day's backlog.
const BUCKETS: [f64; 14] = [
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0, 86_400.0,
];

/// Listens on `address` and answers there for as long as the process lives; returns where that is.
pub(crate) async fn listen(address: &str, health: &Health) -> Result<SocketAddr, Failure> {
    let wrong =
        |e: &dyn std::fmt::Display| Failure::usage(format!("metrics.listen: `{address}`: {e}"));
    let builder = PrometheusBuilder::new();
    let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS);
    let handle = builder.and_then(PrometheusBuilder::install_recorder);
    let handle = handle.map_err(|e| wrong(&e))?;
    metrics::gauge!("guardlake_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let listener = tokio::net::TcpListener::bind(address).await;
    let listener = listener.map_err(|e| wrong(&e))?;
    let bound = listener.local_addr().map_err(|e| wrong(&e))?;
    tokio::spawn(keep_up(handle.clone()));
    let app = answers(health.clone(), move || handle.render());
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "metrics are no longer served");
        }
    });
    tracing::info!(%bound, "metrics and health are served");
    Ok(bound)
}

fn answers(health: Health, metrics: impl Fn() -> String + Clone + Send + Sync + 'static) -> Router {
    let (live, ready, detail) = (health.clone(), health.clone(), health);
    Router::new()
        .route("/metrics", get(async move || metrics()))
        .route(
            "/livez",
            get(async move || told(&live.stuck(Instant::now()))),
        )
        .route("/readyz", get(async move || told(&ready.unready())))
        .route(
            "/healthz",
            get(async move || {
                let detail = detail.detail(Instant::now());
                let well = detail["live"] == true && detail["ready"] == true;
                let kind = [(header::CONTENT_TYPE, "application/json")];
                (status(well), kind, format!("{detail:#}\n"))
            }),
        )
}

fn status(well: bool) -> StatusCode {
    match well {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn told(wrong: &[String]) -> (StatusCode, String) {
    let text = match wrong {
        [] => "ok\n".to_owned(),
        lines => format!("{}\n", lines.join("\n")),
    };
    (status(wrong.is_empty()), text)
}

async fn keep_up(handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(BETWEEN_UPKEEPS).await;
        handle.run_upkeep();
    }
}

/// Counts, now and then, how many accounts had findings during the last day, and how many are known and were silent.
pub(crate) async fn count_accounts(lake: Lake, library: Library) {
    loop {
        match counted(&lake, &library).await {
            Ok((reporting, silent)) => {
                metrics::gauge!("guardlake_accounts_reporting").set(reporting as f64);
                metrics::gauge!("guardlake_accounts_silent").set(silent as f64);
            }
            Err(error) => tracing::warn!(%error, "accounts cannot be counted"),
        }
        tokio::time::sleep(BETWEEN_COUNTS).await;
    }
}

async fn counted(lake: &Lake, library: &Library) -> Result<(i64, i64), String> {
    let scripts = library.scripts(Kind::Trend).map_err(|e| e.to_string())?;
    let script = scripts
        .iter()
        .find(|script| script.source.name == "accounts_reporting");
    let script = script.ok_or("there is no trend accounts_reporting")?;
    let session = Session::open(lake, library, &Limits::default()).await;
    let session = session.map_err(|e| e.to_string())?;
    let now = wire_up::now();
    let time = |micros| alerts::rfc3339(micros);
    let given: Given = [
        ("from".to_owned(), time(now - COUNTED)),
        ("to".to_owned(), time(now)),
    ]
    .into();
    let answer = session
        .run(script, &given)
        .await
        .map_err(|e| e.to_string())?;
    let rows = answer.collect().await.map_err(|e| e.to_string())?;
    let number = |name: &str| {
        let batch = rows.iter().find(|batch| batch.num_rows() > 0)?;
        let column = batch
            .column_by_name(name)?
            .as_primitive_opt::<Int64Type>()?;
        Some(column.value(0))
    };
    number("reporting")
        .zip(number("silent"))
        .ok_or_else(|| "the trend gives other columns".to_owned())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::args::Role;

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn probes_get_200_or_503_and_the_reason() {
        let health = Health::default();
        let app = answers(health.clone(), || "m 1\n".to_owned());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        assert!(ask(at, "/metrics").await.ends_with("m 1\n"));
        assert!(ask(at, "/livez").await.starts_with("HTTP/1.1 200"));
        let unready = ask(at, "/readyz").await;
        assert!(
            unready.starts_with("HTTP/1.1 503") && unready.contains("the lake is not open yet"),
            "{unready}"
        );
        health.opened("./lake");
        assert!(ask(at, "/readyz").await.starts_with("HTTP/1.1 200"));
        health.expect(Role::Notify, Duration::ZERO);
        tokio::time::sleep(Duration::from_millis(5)).await;
        let stuck = ask(at, "/livez").await;
        assert!(
            stuck.starts_with("HTTP/1.1 503") && stuck.contains("notify: "),
            "{stuck}"
        );
        let detail = ask(at, "/healthz").await;
        assert!(
            detail.starts_with("HTTP/1.1 503") && detail.contains("application/json"),
            "{detail}"
        );
    }
}
