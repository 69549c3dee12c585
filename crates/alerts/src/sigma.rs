//! Sigma documents as rules: the text of a `.yml` file in, and out comes for each of its outermost rules the text of a
//! rule's file as `docs/rules.md` describes it, so that everything after is one way.
//!
//! The flow: `tree` reads YAML with places; `document` reads what a document says, by `detection` (with `fields`,
//! `modifiers` and `condition`) and `correlation`; `link` joins the documents of a file and makes a `sheet` of each outermost
//! one, which is written. `sql` holds every literal, so that no text of a file can be anything else.
//!
//! The specification is that of SigmaHQ, version 2.1.0. What cannot be honoured is a mistake that names it, never a guess.

mod document;
mod tree;

mod condition;
mod detection;
mod fields;
mod modifiers;
mod sql;

mod columns;
mod correlation;
mod link;
mod numbers;
mod sheet;
#[cfg(test)]
mod tests;

use crate::rule::{Mistake, Rule, RuleError};
use crate::{clean, sigma::tree::Notes};

/// Line and column, both from 1.
type Place = (usize, usize);

/// One outermost rule of a file of Sigma documents, as a rule of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    /// The document's `name`, or the file's stem, with `-2`, `-3`.. for further documents without a name.
    pub id: String,
    /// What a rule's file would say; [`Converted::rule`] is read from it.
    pub text: String,
    /// The rule.
    pub rule: Rule,
}

/// Reads a file of Sigma documents. `stem` is the file's name without `.yml`.
///
/// All or nothing: a file with a mistake in any of its documents gives none, since they refer to each other.
pub fn convert(stem: &str, text: &str) -> Result<Vec<Converted>, RuleError> {
    // A byte order mark is no character of the first line to an editor.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut notes = Notes {
        text,
        mistakes: Vec::new(),
    };
    let rules = read(&mut notes, stem);
    notes.mistakes.sort();
    notes.mistakes.dedup();
    match notes.mistakes.is_empty() {
        true => Ok(rules),
        false => Err(RuleError {
            rule: stem.to_owned(),
            file: format!("{stem}.yml"),
            mistakes: notes.mistakes,
        }),
    }
}

fn read(notes: &mut Notes<'_>, stem: &str) -> Vec<Converted> {
    let trees = tree::documents(notes);
    if trees.is_empty() && notes.mistakes.is_empty() {
        notes.note((1, 1), "there is no document in this file");
    }
    let documents: Vec<_> = trees
        .iter()
        .map(|tree| document::Document::read(notes, tree))
        .collect();
    if !notes.mistakes.is_empty() {
        return Vec::new();
    }
    let mut documents: Vec<_> = documents.into_iter().flatten().collect();
    let mut rules: Vec<Converted> = Vec::new();
    let mut nameless = 0;
    for (document, sheet) in link::link(notes, &mut documents) {
        let (at, id) = match &document.name {
            Some((at, name)) => (*at, name.clone()),
            None => {
                nameless += 1;
                let id = match nameless {
                    1 => stem.to_owned(),
                    nth => format!("{stem}-{nth}"),
                };
                (document.at, id)
            }
        };
        if rules.iter().any(|known| known.id == id) {
            let id = clean(&id, 60);
            notes.note(at, format!("name: another rule of this file is `{id}`"));
            continue;
        }
        let text = sheet.text(document);
        // What no part of the way here refused and a rule of ours does: ids, numbers out of all bounds.
        match Rule::parse(&id, &text) {
            Ok(rule) => rules.push(Converted { id, text, rule }),
            Err(error) => error
                .mistakes
                .iter()
                .for_each(|Mistake { message, .. }| notes.note(at, message.clone())),
        }
    }
    rules
}
