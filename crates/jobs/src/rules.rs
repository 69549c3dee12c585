//! The alert rules of a library: read from their files, and checked against what a SELECT may do to be swept exactly.

mod check;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use alerts::{Mistake, Rule, RuleError, sigma};

use crate::script::{Kind, Library, Source};

pub use check::{check, checked};

/// A rule's file and what it says.
#[derive(Debug, Clone)]
pub struct RuleFile {
    /// The rule's id, or that which it would have had: the file's stem.
    pub id: String,
    /// Where it came from.
    pub file: String,
    /// Its text; of a Sigma rule what it was converted to, or the documents themselves where that failed.
    pub text: Arc<str>,
    /// The rule, or all that is wrong with its header.
    pub rule: Result<Rule, RuleError>,
}

/// All rules of a library by id, broken ones with their mistakes. For an overlay of the user's own files, or a folder of rules
/// to use alone, see [`Library::with_overlay`] and [`Library::with_rules_only`].
///
/// A rule of the user's own replaces a built-in one of its id, be it SQL or Sigma; two of the user's own under one id are a
/// mistake of the second.
pub fn load(library: &Library) -> Vec<RuleFile> {
    let (built_in, own): (Vec<&Source>, Vec<&Source>) = library
        .sources(Kind::Alert)
        .partition(|source| source.is_built_in());
    let mut files: Vec<RuleFile> = own.into_iter().flat_map(read).collect();
    for at in 1..files.len() {
        let (before, file) = files.split_at_mut(at);
        let (id, file) = (file[0].id.clone(), &mut file[0]);
        if let (Some(other), Ok(_)) = (before.iter().find(|other| other.id == id), &file.rule) {
            let message = format!("id: `{id}` is that of a rule in {} too", other.file);
            file.rule = Err(RuleError {
                rule: id,
                file: name(&file.file),
                mistakes: vec![Mistake {
                    line: 1,
                    column: 1,
                    message,
                }],
            });
        }
    }
    for source in built_in {
        if !files.iter().any(|file| file.id == source.name) {
            files.extend(read(source));
        }
    }
    files.sort_by(|a, b| a.id.cmp(&b.id));
    files
}

/// The rules of a file: one of SQL, as many as it has outermost documents of Sigma.
pub fn read(source: &Source) -> Vec<RuleFile> {
    let file = |id: &str, text: &str, rule| RuleFile {
        id: id.to_owned(),
        file: source.file.clone(),
        text: Arc::from(text),
        rule,
    };
    if !source.is_sigma() {
        let rule = Rule::parse(&source.name, &source.text);
        return vec![file(&source.name, &source.text, rule)];
    }
    match sigma::convert(&source.name, &source.text) {
        Err(mut error) => {
            error.file = name(&source.file);
            vec![file(&source.name, &source.text, Err(error))]
        }
        Ok(rules) => {
            let rules = rules.into_iter();
            rules
                .map(|converted| file(&converted.id, &converted.text, Ok(converted.rule)))
                .collect()
        }
    }
}

/// A file's name without its folder.
fn name(file: &str) -> String {
    let name = Path::new(file).file_name();
    name.map_or(file.into(), |name| name.to_string_lossy())
        .into_owned()
}
