//! The JSON of an alert, as `alert list|show --format json` prints it.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::life::Alert;
use crate::time::rfc3339;

impl Serialize for Alert {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_map(None)?;
        json.serialize_entry("alert_id", &self.alert_id)?;
        json.serialize_entry("rule", &self.rule)?;
        json.serialize_entry("revision", &self.revision)?;
        json.serialize_entry("title", &self.title)?;
        json.serialize_entry("severity", self.severity.as_str())?;
        json.serialize_entry("state", self.state.as_str())?;
        json.serialize_entry("group", &Named(&self.group))?;
        json.serialize_entry("count", &self.count)?;
        json.serialize_entry("threshold", &self.threshold)?;
        json.serialize_entry("window", &self.window)?;
        json.serialize_entry("window_start", &rfc3339(self.window_start))?;
        json.serialize_entry("window_end", &rfc3339(self.window_end))?;
        json.serialize_entry("first_match", &rfc3339(self.first_match))?;
        json.serialize_entry("last_match", &rfc3339(self.last_match))?;
        json.serialize_entry("first_seen", &rfc3339(self.first_seen))?;
        json.serialize_entry("last_seen", &rfc3339(self.last_seen))?;
        json.serialize_entry("opened_at", &rfc3339(self.opened_at))?;
        json.serialize_entry("changed_at", &rfc3339(self.changed_at))?;
        json.serialize_entry("state_since", &rfc3339(self.state_since))?;
        json.serialize_entry("state_by", &self.state_by)?;
        json.serialize_entry("snoozed_until", &self.snoozed_until.map(rfc3339))?;
        json.serialize_entry("suppressed_by", &self.suppressed_by)?;
        json.serialize_entry("historic", &self.historic)?;
        json.serialize_entry(
            "max_severity",
            &self.max_severity.map(|label| label.as_str()),
        )?;
        json.serialize_entry("findings", &self.findings)?;
        json.serialize_entry("findings_total", &self.findings_total)?;
        json.serialize_entry("accounts", &self.accounts)?;
        json.serialize_entry("regions", &self.regions)?;
        json.serialize_entry("types", &self.types)?;
        json.serialize_entry("sql", &self.sql)?;
        json.end()
    }
}

/// A group as an object, its columns in the rule's order.
struct Named<'a>(&'a [(String, Option<String>)]);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(column, value)| (column, value)))
    }
}
