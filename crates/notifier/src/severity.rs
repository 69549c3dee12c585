//! A severity as people write it in settings.

use std::fmt;

use alerts::Label;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// `informational`, `low`, `medium`, `high` or `critical`, in whatever case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Severity(pub Label);

impl<'de> Deserialize<'de> for Severity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Severity, D::Error> {
        deserializer.deserialize_str(Word)
    }
}

struct Word;

impl Visitor<'_> for Word {
    type Value = Severity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("informational, low, medium, high or critical")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Severity, E> {
        let wrong = || E::custom("must be informational, low, medium, high or critical");
        Label::from_word(word).map(Severity).ok_or_else(wrong)
    }
}
