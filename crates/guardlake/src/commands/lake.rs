//! `guardlake lake`: what the lake holds, whether anything is lost or stored twice, and its upkeep.

use std::process::ExitCode;

use ::lake::{CompactOptions, Position, PositionCheck, VacuumOptions};
use serde_json::json;

use crate::args::{Format, Lake};
use crate::failure::{Failure, note};
use crate::settings::{Settings, micros};
use crate::{output, wire_up};

pub(crate) async fn run(
    args: Lake,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    let lake = wire_up::lake(settings).await?;
    match args {
        Lake::Info => info(&lake, format).await,
        Lake::Verify {
            positions: true,
            repair,
        } => positions(&lake, repair, format).await,
        Lake::Verify { .. } => verify(&lake, format).await,
        Lake::Compact { dry_run } => {
            let options = CompactOptions {
                dry_run,
                ..CompactOptions::default()
            };
            compact(&lake, options, format).await
        }
        Lake::Expire { dry_run } => expire(&lake, settings, dry_run, format).await,
        Lake::Vacuum {
            older_than,
            dry_run,
            force,
        } => {
            let older_than =
                micros(&older_than).map_err(|e| Failure::usage(format!("--older-than: {e}")))?;
            let options = VacuumOptions {
                older_than,
                dry_run,
                force,
            };
            vacuum(&lake, options, format).await
        }
    }
}

async fn compact(
    lake: &::lake::Lake,
    options: CompactOptions,
    format: Format,
) -> Result<ExitCode, Failure> {
    let done = lake.compact(options).await?;
    let rows: Vec<_> = done
        .rewrites
        .iter()
        .map(|day| {
            json!({
                "table": day.table.name(),
                "day": day.day,
                "files": day.files,
                "rows": day.rows,
                "bytes_before": day.bytes_before,
                "bytes_after": day.bytes_after,
                "version": day.version,
            })
        })
        .collect();
    let columns = [
        "table",
        "day",
        "files",
        "rows",
        "bytes_before",
        "bytes_after",
        "version",
    ];
    output::values(&rows, &columns, format)?;
    if done.lost_races > 0 {
        note(&format!(
            "another writer came first {} times: those rewrites were thrown away and planned again",
            done.lost_races
        ));
    }
    if rows.is_empty() {
        note("there are no small files to rewrite");
    }
    Ok(ExitCode::SUCCESS)
}

async fn expire(
    lake: &::lake::Lake,
    settings: &Settings,
    dry_run: bool,
    format: Format,
) -> Result<ExitCode, Failure> {
    let retention = super::ingest::retention(settings)?;
    if retention.is_for_ever() {
        return Err(Failure::usage(
            "how long are findings kept? set lake.retention, e.g. `400d, low=90d`",
        ));
    }
    let done = lake.expire(&retention, dry_run).await?;
    let rows: Vec<_> = done
        .iter()
        .map(|day| json!({ "day": day.day, "rows": day.rows, "kept": day.kept, "version": day.version }))
        .collect();
    output::values(&rows, &["day", "rows", "kept", "version"], format)?;
    if rows.is_empty() {
        note("nothing is older than it is kept");
    }
    Ok(ExitCode::SUCCESS)
}

async fn vacuum(
    lake: &::lake::Lake,
    options: VacuumOptions,
    format: Format,
) -> Result<ExitCode, Failure> {
    let done = lake.vacuum(options).await?;
    let rows: Vec<_> = done
        .iter()
        .map(|table| {
            json!({
                "table": table.table.name(),
                "files": table.files.len(),
                "bytes": table.bytes,
                "log_files": table.log_files,
                "dry_run": options.dry_run,
            })
        })
        .collect();
    output::values(
        &rows,
        &["table", "files", "bytes", "log_files", "dry_run"],
        format,
    )?;
    Ok(ExitCode::SUCCESS)
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

async fn positions(lake: &::lake::Lake, repair: bool, format: Format) -> Result<ExitCode, Failure> {
    let mut checks = lake.check_positions().await?;
    if repair {
        let repaired = lake.repair_positions(&checks).await?;
        note(&format!("{repaired} positions were repaired"));
        checks = lake.check_positions().await?;
    }
    let number = |position: &Option<Position>| {
        let position = position.as_ref()?.sequence_number.as_ref()?;
        Some(position.to_string())
    };
    let rows: Vec<_> = checks
        .iter()
        .map(|check| {
            let position = check.position.as_ref();
            json!({
                "ok": check.holds(),
                "source": check.shard.source,
                "shard_id": check.shard.shard_id,
                "rows": check.rows,
                "newest_row": number(&check.newest_row),
                "position": number(&check.position),
                "ended": position.is_some_and(|position| position.ended),
                "read_through": position
                    .and_then(|position| position.read_through)
                    .map(alerts::rfc3339),
            })
        })
        .collect();
    let columns = [
        "ok",
        "shard_id",
        "rows",
        "newest_row",
        "position",
        "ended",
        "read_through",
    ];
    output::values(&rows, &columns, format)?;
    Ok(if checks.iter().all(PositionCheck::holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}
