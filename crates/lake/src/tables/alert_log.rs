//! Alert events as columns of `alert_log`, and back.

use std::fmt;
use std::sync::Arc;

use alerts::{AlertEvent, Event, Group, Told};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, ListBuilder, RecordBatch,
    StringArray, StringBuilder,
};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use finding::Label;
use serde::Deserializer;
use serde::de::{MapAccess, Visitor};

use super::{batch, texts, times};
use crate::schema::list_item;
use crate::{LakeError, Table};

pub(crate) fn to_batch(events: &[AlertEvent]) -> Result<RecordBatch, LakeError> {
    let text = |of: fn(&AlertEvent) -> &str| texts(events.iter().map(|e| Some(of(e))));
    let number = |of: fn(&AlertEvent) -> i64| -> ArrayRef {
        Arc::new(events.iter().map(|e| Some(of(e))).collect::<Int64Array>())
    };
    let time = |of: fn(&AlertEvent) -> i64| times(events.iter().map(|e| Some(of(e))));
    batch(
        Table::AlertLog,
        vec![
            text(|e| &e.alert_id),
            number(|e| e.seq),
            text(|e| e.event.as_str()),
            time(|e| e.at),
            text(|e| &e.rule),
            text(|e| &e.revision),
            text(|e| &e.title),
            text(|e| e.severity.as_str()),
            texts(events.iter().map(|e| Some(group_text(&e.group)))),
            number(|e| e.count),
            number(|e| e.threshold),
            text(|e| &e.window),
            number(|e| e.window_us),
            time(|e| e.window_start),
            time(|e| e.window_end),
            time(|e| e.first_match),
            time(|e| e.last_match),
            number(|e| e.matches),
            time(|e| e.first_seen),
            time(|e| e.last_seen),
            lists(events, |e| &e.findings),
            number(|e| e.findings_total),
            lists(events, |e| &e.accounts),
            lists(events, |e| &e.regions),
            texts(events.iter().map(|e| e.max_severity.map(Label::as_str))),
            text(|e| &e.sql),
            Arc::new(
                events
                    .iter()
                    .map(|e| Some(e.historic))
                    .collect::<BooleanArray>(),
            ),
            text(|e| &e.actor),
            text(|e| &e.reason),
            number(|e| e.findings_version),
            Arc::new(
                events
                    .iter()
                    .map(|e| Some(e.rings))
                    .collect::<BooleanArray>(),
            ),
            Arc::new(
                events
                    .iter()
                    .map(|e| e.told.map(|told| told.count))
                    .collect::<Int64Array>(),
            ),
            texts(
                events
                    .iter()
                    .map(|e| e.told.and_then(|told| told.severity).map(Label::as_str)),
            ),
            times(events.iter().map(|e| e.until)),
            texts(events.iter().map(|e| e.suppressed_by.as_deref())),
            lists(events, |e| &e.types),
        ],
    )
}

/// The error says what cannot be understood.
pub(crate) fn from_batch(batch: &RecordBatch) -> Result<Vec<AlertEvent>, String> {
    let schema = Table::AlertLog.schema();
    let column = |name: &str| batch.column(schema.index_of(name).unwrap_or_default());
    let mut events = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let text = |name: &str| {
            let column: &StringArray = column(name).as_string::<i32>();
            if column.is_valid(row) {
                column.value(row).to_owned()
            } else {
                String::new()
            }
        };
        let number = |name: &str| column(name).as_primitive::<Int64Type>().value(row);
        let time = |name: &str| {
            column(name)
                .as_primitive::<TimestampMicrosecondType>()
                .value(row)
        };
        let list = |name: &str| {
            let lists: &ListArray = column(name).as_list::<i32>();
            lists
                .value(row)
                .as_string::<i32>()
                .iter()
                .flatten()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let is_there = |name: &str| column(name).is_valid(row);
        let word = |name: &str| format!("`{}` as {name} of alert {}", text(name), text("alert_id"));
        events.push(AlertEvent {
            alert_id: text("alert_id"),
            seq: number("seq"),
            event: Event::from_word(&text("event")).ok_or_else(|| word("event"))?,
            at: time("at"),
            rule: text("rule"),
            revision: text("revision"),
            title: text("title"),
            severity: Label::from_word(&text("severity")).ok_or_else(|| word("severity"))?,
            group: group_from(&text("group")).map_err(|e| format!("{}: {e}", word("group")))?,
            count: number("count"),
            threshold: number("threshold"),
            window: text("window"),
            window_us: number("window_us"),
            window_start: time("window_start"),
            window_end: time("window_end"),
            first_match: time("first_match"),
            last_match: time("last_match"),
            matches: number("matches"),
            first_seen: time("first_seen"),
            last_seen: time("last_seen"),
            findings: list("findings"),
            findings_total: number("findings_total"),
            accounts: list("accounts"),
            regions: list("regions"),
            types: match is_there("types") {
                true => list("types"),
                false => Vec::new(),
            },
            max_severity: Label::from_word(&text("max_severity")),
            sql: text("sql"),
            historic: column("historic").as_boolean().value(row),
            actor: text("actor"),
            reason: text("reason"),
            findings_version: number("findings_version"),
            rings: is_there("rings") && column("rings").as_boolean().value(row),
            told: is_there("told_count").then(|| Told {
                count: number("told_count"),
                severity: Label::from_word(&text("told_severity")),
            }),
            until: is_there("until").then(|| time("until")),
            suppressed_by: is_there("suppressed_by").then(|| text("suppressed_by")),
        });
        if let Some(event) = events.last_mut()
            && !is_there("rings")
        {
            before_bells(event);
        }
    }
    Ok(events)
}

/// What an event says that was logged before the log said what rings: what was no history rang when it opened or reopened.
fn before_bells(event: &mut AlertEvent) {
    let rang = matches!(
        event.event,
        Event::Opened | Event::Reopened | Event::Escalated
    );
    event.rings = rang && !event.historic;
    event.told = event.rings.then_some(Told {
        count: event.count,
        severity: event.max_severity,
    });
}

pub(super) fn lists<T>(events: &[T], of: fn(&T) -> &Vec<String>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new()).with_field(list_item());
    for event in events {
        of(event)
            .iter()
            .for_each(|value| builder.values().append_value(value));
        builder.append(true);
    }
    Arc::new(builder.finish())
}

/// A JSON object whose keys keep the order of the rule's `group_by`.
pub(super) fn group_text(group: &Group) -> String {
    let pairs = group
        .iter()
        .map(|(name, value)| format!("{}:{}", serde_json::json!(name), serde_json::json!(value)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

pub(super) fn group_from(text: &str) -> Result<Group, serde_json::Error> {
    struct InOrder;
    impl<'de> Visitor<'de> for InOrder {
        type Value = Group;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of texts")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Group, A::Error> {
            let mut group = Group::new();
            while let Some(entry) = map.next_entry()? {
                group.push(entry);
            }
            Ok(group)
        }
    }
    serde_json::Deserializer::from_str(text).deserialize_map(InOrder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_back_as_written() {
        let event = AlertEvent {
            alert_id: "al-1".into(),
            seq: 0,
            event: Event::Opened,
            at: 1,
            rule: "burst".into(),
            revision: "r1".into(),
            title: "A \"title\"".into(),
            severity: Label::High,
            group: vec![
                ("remote_ip".into(), Some("192.0.2.1\"\n".into())),
                ("account_id".into(), None),
            ],
            count: 12,
            threshold: 10,
            window: "10m".into(),
            window_us: 600_000_000,
            window_start: 2,
            window_end: 3,
            first_match: 4,
            last_match: 5,
            matches: 6,
            first_seen: 7,
            last_seen: 8,
            findings: vec!["a".into(), "b".into()],
            findings_total: 2,
            accounts: vec!["111122223333".into()],
            regions: vec![],
            types: vec!["Recon:EC2/Portscan".into()],
            max_severity: None,
            sql: "SELECT 1".into(),
            historic: true,
            actor: "evaluator".into(),
            reason: String::new(),
            findings_version: 9,
            rings: true,
            told: Some(Told {
                count: 12,
                severity: Some(Label::High),
            }),
            until: None,
            suppressed_by: None,
        };
        let other = AlertEvent {
            event: Event::Withdrawn,
            max_severity: Some(Label::Critical),
            rings: false,
            told: None,
            until: Some(10),
            suppressed_by: Some("known".into()),
            ..event.clone()
        };
        let events = vec![event, other];
        assert_eq!(from_batch(&to_batch(&events).unwrap()).unwrap(), events);
    }
}
