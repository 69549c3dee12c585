//! Whatever rows, people, time and suppression files do: no live alert is lost and nothing rings twice.

use super::*;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// Rows come (seconds before NOW, finding), late ones too.
    Come(Vec<(i64, u8)>),
    /// Rows go.
    Go(Vec<usize>),
    /// Somebody does something to one of the alerts.
    Act(usize, u8),
    /// Seconds pass.
    Wait(i64),
    /// The suppression is there or not.
    Suppress(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let row = (-200..200_i64, 0..30_u8);
    let step = prop_oneof![
        4 => proptest::collection::vec(row, 1..9).prop_map(Step::Come),
        1 => proptest::collection::vec(0..40_usize, 1..4).prop_map(Step::Go),
        3 => (0..4_usize, 0..4_u8).prop_map(|(which, what)| Step::Act(which, what)),
        2 => (1..120_i64).prop_map(Step::Wait),
        1 => any::<bool>().prop_map(Step::Suppress),
    ];
    proptest::collection::vec(step, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_live_alert_is_lost_and_nothing_rings_twice(
        threshold in 1..3_u64,
        resolve_after in proptest::option::of(30..200_i64),
        steps in steps(),
    ) {
        let mut life = Life::new(threshold, "20s", "30s");
        life.rule.resolve_after = resolve_after.map(|s| crate::Period::parse(&format!("{s}s")).unwrap());
        let mut rows: Vec<(i64, u8)> = Vec::new();
        for step in steps {
            let mut resolved_by_ada = None;
            match step {
                Step::Come(come) => rows.extend(come),
                Step::Go(go) => for place in go {
                    if place < rows.len() {
                        rows.remove(place);
                    }
                },
                Step::Wait(seconds) => life.now += seconds * SECOND,
                Step::Suppress(on) => {
                    let text = "suppressions:\n  - {id: s, match: {g: v}, owner: o, reason: r, expires: 1973-01-01}\n";
                    life.suppressions = if on { Suppression::parse("s", text, NOW).unwrap() } else { vec![] };
                }
                Step::Act(which, what) => {
                    let alerts = life.alerts();
                    let until = life.now + 50 * SECOND;
                    let action = [Action::Acknowledge, Action::Snooze { until }, Action::Resolve, Action::Reopen][usize::from(what)];
                    if let Some(alert) = alerts.get(which) {
                        match decide(alert, action, "ada", "", life.now) {
                            Decision::Log(event) => {
                                prop_assert!(alert.state.is_live());
                                if action == Action::Resolve {
                                    resolved_by_ada = Some(alert.alert_id.clone());
                                }
                                life.log.push(*event);
                            }
                            Decision::Nothing(_) => {}
                            Decision::Refused(_) => prop_assert!(!alert.state.is_unresolved()),
                        }
                    }
                }
            }
            let episodes = episodes(&life.rule, &rows);
            let before = life.alerts();
            let planned = life.plan(&episodes);
            for event in planned.iter().filter(|event| event.rings) {
                // Only these ring, and only what is neither history nor hidden.
                prop_assert!(matches!(event.event, Event::Opened | Event::Reopened | Event::Escalated));
                prop_assert!(!event.historic && event.suppressed_by.is_none());
                let known = before.iter().find(|alert| alert.alert_id == event.alert_id);
                if let (Event::Escalated, Some(known)) = (event.event, known) {
                    prop_assert!(known.state_at(life.now) != State::Snoozed && known.state != State::Resolved);
                    let more = known.told.is_none_or(|told| event.max_severity > told.severity || event.count >= told.count * 10);
                    prop_assert!(more || known.suppressed_by.is_some(), "{event:?}\n{known:?}");
                }
            }
            life.log.extend(planned);
            // Nothing twice: asked again there is nothing to say.
            prop_assert_eq!(life.plan(&episodes), vec![]);

            // Nothing lost: each episode has its one live alert, and whoever must know of it does.
            let alerts = life.alerts();
            let mut live: Vec<&Alert> = alerts.iter().filter(|alert| alert.state.is_live()).collect();
            live.sort_by_key(|alert| alert.first_match);
            prop_assert_eq!(live.len(), episodes.len());
            for (alert, episode) in live.into_iter().zip(&episodes) {
                prop_assert!(holds(alert, episode));
                let awake = matches!(alert.state_at(life.now), State::Open | State::Acknowledged);
                if awake && !alert.historic && alert.suppressed_by.is_none() {
                    prop_assert!(alert.told.is_some(), "{alert:?}");
                }
            }
            // What ada has just resolved stays so, unless a later match had come.
            for alert in alerts.iter().filter(|alert| resolved_by_ada.as_ref() == Some(&alert.alert_id)) {
                prop_assert!(alert.state == State::Resolved, "{alert:?}");
            }
            let places: BTreeSet<(&str, i64)> = life.log.iter().map(|event| (event.alert_id.as_str(), event.seq)).collect();
            prop_assert_eq!(places.len(), life.log.len());
        }
    }
}
