//! YAML as it comes, with the place of every part, so that all fields can be judged and not only those before the first
//! mistake.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use crate::clean;

/// A value.
#[derive(Debug, Clone)]
pub enum Yaml {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without a point.
    Whole(i128),
    /// A number with a point.
    Number(f64),
    /// Words, in quotes or not.
    Text(String),
    /// A sequence.
    List(Vec<Spanned<Yaml>>),
    /// Keys in the order of the file.
    Map(Vec<(Spanned<Yaml>, Spanned<Yaml>)>),
}

/// The top level: keys and values in the order of the file, keys that come twice included.
pub struct Fields(pub Vec<(Spanned<String>, Spanned<Yaml>)>);

impl Yaml {
    /// What it is, in a sentence.
    pub fn name(&self) -> String {
        match self {
            Yaml::Null => "nothing".to_owned(),
            Yaml::Bool(value) => format!("{value}"),
            Yaml::Whole(value) => format!("{value}"),
            Yaml::Number(value) => format!("{value}"),
            Yaml::Text(text) => format!("the text `{}`", clean(text, 40)),
            Yaml::List(_) => "a list".to_owned(),
            Yaml::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// Line and column of a part, both from 1.
pub fn spot(location: &Location) -> (usize, usize) {
    (location.line() as usize, location.column() as usize)
}

/// `; did you mean ...?`, or nothing where no word is near.
pub fn did_you_mean(word: &str, known: &[&str]) -> String {
    match known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .min()
    {
        Some((distance, known)) if distance <= known.len().max(3) / 3 => {
            format!("; did you mean `{known}`?")
        }
        _ => String::new(),
    }
}

/// A message of the YAML reader in one line, without the place that it ends in.
pub fn one_line(message: &str) -> String {
    let joined = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let joined = joined
        .rsplit_once(" at line ")
        .map_or(joined.as_str(), |(message, _)| message);
    if joined == "expected mapping start" {
        return "must be lines of `field: value`".to_owned();
    }
    clean(joined, 300).into_owned()
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Yaml, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Yaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_none<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Yaml, D::Error> {
        deserializer.deserialize_any(Any)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Yaml, E> {
        Ok(Yaml::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Yaml, E> {
        Ok(Yaml::Whole(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Yaml, E> {
        Ok(Yaml::Whole(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Yaml, E> {
        Ok(Yaml::Whole(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Yaml, E> {
        Ok(Yaml::Whole(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Yaml, E> {
        Ok(Yaml::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Yaml, E> {
        Ok(Yaml::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Yaml, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Yaml::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Yaml, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Yaml::Map(map))
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        deserializer.deserialize_map(TopLevel)
    }
}

struct TopLevel;

impl<'de> Visitor<'de> for TopLevel {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`field: value` lines")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            fields.push(entry);
        }
        Ok(Fields(fields))
    }
}
