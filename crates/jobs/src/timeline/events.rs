//! The events of a test become documents, in the order in which they arrive.

use std::collections::{BTreeMap, HashMap};

use alerts::clean;
use finding::{Decoded, FindingKey, decode};
use serde_json::{Value, json};

use super::Arrival;
use super::columns::{COLUMNS, decoded, full_name, put, set};
use super::document::{Action, Basics, TEMPLATES, event, finding, is_type, severity, shape};
use super::read::{Reader, get};
use super::yaml::{At, Key, Node, Yaml, did_you_mean};

/// Fields of an event that are no columns.
const OWN: [&str; 10] = [
    "at",
    "every",
    "times",
    "arrive",
    "duplicate",
    "template",
    "type",
    "id",
    "count",
    "updated_at",
];
/// Columns whose value is a list.
const LISTS: [&str; 3] = ["remote_ips", "bucket_names", "threat_lists"];
/// More documents than this in one test are a mistake.
const MOST: usize = 2_000;
const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-central-1";

/// Gathers the documents of one test.
pub(super) struct Events {
    test: String,
    start: i64,
    events: u64,
    planned: Vec<Planned>,
}

/// A document that is yet to be written: when a finding was first seen is known only at the end.
struct Planned {
    at: i64,
    arrives: i64,
    duplicates: u64,
    updated: i64,
    id: String,
    count: Option<i64>,
    kind: String,
    action: Action,
    /// Where the event stands.
    place: At,
    /// Column or path, value, and where it stands.
    values: Vec<(String, Yaml, At)>,
}

impl Events {
    pub(super) fn new(test: &str, start: i64) -> Events {
        Events {
            test: test.to_owned(),
            start,
            events: 0,
            planned: Vec::new(),
        }
    }

    /// Takes one entry of `events`.
    pub(super) fn read(&mut self, reader: &mut Reader, node: &Node, defaults: Option<&Node>) {
        let _ = self.plan(reader, node, defaults);
    }

    fn plan(&mut self, reader: &mut Reader, node: &Node, defaults: Option<&Node>) -> Option<()> {
        self.events += 1;
        let own = reader.entries(node, "an event")?;
        let mut fields = own.clone();
        if let Some(defaults) = defaults {
            for (key, value) in reader.entries(defaults, "defaults")? {
                // What an event is made from is one choice, by whatever name.
                let replaced =
                    |known: &str| known == key.text || (is_kind(known) && is_kind(&key.text));
                if !own.iter().any(|(known, _)| replaced(&known.text)) {
                    fields.push((key, value));
                }
            }
        }
        for (key, _) in &fields {
            known(reader, key);
        }
        fields.retain(|(key, _)| is_known(full_name(&key.text)));
        let times = self.times(reader, node, &fields)?;
        let arrive = match get(&fields, "arrive") {
            Some(value) => Some((value.at, self.start + reader.offset(value, "arrive")?)),
            None => None,
        };
        let duplicates = match get(&fields, "duplicate") {
            Some(value) => reader.whole(value, "duplicate")?,
            None => 0,
        };
        let kinds = self.kinds(reader, node, &fields)?;
        for (nth, at) in times.into_iter().enumerate() {
            let kind = kinds[nth % kinds.len()].clone();
            let of =
                |name: &str| get(&fields, name).map(|value| (value.at, one(value, nth, false)));
            let arrives = match arrive {
                Some((place, arrives)) if arrives < at => {
                    return reader.none(place, "arrive: before it happens");
                }
                Some((_, arrives)) => arrives,
                None => at,
            };
            let updated = match get(&fields, "updated_at") {
                Some(value) => self.start + reader.offset(value, "updated_at")?,
                None => at,
            };
            let id = match of("id") {
                Some((at, value)) => match value.text() {
                    Some(text) => text,
                    None => return reader.none(at, "id: must be text"),
                },
                None => {
                    let (event, nth) = (self.events.to_string(), nth.to_string());
                    format!("{:032x}", FindingKey::of(&self.test, &event, &nth).0)
                }
            };
            let count = match of("count") {
                Some((at, Yaml::Whole(count))) => match i64::try_from(count) {
                    Ok(count) => Some(count),
                    Err(_) => return reader.none(at, "count: does not fit 63 bits"),
                },
                Some((at, other)) => {
                    let name = other.name();
                    return reader.none(at, format!("count: must be a whole number, not {name}"));
                }
                None => None,
            };
            let mut action = shape(&kind).1;
            if let Some((at, word)) = of("action_type") {
                let word = word.text().unwrap_or_default();
                action = match Action::of_word(&word) {
                    Some(action) => action,
                    None => {
                        let hint = did_you_mean(&word, Action::words());
                        let known = Action::words().collect::<Vec<_>>().join(", ");
                        let word = clean(&word, 40);
                        return reader.none(
                            at,
                            format!("action_type: `{word}` is none of {known}{hint}"),
                        );
                    }
                };
            }
            let values = fields
                .iter()
                .filter(|(key, _)| !OWN.contains(&key.text.as_str()) && key.text != "action_type")
                .map(|(key, value)| {
                    let name = full_name(&key.text);
                    let listed = LISTS.contains(&name);
                    (name.to_owned(), one(value, nth, listed), value.at)
                });
            self.planned.push(Planned {
                at,
                arrives,
                duplicates,
                updated,
                id,
                count,
                kind,
                action,
                place: node.at,
                values: values.collect(),
            });
        }
        if self.planned.len() > MOST {
            return reader.none(
                node.at,
                format!("events: more than {MOST} findings in one test"),
            );
        }
        Some(())
    }

    /// When each finding of an event happens.
    fn times(
        &mut self,
        reader: &mut Reader,
        node: &Node,
        fields: &[(&Key, &Node)],
    ) -> Option<Vec<i64>> {
        let Some(at) = get(fields, "at") else {
            return reader.none(node.at, "at: missing; an offset from `start`, such as 5m");
        };
        let listed = match &at.value {
            Yaml::List(items) => items.iter().collect(),
            _ => vec![at],
        };
        let mut times = Vec::new();
        for item in &listed {
            times.push(self.start + reader.offset(item, "at")?);
        }
        let every = match get(fields, "every") {
            Some(value) => Some(reader.offset(value, "every")?),
            None => None,
        };
        // The longest list of values says how many, where nothing else does.
        let longest = fields
            .iter()
            .filter(|(key, _)| !["at", "every", "times"].contains(&key.text.as_str()))
            .map(|(key, value)| choices(value, LISTS.contains(&full_name(&key.text))))
            .max()
            .unwrap_or(1);
        let repeats = match get(fields, "times") {
            Some(value) => {
                let repeats = reader.whole(value, "times")?;
                if repeats == 0 || repeats as usize > MOST {
                    return reader.none(value.at, format!("times: from 1 to {MOST}"));
                }
                repeats as usize
            }
            None if listed.len() == 1 => longest,
            None => 1,
        };
        if listed.len() > 1 && (repeats > 1 || every.is_some()) {
            return reader.none(
                at.at,
                "at: a list of times, or one time with every and times",
            );
        }
        let step = every.unwrap_or(0);
        if repeats > 1 {
            let first = times[0];
            times = (0..repeats as i64).map(|nth| first + nth * step).collect();
        }
        if longest > times.len() {
            let many = times.len();
            return reader.none(
                node.at,
                format!("a field lists {longest} values, and there are {many} findings"),
            );
        }
        Some(times)
    }

    /// The types of an event's findings, in turn.
    fn kinds(
        &mut self,
        reader: &mut Reader,
        node: &Node,
        fields: &[(&Key, &Node)],
    ) -> Option<Vec<String>> {
        let (value, named) = match (get(fields, "type"), get(fields, "template")) {
            (Some(value), None) => (value, false),
            (None, Some(value)) => (value, true),
            (Some(value), Some(_)) => {
                return reader.none(value.at, "type: give either a type or a template");
            }
            (None, None) => {
                return reader.none(
                    node.at,
                    "type: missing; a finding type, or `template: NAME`",
                );
            }
        };
        let items: Vec<&Node> = match &value.value {
            Yaml::List(items) if !items.is_empty() => items.iter().collect(),
            _ => vec![value],
        };
        let mut kinds = Vec::new();
        for item in items {
            let word = reader.text(item, if named { "template" } else { "type" })?;
            let template = TEMPLATES.iter().find(|(name, _)| *name == word);
            kinds.push(match template {
                Some((_, kind)) => (*kind).to_owned(),
                None if is_type(&word) => word,
                None => {
                    let names = TEMPLATES.iter().map(|(name, _)| *name);
                    let types = TEMPLATES.iter().map(|(_, kind)| *kind);
                    let hint = did_you_mean(&word, names.chain(types));
                    let word = clean(&word, 60);
                    return reader.none(
                        item.at,
                        format!("type: `{word}` is no type such as Recon:EC2/Portscan{hint}"),
                    );
                }
            });
        }
        Some(kinds)
    }

    /// Writes the documents. What the decoder does not read as the timeline says is a mistake of the timeline.
    pub(super) fn arrivals(self, reader: &mut Reader) -> Vec<Arrival> {
        let mut first_seen: HashMap<(&str, String), i64> = HashMap::new();
        let mut published: BTreeMap<&str, i64> = BTreeMap::new();
        let account = |planned: &Planned| {
            let value = planned
                .values
                .iter()
                .find(|(name, ..)| name == "account_id");
            value
                .and_then(|(_, value, _)| value.text())
                .unwrap_or_else(|| ACCOUNT.to_owned())
        };
        for planned in &self.planned {
            let seen = first_seen
                .entry((&planned.id, account(planned)))
                .or_insert(planned.at);
            *seen = (*seen).min(planned.at);
        }
        let mut arrivals = Vec::new();
        for planned in &self.planned {
            let nth = published.entry(&planned.id).or_insert(0);
            *nth += 1;
            let mut finding = finding(&Basics {
                kind: &planned.kind,
                action: planned.action,
                account_id: ACCOUNT,
                region: REGION,
                finding_id: &planned.id,
                count: planned.count.unwrap_or(*nth),
                severity: severity(&planned.kind),
                first_seen: first_seen[&(planned.id.as_str(), account(planned))],
                last_seen: planned.at,
                updated: planned.updated,
            });
            let mut complete = true;
            for (name, value, at) in &planned.values {
                let placed = match name.contains('.') {
                    true => put(&mut finding, name, value.json()),
                    false => set(&mut finding, planned.action, name, &json_of(name, value)),
                };
                complete &= placed;
                if !placed {
                    let (name, kind) = (clean(name, 60), clean(&planned.kind, 100));
                    reader.note(
                        *at,
                        format!("{name}: a finding of type {kind} does not carry it"),
                    );
                }
            }
            let document = event(&finding, planned.updated).to_string();
            if complete {
                check(reader, planned, &document);
            }
            for _ in 0..=planned.duplicates {
                arrivals.push(Arrival {
                    arrives: planned.arrives,
                    document: document.clone(),
                });
            }
        }
        // Stable: what arrives at one time arrives in the order of the file.
        arrivals.sort_by_key(|arrival| arrival.arrives);
        arrivals
    }
}

fn known(reader: &mut Reader, key: &Key) {
    let name = full_name(&key.text);
    if !is_known(name) {
        let words = OWN
            .into_iter()
            .chain(COLUMNS)
            .chain(["action_type", "country"]);
        let hint = did_you_mean(name, words);
        let name = clean(name, 60);
        reader.note(
            key.at,
            format!("{name}: an event has no such field, findings no such column{hint}"),
        );
    }
}

/// A field of events, a column, or a path.
fn is_known(name: &str) -> bool {
    OWN.contains(&name) || COLUMNS.contains(&name) || name == "action_type" || name.contains('.')
}

fn is_kind(field: &str) -> bool {
    matches!(field, "type" | "template")
}

/// How many values a field lists.
fn choices(value: &Node, listed: bool) -> usize {
    match &value.value {
        Yaml::List(items) if !listed => items.len(),
        Yaml::List(items) if items.iter().any(|item| matches!(item.value, Yaml::List(_))) => {
            items.len()
        }
        _ => 1,
    }
}

/// The value of a field for the nth finding of an event: lists are gone through in turn.
fn one(value: &Node, nth: usize, listed: bool) -> Yaml {
    match &value.value {
        Yaml::List(items) if !items.is_empty() && (!listed || choices(value, true) > 1) => {
            items[nth % items.len()].value.clone()
        }
        other => other.clone(),
    }
}

/// Whole numbers where findings have text: ids and addresses that YAML took for numbers.
fn json_of(name: &str, value: &Yaml) -> Value {
    let numeric = ["severity", "remote_port", "local_port", "remote_asn"].contains(&name);
    match value {
        Yaml::Whole(number) if !numeric => json!(number.to_string()),
        other => other.json(),
    }
}

fn check(reader: &mut Reader, planned: &Planned, document: &str) {
    let mut problem = None;
    let mut found = 0;
    decode(document.as_bytes(), &mut |_, item| match item {
        Decoded::Finding(finding) => {
            found += 1;
            for (name, value, at) in &planned.values {
                let wanted = match value {
                    _ if name.contains('.') => continue,
                    Yaml::Null => None,
                    Yaml::List(items) => {
                        let texts = items.iter().filter_map(|item| item.value.text());
                        Some(texts.collect::<Vec<_>>().join(", "))
                    }
                    other => other.text(),
                };
                let read = decoded(&finding, name);
                if read != wanted && !(name == "sample" && wanted.is_none()) {
                    let read = read.map_or("nothing".to_owned(), |read| {
                        format!("`{}`", clean(&read, 60))
                    });
                    let (name, kind) = (clean(name, 60), clean(&planned.kind, 100));
                    problem = Some((
                        *at,
                        format!("{name}: of a finding of type {kind} the decoder reads {read}"),
                    ));
                }
            }
        }
        Decoded::Skipped => problem = Some((planned.place, "it is no finding".to_owned())),
        Decoded::Reject(reject) => problem = Some((planned.place, reject.reason)),
    });
    if found == 1
        && let Some((name, value, at)) = planned
            .values
            .iter()
            .find(|(name, ..)| name == "account_id")
        && let Yaml::Whole(_) = value
        && value.text().is_some_and(|text| text.len() != 12)
    {
        problem = Some((*at, format!("{name}: put it in quotes, its zeros are lost")));
    }
    if let Some((at, message)) = problem {
        reader.note(at, message);
    }
}
