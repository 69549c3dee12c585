//! Which of the planned events somebody should hear of, and what time alone does to alerts.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use finding::Label;

use crate::life::{Alert, AlertEvent, EVALUATOR, Event, State, Suppression, Told, followed};
use crate::{Rule, rfc3339};

/// A growth to this many times what was last told is told again.
const TOLD_AGAIN: i64 = 10;

/// By what [`ring()`] judges.
#[derive(Debug, Clone, Copy)]
pub struct Bell<'a> {
    /// All rules; those not named here never resolve an alert for quiet.
    pub rules: &'a [Rule],
    /// All suppressions, expired ones too: they are named when what they hid rings.
    pub suppressions: &'a [Suppression],
    /// UTC microseconds.
    pub now: i64,
}

/// The planned events with all that decides over bells, and after them what time alone brings. To be logged as a whole.
///
/// `planned` comes from [`plan`](crate::plan()) over `alerts`, which are all that there are. An alert rings when it opens or
/// reopens, unless it is history or hidden by a suppression. Its growth rings, as `escalated`, when the alert is open or
/// acknowledged and people do not know enough of it: the highest label among its findings rises, the count is ten times
/// what was last told, it never rang, or what hid it no longer does. While it is snoozed nothing rings; at the end of the
/// snooze what is worth telling by then does.
///
/// What this returns is complete: asked again over the alerts as they are then, at the same time, it has nothing to add.
pub fn ring(planned: Vec<AlertEvent>, alerts: &[Alert], bell: &Bell<'_>) -> Vec<AlertEvent> {
    let known: HashMap<&str, &Alert> = alerts
        .iter()
        .map(|alert| (alert.alert_id.as_str(), alert))
        .collect();
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    let mut events: Vec<AlertEvent> = Vec::with_capacity(planned.len());
    for mut event in planned {
        let before = known.get(event.alert_id.as_str()).copied();
        let places = places.entry(event.alert_id.clone()).or_default();
        bell.judge(&mut event, after(before, &events, places).as_deref());
        places.push(events.len());
        events.push(event);
    }
    let rules = rules_by_id(bell.rules);
    let by_time =
        |alert: &Alert| quiet_event(alert, &rules, bell.now).or_else(|| bell.awake(alert));
    let changed = |id: &str| places.get(id).map_or(&[][..], Vec::as_slice);
    let old = alerts.iter().filter_map(|alert| {
        let after = after(Some(alert), &events, changed(&alert.alert_id));
        after.as_deref().and_then(by_time)
    });
    let is_new = |id: &&String| !known.contains_key(id.as_str());
    let begun: BTreeSet<&String> = places.keys().filter(is_new).collect();
    let new = begun.into_iter().filter_map(|id| {
        let after = after(None, &events, changed(id));
        after.as_deref().and_then(by_time)
    });
    let by_time: Vec<AlertEvent> = old.chain(new).collect();
    events.extend(by_time);
    events
}

/// What [`ring()`] changes in planned events, so that they can be had back without a copy of all of them.
#[derive(Debug)]
pub struct AsPlanned(Vec<(Event, Option<Told>, Option<String>, String)>);

impl AsPlanned {
    /// Of events that have not been judged yet.
    pub fn of(planned: &[AlertEvent]) -> AsPlanned {
        let kept = planned.iter().map(|event| {
            let hidden = event.suppressed_by.clone();
            (event.event, event.told, hidden, event.reason.clone())
        });
        AsPlanned(kept.collect())
    }

    /// The planned events again, of what [`ring()`] returned for them.
    pub fn back(self, mut rung: Vec<AlertEvent>) -> Vec<AlertEvent> {
        rung.truncate(self.0.len());
        for (event, kept) in rung.iter_mut().zip(self.0) {
            (event.event, event.told, event.suppressed_by, event.reason) = kept;
            event.rings = false;
        }
        rung
    }
}

/// An alert as those of the events leave it that are at `places`. One at a time: all together take as much memory as the log.
fn after<'a>(
    before: Option<&'a Alert>,
    events: &[AlertEvent],
    places: &[usize],
) -> Option<Cow<'a, Alert>> {
    let mine = places.iter().map(|at| events[*at].clone());
    mine.fold(before.map(Cow::Borrowed), |before, event| {
        Some(Cow::Owned(followed(before.as_deref(), event)))
    })
}

/// `resolved` for each alert that its rule says is over: the last match is older than `resolve_after`. [`ring()`] does this
/// too. An alert that a person has reopened stays for as long again.
pub fn quiet(alerts: &[Alert], rules: &[Rule], now: i64) -> Vec<AlertEvent> {
    let rules = rules_by_id(rules);
    alerts
        .iter()
        .filter_map(|alert| quiet_event(alert, &rules, now))
        .collect()
}

fn rules_by_id(rules: &[Rule]) -> HashMap<&str, &Rule> {
    rules.iter().map(|rule| (rule.id.as_str(), rule)).collect()
}

fn quiet_event(alert: &Alert, rules: &HashMap<&str, &Rule>, now: i64) -> Option<AlertEvent> {
    if !alert.state.is_unresolved() {
        return None;
    }
    let after = rules.get(alert.rule.as_str())?.resolve_after.as_ref()?;
    let by_a_person = alert.state == State::Open && alert.state_by != EVALUATOR;
    let last = if by_a_person {
        alert.last_match.max(alert.state_since)
    } else {
        alert.last_match
    };
    (last < now.saturating_sub(after.micros())).then(|| {
        let reason = format!("quiet for {after}");
        alert.event(Event::Resolved, now, EVALUATOR, reason)
    })
}

impl Bell<'_> {
    /// The suppression that hides an alert now.
    fn hiding(&self, alert: &impl Hidden) -> Option<&Suppression> {
        let mut active = self.suppressions.iter().filter(|s| s.is_active(self.now));
        active.find(|suppression| alert.is_hidden_by(suppression))
    }

    /// Says of a planned event whether it rings, and what is known after it.
    fn judge(&self, event: &mut AlertEvent, before: Option<&Alert>) {
        if !event.event.measures() {
            return;
        }
        event.suppressed_by = self.hiding(event).map(|suppression| suppression.id.clone());
        let heard = !event.historic && event.suppressed_by.is_none();
        let measured = Told {
            count: event.count,
            severity: event.max_severity,
        };
        match (event.event, before) {
            (Event::Opened | Event::Reopened, _) => {
                // What was told of an alert that is merged into this one is told.
                event.rings = heard
                    && event
                        .told
                        .is_none_or(|told| worse(told, measured).is_some());
            }
            (_, Some(before)) => {
                let told = event.told.or(before.told);
                let awake = matches!(before.state_at(self.now), State::Open | State::Acknowledged);
                if heard
                    && awake
                    && let Some(why) = self.news(before, told, measured)
                {
                    event.event = Event::Escalated;
                    event.rings = true;
                    event.reason = format!("{why}; {}", event.reason);
                }
            }
            (_, None) => {}
        }
        if event.rings {
            event.told = Some(measured);
        }
    }

    /// What became worth telling while an alert was snoozed, now that the snooze is over.
    fn awake(&self, alert: &Alert) -> Option<AlertEvent> {
        let over = alert.state == State::Snoozed && alert.state_at(self.now) == State::Open;
        if !over || alert.historic || self.hiding(alert).is_some() {
            return None;
        }
        let measured = Told {
            count: alert.count,
            severity: alert.max_severity,
        };
        let why = self.news(alert, alert.told, measured)?;
        let reason = format!("{why}; while it was snoozed");
        let mut event = alert.event(Event::Escalated, self.now, EVALUATOR, reason);
        event.rings = true;
        event.told = Some(measured);
        event.suppressed_by = None;
        Some(event)
    }

    /// Why an alert that is not hidden now is worth telling again, if it is.
    fn news(&self, before: &Alert, told: Option<Told>, measured: Told) -> Option<String> {
        if let Some(id) = &before.suppressed_by {
            return Some(match self.suppressions.iter().find(|s| s.id == *id) {
                Some(s) if s.is_active(self.now) => format!("suppression {id} no longer hides it"),
                Some(s) => format!("suppression {id} expired {}", rfc3339(s.expires)),
                None => format!("suppression {id} is gone"),
            });
        }
        match told {
            None => Some("told for the first time".to_owned()),
            Some(told) => worse(told, measured),
        }
    }
}

/// In what way an alert is worse than was told, where it is worth telling.
fn worse(told: Told, measured: Told) -> Option<String> {
    if measured.severity > told.severity {
        let name = |label: Option<Label>| label.map_or("none", Label::as_str);
        let (was, is) = (name(told.severity), name(measured.severity));
        return Some(format!("severity {was} to {is}"));
    }
    let much = told.count > 0 && measured.count >= told.count.saturating_mul(TOLD_AGAIN);
    much.then(|| format!("count {} to {}", told.count, measured.count))
}

/// What a suppression looks at, in an alert and in an event that measures one.
trait Hidden {
    fn is_hidden_by(&self, suppression: &Suppression) -> bool;
}

impl Hidden for AlertEvent {
    fn is_hidden_by(&self, suppression: &Suppression) -> bool {
        suppression.hides(
            &self.rule,
            self.severity,
            &self.group,
            &self.accounts,
            &self.regions,
        )
    }
}

impl Hidden for Alert {
    fn is_hidden_by(&self, suppression: &Suppression) -> bool {
        suppression.hides(
            &self.rule,
            self.severity,
            &self.group,
            &self.accounts,
            &self.regions,
        )
    }
}
