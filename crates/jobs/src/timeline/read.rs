//! A timeline's file, read: all mistakes at once, each with its place and the word that may have been meant.

use alerts::{Mistake, Period, State, clean};
use finding::Label;
use lake::AccountRow;

use super::events::Events;
use super::yaml::{At, Key, Node, Yaml, did_you_mean, read};
use super::{Expected, Listed, Test, Timeline, TimelineError};
use crate::params::{ParameterType, Value};

const FIELDS: [&str; 5] = ["rule", "start", "description", "defaults", "tests"];
const TEST_FIELDS: [&str; 5] = ["name", "accounts", "events", "until", "expect"];
const ACCOUNT_FIELDS: [&str; 6] = [
    "account_id",
    "name",
    "ou",
    "owner",
    "valid_from",
    "valid_to",
];
const EXPECT_FIELDS: [&str; 11] = [
    "group",
    "at",
    "through",
    "count",
    "matches",
    "findings",
    "accounts",
    "regions",
    "severity",
    "max_severity",
    "state",
];

/// A Monday morning.
const START: &str = "2026-01-05T09:00:00Z";

/// Reads a file of timelines. `file` is what mistakes name.
pub(super) fn timeline(file: &str, text: &str) -> Result<Timeline, TimelineError> {
    let mut reader = Reader::default();
    let timeline = match read(text) {
        Ok(node) => reader.timeline(file, &node),
        Err((at, message)) => reader.none(at, message),
    };
    reader.mistakes.sort();
    match (timeline, reader.mistakes.is_empty()) {
        (Some(timeline), true) => Ok(timeline),
        (None, true) => Err(TimelineError {
            file: file.to_owned(),
            mistakes: vec![Mistake {
                line: 1,
                column: 1,
                message: "cannot be read".to_owned(),
            }],
        }),
        (_, false) => Err(TimelineError {
            file: file.to_owned(),
            mistakes: reader.mistakes,
        }),
    }
}

/// Gathers mistakes.
#[derive(Default)]
pub(super) struct Reader {
    mistakes: Vec<Mistake>,
}

impl Reader {
    pub(super) fn note(&mut self, at: At, message: impl Into<String>) {
        self.mistakes.push(Mistake {
            line: at.0,
            column: at.1,
            message: message.into(),
        });
    }

    /// The same where a value was wanted.
    pub(super) fn none<T>(&mut self, at: At, message: impl Into<String>) -> Option<T> {
        self.note(at, message);
        None
    }

    /// The entries of a mapping; unknown fields and fields given twice are mistakes.
    fn map<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        fields: &'static [&'static str],
    ) -> Option<Vec<(&'n Key, &'n Node)>> {
        let entries = self.entries(node, what)?;
        for (key, _) in &entries {
            if !fields.contains(&key.text.as_str()) {
                let hint = did_you_mean(&key.text, fields.iter().copied());
                let name = clean(&key.text, 60);
                self.note(key.at, format!("{name}: {what} has no such field{hint}"));
            }
        }
        Some(entries)
    }

    /// The same, whatever the fields.
    pub(super) fn entries<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
    ) -> Option<Vec<(&'n Key, &'n Node)>> {
        let Yaml::Map(entries) = &node.value else {
            let name = node.value.name();
            return self.none(
                node.at,
                format!("{what} is lines of `field: value`, not {name}"),
            );
        };
        for (at, (key, _)) in entries.iter().enumerate() {
            if entries[..at]
                .iter()
                .any(|(known, _)| known.text == key.text)
            {
                self.note(key.at, format!("{}: given twice", clean(&key.text, 60)));
            }
        }
        Some(entries.iter().map(|(key, value)| (key, value)).collect())
    }

    pub(super) fn text(&mut self, node: &Node, field: &str) -> Option<String> {
        match node.value.text() {
            Some(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => {
                let name = node.value.name();
                self.none(node.at, format!("{field}: must be text, not {name}"))
            }
        }
    }

    pub(super) fn whole(&mut self, node: &Node, field: &str) -> Option<u64> {
        match node.value {
            Yaml::Whole(number) if (0..=i128::from(i64::MAX)).contains(&number) => {
                u64::try_from(number).ok()
            }
            _ => {
                let name = node.value.name();
                self.none(
                    node.at,
                    format!("{field}: must be a whole number, not {name}"),
                )
            }
        }
    }

    /// A time as an offset from the start in microseconds: `0`, `5m`, `1h 30m`, `-3d`.
    pub(super) fn offset(&mut self, node: &Node, field: &str) -> Option<i64> {
        if matches!(node.value, Yaml::Whole(0)) {
            return Some(0);
        }
        let text = self.text(node, field)?;
        let (sign, length) = match text.strip_prefix('-') {
            Some(length) => (-1, length.trim()),
            None => (1, text.as_str()),
        };
        if length.len() <= 2 && length.starts_with('0') {
            return Some(0);
        }
        match Period::parse(length) {
            Ok(period) => Some(sign * period.micros()),
            Err(why) => self.none(node.at, format!("{field}: {why}, counted from `start`")),
        }
    }

    pub(super) fn list<'n>(&mut self, node: &'n Node, field: &str) -> Option<&'n [Node]> {
        match &node.value {
            Yaml::List(items) => Some(items),
            other => {
                let name = other.name();
                self.none(node.at, format!("{field}: must be a list, not {name}"))
            }
        }
    }

    fn timeline(&mut self, file: &str, node: &Node) -> Option<Timeline> {
        let fields = self.map(node, "a timeline", &FIELDS)?;
        let rule = match get(&fields, "rule") {
            Some(value) => Some((value.at, self.text(value, "rule")?)),
            None => self.none(node.at, "rule: missing; name the rule that is tested"),
        };
        let start = match get(&fields, "start") {
            Some(value) => self.time(value),
            None => ParameterType::Timestamp
                .read(START, 0)
                .ok()
                .and_then(|value| match value {
                    Value::Timestamp(micros) => Some(micros),
                    _ => None,
                }),
        };
        let Some(tests) = get(&fields, "tests") else {
            return self.none(
                node.at,
                "tests: missing; a list of `name`, `events` and `expect`",
            );
        };
        let (rule, start) = (rule?, start?);
        let mut read = Vec::new();
        for test in self.list(tests, "tests")? {
            read.extend(self.test(test, get(&fields, "defaults"), start));
        }
        if read.is_empty() {
            self.note(tests.at, "tests: there is none that can be run");
        }
        for (at, test) in read.iter().enumerate() {
            if read[..at].iter().any(|known| known.name == test.name) {
                self.note(
                    (test.line, 1),
                    format!("name: `{}` is taken", clean(&test.name, 80)),
                );
            }
        }
        Some(Timeline {
            file: file.to_owned(),
            rule: rule.1,
            rule_at: rule.0,
            start,
            tests: read,
        })
    }

    fn time(&mut self, node: &Node) -> Option<i64> {
        let text = self.text(node, "start")?;
        match ParameterType::Timestamp.read(&text, 0) {
            Ok(Value::Timestamp(micros)) if !text.contains(['n', 'e']) => Some(micros),
            _ => {
                let name = clean(&text, 40);
                self.none(
                    node.at,
                    format!("start: `{name}` is no time like 2026-11-02T10:00:00Z"),
                )
            }
        }
    }

    fn test(&mut self, node: &Node, defaults: Option<&Node>, start: i64) -> Option<Test> {
        let fields = self.map(node, "a test", &TEST_FIELDS)?;
        let name = match get(&fields, "name") {
            Some(value) => self.text(value, "name"),
            None => self.none(node.at, "name: missing; say what the test shows"),
        };
        let mut accounts = Vec::new();
        if let Some(list) = get(&fields, "accounts") {
            for account in self.list(list, "accounts")? {
                accounts.extend(self.account(account, start));
            }
        }
        let mut events = Events::new(name.as_deref().unwrap_or_default(), start);
        match get(&fields, "events") {
            Some(list) => {
                for event in self.list(list, "events")? {
                    events.read(self, event, defaults);
                }
            }
            None if accounts.is_empty() => self.note(
                node.at,
                "events: missing; without findings nothing can happen",
            ),
            None => {}
        }
        let arrivals = events.arrivals(self);
        let until = match get(&fields, "until") {
            Some(value) => start + self.offset(value, "until")?,
            None => arrivals.last().map_or(start, |last| last.arrives),
        };
        let Some(list) = get(&fields, "expect") else {
            return self.none(
                node.at,
                "expect: missing; a list of alerts, or [] for silence",
            );
        };
        let mut expect = Vec::new();
        for alert in self.list(list, "expect")? {
            expect.extend(self.expected(alert, start));
        }
        Some(Test {
            name: name?,
            line: node.at.0,
            accounts,
            arrivals,
            until,
            expect,
        })
    }

    fn account(&mut self, node: &Node, start: i64) -> Option<AccountRow> {
        let fields = self.map(node, "an account", &ACCOUNT_FIELDS)?;
        let mut text = |name: &str| get(&fields, name).and_then(|value| self.text(value, name));
        let (account_id, name, ou, owner) =
            (text("account_id"), text("name"), text("ou"), text("owner"));
        let mut time = |name: &str| {
            let value = get(&fields, name)?;
            self.offset(value, name).map(|offset| start + offset)
        };
        let (from, to) = (time("valid_from"), time("valid_to"));
        let Some(account_id) = account_id else {
            return self.none(node.at, "account_id: missing");
        };
        Some(AccountRow {
            account_id,
            name,
            ou,
            owner,
            email: None,
            tags: Vec::new(),
            valid_from: from.unwrap_or(start),
            valid_to: to,
        })
    }

    fn expected(&mut self, node: &Node, start: i64) -> Option<Expected> {
        let fields = self.map(node, "an expected alert", &EXPECT_FIELDS)?;
        let mut group = Vec::new();
        if let Some(value) = get(&fields, "group") {
            for (key, value) in self.entries(value, "group")? {
                let wanted = match value.value {
                    Yaml::Null => None,
                    _ => Some(self.text(value, &key.text)?),
                };
                group.push((key.text.clone(), wanted));
            }
        }
        let time = |reader: &mut Reader, name: &str| match get(&fields, name) {
            Some(value) => reader.offset(value, name).map(|offset| start + offset),
            None => None,
        };
        let (at, through) = (time(self, "at"), time(self, "through"));
        let mut number = |name: &str| get(&fields, name).and_then(|value| self.whole(value, name));
        let (count, matches) = (number("count"), number("matches"));
        let mut listed = |name: &str| match get(&fields, name)? {
            Node {
                value: Yaml::List(items),
                ..
            } => {
                let names = items.iter().map(|item| self.text(item, name));
                Some(Listed::Names(names.collect::<Option<_>>()?))
            }
            value => self.whole(value, name).map(Listed::Total),
        };
        let (findings, accounts, regions) =
            (listed("findings"), listed("accounts"), listed("regions"));
        let mut label = |name: &str| {
            let value = get(&fields, name)?;
            let word = self.text(value, name)?;
            let words = ["informational", "low", "medium", "high", "critical"];
            match Label::from_word(&word) {
                Some(label) => Some(label),
                None => {
                    let hint = did_you_mean(&word, words);
                    let known = words.join(", ");
                    let word = clean(&word, 40);
                    self.none(
                        value.at,
                        format!("{name}: `{word}` is none of {known}{hint}"),
                    )
                }
            }
        };
        let (severity, max_severity) = (label("severity"), label("max_severity"));
        let state = get(&fields, "state").and_then(|value| {
            let word = self.text(value, "state")?;
            State::from_word(&word).or_else(|| {
                let words = State::ALL.map(State::as_str);
                let (known, hint) = (words.join(", "), did_you_mean(&word, words));
                let word = clean(&word, 40);
                self.none(
                    value.at,
                    format!("state: `{word}` is none of {known}{hint}"),
                )
            })
        });
        Some(Expected {
            group,
            at,
            through,
            count,
            matches,
            findings,
            accounts,
            regions,
            severity,
            max_severity,
            state,
        })
    }
}

pub(super) fn get<'n>(fields: &[(&'n Key, &'n Node)], name: &str) -> Option<&'n Node> {
    fields
        .iter()
        .find(|(key, _)| key.text == name)
        .map(|(_, value)| *value)
}
