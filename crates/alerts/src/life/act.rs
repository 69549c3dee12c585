//! What people may do with an alert: acknowledge, snooze, resolve, reopen.

use crate::life::{Alert, AlertEvent, EVALUATOR, Event, State, Told};
use crate::{clean, rfc3339};

/// What somebody wants done with an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Says that somebody has seen it.
    Acknowledge,
    /// Asks for quiet.
    Snooze {
        /// Until then: UTC microseconds.
        until: i64,
    },
    /// Closes it.
    Resolve,
    /// Makes it open again, whatever was done with it.
    Reopen,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// To be logged.
    Log(Box<AlertEvent>),
    /// It is so already; says how.
    Nothing(String),
    /// It cannot be done; says why.
    Refused(String),
}

/// A snooze is for at most 366 days: what is never to ring is a matter for a suppression, which says who and why for all to see.
const LONGEST_SNOOZE: i64 = 366 * 86_400 * 1_000_000;

/// The event that `action` by `by` at `now` (UTC microseconds) adds to the log, if any. `by` is an [`operator`]'s name;
/// `reason` may be empty.
///
/// Open, acknowledged and snoozed alerts take every action; a resolved one can only be reopened; a merged or withdrawn one
/// stands for nothing any more and takes none. What a person does never rings, and tells them of the alert: one that had
/// not rung yet is known from then on.
pub fn decide(alert: &Alert, action: Action, by: &str, reason: &str, now: i64) -> Decision {
    let state = alert.state_at(now);
    let (id, since) = (&alert.alert_id, rfc3339(alert.state_since));
    let whose = clean(&alert.state_by, 60);
    match (state, action) {
        (State::Merged, _) => {
            let into = clean(&alert.reason, 80);
            return Decision::Refused(format!("{id} is merged: it was {into} at {since}"));
        }
        (State::Withdrawn, _) => {
            return Decision::Refused(format!(
                "{id} is withdrawn: the findings no longer support it since {since}"
            ));
        }
        (State::Resolved, Action::Acknowledge | Action::Snooze { .. }) => {
            return Decision::Refused(format!(
                "{id} is resolved, by {whose} at {since}; `alert reopen` opens it again"
            ));
        }
        (State::Resolved, Action::Resolve) => {
            return Decision::Nothing(format!("{id} is resolved already, by {whose} at {since}"));
        }
        (State::Acknowledged, Action::Acknowledge) if alert.state_by == by => {
            return Decision::Nothing(format!("{id} is acknowledged already, by you at {since}"));
        }
        (State::Open, Action::Reopen) => return Decision::Nothing(format!("{id} is open")),
        (_, Action::Snooze { until }) if until <= now => {
            return Decision::Refused(format!("a snooze until {} is over", rfc3339(until)));
        }
        (_, Action::Snooze { until }) if until - now > LONGEST_SNOOZE => {
            return Decision::Refused(format!(
                "a snooze until {} is too long; at most 366d",
                rfc3339(until)
            ));
        }
        (State::Snoozed, Action::Snooze { until })
            if alert.snoozed_until == Some(until) && alert.state_by == by =>
        {
            return Decision::Nothing(format!("{id} is snoozed until then already, by you"));
        }
        _ => {}
    }
    let event = match action {
        Action::Acknowledge => Event::Acknowledged,
        Action::Snooze { .. } => Event::Snoozed,
        Action::Resolve => Event::Resolved,
        Action::Reopen => Event::Reopened,
    };
    let mut event = alert.event(event, now, by, reason.to_owned());
    if let Action::Snooze { until } = action {
        event.until = Some(until);
    }
    if action == Action::Reopen {
        // It measures, so it must say all that the alert is.
        event.findings.clone_from(&alert.findings);
    }
    if alert.told.is_none() {
        event.told = Some(Told {
            count: alert.count,
            severity: alert.max_severity,
        });
    }
    Decision::Log(Box::new(event))
}

/// Whether a name can stand in the log for a person.
pub fn operator(name: &str) -> Result<&str, String> {
    let name = name.trim();
    let taken = [EVALUATOR, "guardlake"];
    if name.is_empty() {
        Err("who are you? give --by NAME".to_owned())
    } else if taken.iter().any(|own| name.eq_ignore_ascii_case(own)) {
        Err(format!(
            "`{name}` is what guardlake calls itself; give --by NAME"
        ))
    } else if name.chars().count() > 128 || clean(name, 128) != name {
        let name = clean(name, 60);
        Err(format!(
            "`{name}` is no name: plain characters, at most 128"
        ))
    } else {
        Ok(name)
    }
}

/// The alert of an id or the start of one. The error says that there is none, or lists the several that there are.
pub fn find<'a>(alerts: &'a [Alert], id: &str) -> Result<&'a Alert, String> {
    if let Some(alert) = alerts.iter().find(|alert| alert.alert_id == id) {
        return Ok(alert);
    }
    let starting: Vec<&Alert> = alerts
        .iter()
        .filter(|alert| !id.is_empty() && alert.alert_id.starts_with(id))
        .collect();
    let id = clean(id, 60);
    match starting[..] {
        [alert] => Ok(alert),
        [] => Err(format!(
            "there is no alert `{id}`; `guardlake alert list` lists them"
        )),
        _ => {
            let named: Vec<&str> = starting
                .iter()
                .take(4)
                .map(|alert| &*alert.alert_id)
                .collect();
            let more = if starting.len() > 4 { ", ..." } else { "" };
            let (count, named) = (starting.len(), named.join(", "));
            Err(format!(
                "{count} alerts start with `{id}` ({named}{more}); give more of it"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold;
    use crate::text::tests::alert;

    const NOW: i64 = 1_795_260_000_000_000;
    const HOUR: i64 = 3_600_000_000;

    fn ada(alert: &Alert, action: Action, now: i64) -> Decision {
        decide(alert, action, "ada", "because", now)
    }

    /// The alert after an action that must be possible.
    #[track_caller]
    fn done(alert: &Alert, action: Action, now: i64) -> Alert {
        let Decision::Log(event) = ada(alert, action, now) else {
            panic!("{:?}", ada(alert, action, now))
        };
        assert!(!event.rings);
        let mut opened = alert.event(Event::Opened, alert.opened_at, EVALUATOR, String::new());
        opened.seq = alert.seq;
        opened.findings.clone_from(&alert.findings);
        let mut before = fold([opened]).remove(0);
        before.state = alert.state;
        before.snoozed_until = alert.snoozed_until;
        crate::life::fold::apply(&mut before, *event);
        before
    }

    #[track_caller]
    fn check(alert: &Alert, action: Action, expected: &str) {
        let said = match ada(alert, action, NOW) {
            Decision::Log(event) => event.event.as_str().to_owned(),
            Decision::Nothing(how) => format!("nothing: {how}"),
            Decision::Refused(why) => format!("refused: {why}"),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn what_each_state_takes() {
        let open = alert();
        let snooze = Action::Snooze { until: NOW + HOUR };
        let acts = [Action::Acknowledge, snooze, Action::Resolve];
        for action in acts {
            assert!(matches!(ada(&open, action, NOW), Decision::Log(_)));
        }
        check(
            &open,
            Action::Reopen,
            "nothing: al-0123456789abcdef is open",
        );
        let seen = done(&open, Action::Acknowledge, NOW);
        assert_eq!(
            (seen.state, seen.state_by.as_str()),
            (State::Acknowledged, "ada")
        );
        check(
            &seen,
            Action::Acknowledge,
            "nothing: al-0123456789abcdef is acknowledged already, by you at 2026-11-21T11:20:00Z",
        );
        let by_bob = decide(&seen, Action::Acknowledge, "bob", "", NOW);
        assert!(matches!(by_bob, Decision::Log(_)), "bob takes it over");
        check(&seen, Action::Reopen, "reopened");

        let closed = done(&seen, Action::Resolve, NOW);
        let refused = "refused: al-0123456789abcdef is resolved, by ada at 2026-11-21T11:20:00Z; `alert reopen` opens it again";
        check(&closed, Action::Acknowledge, refused);
        check(&closed, snooze, refused);
        check(
            &closed,
            Action::Resolve,
            "nothing: al-0123456789abcdef is resolved already, by ada at 2026-11-21T11:20:00Z",
        );
        let again = done(&closed, Action::Reopen, NOW);
        assert_eq!(
            (again.state, &again.findings),
            (State::Open, &open.findings)
        );
        assert_eq!(again.accounts, open.accounts);
    }

    #[test]
    fn merged_and_withdrawn_alerts_take_nothing() {
        let mut gone = alert();
        gone.state = State::Merged;
        gone.reason = "merged into al-00".to_owned();
        let snooze = Action::Snooze { until: NOW + HOUR };
        for action in [Action::Acknowledge, snooze, Action::Resolve, Action::Reopen] {
            check(
                &gone,
                action,
                "refused: al-0123456789abcdef is merged: it was merged into al-00 at 2026-11-21T10:11:40Z",
            );
        }
        gone.state = State::Withdrawn;
        check(
            &gone,
            Action::Acknowledge,
            "refused: al-0123456789abcdef is withdrawn: the findings no longer support it since 2026-11-21T10:11:40Z",
        );
    }

    #[test]
    fn a_snooze_ends_by_itself() {
        let until = NOW + 4 * HOUR;
        let quiet = done(&alert(), Action::Snooze { until }, NOW);
        assert_eq!(
            (quiet.state_at(until - 1), quiet.state_at(until)),
            (State::Snoozed, State::Open)
        );
        assert_eq!(quiet.clone().at(until - 1).snoozed_until, Some(until));
        assert_eq!(quiet.clone().at(until).snoozed_until, None);
        check(
            &quiet,
            Action::Snooze { until },
            "nothing: al-0123456789abcdef is snoozed until then already, by you",
        );
        check(&quiet, Action::Acknowledge, "acknowledged");
        let seen = done(&quiet, Action::Acknowledge, NOW + HOUR);
        assert_eq!(
            (seen.state_at(until), seen.snoozed_until),
            (State::Acknowledged, None)
        );
        // After its end it is open: there is nothing to reopen.
        assert!(matches!(
            ada(&quiet, Action::Reopen, until),
            Decision::Nothing(_)
        ));
        check(
            &alert(),
            Action::Snooze { until: NOW },
            "refused: a snooze until 2026-11-21T11:20:00Z is over",
        );
        check(
            &alert(),
            Action::Snooze {
                until: NOW + LONGEST_SNOOZE + 1,
            },
            "refused: a snooze until 2027-11-22T11:20:00.000001Z is too long; at most 366d",
        );
    }

    #[test]
    fn names_that_are_no_persons() {
        assert_eq!(operator(" ada "), Ok("ada"));
        for name in ["", "  ", "Evaluator", "guardlake", "a\u{1b}[2J", "x\ny"] {
            assert!(operator(name).is_err(), "{name:?}");
        }
        assert!(operator(&"x".repeat(129)).is_err());
    }

    #[test]
    fn an_id_may_be_its_beginning_if_that_says_which() {
        let named = |id: &str| Alert {
            alert_id: id.to_owned(),
            ..alert()
        };
        let alerts = [named("al-0a"), named("al-0ab"), named("al-1")];
        let id = |text: &str| find(&alerts, text).map(|alert| alert.alert_id.as_str());
        assert_eq!(
            (id("al-1"), id("al-0a"), id("al-0ab")),
            (Ok("al-1"), Ok("al-0a"), Ok("al-0ab"))
        );
        let several = "2 alerts start with `al-0` (al-0a, al-0ab); give more of it";
        assert_eq!(id("al-0"), Err(several.to_owned()));
        let none = |id: &str| {
            Err(format!(
                "there is no alert `{id}`; `guardlake alert list` lists them"
            ))
        };
        assert_eq!(id("al-2"), none("al-2"));
        assert_eq!(id(""), none(""));
    }
}
