//! `guardlake run`: the service. One process that follows a stream, evaluates rules on what it commits, and rings.

use std::process::ExitCode;
use std::time::Duration;

use finding::Limits;
use futures::FutureExt;
use ingest::{Progress, StreamOptions, consume};
use lake::Lake;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{alert, ingest::writer_options, library};
use crate::args::{Role, Run};
use crate::failure::{Failure, note};
use crate::settings::{Settings, micros};
use crate::wire_up;

/// Between evaluations at least: rules are about minutes and hours.
const BETWEEN_EVALUATIONS: Duration = Duration::from_secs(10);
/// Alerts whose last match is older do not ring.
const MAX_AGE: i64 = 86_400_000_000;

pub(crate) async fn run(args: Run, settings: &Settings) -> Result<ExitCode, Failure> {
    let stream = args.stream.or_else(|| settings.stream.name.clone());
    let library = library(settings, args.rules.as_deref())?;
    alert::enabled_rules(&library)?;
    let lake = wire_up::lake_to_fill(settings).await?;
    let stop = stop_on_signals()?;
    let ringing = async {
        if args.roles.contains(&Role::Alerts) {
            ring_for_new_findings(&lake, &library, &stop).await
        } else {
            stop.cancelled().await;
            Ok(())
        }
    };
    let reading = async {
        if args.roles.contains(&Role::Ingest) {
            follow(&lake, stream, settings, &stop).await
        } else {
            stop.cancelled().await;
            Ok(())
        }
    };
    // Whichever ends first, in whatever way, ends the other: half a service would look like a whole one.
    let end_both = |outcome: Result<(), Failure>| {
        stop.cancel();
        outcome
    };
    let (read, rung) = tokio::join!(reading.map(end_both), ringing.map(end_both));
    read.and(rung)?;
    Ok(ExitCode::SUCCESS)
}

async fn follow(
    lake: &Lake,
    stream: Option<String>,
    settings: &Settings,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let name = stream.ok_or_else(|| {
        Failure::usage("which stream? give --stream NAME (or stream.name in guardlake.yaml)")
    })?;
    let client = wire_up::kinesis().await;
    let options = stream_options(name, settings)?;
    let ledger = consume(lake, &client, &options, stop, &Progress::default()).await?;
    note(&format!(
        "received {} = committed {} + duplicate {} + rejected {} + skipped {} + expired {}",
        ledger.received,
        ledger.committed,
        ledger.duplicate,
        ledger.rejected,
        ledger.skipped,
        ledger.expired
    ));
    Ok(())
}

/// How a stream is followed, from the settings.
pub(crate) fn stream_options(name: String, settings: &Settings) -> Result<StreamOptions, Failure> {
    let limits = Limits::default();
    let max_age = settings.ingest.max_age.as_deref().map(micros).transpose();
    let max_age = max_age.map_err(|e| Failure::usage(format!("ingest.max_age: {e}")))?;
    Ok(StreamOptions {
        name,
        limits: Limits {
            max_age_ms: max_age.map_or(limits.max_age_ms, |micros| (micros / 1_000) as u64),
            max_rows: settings.ingest.max_rows.unwrap_or(limits.max_rows),
            max_bytes: settings.ingest.max_bytes.unwrap_or(limits.max_bytes),
        },
        writer: writer_options(settings)?,
        idle_poll: Duration::from_secs(1),
        now: wire_up::now,
    })
}

async fn ring_for_new_findings(
    lake: &Lake,
    library: &jobs::Library,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let mut evaluated = None;
    loop {
        let version = lake.version(lake::Table::Findings).await?;
        if evaluated != Some(version) {
            alert::ring(&alert::evaluate(lake, library, MAX_AGE).await?)?;
            evaluated = Some(version);
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(BETWEEN_EVALUATIONS) => {}
        }
    }
}

/// SIGTERM and Ctrl-C end the work in order: what is held is committed first.
pub(crate) fn stop_on_signals() -> Result<CancellationToken, Failure> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        told.cancel();
    });
    Ok(stop)
}
