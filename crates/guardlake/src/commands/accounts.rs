//! `guardlake accounts`: names, organizational units and owners, for alerts, routes and trends.

use std::path::Path;
use std::process::ExitCode;

use ingest::{accounts, organizations};
use serde_json::{Value, json};

use crate::args::{Accounts, Format};
use crate::failure::{Failure, note};
use crate::settings::Settings;
use crate::{output, wire_up};

pub(crate) async fn run(
    args: Accounts,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    match args {
        Accounts::Import { file, part } => import(settings, &file, !part).await,
        Accounts::Sync { tags } => {
            let client = wire_up::organizations().await;
            let read = organizations::accounts(&client, tags).await;
            let wanted = read.map_err(|error| Failure::io(error.to_string()))?;
            let lake = wire_up::lake_to_fill(settings).await?;
            let known = lake.accounts().await?;
            let wanted = match tags {
                true => wanted,
                false => accounts::with_tags_of(&known, wanted),
            };
            keep(&lake, &known, wanted, true).await
        }
        Accounts::List => list(settings, format).await,
    }
}

async fn import(settings: &Settings, file: &Path, all: bool) -> Result<ExitCode, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::usage(format!("cannot read {}: {e}", file.display())))?;
    let is_yaml = file
        .extension()
        .is_some_and(|end| end == "yaml" || end == "yml");
    let read = match is_yaml {
        true => accounts::from_yaml(&text),
        false => accounts::from_csv(&text),
    };
    let wanted = read.map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    let lake = wire_up::lake_to_fill(settings).await?;
    let known = lake.accounts().await?;
    keep(&lake, &known, wanted, all).await
}

/// Adds what changed.
async fn keep(
    lake: &lake::Lake,
    known: &[lake::AccountRow],
    wanted: Vec<lake::AccountRow>,
    all: bool,
) -> Result<ExitCode, Failure> {
    let total = wanted.len();
    let rows = accounts::changes(known, wanted, all, wire_up::now());
    lake.append_accounts(&rows).await?;
    let gone = rows.iter().filter(|row| row.valid_to.is_some()).count();
    note(&format!(
        "{total} accounts read: {} new or changed, {gone} gone",
        rows.len() - gone
    ));
    Ok(ExitCode::SUCCESS)
}

async fn list(settings: &Settings, format: Format) -> Result<ExitCode, Failure> {
    let lake = wire_up::lake(settings).await?;
    let known = lake.accounts().await?;
    let row = |row: &lake::AccountRow| {
        let tags: serde_json::Map<String, Value> = (row.tags.iter())
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        json!({
            "account_id": row.account_id,
            "name": row.name,
            "ou": row.ou,
            "owner": row.owner,
            "email": row.email,
            "tags": tags,
        })
    };
    let present = known.iter().filter(|row| row.valid_to.is_none());
    let rows: Vec<Value> = present.map(row).collect();
    let columns = ["account_id", "name", "ou", "owner", "email", "tags"];
    output::values(&rows, &columns, format)?;
    Ok(ExitCode::SUCCESS)
}
