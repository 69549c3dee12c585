//! Which counts make a match: `10`, `>= 10`, `> 0.5`, `= 3`, `>= 5, <= 20`.

use std::fmt;

/// How many millionths a unit has. Numbers are compared in millionths, so that adding up does not depend on the order.
pub(crate) const MILLION: i128 = 1_000_000;

/// The largest number that a comparison may name.
const LARGEST: f64 = 1e18;

/// A range of counts. There is always an end from below: that fewer came than some number cannot be seen at an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    low: Edge,
    high: Option<Edge>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edge {
    millionths: i128,
    /// Whether the number itself is in the range.
    included: bool,
}

impl Bounds {
    /// `least` or more; 0 is read as 1.
    pub fn at_least(least: u64) -> Bounds {
        let low = Edge {
            millionths: i128::from(least.max(1)) * MILLION,
            included: true,
        };
        Bounds { low, high: None }
    }

    /// Reads comparisons, or a number that stands for `>=`. The error is a clause that can follow `threshold: `.
    pub fn parse(text: &str) -> Result<Bounds, String> {
        let (mut low, mut high) = (None, None);
        for part in text.split(',').map(str::trim) {
            let signs = part
                .find(|c: char| !"<>=!".contains(c))
                .unwrap_or(part.len());
            let (sign, number) = (&part[..signs], part[signs..].trim());
            let number: f64 = number
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite() && number.abs() <= LARGEST)
                .ok_or_else(|| {
                    format!(
                        "`{}` is no comparison; write it like 10, `>= 10` or `>= 5, <= 20`",
                        crate::clean(part, 40)
                    )
                })?;
            let edge = |included| Edge {
                millionths: (number * 1e6).round() as i128,
                included,
            };
            let (is_low, is_high, included) = match sign {
                "" | ">=" => (true, false, true),
                ">" => (true, false, false),
                "=" | "==" => (true, true, true),
                "<=" => (false, true, true),
                "<" => (false, true, false),
                other => {
                    return Err(format!(
                        "`{}` is no comparison; there are >=, >, =, <= and <",
                        crate::clean(other, 8)
                    ));
                }
            };
            for (side, wanted) in [(&mut low, is_low), (&mut high, is_high)] {
                if wanted && side.replace(edge(included)).is_some() {
                    return Err("two comparisons from the same side".to_owned());
                }
            }
        }
        let low = low.ok_or("needs a comparison from below: that fewer came cannot be seen at an event, see `kind: absence`")?;
        let bounds = Bounds { low, high };
        let empty = high.is_some_and(|high: Edge| {
            high.millionths < low.millionths
                || (high.millionths == low.millionths && !(low.included && high.included))
        });
        if empty {
            return Err("no number is in this range".to_owned());
        }
        Ok(bounds)
    }

    /// The same range for whole numbers alone, or the error of a range that names other numbers or zero.
    pub fn whole(self) -> Result<Bounds, String> {
        let whole = |edge: Edge, step: i128| -> Result<Edge, String> {
            if edge.millionths % MILLION != 0 {
                return Err("must be a whole number: the count is".to_owned());
            }
            let step = if edge.included { 0 } else { step * MILLION };
            Ok(Edge {
                millionths: edge.millionths.saturating_add(step),
                included: true,
            })
        };
        let low = whole(self.low, 1)?;
        let high = self.high.map(|high| whole(high, -1)).transpose()?;
        if low.millionths < MILLION {
            return Err("must be at least 1: zero of anything is everywhere".to_owned());
        }
        if high.is_some_and(|high| high.millionths < low.millionths) {
            return Err("no whole number is in this range".to_owned());
        }
        Ok(Bounds { low, high })
    }

    /// The lower end.
    pub fn low(&self) -> f64 {
        self.low.millionths as f64 / 1e6
    }

    /// The lower end as a whole number, rounded up, at least 1: for people, and for leaving out groups that are too small.
    pub fn least(&self) -> u64 {
        let up = self.low.millionths + MILLION - 1;
        u64::try_from(up.div_euclid(MILLION)).unwrap_or(0).max(1)
    }

    /// The number, where the range is `>=` a whole number and nothing else.
    pub fn as_least(&self) -> Option<u64> {
        let plain = self.high.is_none()
            && self.low.included
            && self.low.millionths % MILLION == 0
            && self.low.millionths >= MILLION;
        plain.then(|| self.least())
    }

    /// Whether a whole number is in the range.
    pub(crate) fn hold(&self, count: u128) -> bool {
        // A count beyond what an edge can say is above every edge.
        let count = i128::try_from(count).unwrap_or(i128::MAX);
        self.hold_share(count.saturating_mul(MILLION), 1)
    }

    /// Whether `millionths / of` is in the range; `of` is above 0.
    pub(crate) fn hold_share(&self, millionths: i128, of: i128) -> bool {
        let edge = |edge: Edge| edge.millionths.saturating_mul(of);
        let above =
            millionths > edge(self.low) || (self.low.included && millionths == edge(self.low));
        let below = self.high.is_none_or(|high| {
            millionths < edge(high) || (high.included && millionths == edge(high))
        });
        above && below
    }
}

/// As a rule writes it.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |edge: Edge| edge.millionths as f64 / 1e6;
        match (self.low, self.high) {
            (low, Some(high)) if low == high => write!(f, "= {}", number(low)),
            (low, high) => {
                write!(
                    f,
                    "{} {}",
                    if low.included { ">=" } else { ">" },
                    number(low)
                )?;
                match high {
                    Some(high) => write!(
                        f,
                        ", {} {}",
                        if high.included { "<=" } else { "<" },
                        number(high)
                    ),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bounds;

    #[track_caller]
    fn check(text: &str, held: &[u128], not: &[u128]) {
        let bounds = Bounds::parse(text).and_then(Bounds::whole).unwrap();
        held.iter()
            .for_each(|&n| assert!(bounds.hold(n), "{n} in {text}"));
        not.iter()
            .for_each(|&n| assert!(!bounds.hold(n), "{n} not in {text}"));
        assert_eq!(Bounds::parse(&bounds.to_string()).unwrap(), bounds);
    }

    #[test]
    fn whole_numbers() {
        check("10", &[10, 11, u128::MAX], &[0, 9]);
        check(">10", &[11], &[10]);
        check("= 3", &[3], &[2, 4]);
        check(">= 5, <= 20", &[5, 20], &[4, 21]);
        check("< 20, > 5", &[6, 19], &[5, 20]);
    }

    #[test]
    fn shares() {
        let bounds = Bounds::parse("> 0.5").unwrap();
        assert!(bounds.hold_share(1_500_001, 3) && !bounds.hold_share(1_500_000, 3));
        assert!(Bounds::parse("-2.5").unwrap().hold_share(-2_500_000, 1));
    }

    #[test]
    fn what_is_refused() {
        for (text, why) in [
            ("<= 3", "absence"),
            ("!= 3", "is no comparison"),
            (">= 5, > 3", "same side"),
            (">= 5, < 5", "no number"),
            ("ten", "is no comparison"),
            ("NaN", "is no comparison"),
            ("", "is no comparison"),
        ] {
            let error = Bounds::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        for (text, why) in [
            ("0.5", "whole"),
            ("0", "at least 1"),
            ("> 5, < 6", "no whole"),
        ] {
            let error = Bounds::parse(text).and_then(Bounds::whole).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
