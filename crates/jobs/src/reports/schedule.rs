//! Reports that are made by themselves. All that must be remembered is the log of reports: any number of processes may watch the clock,
//! and each period is logged as made once.

use ::reports::{Period, Report};
use lake::{AlertCommit, Lake, LakeError, ReportRow, ReportStep, Shelf};

use super::MakeError;
use super::put::{ATTEMPTS, Asked, contended, put, write};
use crate::session::Session;

/// Who made a report that nobody asked for: [`ReportRow::by`].
pub const SCHEDULE: &str = "schedule";

/// The periods that a report is owed for at `now` (UTC microseconds), the oldest first. Who asks first for a report makes a row that says
/// since when the clock is watched.
pub async fn due_now(lake: &Lake, report: &Report, now: i64) -> Result<Vec<Period>, LakeError> {
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
            by: SCHEDULE.to_owned(),
            location: None,
            documents: Vec::new(),
            digest: None,
            channels: Vec::new(),
        };
        lake.append_reports(version, &[row]).await?;
    }
    Err(contended(lake))
}

/// The newest period that the schedule has made, as long as the report's periods are now: a report may change from weeks to months.
fn last_made(mine: &[&ReportRow], report: &Report) -> Option<Period> {
    let made = mine
        .iter()
        .filter(|row| row.step == ReportStep::Made && row.by == SCHEDULE);
    let end = made.filter_map(|row| row.period_to).max()?;
    Period::before(report.unit, &report.zone, end)
}

/// Makes a report of a period, puts it on a shelf and logs it, unless somebody has. `lay_out` is called with the row before it is logged,
/// where channels are to hear of it. `false` where somebody came first: what both made is the same.
pub async fn make_once<E: From<MakeError> + From<LakeError>>(
    lake: &Lake,
    session: &Session,
    asked: &Asked<'_>,
    shelf: &Shelf,
    now: i64,
    lay_out: impl AsyncFn(&ReportRow) -> Result<(), E>,
) -> Result<bool, E> {
    let Ok(report) = &asked.file.report else {
        return Ok(false);
    };
    let is_this = |row: &ReportRow| {
        row.report == report.name
            && row.step == ReportStep::Made
            && row.by == SCHEDULE
            && row.period_to == Some(asked.period.to())
    };
    let mut made = None;
    for _ in 0..ATTEMPTS {
        let (version, rows) = lake.reports().await?;
        if rows.iter().any(is_this) {
            return Ok(false);
        }
        let row = match &made {
            Some(row) => row,
            None => {
                let written = write(session, asked, now).await?;
                let row = ReportRow {
                    by: SCHEDULE.to_owned(),
                    channels: report.deliver.channels.clone(),
                    ..put(shelf, written).await?
                };
                if !row.channels.is_empty() {
                    lay_out(&row).await?;
                }
                made.insert(row)
            }
        };
        let appended = lake.append_reports(version, std::slice::from_ref(row));
        if let AlertCommit::Committed { .. } = appended.await? {
            return Ok(true);
        }
    }
    Err(contended(lake).into())
}
