//! `guardlake ingest`: files and objects into the lake, with a progress bar and a ledger at the end.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use ingest::{LoadOptions, Loaded, Progress, find_sources, load};
use lake::{Retention, WriterOptions};
use serde_json::json;

use crate::args::{Format, Ingest};
use crate::failure::{Failure, note};
use crate::settings::Settings;
use crate::{output, wire_up};

pub(crate) async fn run(
    args: Ingest,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    let client = if args.paths.iter().any(|path| path.starts_with("s3://")) {
        Some(wire_up::s3().await)
    } else {
        None
    };
    let sources = find_sources(&args.paths, client.as_ref()).await?;
    let lake = wire_up::lake_to_fill(settings).await?;

    let progress = Arc::new(Progress::default());
    let bar = bar(sources.iter().map(|source| source.bytes).sum());
    let watcher = tokio::spawn(watch(bar.clone(), progress.clone()));
    let options = LoadOptions {
        now: wire_up::now(),
        threads: args.threads,
        writer: writer_options(settings)?,
        backfilled: args.backfill,
    };
    let started = Instant::now();
    let loaded = load(&lake, sources, client, options, progress.clone()).await;
    watcher.abort();
    bar.finish_and_clear();
    let loaded = loaded?;

    report(
        &loaded,
        Progress::get(&progress.bytes),
        started.elapsed(),
        format,
    )?;
    for failure in loaded.failures {
        let failure: Failure = failure.into();
        failure.tell();
    }
    Ok(
        if Progress::get(&progress.sources) as usize == loaded.read + loaded.known {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(4)
        },
    )
}

/// How long findings are kept, from the settings.
pub(crate) fn retention(settings: &Settings) -> Result<Retention, Failure> {
    let text = settings.lake.retention.as_deref().unwrap_or_default();
    Retention::parse(text).map_err(|e| Failure::usage(format!("lake.retention: {e}")))
}

/// How findings are written, from the settings.
pub(crate) fn writer_options(settings: &Settings) -> Result<WriterOptions, Failure> {
    Ok(WriterOptions {
        retention: retention(settings)?,
        ..WriterOptions::default()
    })
}

fn report(loaded: &Loaded, bytes: u64, took: Duration, format: Format) -> Result<(), Failure> {
    let ledger = loaded.ledger;
    let seconds = took.as_secs_f64().max(0.001);
    note(&format!(
        "{} documents, {:.1} MB in {seconds:.1} s ({:.0} a second)",
        ledger.received,
        bytes as f64 / 1e6,
        ledger.received as f64 / seconds
    ));
    let row = json!({
        "sources": loaded.read + loaded.known,
        "known": loaded.known,
        "received": ledger.received,
        "committed": ledger.committed,
        "duplicate": ledger.duplicate,
        "rejected": ledger.rejected,
        "skipped": ledger.skipped,
        "expired": ledger.expired,
        "version": loaded.version,
    });
    let columns = [
        "sources",
        "known",
        "received",
        "committed",
        "duplicate",
        "rejected",
        "skipped",
        "expired",
        "version",
    ];
    output::values(&[row], &columns, format)
}

/// A bar on a terminal; nothing where there is none.
fn bar(bytes: u64) -> ProgressBar {
    let template = "{bar:30} {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {msg}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style)
}

async fn watch(bar: ProgressBar, progress: Arc<Progress>) {
    loop {
        let read = Progress::get(&progress.bytes);
        // Standard input has no known length.
        bar.set_length(bar.length().unwrap_or(0).max(read));
        bar.set_position(read);
        bar.set_message(format!("{} documents", Progress::get(&progress.documents)));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
