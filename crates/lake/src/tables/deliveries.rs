//! Rows of `deliveries` as columns, and back.

use std::sync::Arc;

use alerts::outbox::{DeliveryRow, ItemRef, Step};
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;

use super::alert_log::{group_from, group_text, lists};
use super::{batch, text_at, texts, time_at, times};
use crate::{LakeError, Table};

pub(crate) fn to_batch(rows: &[DeliveryRow]) -> Result<RecordBatch, LakeError> {
    let text = |of: fn(&DeliveryRow) -> &str| texts(rows.iter().map(|row| Some(of(row))));
    let events: Vec<Vec<String>> = rows.iter().map(|row| words(&row.items)).collect();
    let attempts: ArrayRef = Arc::new(
        rows.iter()
            .map(|row| Some(row.attempt))
            .collect::<Int64Array>(),
    );
    batch(
        Table::Deliveries,
        vec![
            text(|row| &row.delivery_id),
            text(|row| row.step.as_str()),
            times(rows.iter().map(|row| Some(row.at))),
            text(|row| &row.route),
            text(|row| &row.channel),
            text(|row| &row.thread),
            texts(rows.iter().map(|row| Some(group_text(&row.group)))),
            lists(&events, |words| words),
            attempts,
            times(rows.iter().map(|row| row.due)),
            text(|row| &row.reason),
            texts(rows.iter().map(|row| row.reference.as_deref())),
            texts(rows.iter().map(|row| row.detail.as_deref())),
            text(|row| &row.worker),
        ],
    )
}

/// `alert/seq`.
fn words(items: &[ItemRef]) -> Vec<String> {
    let word = |item: &ItemRef| format!("{}/{}", item.alert_id, item.seq);
    items.iter().map(word).collect()
}

/// The error says what cannot be understood.
pub(crate) fn from_batch(batch: &RecordBatch) -> Result<Vec<DeliveryRow>, String> {
    let read = |row: usize| {
        let maybe = |at: usize| text_at(batch, at, row);
        let text = |at: usize| maybe(at).unwrap_or_default();
        let time = |at: usize| time_at(batch, at, row);
        let events = batch.column(7).as_list::<i32>().value(row);
        let items = events.as_string::<i32>().iter().flatten().map(|word| {
            let (alert_id, seq) = word.rsplit_once('/')?;
            Some(ItemRef {
                alert_id: alert_id.to_owned(),
                seq: seq.parse().ok()?,
            })
        });
        Ok(DeliveryRow {
            delivery_id: text(0),
            step: Step::from_word(&text(1)).ok_or_else(|| format!("`{}` as step", text(1)))?,
            at: time(2).unwrap_or_default(),
            route: text(3),
            channel: text(4),
            thread: text(5),
            group: group_from(&text(6)).map_err(|error| format!("`{}`: {error}", text(6)))?,
            items: items
                .collect::<Option<_>>()
                .ok_or("an event that is not `alert/seq`")?,
            attempt: batch.column(8).as_primitive::<Int64Type>().value(row),
            due: time(9),
            reason: text(10),
            reference: maybe(11),
            detail: maybe(12),
            worker: text(13),
        })
    };
    (0..batch.num_rows()).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were() {
        let row = DeliveryRow {
            delivery_id: "d".into(),
            step: Step::Failed,
            at: 1,
            route: "default/a".into(),
            channel: "soc".into(),
            thread: "t".into(),
            group: vec![("rule".into(), Some("r".into())), ("x".into(), None)],
            items: vec![ItemRef {
                alert_id: "a/b".into(),
                seq: 7,
            }],
            attempt: 3,
            due: Some(9),
            reason: "503".into(),
            reference: None,
            detail: Some("{}".into()),
            worker: "w".into(),
        };
        let queued = DeliveryRow {
            step: Step::Queued,
            group: vec![],
            items: vec![],
            due: None,
            reference: Some("1.2".into()),
            detail: None,
            ..row.clone()
        };
        let rows = vec![row, queued];
        assert_eq!(from_batch(&to_batch(&rows).unwrap()).unwrap(), rows);
    }
}
