//! The header of a rule, field by field.

use finding::Label;
use serde_saphyr::DuplicateKeyPolicy;

use crate::clean;
use crate::rule::file::{Place, Reader};
use crate::rule::yaml::{Fields, Yaml, did_you_mean, one_line, spot};
use crate::rule::{Count, Period, Rule};

const FIELDS: [&str; 16] = [
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
    "resolve_after",
];
const SEVERITIES: [&str; 5] = ["informational", "low", "medium", "high", "critical"];
const LATER_KINDS: [&str; 4] = ["new_terms", "rate", "sequence", "query"];

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
struct Header<'a> {
    id: &'a str,
    start: Place,
    fields: Vec<(String, Place, Yaml)>,
}

impl Header<'_> {
    fn get(&self, field: &str) -> Option<(Place, &Yaml)> {
        self.fields
            .iter()
            .find(|(name, ..)| name == field)
            .map(|(_, at, value)| (*at, value))
    }
}

impl Reader {
    fn rule(&mut self, header: Header<'_>) -> Option<Rule> {
        let kind = self.kind(&header);
        let title = self
            .text(&header, "title")
            .or_else(|| self.missing(&header, "title", "give the alert a name"));
        let description = self.text(&header, "description").unwrap_or_default();
        let severity = self.severity(&header);
        let group_by = self.group_by(&header);
        let count = self.count(&header);
        let threshold = self.threshold(&header);
        let window = self
            .period(&header, "window")
            .or_else(|| self.missing(&header, "window", "for example `window: 10m`"));
        let suppress_for = self.period(&header, "suppress_for");
        let resolve_after = self.period(&header, "resolve_after");
        let enabled = match header.get("enabled") {
            None => true,
            Some((_, Yaml::Bool(enabled))) => *enabled,
            Some((at, _)) => self
                .mistake(at, "enabled: must be true or false")
                .unwrap_or(true),
        };
        let rule = Rule {
            id: header.id.to_owned(),
            description,
            tags: self.list(&header, "tags").unwrap_or_default(),
            enabled,
            runbook: self.text(&header, "runbook"),
            owner: self.text(&header, "owner"),
            references: self.list(&header, "references").unwrap_or_default(),
            false_positives: self.list(&header, "false_positives").unwrap_or_default(),
            suppress_for: suppress_for.or_else(|| window.clone())?,
            resolve_after,
            title: title?,
            severity: severity?,
            group_by: group_by?,
            count: count?,
            threshold: threshold?,
            window: window?,
            sql: String::new(),
            sql_line: 0,
            sql_column: 0,
        };
        kind.then_some(rule)
    }

    /// Complains unless the field is there, in which case its own mistake has been told.
    fn missing<T>(&mut self, header: &Header<'_>, field: &str, hint: &str) -> Option<T> {
        match header.get(field) {
            Some(_) => None,
            None => self.mistake(header.start, format!("{field}: missing; {hint}")),
        }
    }

    fn text(&mut self, header: &Header<'_>, field: &str) -> Option<String> {
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
    fn list(&mut self, header: &Header<'_>, field: &str) -> Option<Vec<String>> {
        Some(
            self.places(header, field)?
                .into_iter()
                .map(|(_, text)| text)
                .collect(),
        )
    }

    fn places(&mut self, header: &Header<'_>, field: &str) -> Option<Vec<(Place, String)>> {
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

    fn kind(&mut self, header: &Header<'_>) -> bool {
        let Some((at, _)) = header.get("kind") else {
            return true;
        };
        let Some(kind) = self.text(header, "kind") else {
            return false;
        };
        if LATER_KINDS.contains(&kind.as_str()) {
            let later = "arrives later; only threshold rules run in this version";
            self.note(at, format!("kind: `{kind}` {later}"));
        } else if kind != "threshold" {
            let hint = did_you_mean(&kind, &["threshold"]);
            self.note(
                at,
                format!("kind: there is no kind `{}`{hint}", clean(&kind, 40)),
            );
        }
        kind == "threshold"
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

    fn count(&mut self, header: &Header<'_>) -> Option<Count> {
        let Some((at, _)) = header.get("count") else {
            return Some(Count::Findings);
        };
        let text = self.text(header, "count")?;
        let units = "the units are findings, occurrences, versions and distinct(<column>)";
        let distinct = text.strip_prefix("distinct").map(str::trim_start);
        if let Some(column) = distinct.filter(|rest| rest.is_empty() || rest.starts_with('(')) {
            let column = column
                .strip_prefix('(')
                .and_then(|rest| rest.strip_suffix(')'))
                .map(str::trim);
            return match column {
                Some(column) if !column.is_empty() && !column.contains(['(', ')', ',']) => {
                    Some(Count::Distinct(column.to_owned()))
                }
                _ => self.mistake(
                    at,
                    "count: distinct needs one column: `distinct(account_id)`",
                ),
            };
        }
        match text.as_str() {
            "findings" => Some(Count::Findings),
            "occurrences" => Some(Count::Occurrences),
            "versions" => Some(Count::Versions),
            other => {
                let hint = did_you_mean(
                    other,
                    &["findings", "occurrences", "versions", "distinct(...)"],
                );
                self.mistake(
                    at,
                    format!("count: `{}` is none; {units}{hint}", clean(other, 60)),
                )
            }
        }
    }

    fn threshold(&mut self, header: &Header<'_>) -> Option<u64> {
        let Some((at, value)) = header.get("threshold") else {
            return self.missing(header, "threshold", "for example `threshold: 10`");
        };
        match value {
            Yaml::Whole(number) => (u64::try_from(*number).ok())
                .filter(|number| (1..=i64::MAX as u64).contains(number))
                .or_else(|| {
                    self.mistake(
                        at,
                        format!("threshold: must be at least 1 and fit 63 bits, not {number}"),
                    )
                }),
            other => self.mistake(
                at,
                format!(
                    "threshold: must be a whole number from 1, not {}",
                    other.name()
                ),
            ),
        }
    }

    fn period(&mut self, header: &Header<'_>, field: &str) -> Option<Period> {
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
