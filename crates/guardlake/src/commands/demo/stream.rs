//! A Kinesis stand-in in this process, and a client that speaks to it over its socket.

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesis::types::StreamStatus;
use ferrokinesis::store::StoreOptions;

use crate::failure::Failure;

/// A stream that is ready.
pub(super) struct Stream {
    pub(super) client: Client,
    pub(super) endpoint: String,
}

/// Starts the stand-in on a free port of 127.0.0.1 and makes a stream.
pub(super) async fn start(name: &str, shards: i32) -> Result<Stream, Failure> {
    let cannot =
        |doing: &str, e: &dyn std::fmt::Display| Failure::io(format!("cannot {doing}: {e}"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(|e| cannot("listen on 127.0.0.1", &e))?;
    let endpoint = format!(
        "http://{}",
        listener
            .local_addr()
            .map_err(|e| cannot("listen on 127.0.0.1", &e))?
    );
    let (app, _store) = ferrokinesis::create_app(StoreOptions {
        create_stream_ms: 50,
        ..StoreOptions::default()
    });
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "the stand-in stopped");
        }
    });
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("demo", "demo", None, None, "demo"))
        .endpoint_url(&endpoint)
        .build();
    let client = Client::from_conf(config);
    client
        .create_stream()
        .stream_name(name)
        .shard_count(shards)
        .send()
        .await
        .map_err(|e| cannot("make the stream", &e.into_service_error()))?;
    loop {
        let described = client
            .describe_stream_summary()
            .stream_name(name)
            .send()
            .await;
        let described =
            described.map_err(|e| cannot("describe the stream", &e.into_service_error()))?;
        let status = described
            .stream_description_summary()
            .map(|summary| summary.stream_status().clone());
        if status == Some(StreamStatus::Active) {
            return Ok(Stream { client, endpoint });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
