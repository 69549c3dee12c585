//! Comparisons of a correlation's condition as those of a rule.

use super::Place;
use super::correlation::Comparison;
use super::tree::Notes;

/// Beyond it a number of `f64` is no longer exact.
const LARGEST: f64 = 9e15;

/// The ends of a range of whole numbers from 1; both belong to it.
pub(super) fn whole(
    notes: &mut Notes<'_>,
    at: Place,
    comparisons: &[Comparison],
) -> Option<(i64, Option<i64>)> {
    let (mut low, mut high): (Option<i64>, Option<i64>) = (None, None);
    let mut sides = Sides::default();
    for Comparison {
        at,
        operator,
        number,
    } in comparisons
    {
        sides.take(notes, *at, operator)?;
        if number.abs() > LARGEST {
            return notes.mistake(
                *at,
                format!("correlation.condition.{operator}: is too large"),
            );
        }
        let number = *number;
        match *operator {
            "gt" => low = Some(number.floor() as i64 + 1),
            "gte" => low = Some(number.ceil() as i64),
            "lt" => high = Some(number.ceil() as i64 - 1),
            "lte" => high = Some(number.floor() as i64),
            _ if number.fract() != 0.0 => {
                return notes.mistake(
                    *at,
                    format!("correlation.condition.eq: a count is never {number}"),
                );
            }
            _ if number < 1.0 => {
                return notes.mistake(
                    *at,
                    "correlation.condition.eq: that nothing came is not seen at an event; write a rule of kind absence",
                );
            }
            _ => (low, high) = (Some(number as i64), Some(number as i64)),
        }
    }
    // An event is there whenever anything is judged, so that less than one says no more than one.
    let low = low.unwrap_or(1).max(1);
    if high.is_some_and(|high| high < low) {
        return notes.mistake(at, "correlation.condition: no count is in this range");
    }
    Some((low, high))
}

/// As a rule's `threshold` has it.
pub(super) fn said(low: i64, high: Option<i64>) -> String {
    match high {
        None => low.to_string(),
        Some(high) if high == low => format!("= {low}"),
        Some(high) => format!(">= {low}, <= {high}"),
    }
}

/// Comparisons with any numbers, as a rule's `threshold` has them.
pub(super) fn any(notes: &mut Notes<'_>, at: Place, comparisons: &[Comparison]) -> Option<String> {
    let mut sides = Sides::default();
    let mut said = Vec::new();
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    for Comparison {
        at,
        operator,
        number,
    } in comparisons
    {
        sides.take(notes, *at, operator)?;
        let sign = match *operator {
            "gt" => ">",
            "gte" => ">=",
            "lt" => "<",
            "lte" => "<=",
            _ => "=",
        };
        match *operator {
            "gt" | "gte" => low = *number,
            "lt" | "lte" => high = *number,
            _ => {}
        }
        said.push(format!("{sign} {number}"));
    }
    if high < low {
        return notes.mistake(at, "correlation.condition: no number is in this range");
    }
    Some(said.join(", "))
}

/// Which ends of a range have been given.
#[derive(Default)]
struct Sides {
    low: bool,
    high: bool,
}

impl Sides {
    fn take(&mut self, notes: &mut Notes<'_>, at: Place, operator: &str) -> Option<()> {
        let (low, high) = match operator {
            "gt" | "gte" => (true, false),
            "lt" | "lte" => (false, true),
            _ => (true, true),
        };
        if (low && self.low) || (high && self.high) {
            return notes.mistake(
                at,
                format!("correlation.condition.{operator}: two comparisons from the same side"),
            );
        }
        (self.low, self.high) = (self.low || low, self.high || high);
        Some(())
    }
}
