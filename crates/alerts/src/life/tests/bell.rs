//! What rings and what does not.

use super::*;

fn life() -> Life {
    Life::new(2, "60s", "60s")
}

#[test]
fn an_alert_rings_once_and_again_when_it_is_ten_times_as_large() {
    let mut life = life();
    // All of the same label.
    let rows: Vec<(i64, u8)> = (0..25).map(|n| (i64::from(n), n * 10 + 1)).collect();
    for n in 1..=rows.len() {
        let episodes = episodes(&life.rule, &rows[..n]);
        let planned = life.plan(&episodes);
        life.log.extend(planned);
        assert_eq!(life.plan(&episodes), [], "nothing twice");
    }
    let rung = life.rung();
    assert_eq!(rung.len(), 2, "{rung:?}");
    assert!(rung[0].starts_with("opened 2 findings"), "{rung:?}");
    assert!(rung[1].starts_with("escalated count 2 to 20; "), "{rung:?}");
    let alert = life.alerts().remove(0);
    assert_eq!(
        (alert.count, alert.told.map(|told| told.count)),
        (25, Some(20))
    );
    assert_eq!(alert.findings.len(), 25);
}

#[test]
fn of_two_events_of_one_alert_the_second_is_judged_by_what_the_first_leaves() {
    let life = life();
    let rows = [(9, 1), (8, 2), (7, 9)];
    let look = Look::at_all(life.now, 7, DAY);
    let planned = |alerts: &[Alert], rows: &[(i64, u8)]| {
        let episodes = episodes(&life.rule, rows);
        plan(&life.rule, &group(), alerts, &episodes, &look)
    };
    let mut both = planned(&[], &rows[..2]);
    both.extend(planned(&fold(both.clone()), &rows));
    let bell = Bell {
        rules: std::slice::from_ref(&life.rule),
        suppressions: &[],
        now: life.now,
    };
    let events = ring(both, &[], &bell);
    let told: Vec<_> = (events.iter())
        .map(|event| (event.event, event.rings))
        .collect();
    assert_eq!(told, [(Event::Opened, true), (Event::Escalated, true)]);
}

#[test]
fn a_higher_label_rings_even_when_acknowledged() {
    let mut life = life();
    life.check(
        &[(9, 1), (8, 2)],
        &["opened 0 2 findings within 60s (threshold 2)"],
    );
    life.act(Action::Acknowledge);
    let grown = [(9, 1), (8, 2), (7, 3)];
    life.check(
        &grown,
        &["grew 2 count 2 to 3, findings 2 to 3, matches 1 to 2, accounts 2 to 3"],
    );
    let severe = [(9, 1), (8, 2), (7, 3), (6, 9)];
    life.check(
        &severe,
        &["escalated 3 severity Low to Critical; count 3 to 4, findings 3 to 4, matches 2 to 3, severity Low to Critical"],
    );
    assert_eq!(life.states(), ["acknowledged"]);
    // Gone and back again: it was told.
    life.check(
        &grown,
        &["grew 4 count 4 to 3, findings 4 to 3, matches 3 to 2, severity Critical to Low"],
    );
    life.check(
        &severe,
        &["grew 5 count 3 to 4, findings 3 to 4, matches 2 to 3, severity Low to Critical"],
    );
    assert_eq!(life.rung().len(), 2);
}

#[test]
fn nothing_rings_in_a_snooze_and_what_was_worth_it_does_at_its_end() {
    let mut life = life();
    life.check(
        &[(9, 1), (8, 2)],
        &["opened 0 2 findings within 60s (threshold 2)"],
    );
    let until = life.now + 3_600 * SECOND;
    life.act(Action::Snooze { until });
    let severe = [(9, 1), (8, 2), (7, 9)];
    life.check(
        &severe,
        &["grew 2 count 2 to 3, findings 2 to 3, matches 1 to 2, accounts 2 to 3, severity Low to Critical"],
    );
    assert_eq!((life.rung().len(), life.states()), (1, vec!["snoozed"]));
    life.now = until - 1;
    life.check(&severe, &[]);
    life.now = until;
    life.check(
        &severe,
        &["escalated 3 severity Low to Critical; while it was snoozed"],
    );
    assert_eq!(life.rung().len(), 2);
    let alert = life.alerts().remove(0).at(life.now);
    assert_eq!(
        (alert.state, alert.snoozed_until, alert.findings.len()),
        (State::Open, None, 3)
    );
    life.now += DAY;
    life.check(&severe, &[]);

    // Growth that is not worth it stays silent at the end.
    let mut life = self::life();
    life.check(
        &[(9, 1), (8, 2)],
        &["opened 0 2 findings within 60s (threshold 2)"],
    );
    let until = life.now + 3_600 * SECOND;
    life.act(Action::Snooze { until });
    let grown = [(9, 1), (8, 2), (7, 3)];
    life.check(
        &grown,
        &["grew 2 count 2 to 3, findings 2 to 3, matches 1 to 2, accounts 2 to 3"],
    );
    life.now = until;
    life.check(&grown, &[]);
}

#[test]
fn history_that_becomes_news_rings_then() {
    let mut life = Life::new(1, "60s", "2000m");
    let day = 86_400;
    life.check(
        &[(day + 9, 1)],
        &["opened 0 1 findings within 60s (threshold 1)"],
    );
    assert_eq!(life.rung(), [""; 0]);
    life.check(&[(day + 9, 1), (day + 5, 1)], &["grew 1 matches 1 to 2"]);
    assert_eq!(life.rung(), [""; 0]);
    life.check(
        &[(day + 9, 1), (day + 5, 1), (60, 2)],
        &["escalated 2 told for the first time; findings 1 to 2, matches 2 to 3, accounts 1 to 2"],
    );
    // What a person has acknowledged is known, and needs no bell of its own.
    let mut life = Life::new(1, "60s", "2000m");
    life.check(
        &[(day + 9, 1)],
        &["opened 0 1 findings within 60s (threshold 1)"],
    );
    life.act(Action::Acknowledge);
    life.check(
        &[(day + 9, 1), (60, 2)],
        &["grew 2 findings 1 to 2, matches 1 to 2, accounts 1 to 2"],
    );
    assert_eq!(life.rung(), [""; 0]);
}

fn suppression(expires: &str) -> Vec<Suppression> {
    let text = format!(
        "suppressions:\n  - id: known\n    match: {{g: v}}\n    owner: o\n    reason: r\n    expires: {expires}\n"
    );
    Suppression::parse("s.yml", &text, NOW).unwrap()
}

#[test]
fn what_is_suppressed_is_logged_and_silent_until_it_expires() {
    assert_eq!(crate::rfc3339(NOW), "1972-09-27T00:00:00Z");
    let mut life = life();
    life.suppressions = suppression("1972-09-27T01:00:00Z");
    life.check(
        &[(9, 1), (8, 2)],
        &["opened 0 2 findings within 60s (threshold 2)"],
    );
    let alert = life.alerts().remove(0);
    assert_eq!(
        (alert.suppressed_by.as_deref(), alert.told),
        (Some("known"), None)
    );
    assert_eq!(life.suppressions[0].hidden(&life.alerts()), (1, 2));
    // Ten times as bad, and silent.
    let severe = [(9, 1), (8, 2), (7, 9)];
    life.check(
        &severe,
        &["grew 1 count 2 to 3, findings 2 to 3, matches 1 to 2, accounts 2 to 3, severity Low to Critical"],
    );
    assert_eq!(life.suppressions[0].hidden(&life.alerts()), (1, 3));
    assert_eq!(life.rung(), [""; 0]);
    life.now += 3_600 * SECOND;
    life.check(&severe, &[]);
    let grown = [(9, 1), (8, 2), (7, 9), (6, 9)];
    life.check(
        &grown,
        &["escalated 2 suppression known expired 1972-09-27T01:00:00Z; matches 2 to 3"],
    );
    assert_eq!(
        (life.rung().len(), life.alerts()[0].suppressed_by.as_deref()),
        (1, None)
    );
    let more = [(9, 1), (8, 2), (7, 9), (6, 9), (5, 9)];
    life.check(&more, &["grew 3 matches 3 to 4"]);
    // An expired one hides no new alert.
    let mut life = self::life();
    life.suppressions = suppression("1972-09-26");
    life.check(
        &[(9, 1), (8, 2)],
        &["opened 0 2 findings within 60s (threshold 2)"],
    );
    assert_eq!(life.rung().len(), 1);
}

#[test]
fn a_suppression_that_is_taken_out_or_comes_later() {
    let mut life = life();
    life.check(
        &[(9, 1), (8, 2)],
        &["opened 0 2 findings within 60s (threshold 2)"],
    );
    life.suppressions = suppression("1972-10-01");
    let severe = [(9, 1), (8, 2), (7, 9)];
    life.check(
        &severe,
        &["grew 1 count 2 to 3, findings 2 to 3, matches 1 to 2, accounts 2 to 3, severity Low to Critical"],
    );
    assert_eq!(life.rung().len(), 1);
    life.suppressions.clear();
    let grown = [(9, 1), (8, 2), (7, 9), (6, 9)];
    life.check(
        &grown,
        &["escalated 2 suppression known is gone; matches 2 to 3"],
    );
    assert_eq!(life.rung().len(), 2);
}

#[test]
fn an_alert_that_another_joins_does_not_ring_for_what_the_other_told() {
    let mut life = Life::new(1, "10s", "40000s");
    let day = 86_400;
    let opened = "opened 0 1 findings within 10s (threshold 1)";
    // The older one is history and never rang; the younger one did.
    life.check(&[(day + 9_000, 1), (9, 2)], &[opened, opened]);
    assert_eq!(life.rung().len(), 1);
    let planned = life.plan(&episodes(
        &life.rule,
        &[(day + 9_000, 1), (60_000, 3), (30_000, 3), (9, 2)],
    ));
    let told: Vec<_> = planned
        .iter()
        .map(|event| (event.event, event.rings))
        .collect();
    assert_eq!(told, [(Event::Merged, false), (Event::Grew, false)]);
    assert!(planned[1].told.is_some());
}

#[test]
fn of_two_alerts_that_become_one_the_larger_was_told() {
    let mut life = Life::new(1, "10s", "60s");
    let opened = |count: u32| format!("opened 0 {count} findings within 10s (threshold 1)");
    let rows = [(200, 1), (9, 2), (8, 12), (7, 22)];
    life.check(&rows, &[&opened(1), &opened(3)]);
    let joined: Vec<_> = rows
        .into_iter()
        .chain([(140, 1), (80, 1), (60, 1)])
        .collect();
    let planned = life.plan(&episodes(&life.rule, &joined));
    assert_eq!(planned[1].event, Event::Grew);
    assert_eq!(planned[1].told.map(|told| told.count), Some(3));
    life.log.extend(planned);
    assert_eq!(life.rung().len(), 2);
}

#[test]
fn what_became_worse_in_a_snooze_and_is_history_by_then_stays_silent() {
    let mut life = life();
    life.check(
        &[(9, 1), (8, 2)],
        &["opened 0 2 findings within 60s (threshold 2)"],
    );
    let until = NOW + 3 * DAY;
    life.act(Action::Snooze { until });
    life.now = NOW + 2 * DAY;
    let late = [(9, 1), (8, 2), (7, 9)];
    let planned = life.plan(&episodes(&life.rule, &late));
    assert_eq!((planned[0].event, planned[0].historic), (Event::Grew, true));
    life.log.extend(planned);
    life.now = until;
    life.check(&late, &[]);
}
