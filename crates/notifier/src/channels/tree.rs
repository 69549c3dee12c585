//! YAML with the place of every key, so that a mistake found later can still name its line.

use std::fmt;

use alerts::{Mistake, clean};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

/// Line and column, both from 1.
pub type Place = (usize, usize);

/// A value with the places of the keys in it.
#[derive(Debug)]
pub enum Tree {
    /// Text, a number, true, false or nothing.
    Leaf(Value),
    /// A sequence.
    List(Vec<Spanned<Tree>>),
    /// A mapping, in the order of the text.
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

/// The entries of a mapping, or nothing of an empty text.
pub fn read(yaml: &str) -> Result<Vec<(String, Place, Tree)>, Mistake> {
    let yaml = yaml.strip_prefix('\u{feff}').unwrap_or(yaml);
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
    };
    let tree = serde_saphyr::from_str_with_options::<Tree>(yaml, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| place(&at));
        let message = error
            .to_string()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let message = message
            .rsplit_once(" at line ")
            .map_or(&*message, |(what, _)| what);
        Mistake {
            line,
            column,
            message: clean(message, 300).into_owned(),
        }
    })?;
    tree.entries().ok_or_else(|| Mistake {
        line: 1,
        column: 1,
        message: "must be lines of `name: ...`".to_owned(),
    })
}

fn place(location: &Location) -> Place {
    (location.line() as usize, location.column() as usize)
}

impl Tree {
    /// The entries of a mapping, none of nothing; `None` of anything else.
    pub fn entries(self) -> Option<Vec<(String, Place, Tree)>> {
        match self {
            Tree::Map(entries) => Some(
                (entries.into_iter())
                    .map(|(key, value)| (key.value, place(&key.referenced), value.value))
                    .collect(),
            ),
            Tree::Leaf(Value::Null) => Some(Vec::new()),
            _ => None,
        }
    }

    /// Without the places.
    pub fn value(&self) -> Value {
        match self {
            Tree::Leaf(value) => value.clone(),
            Tree::List(items) => items.iter().map(|item| item.value.value()).collect(),
            Tree::Map(entries) => (entries.iter())
                .map(|(key, value)| (key.value.clone(), value.value.value()))
                .collect(),
        }
    }

    /// Where the last of these keys and indices is that exists.
    pub fn find(&self, path: &[String]) -> Option<Place> {
        let (key, rest) = path.split_first()?;
        match self {
            Tree::Map(entries) => {
                let (key, value) = entries.iter().find(|(name, _)| name.value == *key)?;
                value
                    .value
                    .find(rest)
                    .or_else(|| Some(place(&key.referenced)))
            }
            Tree::List(items) => {
                let item = items.get(key.parse::<usize>().ok()?)?;
                item.value
                    .find(rest)
                    .or_else(|| Some(place(&item.referenced)))
            }
            Tree::Leaf(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(Any)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Tree::Map(map))
    }
}
