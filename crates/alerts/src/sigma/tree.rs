//! A file's YAML documents as trees that know the place of every part, and the list that mistakes are noted in.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use crate::rule::Mistake;
use crate::rule::yaml::{one_line, spot};
use crate::{clean, sigma::Place};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) value: Value,
}

/// What YAML can say. Keys are text; a map keeps the order of the file.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Flag(bool),
    Whole(i128),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) at: Place,
    pub(super) key: String,
    pub(super) node: Node,
}

/// The mistakes found so far, and the text they are in.
pub(super) struct Notes<'a> {
    pub(super) text: &'a str,
    pub(super) mistakes: Vec<Mistake>,
}

impl Notes<'_> {
    /// Remembers a mistake and goes on.
    pub(super) fn note(&mut self, (line, column): Place, message: impl Into<String>) {
        self.mistakes.push(Mistake {
            line,
            column,
            message: message.into(),
        });
    }

    /// Remembers a mistake where a value should have been.
    pub(super) fn mistake<T>(&mut self, at: Place, message: impl Into<String>) -> Option<T> {
        self.note(at, message);
        None
    }

    /// The place of a character within a text that begins at `at`; that of the text itself where it is folded or escaped,
    /// so that its characters are not those of the file.
    pub(super) fn within(&self, (line, column): Place, text: &str, character: usize) -> Place {
        let rest = self.text.split('\n').nth(line - 1).unwrap_or("");
        let mut rest = rest.chars().skip(column - 1);
        let quote = match rest.clone().next() {
            Some('\'' | '"') => usize::from(rest.next().is_some()),
            _ => 0,
        };
        let same = text.chars().all(|c| rest.next() == Some(c));
        (
            line,
            if same {
                column + quote + character
            } else {
                column
            },
        )
    }
}

impl Node {
    /// What it is, in a sentence.
    pub(super) fn name(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Flag(value) => format!("{value}"),
            Value::Whole(value) => format!("{value}"),
            Value::Number(value) => format!("{value}"),
            Value::Text(text) => format!("the text `{}`", clean(text, 40)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }

    /// The entries of a mapping; none of anything else.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// A member of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let mut entries = self.entries().iter();
        entries
            .find(|entry| entry.key == key)
            .map(|entry| &entry.node)
    }
}

/// The documents of a file, each a mapping. Nothing where the YAML cannot be read, with the mistake noted.
pub(super) fn documents(notes: &mut Notes<'_>) -> Vec<Node> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        // An account id keeps its zeros without quotes.
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    match serde_saphyr::from_multiple_with_options::<Spanned<Value>>(notes.text, options) {
        Ok(documents) => documents.into_iter().map(node).collect(),
        Err(error) => {
            let at = error.location().as_ref().map_or((1, 1), spot);
            let at = (at.0.max(1), at.1.max(1));
            let message = one_line(&error.to_string());
            // Not for whoever writes a file: the reader's own settings.
            let message = message.split(", set DuplicateKeyPolicy").next();
            notes.note(at, format!("YAML: {}", message.unwrap_or_default()));
            Vec::new()
        }
    }
}

fn node(spanned: Spanned<Value>) -> Node {
    let (line, column) = spot(&spanned.referenced);
    Node {
        at: (line.max(1), column.max(1)),
        value: spanned.value,
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Any)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Whole(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Whole(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Whole(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::Whole(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(node(item));
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<String>, Spanned<Value>>()? {
            let (line, column) = spot(&key.referenced);
            map.push(Entry {
                at: (line.max(1), column.max(1)),
                key: key.value,
                node: node(value),
            });
        }
        Ok(Value::Map(map))
    }
}
