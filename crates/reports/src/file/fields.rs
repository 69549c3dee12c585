//! Fields of a mapping, asked for one by one; what does not fit is noted with its path and line.

use std::collections::BTreeMap;
use std::fmt;

use alerts::clean;
use alerts::yaml::{Yaml, did_you_mean};

use super::{Part, place, unknown};

/// Line and column, both from 1.
pub(super) type Place = (usize, usize);

/// One thing that is wrong with a report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// The path of the field and what is wrong, in a sentence.
    pub message: String,
}

/// All that is wrong with a report, one a line: `FILE:LINE:COLUMN: field: why`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ReportError {
    /// As handed to [`Report::parse`](crate::Report::parse).
    pub file: String,
    /// In the order of the file; at least one.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.mistakes.iter().enumerate() {
            let newline = if at == 0 { "" } else { "\n" };
            let (line, column) = (mistake.line, mistake.column);
            write!(
                f,
                "{newline}{}:{line}:{column}: {}",
                self.file, mistake.message
            )?;
        }
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct Reader {
    pub(super) mistakes: Vec<Mistake>,
}

impl Reader {
    pub(super) fn note(&mut self, (line, column): Place, message: impl Into<String>) {
        self.mistakes.push(Mistake {
            line,
            column,
            message: message.into(),
        });
    }

    pub(super) fn mistake<T>(&mut self, at: Place, message: impl Into<String>) -> Option<T> {
        self.note(at, message);
        None
    }

    /// The known fields of a mapping. `path` ends in a dot, or is empty.
    pub(super) fn map(
        &mut self,
        path: &str,
        start: Place,
        pairs: Vec<(String, Place, Part)>,
        known: &[&str],
    ) -> Map {
        let mut map = Map {
            path: path.to_owned(),
            start,
            fields: Vec::new(),
        };
        for (name, at, value) in pairs {
            if !known.contains(&name.as_str()) {
                let hint = did_you_mean(&name, known);
                let name = clean(&name, 60);
                self.note(at, format!("{path}{name}: there is no such field{hint}"));
            } else if map.get(&name).is_some() {
                self.note(at, format!("{path}{name}: given twice"));
            } else {
                map.fields.push((name, value));
            }
        }
        map
    }

    /// One of several words.
    pub(super) fn word<T>(
        &mut self,
        path: &str,
        at: Place,
        word: &str,
        known: &[&str],
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        read(word).or_else(|| self.mistake(at, format!("{path}: {}", unknown(word, known))))
    }

    fn text(&mut self, path: &str, part: &Part) -> Option<(Place, String)> {
        let at = place(part);
        match &part.value {
            Yaml::Text(text) if !text.trim().is_empty() => Some((at, text.trim().to_owned())),
            Yaml::Text(_) | Yaml::Null => self.mistake(at, format!("{path}: is empty")),
            Yaml::Bool(_) | Yaml::Whole(_) | Yaml::Number(_) => {
                self.mistake(at, format!("{path}: must be text; put it in quotes"))
            }
            other => self.mistake(at, format!("{path}: must be text, not {}", other.name())),
        }
    }

    /// Keys and values of a mapping, however named.
    pub(super) fn pairs(&mut self, path: &str, part: &Part) -> Option<Vec<(String, Place, Part)>> {
        let at = place(part);
        let Yaml::Map(pairs) = &part.value else {
            let name = part.value.name();
            return self.mistake(
                at,
                format!("{path}: must be lines of `field: value`, not {name}"),
            );
        };
        let mut known = Vec::new();
        for (key, value) in pairs {
            match &key.value {
                Yaml::Text(name) => known.push((name.clone(), place(key), value.clone())),
                other => self.note(place(key), format!("{path}: {} is no field", other.name())),
            }
        }
        Some(known)
    }
}

/// A mapping, and where it begins.
pub(super) struct Map {
    pub(super) path: String,
    start: Place,
    fields: Vec<(String, Part)>,
}

impl Map {
    pub(super) fn get(&self, field: &str) -> Option<&Part> {
        let found = self.fields.iter().find(|(name, _)| name == field);
        found.map(|(_, value)| value)
    }

    pub(super) fn path(&self, field: &str) -> String {
        format!("{}{field}", self.path)
    }

    /// A text, or nothing where the field is not there.
    pub(super) fn text(&self, reader: &mut Reader, field: &str) -> Option<(Place, String)> {
        reader.text(&self.path(field), self.get(field)?)
    }

    pub(super) fn words(&self, reader: &mut Reader, field: &str) -> Option<String> {
        Some(self.text(reader, field)?.1)
    }

    pub(super) fn required(
        &self,
        reader: &mut Reader,
        field: &str,
        what: &str,
    ) -> Option<(Place, String)> {
        if self.get(field).is_none() {
            let path = self.path(field);
            return reader.mistake(self.start, format!("{path}: missing; say {what}"));
        }
        self.text(reader, field)
    }

    /// The name of a question: a file's stem, or a folder and a stem.
    pub(super) fn question(&self, reader: &mut Reader, field: &str) -> Option<String> {
        let (at, name) = self.required(reader, field, "which question")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-/".contains(c);
        if name.len() > 120 || !name.chars().all(fits) || name.starts_with('/') {
            let (path, name) = (self.path(field), clean(&name, 60));
            return reader.mistake(at, format!("{path}: `{name}` is no name of a question"));
        }
        Some(name)
    }

    pub(super) fn column(
        &self,
        reader: &mut Reader,
        field: &str,
        required: bool,
    ) -> Option<String> {
        if required {
            return Some(
                self.required(reader, field, "which column of the answer")?
                    .1,
            );
        }
        self.words(reader, field)
    }

    pub(super) fn map(&self, reader: &mut Reader, field: &str, known: &[&str]) -> Option<Map> {
        let part = self.get(field)?;
        let path = self.path(field);
        let pairs = reader.pairs(&path, part)?;
        Some(reader.map(&format!("{path}."), place(part), pairs, known))
    }

    /// A whole number within bounds.
    pub(super) fn count(
        &self,
        reader: &mut Reader,
        field: &str,
        least: usize,
        most: usize,
    ) -> Option<usize> {
        let part = self.get(field)?;
        let fits = match part.value {
            Yaml::Whole(number) => usize::try_from(number).ok(),
            _ => None,
        };
        fits.filter(|number| (least..=most).contains(number))
            .or_else(|| {
                let path = self.path(field);
                reader.mistake(
                    place(part),
                    format!("{path}: a whole number from {least} to {most}"),
                )
            })
    }

    /// A word or a list of words, each with its place.
    pub(super) fn list_of_words(
        &self,
        reader: &mut Reader,
        field: &str,
    ) -> Option<Vec<(Place, String)>> {
        let part = self.get(field)?;
        let path = self.path(field);
        match &part.value {
            Yaml::List(items) if items.is_empty() => {
                reader.mistake(place(part), format!("{path}: the list is empty"))
            }
            Yaml::List(items) => {
                let items = items.iter();
                Some(items.filter_map(|item| reader.text(&path, item)).collect())
            }
            _ => reader.text(&path, part).map(|one| vec![one]),
        }
    }

    /// Values for parameters of questions: text, numbers, true or false, or a list, which becomes text between commas.
    pub(super) fn parameters(&self, reader: &mut Reader, field: &str) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        let Some(part) = self.get(field) else {
            return values;
        };
        let path = self.path(field);
        for (name, at, value) in reader.pairs(&path, part).unwrap_or_default() {
            let shown = clean(&name, 60).into_owned();
            if ["from", "to", "tz"].contains(&name.as_str()) {
                let why = "comes from the period and time_zone of the report";
                reader.note(at, format!("{path}.{shown}: {why}"));
                continue;
            }
            let one = |value: &Yaml| match value {
                Yaml::Text(text) => Some(text.clone()),
                Yaml::Whole(number) => Some(number.to_string()),
                Yaml::Number(number) => Some(number.to_string()),
                Yaml::Bool(truth) => Some(truth.to_string()),
                _ => None,
            };
            let text = match &value.value {
                Yaml::List(items) => {
                    let texts: Option<Vec<String>> = items.iter().map(|i| one(&i.value)).collect();
                    texts.map(|texts| texts.join(","))
                }
                value => one(value),
            };
            match text {
                Some(_) if values.contains_key(&name) => {
                    reader.note(at, format!("{path}.{shown}: given twice"));
                }
                Some(text) => {
                    values.insert(name, text);
                }
                None => {
                    let why = "must be text, a number, true or false, or a list of them";
                    reader.note(place(&value), format!("{path}.{shown}: {why}"));
                }
            }
        }
        values
    }
}
