//! The `detection` of a base rule, and the selections of a filter: field by field into conditions.

use std::net::IpAddr;

use super::Place;
use super::condition::{self, Formula};
use super::fields::{Field, Kind, field};
use super::modifiers::{How, Modifiers};
use super::sql::{Part, Test, like, like_element, literal, parts, visible};
use super::tree::{Entry, Node, Notes, Value};
use crate::clean;

/// What keywords, which name no field, are looked for in.
const KEYWORD_FIELDS: [&str; 3] = ["title", "description", "type"];

/// The formula of the `condition` in a mapping of named selections, `besides` being keys that are neither.
pub(super) fn read(
    notes: &mut Notes<'_>,
    section: &str,
    node: &Node,
    besides: &[&str],
) -> Option<(Formula<Test>, Place)> {
    let entries = node.entries();
    if entries.is_empty() {
        return notes.mistake(
            node.at,
            format!("{section}: must be a mapping of selections and a condition"),
        );
    }
    let mut selections: Vec<(&str, Option<Test>)> = Vec::new();
    let mut conditions: Vec<(Place, &str)> = Vec::new();
    let mut has_condition = false;
    for entry in entries {
        match entry.key.as_str() {
            "condition" => {
                has_condition = true;
                conditions = texts(notes, &format!("{section}.condition"), &entry.node)?;
            }
            "timeframe" => notes.note(
                entry.at,
                "timeframe: is no part of a detection any more; write a correlation document with timespan",
            ),
            key if besides.contains(&key) => {}
            key => selections.push((key, selection(notes, &entry.node))),
        }
    }
    if !has_condition {
        return notes.mistake(
            node.at,
            format!("{section}.condition: missing; for example `condition: selection`"),
        );
    }
    let names: Vec<&str> = selections.iter().map(|(name, _)| *name).collect();
    let mut formulas = Vec::new();
    let first = conditions.first().map(|(at, _)| *at)?;
    for (at, text) in conditions {
        formulas.push(condition::read(notes, at, text, &names));
    }
    let formula = match formulas.len() {
        1 => formulas.remove(0)?,
        _ => Formula::Any(formulas.into_iter().collect::<Option<_>>()?),
    };
    if selections.iter().any(|(_, test)| test.is_none()) {
        return None;
    }
    let formula = formula.map(&mut |name: String| {
        let test = selections.iter().find(|(known, _)| *known == name);
        test.and_then(|(_, test)| test.clone())
            .unwrap_or(Test::Any(Vec::new()))
    });
    Some((formula, first))
}

/// A text or a list of texts, at least one.
fn texts<'a>(notes: &mut Notes<'_>, what: &str, node: &'a Node) -> Option<Vec<(Place, &'a str)>> {
    let items = match &node.value {
        Value::List(items) if !items.is_empty() => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut texts = Vec::new();
    for item in items {
        match &item.value {
            Value::Text(text) => texts.push((item.at, text.as_str())),
            _ => notes.note(
                item.at,
                format!("{what}: must be text, not {}", item.name()),
            ),
        }
    }
    (texts.len() == items.len()).then_some(texts)
}

/// A mapping is the AND of its fields, a list the OR of its mappings and keywords.
fn selection(notes: &mut Notes<'_>, node: &Node) -> Option<Test> {
    match &node.value {
        Value::Map(entries) if entries.is_empty() => notes.mistake(node.at, "selection: is empty"),
        Value::Map(entries) => {
            let tests: Vec<_> = entries.iter().map(|entry| item(notes, entry)).collect();
            Some(Test::All(tests.into_iter().collect::<Option<_>>()?))
        }
        Value::List(items) if items.is_empty() => notes.mistake(node.at, "selection: is empty"),
        Value::List(items) => {
            let tests: Vec<_> = items
                .iter()
                .map(|item| match &item.value {
                    Value::Map(_) => selection(notes, item),
                    _ => keyword(notes, item, &Modifiers::default()),
                })
                .collect();
            Some(Test::Any(tests.into_iter().collect::<Option<_>>()?))
        }
        _ => keyword(notes, node, &Modifiers::default()),
    }
}

/// `field|modifiers: values`.
fn item(notes: &mut Notes<'_>, entry: &Entry) -> Option<Test> {
    let (name, words) = match entry.key.split_once('|') {
        Some((name, words)) => (name, Some(words)),
        None => (entry.key.as_str(), None),
    };
    let modifiers = Modifiers::read(notes, entry.at, name, words);
    let field = match name {
        "" => None,
        name => match field(name) {
            Ok(field) => Some(field),
            Err(error) => {
                notes.note(entry.at, format!("field `{}`: {error}", clean(name, 80)));
                return None;
            }
        },
    };
    let modifiers = modifiers?;
    let values = match &entry.node.value {
        Value::List(items) if items.is_empty() => {
            return notes.mistake(entry.node.at, format!("{}: the list is empty", entry.key));
        }
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(&entry.node),
    };
    let tests: Vec<_> = values
        .iter()
        .map(|value| match &field {
            Some(field) => compare(notes, name, field, value, &modifiers),
            None => keyword(notes, value, &modifiers),
        })
        .collect();
    let tests = tests.into_iter().collect::<Option<Vec<_>>>()?;
    let test = match modifiers.all {
        true => Test::All(tests),
        false => Test::Any(tests),
    };
    Some(match modifiers.neq {
        true => Test::not(test),
        false => test,
    })
}

/// A value that names no field: contained in what a finding says in words.
fn keyword(notes: &mut Notes<'_>, value: &Node, modifiers: &Modifiers) -> Option<Test> {
    let modifiers = Modifiers {
        how: match &modifiers.how {
            How::Equal => How::Contains,
            how => how.clone(),
        },
        ..modifiers.clone()
    };
    if !matches!(modifiers.how, How::Contains | How::Pattern(_)) {
        return notes.mistake(
            value.at,
            "keywords: the only modifiers are all, cased and re",
        );
    }
    if !matches!(
        value.value,
        Value::Text(_) | Value::Whole(_) | Value::Number(_)
    ) {
        return notes.mistake(
            value.at,
            format!("keywords: must be text, not {}", value.name()),
        );
    }
    let tests = KEYWORD_FIELDS.map(|name| {
        let field = Field {
            sql: name.to_owned(),
            kind: Kind::Text,
            name: name.to_owned(),
        };
        compare(notes, "keywords", &field, value, &modifiers)
    });
    Some(Test::Any(tests.into_iter().collect::<Option<_>>()?))
}

/// One field against one value.
fn compare(
    notes: &mut Notes<'_>,
    name: &str,
    field: &Field,
    value: &Node,
    modifiers: &Modifiers,
) -> Option<Test> {
    let sql = &field.sql;
    let name = clean(name, 80);
    if let Value::Text(text) = &value.value
        && text.contains('\0')
    {
        return notes.mistake(
            value.at,
            format!("{name}: the value holds a null character"),
        );
    }
    if let Value::List(_) | Value::Map(_) = value.value {
        let wrong = value.name();
        return notes.mistake(
            value.at,
            format!("{name}: a value must be plain, not {wrong}"),
        );
    }
    match &modifiers.how {
        How::Exists => match value.value {
            Value::Flag(true) => return Some(present(field)),
            Value::Flag(false) => return Some(Test::not(present(field))),
            _ => {
                let wrong = value.name();
                return notes.mistake(
                    value.at,
                    format!("{name}|exists: must be true or false, not {wrong}"),
                );
            }
        },
        How::Field => return other_field(notes, &name, field, value, modifiers.cased),
        How::Compare(sign) => {
            let number = number(value);
            return match (field.kind, number) {
                (Kind::Number, Some(number)) => Some(Test::Is(format!("{sql} {sign} {number}"))),
                (Kind::Json, Some(number)) => Some(Test::Is(format!(
                    "TRY_CAST({sql} AS DOUBLE) {sign} {number}"
                ))),
                (Kind::Number | Kind::Json, None) => {
                    let wrong = value.name();
                    notes.mistake(
                        value.at,
                        format!("{name}: compares with a number, not {wrong}"),
                    )
                }
                (Kind::Time, _) => notes.mistake(
                    value.at,
                    format!("{name}: is a time; the window of a rule is in event time already"),
                ),
                _ => notes.mistake(
                    value.at,
                    format!("{name}: is no number, so nothing is more or less"),
                ),
            };
        }
        _ => {}
    }
    if matches!(value.value, Value::Null) {
        return match modifiers.how {
            How::Equal => Some(Test::not(present(field))),
            _ => notes.mistake(value.at, format!("{name}: null takes no modifier")),
        };
    }
    match (&modifiers.how, field.kind) {
        (_, Kind::Time) => notes.mistake(
            value.at,
            format!("{name}: is a time; only exists and null can be asked of it"),
        ),
        (How::Network, Kind::Text | Kind::Json) => network(notes, &name, sql, value),
        (How::Network, Kind::List) => notes.mistake(
            value.at,
            format!("{name}: is a list, of which cidr cannot be asked; use remote_ip"),
        ),
        (How::Pattern(flags), Kind::Text | Kind::Json) => pattern(notes, &name, sql, value, flags),
        (How::Pattern(_), Kind::List) => notes.mistake(
            value.at,
            format!("{name}: is a list, of which re cannot be asked; use wildcards"),
        ),
        (how, Kind::Text | Kind::Json | Kind::List) => text(field, value, how, modifiers.cased),
        (How::Equal, Kind::Number) => match (number(value), &value.value) {
            (Some(number), _) => Some(Test::Is(format!("{sql} = {number}"))),
            (None, Value::Text(text)) if text == "*" => Some(present(field)),
            _ => {
                let hint = match field.name.as_str() {
                    "severity" => "; severity_label has the words",
                    _ => "",
                };
                let wrong = value.name();
                notes.mistake(value.at, format!("{name}: is a number, not {wrong}{hint}"))
            }
        },
        (How::Equal, Kind::Flag) => match &value.value {
            Value::Flag(flag) => Some(Test::Is(format!("{sql} = {flag}"))),
            Value::Text(text) if text == "*" => Some(present(field)),
            Value::Text(text) if ["true", "false"].contains(&text.to_lowercase().as_str()) => {
                Some(Test::Is(format!("{sql} = {}", text.to_lowercase())))
            }
            _ => {
                let wrong = value.name();
                notes.mistake(value.at, format!("{name}: is true or false, not {wrong}"))
            }
        },
        (how, _) => notes.mistake(
            value.at,
            format!(
                "{name}: is no text, so that {} cannot be asked of it",
                how.word()
            ),
        ),
    }
}

/// Whether the field has a value.
fn present(field: &Field) -> Test {
    Test::Is(match field.kind {
        Kind::List => format!("cardinality({}) > 0", field.sql),
        _ => format!("{} IS NOT NULL", field.sql),
    })
}

fn text(field: &Field, value: &Node, how: &How, cased: bool) -> Option<Test> {
    if field.kind == Kind::Json
        && *how == How::Equal
        && let Value::Whole(_) | Value::Number(_) = value.value
    {
        let number = number(value)?;
        return Some(Test::Is(format!(
            "TRY_CAST({} AS DOUBLE) = {number}",
            field.sql
        )));
    }
    let mut parts = match &value.value {
        Value::Text(text) => parts(text),
        Value::Whole(number) => vec![Part::Text(number.to_string())],
        Value::Number(number) => vec![Part::Text(number.to_string())],
        Value::Flag(flag) => vec![Part::Text(flag.to_string())],
        Value::Null | Value::List(_) | Value::Map(_) => return None,
    };
    if matches!(how, How::Contains | How::EndsWith) && parts.first() != Some(&Part::Any) {
        parts.insert(0, Part::Any);
    }
    if matches!(how, How::Contains | How::StartsWith) && parts.last() != Some(&Part::Any) {
        parts.push(Part::Any);
    }
    Some(match field.kind {
        Kind::List => like_element(&field.sql, &parts, cased),
        _ => like(&field.sql, &parts, cased),
    })
}

/// A number in SQL.
fn number(value: &Node) -> Option<String> {
    match &value.value {
        Value::Whole(number) => i64::try_from(*number).ok().map(|number| number.to_string()),
        Value::Number(number) if number.is_finite() => Some(format!("{number:?}")),
        Value::Text(text) => {
            let number: f64 = text.trim().parse().ok()?;
            let whole = text.trim().parse::<i64>().map(|number| number.to_string());
            number
                .is_finite()
                .then(|| whole.unwrap_or(format!("{number:?}")))
        }
        _ => None,
    }
}

fn network(notes: &mut Notes<'_>, name: &str, sql: &str, value: &Node) -> Option<Test> {
    let Value::Text(text) = &value.value else {
        let wrong = value.name();
        return notes.mistake(
            value.at,
            format!("{name}|cidr: must be a network, not {wrong}"),
        );
    };
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text.as_str(), None),
    };
    let longest = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => 0,
    };
    let fits = length.is_none_or(|length| {
        length.len() <= 3
            && length.bytes().all(|b| b.is_ascii_digit())
            && length.parse::<u8>().is_ok_and(|length| length <= longest)
    });
    if longest == 0 || !fits {
        let text = clean(text, 60);
        return notes.mistake(
            value.at,
            format!("{name}|cidr: `{text}` is no network; for example 10.0.0.0/8"),
        );
    }
    Some(Test::Is(format!("ip_in_cidr({sql}, {})", literal(text))))
}

fn pattern(
    notes: &mut Notes<'_>,
    name: &str,
    sql: &str,
    value: &Node,
    flags: &str,
) -> Option<Test> {
    let text = match &value.value {
        Value::Text(text) => text.clone(),
        Value::Whole(number) => number.to_string(),
        _ => {
            let wrong = value.name();
            return notes.mistake(
                value.at,
                format!("{name}|re: must be a regular expression, not {wrong}"),
            );
        }
    };
    let flags = match flags {
        "" => String::new(),
        flags => format!("(?{flags})"),
    };
    let pattern = visible(&format!("{flags}{text}"));
    if let Err(error) = regex::Regex::new(&pattern) {
        let why = match &error {
            regex::Error::CompiledTooBig(_) => "is too large".to_owned(),
            error => {
                let error = error.to_string();
                let last = error.lines().last().unwrap_or_default();
                let last = last.trim_start_matches("error: ");
                format!("cannot be used: {}", clean(last, 200))
            }
        };
        return notes.mistake(value.at, format!("{name}|re: `{}` {why}", clean(&text, 60)));
    }
    Some(Test::Is(format!(
        "regexp_like({sql}, {})",
        literal(&pattern)
    )))
}

fn other_field(
    notes: &mut Notes<'_>,
    name: &str,
    ours: &Field,
    value: &Node,
    cased: bool,
) -> Option<Test> {
    let Value::Text(text) = &value.value else {
        let wrong = value.name();
        return notes.mistake(
            value.at,
            format!("{name}|fieldref: must name a field, not {wrong}"),
        );
    };
    let other = match field(text) {
        Ok(other) => other,
        Err(error) => {
            return notes.mistake(value.at, format!("field `{}`: {error}", clean(text, 80)));
        }
    };
    let is_text = |field: &Field| matches!(field.kind, Kind::Text | Kind::Json);
    if is_text(ours) && is_text(&other) && !cased {
        return Some(Test::Is(format!(
            "lower({}) = lower({})",
            ours.sql, other.sql
        )));
    }
    if (is_text(ours) && is_text(&other)) || (ours.kind == other.kind && ours.kind != Kind::List) {
        return Some(Test::Is(format!("{} = {}", ours.sql, other.sql)));
    }
    notes.mistake(
        value.at,
        format!(
            "{name}|fieldref: `{}` is of another kind, or one of the two is a list",
            clean(text, 80)
        ),
    )
}
