//! Words as plain text for a screen of 72 columns: mail, and wherever else there is no markup.

use std::fmt::Write;

use super::{Shape, Words};

const COLUMNS: usize = 72;
/// Where values begin.
const INDENT: usize = 20;

/// Headline, sentence, one line an alert and the facts, in lines of about 72 characters (a longer word has its own). Ends in a line
/// break.
pub fn prose(words: &Words) -> String {
    let mut out = String::new();
    wrap(&mut out, "", &words.headline, 0);
    out.push('\n');
    wrap(&mut out, "", &words.sentence, 0);
    if !words.lines.is_empty() {
        out.push('\n');
        for line in &words.lines {
            wrap(&mut out, "* ", line, 2);
        }
        if words.more > 0 {
            let _ = writeln!(out, "  and {} more", words.more);
        }
    }
    out.push('\n');
    for fact in &words.facts {
        let name = format!("{:<INDENT$}", fact.name);
        match fact.shape {
            Shape::Sql => {
                let _ = writeln!(out, "\n{}:\n", fact.name);
                for line in fact.value.lines() {
                    let _ = writeln!(out, "    {line}");
                }
            }
            _ if name.chars().count() > INDENT => {
                wrap(&mut out, &format!("{}: ", fact.name), &fact.value, INDENT)
            }
            _ => wrap(&mut out, &name, &fact.value, INDENT),
        }
    }
    out
}

/// Text in lines; the first begins with `start`, the others with so many spaces.
fn wrap(out: &mut String, start: &str, text: &str, indent: usize) {
    let mut line = start.to_owned();
    let mut len = start.chars().count();
    let mut fresh = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let more = word.chars().count();
        if !fresh && len + 1 + more > COLUMNS {
            out.push_str(line.trim_end());
            out.push('\n');
            line = " ".repeat(indent);
            len = indent;
            fresh = true;
        }
        if !fresh {
            line.push(' ');
            len += 1;
        }
        line.push_str(word);
        len += more;
        fresh = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
