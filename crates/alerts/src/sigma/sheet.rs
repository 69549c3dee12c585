//! A rule of ours, about to be written: header and SELECT.

use std::fmt::Write;

use super::document::Document;
use super::fields::is_column;
use super::sql::{Test, literal};
use crate::clean;

/// What a rule's file says, but for what its document says of itself.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) kind: Option<&'static str>,
    pub(super) group_by: Vec<String>,
    pub(super) count: Option<String>,
    pub(super) threshold: Option<String>,
    pub(super) steps: Vec<Step>,
    pub(super) ordered: Option<bool>,
    pub(super) condition: Option<String>,
    pub(super) window: String,
    pub(super) suppress_for: Option<String>,
    /// Which rows count.
    pub(super) wanted: Test,
    /// Columns to make: name and SQL.
    pub(super) projected: Vec<(String, String)>,
    /// The rules that a row can belong to, where that must be known: name and condition.
    pub(super) names: Vec<(String, Test)>,
    /// Whether a row that belongs to several is there once for each, as columns to make ask for.
    pub(super) by_rule: bool,
}

/// A step of a sequence.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: String,
    /// Count, threshold and window of its own.
    pub(super) needs: Option<(String, String, String)>,
}

impl Default for Test {
    fn default() -> Test {
        Test::All(Vec::new())
    }
}

impl Sheet {
    /// The text of the rule's file.
    pub(super) fn text(&self, document: &Document) -> String {
        let mut out = String::from("/*\n");
        let id = document.id.as_deref().unwrap_or("");
        if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            let _ = writeln!(out, "# Sigma {id}");
        }
        let about = &document.about;
        line(&mut out, "title", &scalar(&about.title));
        if !about.description.is_empty() {
            line(&mut out, "description", &scalar(&about.description));
        }
        line(&mut out, "severity", about.severity);
        if let Some(kind) = self.kind {
            line(&mut out, "kind", kind);
        }
        line(
            &mut out,
            "group_by",
            &format!("[{}]", self.group_by.join(", ")),
        );
        if let Some(count) = &self.count {
            line(&mut out, "count", &scalar(count));
        }
        if !self.steps.is_empty() {
            out.push_str("steps:\n");
        }
        for Step { name, needs } in &self.steps {
            match needs {
                None => {
                    let _ = writeln!(out, "  - {}", scalar(name));
                }
                Some((count, threshold, window)) => {
                    let (name, count) = (scalar(name), scalar(count));
                    let threshold = comparison(threshold);
                    let _ = writeln!(
                        out,
                        "  - step: {name}\n    count: {count}\n    threshold: {threshold}\n    window: {window}"
                    );
                }
            }
        }
        if let Some(ordered) = self.ordered {
            line(&mut out, "ordered", &ordered.to_string());
        }
        if let Some(condition) = &self.condition {
            line(&mut out, "condition", &scalar(condition));
        }
        if let Some(threshold) = &self.threshold {
            line(&mut out, "threshold", &comparison(threshold));
        }
        line(&mut out, "window", &self.window);
        if let Some(suppress_for) = &self.suppress_for {
            line(&mut out, "suppress_for", suppress_for);
        }
        if !about.enabled {
            line(&mut out, "enabled", "false");
        }
        list(&mut out, "tags", &about.tags);
        if !about.author.is_empty() {
            line(&mut out, "owner", &scalar(&about.author));
        }
        list(&mut out, "references", &about.references);
        list(&mut out, "false_positives", &about.false_positives);
        out.push_str("*/\n");
        self.select(&mut out);
        out
    }

    fn select(&self, out: &mut String) {
        let wanted = self.wanted.sql(if self.by_rule { 6 } else { 2 });
        let mut made = self.projected.clone();
        let (rows, wanted) = match self.by_rule {
            true => {
                let names = self.step(12);
                let rows = format!(
                    "(\n    SELECT\n        *,\n        unnest({names}) AS step\n    FROM observations\n    WHERE {wanted}\n)"
                );
                (rows, "step IS NOT NULL".to_owned())
            }
            false => {
                if !self.names.is_empty() {
                    made.push(("step".to_owned(), self.step(8)));
                }
                ("observations".to_owned(), wanted)
            }
        };
        let hidden: Vec<&str> = (made.iter().map(|(name, _)| name.as_str()))
            .filter(|name| is_column(name))
            .collect();
        let hidden = match hidden.is_empty() {
            true => String::new(),
            false => format!(" EXCEPT ({})", hidden.join(", ")),
        };
        let made: String = made
            .iter()
            .map(|(name, sql)| format!(",\n    {sql} AS {name}"))
            .collect();
        let start = if made.is_empty() { " " } else { "\n    " };
        let _ = writeln!(
            out,
            "SELECT{start}*{hidden}{made}\nFROM {rows}\nWHERE {wanted}"
        );
    }

    /// The names of the rules that a row belongs to, as a list with null for each that it does not.
    fn step(&self, indent: usize) -> String {
        let names = self.names.iter().map(|(name, test)| {
            let (test, name) = (test.sql(indent + 4), literal(name));
            format!("CASE WHEN {test} THEN {name} END")
        });
        let (line, end) = (" ".repeat(indent), " ".repeat(indent - 4));
        let names: Vec<String> = names.collect();
        format!(
            "make_array(\n{line}{}\n{end})",
            names.join(&format!(",\n{line}"))
        )
    }
}

fn line(out: &mut String, field: &str, value: &str) {
    let _ = writeln!(out, "{field}: {value}");
}

fn list(out: &mut String, field: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(out, "{field}:");
    for item in items {
        let _ = writeln!(out, "  - {}", scalar(item));
    }
}

/// A threshold as YAML: a whole number, or comparisons in quotes.
fn comparison(text: &str) -> String {
    match text.bytes().all(|b| b.is_ascii_digit()) {
        true => text.to_owned(),
        false => scalar(text),
    }
}

/// A text as YAML, in which it cannot end the comment that it stands in, nor do anything to a terminal.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '/' if before == '*' => out.push_str("\\x2f"),
            '*' if before == '/' => out.push_str("\\x2a"),
            c if is_visible(c) => out.push(c),
            c => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
        before = c;
    }
    out.push('"');
    out
}

/// Whether a terminal shows the character and does nothing else.
fn is_visible(c: char) -> bool {
    let text = c.to_string();
    clean(&text, 1) == text
}

/// Words that need no quotes and mean nothing else to YAML.
fn is_plain(text: &str) -> bool {
    const SPECIAL: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || " _-.,()'%$".contains(c))
        && !SPECIAL.contains(&text.to_lowercase().as_str())
}
