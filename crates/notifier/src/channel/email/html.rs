//! The words as a page that loads nothing and holds no script, in the plain HTML that mail programs share.

use std::fmt::Write;

use alerts::{Label, Phase, Shape, Words};

/// The page. Every text in it is escaped; links are those of the rule.
pub(super) fn page(words: &Words) -> String {
    let mut out = String::from(
        // Twelve digits of an account are no telephone number.
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"format-detection\" content=\"telephone=no, date=no, address=no\"></head>\n\
         <body style=\"font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:1.4;color:#202124;max-width:760px\">\n",
    );
    let color = color(words);
    let _ = writeln!(
        out,
        "<h2 style=\"font-size:18px;border-left:6px solid {color};padding-left:10px\">{}</h2>\n<p>{}</p>",
        escape(&words.headline),
        escape(&words.sentence)
    );
    if !words.lines.is_empty() {
        out.push_str("<ul>\n");
        for line in &words.lines {
            let _ = writeln!(out, "<li>{}</li>", escape(line));
        }
        if words.more > 0 {
            let _ = writeln!(out, "<li>and {} more</li>", words.more);
        }
        out.push_str("</ul>\n");
    }
    out.push_str("<table style=\"border-collapse:collapse\">\n");
    for fact in words.facts.iter().filter(|fact| fact.shape != Shape::Sql) {
        let value = match fact.shape {
            Shape::Link => format!("<a href=\"{0}\">{0}</a>", escape(&fact.value)),
            _ => escape(&cell(&fact.value)),
        };
        let _ = writeln!(
            out,
            "<tr><th style=\"text-align:left;vertical-align:top;white-space:nowrap;font-weight:normal;color:#5f6368;\
             padding:4px 18px 4px 0\">{}</th><td style=\"vertical-align:top;padding:4px 0;word-break:break-word\">{value}</td></tr>",
            escape(&fact.name)
        );
    }
    out.push_str("</table>\n");
    for fact in words.facts.iter().filter(|fact| fact.shape == Shape::Sql) {
        let _ = writeln!(
            out,
            "<p>{}</p>\n\
             <pre style=\"background:#f1f3f4;padding:10px;font-size:12px;white-space:pre-wrap\">{}</pre>",
            escape(&fact.name),
            escape(&fact.value)
        );
    }
    out.push_str("</body></html>\n");
    out
}

fn color(words: &Words) -> &'static str {
    match (words.phase, words.level) {
        (Phase::Over, _) => "#1e8e3e",
        (Phase::Taken, _) => "#5f6368",
        (_, Label::Critical) => "#7b0a24",
        (_, Label::High) => "#d93025",
        (_, Label::Medium) => "#e8710a",
        (_, Label::Low) => "#f2c200",
        (_, Label::Informational) => "#1a73e8",
    }
}

/// A table that is copied into a spreadsheet must not compute: what would be a formula begins with an apostrophe.
fn cell(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn formulas_are_text() {
        for text in ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)"] {
            assert_eq!(cell(text), format!("'{text}"));
        }
        assert_eq!(cell("remote_ip = 1.2.3.4"), "remote_ip = 1.2.3.4");
    }
}
