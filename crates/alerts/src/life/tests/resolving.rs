//! Alerts that end by people's hands or by quiet, and what opens them again.

use super::*;

const OPENED: &str = "opened 0 1 findings within 1s (threshold 1)";

#[test]
fn a_match_that_goes_on_after_a_resolve_reopens_and_a_later_one_opens_anew() {
    // Resolved at NOW + 10 s; matches up to NOW.
    let mut life = Life::new(1, "1s", "20s");
    life.check(&[(0, 1)], &[OPENED]);
    life.act(Action::Resolve);
    // Late rows before the resolve: it grows, silently.
    let late = [(15, 1), (0, 1), (-9, 1)];
    life.check(&late, &["grew 2 matches 1 to 3"]);
    assert_eq!((life.states(), life.rung().len()), (vec!["resolved"], 1));
    // 21 seconds after the last match is another episode, whatever the resolve's time.
    life.now += 30 * SECOND;
    let anew = [(15, 1), (0, 1), (-9, 1), (-30, 2)];
    life.check(&anew, &[OPENED]);
    assert_eq!(
        (life.states(), life.rung().len()),
        (vec!["resolved", "open"], 2)
    );

    let mut life = Life::new(1, "1s", "20s");
    life.check(&[(0, 1)], &[OPENED]);
    life.act(Action::Resolve);
    life.now += 30 * SECOND;
    life.check(
        &[(0, 1), (-20, 2)],
        &["reopened 2 1 findings within 1s (threshold 1) after it was resolved"],
    );
    assert_eq!((life.states(), life.rung().len()), (vec!["open"], 2));
}

#[test]
fn matches_of_the_future_that_an_alert_had_when_it_was_resolved_do_not_reopen_it() {
    let mut life = Life::new(1, "1s", "20s");
    life.check(&[(-600, 1)], &[OPENED]);
    life.act(Action::Resolve);
    life.check(&[(-600, 1)], &[]);
    life.check(&[(-600, 1), (-595, 1)], &["grew 2 matches 1 to 2"]);
    life.check(
        &[(-600, 1), (-595, 1), (-601, 2)],
        &["reopened 3 1 findings within 1s (threshold 1) after it was resolved"],
    );
}

fn quiet_rule(text: &str) -> Rule {
    let mut rule = rule(1, "1s", "1h");
    rule.resolve_after = Some(crate::Period::parse(text).unwrap());
    rule
}

#[test]
fn quiet_resolves_and_the_same_episode_reopens() {
    let mut life = Life::new(1, "1s", "1h");
    life.rule = quiet_rule("30m");
    life.check(&[(0, 1)], &[OPENED]);
    life.now = NOW + 1_800 * SECOND;
    life.check(&[(0, 1)], &[]);
    life.now += 1;
    life.check(&[(0, 1)], &["resolved 1 quiet for 30m"]);
    let alert = life.alerts().remove(0);
    assert_eq!(
        (alert.state, alert.state_by.as_str()),
        (State::Resolved, "evaluator")
    );
    // A late row between: by now it is quiet as well.
    life.now = NOW + 3_500 * SECOND;
    life.check(&[(0, 1), (-1_000, 1)], &["grew 2 matches 1 to 2"]);
    // One that is not.
    life.check(
        &[(0, 1), (-1_000, 1), (-3_400, 1)],
        &["reopened 3 1 findings within 1s (threshold 1) after it was resolved"],
    );
    assert_eq!(life.rung().len(), 2);
}

#[test]
fn quiet_ends_acknowledged_and_snoozed_alerts_too_but_waits_for_a_person_who_reopened() {
    for action in [
        Action::Acknowledge,
        Action::Snooze {
            until: NOW + 90 * DAY,
        },
    ] {
        let mut life = Life::new(1, "1s", "1h");
        life.rule = quiet_rule("30m");
        life.check(&[(0, 1)], &[OPENED]);
        life.act(action);
        life.now = NOW + 1_801 * SECOND;
        life.check(&[(0, 1)], &["resolved 2 quiet for 30m"]);
        life.act(Action::Reopen);
        let reopened = life.now;
        life.check(&[(0, 1)], &[]);
        life.now = reopened + 1_800 * SECOND;
        life.check(&[(0, 1)], &[]);
        life.now += 1;
        life.check(&[(0, 1)], &["resolved 4 quiet for 30m"]);
        assert_eq!(life.rung().len(), 1);
    }
}

#[test]
fn quiet_needs_no_findings_and_a_rule_that_asks_for_it() {
    let mut life = Life::new(1, "1s", "1h");
    life.check(&[(0, 1)], &[OPENED]);
    let later = NOW + DAY;
    assert_eq!(
        crate::quiet(&life.alerts(), &[life.rule.clone()], later),
        []
    );
    let quiet = crate::quiet(&life.alerts(), &[quiet_rule("2h")], later);
    assert_eq!(quiet.len(), 1);
    let event = &quiet[0];
    assert_eq!(
        (event.event, event.actor.as_str(), event.reason.as_str()),
        (Event::Resolved, "evaluator", "quiet for 2h")
    );
    let mut other = quiet_rule("2h");
    other.id = "other".to_owned();
    assert_eq!(crate::quiet(&life.alerts(), &[other], later), []);
    life.log.extend(quiet);
    assert_eq!(
        crate::quiet(&life.alerts(), &[quiet_rule("2h")], later + DAY),
        []
    );
}

#[test]
fn an_open_alert_is_not_lost_in_a_resolved_one() {
    let mut life = Life::new(1, "1s", "20s");
    life.check(&[(100, 1), (70, 2)], &[OPENED, OPENED]);
    life.act(Action::Resolve);
    assert_eq!(life.states(), ["resolved", "open"]);
    let younger = life.alerts()[1].alert_id.clone();
    let planned = life.plan(&episodes(&life.rule, &[(100, 1), (85, 3), (70, 2)]));
    let told: Vec<_> = planned
        .iter()
        .map(|e| (e.event, e.rings, e.reason.clone()))
        .collect();
    let joined = format!("1 findings within 1s (threshold 1) joined by {younger}, which was open");
    assert_eq!(told[1], (Event::Reopened, false, joined));
    life.log.extend(planned);
    assert_eq!(life.states(), ["open", "merged"]);
}

#[test]
fn a_query_whose_row_comes_back_opens_its_alert_again() {
    let mut life = Life::new(1, "1s", "20s");
    let found = episodes(&life.rule, &[(100, 1)]);
    life.rule.kind = crate::Kind::Query;
    let look = |life: &mut Life, found: &[Episode]| {
        let planned = life.plan(found);
        life.log.extend(planned.clone());
        assert_eq!(life.plan(found), []);
        planned
            .iter()
            .map(|e| (e.event, e.rings))
            .collect::<Vec<_>>()
    };
    assert_eq!(look(&mut life, &found), [(Event::Opened, true)]);
    assert_eq!(look(&mut life, &[]), [(Event::Resolved, false)]);
    assert_eq!(look(&mut life, &found), [(Event::Reopened, true)]);
    // What a person has resolved stays so while the row does.
    life.act(Action::Resolve);
    assert_eq!(look(&mut life, &found), []);
}
