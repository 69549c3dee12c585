//! The tree of routes as it is written. All mistakes are told, each with the path of its route.

use std::collections::BTreeSet;

use finding::Label;
use serde_json::{Map, Value};

use super::{Matcher, Route, RouteError, Stop};
use crate::clean;
use crate::glob::Glob;
use crate::pattern::Pattern;
use crate::rule::Period;
use crate::rule::yaml::did_you_mean;

const FIELDS: [&str; 11] = [
    "name",
    "match",
    "pattern",
    "continue",
    "channels",
    "group_by",
    "group_wait",
    "group_interval",
    "repeat_interval",
    "mute_times",
    "routes",
];
const MATCHERS: [&str; 8] = [
    "severity", "rule", "tag", "account", "ou", "owner", "region", "type",
];
const LABELS: [(&str, Label); 5] = [
    ("informational", Label::Informational),
    ("low", Label::Low),
    ("medium", Label::Medium),
    ("high", Label::High),
    ("critical", Label::Critical),
];
const SECOND: i64 = 1_000_000;
/// Routes within routes; deeper is a mistake.
const DEEPEST: usize = 16;

pub(super) fn read(
    value: &Value,
    channels: &[&str],
    mute_times: &[&str],
) -> Result<Route, Vec<RouteError>> {
    let above = Stop {
        path: String::new(),
        channels: Vec::new(),
        group_by: vec!["rule".to_owned()],
        group_wait: 30 * SECOND,
        group_interval: 300 * SECOND,
        repeat_interval: None,
        mute_times: Vec::new(),
    };
    let mut reader = Reader {
        channels,
        mute_times,
        mistakes: Vec::new(),
        paths: BTreeSet::new(),
    };
    let root = reader.route(value, "default", &above, 0);
    match root {
        Some(root) if reader.mistakes.is_empty() => Ok(root),
        _ => Err(reader.mistakes),
    }
}

struct Reader<'a> {
    channels: &'a [&'a str],
    mute_times: &'a [&'a str],
    mistakes: Vec<RouteError>,
    paths: BTreeSet<String>,
}

impl Reader<'_> {
    fn note(&mut self, route: &str, message: impl Into<String>) {
        self.mistakes.push(RouteError {
            route: route.to_owned(),
            message: message.into(),
        });
    }

    fn wrong<T>(&mut self, route: &str, message: impl Into<String>) -> Option<T> {
        self.note(route, message);
        None
    }

    /// One route and those below it; `name` where it has none of its own.
    fn route(&mut self, value: &Value, name: &str, above: &Stop, depth: usize) -> Option<Route> {
        let join = |name: &str| match above.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}/{name}"),
        };
        let Value::Object(fields) = value else {
            return self.wrong(&join(name), "a route is lines of `field: value`");
        };
        let name = match fields.get("name") {
            None => name,
            Some(Value::String(name)) if !name.is_empty() && !name.contains('/') => name,
            Some(_) => return self.wrong(&join(name), "name: a text without `/`"),
        };
        let path = join(&clean(name, 60));
        for unknown in fields.keys().filter(|key| !FIELDS.contains(&key.as_str())) {
            let hint = did_you_mean(unknown, &FIELDS);
            let unknown = clean(unknown, 60);
            self.note(&path, format!("{unknown}: there is no such field{hint}"));
        }
        if !self.paths.insert(path.clone()) {
            self.note(&path, "name: another route has the same path");
        }
        let group_by = self.words(&path, fields, "group_by");
        let (wait, interval) = (Some(above.group_wait), Some(above.group_interval));
        let stop = Stop {
            channels: self.names(&path, fields, "channels", self.channels, &above.channels),
            group_by: group_by.unwrap_or_else(|| above.group_by.clone()),
            group_wait: self.period(&path, fields, "group_wait", wait).unwrap_or(0),
            group_interval: (self.period(&path, fields, "group_interval", interval)).unwrap_or(0),
            repeat_interval: self.period(&path, fields, "repeat_interval", above.repeat_interval),
            mute_times: self.names(
                &path,
                fields,
                "mute_times",
                self.mute_times,
                &above.mute_times,
            ),
            path: path.clone(),
        };
        if stop.channels.is_empty() && !fields.contains_key("channels") {
            self.note(&path, "channels: missing; `[]` if nobody is to be told");
        }
        if depth == 0 && ["match", "pattern"].iter().any(|f| fields.contains_key(*f)) {
            self.note(
                &path,
                "match: the root takes every alert; put it into a route below",
            );
        }
        let goes_on = match fields.get("continue") {
            None => false,
            Some(Value::Bool(goes_on)) => *goes_on,
            Some(_) => self
                .wrong(&path, "continue: true or false")
                .unwrap_or_default(),
        };
        Some(Route {
            matcher: self.matcher(&path, fields.get("match")),
            pattern: (fields.get("pattern")).and_then(|pattern| self.pattern(&path, pattern)),
            goes_on,
            children: self.below(&path, fields.get("routes"), &stop, depth),
            stop,
        })
    }

    fn below(
        &mut self,
        path: &str,
        value: Option<&Value>,
        stop: &Stop,
        depth: usize,
    ) -> Vec<Route> {
        match value {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(_)) if depth == DEEPEST => self
                .wrong(path, "routes: too many within each other")
                .unwrap_or_default(),
            Some(Value::Array(routes)) => {
                let numbered = (1..).zip(routes);
                numbered
                    .filter_map(|(nth, route): (usize, _)| {
                        self.route(route, &nth.to_string(), stop, depth + 1)
                    })
                    .collect()
            }
            Some(_) => self
                .wrong(path, "routes: a list of routes")
                .unwrap_or_default(),
        }
    }

    /// A word or a list of words; `None` where the field is not there.
    fn words(
        &mut self,
        path: &str,
        fields: &Map<String, Value>,
        field: &str,
    ) -> Option<Vec<String>> {
        let value = fields.get(field)?;
        let one = |value: &Value| match value {
            Value::String(word) => Some(word.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let words = match value {
            Value::Array(list) => list.iter().map(one).collect(),
            value => one(value).map(|word| vec![word]),
        };
        words.or_else(|| self.wrong(path, format!("{field}: a word or a list of words")))
    }

    /// Words of which each must be known; those of the route above where the field is not there.
    fn names(
        &mut self,
        path: &str,
        fields: &Map<String, Value>,
        field: &str,
        known: &[&str],
        above: &[String],
    ) -> Vec<String> {
        let Some(names) = self.words(path, fields, field) else {
            return above.to_vec();
        };
        for name in names.iter().filter(|name| !known.contains(&name.as_str())) {
            let hint = did_you_mean(name, known);
            let name = clean(name, 60);
            self.note(path, format!("{field}: there is no `{name}`{hint}"));
        }
        names
    }

    /// `0s` and `never` are none.
    fn period(
        &mut self,
        path: &str,
        fields: &Map<String, Value>,
        field: &str,
        above: Option<i64>,
    ) -> Option<i64> {
        match fields.get(field) {
            None => above,
            Some(Value::String(text)) if text == "never" || text == "0s" => None,
            Some(Value::String(text)) => match Period::parse(text) {
                Ok(period) => Some(period.micros()),
                Err(why) => self.wrong(path, format!("{field}: {why}")),
            },
            Some(_) => self.wrong(path, format!("{field}: a duration such as 30s, 5m or 4h")),
        }
    }

    fn pattern(&mut self, path: &str, value: &Value) -> Option<Pattern> {
        let read = match value {
            Value::String(json) => Pattern::parse(json),
            value => Pattern::from_value(value),
        };
        match read {
            Ok(pattern) => Some(pattern),
            Err(error) => self.wrong(path, format!("pattern: {error}")),
        }
    }

    fn matcher(&mut self, path: &str, value: Option<&Value>) -> Matcher {
        let mut matcher = Matcher::default();
        let fields = match value {
            None => return matcher,
            Some(Value::Object(fields)) => fields,
            Some(_) => {
                self.note(path, "match: lines of `field: value`");
                return matcher;
            }
        };
        for field in fields.keys() {
            let Some(words) = self.words(path, fields, field) else {
                continue;
            };
            if words.is_empty() {
                self.note(path, format!("match: {field}: an empty list fits nothing"));
                continue;
            }
            let globs = match field.as_str() {
                "severity" => {
                    matcher.severity = self.labels(path, &words);
                    continue;
                }
                "rule" => &mut matcher.rule,
                "tag" => &mut matcher.tag,
                "account" => &mut matcher.account,
                "ou" => &mut matcher.ou,
                "owner" => &mut matcher.owner,
                "region" => &mut matcher.region,
                "type" => &mut matcher.finding_type,
                unknown => {
                    let hint = did_you_mean(unknown, &MATCHERS);
                    let unknown = clean(unknown, 60);
                    self.note(
                        path,
                        format!("match: {unknown}: there is no such field{hint}"),
                    );
                    continue;
                }
            };
            for word in &words {
                match Glob::parse(word) {
                    Ok(glob) => globs.push(glob),
                    Err(why) => self.note(path, format!("match: {field}: {why}")),
                }
            }
        }
        matcher
    }

    /// `high`, a list of labels, or `>= medium`.
    fn labels(&mut self, path: &str, words: &[String]) -> Option<BTreeSet<Label>> {
        let mut labels = BTreeSet::new();
        for word in words {
            let word = word.trim().to_lowercase();
            let (or_worse, name) = match word.strip_prefix(">=") {
                Some(name) => (true, name.trim()),
                None => (false, word.as_str()),
            };
            let Some((_, least)) = LABELS.iter().find(|(known, _)| *known == name) else {
                let hint = did_you_mean(name, &LABELS.map(|(name, _)| name));
                let name = clean(name, 40);
                return self.wrong(path, format!("match: severity: `{name}` is none{hint}"));
            };
            let all = LABELS.iter().map(|(_, label)| *label);
            labels.extend(all.filter(|label| label == least || (or_worse && label > least)));
        }
        Some(labels)
    }
}
