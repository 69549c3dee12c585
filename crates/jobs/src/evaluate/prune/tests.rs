//! Which rows are left beside which rows could be in a match, by definition.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
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
        let need = need(which, enough);
        let slots = Slots::of(Some(back), need.rows(column(&need, &rows).as_ref()));
        // Groups far apart, or so near that they share cells.
        let hash = |group: u8| u64::from(group) * if far { 1_000 } else { 2 } + 4_090;
        let tally = Tally::new(need, 4_096);
        let places = rows.iter().map(|(group, time, _)| slots.place(hash(*group), *time));
        tally.add(places.clone(), column(&tally.need, &rows).as_ref());
        let hopeful = tally.hopeful(slots.run);
        for (row, place) in rows.iter().zip(places) {
            let is_left = hopeful.value(place & 4_095);
            if within(&rows, row, back, &tally.need) {
                prop_assert!(is_left, "{row:?} is in a match");
            }
            let longest = slots.length * slots.run as i64;
            // What is counted in parts is rounded up.
            let is_rounded = matches!(tally.need, Need::Sum(_));
            if is_left && far && !is_rounded {
                prop_assert!(within(&rows, row, longest, &tally.need), "{row:?} is in none");
            }
        }
    }
}

#[test]
fn a_full_cell_stays_full() {
    let tally = Tally::new(Need::Rows(MOST), 4_096);
    tally.add(std::iter::repeat_n(5, 70_000), None);
    assert!(tally.hopeful(2).value(5));
    assert!(!tally.hopeful(2).value(500));
}
