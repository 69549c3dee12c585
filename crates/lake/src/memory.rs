//! Rows of `findings` without a store: what commits would add, for rules that are tried on findings that nobody has stored.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch};
use arrow::error::ArrowError;
use finding::{Finding, VersionHash};

use crate::encoder::{Appended, day_of};
use crate::rows::{Provenance, Rows};
use crate::schema::Table;
use crate::seen::Day;

/// Takes findings as an [`Encoder`](crate::Encoder) does, and hands out rows of [`Table::Findings`]. A version that came before is
/// left out, whether its row has been taken or not.
pub struct MemoryFindings {
    rows: Rows,
    days: Vec<Day>,
    seen: HashSet<(Day, VersionHash)>,
}

impl Default for MemoryFindings {
    fn default() -> MemoryFindings {
        MemoryFindings {
            rows: Rows::new(),
            days: Vec::new(),
            seen: HashSet::new(),
        }
    }
}

impl MemoryFindings {
    /// Takes one; never [`Appended::Expired`].
    pub fn append(&mut self, finding: &Finding<'_>, provenance: &Provenance<'_>) -> Appended {
        let day = day_of(finding.event_time());
        if !self.seen.insert((day, finding.version())) {
            return Appended::Duplicate;
        }
        self.rows.append(finding, provenance);
        self.days.push(day);
        Appended::New
    }

    /// The rows since the last time; `None` where there are none.
    pub fn take(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        if self.days.is_empty() {
            return Ok(None);
        }
        let rows = self.rows.finish()?;
        let days: ArrayRef = Arc::new(Date32Array::from(std::mem::take(&mut self.days)));
        let columns = rows.columns().iter().cloned().chain([days]).collect();
        RecordBatch::try_new(Table::Findings.schema(), columns).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_row_once() {
        let finding = |count| Finding {
            account_id: "1".into(),
            finding_id: "f".into(),
            updated_at: Some(86_400_000_000),
            count: Some(count),
            ..Finding::default()
        };
        let provenance = Provenance {
            source: "s",
            shard_id: None,
            sequence_number: None,
            sub_sequence: None,
            item: 0,
            arrived_at: None,
            ingested_at: 1,
            backfilled: false,
        };
        let mut rows = MemoryFindings::default();
        assert_eq!(rows.append(&finding(1), &provenance), Appended::New);
        assert_eq!(rows.append(&finding(1), &provenance), Appended::Duplicate);
        let taken = rows.take().unwrap().unwrap();
        assert_eq!(taken.num_rows(), 1);
        let day = taken.column_by_name("event_date").unwrap();
        assert_eq!(
            day.as_ref(),
            &Date32Array::from(vec![1]) as &dyn arrow::array::Array
        );
        assert_eq!(rows.append(&finding(1), &provenance), Appended::Duplicate);
        assert!(rows.take().unwrap().is_none());
        assert_eq!(rows.append(&finding(2), &provenance), Appended::New);
        assert_eq!(rows.take().unwrap().unwrap().num_rows(), 1);
    }
}
