//! `guardlake lake`: what the lake holds, and whether anything is lost or stored twice.

use std::process::ExitCode;

use serde_json::json;

use crate::args::{Format, Lake};
use crate::failure::{Failure, note};
use crate::settings::Settings;
use crate::{output, wire_up};

pub(crate) async fn run(
    args: Lake,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    let lake = wire_up::lake(settings).await?;
    match args {
        Lake::Info => info(&lake, format).await,
        Lake::Verify => verify(&lake, format).await,
    }
}

async fn info(lake: &::lake::Lake, format: Format) -> Result<ExitCode, Failure> {
    let tables = lake.info().await?;
    let rows: Vec<_> = tables
        .iter()
        .map(|info| {
            json!({
                "table": info.table.name(),
                "version": info.version,
                "rows": info.rows,
                "files": info.files,
                "bytes": info.bytes,
                "url": lake.table_url(info.table),
            })
        })
        .collect();
    output::values(
        &rows,
        &["table", "version", "rows", "files", "bytes", "url"],
        format,
    )?;
    for info in lake.positions().await? {
        let number = info
            .position
            .sequence_number
            .map_or_else(|| "nothing".to_owned(), |number| number.to_string());
        let end = if info.position.ended {
            ", read to its end"
        } else {
            ""
        };
        note(&format!(
            "{} of {}: stored through {number}{end}",
            info.shard.shard_id, info.shard.source
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn verify(lake: &::lake::Lake, format: Format) -> Result<ExitCode, Failure> {
    let found = lake.verify().await?;
    let ledger = found.ledger;
    let row = json!({
        "ok": found.problems.is_empty(),
        "files": found.files,
        "days": found.days,
        "rows": found.rows,
        "commits": found.commits,
        "received": ledger.received,
        "committed": ledger.committed,
        "duplicate": ledger.duplicate,
        "rejected": ledger.rejected,
        "skipped": ledger.skipped,
        "expired": ledger.expired,
        "complete_log": found.complete_log,
        "problems": found.problems,
    });
    let columns = [
        "ok",
        "files",
        "days",
        "rows",
        "commits",
        "received",
        "committed",
        "duplicate",
        "rejected",
        "skipped",
        "expired",
        "problems",
    ];
    output::values(&[row], &columns, format)?;
    for problem in &found.problems {
        note(&format!("problem: {}", alerts::clean(problem, 400)));
    }
    Ok(if found.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}
