//! The file of suppressions, field by field, so that all mistakes are told and not only the first.

use finding::Label;
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use super::{Condition, Suppression, SuppressionError};
use crate::glob::Glob;
use crate::rule::yaml::{Fields, Yaml, did_you_mean, one_line, spot};
use crate::time::instant;
use crate::{Mistake, clean};

const FIELDS: [&str; 7] = [
    "id", "rules", "match", "owner", "reason", "expires", "created",
];
/// Nobody remembers longer why something was harmless: 366 days in microseconds.
const LONGEST: i64 = 366 * 86_400 * 1_000_000;

/// Line and column, both from 1.
type Place = (usize, usize);

pub(super) fn parse(
    file: &str,
    text: &str,
    now: i64,
) -> Result<Vec<Suppression>, SuppressionError> {
    let mut reader = Reader {
        file,
        now,
        mistakes: Vec::new(),
    };
    let read = reader.read(text);
    let mut mistakes = reader.mistakes;
    mistakes.sort();
    if mistakes.is_empty() {
        Ok(read)
    } else {
        Err(SuppressionError {
            file: file.to_owned(),
            mistakes,
        })
    }
}

struct Reader<'a> {
    file: &'a str,
    now: i64,
    mistakes: Vec<Mistake>,
}

/// The fields of one entry, known ones only, and where the entry begins.
struct Entry {
    start: Place,
    fields: Vec<(String, Place, Yaml)>,
}

impl Entry {
    fn get(&self, field: &str) -> Option<(Place, &Yaml)> {
        let found = self.fields.iter().find(|(name, ..)| name == field);
        found.map(|(_, at, value)| (*at, value))
    }
}

impl Reader<'_> {
    fn note(&mut self, (line, column): Place, message: impl Into<String>) {
        self.mistakes.push(Mistake {
            line,
            column,
            message: message.into(),
        });
    }

    fn mistake<T>(&mut self, at: Place, message: impl Into<String>) -> Option<T> {
        self.note(at, message);
        None
    }

    fn read(&mut self, text: &str) -> Vec<Suppression> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let options = serde_saphyr::options! {
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            strict_booleans: true,
            with_snippet: false,
        };
        let fields = match serde_saphyr::from_str_with_options::<Fields>(text, options) {
            Ok(fields) => fields,
            Err(error) => {
                let at = error.location();
                let at = at.map_or((1, 1), |at| (at.line() as usize, at.column() as usize));
                self.note(at, one_line(&error.to_string()));
                return Vec::new();
            }
        };
        let mut read: Vec<Suppression> = Vec::new();
        let mut lists = 0;
        for (key, value) in fields.0 {
            let (name, at) = (key.value, spot(&key.referenced));
            if name != "suppressions" {
                let hint = did_you_mean(&name, &["suppressions"]);
                self.note(
                    at,
                    format!("{}: there is no such field{hint}", clean(&name, 60)),
                );
                continue;
            }
            lists += 1;
            match value.value {
                _ if lists > 1 => self.note(at, "suppressions: given twice"),
                Yaml::List(entries) => {
                    for entry in entries {
                        let Some((at, entry)) = self.entry(entry) else {
                            continue;
                        };
                        if read.iter().any(|known| known.id == entry.id) {
                            self.note(at, format!("id: `{}` is there twice", entry.id));
                        }
                        read.push(entry);
                    }
                }
                Yaml::Null => {}
                other => self.note(
                    at,
                    format!("suppressions: must be a list, not {}", other.name()),
                ),
            }
        }
        if lists == 0 {
            self.note(
                (1, 1),
                "suppressions: missing; the file is `suppressions:` and a list",
            );
        }
        read
    }

    /// The entry and the place of its id.
    fn entry(&mut self, entry: Spanned<Yaml>) -> Option<(Place, Suppression)> {
        let start = spot(&entry.referenced);
        let Yaml::Map(pairs) = entry.value else {
            let name = entry.value.name();
            return self.mistake(
                start,
                format!("suppressions: every entry is lines of `field: value`, not {name}"),
            );
        };
        let mut entry = Entry {
            start,
            fields: Vec::new(),
        };
        for (key, value) in pairs {
            let at = spot(&key.referenced);
            let Yaml::Text(name) = key.value else {
                self.note(at, format!("{} is no field", key.value.name()));
                continue;
            };
            if !FIELDS.contains(&name.as_str()) {
                let hint = did_you_mean(&name, &FIELDS);
                self.note(
                    at,
                    format!("{}: there is no such field{hint}", clean(&name, 60)),
                );
            } else if entry.get(&name).is_some() {
                self.note(at, format!("{name}: given twice"));
            } else {
                entry
                    .fields
                    .push((name, spot(&value.referenced), value.value));
            }
        }
        let id = self.id(&entry);
        let owner = self.required(&entry, "owner", "who answers for it");
        let reason = self.required(&entry, "reason", "why it is harmless");
        let expires = self.expires(&entry);
        let created = match entry.get("created") {
            Some(_) => Some(self.time(&entry, "created")?),
            None => None,
        };
        let rules = self.patterns_of(&entry, "rules");
        let conditions = self.conditions(&entry);
        let (rules, conditions) = (rules?, conditions?);
        if rules.is_empty() && conditions.is_empty() {
            self.note(
                start,
                "match: missing; an entry without `match` and `rules` would hide everything",
            );
        }
        let (at, id) = id?;
        let suppression = Suppression {
            id,
            file: self.file.to_owned(),
            rules,
            conditions,
            owner: owner?,
            reason: reason?,
            expires: expires?,
            created,
        };
        Some((at, suppression))
    }

    fn id(&mut self, entry: &Entry) -> Option<(Place, String)> {
        let id = self.required(entry, "id", "a short name for it")?;
        let (at, _) = entry.get("id")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if id.len() > 128 || !id.chars().all(fits) {
            let allowed = "letters, digits, `_`, `-` and `.`, at most 128 of them";
            return self.mistake(at, format!("id: `{}` is no id: {allowed}", clean(&id, 140)));
        }
        Some((at, id))
    }

    fn required(&mut self, entry: &Entry, field: &str, what: &str) -> Option<String> {
        let Some((at, value)) = entry.get(field) else {
            return self.mistake(entry.start, format!("{field}: missing; say {what}"));
        };
        self.text(field, at, value)
    }

    fn text(&mut self, field: &str, at: Place, value: &Yaml) -> Option<String> {
        match value {
            Yaml::Text(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Yaml::Text(_) | Yaml::Null => self.mistake(at, format!("{field}: is empty")),
            Yaml::Bool(_) | Yaml::Whole(_) | Yaml::Number(_) => {
                self.mistake(at, format!("{field}: must be text; put it in quotes"))
            }
            Yaml::List(_) | Yaml::Map(_) => {
                self.mistake(at, format!("{field}: must be text, not {}", value.name()))
            }
        }
    }

    fn time(&mut self, entry: &Entry, field: &str) -> Option<i64> {
        let (at, value) = entry.get(field)?;
        let text = self.text(field, at, value)?;
        instant(&text).or_else(|| {
            let hint = "write it like 2026-12-31 or 2026-12-31T18:00:00Z";
            self.mistake(
                at,
                format!("{field}: `{}` is no time; {hint}", clean(&text, 40)),
            )
        })
    }

    fn expires(&mut self, entry: &Entry) -> Option<i64> {
        if entry.get("expires").is_none() {
            let missing = "expires: missing; nothing is harmless for ever, at most a year from now";
            return self.mistake(entry.start, missing);
        }
        let expires = self.time(entry, "expires")?;
        if expires.saturating_sub(self.now) > LONGEST {
            let (at, _) = entry.get("expires")?;
            return self.mistake(
                at,
                "expires: is more than a year ahead; look at it again by then",
            );
        }
        Some(expires)
    }

    /// The patterns of a field that holds texts; none where it is not there.
    fn patterns_of(&mut self, entry: &Entry, field: &str) -> Option<Vec<Glob>> {
        match entry.get(field) {
            Some((at, value)) => self.patterns(field, at, value, false),
            None => Some(Vec::new()),
        }
    }

    /// One text or a list of them. `None` where one is wrong.
    fn patterns(
        &mut self,
        field: &str,
        at: Place,
        value: &Yaml,
        labels: bool,
    ) -> Option<Vec<Glob>> {
        let one = [(at, value)];
        let many: Vec<(Place, &Yaml)>;
        let values = match value {
            Yaml::List(items) if items.is_empty() => {
                return self.mistake(at, format!("{field}: the list is empty"));
            }
            Yaml::List(items) => {
                many = items
                    .iter()
                    .map(|item| (spot(&item.referenced), &item.value))
                    .collect();
                &many[..]
            }
            _ => &one[..],
        };
        let mut patterns = Vec::new();
        for (at, value) in values {
            let Some(text) = self.text(field, *at, value) else {
                continue;
            };
            let pattern = match Label::from_word(&text) {
                Some(label) if labels => Glob::parse(&label.as_str().to_lowercase()),
                None if labels => {
                    let words = ["informational", "low", "medium", "high", "critical"];
                    let hint = did_you_mean(&text.to_lowercase(), &words);
                    Err(format!("`{}` is no severity{hint}", clean(&text, 40)))
                }
                _ => Glob::parse(&text),
            };
            match pattern {
                Ok(pattern) => patterns.push(pattern),
                Err(why) => self.note(*at, format!("{field}: {why}")),
            }
        }
        (patterns.len() == values.len()).then_some(patterns)
    }

    fn conditions(&mut self, entry: &Entry) -> Option<Vec<Condition>> {
        let Some((at, value)) = entry.get("match") else {
            return Some(Vec::new());
        };
        let Yaml::Map(pairs) = value else {
            let name = value.name();
            return self.mistake(
                at,
                format!("match: must be lines of `column: value`, not {name}"),
            );
        };
        let mut conditions: Vec<Condition> = Vec::new();
        let mut whole = true;
        for (key, value) in pairs {
            let at = spot(&key.referenced);
            let Yaml::Text(field) = &key.value else {
                whole = false;
                self.note(at, format!("match: {} is no column", key.value.name()));
                continue;
            };
            if conditions.iter().any(|known| known.field == *field) {
                whole = false;
                self.note(at, format!("match: {} is given twice", clean(field, 60)));
                continue;
            }
            let name = format!("match: {}", clean(field, 60));
            let at = spot(&value.referenced);
            match self.patterns(&name, at, &value.value, field == "severity") {
                Some(patterns) => conditions.push(Condition {
                    field: field.clone(),
                    patterns,
                }),
                None => whole = false,
            }
        }
        if pairs.is_empty() {
            return self.mistake(at, "match: is empty");
        }
        whole.then_some(conditions)
    }
}
