//! Parameters of a query: `$name` in its text, a type and a default in its header, a value from the caller.

use std::collections::BTreeMap;

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use serde::Deserialize;

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
    /// one of these less or plus a time: `end - 30d`. Units: s, m, h, d, w. UTC.
    Timestamp,
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

const DAY: i64 = 86_400_000_000;

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
    /// Reads a text; `newest` is the newest event time in the lake in UTC microseconds.
    pub fn read(self, text: &str, newest: i64) -> Result<Value, String> {
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
            ParameterType::Timestamp => read_time(text.trim(), newest)
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
fn read_time(text: &str, newest: i64) -> Option<i64> {
    for (sign, symbol) in [(-1, " - "), (1, " + ")] {
        if let Some((base, span)) = text.split_once(symbol) {
            return read_base(base.trim(), newest)?
                .checked_add(read_span(span.trim())?.checked_mul(sign)?);
        }
    }
    read_base(text, newest)
}

fn read_base(text: &str, newest: i64) -> Option<i64> {
    match text {
        "newest" => Some(newest),
        "end" => newest.div_euclid(DAY).checked_add(1)?.checked_mul(DAY),
        _ => string_to_timestamp_nanos(text)
            .ok()
            .map(|nanos| nanos.div_euclid(1_000)),
    }
}

fn read_span(text: &str) -> Option<i64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let unit = match &text[unit_at..] {
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => return None,
    };
    text[..unit_at].parse::<i64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

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
