//! Event patterns as users of Amazon EventBridge write them: which events a route or a rule is about.
//!
//! The language is that of AWS's user guide ("Comparison operators for use in event patterns") and of `aws/event-ruler`, the
//! library behind it, whose source decides where the guide is silent. A pattern that EventBridge takes means the same here;
//! what EventBridge refuses is refused, with the place. `docs/decisions/0009-event-patterns.md` lists the differences.
//!
//! `tree` reads JSON and remembers places, `grammar` judges it and makes [`Case`]s, `leaf` compares one value, and `find` looks
//! for leaves of an event that belong together.

mod find;
mod grammar;
mod leaf;
mod tree;

#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Value;

use leaf::Test;

/// A pattern that was found to be right.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    /// An event fits if it fits one of them.
    cases: Vec<Case>,
}

/// What must hold at once: what is left of a pattern when one branch was taken of each `$or`. Sorted by path, because what
/// is absent is judged in that order.
type Case = Vec<Field>;

/// What the leaves of one path must be like.
#[derive(Debug, Clone, PartialEq)]
struct Field {
    /// Names joined by dots, as event-ruler does: `{"a.b": 1}` and `{"a": {"b": 1}}` are the same path.
    path: String,
    /// One of them must hold.
    tests: Vec<Test>,
}

impl Pattern {
    /// Reads a pattern in JSON. Everything that is wrong is told, with line and column.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        tree::of_text(text)
            .map_err(|mistake| PatternError {
                mistakes: vec![mistake],
            })
            .and_then(|node| grammar::pattern(&node))
    }

    /// Takes a pattern that was read by somebody else, for example as a part of a YAML file. Mistakes have no line.
    pub fn from_value(value: &Value) -> Result<Pattern, PatternError> {
        grammar::pattern(&tree::of_value(value))
    }

    /// Whether an event fits. What is no object fits nothing.
    ///
    /// Only *leaves* are looked at: texts, numbers, booleans and nulls, alone or in arrays. So `{"exists": false}` holds for a
    /// path at which there is an object or an empty array. Leaves from different elements of one array of objects never
    /// count together: `{"tags": {"key": ["a"], "value": ["b"]}}` needs one tag that has both.
    pub fn matches(&self, event: &Value) -> bool {
        event.is_object() && self.cases.iter().any(|case| find::holds(case, event))
    }
}

/// All that is wrong with a pattern, at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// In the order of the pattern.
    pub mistakes: Vec<PatternMistake>,
}

/// One thing that is wrong with a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternMistake {
    /// Where in the pattern: `detail.severity[0].numeric[1]`. Empty for the pattern as a whole.
    pub path: String,
    /// Line and column in characters, both from 1; `None` where the pattern was no text.
    pub place: Option<(usize, usize)>,
    /// What is wrong and what would be right, in one line.
    pub message: String,
}

impl std::error::Error for PatternError {}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mistake) in self.mistakes.iter().enumerate() {
            let start = if n == 0 { "" } else { "; " };
            write!(f, "{start}{mistake}")?;
        }
        Ok(())
    }
}

impl fmt::Display for PatternMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self.path.as_str() {
            "" => "the pattern",
            path => path,
        };
        match self.place {
            Some((line, column)) => write!(f, "{path} (line {line}, column {column}): ")?,
            None => write!(f, "{path}: ")?,
        }
        f.write_str(&self.message)
    }
}
