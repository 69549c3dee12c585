//! Which rows are left beside which rows could be in a match, by definition.

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use datafusion::prelude::SessionContext;
use proptest::prelude::*;

use super::*;

const STEPS: [&str; 3] = ["a", "b", "c"];

/// Group, time and units of a row: an increase, a number or the place of a step.
type Made = (u8, i64, u16);

fn made() -> impl Strategy<Value = Vec<Made>> {
    prop::collection::vec((0..3_u8, -400..400_i64, 0..7_u16), 1..80)
}

/// The number of a need and how much of it is needed.
fn need(which: u8, enough: u32) -> Need {
    match which {
        0 => Need::Rows(enough),
        1 => Need::Increases(enough),
        2 => Need::Sum(f64::from(enough) / 2.0),
        _ => Need::Steps(STEPS.map(str::to_owned).to_vec(), enough.min(3)),
    }
}

fn column(need: &Need, rows: &[Made]) -> Option<ArrayRef> {
    let units = rows.iter().map(|(.., units)| *units);
    Some(match need {
        Need::Rows(_) => return None,
        Need::Increases(_) => Arc::new(units.map(i64::from).collect::<Int64Array>()),
        Need::Sum(_) => Arc::new(
            units
                .map(|units| Some(f64::from(units) / 2.0 - 0.5))
                .collect::<Float64Array>(),
        ),
        Need::Steps(..) => Arc::new(
            units
                .map(|units| STEPS.get(usize::from(units)).copied())
                .collect::<StringArray>(),
        ),
    })
}

/// Whether some rows of one group have what is needed.
fn has(need: &Need, rows: &[&Made]) -> bool {
    let units = || rows.iter().map(|(.., units)| u32::from(*units));
    match need {
        Need::Rows(enough) => rows.len() as u32 >= *enough,
        Need::Increases(enough) => units().sum::<u32>() >= *enough,
        Need::Sum(low) => {
            units()
                .map(|units| (f64::from(units) / 2.0 - 0.5).max(0.0))
                .sum::<f64>()
                >= *low
        }
        Need::Steps(_, enough) => {
            let mut steps: Vec<u32> = units().filter(|nth| *nth < 3).collect();
            steps.sort_unstable();
            steps.dedup();
            steps.len() as u32 >= *enough
        }
    }
}

/// Whether the rows of a group within one stretch of so many microseconds that holds this row have what is needed.
fn within(rows: &[Made], row: &Made, length: i64, need: &Need) -> bool {
    (row.1 - length + 1..=row.1).any(|from| {
        let held = |other: &&Made| other.0 == row.0 && (from..from + length).contains(&other.1);
        has(need, &rows.iter().filter(held).collect::<Vec<_>>())
    })
}

/// What each row has.
fn units(need: &Need, rows: &[Made], parts: u32) -> Vec<u32> {
    need.units(column(need, rows).as_ref(), rows.len(), parts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn rows_of_a_match_are_left_and_few_others(
        rows in made(),
        which in 0..4_u8,
        enough in 1..40_u32,
        back in 1..300_i64,
        far in any::<bool>(),
    ) {
        let need = Arc::new(need(which, enough));
        let units = units(&need, &rows, cells::PARTS);
        let slots = Slots::of(Some(back), need.rows(&units, cells::PARTS));
        // Groups far apart, or so near that they share cells.
        let hash = |group: u8| u64::from(group) * if far { 1_000 } else { 2 } + 4_090;
        let tally = Tally::new(Arc::clone(&need), 4_096);
        let places = rows.iter().map(|(group, time, _)| slots.place(hash(*group), *time));
        tally.add(places.clone().zip(units));
        let hopeful = tally.hopeful(slots.run);
        for (row, place) in rows.iter().zip(places) {
            let is_left = hopeful.value(place & 4_095);
            if within(&rows, row, back, &need) {
                prop_assert!(is_left, "{row:?} is in a match");
            }
            let longest = slots.length * slots.run as i64;
            // What is counted in parts is rounded up.
            let is_rounded = matches!(*need, Need::Sum(_));
            if is_left && far && !is_rounded {
                prop_assert!(within(&rows, row, longest, &need), "{row:?} is in none");
            }
        }
    }

    /// Times are in parts of a second here, and runs in whole ones.
    #[test]
    fn runs_are_the_rows_of_matches(
        rows in made(),
        which in 0..4_u8,
        enough in 1..40_u32,
        back in 1..300_i64,
    ) {
        const PART: i64 = 400_000;
        let need = need(which, enough);
        let time = |row: &Made| (1_000 + row.1) * PART;
        let key = |row: &Made| runs::key((u64::from(row.0) << 40) + 77, time(row));
        let units = units(&need, &rows, runs::PARTS);
        let made: Vec<(u64, u32)> = rows.iter().map(key).zip(units).collect();
        let found = Runs::of(made, &need, runs::seconds(Some(back * PART)));
        let (stretches, (from, before)) = (found.times(), found.span());
        for row in &rows {
            let is_found = found.has(key(row));
            if within(&rows, row, back, &need) {
                prop_assert!(is_found, "{row:?} is in a match");
            }
            if is_found {
                // Rounded up to seconds, and what lies in the first and last second.
                prop_assert!(within(&rows, row, back + 5, &need), "{row:?} is in none");
                prop_assert!(runs::is_in(&stretches, runs::second(time(row))), "{row:?}");
                prop_assert!(from.is_none_or(|from| from <= time(row)), "{row:?}");
                prop_assert!(before.is_none_or(|before| time(row) < before), "{row:?}");
            }
        }
    }
}

#[tokio::test]
async fn more_rows_than_are_kept_are_not_looked_at_in_part() {
    let batch = |nth: i64| {
        let group: ArrayRef = Arc::new(StringArray::from(vec!["g"]));
        let time = TimestampMicrosecondArray::from(vec![nth]).with_timezone("UTC");
        let columns = [
            ("group_0", group),
            ("event_time", Arc::new(time) as ArrayRef),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let rows = SessionContext::new().read_batches((0..40).map(batch));
    let narrow = Narrow {
        rows: rows.unwrap(),
        need: Arc::new(Need::Rows(30)),
        groups: 1,
        looks_back: Some(1_000_000),
    };
    let runs = narrow.runs::<u64>(40, |_, _| true).await.unwrap();
    assert!(!runs.unwrap().is_empty());
    let wanted = narrow.runs::<u64>(30, |_, time| time < 30).await.unwrap();
    assert!(!wanted.unwrap().is_empty());
    assert_eq!(narrow.runs::<u64>(39, |_, _| true).await.unwrap(), None);
}

#[test]
fn a_full_cell_stays_full() {
    let need = Arc::new(Need::Rows(u32::from(u16::MAX)));
    let tally = Tally::new(need, 4_096);
    tally.add(std::iter::repeat_n((5, 1), 70_000));
    assert!(tally.hopeful(2).value(5));
    assert!(!tally.hopeful(2).value(500));
}

#[test]
fn times_that_no_clock_shows_stay_together() {
    let need = Need::Rows(2);
    for time in [i64::MIN, -1, 0, 7_000_000, i64::MAX - 9] {
        let rows = vec![runs::key(9 << 40, time), runs::key(9 << 40, time + 9)];
        let found = Runs::of(rows.clone(), &need, runs::seconds(Some(10)));
        assert!(rows.iter().all(|key| found.has(*key)), "{time}");
        let (from, before) = found.span();
        assert!(from.is_none_or(|from| from <= time), "{time}");
        assert!(before.is_none_or(|before| before > time + 9), "{time}");
        assert!(!found.has(runs::key(8 << 40, time)));
    }
    let apart = vec![runs::key(9 << 40, 0), runs::key(9 << 40, 12_000_000)];
    assert!(Runs::of(apart, &need, runs::seconds(Some(10_000_000))).is_empty());
    assert_eq!(runs::seconds(None), u32::MAX);
    assert_eq!(runs::seconds(Some(i64::MAX)), u32::MAX);
}
