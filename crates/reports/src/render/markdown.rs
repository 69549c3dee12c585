//! Markdown in the form of GitHub, which tickets, chats and wikis read. Text of findings is made dull: no markup, no link, no
//! mention.

use std::fmt::Write;

use alerts::tame;

use crate::page::{Asked, Block, Number, Page, Paragraph, Query};

/// Text in a paragraph or in a cell. Every sign that means something to any Markdown is escaped.
fn say(text: &str, max: usize) -> String {
    let text = tame(text, max);
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = rest.next() {
        match c {
            // As entities, because renderers differ in what they make of an escape within a table.
            '|' => out.push_str("&#124;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            // `#12` and `GH-12` point at tickets, `:name:` at a picture, `$x$` at a formula.
            ':' if before.is_ascii_digit() => out.push(c),
            '#' | ':' | '$' => {
                let _ = write!(out, "&#{};", c as u32);
            }
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '!' | '~' | '^' | '"'
            | '\'' => {
                out.push('\\');
                out.push(c);
            }
            // At the start of a line these make lists and rules.
            '+' | '-' | '=' if out.is_empty() => {
                out.push('\\');
                out.push(c);
            }
            // `1.` begins a list.
            '.' if rest.peek().is_none_or(|next| *next == ' ')
                && !out.is_empty()
                && out.bytes().all(|b| b.is_ascii_digit()) =>
            {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        before = c;
    }
    out
}

pub(super) fn page(page: &Page<'_>) -> String {
    let mut out = format!(
        "# {}\n\n{} ({})\n\n",
        say(&page.title, 400),
        say(&page.period, 200),
        say(&page.zone, 60)
    );
    if !page.description.is_empty() {
        let _ = write!(out, "{}\n\n", say(&page.description, 2_000));
    }
    if !page.parameters.is_empty() {
        let given = page
            .parameters
            .iter()
            .map(|(name, value)| format!("{name} {value}"));
        let _ = write!(
            out,
            "With {}.\n\n",
            say(&given.collect::<Vec<_>>().join(", "), 1_000)
        );
    }
    let mut queries: Vec<&Query<'_>> = Vec::new();
    for block in &page.blocks {
        match block {
            Block::Text { title, paragraphs } => {
                heading(&mut out, title.as_deref());
                text(&mut out, paragraphs);
            }
            Block::Figures { title, figures } => {
                heading(&mut out, title.as_deref());
                strip(&mut out, figures);
                figures
                    .iter()
                    .for_each(|figure| add(&mut queries, &figure.query));
            }
            Block::Question(asked) => {
                heading(&mut out, Some(&asked.title));
                question(&mut out, asked);
                add(&mut queries, &asked.query);
            }
        }
    }
    let _ = write!(out, "Times are those of {}.\n\n", say(&page.zone, 60));
    if !queries.is_empty() {
        out.push_str("## Queries\n\nEvery number above is the answer to one of these.\n\n");
        queries.iter().for_each(|query| code(&mut out, query));
    }
    out
}

fn add<'p, 'q>(queries: &mut Vec<&'p Query<'q>>, query: &'p Query<'q>) {
    let same = |known: &&Query<'_>| {
        known.question == query.question && known.parameters == query.parameters
    };
    if !query.sql.is_empty() && !queries.iter().any(same) {
        queries.push(query);
    }
}

fn heading(out: &mut String, title: Option<&str>) {
    if let Some(title) = title {
        let _ = write!(out, "## {}\n\n", say(title, 400));
    }
}

fn text(out: &mut String, paragraphs: &[Paragraph]) {
    for paragraph in paragraphs {
        match paragraph {
            Paragraph::Words(words) => {
                let _ = write!(out, "{}\n\n", say(words, 4_000));
            }
            Paragraph::List(items) => {
                items.iter().for_each(|item| {
                    let _ = writeln!(out, "- {}", say(item, 4_000));
                });
                out.push('\n');
            }
        }
    }
}

fn strip(out: &mut String, figures: &[Number<'_>]) {
    out.push_str("| | | Change |\n|---|---:|---|\n");
    for figure in figures {
        let change = match (&figure.change, &figure.error) {
            (_, Some(why)) => say(why, 300),
            (Some(change), _) => format!(
                "{} {}",
                change.arrow.replace('=', ""),
                say(&change.words, 200)
            ),
            (None, None) => String::new(),
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            say(&figure.label, 80),
            say(&figure.value, 40),
            change.trim()
        );
    }
    out.push('\n');
}

fn question(out: &mut String, asked: &Asked<'_>) {
    if let Some(note) = &asked.note {
        let _ = write!(out, "{}\n\n", say(note, 1_000));
    }
    match &asked.answer {
        Err(why) => {
            let _ = write!(out, "**No answer.** {}\n\n", say(why, 600));
            return;
        }
        Ok(table) if table.rows.is_empty() => {
            out.push_str("Nothing in this period.\n\n");
            return;
        }
        Ok(_) => {}
    }
    match &asked.chart {
        Ok(Some(drawing)) => {
            let _ = write!(out, "{}\n\n", say(&drawing.words(), 1_000));
        }
        Ok(None) => {}
        Err(why) => {
            let _ = write!(out, "**No chart.** {}\n\n", say(why, 600));
        }
    }
    let Some(grid) = asked.grid.as_ref().filter(|grid| !grid.heads.is_empty()) else {
        return;
    };
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.push_str(&line(
        grid.heads.iter().map(|head| say(&head.text, 60)).collect(),
    ));
    let rules = grid
        .heads
        .iter()
        .map(|head| if head.numeric { "---:" } else { "---" });
    let _ = writeln!(out, "|{}|", rules.collect::<Vec<_>>().join("|"));
    for row in &grid.rows {
        out.push_str(&line(row.iter().map(|seen| say(&seen.text, 200)).collect()));
    }
    out.push('\n');
    if let Some(more) = Page::more(grid.more) {
        let _ = write!(out, "{more}\n\n");
    }
}

/// The text of a query, fenced longer than any run of backticks in it.
fn code(out: &mut String, query: &Query<'_>) {
    let _ = write!(out, "### {}\n\n", say(&query.question, 120));
    for (name, value) in query.parameters {
        let _ = writeln!(out, "- {} = {}", say(name, 60), say(value, 400));
    }
    let mut longest = 2;
    let mut run = 0;
    for c in query.sql.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let text = query.text();
    let _ = write!(out, "\n{fence}sql\n{text}\n{fence}\n\n");
}

#[cfg(test)]
mod tests {
    use super::say;

    #[test]
    fn no_text_parts_a_row_or_calls_anybody() {
        let check = |text: &str, expected: &str| assert_eq!(say(text, 200), expected);
        check("a | b\n| c", "a &#124; b\\\\n&#124; c");
        check(
            "GH #12 @me :smile: 07:30",
            "GH &#35;12 \\[at\\]me &#58;smile&#58; 07:30",
        );
        check("- a", "\\- a");
        check("1. a 1.5", "1\\. a 1.5");
        check("<b>&amp;", "&lt;b&gt;&amp;amp;");
    }
}
