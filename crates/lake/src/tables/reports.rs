//! Rows of `report_log` as columns, and back.

use arrow::array::{AsArray, RecordBatch};

use super::alert_log::lists;
use super::{batch, text_at, texts, time_at, times};
use crate::report_log::{ReportRow, ReportStep};
use crate::{LakeError, Table};

pub(crate) fn to_batch(rows: &[ReportRow]) -> Result<RecordBatch, LakeError> {
    let text = |of: fn(&ReportRow) -> &str| texts(rows.iter().map(|row| Some(of(row))));
    batch(
        Table::ReportLog,
        vec![
            text(|row| &row.report),
            text(|row| row.step.as_str()),
            text(|row| &row.period),
            times(rows.iter().map(|row| row.period_from)),
            times(rows.iter().map(|row| row.period_to)),
            times(rows.iter().map(|row| Some(row.at))),
            text(|row| &row.by),
            texts(rows.iter().map(|row| row.location.as_deref())),
            lists(rows, |row| &row.documents),
            texts(rows.iter().map(|row| row.digest.as_deref())),
            lists(rows, |row| &row.channels),
        ],
    )
}

/// The error says what cannot be understood.
pub(crate) fn from_batch(batch: &RecordBatch) -> Result<Vec<ReportRow>, String> {
    let list = |index: usize, row: usize| -> Vec<String> {
        let words = batch.column(index).as_list::<i32>().value(row);
        let words = words.as_string::<i32>().iter().flatten();
        words.map(str::to_owned).collect()
    };
    let read = |row: usize| {
        let text = |index: usize| text_at(batch, index, row).unwrap_or_default();
        Ok(ReportRow {
            report: text(0),
            step: ReportStep::from_word(&text(1))
                .ok_or_else(|| format!("`{}` as step", text(1)))?,
            period: text(2),
            period_from: time_at(batch, 3, row),
            period_to: time_at(batch, 4, row),
            at: time_at(batch, 5, row).unwrap_or_default(),
            by: text(6),
            location: text_at(batch, 7, row),
            documents: list(8, row),
            digest: text_at(batch, 9, row),
            channels: list(10, row),
        })
    };
    (0..batch.num_rows()).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were() {
        let made = ReportRow {
            report: "weekly_overview".into(),
            step: ReportStep::Made,
            period: "2026-W47".into(),
            period_from: Some(1),
            period_to: Some(2),
            at: 3,
            by: "schedule".into(),
            location: Some("s3://b/p".into()),
            documents: vec!["a.html".into(), "b.csv".into()],
            digest: Some("00".into()),
            channels: vec!["soc".into()],
        };
        let watched = ReportRow {
            step: ReportStep::Watched,
            period: String::new(),
            period_from: None,
            period_to: None,
            location: None,
            documents: vec![],
            digest: None,
            channels: vec![],
            ..made.clone()
        };
        let rows = vec![made, watched];
        assert_eq!(from_batch(&to_batch(&rows).unwrap()).unwrap(), rows);
    }
}
