//! One page with everything in it: no script, nothing loaded from anywhere.

use minijinja::Value;

use super::{Frame, RenderError};
use crate::ask::Answers;
use crate::chart::{Drawing, Paint, STYLE, draw, escape, spark};
use crate::page::{Asked, Block, Grid, News, Number, Page, Paragraph, Query, Seen};
use crate::period::Period;
use crate::report::Report;
use crate::{template, words};

const FRAME: &str = include_str!("html/page.html.j2");
const LOOK: &str = include_str!("html/page.css");

pub(super) fn page(
    report: &Report,
    period: &Period,
    answers: &Answers,
    page: &Page<'_>,
    frame: Option<&Frame>,
) -> Result<String, RenderError> {
    let mut context = template::context(report, period, answers);
    let sections: Vec<Value> = (1..)
        .zip(&page.blocks)
        .map(|(nth, block)| section(nth, block))
        .collect();
    let parameters = page
        .parameters
        .iter()
        .map(|(name, value)| format!("{name} {value}"));
    let parameters = parameters.collect::<Vec<_>>().join(", ");
    context.insert("heading", Value::from(page.title.as_str()));
    context.insert("style", Value::from_safe_string(format!("{LOOK}{STYLE}")));
    context.insert("asked_for", Value::from(parameters));
    context.insert("sections", Value::from_iter(sections));
    let context = Value::from_pairs(context);
    let (file, done) = match frame {
        Some(frame) => {
            let done = template::page("frame.html.j2", &frame.source, &frame.others, context);
            (frame.file.as_str(), done)
        }
        None => {
            let done = template::page("page.html.j2", FRAME, &Default::default(), context);
            ("page.html.j2", done)
        }
    };
    done.map_err(|message| RenderError::Template {
        file: file.to_owned(),
        message,
    })
}

/// What a frame sees of a section: `kind`, `id`, `title`, `html`, and of a question its `rows` as shown.
fn section(nth: usize, block: &Block<'_>) -> Value {
    let id = format!("s{nth}");
    let (kind, title, html) = match block {
        Block::Text { title, paragraphs } => ("text", title.clone(), text(paragraphs)),
        Block::Figures { title, figures } => ("figures", title.clone(), strip(figures)),
        Block::Question(asked) => ("question", Some(asked.title.clone()), question(&id, asked)),
    };
    let columns = match block {
        Block::Question(asked) => asked.grid.as_ref().map(|grid| {
            Value::from_iter(
                grid.heads
                    .iter()
                    .map(|head| head.text.clone())
                    .collect::<Vec<_>>(),
            )
        }),
        _ => None,
    };
    let rows = match block {
        Block::Question(asked) => asked.grid.as_ref().map(|grid| {
            let rows = grid.rows.iter();
            let rows = rows.map(|row| row.iter().map(|seen| seen.text.clone()).collect::<Vec<_>>());
            Value::from_iter(rows.map(Value::from_iter).collect::<Vec<_>>())
        }),
        _ => None,
    };
    Value::from_pairs([
        ("kind", Value::from(kind)),
        ("id", Value::from(id)),
        ("title", Value::from(title)),
        ("html", Value::from_safe_string(html)),
        ("columns", columns.unwrap_or(Value::from(()))),
        ("rows", rows.unwrap_or(Value::from(()))),
    ])
}

fn text(paragraphs: &[Paragraph]) -> String {
    let mut out = String::new();
    for paragraph in paragraphs {
        match paragraph {
            Paragraph::Words(words) => out.push_str(&format!("<p>{}</p>\n", escape(words))),
            Paragraph::List(items) => {
                let items = items
                    .iter()
                    .map(|item| format!("<li>{}</li>", escape(item)));
                out.push_str(&format!("<ul>{}</ul>\n", items.collect::<String>()));
            }
        }
    }
    out
}

fn strip(figures: &[Number<'_>]) -> String {
    let mut out = String::from("<dl class=\"figures\">\n");
    for figure in figures {
        let (label, value) = (escape(&figure.label), escape(&figure.value));
        let change = match (&figure.change, &figure.error) {
            (_, Some(why)) => format!("<dd class=\"change bad\">{}</dd>", escape(why)),
            (Some(change), _) => {
                let news = match change.news {
                    News::Good => " good",
                    News::Bad => " bad",
                    News::Neither => "",
                };
                let (arrow, words) = (change.arrow, escape(&change.words));
                format!(
                    "<dd class=\"change{news}\"><span aria-hidden=\"true\">{arrow}</span> {words}</dd>"
                )
            }
            (None, None) => "<dd class=\"change\">nothing to compare with</dd>".to_owned(),
        };
        out.push_str(&format!(
            "<div><dt>{label}</dt><dd class=\"value\">{value}</dd>{change}</div>\n"
        ));
    }
    out.push_str("</dl>\n");
    // Several numbers of one strip often come from one query.
    let mut shown: Vec<(&str, &str)> = Vec::new();
    for figure in figures {
        let query = &figure.query;
        if !query.sql.is_empty() && !shown.contains(&(&query.question, query.sql)) {
            shown.push((&query.question, query.sql));
            out.push_str(&details(query));
        }
    }
    out
}

fn question(id: &str, asked: &Asked<'_>) -> String {
    let mut out = String::new();
    if let Some(note) = &asked.note {
        out.push_str(&format!("<p class=\"note\">{}</p>\n", escape(note)));
    }
    match &asked.answer {
        Err(why) => out.push_str(&format!(
            "<p class=\"failed\"><strong>No answer.</strong> {}</p>\n",
            escape(why)
        )),
        Ok(table) if table.rows.is_empty() => {
            out.push_str("<p class=\"empty\"><span aria-hidden=\"true\">∅</span> Nothing in this period.</p>\n");
        }
        Ok(_) => {
            match &asked.chart {
                Ok(Some(Drawing::Sparks { places, rows })) => {
                    out.push_str(&sparks(&asked.title, places, rows))
                }
                Ok(Some(drawing)) => {
                    let svg = draw(drawing, Paint::Classes, id, &asked.title);
                    out.push_str(&format!(
                        "<figure class=\"chart\" tabindex=\"0\" aria-label=\"{}\">{svg}</figure>\n",
                        escape(&asked.title)
                    ));
                }
                Ok(None) => {}
                Err(why) => out.push_str(&format!(
                    "<p class=\"failed\"><strong>No chart.</strong> {}</p>\n",
                    escape(why)
                )),
            }
            if let Some(grid) = &asked.grid {
                out.push_str(&table(&asked.title, grid));
            }
        }
    }
    if !asked.query.sql.is_empty() {
        out.push_str(&details(&asked.query));
    }
    out
}

fn table(title: &str, grid: &Grid) -> String {
    let mut out = open_table(title);
    for head in &grid.heads {
        let class = if head.numeric { " class=\"n\"" } else { "" };
        out.push_str(&format!(
            "<th scope=\"col\"{class}>{}</th>",
            escape(&head.text)
        ));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &grid.rows {
        out.push_str("<tr>");
        for (seen, head) in row.iter().zip(&grid.heads) {
            out.push_str(&cell(seen, head.numeric));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    if let Some(more) = Page::more(grid.more) {
        out.push_str(&format!("<p class=\"more\">{more}</p>\n"));
    }
    if !grid.missing.is_empty() {
        let missing = escape(&grid.missing.join(", "));
        out.push_str(&format!(
            "<p class=\"failed\">The answer has no column {missing}.</p>\n"
        ));
    }
    out
}

fn open_table(title: &str) -> String {
    let title = escape(title);
    format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Table: {title}\"><table><caption>{title}</caption>\n<thead><tr>"
    )
}

fn cell(seen: &Seen, numeric: bool) -> String {
    let text = escape(&seen.text);
    match (seen.label, seen.null, numeric) {
        (_, true, true) => "<td class=\"n none\">–</td>".to_owned(),
        (_, true, false) => "<td class=\"none\">–</td>".to_owned(),
        (Some(ink), _, _) => {
            let class = if numeric { " class=\"n\"" } else { "" };
            let dot = format!(
                "<svg class=\"dot\" viewBox=\"0 0 10 10\" aria-hidden=\"true\"><circle class=\"{}\" cx=\"5\" cy=\"5\" r=\"5\"/></svg>",
                ink.class()
            );
            format!("<td{class}><span class=\"label\">{dot}{text}</span></td>")
        }
        (None, _, true) => format!("<td class=\"n\">{text}</td>"),
        // Ids, dates and addresses stay in one piece.
        (None, _, false) if seen.text.chars().count() <= 22 => {
            format!("<td class=\"t\">{text}</td>")
        }
        (None, _, false) => format!("<td>{text}</td>"),
    }
}

/// A table with a course in each row.
fn sparks(title: &str, places: &[String], rows: &[crate::chart::Row]) -> String {
    let mut out = open_table(title);
    let span = match (places.first(), places.last()) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => String::new(),
    };
    out.push_str(&format!(
        "<th scope=\"col\">Name</th><th scope=\"col\">{}</th><th scope=\"col\" class=\"n\">Sum</th><th scope=\"col\" class=\"n\">Most</th><th scope=\"col\" class=\"n\">Last</th></tr></thead>\n<tbody>\n",
        escape(&span)
    ));
    for row in rows {
        let most = row.values.iter().fold(0.0, |a: f64, b| a.max(*b));
        let last = row.values.last().copied().unwrap_or(0.0);
        let [all, most, last] = [row.total(), most, last].map(words::number);
        out.push_str(&format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{all}</td><td class=\"n\">{most}</td><td class=\"n\">{last}</td></tr>\n",
            escape(&row.name),
            spark(&row.values)
        ));
    }
    out.push_str("</tbody></table></div>\n");
    out
}

fn details(query: &Query<'_>) -> String {
    let parameters = query.parameters.iter().map(|(name, value)| {
        let (name, value) = (alerts::clean(name, 60), alerts::clean(value, 400));
        format!("{} <code>{}</code>", escape(&name), escape(&value))
    });
    let parameters = match parameters.collect::<Vec<_>>().join(" · ") {
        none if none.is_empty() => none,
        all => format!("<p class=\"with\">With {all}</p>"),
    };
    format!(
        "<details><summary>Query: {}</summary><pre tabindex=\"0\"><code>{}</code></pre>{parameters}</details>\n",
        escape(&query.question),
        escape(&query.text())
    )
}

#[cfg(test)]
mod tests {
    use super::{LOOK, STYLE};

    /// The value of a variable in the `nth` block that sets it: 0 is the light theme, 1 the dark one.
    fn colour(name: &str, nth: usize) -> f64 {
        let start = format!("--{name}:#");
        let look = format!("{LOOK}{STYLE}");
        let found = look.match_indices(&start).nth(nth).expect(name).0 + start.len();
        let digits: String = look[found..]
            .chars()
            .take_while(char::is_ascii_hexdigit)
            .collect();
        let wide: String = match digits.len() {
            3 => digits.chars().flat_map(|c| [c, c]).collect(),
            _ => digits,
        };
        let part = |at: usize| {
            let part = f64::from(u8::from_str_radix(&wide[at..at + 2], 16).unwrap()) / 255.0;
            match part <= 0.040_45 {
                true => part / 12.92,
                false => ((part + 0.055) / 1.055).powf(2.4),
            }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    }

    /// WCAG 2.2, contrast ratio.
    fn contrast(one: &str, other: &str, nth: usize) -> f64 {
        let (one, other) = (colour(one, nth), colour(other, nth));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn words_can_be_read_in_both_themes() {
        for nth in 0..2 {
            for word in ["ink", "quiet", "accent", "good", "bad"] {
                for ground in ["paper", "page"] {
                    let ratio = contrast(word, ground, nth);
                    assert!(ratio >= 4.5, "{word} on {ground}, theme {nth}: {ratio:.2}");
                }
            }
        }
    }

    /// Whoever cannot tell hues apart still sees which is worse.
    #[test]
    fn the_two_worst_are_furthest_from_the_paper() {
        for nth in 0..2 {
            let ratios = ["kc", "kh", "km"].map(|ink| contrast(ink, "paper", nth));
            assert!(ratios.is_sorted_by(|a, b| a > b), "theme {nth}: {ratios:?}");
        }
    }
}
