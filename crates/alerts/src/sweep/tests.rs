//! The sweep against the definition, and the corners by hand.

use finding::{FindingKey, Label, VersionHash};
use proptest::prelude::*;

use super::brute::{self, Seen, observations};
use crate::{
    Bounds, Condition, Episode, MAX_FINDINGS, Measure, Observation, Observations, StepTerms, Terms,
    Unit, sweep, sweep_from,
};

/// After all rows.
const NOW: i64 = 1_000_000;

/// Rows as (time, finding, version) against episodes as (first match, last match, count, window end, ids).
#[track_caller]
fn check(terms: Terms, rows: &[(i64, u8, u8)], expected: &[(i64, i64, u64, i64, &[u8])]) {
    let rows: Vec<Seen> = rows
        .iter()
        .map(|&(time, finding, version)| seen(time, finding, version))
        .collect();
    let found: Vec<_> = sweep(&terms, &mut observations(&rows), NOW)
        .into_iter()
        .map(|e| {
            (
                e.first_match,
                e.last_match,
                e.count,
                e.window_end,
                e.findings,
            )
        })
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|&(first, last, count, end, findings)| {
            (
                first,
                last,
                count,
                end,
                findings
                    .iter()
                    .map(|&f| seen(0, f, 0).id())
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(found, expected);
}

fn seen(time: i64, finding: u8, version: u8) -> Seen {
    Seen {
        time,
        finding,
        version,
        increase: 1,
        value: None,
        severity: None,
        number: None,
        step: 0,
    }
}

fn terms(unit: Unit, threshold: u64, window: i64, suppress_for: i64) -> Terms {
    let bounds = Bounds::at_least(threshold);
    Terms {
        measure: Measure::Count { unit, bounds },
        window,
        suppress_for,
    }
}

#[test]
fn the_window_is_open_at_its_start_and_closed_at_its_end() {
    check(
        terms(Unit::Findings, 2, 10, 10),
        &[(0, 1, 1), (9, 2, 2)],
        &[(9, 9, 2, 9, &[1, 2])],
    );
    check(
        terms(Unit::Findings, 2, 10, 10),
        &[(0, 1, 1), (10, 2, 2)],
        &[],
    );
}

#[test]
fn rows_of_one_time_count_together() {
    check(
        terms(Unit::Findings, 3, 1, 1),
        &[(5, 1, 1), (5, 2, 2), (5, 3, 3)],
        &[(5, 5, 3, 5, &[2, 1, 3])],
    );
}

#[test]
fn an_update_is_no_second_finding_but_a_second_version() {
    let rows = [(0, 1, 1), (1, 1, 2), (2, 1, 3)];
    check(terms(Unit::Findings, 2, 10, 10), &rows, &[]);
    check(
        terms(Unit::Versions, 2, 10, 10),
        &rows,
        &[(1, 2, 3, 2, &[1])],
    );
}

#[test]
fn a_version_with_many_addresses_counts_once() {
    check(
        terms(Unit::Versions, 2, 10, 10),
        &[(0, 1, 1), (0, 1, 1), (0, 1, 1)],
        &[],
    );
    check(
        terms(Unit::Occurrences, 2, 10, 10),
        &[(0, 1, 1), (0, 1, 1), (0, 1, 1)],
        &[],
    );
}

#[test]
fn a_gap_of_just_suppress_for_is_the_same_episode() {
    check(
        terms(Unit::Findings, 1, 1, 5),
        &[(0, 1, 1), (5, 1, 2)],
        &[(0, 5, 1, 0, &[1])],
    );
    check(
        terms(Unit::Findings, 1, 1, 5),
        &[(0, 1, 1), (6, 1, 2)],
        &[(0, 0, 1, 0, &[1]), (6, 6, 1, 6, &[1])],
    );
}

#[test]
fn what_lies_between_two_windows_does_not_contribute() {
    let rows = [(0, 1, 1), (1, 2, 2), (50, 3, 3), (100, 4, 4), (101, 5, 5)];
    check(
        terms(Unit::Findings, 2, 10, 1_000),
        &rows,
        &[(1, 101, 2, 1, &[1, 2, 4, 5])],
    );
    let rows: Vec<Seen> = rows.iter().map(|&(t, f, v)| seen(t, f, v)).collect();
    let episodes = sweep(
        &terms(Unit::Findings, 2, 10, 1_000),
        &mut observations(&rows),
        NOW,
    );
    assert_eq!(episodes[0].spans, [(-9, 1), (91, 101)]);
}

#[test]
fn spans_that_touch_are_one() {
    for (second, spans) in [(10, &[(-10, 10)][..]), (11, &[(-10, 0), (1, 11)])] {
        let rows = [seen(0, 1, 1), seen(second, 2, 2)];
        let episodes = sweep(
            &terms(Unit::Findings, 1, 10, 20),
            &mut observations(&rows),
            NOW,
        );
        assert_eq!(episodes[0].spans, spans);
    }
}

#[test]
fn many_spans_become_one_and_say_so() {
    let rows: Vec<Seen> = (0..60).map(|n| seen(i64::from(n) * 10, n, n)).collect();
    let episodes = sweep(
        &terms(Unit::Findings, 1, 5, 10),
        &mut observations(&rows),
        NOW,
    );
    assert_eq!(episodes.len(), 1);
    assert_eq!(
        (&episodes[0].spans[..], episodes[0].spans_exact),
        (&[(-5, 590)][..], false)
    );
    let episodes = sweep(
        &terms(Unit::Findings, 1, 5, 10),
        &mut observations(&rows[..50]),
        NOW,
    );
    assert_eq!(
        (episodes[0].spans.len(), episodes[0].spans_exact),
        (Episode::MAX_SPANS, true)
    );
}

#[test]
fn only_the_first_findings_are_named_but_all_are_counted() {
    let mut rows = Observations::new();
    for n in (0..2_000_i64).rev() {
        rows.push(&Observation {
            event_time: n / 2,
            finding: FindingKey(n as u128),
            version: VersionHash(n as u128),
            increase: 1,
            value: None,
            account_id: "1",
            region: "r",
            finding_id: &format!("{n:04}"),
            finding_type: None,
            severity: Label::of(f64::NAN),
            number: None,
            step: 0,
        });
    }
    let episodes = sweep(&terms(Unit::Findings, 1, 10, 10), &mut rows, NOW);
    assert_eq!(episodes[0].findings_total, 2_000);
    assert_eq!(
        episodes[0].findings,
        (0..MAX_FINDINGS)
            .map(|n| format!("{n:04}"))
            .collect::<Vec<_>>()
    );
}

#[test]
fn extreme_times_and_counts_do_not_overflow() {
    let rows = [i64::MIN, -1, 0, i64::MAX].map(|time| Seen {
        increase: i64::MAX,
        ..seen(time, 1, 1)
    });
    for unit in [
        Unit::Findings,
        Unit::Occurrences,
        Unit::Versions,
        Unit::Distinct,
    ] {
        for window in [i64::MIN, 0, 1, i64::MAX] {
            for suppress_for in [i64::MIN, 0, i64::MAX] {
                sweep(
                    &terms(unit, 0, window, suppress_for),
                    &mut observations(&rows),
                    NOW,
                );
            }
        }
    }
    let rows: Vec<Seen> = (0..4)
        .map(|n| Seen {
            increase: i64::MAX,
            ..seen(0, n, n)
        })
        .collect();
    let episodes = sweep(
        &terms(Unit::Occurrences, u64::MAX, 1, 1),
        &mut observations(&rows),
        NOW,
    );
    assert_eq!(episodes[0].count, u64::MAX);
}

#[test]
fn a_cleared_group_leaves_nothing_behind() {
    let rows: Vec<Seen> = (0..9).map(|n| seen(i64::from(n), n, n)).collect();
    let terms = terms(Unit::Findings, 2, 5, 5);
    let mut reused = observations(&rows);
    reused.clear();
    assert!(reused.is_empty());
    assert_eq!(sweep(&terms, &mut reused, NOW), []);
    for row in &rows[..3] {
        let (account, region, id) = (row.account(), row.region(), row.id());
        reused.push(&Observation {
            event_time: row.time,
            finding: FindingKey(u128::from(row.finding)),
            version: VersionHash(u128::from(row.version)),
            increase: row.increase,
            value: None,
            account_id: &account,
            region: &region,
            finding_id: &id,
            finding_type: row.finding_type().as_deref(),
            severity: None,
            number: None,
            step: 0,
        });
    }
    assert_eq!(
        sweep(&terms, &mut reused, NOW),
        sweep(&terms, &mut observations(&rows[..3]), NOW)
    );
}

fn row() -> impl Strategy<Value = Seen> {
    let label = prop_oneof![Just(None), (0.0..10.0_f64).prop_map(Label::of)];
    let number = prop_oneof![
        1 => Just(None),
        1 => Just(Some(f64::NAN)),
        6 => (-20..80_i32).prop_map(|tenths| Some(f64::from(tenths) / 10.0)),
    ];
    let value = proptest::option::of("[a-d]");
    (
        0..60_i64,
        0..6_u8,
        0..3_u8,
        -1..4_i64,
        value,
        label,
        number,
        0..4_u8,
    )
        .prop_map(
            |(time, finding, nth, increase, value, severity, number, step)| {
                // One version in three keeps a time of its own, as in the lake; the others may even move.
                let version = finding * 3 + nth;
                let time = if nth == 0 {
                    i64::from(version) * 7 % 60
                } else {
                    time
                };
                Seen {
                    time,
                    finding,
                    version,
                    increase,
                    value,
                    severity,
                    number,
                    step,
                }
            },
        )
}

fn whole_unit() -> impl Strategy<Value = Unit> {
    prop_oneof![
        Just(Unit::Findings),
        Just(Unit::Occurrences),
        Just(Unit::Versions),
        Just(Unit::Distinct),
    ]
}

fn whole_bounds() -> impl Strategy<Value = Bounds> {
    (1..=5_u64, proptest::option::of(0..4_u64)).prop_map(|(least, more)| {
        let most = more.map_or(String::new(), |more| format!(", <= {}", least + more));
        Bounds::parse(&format!(">= {least}{most}"))
            .unwrap()
            .whole()
            .unwrap()
    })
}

fn number_terms() -> impl Strategy<Value = Measure> {
    let unit = prop_oneof![
        Just(Unit::Sum),
        Just(Unit::Average),
        (0..=20_u8).prop_map(|twentieth| Unit::Percentile(f64::from(twentieth) * 5.0)),
    ];
    let bounds = (-20..90_i32, any::<bool>()).prop_map(|(tenths, open)| {
        let sign = if open { ">" } else { ">=" };
        Bounds::parse(&format!("{sign} {}", f64::from(tenths) / 10.0)).unwrap()
    });
    (unit, bounds).prop_map(|(unit, bounds)| Measure::Count { unit, bounds })
}

fn condition() -> impl Strategy<Value = Option<Condition>> {
    let texts = [
        "a and b",
        "a or b and c",
        "a and not b",
        "(a or b) and not c",
        "c",
    ];
    proptest::option::of(proptest::sample::select(texts.to_vec()))
        .prop_map(|text| text.map(|text| Condition::parse(text, &["a", "b", "c"]).unwrap()))
}

fn sequence_terms() -> impl Strategy<Value = Measure> {
    let needs = proptest::option::weighted(0.3, (whole_unit(), whole_bounds(), 1..20_i64));
    let steps = proptest::collection::vec(needs.prop_map(|needs| StepTerms { needs }), 3..=4);
    (steps, any::<bool>(), 1..=3_u64, condition()).prop_map(|(steps, ordered, least, condition)| {
        Measure::Sequence {
            ordered: ordered && condition.is_none(),
            bounds: Bounds::at_least(least),
            steps,
            condition,
        }
    })
}

fn any_terms() -> impl Strategy<Value = Terms> {
    let count =
        (whole_unit(), whole_bounds()).prop_map(|(unit, bounds)| Measure::Count { unit, bounds });
    let new =
        (whole_bounds(), 25..50_i64, 0..25_i64).prop_map(|(bounds, lookback, min_history)| {
            Measure::New {
                bounds,
                lookback,
                min_history,
            }
        });
    let absence = (whole_bounds(), 1..50_i64)
        .prop_map(|(bounds, lookback)| Measure::Absence { bounds, lookback });
    let measure = prop_oneof![
        3 => count,
        2 => number_terms(),
        2 => new,
        3 => sequence_terms(),
        1 => absence,
        1 => Just(Measure::Given),
    ];
    let rate = (
        (whole_unit(), whole_bounds(), 1..8_i64, 1..4_i64, 1..6_i64),
        (0..8_u8, 0..30_i64, 0..30_i64),
    )
        .prop_map(
            |((unit, bounds, window, seasons, lengths), (factor, min_history, suppress_for))| {
                Terms {
                    measure: Measure::Rate {
                        unit,
                        bounds,
                        baseline: window * seasons * lengths,
                        factor: f64::from(factor) / 2.0,
                        season: window * seasons,
                        min_history,
                    },
                    window,
                    suppress_for,
                }
            },
        );
    let others =
        (measure, 1..25_i64, 0..30_i64).prop_map(|(measure, window, suppress_for)| Terms {
            measure,
            window,
            suppress_for,
        });
    prop_oneof![5 => others, 1 => rate]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_sweep_is_the_definition(
        terms in any_terms(),
        rows in proptest::collection::vec(row(), 0..24),
        as_of in 20..80_i64,
    ) {
        let episodes = sweep(&terms, &mut observations(&rows), as_of);
        for episode in &episodes {
            prop_assert!(episode.spans_exact);
            let evidence = brute::in_spans(&rows, &episode.spans, &episode.values);
            // Compared as text: not a number is not equal to itself.
            let contributing = brute::of(&terms, &rows, episode, as_of);
            prop_assert_eq!(format!("{evidence:?}"), format!("{contributing:?}"));
        }
        let bare: Vec<Episode> = episodes.into_iter().map(|e| Episode { spans: Vec::new(), ..e }).collect();
        prop_assert_eq!(bare, brute::episodes(&terms, &rows, as_of));
    }

    #[test]
    fn a_later_beginning_changes_nothing_after_it(
        terms in any_terms(),
        rows in proptest::collection::vec(row(), 0..24),
        nth in 0..8_usize,
    ) {
        // As in the lake, a version has one time.
        let rows: Vec<Seen> = (0..).zip(rows).map(|(version, row)| Seen { version, ..row }).collect();
        let all = sweep(&terms, &mut observations(&rows), NOW);
        // Before an episode there is a gap: it and those after it come out the same from the rows that matter to them.
        let from = all.get(nth % all.len().max(1)).map_or(0, |episode| episode.first_match);
        let near: Vec<Seen> = rows.iter().filter(|row| row.time > from - terms.back()).cloned().collect();
        let later: Vec<Episode> = all.into_iter().filter(|e| e.first_match >= from).collect();
        prop_assert_eq!(sweep_from(&terms, &mut observations(&near), NOW, from), later);
    }

    #[test]
    fn order_and_repetition_do_not_matter(
        terms in any_terms(),
        rows in proptest::collection::vec(row(), 0..24),
        shuffled in any::<u64>(),
        again in proptest::collection::vec(0..24_usize, 0..8),
    ) {
        let mut other = rows.clone();
        other.extend(again.iter().filter_map(|&place| rows.get(place).cloned()));
        let mut state = shuffled | 1;
        for last in (1..other.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            other.swap(last, (state >> 33) as usize % (last + 1));
        }
        prop_assert_eq!(sweep(&terms, &mut observations(&rows), NOW), sweep(&terms, &mut observations(&other), NOW));
    }
}
