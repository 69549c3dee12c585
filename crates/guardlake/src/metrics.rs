//! Metrics for Prometheus: the one port there is until `console` exists. It says how things stand and takes no questions.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::failure::Failure;

/// Histograms are drained this often, or they would grow for ever when nobody asks.
const BETWEEN_UPKEEPS: Duration = Duration::from_secs(5);

/// Listens on `address` and answers `/metrics` there for as long as the process lives.
pub(crate) async fn listen(address: &str) -> Result<(), Failure> {
    let wrong =
        |e: &dyn std::fmt::Display| Failure::usage(format!("metrics.listen: `{address}`: {e}"));
    let handle = PrometheusBuilder::new().install_recorder();
    let handle = handle.map_err(|e| wrong(&e))?;
    let listener = tokio::net::TcpListener::bind(address).await;
    let listener = listener.map_err(|e| wrong(&e))?;
    tokio::spawn(keep_up(handle.clone()));
    let app = Router::new().route("/metrics", get(async move || handle.render()));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "metrics are no longer served");
        }
    });
    Ok(())
}

async fn keep_up(handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(BETWEEN_UPKEEPS).await;
        handle.run_upkeep();
    }
}
