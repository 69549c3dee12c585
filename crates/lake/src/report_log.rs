//! The log of reports: what was made of which period, by whom, and where it lies. Who makes a report next reads it first.

use serde_json::json;

use crate::log::Change;
use crate::tables::reports;
use crate::{AlertCommit, Lake, LakeError, Table};

/// What a row of the log of reports says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportStep {
    /// Somebody began to watch the clock for this report: periods that ended before are not owed.
    Watched,
    /// It was made, and lies where the row says.
    Made,
}

impl ReportStep {
    /// As in the column `step`.
    pub fn as_str(self) -> &'static str {
        match self {
            ReportStep::Watched => "watched",
            ReportStep::Made => "made",
        }
    }

    /// The step of a word.
    pub fn from_word(word: &str) -> Option<ReportStep> {
        let all = [ReportStep::Watched, ReportStep::Made];
        all.into_iter().find(|step| step.as_str() == word)
    }
}

/// A row of [`Table::ReportLog`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRow {
    /// The report's name: the stem of its file.
    pub report: String,
    /// What the row says.
    pub step: ReportStep,
    /// The period's name, such as `2026-W47`; empty for [`ReportStep::Watched`].
    pub period: String,
    /// The period's first moment: UTC microseconds.
    pub period_from: Option<i64>,
    /// The first moment after the period: UTC microseconds.
    pub period_to: Option<i64>,
    /// When: UTC microseconds.
    pub at: i64,
    /// `schedule`, or who asked for it.
    pub by: String,
    /// Where the documents lie: a folder, or s3://bucket/prefix.
    pub location: Option<String>,
    /// Their names, below the location.
    pub documents: Vec<String>,
    /// SHA-256 of all documents, in hexadecimal digits.
    pub digest: Option<String>,
    /// The channels that are to hear of it.
    pub channels: Vec<String>,
}

impl Lake {
    /// The whole log of reports, in the order in which it was written, and its version.
    pub async fn reports(&self) -> Result<(i64, Vec<ReportRow>), LakeError> {
        let version = self.version(Table::ReportLog).await?;
        let mut rows = Vec::new();
        for batch in self.rows(Table::ReportLog).await? {
            let read = reports::from_batch(&batch).map_err(|reason| LakeError::Damaged {
                what: "a row".to_owned(),
                uri: self.table_url(Table::ReportLog),
                reason,
            })?;
            rows.extend(read);
        }
        Ok((version, rows))
    }

    /// Appends to the log of reports. `planned_on` is the version that was read: if anybody has added rows since, nothing is
    /// written and the answer is a conflict.
    pub async fn append_reports(
        &self,
        planned_on: i64,
        rows: &[ReportRow],
    ) -> Result<AlertCommit, LakeError> {
        let change = Change {
            info: json!({ "reports": rows.len() }),
            ..Change::default()
        };
        let batch = reports::to_batch(rows)?;
        self.append_after(Table::ReportLog, planned_on, Some(batch), change)
            .await
    }
}
