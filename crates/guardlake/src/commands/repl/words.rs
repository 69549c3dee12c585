//! What Tab completes at the prompt: tables, columns, functions and keywords, commands, and the names of questions.

use std::sync::{Arc, Mutex, PoisonError};

use jobs::{Kind, Library, Names, complete};
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::meta::COMMANDS;

/// The lines of the query that stand above the one being typed.
pub(super) type Above = Arc<Mutex<String>>;

pub(super) struct Words {
    names: Names,
    trends: Vec<String>,
    investigations: Vec<String>,
    files: FilenameCompleter,
    above: Above,
}

impl Words {
    pub(super) fn new(names: &Names, library: &Library, above: &Above) -> Words {
        let of = |kind| {
            library
                .sources(kind)
                .map(|source| source.name.clone())
                .collect()
        };
        Words {
            names: names.clone(),
            trends: of(Kind::Trend),
            investigations: of(Kind::Investigation),
            files: FilenameCompleter::new(),
            above: Arc::clone(above),
        }
    }

    /// Where the word that ends at `pos` of a command begins, and what it could be; `None` for names of files.
    fn command(&self, line: &str, pos: usize) -> Option<(usize, Vec<String>)> {
        let before = &line[..pos];
        let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = &before[start..];
        let fit = |all: &mut dyn Iterator<Item = &str>| -> Vec<String> {
            all.filter(|name| name.starts_with(word))
                .map(str::to_owned)
                .collect()
        };
        let found = match before[..start].split_whitespace().collect::<Vec<_>>()[..] {
            [] => fit(&mut COMMANDS.iter().map(|(name, ..)| *name)),
            ["\\d"] => fit(&mut self.names.tables()),
            ["\\df"] => fit(&mut self.names.functions()),
            ["\\trend"] => fit(&mut self.trends.iter().map(String::as_str)),
            ["\\investigate"] => fit(&mut self.investigations.iter().map(String::as_str)),
            ["\\i" | "\\o"] => return None,
            _ => Vec::new(),
        };
        Some((start, found))
    }
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let above = self.above.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = |text: String| Pair {
            display: text.clone(),
            replacement: text,
        };
        if above.is_empty() && line.starts_with('\\') {
            return match self.command(line, pos) {
                Some((start, found)) => Ok((start, found.into_iter().map(pair).collect())),
                None => self.files.complete_path(line, pos),
            };
        }
        let text = format!("{above}{line}");
        let (start, candidates) = complete(&text, above.len() + pos, &self.names);
        let candidates = candidates.into_iter().map(|candidate| pair(candidate.text));
        Ok((start.saturating_sub(above.len()), candidates.collect()))
    }
}

impl Helper for Words {}
impl Hinter for Words {
    type Hint = String;
}
impl Highlighter for Words {}
impl Validator for Words {}

#[cfg(test)]
mod tests {
    use super::*;
    use rustyline::history::DefaultHistory;

    fn check(above: &str, line: &str, expected: &[&str]) {
        let names = Names {
            tables: vec![(
                "findings".into(),
                vec!["account_id".into(), "region".into()],
            )],
            functions: vec!["ip_family".into()],
        };
        let words = Words::new(
            &names,
            &Library::built_in(),
            &Arc::new(Mutex::new(above.to_owned())),
        );
        let history = DefaultHistory::new();
        let (start, found) = words
            .complete(line, line.len(), &Context::new(&history))
            .unwrap();
        assert!(start <= line.len(), "{line}");
        let found: Vec<_> = found.iter().map(|pair| pair.replacement.as_str()).collect();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn the_line_and_those_above_it_say_what_fits() {
        check("", "\\tr", &["\\trend"]);
        check("", "\\trend reg", &["regions"]);
        check("", "\\investigate ip", &["ip_timeline"]);
        check("", "\\d fin", &["findings"]);
        check("", "\\df ip", &["ip_family"]);
        check("SELECT count(*)\n", "FROM fin", &["findings"]);
        check("SELECT * FROM findings\n", "WHERE reg", &["region"]);
        check("SELECT 'an open text\n", "reg", &[]);
    }
}
