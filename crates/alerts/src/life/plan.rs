//! What to log so that the log says what the rows say.

use std::collections::{BTreeSet, HashMap};

use finding::Label;
use sha2::{Digest, Sha256};

use crate::life::fold::{apply, first};
use crate::life::{Alert, AlertEvent, EVALUATOR, Event, State, Told};
use crate::rule::hex;
use crate::{Episode, Kind, MAX_FINDINGS, Rule, clean, evidence_sql, rfc3339};

/// Why an alert of a query is resolved; while that is its last event, its row is not returned.
const NOT_RETURNED: &str = "the query no longer returns it";

/// The events that bring the alerts of one rule and group in line with its episodes; none where they are already.
///
/// `existing` are all alerts of the rule and group, merged and withdrawn ones too, or else an id might be given twice.
/// `episodes` come from [`sweep`](crate::sweep()) over all that those alerts rest on: an alert whose rows were left out
/// looks unsupported and is withdrawn. An episode whose last match is older than `max_age` is historic and does not ring.
///
/// Where only some time was looked at ([`Look::from`], [`Look::through`]), alerts outside it stay as they are. An alert of a query
/// is resolved rather than withdrawn when its row is no longer returned, and one whose episode is over by itself is resolved.
///
/// An alert belongs to the episode that it overlaps or lies within `suppress_for` of; where there are several, to the one
/// nearest to the match it opened with. Of several alerts of one episode the one that opened with the oldest match goes on:
/// it knows what was told of the others, and reopens if one of them was not resolved.
///
/// A resolved alert reopens with a match of its episode that is later than the resolve and than all it had. Late matches
/// before the resolve only make it grow. Where the evaluator resolved it for quiet, any later match that is not quiet
/// itself by now reopens it.
///
/// What is planned does not ring yet: see [`ring`](crate::ring()).
pub fn plan(
    rule: &Rule,
    group: &[(String, Option<String>)],
    existing: &[Alert],
    episodes: &[Episode],
    look: &Look,
) -> Vec<AlertEvent> {
    let describe = Describe {
        rule,
        group,
        revision: rule.revision(),
        look: *look,
    };
    let seen = |alert: &&Alert| {
        let inside = alert.last_match >= look.from && alert.first_match <= look.through;
        alert.state.is_live() && inside
    };
    let mut live: Vec<&Alert> = existing.iter().filter(seen).collect();
    live.sort_by(|a, b| (a.opening_match, &a.alert_id).cmp(&(b.opening_match, &b.alert_id)));

    let mut events = Vec::new();
    let mut keepers: Vec<Option<(&Alert, Vec<&Alert>)>> = vec![None; episodes.len()];
    for alert in live {
        match home(alert, episodes, rule.suppress_for.micros()) {
            None if rule.kind == Kind::Query => {
                let over = describe.ended(alert, Event::Resolved, NOT_RETURNED.to_owned());
                events.extend(alert.state.is_unresolved().then_some(over));
            }
            None => events.push(describe.ended(
                alert,
                Event::Withdrawn,
                "the findings no longer support it".to_owned(),
            )),
            Some(at) => match &mut keepers[at] {
                none @ None => *none = Some((alert, Vec::new())),
                Some((older, joined)) => {
                    let reason = format!("merged into {}", older.alert_id);
                    events.push(describe.ended(alert, Event::Merged, reason));
                    joined.push(alert);
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
        let event = match &keeper {
            Some((alert, joined)) => describe.changed(alert, joined, episode),
            None => Some(describe.begun(&known, &mut taken, episode)),
        };
        let before = keeper.map(|(alert, _)| alert);
        let over = describe.over(episode, before, event.as_ref());
        events.extend(event);
        events.extend(over);
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
    look: Look,
}

/// When the rows were looked at, and over what time. Times are UTC microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The evaluator's clock.
    pub now: i64,
    /// The version of `findings`.
    pub findings_version: i64,
    /// An episode whose last match is older than `now - max_age` is historic; microseconds.
    pub max_age: i64,
    /// The first match there can be; `i64::MIN` where all time was looked at.
    pub from: i64,
    /// The last match there can be; `i64::MAX` where all time was looked at.
    pub through: i64,
}

impl Look {
    /// A look at all there is.
    pub fn at_all(now: i64, findings_version: i64, max_age: i64) -> Look {
        Look {
            now,
            findings_version,
            max_age,
            from: i64::MIN,
            through: i64::MAX,
        }
    }
}

impl Describe<'_> {
    /// `resolved` where an episode is over by itself and its alert, after `event`, is not resolved.
    fn over(
        &self,
        episode: &Episode,
        before: Option<&Alert>,
        event: Option<&AlertEvent>,
    ) -> Option<AlertEvent> {
        let reason = format!("reported again at {}", rfc3339(episode.over?));
        let mut alert = before.cloned();
        if let Some(event) = event {
            match &mut alert {
                Some(alert) => apply(alert, event.clone()),
                None => alert = Some(first(event.clone())),
            }
        }
        let alert = alert.filter(|alert| alert.state.is_unresolved())?;
        Some(self.ended(&alert, Event::Resolved, reason))
    }

    fn ended(&self, alert: &Alert, event: Event, reason: String) -> AlertEvent {
        let mut event = alert.event(event, self.look.now, EVALUATOR, reason);
        event.findings_version = self.look.findings_version;
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

    /// `joined` are the alerts that are merged into this one.
    fn changed(&self, alert: &Alert, joined: &[&Alert], episode: &Episode) -> Option<AlertEvent> {
        let told = joined.iter().filter_map(|joined| joined.told);
        let told = told.chain(alert.told).reduce(|a, b| Told {
            count: a.count.max(b.count),
            severity: a.severity.max(b.severity),
        });
        let seq = alert.seq.saturating_add(1);
        let unresolved = joined.iter().find(|joined| joined.state.is_unresolved());
        let why = match alert.state {
            State::Resolved if self.resumes(alert, episode) => {
                Some(("after it was resolved".to_owned(), None))
            }
            // What was told of the open one need not be told again.
            State::Resolved => unresolved.map(|open| {
                let why = format!(
                    "joined by {}, which was {}",
                    open.alert_id,
                    open.state.as_str()
                );
                (why, told)
            }),
            _ => None,
        };
        if let Some((why, told)) = why {
            let reason = format!("{} {why}", self.measure(episode));
            let id = alert.alert_id.clone();
            let mut event = self.event(id, seq, Event::Reopened, episode, reason);
            event.told = told;
            return Some(event);
        }
        let reason = differences(alert, episode)?;
        let mut event = self.event(alert.alert_id.clone(), seq, Event::Grew, episode, reason);
        event.told = told.filter(|_| told != alert.told);
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

    /// Whether a resolved alert has begun anew.
    fn resumes(&self, alert: &Alert, episode: &Episode) -> bool {
        if alert.state_by == EVALUATOR && alert.reason == NOT_RETURNED {
            return true;
        }
        if alert.state_by == EVALUATOR {
            let quiet = (self.rule.resolve_after.as_ref()).is_some_and(|after| {
                episode.last_match < self.look.now.saturating_sub(after.micros())
            });
            return episode.last_match > alert.last_match && !quiet;
        }
        // Matches may be of the future, by the clock of whoever resolved: those it had do not reopen it.
        episode.last_match > alert.state_since.max(alert.last_match)
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
            at: self.look.now,
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
            types: episode.types.clone(),
            max_severity: episode.max_severity,
            sql: evidence_sql(self.rule, self.group, episode, self.look.now),
            historic: episode.last_match < self.look.now.saturating_sub(self.look.max_age),
            actor: EVALUATOR.to_owned(),
            reason,
            findings_version: self.look.findings_version,
            rings: false,
            told: None,
            until: None,
            suppressed_by: None,
        }
    }

    /// What was found, in a line.
    fn measure(&self, episode: &Episode) -> String {
        let rule = self.rule;
        let (found, count, window) = (episode.count, &rule.count, &rule.window);
        let judged = match rule.bounds.as_least() {
            Some(threshold) => format!("threshold {threshold}"),
            None => format!("threshold {}", rule.bounds),
        };
        match &rule.kind {
            Kind::Threshold => format!("{found} {count} within {window} ({judged})"),
            Kind::Rate { factor, .. } => {
                format!("{found} {count} within {window}, {factor} times the usual or more")
            }
            Kind::NewTerms { term, .. } => {
                let named = episode.values.iter().take(5).map(|value| clean(value, 60));
                let named = named.collect::<Vec<_>>().join(", ");
                format!(
                    "{found} new of {} within {window}: {named}",
                    term.join(", ")
                )
            }
            Kind::Sequence { steps, .. } => {
                format!("{found} of {} steps within {window}", steps.len())
            }
            Kind::Absence { .. } => format!(
                "silent for {window} since {} after {found} findings",
                rfc3339(episode.last_seen)
            ),
            Kind::Query => format!("the query returns it, with {found}"),
        }
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
        || alert.types != episode.types
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
