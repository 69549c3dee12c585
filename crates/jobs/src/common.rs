//! The parameters that every trend takes without saying so in its header.

use crate::mistake::Words;
use crate::params::{Parameter, ParameterType};
use crate::script::Header;

/// Of a trend, whether its text names them or not: name, type, default, what it does.
const ALWAYS: [(&str, ParameterType, &str, &str); 5] = [
    (
        "from",
        ParameterType::Timestamp,
        "end - 30d",
        "first event time, included",
    ),
    (
        "to",
        ParameterType::Timestamp,
        "end",
        "last event time, not included",
    ),
    (
        "samples",
        ParameterType::Boolean,
        "false",
        "count sample findings too",
    ),
    (
        "tz",
        ParameterType::Zone,
        "UTC",
        "time zone that days are cut in, and dates without an offset are of",
    ),
    (
        "limit",
        ParameterType::Integer,
        "0",
        "how many rows; 0: all",
    ),
];

/// Of a trend whose text names them: where it does not, to take one and not to look at it would give a wrong answer.
const FILTERS: [(&str, ParameterType, &str); 4] = [
    (
        "accounts",
        ParameterType::Text,
        "account ids with commas between them; empty: all",
    ),
    (
        "ou",
        ParameterType::Text,
        "organizational unit at that time, with all below it: /prod; empty: all",
    ),
    (
        "types",
        ParameterType::Text,
        "types with commas between them, * for any text: Recon:*; empty: all",
    ),
    (
        "severity",
        ParameterType::Severity,
        "at least: low, medium, high, critical or a number; empty: all",
    ),
];

/// Whether a parameter may be given to a trend that does not name it.
pub(crate) fn may_be_unused(name: &str) -> bool {
    ALWAYS.iter().any(|(known, ..)| *known == name)
}

/// Adds what the header of a trend leaves out. What it declares itself stays as it is, defaults above all.
pub(crate) fn complete(header: &mut Header, text: &str) {
    let words = Words::of(text);
    let always =
        ALWAYS.map(|(name, kind, default, description)| (name, kind, default, description));
    let filters = FILTERS
        .into_iter()
        .filter(|(name, ..)| words.find(&format!("${name}")).is_some())
        .map(|(name, kind, description)| (name, kind, "", description));
    for (name, kind, default, description) in always.into_iter().chain(filters) {
        if header.parameters.iter().all(|known| known.name != name) {
            header.parameters.push(Parameter {
                name: name.to_owned(),
                kind,
                default: Some(default.to_owned()),
                description: description.to_owned(),
                common: true,
            });
        }
    }
}
