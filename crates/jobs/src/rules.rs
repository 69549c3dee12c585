//! The alert rules of a library: read from their files, and checked against what a SELECT may do to be swept exactly.

mod check;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use alerts::{Rule, RuleError};

use crate::script::{Kind, Library};

pub use check::{check, checked};

/// A rule's file and what it says.
#[derive(Debug, Clone)]
pub struct RuleFile {
    /// Where it came from.
    pub file: String,
    /// Its text.
    pub text: Arc<str>,
    /// The rule, or all that is wrong with its header.
    pub rule: Result<Rule, RuleError>,
}

/// All rules of a library by id, broken ones with their mistakes. For an overlay of the user's own files, or a folder of rules
/// to use alone, see [`Library::with_overlay`] and [`Library::with_rules_only`].
pub fn load(library: &Library) -> Vec<RuleFile> {
    let read = |source: &crate::Source| RuleFile {
        file: source.file.clone(),
        text: Arc::clone(&source.text),
        rule: Rule::parse(&source.name, &source.text),
    };
    library.sources(Kind::Alert).map(read).collect()
}
