//! The view `alerts` against the fold, over lives that go anywhere.

use alerts::{Alert, AlertEvent, Event, Told, fold, rfc3339};
use finding::Label;
use lake::{AlertCommit, Lake};

use crate::testing::ask;
use crate::{Library, Limits, Session};

const SECOND: i64 = 1_000_000;
/// Long after any clock that runs this.
const FAR: i64 = 7_000_000_000 * SECOND;
const LONG_AGO: i64 = 1_000_000_000 * SECOND;

/// Numbers that are random enough and the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((self.0 >> 33) as i64) % bound
    }
}

fn opened(id: usize, chance: &mut Chance) -> AlertEvent {
    AlertEvent {
        alert_id: format!("al-{id:03}"),
        seq: 0,
        event: Event::Opened,
        at: LONG_AGO + id as i64,
        rule: "r".into(),
        revision: "a".into(),
        title: "T".into(),
        severity: Label::High,
        group: vec![("g".into(), Some(id.to_string()))],
        count: chance.below(90),
        threshold: 1,
        window_us: 1,
        window: "1s".into(),
        window_start: 0,
        window_end: 1,
        first_match: 2,
        last_match: 3,
        matches: 1,
        first_seen: 4,
        last_seen: 5,
        findings: vec!["f".into()],
        findings_total: 1,
        accounts: vec!["1".into()],
        regions: vec!["r".into()],
        types: vec![],
        max_severity: None,
        sql: "q".into(),
        historic: chance.below(2) == 0,
        actor: "evaluator".into(),
        reason: "opened".into(),
        findings_version: 1,
        rings: false,
        told: None,
        until: None,
        suppressed_by: (chance.below(3) == 0).then(|| "s0".into()),
    }
}

/// Any next event, possible or not: the log says what happened, the view and the fold must read it alike.
fn next(alert: &Alert, chance: &mut Chance) -> AlertEvent {
    let event = Event::ALL[chance.below(9) as usize];
    let actor = ["evaluator", "ada", "bob"][chance.below(3) as usize];
    let at = alert.changed_at + 1 + chance.below(5);
    let mut next = alert.event(event, at, actor, format!("reason {}", chance.below(100)));
    // What only repeats the rest for the reader must not be read: it says something else here.
    next.count = chance.below(1_000);
    next.findings_total = 1 + chance.below(3);
    next.findings = (0..next.findings_total).map(|n| format!("f{n}")).collect();
    next.last_match = alert.last_match + chance.below(9);
    next.severity = [Label::Low, Label::High][chance.below(2) as usize];
    next.max_severity = [None, Some(Label::Low)][chance.below(2) as usize];
    next.accounts.push(format!("{}", chance.below(9)));
    next.revision = format!("r{}", chance.below(9));
    next.historic = chance.below(2) == 0;
    next.suppressed_by = (chance.below(2) == 0).then(|| format!("s{}", chance.below(3)));
    next.rings = chance.below(2) == 0;
    next.told = (chance.below(2) == 0).then_some(Told {
        count: next.count,
        severity: next.max_severity,
    });
    next.until = match (event, chance.below(3)) {
        (Event::Snoozed, 0) => Some(LONG_AGO),
        (Event::Snoozed, _) => Some(FAR),
        _ => None,
    };
    next
}

#[tokio::test(flavor = "multi_thread")]
async fn the_view_of_alerts_says_what_the_fold_says() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path().to_str().unwrap())
        .await
        .unwrap();
    let mut chance = Chance(7);
    let mut log: Vec<AlertEvent> = (0..120).map(|id| opened(id, &mut chance)).collect();
    let mut written = 0;
    for _ in 0..6 {
        for alert in fold(log.clone()) {
            if chance.below(3) > 0 {
                log.push(next(&alert, &mut chance));
            }
        }
        let version = lake.alert_log_version().await.unwrap();
        let committed = lake
            .append_alert_events(version, &log[written..], &[])
            .await;
        assert!(matches!(committed, Ok(AlertCommit::Committed { .. })));
        written = log.len();
    }
    assert_eq!(lake.alert_events().await.unwrap(), log);

    let session = Session::open(&lake, &Library::built_in(), &Limits::default())
        .await
        .unwrap();
    let seen = ask(
        &session,
        "SELECT alert_id, state, CAST(state_since AS BIGINT), state_by, CAST(snoozed_until AS BIGINT), severity, count, \
         findings_total, CAST(first_match AS BIGINT), CAST(last_match AS BIGINT), accounts, max_severity, \
         CAST(opened_at AS BIGINT), CAST(changed_at AS BIGINT), historic, suppressed_by, actor, reason, revision \
         FROM alerts ORDER BY alert_id",
    )
    .await
    .unwrap();
    let now = 2_000_000_000 * SECOND;
    let mut alerts: Vec<Alert> = fold(log).into_iter().map(|alert| alert.at(now)).collect();
    alerts.sort_by(|a, b| a.alert_id.cmp(&b.alert_id));
    let states: std::collections::BTreeSet<_> = alerts.iter().map(|alert| alert.state).collect();
    assert_eq!(states.len(), 6, "every state is there: {states:?}");
    let line = |alert: &Alert| {
        let or_null = |text: Option<String>| text.unwrap_or_else(|| "null".to_owned());
        [
            alert.alert_id.clone(),
            alert.state.as_str().to_owned(),
            alert.state_since.to_string(),
            alert.state_by.clone(),
            or_null(alert.snoozed_until.map(|until| until.to_string())),
            alert.severity.as_str().to_owned(),
            alert.count.to_string(),
            alert.findings_total.to_string(),
            alert.first_match.to_string(),
            alert.last_match.to_string(),
            format!("[{}]", alert.accounts.join(", ")),
            or_null(alert.max_severity.map(|label| label.as_str().to_owned())),
            alert.opened_at.to_string(),
            alert.changed_at.to_string(),
            alert.historic.to_string(),
            or_null(alert.suppressed_by.clone()),
            alert.actor.clone(),
            alert.reason.clone(),
            alert.revision.clone(),
        ]
        .join("|")
    };
    let expected: Vec<String> = alerts.iter().map(line).collect();
    for (seen, expected) in seen.lines().zip(&expected) {
        assert_eq!(seen, expected, "{}", rfc3339(now));
    }
    assert_eq!(seen.lines().count(), expected.len());
}
