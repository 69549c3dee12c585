//! YAML as a tree in which every part knows its place, so that all of a file can be judged and every mistake pointed at.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use crate::mistake::closest;

/// Line and column, from 1.
pub(super) type At = (usize, usize);

/// A value and where it begins.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: At,
    pub(super) value: Yaml,
}

#[derive(Debug, Clone)]
pub(super) enum Yaml {
    Null,
    Bool(bool),
    Whole(i128),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file; keys that come twice are both here.
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) at: At,
    pub(super) text: String,
}

/// Reads one document. The error is a place and one line.
pub(super) fn read(text: &str) -> Result<Node, (At, String)> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Ok(node(raw)),
        Err(error) => {
            let at = error
                .location()
                .map_or((1, 1), |at| (at.line() as usize, at.column() as usize));
            let message = error.to_string();
            let joined = message.split_whitespace().collect::<Vec<_>>().join(" ");
            let message = joined
                .rsplit_once(" at line ")
                .map_or(joined.as_str(), |(message, _)| message);
            Err((at, alerts::clean(message, 300).into_owned()))
        }
    }
}

impl Yaml {
    /// What it is, in a sentence.
    pub(super) fn name(&self) -> String {
        match self {
            Yaml::Null => "nothing".to_owned(),
            Yaml::Bool(value) => value.to_string(),
            Yaml::Whole(value) => value.to_string(),
            Yaml::Number(value) => value.to_string(),
            Yaml::Text(text) => format!("`{}`", alerts::clean(text, 40)),
            Yaml::List(_) => "a list".to_owned(),
            Yaml::Map(_) => "a mapping".to_owned(),
        }
    }

    /// A single value as text.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Yaml::Bool(value) => Some(value.to_string()),
            Yaml::Whole(value) => Some(value.to_string()),
            Yaml::Number(value) => Some(value.to_string()),
            Yaml::Text(text) => Some(text.clone()),
            Yaml::Null | Yaml::List(_) | Yaml::Map(_) => None,
        }
    }

    /// The same as JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Yaml::Null => Json::Null,
            Yaml::Bool(value) => Json::Bool(*value),
            Yaml::Whole(value) => match i64::try_from(*value) {
                Ok(value) => Json::from(value),
                Err(_) => Json::from(value.to_string()),
            },
            Yaml::Number(value) => Json::from(*value),
            Yaml::Text(text) => Json::from(text.as_str()),
            Yaml::List(items) => items.iter().map(|item| item.value.json()).collect(),
            Yaml::Map(entries) => entries
                .iter()
                .map(|(key, value)| (key.text.clone(), value.value.json()))
                .collect(),
        }
    }
}

/// `; did you mean ...?`, or nothing where no word is near.
pub(super) fn did_you_mean(word: &str, known: impl IntoIterator<Item = &'static str>) -> String {
    closest(word, known.into_iter())
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

fn node(raw: Spanned<Raw>) -> Node {
    let place = |at: serde_saphyr::Location| (at.line() as usize, at.column() as usize);
    Node {
        at: place(raw.referenced),
        value: match raw.value {
            Raw::Null => Yaml::Null,
            Raw::Bool(value) => Yaml::Bool(value),
            Raw::Whole(value) => Yaml::Whole(value),
            Raw::Number(value) => Yaml::Number(value),
            Raw::Text(text) => Yaml::Text(text),
            Raw::List(items) => Yaml::List(items.into_iter().map(node).collect()),
            Raw::Map(entries) => Yaml::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| {
                        let at = place(key.referenced);
                        (
                            Key {
                                at,
                                text: key.value,
                            },
                            node(value),
                        )
                    })
                    .collect(),
            ),
        },
    }
}

enum Raw {
    Null,
    Bool(bool),
    Whole(i128),
    Number(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(Any)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Whole(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Whole(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Whole(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Whole(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
