//! The small tables as rows: rejects and sources. Each row type is turned into columns and back here.

pub(crate) mod alert_log;
pub(crate) mod deliveries;
pub(crate) mod reports;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use sha2::{Digest, Sha256};

use crate::encoder::RejectRow;
use crate::log::Ledger;
use crate::{GapRow, LakeError, Position, SequenceNumber, ShardKey, Table};

/// A file or object that was loaded to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// Where it is.
    pub uri: String,
    /// What tells whether it changed: S3's ETag, or size and modification time.
    pub etag: String,
    /// Its size in bytes, compressed if it is.
    pub bytes: i64,
    /// How its documents ended when it was loaded.
    pub ledger: Ledger,
    /// UTC microseconds.
    pub loaded_at: i64,
}

/// What is known of an account during a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Twelve digits.
    pub account_id: String,
    /// Its name.
    pub name: Option<String>,
    /// Path of its organizational unit, e.g. `/Root/Prod/Payments`.
    pub ou: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Its e-mail address.
    pub email: Option<String>,
    /// Tags, stored as a JSON object.
    pub tags: Vec<(String, String)>,
    /// UTC microseconds, included.
    pub valid_from: i64,
    /// UTC microseconds, not included; `None` while it holds.
    pub valid_to: Option<i64>,
}

impl RejectRow {
    /// Hex SHA-256 of the bytes.
    pub(crate) fn sha256(&self) -> String {
        Sha256::digest(&self.bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

pub(crate) fn rejects_batch(rows: &[RejectRow]) -> Result<RecordBatch, LakeError> {
    batch(
        Table::Rejects,
        vec![
            texts(rows.iter().map(|r| Some(r.source.as_str()))),
            texts(rows.iter().map(|r| r.shard_id.as_deref())),
            texts(rows.iter().map(|r| r.sequence_number.as_deref())),
            Arc::new(rows.iter().map(|r| r.sub_sequence).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|r| Some(r.item)).collect::<Int32Array>()),
            texts(rows.iter().map(|r| Some(r.reason.as_str()))),
            Arc::new(
                rows.iter()
                    .map(|r| Some(r.bytes.as_slice()))
                    .collect::<BinaryArray>(),
            ),
            texts(rows.iter().map(RejectRow::sha256).map(Some)),
            times(rows.iter().map(|r| r.arrived_at)),
            times(rows.iter().map(|r| Some(r.rejected_at))),
        ],
    )
}

pub(crate) fn sources_batch(rows: &[SourceRow]) -> Result<RecordBatch, LakeError> {
    let numbers = |of: fn(&SourceRow) -> u64| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| Some(of(row) as i64))
                .collect::<Int64Array>(),
        )
    };
    batch(
        Table::Sources,
        vec![
            texts(rows.iter().map(|r| Some(r.uri.as_str()))),
            texts(rows.iter().map(|r| Some(r.etag.as_str()))),
            Arc::new(rows.iter().map(|r| Some(r.bytes)).collect::<Int64Array>()),
            numbers(|r| r.ledger.received),
            numbers(|r| r.ledger.committed),
            numbers(|r| r.ledger.duplicate),
            numbers(|r| r.ledger.rejected),
            numbers(|r| r.ledger.skipped),
            numbers(|r| r.ledger.expired),
            times(rows.iter().map(|r| Some(r.loaded_at))),
        ],
    )
}

pub(crate) fn sources_from(batch: &RecordBatch) -> Vec<SourceRow> {
    let text = |index: usize, row: usize| text_at(batch, index, row).unwrap_or_default();
    let number =
        |index: usize, row: usize| batch.column(index).as_primitive::<Int64Type>().value(row);
    (0..batch.num_rows())
        .map(|row| SourceRow {
            uri: text(0, row),
            etag: text(1, row),
            bytes: number(2, row),
            ledger: Ledger {
                received: number(3, row) as u64,
                committed: number(4, row) as u64,
                duplicate: number(5, row) as u64,
                rejected: number(6, row) as u64,
                skipped: number(7, row) as u64,
                expired: number(8, row) as u64,
            },
            loaded_at: time_at(batch, 9, row).unwrap_or_default(),
        })
        .collect()
}

/// Rows of [`Table::Accounts`](crate::Table::Accounts).
pub fn accounts_batch(rows: &[AccountRow]) -> Result<RecordBatch, LakeError> {
    let text = |of: fn(&AccountRow) -> Option<&str>| texts(rows.iter().map(of));
    let tags = |row: &AccountRow| -> String {
        let map: serde_json::Map<_, _> = row
            .tags
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect();
        serde_json::Value::Object(map).to_string()
    };
    batch(
        Table::Accounts,
        vec![
            text(|r| Some(&r.account_id)),
            text(|r| r.name.as_deref()),
            text(|r| r.ou.as_deref()),
            text(|r| r.owner.as_deref()),
            text(|r| r.email.as_deref()),
            texts(rows.iter().map(|r| Some(tags(r)))),
            times(rows.iter().map(|r| Some(r.valid_from))),
            times(rows.iter().map(|r| r.valid_to)),
        ],
    )
}

pub(crate) fn accounts_from(batch: &RecordBatch) -> Vec<AccountRow> {
    let text = |index: usize, row: usize| text_at(batch, index, row);
    let time = |index: usize, row: usize| time_at(batch, index, row);
    let tags = |row: usize| -> Vec<(String, String)> {
        let json = text(5, row).unwrap_or_default();
        let map: std::collections::BTreeMap<String, String> =
            serde_json::from_str(&json).unwrap_or_default();
        map.into_iter().collect()
    };
    let account = |row: usize| AccountRow {
        account_id: text(0, row).unwrap_or_default(),
        name: text(1, row),
        ou: text(2, row),
        owner: text(3, row),
        email: text(4, row),
        tags: tags(row),
        valid_from: time(6, row).unwrap_or_default(),
        valid_to: time(7, row),
    };
    (0..batch.num_rows()).map(account).collect()
}

pub(crate) fn gaps_batch(rows: &[GapRow]) -> Result<RecordBatch, LakeError> {
    let after = |row: &GapRow| {
        let number = row.after.as_ref()?.sequence_number.as_ref()?;
        Some(number.to_string())
    };
    let through = |row: &GapRow| row.after.as_ref().and_then(|after| after.read_through);
    batch(
        Table::Gaps,
        vec![
            texts(rows.iter().map(|r| Some(r.shard.source.as_str()))),
            texts(rows.iter().map(|r| Some(r.shard.shard_id.as_str()))),
            texts(rows.iter().map(after)),
            times(rows.iter().map(through)),
            times(rows.iter().map(|r| r.oldest_kept)),
            texts(rows.iter().map(|r| Some(r.reason.as_str()))),
            times(rows.iter().map(|r| Some(r.detected_at))),
        ],
    )
}

pub(crate) fn gaps_from(batch: &RecordBatch) -> Vec<GapRow> {
    let text = |index: usize, row: usize| text_at(batch, index, row);
    let time = |index: usize, row: usize| time_at(batch, index, row);
    let gap = |row: usize| GapRow {
        shard: ShardKey {
            source: text(0, row).unwrap_or_default(),
            shard_id: text(1, row).unwrap_or_default(),
        },
        after: Some(Position {
            sequence_number: text(2, row).and_then(|text| SequenceNumber::parse(&text)),
            read_through: time(3, row),
            ..Position::default()
        }),
        oldest_kept: time(4, row),
        reason: text(5, row).unwrap_or_default(),
        detected_at: time(6, row).unwrap_or_default(),
    };
    (0..batch.num_rows()).map(gap).collect()
}

/// The text in a column of a row, unless it is null.
fn text_at(batch: &RecordBatch, index: usize, row: usize) -> Option<String> {
    let column = batch.column(index).as_string::<i32>();
    column.is_valid(row).then(|| column.value(row).to_owned())
}

/// The UTC microseconds in a column of a row, unless they are null.
fn time_at(batch: &RecordBatch, index: usize, row: usize) -> Option<i64> {
    let column = batch
        .column(index)
        .as_primitive::<TimestampMicrosecondType>();
    column.is_valid(row).then(|| column.value(row))
}

fn batch(table: Table, columns: Vec<ArrayRef>) -> Result<RecordBatch, LakeError> {
    Ok(RecordBatch::try_new(table.schema(), columns)?)
}

fn texts<T: AsRef<str>>(values: impl Iterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(
        values
            .collect::<TimestampMicrosecondArray>()
            .with_timezone("UTC"),
    )
}
