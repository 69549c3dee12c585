//! Rows that come late, in any order, twice; rules that change in the middle.

use alerts::Event;
use jobs::Report;
use lake::Lake;

use super::ground::{DAY, MINUTE, NOW, Seen, alerts, burst, check_log, evaluate, log, rule, store};
use crate::support::{Chance, folder};

/// What is promised to be the same whatever the order: the live alerts, without ids and log.
async fn standing(lake: &Lake) -> Vec<(String, i64, i64, i64, i64, i64)> {
    let mut found: Vec<_> = alerts(lake)
        .await
        .into_iter()
        .filter(|alert| alert.state.is_live())
        .map(|alert| {
            let group = alert.group[0].1.clone().unwrap_or_default();
            let (first, last) = (alert.first_match, alert.last_match);
            (
                group,
                first,
                last,
                alert.count,
                alert.matches,
                alert.findings_total,
            )
        })
        .collect();
    found.sort();
    found
}

/// Bursts of several addresses over two days, with gaps that late rows bridge.
fn rows() -> Vec<Seen> {
    let mut rows = Vec::new();
    for address in 0..6 {
        for nth in 0..8_u32 {
            let from = address * 1_000 + nth * 10;
            let end = NOW - i64::from(nth * (37 + address)) * MINUTE;
            rows.extend(burst(from, 2 + (nth + address) % 4, end, address));
        }
    }
    rows
}

/// Fault 45: up to six hours late and shuffled, looked at after each commit, against one look at everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_45_late_and_shuffled_findings_lead_to_the_same_alerts() {
    let rules = [rule("burst", 3, "")];
    let (_one, uri) = folder();
    let at_once = Lake::open_or_create(&uri).await.expect("a lake");
    store(&at_once, &rows()).await;
    evaluate(&at_once, &rules, NOW).await;
    let expected = standing(&at_once).await;
    assert!(expected.len() > 8, "{expected:?}");

    for seed in [1, 2] {
        let mut chance = Chance(seed);
        let mut late = rows();
        // Each row arrives up to six hours after its time.
        let delay = |chance: &mut Chance| chance.below(360) as i64 * MINUTE;
        let mut arriving: Vec<(i64, Seen)> = late
            .drain(..)
            .map(|seen| (seen.1 + delay(&mut chance), seen))
            .collect();
        arriving.sort();
        let (_folder, uri) = folder();
        let lake = Lake::open_or_create(&uri).await.expect("a lake");
        let mut rung = 0;
        for part in arriving.chunks(arriving.len().div_ceil(9)) {
            let part: Vec<Seen> = part.iter().map(|(_, seen)| *seen).collect();
            store(&lake, &part).await;
            rung += evaluate(&lake, &rules, NOW).await.told().count();
        }
        assert_eq!(standing(&lake).await, expected, "seed {seed}");
        let events = log(&lake).await;
        check_log(&events);
        // Told were those that are logged as told: each alert when it opened, and again only after it had been withdrawn.
        let bells: Vec<_> = events.iter().filter(|event| event.rings).collect();
        assert_eq!(rung, bells.len());
        assert!(
            bells
                .iter()
                .all(|e| matches!(e.event, Event::Opened | Event::Reopened))
        );
        // The same rows again: every version is known, nothing is evaluated, nothing rings.
        store(&lake, &rows()).await;
        let again = evaluate(&lake, &rules, NOW).await;
        assert_eq!(again.events, [], "replayed");
        assert_eq!(log(&lake).await.len(), events.len());
    }
}

/// Fault 44: a rule is revised while its window is half full. The alerts are those of the new rule over all rows; those that
/// both support keep their ids and do not ring again, the others are withdrawn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_44_a_rule_that_changes_mid_window_keeps_the_alerts_it_still_supports() {
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    let mut first = burst(0, 3, NOW - 5 * MINUTE, 1);
    first.extend(burst(10, 6, NOW - 5 * MINUTE, 2));
    store(&lake, &first).await;
    let old = [rule("burst", 3, "")];
    assert_eq!(evaluate(&lake, &old, NOW).await.told().count(), 2);
    let before = alerts(&lake).await;

    // The other half of the window comes after the change.
    let new = [rule("burst", 6, "")];
    store(&lake, &burst(20, 3, NOW - 4 * MINUTE, 3)).await;
    let report = evaluate(&lake, &new, NOW).await;
    let count = |report: &Report, event| report.count(event);
    assert_eq!(
        (count(&report, Event::Withdrawn), report.told().count()),
        (1, 0)
    );
    let kept: Vec<_> = alerts(&lake)
        .await
        .into_iter()
        .filter(|a| a.state.is_live())
        .collect();
    assert_eq!(kept.len(), 1);
    assert!(
        before
            .iter()
            .any(|alert| alert.alert_id == kept[0].alert_id)
    );
    assert_eq!((kept[0].threshold, kept[0].count), (6, 6));

    store(&lake, &burst(30, 3, NOW - 3 * MINUTE, 1)).await;
    let report = evaluate(&lake, &new, NOW).await;
    // The window over both halves: what was withdrawn is back, and says so once.
    assert_eq!(report.told().count(), 1, "{:?}", report.events);
    assert_eq!(standing(&lake).await.len(), 2);
    // Back to the old rule, as after a roll-back: evaluated again, since its own position is behind.
    evaluate(&lake, &old, NOW).await;
    let (_fresh, uri) = folder();
    let fresh = Lake::open_or_create(&uri).await.expect("a lake");
    store(&fresh, &first).await;
    store(&fresh, &burst(20, 3, NOW - 4 * MINUTE, 3)).await;
    store(&fresh, &burst(30, 3, NOW - 3 * MINUTE, 1)).await;
    evaluate(&fresh, &old, NOW).await;
    assert_eq!(standing(&lake).await, standing(&fresh).await);
    check_log(&log(&lake).await);
}

/// Quiet resolves without any finding, in an evaluation that has nothing to evaluate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quiet_resolves_when_nothing_comes() {
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    store(&lake, &burst(0, 3, NOW, 1)).await;
    let rules = [rule("burst", 3, "resolve_after: 2h\n")];
    assert_eq!(evaluate(&lake, &rules, NOW).await.told().count(), 1);
    assert_eq!(evaluate(&lake, &rules, NOW + 120 * MINUTE).await.events, []);
    let later = evaluate(&lake, &rules, NOW + 120 * MINUTE + 1).await;
    assert_eq!(later.evaluated, [""; 0]);
    let said: Vec<_> = later
        .events
        .iter()
        .map(|e| (e.event, e.reason.as_str(), e.rings))
        .collect();
    assert_eq!(said, [(Event::Resolved, "quiet for 2h", false)]);
    assert_eq!(evaluate(&lake, &rules, NOW + DAY).await.events, []);
    // Its episode goes on.
    store(&lake, &burst(10, 3, NOW + 50 * MINUTE, 1)).await;
    let back = evaluate(&lake, &rules, NOW + 121 * MINUTE).await;
    let said: Vec<_> = back.events.iter().map(|e| (e.event, e.rings)).collect();
    assert_eq!(said, [(Event::Reopened, true)]);
}
