//! The header of a rule, field by field.

use finding::Label;
use serde_saphyr::DuplicateKeyPolicy;

use crate::clean;
use crate::rule::file::{Place, Reader};
use crate::rule::yaml::{Fields, Yaml, did_you_mean, one_line, spot};
use crate::rule::{Bounds, Count, Period, Rule};

const FIELDS: [&str; 26] = [
    "title",
    "description",
    "severity",
    "group_by",
    "count",
    "threshold",
    "window",
    "suppress_for",
    "tags",
    "kind",
    "enabled",
    "runbook",
    "owner",
    "references",
    "false_positives",
    "null_groups",
    "resolve_after",
    "term",
    "lookback",
    "min_history",
    "baseline",
    "factor",
    "season",
    "steps",
    "ordered",
    "condition",
];
const SEVERITIES: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

/// The rule that a header describes, its SQL still empty. `None` where there is a mistake; there may be mistakes even so.
pub(super) fn read(reader: &mut Reader, id: &str, yaml: &str, start: Place) -> Option<Rule> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
    };
    let fields = match serde_saphyr::from_str_with_options::<Fields>(yaml, options) {
        Ok(fields) => fields,
        Err(error) => {
            let at = error
                .location()
                .map_or(start, |at| (at.line() as usize, at.column() as usize));
            return reader.mistake(at, format!("header: {}", one_line(&error.to_string())));
        }
    };
    let mut header = Header {
        id,
        start,
        fields: Vec::new(),
    };
    for (key, value) in fields.0 {
        let (name, at) = (key.value, spot(&key.referenced));
        if !FIELDS.contains(&name.as_str()) {
            let hint = did_you_mean(&name, &FIELDS);
            reader.note(
                at,
                format!("{}: there is no such field{hint}", clean(&name, 60)),
            );
        } else if header.fields.iter().any(|(known, ..)| *known == name) {
            reader.note(at, format!("{name}: given twice"));
        } else {
            header
                .fields
                .push((name, spot(&value.referenced), value.value));
        }
    }
    reader.rule(header)
}

/// The fields as found, known ones only.
pub(super) struct Header<'a> {
    id: &'a str,
    pub(super) start: Place,
    pub(super) fields: Vec<(String, Place, Yaml)>,
}

impl Header<'_> {
    /// For a mapping within the header that starts at `start`.
    pub(super) fn within(start: Place) -> Header<'static> {
        Header {
            id: "",
            start,
            fields: Vec::new(),
        }
    }

    pub(super) fn get(&self, field: &str) -> Option<(Place, &Yaml)> {
        self.fields
            .iter()
            .find(|(name, ..)| name == field)
            .map(|(_, at, value)| (*at, value))
    }
}

impl Reader {
    fn rule(&mut self, header: Header<'_>) -> Option<Rule> {
        let title = self
            .text(&header, "title")
            .or_else(|| self.missing(&header, "title", "give the alert a name"));
        let description = self.text(&header, "description").unwrap_or_default();
        let severity = self.severity(&header);
        let group_by = self.group_by(&header);
        let judged = self.judged(&header);
        let suppress_for = self.period(&header, "suppress_for");
        let resolve_after = self.period(&header, "resolve_after");
        let enabled = self.flag(&header, "enabled").unwrap_or(true);
        let null_groups = match header.get("null_groups") {
            None => false,
            Some((at, Yaml::Text(word))) => match word.as_str() {
                "keep" => true,
                "drop" => false,
                other => {
                    let hint = did_you_mean(other, &["keep", "drop"]);
                    let other = clean(other, 40);
                    self.note(
                        at,
                        format!("null_groups: `{other}` is neither keep nor drop{hint}"),
                    );
                    false
                }
            },
            Some((at, other)) => {
                let name = other.name();
                self.note(at, format!("null_groups: must be keep or drop, not {name}"));
                false
            }
        };
        let tags = self.list(&header, "tags").unwrap_or_default();
        let runbook = self.text(&header, "runbook");
        let owner = self.text(&header, "owner");
        let references = self.list(&header, "references").unwrap_or_default();
        let false_positives = self.list(&header, "false_positives").unwrap_or_default();
        let judged = judged?;
        Some(Rule {
            id: header.id.to_owned(),
            description,
            tags,
            enabled,
            runbook,
            owner,
            references,
            false_positives,
            null_groups,
            resolve_after,
            suppress_for: suppress_for.unwrap_or_else(|| judged.window.clone()),
            title: title?,
            severity: severity?,
            group_by: group_by?,
            kind: judged.kind,
            count: judged.count,
            threshold: judged.bounds.least(),
            bounds: judged.bounds,
            window: judged.window,
            lists: Vec::new(),
            sql: String::new(),
            sql_line: 0,
            sql_column: 0,
        })
    }

    /// True or false.
    pub(super) fn flag(&mut self, header: &Header<'_>, field: &str) -> Option<bool> {
        match header.get(field)? {
            (_, Yaml::Bool(flag)) => Some(*flag),
            (at, _) => self.mistake(at, format!("{field}: must be true or false")),
        }
    }

    /// Complains unless the field is there, in which case its own mistake has been told.
    pub(super) fn missing<T>(&mut self, header: &Header<'_>, field: &str, hint: &str) -> Option<T> {
        match header.get(field) {
            Some(_) => None,
            None => self.mistake(header.start, format!("{field}: missing; {hint}")),
        }
    }

    pub(super) fn text(&mut self, header: &Header<'_>, field: &str) -> Option<String> {
        let (at, value) = header.get(field)?;
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

    /// A list of texts, or one text.
    pub(super) fn list(&mut self, header: &Header<'_>, field: &str) -> Option<Vec<String>> {
        Some(
            self.places(header, field)?
                .into_iter()
                .map(|(_, text)| text)
                .collect(),
        )
    }

    pub(super) fn places(
        &mut self,
        header: &Header<'_>,
        field: &str,
    ) -> Option<Vec<(Place, String)>> {
        let (at, value) = header.get(field)?;
        let Yaml::List(items) = value else {
            return self.text(header, field).map(|text| vec![(at, text)]);
        };
        let mut texts = Vec::new();
        for item in items {
            let at = spot(&item.referenced);
            match &item.value {
                Yaml::Text(text) if !text.trim().is_empty() => {
                    texts.push((at, text.trim().to_owned()))
                }
                Yaml::Text(_) | Yaml::Null => self.note(at, format!("{field}: an entry is empty")),
                other => {
                    let name = other.name();
                    self.note(at, format!("{field}: every entry must be text, not {name}"));
                }
            }
        }
        (texts.len() == items.len()).then_some(texts)
    }

    fn severity(&mut self, header: &Header<'_>) -> Option<Label> {
        let Some((at, _)) = header.get("severity") else {
            return self.missing(
                header,
                "severity",
                "one of informational, low, medium, high, critical",
            );
        };
        let word = self.text(header, "severity")?;
        Label::from_word(&word).or_else(|| {
            let hint = did_you_mean(&word.to_lowercase(), &SEVERITIES);
            let words = "the severities are informational, low, medium, high and critical";
            self.mistake(
                at,
                format!("severity: `{}` is none; {words}{hint}", clean(&word, 40)),
            )
        })
    }

    fn group_by(&mut self, header: &Header<'_>) -> Option<Vec<String>> {
        let hint =
            "for example `group_by: [remote_ip]`, or `group_by: []` for one group of everything";
        if header.get("group_by").is_none() {
            return self.missing(header, "group_by", hint);
        }
        let columns = self.places(header, "group_by")?;
        for (nth, (at, column)) in columns.iter().enumerate() {
            if columns[..nth].iter().any(|(_, known)| known == column) {
                self.note(
                    *at,
                    format!("group_by: `{}` is named twice", clean(column, 60)),
                );
            }
            if column.len() > 128 || column.chars().any(char::is_control) {
                self.note(
                    *at,
                    format!("group_by: `{}` is no column name", clean(column, 60)),
                );
            }
        }
        Some(columns.into_iter().map(|(_, column)| column).collect())
    }

    pub(super) fn count(&mut self, header: &Header<'_>) -> Option<Count> {
        let Some((at, _)) = header.get("count") else {
            return Some(Count::Findings);
        };
        let text = self.text(header, "count")?;
        Count::parse(&text).map_or_else(|error| self.mistake(at, format!("count: {error}")), Some)
    }

    /// Which counts make a match.
    pub(super) fn bounds(&mut self, header: &Header<'_>, count: &Count) -> Option<Bounds> {
        let (at, value) = header.get("threshold")?;
        let bounds = match value {
            Yaml::Whole(number) if (1..=i128::from(i64::MAX)).contains(number) => {
                Ok(Bounds::at_least(*number as u64))
            }
            Yaml::Whole(number) if count.is_whole() => {
                Err(format!("must be at least 1 and fit 63 bits, not {number}"))
            }
            Yaml::Whole(number) => Bounds::parse(&number.to_string()),
            Yaml::Number(number) => Bounds::parse(&number.to_string()),
            Yaml::Text(text) => Bounds::parse(text),
            other => Err(format!(
                "must be a whole number from 1, not {}",
                other.name()
            )),
        };
        let bounds = bounds.and_then(|bounds| match count.is_whole() {
            true => bounds.whole(),
            false => Ok(bounds),
        });
        bounds.map_or_else(
            |error| self.mistake(at, format!("threshold: {error}")),
            Some,
        )
    }

    pub(super) fn period(&mut self, header: &Header<'_>, field: &str) -> Option<Period> {
        let (at, value) = header.get(field)?;
        if let Yaml::Whole(number) = value {
            return self.mistake(
                at,
                format!("{field}: {number} of what? write it like 10m, 90s, 1h 30m or 1d"),
            );
        }
        let text = self.text(header, field)?;
        Period::parse(&text)
            .or_else(|error| self.mistake(at, format!("{field}: {error}")).ok_or(()))
            .ok()
    }
}
