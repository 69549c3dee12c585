//! Brings the alert log in line with what the rules see.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use alerts::{Alert, AlertEvent, Group, Rule, plan};

use crate::evaluate::Fired;

/// The events that the log lacks for one rule, given all that fires and all alerts there are. Times are UTC microseconds.
///
/// A group that has alerts but no longer fires is looked at too: its alerts are withdrawn.
pub fn plan_rule(
    rule: &Rule,
    fired: &[Fired],
    alerts: &[Alert],
    now: i64,
    findings_version: i64,
    max_age: i64,
) -> Vec<AlertEvent> {
    let mut existing: BTreeMap<Group, Vec<Alert>> = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| alert.rule == rule.id) {
        existing
            .entry(named(&alert.group))
            .or_default()
            .push(alert.clone());
    }
    let mut events = Vec::new();
    let mut firing = BTreeSet::new();
    for Fired { group, episodes } in fired {
        let key = named(group);
        let known = existing.get(&key).map_or(&[][..], Vec::as_slice);
        events.extend(plan(
            rule,
            group,
            known,
            episodes,
            now,
            findings_version,
            max_age,
        ));
        firing.insert(key);
    }
    for (key, known) in existing.iter().filter(|(key, _)| !firing.contains(*key)) {
        let group = known.first().map_or(key, |alert| &alert.group);
        events.extend(plan(
            rule,
            group,
            known,
            &[],
            now,
            findings_version,
            max_age,
        ));
    }
    events
}

/// A group whatever the order of its columns.
fn named(group: &Group) -> Group {
    let mut group = group.clone();
    group.sort();
    group
}
