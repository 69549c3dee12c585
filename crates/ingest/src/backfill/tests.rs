//! The slices of time that a Region is walked in.

use super::*;

fn bounds(from: Option<i64>, to: Option<i64>, now: i64) -> Vec<(Option<i64>, Option<i64>)> {
    let options = BackfillOptions {
        from,
        to,
        accounts: Vec::new(),
        now,
        writer: WriterOptions::default(),
    };
    let slices = slices(&options);
    slices.iter().map(|slice| (slice.from, slice.to)).collect()
}

#[test]
fn slices_meet_without_a_gap_and_leave_nothing_out() {
    let now = 1_000 * DAY;
    for (from, to) in [
        (None, None),
        (Some(now - 30 * DAY), None),
        (None, Some(now - DAY)),
        (Some(now - 20 * DAY), Some(now - 3 * DAY)),
        (Some(now - 7 * DAY), Some(now)),
        (Some(now - 1), None),
        (None, Some(now - 200 * DAY)),
        (Some(now - 400 * DAY), None),
    ] {
        let slices = bounds(from, to, now);
        let millis = |micros: Option<i64>| micros.map(|micros| micros.div_euclid(1_000));
        assert_eq!(slices[0].0, millis(from), "{slices:?}");
        assert_eq!(slices[slices.len() - 1].1, millis(to), "{slices:?}");
        for pair in slices.windows(2) {
            assert!(pair[0].1.is_some() && pair[0].1 == pair[1].0, "{slices:?}");
        }
        for (from, to) in &slices {
            assert!(from.is_none() || to.is_none() || from < to, "{slices:?}");
        }
    }
    assert_eq!(bounds(None, None, now).len(), 13);
    assert_eq!(bounds(Some(now - DAY), None, now).len(), 1);
}
