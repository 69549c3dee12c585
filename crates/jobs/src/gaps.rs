//! Alerts for gaps: what a stream may have dropped unread rings like a threat does, because threats may be in it.

use std::collections::BTreeSet;

use alerts::{Alert, AlertEvent, Event, alert_id, gap_sql};
use finding::Label;
use lake::{GapRow, SequenceNumber};

/// The `rule` of alerts that no rule file makes.
pub const STREAM_GAP: &str = "stream_gap";

const TITLE: &str = "Findings may be lost: a shard was not read before its records expired";

/// One `opened` event for each gap that has no alert yet. A gap is known by its shard and the record before it, so the same
/// gap never opens two. `now` and `max_age` are UTC microseconds, as for rules.
pub(crate) fn open(
    gaps: &[GapRow],
    alerts: &[Alert],
    now: i64,
    findings_version: i64,
    max_age: i64,
) -> Vec<AlertEvent> {
    let mut known: BTreeSet<String> = alerts.iter().map(|alert| alert.alert_id.clone()).collect();
    let opened = gaps
        .iter()
        .map(|gap| opened(gap, now, findings_version, max_age));
    opened
        .filter(|event| known.insert(event.alert_id.clone()))
        .collect()
}

fn opened(gap: &GapRow, now: i64, findings_version: i64, max_age: i64) -> AlertEvent {
    let after = gap
        .after
        .as_ref()
        .and_then(|after| after.sequence_number.as_ref());
    let after = after.map(SequenceNumber::to_string);
    let group = vec![
        ("source".to_owned(), Some(gap.shard.source.clone())),
        ("shard_id".to_owned(), Some(gap.shard.shard_id.clone())),
        ("after_sequence_number".to_owned(), after),
    ];
    let read_through = gap.after.as_ref().and_then(|after| after.read_through);
    let arn: Vec<&str> = gap.shard.source.split(':').collect();
    let part = |index: usize| arn.get(index).map(|part| (*part).to_owned());
    AlertEvent {
        alert_id: alert_id(STREAM_GAP, &group, 0),
        seq: 0,
        event: Event::Opened,
        at: now,
        rule: STREAM_GAP.to_owned(),
        revision: String::new(),
        title: TITLE.to_owned(),
        severity: Label::Critical,
        count: 1,
        threshold: 1,
        window_us: 0,
        window: "0s".to_owned(),
        window_start: gap.detected_at,
        window_end: gap.detected_at,
        first_match: gap.detected_at,
        last_match: gap.detected_at,
        matches: 1,
        first_seen: read_through.unwrap_or(gap.detected_at),
        last_seen: gap.oldest_kept.unwrap_or(gap.detected_at),
        findings: Vec::new(),
        findings_total: 0,
        accounts: part(4).into_iter().collect(),
        regions: part(3).into_iter().collect(),
        types: Vec::new(),
        max_severity: None,
        sql: gap_sql(&group),
        historic: gap.detected_at < now.saturating_sub(max_age),
        actor: "guardlake".to_owned(),
        reason: gap.reason.clone(),
        findings_version,
        rings: false,
        told: None,
        until: None,
        suppressed_by: None,
        group,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alerts::fold;
    use lake::{Position, ShardKey};

    #[test]
    fn a_gap_opens_one_alert_however_often_it_is_seen() {
        let gap = |shard: &str, after: &str| GapRow {
            shard: ShardKey {
                source: "arn:aws:kinesis:eu-west-1:111122223333:stream/findings@1".to_owned(),
                shard_id: shard.to_owned(),
            },
            after: SequenceNumber::parse(after).map(|number| Position::at(number, 0)),
            oldest_kept: Some(90),
            reason: "the shard was not read for longer than the stream keeps records".to_owned(),
            detected_at: 100,
        };
        let gaps = [gap("a", "1"), gap("a", "1"), gap("a", "2"), gap("b", "1")];
        let first = open(&gaps, &[], 110, 3, 1_000);
        assert_eq!(first.len(), 3);
        assert!(first.iter().all(|event| !event.historic));
        assert_eq!(first[0].regions, ["eu-west-1"]);
        assert_eq!(first[0].accounts, ["111122223333"]);
        assert!(open(&gaps, &fold(first), 120, 4, 1_000).is_empty());
        assert!(open(&gaps, &[], 5_000, 3, 1_000)[0].historic);
    }
}
