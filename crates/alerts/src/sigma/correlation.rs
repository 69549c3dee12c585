//! The `correlation` of a document, read but not yet joined with the rules it names.

use super::Place;
use super::condition::{self, Formula};
use super::tree::{Entry, Node, Notes, Value};
use crate::clean;
use crate::rule::Period;
use crate::rule::yaml::did_you_mean;

/// What a correlation says.
#[derive(Debug, Clone)]
pub(super) struct Correlation {
    pub(super) at: Place,
    pub(super) kind: Kind,
    pub(super) rules: Vec<(Place, String)>,
    pub(super) group_by: Vec<(Place, String)>,
    /// As a rule of ours writes it.
    pub(super) timespan: String,
    pub(super) condition: Option<Condition>,
    pub(super) aliases: Vec<Alias>,
    pub(super) generate: bool,
}

/// The type of a correlation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    EventCount,
    ValueCount,
    Temporal,
    TemporalOrdered,
    ValueSum,
    ValueAverage,
    ValuePercentile,
}

/// When it matches.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// Comparisons with a number, in the order of the file: operator and number.
    Numbers {
        at: Place,
        comparisons: Vec<Comparison>,
        field: Vec<(Place, String)>,
        percentile: Option<(Place, f64)>,
    },
    /// Which rules must be there.
    Extended(Place, Formula<String>),
}

/// `gte: 10`
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    pub(super) at: Place,
    pub(super) operator: &'static str,
    pub(super) number: f64,
}

/// One name for different fields of different rules.
#[derive(Debug, Clone)]
pub(super) struct Alias {
    pub(super) name: String,
    /// Rule and field.
    pub(super) fields: Vec<(Place, String, String)>,
}

const TYPES: [(&str, Kind); 7] = [
    ("event_count", Kind::EventCount),
    ("value_count", Kind::ValueCount),
    ("temporal", Kind::Temporal),
    ("temporal_ordered", Kind::TemporalOrdered),
    ("value_sum", Kind::ValueSum),
    ("value_avg", Kind::ValueAverage),
    ("value_percentile", Kind::ValuePercentile),
];
const FIELDS: [&str; 7] = [
    "type",
    "rules",
    "group-by",
    "timespan",
    "condition",
    "aliases",
    "generate",
];
const OPERATORS: [&str; 6] = ["gt", "gte", "lt", "lte", "eq", "neq"];
const CONDITION: [&str; 8] = ["gt", "gte", "lt", "lte", "eq", "neq", "field", "percentile"];

impl Kind {
    /// As a file writes it.
    pub(super) fn word(self) -> &'static str {
        TYPES
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("", |(word, _)| word)
    }

    pub(super) fn is_temporal(self) -> bool {
        matches!(self, Kind::Temporal | Kind::TemporalOrdered)
    }
}

impl Correlation {
    /// `None` where there is a mistake; there may be mistakes even so.
    pub(super) fn read(notes: &mut Notes<'_>, section: &Node) -> Option<Correlation> {
        if !matches!(section.value, Value::Map(_)) {
            let wrong = section.name();
            return notes.mistake(
                section.at,
                format!("correlation: must be a mapping, not {wrong}"),
            );
        }
        for Entry { at, key, .. } in section.entries() {
            let message = match key.as_str() {
                known if FIELDS.contains(&known) => continue,
                "timeframe" => "write timespan".to_owned(),
                "group_by" | "groupby" => "write group-by".to_owned(),
                other => format!("there is no such field{}", did_you_mean(other, &FIELDS)),
            };
            notes.note(*at, format!("correlation.{}: {message}", clean(key, 40)));
        }
        let kind = kind(notes, section);
        let timespan = timespan(notes, section);
        let group_by = match section.get("group-by") {
            None => Some(Vec::new()),
            Some(node) => names(notes, "correlation.group-by", node),
        };
        let aliases = aliases(notes, section);
        let generate = match section.get("generate").map(|node| (node.at, &node.value)) {
            None | Some((_, Value::Flag(false))) => false,
            Some((_, Value::Flag(true))) => true,
            Some((at, _)) => {
                notes.note(at, "correlation.generate: must be true or false");
                false
            }
        };
        let rules = match section.get("rules") {
            None => None,
            Some(node) => Some(names(notes, "correlation.rules", node)?),
        };
        let kind = kind?;
        let condition = match section.get("condition") {
            None if kind.is_temporal() => None,
            None => {
                return notes.mistake(
                    section.at,
                    "correlation.condition: missing; for example `gte: 10` below it",
                );
            }
            Some(node) => Some(condition(notes, node, kind, rules.as_deref())?),
        };
        let rules = match (rules, &condition) {
            (Some(rules), _) => rules,
            (None, Some(Condition::Extended(at, formula))) => formula
                .names()
                .into_iter()
                .map(|name| (*at, name))
                .collect(),
            _ => {
                return notes.mistake(
                    section.at,
                    "correlation.rules: missing; name the rules that are correlated",
                );
            }
        };
        if let Some((nth, (at, twice))) = (rules.iter().enumerate())
            .find(|(nth, (_, rule))| rules[..*nth].iter().any(|(_, known)| known == rule))
        {
            let _ = nth;
            let twice = clean(twice, 60);
            return notes.mistake(*at, format!("correlation.rules: `{twice}` is named twice"));
        }
        Some(Correlation {
            at: section.at,
            kind,
            rules,
            group_by: group_by?,
            timespan: timespan?,
            condition,
            aliases: aliases?,
            generate,
        })
    }
}

fn kind(notes: &mut Notes<'_>, section: &Node) -> Option<Kind> {
    let words: Vec<&str> = TYPES.iter().map(|(word, _)| *word).collect();
    let Some(node) = section.get("type") else {
        return notes.mistake(
            section.at,
            format!("correlation.type: missing; one of {}", words.join(", ")),
        );
    };
    let Value::Text(word) = &node.value else {
        return notes.mistake(
            node.at,
            format!("correlation.type: must be text, not {}", node.name()),
        );
    };
    let known = TYPES.iter().find(|(known, _)| known == word);
    known.map(|(_, kind)| *kind).or_else(|| {
        let hint = match word.as_str() {
            "value_median" => "; write value_percentile with `percentile: 50`".to_owned(),
            word => did_you_mean(word, &words),
        };
        let word = clean(word, 40);
        notes.mistake(
            node.at,
            format!("correlation.type: there is no type `{word}`{hint}"),
        )
    })
}

/// A name or a list of names.
fn names(notes: &mut Notes<'_>, what: &str, node: &Node) -> Option<Vec<(Place, String)>> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Null => &[],
        _ => std::slice::from_ref(node),
    };
    let mut names = Vec::new();
    for item in items {
        match &item.value {
            Value::Text(text) if !text.trim().is_empty() => {
                names.push((item.at, text.trim().to_owned()));
            }
            _ => notes.note(
                item.at,
                format!("{what}: must be names, not {}", item.name()),
            ),
        }
    }
    (names.len() == items.len()).then_some(names)
}

/// Months and years are the seconds that pySigma takes them for.
fn timespan(notes: &mut Notes<'_>, section: &Node) -> Option<String> {
    let Some(node) = section.get("timespan") else {
        return notes.mistake(
            section.at,
            "correlation.timespan: missing; for example `timespan: 10m`",
        );
    };
    let wrong = |notes: &mut Notes<'_>, message: String| {
        notes.mistake(node.at, format!("correlation.timespan: {message}"))
    };
    let Value::Text(text) = &node.value else {
        let name = node.name();
        return wrong(
            notes,
            format!("must be a number with a unit such as 10m, not {name}"),
        );
    };
    let text = text.trim();
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let period = match (number.parse::<i64>().ok(), unit) {
        (Some(number), "M") => format!("{}s", number.saturating_mul(2_629_746)),
        (Some(number), "y") => format!("{}s", number.saturating_mul(31_556_952)),
        (Some(_), "s" | "m" | "h" | "d" | "w") => text.to_owned(),
        _ => {
            let text = clean(text, 40);
            return wrong(
                notes,
                format!("`{text}` must be a number and one of the units s, m, h, d, w, M and y"),
            );
        }
    };
    match Period::parse(&period) {
        Ok(_) => Some(period),
        Err(_) if unit == "y" || unit == "M" => {
            let text = clean(text, 40);
            wrong(notes, format!("`{text}` is too long; at most 366d"))
        }
        Err(error) => wrong(notes, error),
    }
}

fn aliases(notes: &mut Notes<'_>, section: &Node) -> Option<Vec<Alias>> {
    let Some(node) = section.get("aliases") else {
        return Some(Vec::new());
    };
    let before = notes.mistakes.len();
    let mapping = |notes: &mut Notes<'_>, node: &Node, what: &str| {
        if !matches!(node.value, Value::Map(_)) {
            let wrong = node.name();
            notes.note(node.at, format!("{what}: must be a mapping, not {wrong}"));
        }
    };
    mapping(notes, node, "correlation.aliases");
    let mut aliases = Vec::new();
    for entry in node.entries() {
        let what = format!("correlation.aliases.{}", clean(&entry.key, 60));
        mapping(notes, &entry.node, &what);
        let mut fields = Vec::new();
        for Entry { key, node, .. } in entry.node.entries() {
            match &node.value {
                Value::Text(field) => fields.push((node.at, key.clone(), field.clone())),
                _ => notes.note(
                    node.at,
                    format!("{what}: must name a field, not {}", node.name()),
                ),
            }
        }
        aliases.push(Alias {
            name: entry.key.clone(),
            fields,
        });
    }
    (notes.mistakes.len() == before).then_some(aliases)
}

fn condition(
    notes: &mut Notes<'_>,
    node: &Node,
    kind: Kind,
    rules: Option<&[(Place, String)]>,
) -> Option<Condition> {
    match &node.value {
        Value::Text(text) if kind.is_temporal() => {
            let found = words(text);
            let names: Vec<&str> = match rules {
                Some(rules) => rules.iter().map(|(_, rule)| rule.as_str()).collect(),
                None => found.iter().map(String::as_str).collect(),
            };
            let formula = condition::read(notes, node.at, text, &names)?;
            if formula.holds_of_nothing() {
                return notes.mistake(
                    node.at,
                    "correlation.condition: holds while nothing happens; it needs a rule without `not`",
                );
            }
            let used = formula.names();
            if let Some(unused) = names.iter().find(|name| !used.iter().any(|u| u == *name)) {
                let unused = clean(unused, 60);
                return notes.mistake(
                    node.at,
                    format!("correlation.condition: `{unused}` of rules is not in it"),
                );
            }
            if kind == Kind::TemporalOrdered {
                return notes.mistake(
                    node.at,
                    "correlation.condition: temporal_ordered takes none in words: the order of rules is the condition; use temporal",
                );
            }
            Some(Condition::Extended(node.at, formula))
        }
        Value::Map(_) => numbers(notes, node, kind),
        _ => {
            let wrong = node.name();
            notes.mistake(
                node.at,
                format!(
                    "correlation.condition: must be comparisons such as `gte: 10`, not {wrong}"
                ),
            )
        }
    }
}

/// What could be names of rules in a condition that comes without `rules`.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || ['(', ')', '|'].contains(&c)) {
        let lower = word.to_lowercase();
        let grammar = ["and", "or", "not", "of", "1", "all", "any", "them", ""];
        if !grammar.contains(&lower.as_str())
            && !word.contains('*')
            && !words.iter().any(|known| known == word)
        {
            words.push(word.to_owned());
        }
    }
    words
}

fn numbers(notes: &mut Notes<'_>, node: &Node, kind: Kind) -> Option<Condition> {
    let before = notes.mistakes.len();
    let mut comparisons = Vec::new();
    let (mut field, mut percentile) = (Vec::new(), None);
    for Entry { at, key, node } in node.entries() {
        let number = match &node.value {
            Value::Whole(number) => Some(*number as f64),
            Value::Number(number) if number.is_finite() => Some(*number),
            _ => None,
        };
        let what = format!("correlation.condition.{}", clean(key, 40));
        match (key.as_str(), number) {
            ("field", _) => field = names(notes, &what, node).unwrap_or_default(),
            ("percentile", Some(number)) if (0.0..=100.0).contains(&number) => {
                percentile = Some((*at, number));
            }
            ("percentile", _) => {
                let wrong = node.name();
                notes.note(
                    node.at,
                    format!("{what}: must be from 0 to 100, not {wrong}"),
                );
            }
            (key, number) => match (OPERATORS.iter().find(|known| **known == key), number) {
                (Some(operator), Some(number)) => comparisons.push(Comparison {
                    at: *at,
                    operator,
                    number,
                }),
                (Some(_), None) => {
                    let wrong = node.name();
                    notes.note(node.at, format!("{what}: must be a number, not {wrong}"));
                }
                (None, _) => {
                    let hint = did_you_mean(key, &CONDITION);
                    notes.note(*at, format!("{what}: there is no such comparison{hint}"));
                }
            },
        }
    }
    if let Some(neq) = comparisons.iter().find(|c| c.operator == "neq") {
        notes.note(
            neq.at,
            "correlation.condition: `neq` cannot be judged at an event; write a range of gte and lte",
        );
    } else if comparisons.is_empty() {
        notes.note(
            node.at,
            "correlation.condition: needs a comparison such as `gte: 10`",
        );
    } else if comparisons
        .iter()
        .all(|c| ["lt", "lte"].contains(&c.operator))
    {
        let Comparison { at, operator, .. } = &comparisons[0];
        notes.note(
            *at,
            format!("correlation.condition: `{operator}` alone would have to see that findings did not come; add gte, or write a rule of kind absence"),
        );
    }
    let valued = !matches!(
        kind,
        Kind::EventCount | Kind::Temporal | Kind::TemporalOrdered
    );
    match (valued, field.len()) {
        (true, 0) => notes.note(
            node.at,
            format!(
                "correlation.condition.field: missing; {} needs one",
                kind.word()
            ),
        ),
        (true, 1) => {}
        (true, 2..=8) if kind == Kind::ValueCount => {}
        (true, _) => notes.note(
            field[1].0,
            format!(
                "correlation.condition.field: {} takes {}",
                kind.word(),
                match kind {
                    Kind::ValueCount => "at most 8",
                    _ => "one",
                }
            ),
        ),
        (false, 0) => {}
        (false, _) => notes.note(
            field[0].0,
            format!(
                "correlation.condition.field: {} counts no values",
                kind.word()
            ),
        ),
    }
    match (kind == Kind::ValuePercentile, percentile) {
        (true, None) => notes.note(
            node.at,
            "correlation.condition.percentile: missing; write which, for example `percentile: 95`",
        ),
        (false, Some((at, _))) => notes.note(
            at,
            format!("correlation.condition.percentile: not of {}", kind.word()),
        ),
        _ => {}
    }
    (notes.mistakes.len() == before).then_some(Condition::Numbers {
        at: node.at,
        comparisons,
        field,
        percentile,
    })
}
