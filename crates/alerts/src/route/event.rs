//! An alert as an event of EventBridge, for the patterns of routes.

use serde_json::{Map, Value, json};

use super::Routed;
use crate::notice::AccountNotes;
use crate::time::rfc3339;

/// The event. It has the names that GuardDuty's events have where it can, so that patterns written for those fit: `detail.severity`
/// is a number, the least of the highest label among the findings (or of the rule, where no finding has one): 9, 7, 4, 1 or 0;
/// `detail.type`, `detail.accountId` and `detail.region` are lists, of which a pattern needs one to fit; `account` and `region`
/// are the first of them.
pub fn event(routed: &Routed<'_>) -> Value {
    let alert = routed.alert;
    let label = alert.max_severity.unwrap_or(alert.severity);
    let group: Map<String, Value> = (alert.group.iter())
        .map(|(column, value)| (column.clone(), json!(value)))
        .collect();
    let known = |of: fn(&AccountNotes) -> Option<&String>| -> Vec<&String> {
        routed.accounts.iter().filter_map(of).collect()
    };
    json!({
        "version": "0",
        "id": alert.alert_id,
        "source": "guardlake",
        "detail-type": "GuardLake Alert",
        "account": alert.accounts.first(),
        "region": alert.regions.first(),
        "time": rfc3339(alert.changed_at),
        "resources": [],
        "detail": {
            "id": alert.alert_id,
            "rule": alert.rule,
            "title": alert.title,
            "tags": routed.tags,
            "state": alert.state.as_str(),
            "severity": label.least(),
            "severityLabel": label.as_str(),
            "ruleSeverity": alert.severity.as_str(),
            "type": alert.types,
            "accountId": alert.accounts,
            "accountName": known(|notes| notes.name.as_ref()),
            "ou": known(|notes| notes.ou.as_ref()),
            "owner": known(|notes| notes.owner.as_ref()),
            "region": alert.regions,
            "group": group,
            "count": alert.count,
            "threshold": alert.threshold,
            "window": alert.window,
            "findings": alert.findings_total,
            "firstSeen": rfc3339(alert.first_seen),
            "lastSeen": rfc3339(alert.last_seen),
        },
    })
}
