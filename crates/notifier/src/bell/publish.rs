//! Reports on their way: a delivery like that of an alert, of what lies ready in the lake.

use alerts::outbox::{DeliveryRow, Ended, ItemRef, Step};
use lake::{Lake, ReportRow};

use crate::bulletin::{BULLETINS, Bulletin, bulletin_path};
use crate::channel::{Channel, Failed};

/// The route of deliveries that no route of alerts led to.
const ROUTE: &str = "report";
/// Reports that were made longer ago are not told any more, where nobody told them: microseconds.
pub(super) const MAX_AGE: i64 = 7 * 86_400_000_000;

/// What a report is known by in the log of deliveries. One that somebody made by hand is another than that of the schedule.
pub(super) fn id(row: &ReportRow) -> String {
    let (report, period) = (&row.report, &row.period);
    match row.by.as_str() {
        "schedule" => format!("{ROUTE}/{report}/{period}"),
        _ => format!("{ROUTE}/{report}/{period}/{}", row.at),
    }
}

/// That a channel is to hear of a report.
pub(super) fn queued(channel: &str, row: &ReportRow, now: i64, worker: &str) -> DeliveryRow {
    DeliveryRow {
        delivery_id: String::new(),
        step: Step::Queued,
        at: now,
        route: ROUTE.to_owned(),
        channel: channel.to_owned(),
        thread: id(row),
        group: vec![
            (ROUTE.to_owned(), Some(row.report.clone())),
            ("period".to_owned(), Some(row.period.clone())),
        ],
        items: vec![ItemRef {
            alert_id: id(row),
            seq: 0,
        }],
        attempt: 0,
        due: None,
        reason: String::new(),
        reference: None,
        detail: None,
        worker: worker.to_owned(),
    }
}

/// Whether a delivery is of a report.
pub(super) fn is(row: &DeliveryRow) -> bool {
    row.route == ROUTE
}

/// Reads what is to be told, and tells it.
pub(super) async fn publish(
    lake: &Lake,
    channel: &dyn Channel,
    row: &DeliveryRow,
) -> Result<crate::Receipt, Failed> {
    let named = |name: &str| {
        let value = row.group.iter().find(|(known, _)| known == name);
        value
            .and_then(|(_, value)| value.clone())
            .unwrap_or_default()
    };
    let path = bulletin_path(&named(ROUTE), &named("period"));
    let for_now = |why: String| Failed::ForNow { why, wait: None };
    let shelf = lake.shelf(BULLETINS).map_err(|e| for_now(e.to_string()))?;
    let read = shelf.get(&path).await.map_err(|e| for_now(e.to_string()))?;
    let gone = || Failed::ForGood {
        why: format!("{path} is not in the lake any more"),
    };
    let mut bulletin: Bulletin =
        serde_json::from_slice(&read.ok_or_else(gone)?).map_err(|e| Failed::ForGood {
            why: format!("{path} cannot be read: {e}"),
        })?;
    bulletin.key.clone_from(&row.delivery_id);
    if !row.reason.is_empty() {
        bulletin.summary.insert(0, row.reason.clone());
    }
    channel.publish(&bulletin).await
}

/// How it ended, of what may take too long or break off.
pub(super) async fn published(lake: &Lake, channel: &dyn Channel, row: &DeliveryRow) -> Ended {
    super::attempted(publish(lake, channel, row)).await
}
