//! What the demo shows when the findings are in: the ledger, trends as tables, alerts, what to try next.

use std::collections::BTreeMap;

use alerts::Alert;
use jobs::{Given, Kind, Library, Limits, Script, Session};
use lake::Lake;

use crate::args::Format;
use crate::commands::alert;
use crate::failure::{Failure, note};
use crate::output;

/// Trends shown.
const TRENDS: [&str; 4] = [
    "findings_per_account_day",
    "findings_per_type_day",
    "severity_mix_per_account",
    "top_remote_ips",
];
/// Rows shown of each.
const ROWS: usize = 8;

/// Shows it all.
pub(super) async fn all(lake: &Lake, library: &Library, max_age: i64) -> Result<(), Failure> {
    ledger(lake).await?;
    let session = Session::open(lake, library, &Limits::default()).await?;
    for name in TRENDS {
        let script = library
            .script(Kind::Trend, name)
            .map_err(|e| Failure::query(e.to_string()))?;
        if let Some(script) = script {
            note(&format!(
                "\n{} (guardlake trend {name})",
                script.header.title
            ));
            first_rows(&session, &script).await?;
        }
    }
    note("\nThe doorbell");
    let rung = alert::evaluate(
        &mut jobs::Evaluator::new(lake.clone(), max_age),
        lake,
        library,
        &[],
        true,
    )
    .await?;
    let shown = first_of_each_rule(&rung);
    alert::ring(&shown)?;
    if shown.len() < rung.len() {
        note(&format!(
            "... and {} more: guardlake alert list",
            rung.len() - shown.len()
        ));
    }
    Ok(())
}

async fn first_rows(session: &Session, script: &Script) -> Result<(), Failure> {
    let wrong = |error: jobs::QueryError| {
        Failure::query(error.render(&script.source.file, &script.source.text))
    };
    // Of what is counted by day, the newest day.
    let by_day = script.source.name.ends_with("_day");
    let newest = by_day.then(|| ("from".to_owned(), "end - 1d".to_owned()));
    let given: Given = newest.into_iter().collect();
    let answer = session.run(script, &given).await.map_err(wrong)?;
    let schema = answer.schema();
    let mut batches = answer.collect().await.map_err(wrong)?;
    let (mut left, mut more) = (ROWS, 0);
    for batch in &mut batches {
        let shown = left.min(batch.num_rows());
        more += batch.num_rows() - shown;
        left -= shown;
        *batch = batch.slice(0, shown);
    }
    output::rows(&schema, &batches, Format::Table)?;
    if more > 0 {
        note(&format!("... and {more} more rows"));
    }
    Ok(())
}

/// A few of each rule: the demo is to be read.
fn first_of_each_rule(alerts: &[Alert]) -> Vec<Alert> {
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    let mut few = Vec::new();
    for alert in alerts {
        let count = shown.entry(&alert.rule).or_default();
        *count += 1;
        if *count <= 2 {
            few.push(alert.clone());
        }
    }
    few
}

async fn ledger(lake: &Lake) -> Result<(), Failure> {
    let found = lake.verify().await?;
    let ledger = found.ledger;
    note("\nWhat came in");
    let row = serde_json::json!({
        "received": ledger.received,
        "committed": ledger.committed,
        "duplicate": ledger.duplicate,
        "rejected": ledger.rejected,
        "skipped": ledger.skipped,
        "expired": ledger.expired,
        "rows": found.rows,
        "days": found.days,
        "files": found.files,
        "verified": found.problems.is_empty(),
    });
    let columns = [
        "received",
        "committed",
        "duplicate",
        "rejected",
        "skipped",
        "expired",
        "rows",
        "days",
        "files",
        "verified",
    ];
    output::values(&[row], &columns, Format::Table)?;
    match found.problems.first() {
        Some(problem) => Err(Failure::io(format!("the lake does not add up: {problem}"))),
        None => Ok(()),
    }
}

/// Three queries to try on the lake that the demo leaves behind.
pub(super) fn next_steps(uri: &str) {
    note(&format!(
        r#"
The lake stays in {uri}: a plain Delta Lake, readable by any Delta reader. Try:
  guardlake --lake {uri} alert list
  guardlake --lake {uri} sql "SELECT remote_ip, count(*) AS versions FROM observations WHERE ip_in_cidr(remote_ip, '203.0.113.0/24') GROUP BY remote_ip ORDER BY versions DESC LIMIT 5"
  guardlake --lake {uri} sql "SELECT account_name, type, title FROM current_findings WHERE severity_label = 'Critical'"
  guardlake --lake {uri} trend week_over_week_type"#
    ));
}
