//! How long: `10m`, `90s`, `1h 30m`, `1d`.

use std::fmt;

/// A length of time as a rule writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    micros: i64,
    text: String,
}

/// 366 days in microseconds.
const LONGEST: i64 = 366 * 86_400 * 1_000_000;

impl Period {
    /// Reads `10m`, `1h 30m`, ...: whole numbers with a unit (w, d, h, m, s), each unit at most once, the largest first.
    /// More than nothing and at most 366 days. The error is a clause that can follow `window: `.
    pub fn parse(text: &str) -> Result<Period, String> {
        let text = text.trim();
        let bad = || {
            format!(
                "`{}` is not a duration; write it like 10m, 90s, 1h 30m or 1d",
                crate::clean(text, 40)
            )
        };
        let mut micros: i64 = 0;
        let mut previous = i64::MAX;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            if digits == 0 {
                return Err(bad());
            }
            if digits == rest.len() {
                return Err(format!(
                    "`{text}` has no unit; write it like 10m, 90s, 1h 30m or 1d"
                ));
            }
            let (number, after) = rest.split_at(digits);
            let letters = after
                .find(|c: char| !c.is_alphabetic())
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            let unit: i64 = match unit {
                "w" => 7 * 86_400,
                "d" => 86_400,
                "h" => 3_600,
                "m" => 60,
                "s" => 1,
                "" => return Err(bad()),
                other => {
                    return Err(format!(
                        "`{}` is not a unit; the units are w, d, h, m and s",
                        crate::clean(other, 20)
                    ));
                }
            };
            if unit >= previous {
                return Err(bad());
            }
            previous = unit;
            micros = (number.parse::<i64>().ok())
                .and_then(|number| number.checked_mul(unit * 1_000_000))
                .and_then(|part| micros.checked_add(part))
                .unwrap_or(i64::MAX);
            rest = after.trim_start();
        }
        match micros {
            0 if text.is_empty() => Err(bad()),
            0 => Err("must be longer than nothing".to_owned()),
            1..=LONGEST => Ok(Period {
                micros,
                text: text.to_owned(),
            }),
            _ => Err(format!(
                "`{}` is too long; at most 366d",
                crate::clean(text, 40)
            )),
        }
    }

    /// In microseconds; from 1 second to 366 days.
    pub fn micros(&self) -> i64 {
        self.micros
    }

    /// As the rule writes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
