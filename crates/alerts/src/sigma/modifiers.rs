//! Modifiers of a field's name: how its values are compared.

use super::Place;
use super::tree::Notes;
use crate::clean;
use crate::rule::yaml::did_you_mean;

/// How a field is compared with a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum How {
    #[default]
    Equal,
    Contains,
    StartsWith,
    EndsWith,
    /// A regular expression, with its flags.
    Pattern(String),
    Network,
    /// The sign in SQL.
    Compare(&'static str),
    Exists,
    /// With another field.
    Field,
}

impl How {
    /// As a file writes it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            How::Equal => "equality",
            How::Contains => "contains",
            How::StartsWith => "startswith",
            How::EndsWith => "endswith",
            How::Pattern(_) => "re",
            How::Network => "cidr",
            How::Compare("<") => "lt",
            How::Compare("<=") => "lte",
            How::Compare(">") => "gt",
            How::Compare(_) => "gte",
            How::Exists => "exists",
            How::Field => "fieldref",
        }
    }
}

/// All modifiers of one field.
#[derive(Debug, Clone, Default)]
pub(super) struct Modifiers {
    pub(super) how: How,
    /// All values rather than any.
    pub(super) all: bool,
    pub(super) cased: bool,
    pub(super) neq: bool,
}

const KNOWN: [&str; 17] = [
    "contains",
    "startswith",
    "endswith",
    "all",
    "re",
    "i",
    "m",
    "s",
    "cased",
    "cidr",
    "gt",
    "gte",
    "lt",
    "lte",
    "exists",
    "fieldref",
    "neq",
];

/// Modifiers of the specification that are refused, and why.
const REFUSED: [(&str, &str); 14] = [
    ("windash", "findings carry no command lines"),
    ("base64", "findings carry nothing encoded"),
    ("base64offset", "findings carry nothing encoded"),
    ("utf16", "findings carry nothing encoded"),
    ("utf16le", "findings carry nothing encoded"),
    ("utf16be", "findings carry nothing encoded"),
    ("wide", "findings carry nothing encoded"),
    ("expand", "there are no placeholders to expand"),
    ("minute", "times of findings are judged by the window alone"),
    ("hour", "times of findings are judged by the window alone"),
    ("day", "times of findings are judged by the window alone"),
    ("week", "times of findings are judged by the window alone"),
    ("month", "times of findings are judged by the window alone"),
    ("year", "times of findings are judged by the window alone"),
];

impl Modifiers {
    /// Reads what follows the first `|` of a field's name.
    pub(super) fn read(
        notes: &mut Notes<'_>,
        at: Place,
        name: &str,
        words: Option<&str>,
    ) -> Option<Modifiers> {
        let mut modifiers = Modifiers::default();
        let before = notes.mistakes.len();
        let field = match name {
            "" => "keywords".into(),
            name => clean(name, 80),
        };
        for word in words.into_iter().flat_map(|words| words.split('|')) {
            let how = match word {
                "contains" => How::Contains,
                "startswith" => How::StartsWith,
                "endswith" => How::EndsWith,
                "re" => How::Pattern(String::new()),
                "cidr" => How::Network,
                "gt" => How::Compare(">"),
                "gte" => How::Compare(">="),
                "lt" => How::Compare("<"),
                "lte" => How::Compare("<="),
                "exists" => How::Exists,
                "fieldref" => How::Field,
                "all" => {
                    modifiers.all = true;
                    continue;
                }
                "cased" => {
                    modifiers.cased = true;
                    continue;
                }
                "neq" => {
                    modifiers.neq = true;
                    continue;
                }
                "i" | "m" | "s" => {
                    match &mut modifiers.how {
                        How::Pattern(flags) => flags.push_str(word),
                        _ => notes.note(at, format!("{field}|{word}: comes after re alone")),
                    }
                    continue;
                }
                word => {
                    let refused = REFUSED.iter().find(|(known, _)| *known == word);
                    let message = match refused {
                        Some((_, why)) => format!("the modifier {word} is not honoured: {why}"),
                        None => {
                            let hint = did_you_mean(word, &KNOWN);
                            format!("there is no modifier `{}`{hint}", clean(word, 40))
                        }
                    };
                    notes.note(at, format!("{field}: {message}"));
                    continue;
                }
            };
            if modifiers.how != How::Equal {
                let (first, second) = (modifiers.how.word(), how.word());
                notes.note(
                    at,
                    format!("{field}: {first} and {second} cannot be asked together"),
                );
            }
            modifiers.how = how;
        }
        let case_matters = matches!(
            modifiers.how,
            How::Equal | How::Contains | How::StartsWith | How::EndsWith | How::Field
        );
        if modifiers.cased && !case_matters {
            let how = modifiers.how.word();
            notes.note(at, format!("{field}: cased says nothing about {how}"));
        }
        (notes.mistakes.len() == before).then_some(modifiers)
    }
}
