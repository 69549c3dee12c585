//! Very many groups at once.

use std::time::Instant;

use alerts::Event;
use lake::Lake;

use super::ground::{MINUTE, NOW, Seen, check_log, evaluate, log, rule, store};
use crate::support::folder;

/// Fault 46: ten thousand groups reach their threshold at once, go a little beyond it, and are looked at again and again.
/// Each rings once. In bounded time; and the log is one row an event, whatever happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_46_ten_thousand_groups_at_their_threshold_ring_once_each() {
    const GROUPS: u32 = 10_000;
    let (_folder, uri) = folder();
    let lake = Lake::open_or_create(&uri).await.expect("a lake");
    let rules = [rule("burst", 2, "resolve_after: 2h\n")];
    let round = |nth: u32| -> Vec<Seen> {
        let at = NOW - MINUTE + i64::from(nth);
        (0..GROUPS)
            .map(|group| (nth * GROUPS + group, at, group))
            .collect()
    };
    store(&lake, &round(0)).await;
    assert_eq!(evaluate(&lake, &rules, NOW).await.events, []);

    let begun = Instant::now();
    store(&lake, &round(1)).await;
    let opened = evaluate(&lake, &rules, NOW).await;
    assert_eq!(
        (opened.count(Event::Opened), opened.told().count()),
        (10_000, 10_000)
    );
    store(&lake, &round(2)).await;
    let grown = evaluate(&lake, &rules, NOW).await;
    assert_eq!(
        (grown.count(Event::Grew), grown.told().count()),
        (10_000, 0)
    );
    assert_eq!(evaluate(&lake, &rules, NOW).await.events, []);
    let ended = evaluate(&lake, &rules, NOW + 180 * MINUTE).await;
    assert_eq!(
        (ended.count(Event::Resolved), ended.told().count()),
        (10_000, 0)
    );
    // A minute in a build without optimisation, on a busy machine; a tenth of it otherwise.
    let took = begun.elapsed();
    assert!(took.as_secs() < 180, "{took:?}");
    let events = log(&lake).await;
    assert_eq!(events.len(), 30_000);
    check_log(&events);
    // Two ids, then one more: events tell what is new, so the log does not grow with the square of an alert.
    assert!(events.iter().all(|event| event.findings.len() <= 2));
}
