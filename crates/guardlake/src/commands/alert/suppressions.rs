//! `guardlake alert suppressions`: what is hidden, by whom, why and until when.

use std::process::ExitCode;

use alerts::{Suppression, fold, rfc3339};
use jobs::{Library, rules};
use serde_json::json;

use crate::args::Format;
use crate::failure::{Failure, note};
use crate::settings::Settings;
use crate::{output, wire_up};

pub(super) async fn list(
    settings: &Settings,
    library: &Library,
    suppressions: &[Suppression],
    format: Format,
) -> Result<ExitCode, Failure> {
    let lake = wire_up::lake(settings).await?;
    let now = wire_up::now();
    let alerts = fold(lake.alert_events().await?);
    let rules: Vec<_> = rules::load(library)
        .into_iter()
        .filter_map(|file| file.rule.ok())
        .collect();
    let mut rows = Vec::new();
    for suppression in suppressions {
        let (hidden, findings) = suppression.hidden(&alerts);
        let state = if suppression.is_active(now) {
            "active"
        } else {
            "expired"
        };
        rows.push(json!({
            "id": suppression.id,
            "state": state,
            "expires": rfc3339(suppression.expires),
            "owner": suppression.owner,
            "reason": suppression.reason,
            "scope": suppression.scope(),
            "alerts": hidden,
            "findings": findings,
            "created": suppression.created.map(rfc3339),
            "file": suppression.file,
        }));
        suppression.complaint(&rules).iter().for_each(|c| note(c));
    }
    let columns = [
        "id", "state", "expires", "owner", "reason", "scope", "alerts", "findings",
    ];
    output::values(&rows, &columns, format)?;
    Ok(ExitCode::SUCCESS)
}
