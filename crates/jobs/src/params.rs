//! Parameters of a query: `$name` in its text, a type and a default in its header, a value from the caller.

use std::collections::BTreeMap;

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::Deserialize;

use crate::functions::{lowest_severity, zone};

/// The values that a caller gives, as text, by name.
pub type Given = BTreeMap<String, String>;

/// What a script takes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its name, without the dollar sign.
    pub name: String,
    /// How its text is read.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// Its text when none is given; without one it must be given.
    #[serde(default)]
    pub default: Option<String>,
    /// What it does.
    #[serde(default)]
    pub description: String,
    /// Whether it is one that all trends take.
    #[serde(skip)]
    pub common: bool,
}

/// How the text of a parameter is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterType {
    /// As it is.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `2026-11-21`, `2026-11-21T10:00:00Z`, `newest` (the newest event_time in the lake), `end` (the midnight after it), or
    /// one of these less or plus a time: `end - 30d`. Units: s, m, h, d, w. What names no offset, midnights and days are those of
    /// the question's time zone; UTC without one.
    Timestamp,
    /// A label or a number, or nothing; becomes the least number that is meant, 0 for nothing.
    Severity,
    /// The IANA name of a time zone: `UTC`, `Europe/Berlin`.
    Zone,
}

/// A value ready to stand in a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A truth value.
    Boolean(bool),
    /// UTC microseconds.
    Timestamp(i64),
}

impl Parameter {
    /// Whether the default can be read.
    pub(crate) fn check(&self) -> Result<(), String> {
        match &self.default {
            Some(text) => self
                .kind
                .read(text, 0)
                .map(|_| ())
                .map_err(|why| format!("default of {}: {why}", self.name)),
            None => Ok(()),
        }
    }
}

impl ParameterType {
    /// Reads a text in UTC; `newest` is the newest event time in the lake in UTC microseconds.
    pub fn read(self, text: &str, newest: i64) -> Result<Value, String> {
        self.read_in(text, newest, &TimeZone::UTC)
    }

    /// Reads a text as people in a time zone mean it.
    pub(crate) fn read_in(self, text: &str, newest: i64, tz: &TimeZone) -> Result<Value, String> {
        let wrong = |what: &str| format!("\"{text}\" is not {what}");
        match self {
            ParameterType::Text => Ok(Value::Text(text.to_owned())),
            ParameterType::Integer => text
                .trim()
                .parse()
                .map(Value::Integer)
                .map_err(|_| wrong("a whole number")),
            ParameterType::Number => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Value::Number(number)),
                _ => Err(wrong("a number")),
            },
            ParameterType::Boolean => match text.trim() {
                "true" => Ok(Value::Boolean(true)),
                "false" => Ok(Value::Boolean(false)),
                _ => Err(wrong("true or false")),
            },
            ParameterType::Severity => lowest_severity(text)
                .map(Value::Number)
                .ok_or_else(|| wrong("a severity: low, medium, high, critical or a number")),
            ParameterType::Zone => zone(text).map(|_| {
                let name = text.trim();
                Value::Text(if name.is_empty() { "UTC" } else { name }.to_owned())
            }),
            ParameterType::Timestamp => read_time(text.trim(), newest, tz)
                .map(Value::Timestamp)
                .ok_or_else(|| {
                    wrong("a time: 2026-11-21, 2026-11-21T10:00:00Z, newest, end, end - 30d")
                }),
        }
    }

    /// Whether [`ParameterType::read`] needs the newest event time.
    pub(crate) fn is_relative(self, text: &str) -> bool {
        self == ParameterType::Timestamp && (text.contains("newest") || text.contains("end"))
    }
}

impl Value {
    /// Reads a text without a declared type: `true`, `false`, whole numbers of fewer than twelve digits without leading zeros
    /// and decimal numbers are what they look like; all else is text, so account ids stay text.
    pub fn guess(text: &str) -> Value {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = digits == "0" || !digits.starts_with('0') || digits.starts_with("0.");
        let numeric = !digits.is_empty() && digits.starts_with(|c: char| c.is_ascii_digit());
        match text {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ if numeric && plain && digits.len() < 12 => text
                .parse()
                .map(Value::Integer)
                .or_else(|_| text.parse().map(Value::Number))
                .unwrap_or_else(|_| Value::Text(text.to_owned())),
            _ => Value::Text(text.to_owned()),
        }
    }
}

/// `base`, or `base +|- <number><unit>`.
fn read_time(text: &str, newest: i64, tz: &TimeZone) -> Option<i64> {
    for (sign, symbol) in [(-1, " - "), (1, " + ")] {
        if let Some((base, span)) = text.split_once(symbol) {
            let base = Timestamp::from_microsecond(read_base(base.trim(), newest, tz)?).ok()?;
            let span = read_span(span.trim(), sign)?;
            let time = base.to_zoned(tz.clone()).checked_add(span).ok()?;
            return Some(time.timestamp().as_microsecond());
        }
    }
    read_base(text, newest, tz)
}

fn read_base(text: &str, newest: i64, tz: &TimeZone) -> Option<i64> {
    match text {
        "newest" => Some(newest),
        "end" => {
            let newest = Timestamp::from_microsecond(newest)
                .ok()?
                .to_zoned(tz.clone());
            let end = newest.tomorrow().ok()?.start_of_day().ok()?;
            Some(end.timestamp().as_microsecond())
        }
        _ if *tz == TimeZone::UTC || text.parse::<Timestamp>().is_ok() => {
            let nanos = string_to_timestamp_nanos(text).ok()?;
            Some(nanos.div_euclid(1_000))
        }
        _ => {
            let local: DateTime = text.parse().ok()?;
            let time = local.to_zoned(tz.clone()).ok()?;
            Some(time.timestamp().as_microsecond())
        }
    }
}

/// Days and weeks are those of the calendar: a day has 23 hours where clocks are put forward.
fn read_span(text: &str, sign: i64) -> Option<Span> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let number = text[..unit_at].parse::<i64>().ok()?.checked_mul(sign)?;
    let span = Span::new();
    match &text[unit_at..] {
        "s" => span.try_seconds(number),
        "m" => span.try_minutes(number),
        "h" => span.try_hours(number),
        "d" => span.try_days(number),
        "w" => span.try_weeks(number),
        _ => return None,
    }
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn check(kind: ParameterType, text: &str, expected: Option<Value>) {
        assert_eq!(kind.read(text, 10 * DAY + 5).ok(), expected, "{text}");
    }

    #[test]
    fn texts_are_read_by_type() {
        check(
            ParameterType::Timestamp,
            "end - 1d",
            Some(Value::Timestamp(10 * DAY)),
        );
        check(
            ParameterType::Timestamp,
            "end",
            Some(Value::Timestamp(11 * DAY)),
        );
        check(
            ParameterType::Timestamp,
            "newest + 2h",
            Some(Value::Timestamp(10 * DAY + 5 + 7_200_000_000)),
        );
        check(
            ParameterType::Timestamp,
            "1970-01-02",
            Some(Value::Timestamp(DAY)),
        );
        check(
            ParameterType::Timestamp,
            "1970-01-02T01:00:00+01:00",
            Some(Value::Timestamp(DAY)),
        );
        check(
            ParameterType::Timestamp,
            "1970-01-03 - 1d",
            Some(Value::Timestamp(DAY)),
        );
        check(ParameterType::Timestamp, "yesterday", None);
        check(
            ParameterType::Timestamp,
            "end - 99999999999999999999d",
            None,
        );
        check(ParameterType::Timestamp, "end - 9999999999999999d", None);
        check(ParameterType::Integer, "x", None);
        check(ParameterType::Number, "NaN", None);
        check(ParameterType::Boolean, "true", Some(Value::Boolean(true)));
    }

    #[test]
    fn times_are_those_of_the_zone() {
        let tz = zone("Europe/Berlin").unwrap();
        let newest = "2026-03-30T23:30:00Z".parse::<Timestamp>().unwrap();
        let check = |text: &str, expected: &str| {
            let read = ParameterType::Timestamp.read_in(text, newest.as_microsecond(), &tz);
            let expected = expected.parse::<Timestamp>().unwrap().as_microsecond();
            assert_eq!(read, Ok(Value::Timestamp(expected)), "{text}");
        };
        check("2026-03-29", "2026-03-28T23:00:00Z");
        check("2026-03-29T12:00:00", "2026-03-29T10:00:00Z");
        check("2026-03-29T12:00:00Z", "2026-03-29T12:00:00Z");
        check("2026-03-29T12:00:00+05:00", "2026-03-29T07:00:00Z");
        check("end", "2026-03-31T22:00:00Z");
        check("end - 3d", "2026-03-28T23:00:00Z");
        check("end - 72h", "2026-03-28T22:00:00Z");
        let wrong = ParameterType::Zone.read("Europe/Atlantis", 0).unwrap_err();
        assert!(
            wrong.contains("\"Europe/Atlantis\" is not a time zone"),
            "{wrong}"
        );
        assert_eq!(
            ParameterType::Severity.read("high", 0),
            Ok(Value::Number(7.0))
        );
    }

    #[test]
    fn account_ids_stay_text() {
        assert_eq!(
            Value::guess("123456789012"),
            Value::Text("123456789012".into())
        );
        assert_eq!(Value::guess("012"), Value::Text("012".into()));
        assert_eq!(Value::guess("12"), Value::Integer(12));
        assert_eq!(Value::guess("-1.5"), Value::Number(-1.5));
        assert_eq!(Value::guess("0"), Value::Integer(0));
        assert_eq!(Value::guess("10.0.0.1"), Value::Text("10.0.0.1".into()));
        assert_eq!(Value::guess("-"), Value::Text("-".into()));
    }
}
