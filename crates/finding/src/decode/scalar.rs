//! A JSON value read as what the column wants, whatever type it was written as. What does not fit is `None`, never an error.

use std::borrow::Cow;

use super::time;
use crate::{Label, Micros};

/// A value that is no object and no list. Numbers keep their text, so that none is too large.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
}

impl<'a> Scalar<'a> {
    /// Text as it is, numbers and booleans as written; empty text is `None`.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Scalar::Text(text) => Some(text).filter(|text| !text.is_empty()),
            Scalar::Number(number) => Some(Cow::Borrowed(number)),
            Scalar::Bool(true) => Some(Cow::Borrowed("true")),
            Scalar::Bool(false) => Some(Cow::Borrowed("false")),
            Scalar::Null => None,
        }
    }

    /// Text that says something: a place or organisation called `UNKNOWN` is `None`.
    pub(super) fn known(self) -> Option<Cow<'a, str>> {
        self.text()
            .filter(|text| !text.eq_ignore_ascii_case("unknown"))
    }

    fn digits(&self) -> Option<&str> {
        match self {
            Scalar::Number(number) => Some(number),
            Scalar::Text(text) => Some(text.trim()),
            _ => None,
        }
    }

    /// A whole number in the range of `i64`, also from text (`"20"`) and from `2E1`.
    pub(super) fn int(&self) -> Option<i64> {
        let digits = self.digits()?;
        digits.parse().ok().or_else(|| {
            let number = float(digits)?;
            (number.fract() == 0.0 && number.abs() < 9.2e18).then_some(number as i64)
        })
    }

    /// A whole number in the range of `i32`.
    pub(super) fn small_int(&self) -> Option<i32> {
        self.int().and_then(|number| i32::try_from(number).ok())
    }

    /// A finite number.
    pub(super) fn float(&self) -> Option<f64> {
        float(self.digits()?)
    }

    /// A boolean, also from `"true"`, `"FALSE"`, 0 and 1.
    pub(super) fn bool(&self) -> Option<bool> {
        let word = match self {
            Scalar::Bool(value) => return Some(*value),
            other => other.digits()?,
        };
        match word {
            "1" => Some(true),
            "0" => Some(false),
            _ if word.eq_ignore_ascii_case("true") => Some(true),
            _ if word.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// An instant, from ISO 8601 text or an epoch in seconds or milliseconds.
    pub(super) fn time(&self) -> Option<Micros> {
        time::parse(self.digits()?)
    }

    /// An account id. As a number it has lost its leading zeros (Athena): they come back up to twelve digits.
    pub(super) fn account(self) -> Option<Cow<'a, str>> {
        match self {
            Scalar::Number(_) => self
                .int()
                .filter(|id| *id >= 0)
                .map(|id| Cow::Owned(format!("{id:012}"))),
            other => other.text(),
        }
    }

    /// The number and the label of a severity: from a number, or the label alone from a word (`HIGH`).
    pub(super) fn severity(self) -> (Option<f64>, Option<Label>) {
        match self.float() {
            Some(number) => (Some(number), Label::of(number)),
            None => (None, self.text().and_then(|word| Label::from_word(&word))),
        }
    }
}

/// Rust's parser takes "inf", "nan" and "infinity" too: those are words here.
fn float(digits: &str) -> Option<f64> {
    let numeric = digits
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    digits
        .parse::<f64>()
        .ok()
        .filter(|number| numeric && number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(word: &str) -> Scalar<'_> {
        Scalar::Text(Cow::Borrowed(word))
    }

    #[test]
    fn numbers_come_from_numbers_and_text_and_never_overflow() {
        for (written, int) in [
            ("20", Some(20)),
            ("2E1", Some(20)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("1e999", None),
            ("1.5", None),
            ("5.0", Some(5)),
        ] {
            assert_eq!(Scalar::Number(written).int(), int, "{written}");
            assert_eq!(text(written).int(), int, "{written} as text");
        }
        assert_eq!(text(" 443 ").small_int(), Some(443));
        assert_eq!(Scalar::Number("4294967296").small_int(), None);
        assert_eq!(text("inf").float(), None);
        assert_eq!(text("NaN").float(), None);
    }

    #[test]
    fn words_and_booleans() {
        assert_eq!(text("").text(), None);
        assert_eq!(text("UNKNOWN").known(), None);
        assert_eq!(text("false").bool(), Some(false));
        assert_eq!(Scalar::Number("1").bool(), Some(true));
        assert_eq!(text("maybe").bool(), None);
        assert_eq!(text("HIGH").severity(), (None, Some(Label::High)));
        assert_eq!(text("5.0").severity(), (Some(5.0), Some(Label::Medium)));
        assert_eq!(Scalar::Number("1e999").severity(), (None, None));
    }

    #[test]
    fn an_account_as_a_number_gets_its_zeros_back() {
        assert_eq!(
            Scalar::Number("57372331974").account().as_deref(),
            Some("057372331974")
        );
        assert_eq!(
            Scalar::Number("9.79326520502E11").account().as_deref(),
            Some("979326520502")
        );
        assert_eq!(text("123").account().as_deref(), Some("123"));
        assert_eq!(Scalar::Number("-1").account(), None);
    }
}
