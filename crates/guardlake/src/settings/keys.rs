//! Every setting there is, as the structs say: its path in their order, and what its comment says of it.

use std::fmt;

use schemars::generate::SchemaSettings;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::Settings;

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    /// `lake.uri`
    pub(crate) path: String,
    /// Its reference.
    pub(crate) about: String,
    /// What it must be: `text`, `a whole number`, `true or false`, ...
    pub(crate) kind: String,
    /// What holds without it; null where nothing does.
    pub(crate) default: Value,
    /// What an example shows; null where there is none.
    pub(crate) example: Value,
    /// Nobody may be shown its value.
    pub(crate) is_secret: bool,
}

impl Key {
    /// `lake` and `uri`.
    pub(crate) fn parts(&self) -> (&str, &str) {
        self.path.rsplit_once('.').unwrap_or(("", &self.path))
    }

    /// `GUARDLAKE__LAKE__URI`
    pub(crate) fn variable(&self) -> String {
        format!("GUARDLAKE__{}", self.path.to_uppercase().replace('.', "__"))
    }
}

/// The JSON Schema of the settings file.
pub(crate) fn schema() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<Settings>()
        .to_value();
    schema["title"] = "guardlake.yaml".into();
    schema
}

/// All settings, in the order of the structs.
pub(crate) fn keys() -> Vec<Key> {
    let schema = schema();
    let mut paths = Paths::default();
    // A type that refuses what stands for a value hides the keys after it; a test finds that.
    let _ = Settings::deserialize(&mut paths);
    let key = |path: String| {
        let of = part(&schema, &path);
        Key {
            about: about(of),
            kind: kind(of),
            default: of["default"].clone(),
            example: of["examples"][0].clone(),
            is_secret: of["writeOnly"] == true,
            path,
        }
    };
    paths.found.into_iter().map(key).collect()
}

/// What the comment on a section or key says.
pub(super) fn about(schema: &Value) -> String {
    schema["description"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The part of the schema that is about `lake` or `lake.uri`; null where there is no such thing.
pub(super) fn part<'a>(schema: &'a Value, path: &str) -> &'a Value {
    path.split('.')
        .fold(schema, |schema, key| &schema["properties"][key])
}

fn kind(schema: &Value) -> String {
    let words = schema["anyOf"][0]["oneOf"].as_array();
    if let Some(words) = words.or(schema["oneOf"].as_array()) {
        let words = words.iter().filter_map(|one| one["const"].as_str());
        return words.collect::<Vec<_>>().join(", ");
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    let kind = types
        .iter()
        .filter_map(Value::as_str)
        .find(|kind| *kind != "null");
    match kind {
        Some("string") => "text",
        Some("integer") => "a whole number",
        Some("number") => "a number",
        Some("boolean") => "true or false",
        Some("array") => "a list",
        _ => "lines of `name: ...`",
    }
    .to_owned()
}

/// Writes down which fields the structs ask for, in their order, and answers every question with nothing. (A schema cannot say it:
/// its properties are sorted by name.)
#[derive(Default)]
struct Paths {
    at: Vec<&'static str>,
    found: Vec<String>,
}

/// A type that wants more than nothing.
#[derive(Debug)]
struct Never(String);

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Never {}

impl de::Error for Never {
    fn custom<T: fmt::Display>(what: T) -> Never {
        Never(what.to_string())
    }
}

impl<'de> Deserializer<'de> for &mut Paths {
    type Error = Never;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        visitor.visit_none()
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Never> {
        let fields = fields.iter();
        visitor.visit_map(Fields {
            fields,
            paths: self,
        })
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        visitor.visit_bool(false)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        visitor.visit_u64(0)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        visitor.visit_u32(0)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        visitor.visit_i64(0)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        visitor.visit_f64(0.0)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        visitor.visit_str("")
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        visitor.visit_seq(de::value::SeqDeserializer::<_, Never>::new(
            std::iter::empty::<u8>(),
        ))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Never> {
        let none = std::iter::empty::<(u8, u8)>();
        visitor.visit_map(de::value::MapDeserializer::<_, Never>::new(none))
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u128 f32 char str bytes byte_buf option unit unit_struct
        newtype_struct tuple tuple_struct enum identifier ignored_any
    }
}

struct Fields<'a> {
    fields: std::slice::Iter<'static, &'static str>,
    paths: &'a mut Paths,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Never;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Never> {
        let Some(field) = self.fields.next() else {
            return Ok(None);
        };
        self.paths.at.push(field);
        seed.deserialize(de::value::StrDeserializer::new(field))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Never> {
        let known = self.paths.found.len();
        let path = self.paths.at.join(".");
        let value = seed.deserialize(&mut *self.paths);
        if self.paths.found.len() == known {
            self.paths.found.push(path);
        }
        self.paths.at.pop();
        value
    }
}
