//! What the rows of a match must have, and how much of it a row has.

use alerts::{Count, Kind, Rule};
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};

/// What the rows of a match must have. Rows of other groups that are counted with them only help.
#[derive(Debug)]
pub(super) enum Need {
    /// So many rows: every counted unit needs one.
    Rows(u32),
    /// So large a sum of increases.
    Increases(u32),
    /// Such a sum of numbers.
    Sum(f64),
    /// Rows of so many of the steps that have these names.
    Steps(Vec<String>, u32),
}

impl Need {
    /// Nothing where every row can be in a match, for all that is known.
    pub(super) fn of(rule: &Rule) -> Option<Need> {
        if let Kind::Sequence {
            steps,
            ordered,
            condition: None,
        } = &rule.kind
        {
            let names: Vec<String> = steps.iter().map(|step| step.name.clone()).collect();
            let enough = match ordered {
                true => names.len() as u32,
                false => u32::try_from(rule.bounds.least()).unwrap_or(u32::MAX),
            };
            return (names.len() <= u16::BITS as usize).then_some(Need::Steps(names, enough));
        }
        // More than the cells can tell is not asked of them.
        let enough = rule.threshold.min(u64::from(u16::MAX)) as u32;
        match (&rule.kind, &rule.count) {
            (Kind::Threshold, Count::Sum(_)) => {
                let low = rule.bounds.low();
                (low > 0.0).then_some(Need::Sum(low))
            }
            (_, Count::Occurrences) if enough > 1 => Some(Need::Increases(enough)),
            (_, count) if count.is_whole() && enough > 1 => Some(Need::Rows(enough)),
            _ => None,
        }
    }

    /// The column that is read beside the keys.
    pub(super) fn column(&self) -> Option<&'static str> {
        match self {
            Need::Rows(_) => None,
            Need::Increases(_) => Some("increase"),
            Need::Sum(_) => Some("number"),
            Need::Steps(..) => Some("step"),
        }
    }

    /// What each row has, given the column: units that are added up, or the bit of its step. A sum that is enough is divided into so many parts,
    /// and numbers are rounded up to them.
    pub(super) fn units(&self, column: Option<&ArrayRef>, rows: usize, parts: u32) -> Vec<u32> {
        match (self, column) {
            (Need::Increases(enough), Some(column)) => {
                let increases = column.as_primitive::<Int64Type>().iter();
                let units = increases
                    .map(|increase| increase.unwrap_or(0).clamp(0, i64::from(*enough)) as u32);
                units.collect()
            }
            (Need::Sum(low), Some(column)) => {
                let numbers = column.as_primitive::<Float64Type>().iter();
                let units = numbers.map(|number| {
                    // To millionths, as the sweep does. What is below zero, or no number, counts for nothing.
                    let number = (number.unwrap_or(0.0).max(0.0) * 1e6).round() / 1e6;
                    let share = number / low * f64::from(parts);
                    share.ceil().min(f64::from(parts)) as u32
                });
                units.collect()
            }
            (Need::Steps(names, _), Some(column)) => {
                let steps = column.as_string::<i32>().iter();
                let bit = |step| names.iter().position(|name| Some(name.as_str()) == step);
                steps
                    .map(|step| bit(step).map_or(0, |nth| 1 << nth))
                    .collect()
            }
            _ => vec![1; rows],
        }
    }

    /// About how many rows a match takes, where rows are like these.
    pub(super) fn rows(&self, units: &[u32], parts: u32) -> f64 {
        let enough = match self {
            Need::Rows(enough) => return f64::from(*enough),
            Need::Steps(_, enough) => return f64::from(*enough) * 3.0,
            Need::Increases(enough) => *enough,
            Need::Sum(_) => parts,
        };
        let counted = units.iter().filter(|units| **units > 0);
        let all: f64 = counted.clone().map(|units| f64::from(*units)).sum();
        match all > 0.0 {
            true => f64::from(enough) / (all / counted.count() as f64),
            false => 1.0,
        }
    }

    pub(super) fn held(&self, parts: u32) -> Held {
        match self {
            Need::Rows(enough) | Need::Increases(enough) => Held::sum(u64::from(*enough)),
            Need::Sum(_) => Held::sum(u64::from(parts)),
            Need::Steps(names, enough) => Held::Steps {
                rows: vec![0; names.len()],
                enough: *enough,
            },
        }
    }
}

/// What the rows of some stretch have together.
#[derive(Debug, Clone)]
pub(super) enum Held {
    Sum {
        sum: u64,
        enough: u64,
    },
    /// How many there are of each step.
    Steps {
        rows: Vec<u32>,
        enough: u32,
    },
}

impl Held {
    fn sum(enough: u64) -> Held {
        Held::Sum { sum: 0, enough }
    }

    pub(super) fn take(&mut self, units: u32) {
        match self {
            Held::Sum { sum, .. } => *sum += u64::from(units),
            Held::Steps { rows, .. } => each_step(rows, units, |rows| *rows += 1),
        }
    }

    /// Lets go what was taken.
    pub(super) fn leave(&mut self, units: u32) {
        match self {
            Held::Sum { sum, .. } => *sum -= u64::from(units),
            Held::Steps { rows, .. } => each_step(rows, units, |rows| *rows -= 1),
        }
    }

    pub(super) fn is_enough(&self) -> bool {
        match self {
            Held::Sum { sum, enough } => sum >= enough,
            Held::Steps { rows, enough } => {
                rows.iter().filter(|rows| **rows > 0).count() >= *enough as usize
            }
        }
    }
}

fn each_step(rows: &mut [u32], bits: u32, change: impl Fn(&mut u32)) {
    let of_bits = rows.iter_mut().enumerate();
    of_bits
        .filter(|(nth, _)| bits & (1 << nth) != 0)
        .for_each(|(_, rows)| change(rows));
}
