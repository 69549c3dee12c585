//! One document of a file: a base rule, a correlation or a filter, with what it says of itself.

use super::Place;
use super::condition::Formula;
use super::correlation::Correlation;
use super::detection;
use super::sql::Test;
use super::tree::{Node, Notes, Value};
use crate::clean;
use crate::rule::yaml::did_you_mean;

/// A document that can be referred to.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) at: Place,
    pub(super) id: Option<String>,
    pub(super) name: Option<(Place, String)>,
    pub(super) about: About,
    pub(super) body: Body,
}

/// What it is.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Base(Test),
    Correlation(Box<Correlation>),
    Filter {
        /// Empty: all of the file.
        rules: Vec<(Place, String)>,
        /// What a finding must be to stay.
        keeps: Test,
    },
}

/// What is carried over as it is.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) severity: &'static str,
    pub(super) author: String,
    pub(super) references: Vec<String>,
    pub(super) false_positives: Vec<String>,
    pub(super) tags: Vec<String>,
    /// False of what is deprecated or unsupported by its own status.
    pub(super) enabled: bool,
}

const LEVELS: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

impl Document {
    /// Reads a document. `None` where there is a mistake; there may be mistakes even so.
    pub(super) fn read(notes: &mut Notes<'_>, node: &Node) -> Option<Document> {
        if !matches!(node.value, Value::Map(_)) {
            let wrong = node.name();
            return notes.mistake(
                node.at,
                format!("a document must be a mapping, not {wrong}"),
            );
        }
        if let Some(action) = node.get("action") {
            return notes.mistake(
                action.at,
                "action: collections of the first version of Sigma are not read; write every document out",
            );
        }
        if let Some(taxonomy) = node.get("taxonomy")
            && !matches!(&taxonomy.value, Value::Text(word) if word == "sigma")
        {
            notes.note(taxonomy.at, "taxonomy: only `sigma` is known");
        }
        let id = text(notes, node, "id").map(|(_, text)| text);
        let name = text(notes, node, "name");
        let about = about(notes, node);
        let bodies: Vec<&str> = ["detection", "correlation", "filter"]
            .into_iter()
            .filter(|key| node.get(key).is_some())
            .collect();
        let body = match bodies[..] {
            ["detection"] => {
                log_source(notes, node);
                let section = node.get("detection")?;
                let read = detection::read(notes, "detection", section, &[]);
                read.map(|(formula, _)| Body::Base(formula.test()))
            }
            ["correlation"] => {
                let section = node.get("correlation")?;
                Correlation::read(notes, section).map(|read| Body::Correlation(Box::new(read)))
            }
            ["filter"] => {
                log_source(notes, node);
                filter(notes, node.get("filter")?)
            }
            [] => {
                let keys = node.entries().iter().map(|entry| entry.key.as_str());
                let near = keys
                    .map(|key| did_you_mean(key, &["detection", "correlation", "filter"]))
                    .find(|hint| !hint.is_empty());
                let near = near.unwrap_or_default();
                notes.mistake(
                    node.at,
                    format!("a document has a detection, a correlation or a filter{near}"),
                )
            }
            _ => notes.mistake(
                node.at,
                format!("a document has one of {}", bodies.join(", ")),
            ),
        };
        Some(Document {
            at: node.at,
            id,
            name,
            about: about?,
            body: body?,
        })
    }

    /// Whether a reference means this document.
    pub(super) fn is(&self, reference: &str) -> bool {
        self.id.as_deref() == Some(reference)
            || (self.name.as_ref()).is_some_and(|(_, name)| name == reference)
    }
}

/// A text that is there and not empty.
fn text(notes: &mut Notes<'_>, node: &Node, key: &str) -> Option<(Place, String)> {
    let node = node.get(key)?;
    match &node.value {
        Value::Null => None,
        Value::Text(text) if text.trim().is_empty() => None,
        Value::Text(text) => Some((node.at, text.trim().to_owned())),
        Value::Whole(number) => Some((node.at, number.to_string())),
        Value::Number(number) => Some((node.at, number.to_string())),
        _ => notes.mistake(node.at, format!("{key}: must be text, not {}", node.name())),
    }
}

/// A list of texts, or one.
fn list(notes: &mut Notes<'_>, node: &Node, key: &str) -> Vec<String> {
    let Some(Node { value, .. }) = node.get(key) else {
        return Vec::new();
    };
    let Value::List(items) = value else {
        let one = text(notes, node, key);
        return one.into_iter().map(|(_, text)| text).collect();
    };
    let mut texts = Vec::new();
    for item in items {
        match &item.value {
            Value::Text(text) if text.trim().is_empty() => {}
            Value::Null => {}
            Value::Text(text) => texts.push(text.trim().to_owned()),
            Value::Whole(number) => texts.push(number.to_string()),
            _ => notes.note(
                item.at,
                format!("{key}: every entry must be text, not {}", item.name()),
            ),
        }
    }
    texts
}

fn about(notes: &mut Notes<'_>, node: &Node) -> Option<About> {
    let title = match text(notes, node, "title") {
        Some((_, title)) => Some(title),
        None => notes.mistake(node.at, "title: missing; give the rule a name"),
    };
    let severity = match text(notes, node, "level") {
        None => Some("medium"),
        Some((at, word)) => {
            let known = LEVELS.into_iter().find(|l| l.eq_ignore_ascii_case(&word));
            known.or_else(|| {
                let hint = did_you_mean(&word.to_lowercase(), &LEVELS);
                let word = clean(&word, 40);
                notes.mistake(at, format!("level: there is no level `{word}`{hint}"))
            })
        }
    };
    let status = text(notes, node, "status").map(|(_, status)| status.to_lowercase());
    Some(About {
        title: title?,
        description: text(notes, node, "description").map_or(String::new(), |(_, text)| text),
        severity: severity?,
        author: text(notes, node, "author").map_or(String::new(), |(_, text)| text),
        references: list(notes, node, "references"),
        false_positives: list(notes, node, "falsepositives"),
        tags: list(notes, node, "tags"),
        enabled: !matches!(status.as_deref(), Some("deprecated" | "unsupported")),
    })
}

/// Findings are `product: aws`, `service: guardduty`; whatever else is another log.
fn log_source(notes: &mut Notes<'_>, node: &Node) {
    let Some(source) = node.get("logsource") else {
        return;
    };
    let part = |key: &str| match source.get(key) {
        Some(Node {
            value: Value::Text(text),
            at,
        }) => Some((*at, text.to_lowercase())),
        _ => None,
    };
    let (product, service) = (part("product"), part("service"));
    if let Some((at, product)) = &product
        && product != "aws"
    {
        let product = clean(product, 40);
        return notes.note(
            *at,
            format!("logsource: findings are of product aws, not {product}"),
        );
    }
    match (service, part("category")) {
        (Some((_, service)), _) if service == "guardduty" => {}
        (Some((at, service)), _) => {
            let service = clean(&service, 40);
            notes.note(
                at,
                format!("logsource: findings are of service guardduty, not {service}"),
            );
        }
        (None, Some((at, category))) if product.is_none() => {
            let category = clean(&category, 40);
            notes.note(
                at,
                format!("logsource: findings are no category {category}; write product aws and service guardduty"),
            );
        }
        (None, _) if product.is_some() => notes.note(
            source.at,
            "logsource: product aws is many logs; add `service: guardduty`",
        ),
        (None, _) => {}
    }
}

/// A filter takes findings away, however its condition is put: the specification's example names what is taken away, the
/// tools that came before it ask for `not selection`. What could mean either is refused.
fn filter(notes: &mut Notes<'_>, section: &Node) -> Option<Body> {
    let rules = match section.get("rules") {
        Some(Node {
            value: Value::List(items),
            ..
        }) => {
            let mut rules = Vec::new();
            for item in items {
                match &item.value {
                    Value::Text(text) => rules.push((item.at, text.trim().to_owned())),
                    _ => notes.note(
                        item.at,
                        format!("filter.rules: must name rules, not {}", item.name()),
                    ),
                }
            }
            rules
        }
        Some(Node {
            value: Value::Text(word),
            at,
        }) => match word.as_str() {
            "any" => Vec::new(),
            word => vec![(*at, word.to_owned())],
        },
        _ => {
            return notes.mistake(
                section.at,
                "filter.rules: missing; name rules of this file, or `any`",
            );
        }
    };
    if matches!(section.get("rules").map(|node| &node.value), Some(Value::List(items)) if items.is_empty())
    {
        return notes.mistake(
            section.at,
            "filter.rules: is empty; write `any` for all rules",
        );
    }
    let (formula, at): (Formula<Test>, Place) =
        detection::read(notes, "filter", section, &["rules"])?;
    let keeps = match (formula.denies(), formula.only_denies()) {
        (false, _) => Test::not(formula.test()),
        (true, true) => formula.test(),
        (true, false) => {
            return notes.mistake(
                at,
                "filter.condition: could name what stays or what goes; write `not (...)` around what goes",
            );
        }
    };
    Some(Body::Filter { rules, keeps })
}
