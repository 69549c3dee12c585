//! What to log so that the log says what the rows say.

use std::collections::{BTreeSet, HashMap};

use finding::Label;
use sha2::{Digest, Sha256};

use crate::life::{Alert, AlertEvent, Event, State};
use crate::rule::hex;
use crate::{Episode, MAX_FINDINGS, Rule, evidence_sql};

/// Who logs what is planned here.
const ACTOR: &str = "evaluator";

/// The events that bring the alerts of one rule and group in line with its episodes; none where they are already.
///
/// `existing` are all alerts of the rule and group, merged and withdrawn ones too, or else an id might be given twice.
/// `episodes` come from [`sweep`](crate::sweep()) over all that those alerts rest on: an alert whose rows were left out
/// looks unsupported and is withdrawn. `now` and `max_age` are microseconds: an episode whose last match is older than
/// `now - max_age` is historic and does not ring.
///
/// An alert belongs to the episode that it overlaps or lies within `suppress_for` of; where there are several, to the one
/// nearest to the match it opened with. Of several alerts of one episode the one that opened with the oldest match goes on.
pub fn plan(
    rule: &Rule,
    group: &[(String, Option<String>)],
    existing: &[Alert],
    episodes: &[Episode],
    now: i64,
    findings_version: i64,
    max_age: i64,
) -> Vec<AlertEvent> {
    let describe = Describe {
        rule,
        group,
        revision: rule.revision(),
        now,
        findings_version,
        max_age,
    };
    let mut live: Vec<&Alert> = existing
        .iter()
        .filter(|alert| alert.state.is_live())
        .collect();
    live.sort_by(|a, b| (a.opening_match, &a.alert_id).cmp(&(b.opening_match, &b.alert_id)));

    let mut events = Vec::new();
    let mut keepers: Vec<Option<&Alert>> = vec![None; episodes.len()];
    for alert in live {
        match home(alert, episodes, rule.suppress_for.micros()) {
            None => events.push(describe.ended(
                alert,
                Event::Withdrawn,
                "the findings no longer support it".to_owned(),
            )),
            Some(at) => match keepers[at] {
                None => keepers[at] = Some(alert),
                Some(older) => {
                    let reason = format!("merged into {}", older.alert_id);
                    events.push(describe.ended(alert, Event::Merged, reason));
                }
            },
        }
    }
    let known: HashMap<&str, &Alert> = existing
        .iter()
        .map(|alert| (alert.alert_id.as_str(), alert))
        .collect();
    let mut taken = BTreeSet::new();
    for (episode, keeper) in episodes.iter().zip(keepers) {
        match keeper {
            Some(alert) => events.extend(describe.changed(alert, episode)),
            None => events.push(describe.begun(&known, &mut taken, episode)),
        }
    }
    events
}

/// Names an alert by its rule, the named values of its group (in any order) and the match it opens with (UTC
/// microseconds): `al-` and 16 hex digits.
pub fn alert_id(rule: &str, group: &[(String, Option<String>)], opening_match: i64) -> String {
    nth_id(rule, group, opening_match, 0)
}

/// `nth` sets apart alerts that open with the same match while another that did lives on elsewhere.
fn nth_id(rule: &str, group: &[(String, Option<String>)], opening_match: i64, nth: u32) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    let mut named: Vec<_> = group.iter().collect();
    named.sort();
    part(rule);
    for (column, value) in named {
        part(column);
        part(if value.is_some() { "=" } else { "null" });
        part(value.as_deref().unwrap_or_default());
    }
    part(&opening_match.to_string());
    if nth > 0 {
        part(&nth.to_string());
    }
    format!("al-{}", hex(&hash.finalize()[..8]))
}

/// Which episode an alert belongs to.
fn home(alert: &Alert, episodes: &[Episode], suppress_for: i64) -> Option<usize> {
    let near = |episode: &Episode| {
        episode.first_match.saturating_sub(alert.last_match) <= suppress_for
            && alert.first_match.saturating_sub(episode.last_match) <= suppress_for
    };
    // Episodes come in order, so those near are neighbours and the first of equally distant ones is the earliest.
    let from = episodes.partition_point(|episode| {
        alert.first_match.saturating_sub(episode.last_match) > suppress_for
    });
    let away = |episode: &Episode| {
        let opening = alert.opening_match;
        episode
            .first_match
            .saturating_sub(opening)
            .max(opening.saturating_sub(episode.last_match))
            .max(0)
    };
    let neighbours = episodes
        .iter()
        .enumerate()
        .skip(from)
        .take_while(|(_, episode)| near(episode));
    neighbours
        .min_by_key(|(_, episode)| away(episode))
        .map(|(at, _)| at)
}

/// All that goes into an event beside the alert and the episode.
struct Describe<'a> {
    rule: &'a Rule,
    group: &'a [(String, Option<String>)],
    revision: String,
    now: i64,
    findings_version: i64,
    max_age: i64,
}

impl Describe<'_> {
    fn ended(&self, alert: &Alert, event: Event, reason: String) -> AlertEvent {
        let mut event = alert.event(event, self.now, ACTOR, reason);
        event.findings_version = self.findings_version;
        event
    }

    fn begun(
        &self,
        known: &HashMap<&str, &Alert>,
        taken: &mut BTreeSet<String>,
        episode: &Episode,
    ) -> AlertEvent {
        for nth in 0.. {
            let id = nth_id(&self.rule.id, self.group, episode.first_match, nth);
            match known.get(id.as_str()) {
                None if taken.insert(id.clone()) => {
                    return self.event(id, 0, Event::Opened, episode, self.measure(episode));
                }
                Some(alert) if !alert.state.is_live() && taken.insert(id.clone()) => {
                    let reason = format!(
                        "{} again after it was {}",
                        self.measure(episode),
                        alert.state.as_str()
                    );
                    return self.event(
                        id,
                        alert.seq.saturating_add(1),
                        Event::Reopened,
                        episode,
                        reason,
                    );
                }
                _ => {}
            }
        }
        unreachable!("there are more numbers than alerts")
    }

    fn changed(&self, alert: &Alert, episode: &Episode) -> Option<AlertEvent> {
        if alert.state == State::Resolved && episode.last_match > alert.state_since {
            let reason = format!("{} after it was resolved", self.measure(episode));
            return Some(self.event(
                alert.alert_id.clone(),
                alert.seq.saturating_add(1),
                Event::Reopened,
                episode,
                reason,
            ));
        }
        let reason = differences(alert, episode)?;
        let mut event = self.event(
            alert.alert_id.clone(),
            alert.seq.saturating_add(1),
            Event::Grew,
            episode,
            reason,
        );
        let (told, holds) = (set(&alert.findings), set(&episode.findings));
        // Beyond the cap nobody can tell whether a finding that is not named went.
        if event.findings_total > MAX_FINDINGS as i64 || told.is_subset(&holds) {
            event.findings.retain(|id| !told.contains(id.as_str()));
            event
                .findings
                .truncate(MAX_FINDINGS.saturating_sub(alert.findings.len()));
        }
        Some(event)
    }

    fn event(
        &self,
        alert_id: String,
        seq: i64,
        event: Event,
        episode: &Episode,
        reason: String,
    ) -> AlertEvent {
        AlertEvent {
            alert_id,
            seq,
            event,
            at: self.now,
            rule: self.rule.id.clone(),
            revision: self.revision.clone(),
            title: self.rule.title.clone(),
            severity: self.rule.severity,
            group: self.group.to_vec(),
            count: whole(episode.count),
            threshold: whole(self.rule.threshold),
            window_us: self.rule.window.micros(),
            window: self.rule.window.as_str().to_owned(),
            window_start: episode.window_start,
            window_end: episode.window_end,
            first_match: episode.first_match,
            last_match: episode.last_match,
            matches: whole(episode.matches),
            first_seen: episode.first_seen,
            last_seen: episode.last_seen,
            findings: episode.findings.clone(),
            findings_total: whole(episode.findings_total),
            accounts: episode.accounts.clone(),
            regions: episode.regions.clone(),
            max_severity: episode.max_severity,
            sql: evidence_sql(self.rule, self.group, episode, self.now),
            historic: episode.last_match < self.now.saturating_sub(self.max_age),
            actor: ACTOR.to_owned(),
            reason,
            findings_version: self.findings_version,
        }
    }

    fn measure(&self, episode: &Episode) -> String {
        let Rule {
            count,
            window,
            threshold,
            ..
        } = self.rule;
        format!(
            "{} {count} within {window} (threshold {threshold})",
            episode.count
        )
    }
}

/// What an episode has that its alert does not say yet, in words; `None` where the alert says it all.
fn differences(alert: &Alert, episode: &Episode) -> Option<String> {
    let mut words = Vec::new();
    let mut number = |name: &str, was: i64, is: u64| {
        if was != whole(is) {
            words.push(format!("{name} {was} to {is}"));
        }
    };
    number("count", alert.count, episode.count);
    number("findings", alert.findings_total, episode.findings_total);
    number("matches", alert.matches, episode.matches);
    number(
        "accounts",
        whole(alert.accounts.len() as u64),
        episode.accounts.len() as u64,
    );
    number(
        "regions",
        whole(alert.regions.len() as u64),
        episode.regions.len() as u64,
    );
    if alert.max_severity != episode.max_severity {
        let name = |label: Option<Label>| label.map_or("none", Label::as_str);
        words.push(format!(
            "severity {} to {}",
            name(alert.max_severity),
            name(episode.max_severity)
        ));
    }
    let was = (
        alert.first_match,
        alert.last_match,
        alert.first_seen,
        alert.last_seen,
        alert.window_start,
        alert.window_end,
    );
    let is = (
        episode.first_match,
        episode.last_match,
        episode.first_seen,
        episode.last_seen,
        episode.window_start,
        episode.window_end,
    );
    let complete = episode.findings_total <= MAX_FINDINGS as u64;
    let others = alert.accounts != episode.accounts
        || alert.regions != episode.regions
        || (complete && set(&alert.findings) != set(&episode.findings));
    if words.is_empty() && (was != is || others) {
        words.push(
            if others {
                "other findings"
            } else {
                "other times"
            }
            .to_owned(),
        );
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// Two findings may share an id, in two accounts.
fn set(ids: &[String]) -> BTreeSet<&str> {
    ids.iter().map(String::as_str).collect()
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
