//! JSON as it comes: with the place of every part, keys that come twice included.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::PatternMistake;
use crate::clean;

/// Deeper than any event: AWS's go to a dozen.
const DEEPEST: usize = 64;

/// A part of a pattern.
#[derive(Debug)]
pub(super) struct Node {
    /// Line and column, where the pattern was text.
    pub(super) place: Option<(usize, usize)>,
    pub(super) part: Part,
}

#[derive(Debug)]
pub(super) enum Part {
    /// In the order of the text.
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    /// A text, a number, a boolean or null.
    Leaf(Value),
    /// Nested deeper than anybody reads.
    TooDeep,
}

impl Node {
    /// What it is, in a sentence.
    pub(super) fn name(&self) -> String {
        match &self.part {
            Part::Object(_) => "an object".to_owned(),
            Part::Array(_) => "an array".to_owned(),
            Part::Leaf(Value::String(text)) => format!("the text \"{}\"", clean(text, 40)),
            Part::Leaf(value) => value.to_string(),
            Part::TooDeep => format!("nested more than {DEEPEST} deep"),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.part {
            Part::Leaf(Value::String(text)) => Some(text),
            _ => None,
        }
    }
}

pub(super) fn of_value(value: &Value) -> Node {
    value_at(value, 0)
}

fn value_at(value: &Value, depth: usize) -> Node {
    let part = match value {
        _ if depth > DEEPEST => Part::TooDeep,
        Value::Object(members) => {
            let members = members.iter();
            Part::Object(
                members
                    .map(|(k, v)| (k.clone(), value_at(v, depth + 1)))
                    .collect(),
            )
        }
        Value::Array(items) => Part::Array(items.iter().map(|v| value_at(v, depth + 1)).collect()),
        leaf => Part::Leaf(leaf.clone()),
    };
    Node { place: None, part }
}

pub(super) fn of_text(text: &str) -> Result<Node, PatternMistake> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let raw = serde_json::from_str::<&RawValue>(text)
        .map_err(|error| broken(&error, (error.line(), error.column().max(1))))?;
    Reader { text }.node(raw.get(), 0)
}

fn broken(error: &serde_json::Error, place: (usize, usize)) -> PatternMistake {
    let message = error.to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(message, _)| message);
    PatternMistake {
        path: String::new(),
        place: Some(place),
        message: format!("is no JSON: {}", clean(message, 200)),
    }
}

struct Reader<'a> {
    text: &'a str,
}

impl<'a> Reader<'a> {
    /// `part` is a slice of the text, so where it lies says where it begins.
    fn node(&self, part: &'a str, depth: usize) -> Result<Node, PatternMistake> {
        let place = self.place(part);
        let broken = |error: serde_json::Error| broken(&error, place);
        let kind = match part.as_bytes().first() {
            _ if depth > DEEPEST => Part::TooDeep,
            Some(b'{') => {
                let Members(members) = serde_json::from_str(part).map_err(broken)?;
                let members = members.into_iter();
                let read = members.map(|(k, v)| Ok((k, self.node(v.get(), depth + 1)?)));
                Part::Object(read.collect::<Result<_, _>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(part).map_err(broken)?;
                let read = items
                    .into_iter()
                    .map(|item| self.node(item.get(), depth + 1));
                Part::Array(read.collect::<Result<_, _>>()?)
            }
            _ => Part::Leaf(serde_json::from_str(part).map_err(broken)?),
        };
        Ok(Node {
            place: Some(place),
            part: kind,
        })
    }

    fn place(&self, part: &str) -> (usize, usize) {
        let offset = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let before = self.text.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before[start..].chars().count() + 1)
    }
}

/// The members of an object as they come.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(All)
    }
}

struct All;

impl<'de> Visitor<'de> for All {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = entries.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
