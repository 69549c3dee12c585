//! Lives of alerts: by hand, and against whatever the rows do.

mod bell;
mod incremental;
mod resolving;
mod whatever;

use std::collections::BTreeSet;

use finding::{FindingKey, Label, VersionHash};
use proptest::prelude::*;

use crate::text::tests::alert;
use crate::{
    Action, Alert, AlertEvent, AsPlanned, Bell, Decision, Episode, Event, Look, Observation,
    Observations, Rule, State, Suppression, alert_id, decide, fold, plan, ring, sweep,
};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
const NOW: i64 = 1_000 * DAY;

fn rule(threshold: u64, window: &str, suppress_for: &str) -> Rule {
    let header = format!(
        "title: T\nseverity: high\ngroup_by: [g]\nthreshold: {threshold}\nwindow: {window}\nsuppress_for: {suppress_for}"
    );
    Rule::parse(
        "r",
        &format!("/*\n{header}\n*/\nSELECT * FROM observations"),
    )
    .unwrap()
}

fn group() -> Vec<(String, Option<String>)> {
    vec![("g".to_owned(), Some("v".to_owned()))]
}

/// Rows as (seconds before now, finding).
fn episodes(rule: &Rule, rows: &[(i64, u8)]) -> Vec<Episode> {
    let mut observations = Observations::new();
    for &(ago, finding) in rows {
        let version = u128::from(finding) << 64 | ago as u128;
        observations.push(&Observation {
            event_time: NOW - ago * SECOND,
            finding: FindingKey(u128::from(finding)),
            version: VersionHash(version),
            increase: 1,
            value: None,
            account_id: &format!("{:012}", finding % 3),
            region: "eu-west-1",
            finding_id: &format!("f{finding}"),
            finding_type: Some(
                ["Recon:EC2/Portscan", "Impact:EC2/PortSweep"][usize::from(finding % 2)],
            ),
            severity: Label::of(f64::from(finding % 10)),
            number: None,
            step: 0,
        });
    }
    sweep(&rule.terms(), &mut observations, i64::MAX)
}

/// A log, and what is planned for it when rows are seen.
struct Life {
    rule: Rule,
    log: Vec<AlertEvent>,
    now: i64,
    suppressions: Vec<Suppression>,
}

impl Life {
    fn new(threshold: u64, window: &str, suppress_for: &str) -> Life {
        Life {
            rule: rule(threshold, window, suppress_for),
            log: Vec::new(),
            now: NOW,
            suppressions: Vec::new(),
        }
    }

    /// The events that these rows add to the log, as `event seq reason`.
    #[track_caller]
    fn check(&mut self, rows: &[(i64, u8)], expected: &[&str]) -> &mut Life {
        let episodes = episodes(&self.rule, rows);
        let planned = self.plan(&episodes);
        let told: Vec<String> = planned
            .iter()
            .map(|event| format!("{} {} {}", event.event.as_str(), event.seq, event.reason))
            .collect();
        assert_eq!(told, expected);
        self.log.extend(planned);
        assert_eq!(self.plan(&episodes), []);
        self
    }

    fn plan(&self, episodes: &[Episode]) -> Vec<AlertEvent> {
        let alerts = self.alerts();
        let planned = plan(
            &self.rule,
            &group(),
            &alerts,
            episodes,
            &Look::at_all(self.now, 7, DAY),
        );
        let bell = Bell {
            rules: std::slice::from_ref(&self.rule),
            suppressions: &self.suppressions,
            now: self.now,
        };
        let as_planned = AsPlanned::of(&planned);
        let rung = ring(planned.clone(), &alerts, &bell);
        assert_eq!(as_planned.back(rung.clone()), planned);
        rung
    }

    fn alerts(&self) -> Vec<Alert> {
        fold(self.log.clone())
    }

    fn states(&self) -> Vec<&'static str> {
        self.alerts()
            .iter()
            .map(|alert| alert.state.as_str())
            .collect()
    }

    /// What somebody does ten seconds later.
    #[track_caller]
    fn act(&mut self, action: Action) {
        self.now += 10 * SECOND;
        match decide(&self.alerts()[0], action, "ada", "because", self.now) {
            Decision::Log(event) => self.log.push(*event),
            other => panic!("{other:?}"),
        }
    }

    /// Ids of the events that rang so far, as `event reason`.
    fn rung(&self) -> Vec<String> {
        let rung = self.log.iter().filter(|event| event.rings);
        rung.map(|event| format!("{} {}", event.event.as_str(), event.reason))
            .collect()
    }

    fn person(&mut self, event: Event) {
        let alert = self.alerts().remove(0);
        self.now += 10 * SECOND;
        self.log
            .push(alert.event(event, self.now, "ada", "because".to_owned()));
    }
}

#[test]
fn an_alert_opens_and_grows() {
    let mut life = Life::new(2, "10s", "20s");
    life.check(&[(100, 1)], &[]);
    life.check(
        &[(100, 1), (95, 2)],
        &["opened 0 2 findings within 10s (threshold 2)"],
    );
    life.check(
        &[(100, 1), (95, 2), (93, 3)],
        &["grew 1 count 2 to 3, findings 2 to 3, matches 1 to 2, accounts 2 to 3"],
    );
    assert_eq!(life.log[1].findings, ["f3"]);
    let alert = life.alerts().remove(0);
    assert_eq!(alert.findings, ["f1", "f2", "f3"]);
    assert_eq!((alert.count, alert.findings_total, alert.seq), (3, 3, 1));
    assert_eq!(alert.alert_id, alert_id("r", &group(), NOW - 95 * SECOND));
    assert_eq!(
        (alert.opening_match, alert.state),
        (NOW - 95 * SECOND, State::Open)
    );
    // An update of a known finding within the windows changes nothing but the number of matches.
    life.check(
        &[(100, 1), (95, 2), (94, 2), (93, 3)],
        &["grew 2 matches 2 to 3"],
    );
}

#[test]
fn late_rows_bridge_two_alerts_and_take_the_bridge_away_again() {
    let mut life = Life::new(2, "10s", "20s");
    let two = [(100, 1), (95, 2), (50, 3), (49, 4)];
    let opened = "opened 0 2 findings within 10s (threshold 2)";
    life.check(&two, &[opened, opened]);
    let older = life.alerts()[0].alert_id.clone();
    let bridged = [
        (100, 1),
        (95, 2),
        (80, 5),
        (79, 6),
        (65, 7),
        (64, 8),
        (50, 3),
        (49, 4),
    ];
    let merged = format!("merged 1 merged into {older}");
    life.check(
        &bridged,
        &[
            &merged,
            "escalated 1 severity Medium to High; findings 2 to 8, matches 1 to 4, accounts 2 to 3, severity Low to High",
        ],
    );
    assert_eq!(life.states(), ["open", "merged"]);
    // The first keeps what it opened with; the second comes back under its own id.
    life.check(
        &two,
        &[
            "grew 2 findings 8 to 2, matches 4 to 1, accounts 3 to 2, severity High to Low",
            "reopened 2 2 findings within 10s (threshold 2) again after it was merged",
        ],
    );
    assert_eq!(life.states(), ["open", "open"]);
    assert_eq!(life.alerts()[0].findings, ["f1", "f2"]);
    assert_eq!(life.alerts()[1].findings, ["f3", "f4"]);
}

#[test]
fn an_alert_without_support_is_withdrawn_and_may_return() {
    let mut life = Life::new(2, "10s", "20s");
    life.check(
        &[(100, 1), (95, 2)],
        &["opened 0 2 findings within 10s (threshold 2)"],
    );
    life.check(
        &[(100, 1)],
        &["withdrawn 1 the findings no longer support it"],
    );
    assert_eq!(life.states(), ["withdrawn"]);
    life.check(
        &[(100, 1), (95, 2)],
        &["reopened 2 2 findings within 10s (threshold 2) again after it was withdrawn"],
    );
    assert_eq!(life.states(), ["open"]);
}

#[test]
fn an_id_in_use_elsewhere_is_not_given_again() {
    let mut life = Life::new(1, "1s", "20s");
    let opened = "opened 0 1 findings within 1s (threshold 1)";
    life.check(&[(100, 1), (85, 2), (70, 3)], &[opened]);
    life.check(
        &[(70, 3)],
        &["grew 1 findings 3 to 1, matches 3 to 1, accounts 3 to 1"],
    );
    life.check(&[(100, 1), (70, 3)], &[opened]);
    let ids: BTreeSet<String> = life
        .alerts()
        .into_iter()
        .map(|alert| alert.alert_id)
        .collect();
    assert_eq!(ids.len(), 2);
}

#[test]
fn a_large_alert_names_the_first_findings_and_counts_all() {
    let mut life = Life::new(1, "1h", "1h");
    let mut told = 0;
    for findings in [600_u16, 1_500, 1_501, 700] {
        let mut rows = Observations::new();
        for n in 0..findings {
            rows.push(&Observation {
                event_time: NOW - i64::from(n),
                finding: FindingKey(u128::from(n)),
                version: VersionHash(u128::from(n)),
                increase: 1,
                value: None,
                account_id: "1",
                region: "r",
                finding_id: &format!("{n:04}"),
                finding_type: None,
                severity: None,
                number: None,
                step: 0,
            });
        }
        let episodes = sweep(&life.rule.terms(), &mut rows, i64::MAX);
        let planned = life.plan(&episodes);
        told += planned
            .iter()
            .map(|event| event.findings.len())
            .sum::<usize>();
        life.log.extend(planned);
        assert_eq!(life.plan(&episodes), []);
        let alert = life.alerts().remove(0);
        assert_eq!(alert.findings_total, i64::from(findings));
        assert_eq!(
            alert.findings.len(),
            usize::from(findings).min(crate::MAX_FINDINGS)
        );
    }
    // 600 and 400 more; nothing when the cap is reached; all 700 after some went.
    assert_eq!(told, 1_700);
}

#[test]
fn people_set_the_state_and_growth_leaves_it() {
    let mut life = Life::new(1, "1s", "20s");
    life.check(
        &[(100, 1)],
        &["opened 0 1 findings within 1s (threshold 1)"],
    );
    life.person(Event::Acknowledged);
    life.check(&[(100, 1), (90, 1)], &["grew 2 matches 1 to 2"]);
    assert_eq!(life.states(), ["acknowledged"]);
    life.person(Event::Resolved);
    life.check(&[(100, 1), (90, 1), (85, 1)], &["grew 4 matches 2 to 3"]);
    assert_eq!(life.states(), ["resolved"]);
    let alert = life.alerts().remove(0);
    assert_eq!(
        (alert.actor.as_str(), alert.state_since, alert.opened_at),
        ("evaluator", NOW + 20 * SECOND, NOW)
    );
    // Twenty seconds after NOW it was resolved; a match after that reopens.
    let reopened = "reopened 5 1 findings within 1s (threshold 1) after it was resolved";
    let long: Vec<(i64, u8)> = (-6..=20).map(|n| (n * 5, 1)).collect();
    life.check(&long, &[reopened]);
    assert_eq!(life.states(), ["open"]);
}

#[test]
fn history_does_not_ring() {
    let mut life = Life::new(1, "1s", "1s");
    let day = 86_400;
    let opened = "opened 0 1 findings within 1s (threshold 1)";
    life.check(&[(day + 1, 1), (day, 2), (5, 3)], &[opened, opened]);
    assert_eq!(
        life.alerts()
            .iter()
            .map(|alert| alert.historic)
            .collect::<Vec<_>>(),
        [false, false]
    );
    let mut life = Life::new(1, "1s", "1s");
    life.check(&[(day + 1, 1)], &[opened]);
    assert!(life.alerts()[0].historic);
}

#[test]
fn an_id_names_the_rule_the_group_and_the_match() {
    let pair = |column: &str, value: Option<&str>| (column.to_owned(), value.map(str::to_owned));
    let ids = [
        alert_id("r", &[], 5),
        alert_id("s", &[], 5),
        alert_id("r", &[], 6),
        alert_id("r", &[pair("a", None)], 5),
        alert_id("r", &[pair("a", Some(""))], 5),
        alert_id("r", &[pair("a", Some("null"))], 5),
        alert_id("r", &[pair("a", Some("x")), pair("b", Some("y"))], 5),
        alert_id("r", &[pair("a", Some("y")), pair("b", Some("x"))], 5),
    ];
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    assert!(ids.iter().all(|id| id.len() == 19 && id.starts_with("al-")));
    assert_eq!(
        alert_id("r", &[pair("b", Some("y")), pair("a", Some("x"))], 5),
        ids[6]
    );
}

#[test]
fn an_alert_in_json() {
    let mut alert = alert();
    alert.findings.truncate(2);
    let json = serde_json::to_string_pretty(&alert).unwrap();
    assert_eq!(
        json,
        r#"{
  "alert_id": "al-0123456789abcdef",
  "rule": "burst_from_one_remote_ip",
  "revision": "0123456789ab",
  "title": "Many findings from one remote IP",
  "severity": "High",
  "state": "open",
  "group": {
    "remote_ip": "198.51.100.7",
    "region": null
  },
  "count": 12,
  "threshold": 10,
  "window": "10m",
  "window_start": "2026-11-21T10:00:00Z",
  "window_end": "2026-11-21T10:10:00.000005Z",
  "first_match": "2026-11-21T10:08:20Z",
  "last_match": "2026-11-21T10:10:00Z",
  "first_seen": "2026-11-21T10:00:00Z",
  "last_seen": "2026-11-21T10:10:00Z",
  "opened_at": "2026-11-21T10:11:40Z",
  "changed_at": "2026-11-21T10:11:40Z",
  "state_since": "2026-11-21T10:11:40Z",
  "state_by": "evaluator",
  "snoozed_until": null,
  "suppressed_by": null,
  "historic": false,
  "max_severity": "Critical",
  "findings": [
    "f00",
    "f01"
  ],
  "findings_total": 12,
  "accounts": [
    "111122223333",
    "444455556666"
  ],
  "regions": [
    "eu-west-1"
  ],
  "types": [
    "Recon:EC2/Portscan"
  ],
  "sql": "SELECT 1"
}"#
    );
}

#[test]
fn words_lead_back_to_what_they_name() {
    for event in Event::ALL {
        assert_eq!(Event::from_word(event.as_str()), Some(event));
    }
    for state in State::ALL {
        assert_eq!(State::from_word(state.as_str()), Some(state));
    }
    assert_eq!(
        (Event::from_word("Opened"), State::from_word("")),
        (None, None)
    );
}

/// What an alert must share with its episode.
fn holds(alert: &Alert, episode: &Episode) -> bool {
    let ids = |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<_>>();
    alert.first_match == episode.first_match
        && alert.last_match == episode.last_match
        && alert.count == episode.count as i64
        && alert.matches == episode.matches as i64
        && (alert.window_start, alert.window_end) == (episode.window_start, episode.window_end)
        && (alert.first_seen, alert.last_seen) == (episode.first_seen, episode.last_seen)
        && ids(&alert.findings) == ids(&episode.findings)
        && alert.findings_total == episode.findings_total as i64
        && (&alert.accounts, &alert.regions) == (&episode.accounts, &episode.regions)
        && alert.max_severity == episode.max_severity
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Rows come, late ones too, and some go; people act; the threshold is revised: after each plan the live alerts are
    /// the episodes.
    #[test]
    fn the_log_adds_up_to_the_episodes(
        threshold in 1..4_u64,
        steps in proptest::collection::vec(
            (proptest::collection::vec((0..120_i64, 0..8_u8), 0..7), proptest::collection::vec(0..40_usize, 0..4), 0..6_usize),
            1..8,
        ),
    ) {
        let mut life = Life::new(threshold, "10s", "15s");
        let mut rows: Vec<(i64, u8)> = Vec::new();
        for (come, go, act) in steps {
            rows.extend(come);
            for place in go {
                if place < rows.len() {
                    rows.remove(place);
                }
            }
            let acts = [None, Some(Event::Acknowledged), Some(Event::Resolved), None, None, None];
            if let Some(event) = acts[act].filter(|_| life.alerts().first().is_some_and(|alert| alert.state.is_live())) {
                life.person(event);
            }
            if act == 5 {
                life.rule = rule(threshold + 1, "10s", "5s");
            }
            life.now += SECOND;
            let episodes = episodes(&life.rule, &rows);
            let planned = life.plan(&episodes);
            let before = life.alerts();
            let opening = |id: &str| before.iter().find(|alert| alert.alert_id == id).map(|alert| alert.opening_match);
            for event in planned.iter().filter(|event| event.event == Event::Merged) {
                let into = event.reason.strip_prefix("merged into ").unwrap();
                prop_assert!(opening(into).unwrap() <= opening(&event.alert_id).unwrap());
            }
            life.log.extend(planned);
            prop_assert_eq!(life.plan(&episodes), vec![]);

            let alerts = life.alerts();
            let mut live: Vec<&Alert> = alerts.iter().filter(|alert| alert.state.is_live()).collect();
            live.sort_by_key(|alert| alert.first_match);
            prop_assert_eq!(live.len(), episodes.len());
            for (alert, episode) in live.iter().zip(&episodes) {
                prop_assert!(holds(alert, episode), "{:?}\n{:?}", alert, episode);
            }
            let names: BTreeSet<(&str, i64)> = life.log.iter().map(|event| (event.alert_id.as_str(), event.seq)).collect();
            prop_assert_eq!(names.len(), life.log.len());
        }
        let mut shuffled = life.log.clone();
        shuffled.reverse();
        shuffled.extend(life.log.iter().take(3).cloned());
        prop_assert_eq!(fold(shuffled), life.alerts());
    }
}
