//! Reports that are made by themselves. All that must be remembered is the log of reports: any number of processes may watch the clock,
//! and each period is logged as made once.

use lake::{AlertCommit, Lake, ReportRow, ReportStep};
use reports::{Period, Report};

use super::make::{self, Asked, lay_out, make, put};
use crate::failure::Failure;
use crate::settings::Settings;
use jobs::Session;

/// Who made a report that nobody asked for.
const BY: &str = "schedule";
/// How often somebody else may write to the log first.
const ATTEMPTS: u32 = 20;

/// The periods that a report is owed for at `now` (UTC microseconds), the oldest first. Who asks first for a report makes a row that says
/// since when the clock is watched.
pub(crate) async fn due_now(
    lake: &Lake,
    report: &Report,
    now: i64,
) -> Result<Vec<Period>, Failure> {
    if report.schedule.is_none() {
        return Ok(Vec::new());
    }
    for _ in 0..ATTEMPTS {
        let (version, rows) = lake.reports().await?;
        let mine: Vec<&ReportRow> = rows
            .iter()
            .filter(|row| row.report == report.name)
            .collect();
        let watched = mine.iter().filter(|row| row.step == ReportStep::Watched);
        if let Some(since) = watched.map(|row| row.at).min() {
            return Ok(report.due(last_made(&mine, report).as_ref(), now, since));
        }
        let row = ReportRow {
            report: report.name.clone(),
            step: ReportStep::Watched,
            period: String::new(),
            period_from: None,
            period_to: None,
            at: now,
            by: BY.to_owned(),
            location: None,
            documents: Vec::new(),
            digest: None,
            channels: Vec::new(),
        };
        lake.append_reports(version, &[row]).await?;
    }
    Err(Failure::io(
        "others write to the log of reports all the time",
    ))
}

/// The newest period that the schedule has made: as long as the report's periods are now, so that a report may change from weeks to months.
fn last_made(mine: &[&ReportRow], report: &Report) -> Option<Period> {
    let made = mine
        .iter()
        .filter(|row| row.step == ReportStep::Made && row.by == BY);
    let end = made.filter_map(|row| row.period_to).max()?;
    Period::before(report.unit, &report.zone, end)
}

/// Makes a report of a period, unless somebody has. `false` where somebody came first: what both made is the same.
pub(crate) async fn make_once(
    lake: &Lake,
    settings: &Settings,
    session: &Session,
    asked: &Asked<'_>,
) -> Result<bool, Failure> {
    let Ok(report) = &asked.file.report else {
        return Ok(false);
    };
    let is_this = |row: &ReportRow| {
        row.report == report.name
            && row.step == ReportStep::Made
            && row.by == BY
            && row.period_to == Some(asked.period.to())
    };
    let mut row = None;
    for _ in 0..ATTEMPTS {
        let (version, rows) = lake.reports().await?;
        if rows.iter().any(is_this) {
            return Ok(false);
        }
        let row = match &row {
            Some(row) => row,
            None => {
                let written = make(session, asked).await?;
                let shelf = make::shelf(lake, settings, report)?;
                let made = ReportRow {
                    by: BY.to_owned(),
                    channels: report.deliver.channels.clone(),
                    ..put(&shelf, written).await?
                };
                if !made.channels.is_empty() {
                    lay_out(lake, session, asked, &made).await?;
                }
                row.insert(made)
            }
        };
        if let AlertCommit::Committed { .. } = lake
            .append_reports(version, std::slice::from_ref(row))
            .await?
        {
            return Ok(true);
        }
    }
    Err(Failure::io(
        "others write to the log of reports all the time",
    ))
}
