//! The body of an e-mail: tables and inline styles alone, because that is what mail programs agree on. No script, no SVG, nothing
//! loaded: charts are pictures within the mail. Gmail cuts what is longer than 102 KB, so that no body is longer than
//! [`MOST`]: tables shrink, then go, and the mail says so.

use std::fmt::Write;

use alerts::tame;

use super::{Attachment, RenderError};
use crate::chart::{Drawing, Ink, Paint, draw, escape, png};
use crate::page::{Asked, Block, Grid, News, Number, Page, Paragraph};

/// Bytes of a body.
pub(super) const MOST: usize = 88 * 1024;
/// Pictures of a mail, the first ones.
const PICTURES: usize = 12;
/// Bytes of all pictures together.
const PICTURES_SIZE: usize = 3 * 1024 * 1024;

pub(super) struct Mail {
    pub(super) html: String,
    pub(super) plain: String,
    pub(super) attachments: Vec<Attachment>,
}

/// How much is shown: rows of a table, characters of a cell, words beside the tables, sections.
#[derive(Clone, Copy)]
struct Limit {
    rows: usize,
    cell: usize,
    text: usize,
    sections: usize,
}

pub(super) fn mail(page: &Page<'_>, stem: &str) -> Result<Mail, RenderError> {
    let pictures = pictures(page, stem)?;
    let limit = |rows, cell, text, sections| Limit {
        rows,
        cell,
        text,
        sections,
    };
    let all = usize::MAX;
    let mut limits = vec![
        limit(25, 90, 2_000, all),
        limit(10, 60, 1_000, all),
        limit(5, 40, 500, all),
        limit(0, 40, 200, all),
    ];
    limits.extend([40, 20, 10, 5, 2, 0].map(|sections| limit(0, 40, 200, sections)));
    let fits = limits.iter().find_map(|limit| {
        let html = html(page, &pictures, *limit);
        let plain = plain(page, *limit);
        (html.len() <= MOST && plain.len() <= MOST).then_some((html, plain))
    });
    let (html, plain) = fits.ok_or(RenderError::Internal {
        what: "mail",
        message: "even without sections it is too long".to_owned(),
    })?;
    let mut attachments: Vec<Attachment> = pictures.into_iter().flatten().collect();
    attachments.retain(|picture| html.contains(&picture.content_id));
    Ok(Mail {
        html,
        plain,
        attachments,
    })
}

/// The pictures, one for each section that has one.
fn pictures(page: &Page<'_>, stem: &str) -> Result<Vec<Option<Attachment>>, RenderError> {
    let mut size = 0;
    let mut made = 0;
    let mut pictures = Vec::new();
    for (nth, block) in (1..).zip(&page.blocks) {
        let drawing = match block {
            Block::Question(asked) => asked.chart.as_ref().ok().and_then(Option::as_ref),
            _ => None,
        };
        let Some(drawing) = drawing.filter(|_| made < PICTURES && size < PICTURES_SIZE) else {
            pictures.push(None);
            continue;
        };
        let svg = draw(drawing, Paint::Fixed, "", "");
        let bytes = png(&svg).map_err(|message| RenderError::Internal {
            what: "chart",
            message,
        })?;
        size += bytes.len();
        made += 1;
        pictures.push(Some(Attachment {
            content_id: format!("{nth}.{stem}@guardlake"),
            name: format!("chart-{nth}.png"),
            media_type: "image/png",
            bytes,
        }));
    }
    Ok(pictures)
}

const FONT: &str = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const QUIET: &str = "color:#576372;font-size:13px";

/// Text of anybody, as mail programs make neither markup nor links of it.
fn say(text: &str, max: usize) -> String {
    escape(&tame(text, max))
}

fn html(page: &Page<'_>, pictures: &[Option<Attachment>], limit: Limit) -> String {
    let title = say(&page.title, 200);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title></head>\n<body style=\"margin:0;padding:0;background:#f4f6f8\">\n<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" style=\"background:#f4f6f8\"><tr><td align=\"center\" style=\"padding:16px 8px\">\n<table role=\"presentation\" width=\"680\" cellpadding=\"0\" cellspacing=\"0\" style=\"width:100%;max-width:680px;background:#ffffff;border:1px solid #dfe4ea;{FONT};color:#18202b;font-size:14px;line-height:1.45\">\n<tr><td style=\"padding:22px 24px 8px\"><h1 style=\"margin:0;font-size:22px;line-height:1.25\">{title}</h1><p style=\"margin:4px 0 0\">{} <span style=\"{QUIET}\">({})</span></p>",
        say(&page.period, 200),
        say(&page.zone, 60)
    );
    if !page.description.is_empty() {
        let _ = write!(
            out,
            "<p style=\"margin:8px 0 0;{QUIET}\">{}</p>",
            say(&page.description, limit.text)
        );
    }
    out.push_str("</td></tr>\n");
    let shown = page.blocks.len().min(limit.sections);
    for (block, picture) in page.blocks.iter().zip(pictures).take(shown) {
        let heading = match block {
            Block::Text { title, .. } | Block::Figures { title, .. } => title.as_deref(),
            Block::Question(asked) => Some(asked.title.as_str()),
        };
        out.push_str("<tr><td style=\"padding:14px 24px 6px\">");
        if let Some(heading) = heading {
            let _ = write!(
                out,
                "<h2 style=\"margin:0 0 6px;font-size:16px\">{}</h2>",
                say(heading, 200)
            );
        }
        match block {
            Block::Text { paragraphs, .. } => text(&mut out, paragraphs, limit),
            Block::Figures { figures, .. } => strip(&mut out, figures),
            Block::Question(asked) => question(&mut out, asked, picture.as_ref(), limit),
        }
        out.push_str("</td></tr>\n");
    }
    if shown < page.blocks.len() {
        let rest = page.blocks.len() - shown;
        let _ = writeln!(
            out,
            "<tr><td style=\"padding:14px 24px\"><strong>{rest} more sections are in the full report: a mail has no room for them.</strong></td></tr>"
        );
    }
    let _ = write!(
        out,
        "<tr><td style=\"padding:14px 24px 22px;{QUIET}\">Times are those of {}. Addresses are written so that nothing becomes a link. Other formats of this report hold all rows, and the queries behind the numbers.</td></tr>\n</table>\n</td></tr></table>\n</body></html>\n",
        say(&page.zone, 60)
    );
    out
}

fn text(out: &mut String, paragraphs: &[Paragraph], limit: Limit) {
    for paragraph in paragraphs {
        match paragraph {
            Paragraph::Words(words) => {
                let _ = write!(
                    out,
                    "<p style=\"margin:0 0 8px\">{}</p>",
                    say(words, limit.text)
                );
            }
            Paragraph::List(items) => {
                let items = items
                    .iter()
                    .take(50)
                    .map(|item| format!("<li>{}</li>", say(item, limit.text.min(400))));
                let _ = write!(
                    out,
                    "<ul style=\"margin:0 0 8px;padding-left:20px\">{}</ul>",
                    items.collect::<String>()
                );
            }
        }
    }
}

/// Three numbers a row, so that a phone can show them.
fn strip(out: &mut String, figures: &[Number<'_>]) {
    out.push_str(
        "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\">",
    );
    for row in figures.chunks(3) {
        out.push_str("<tr>");
        for figure in row {
            let (colour, change) = match (&figure.change, &figure.error) {
                (_, Some(why)) => ("#a3242f", say(why, 120)),
                (Some(change), _) => {
                    let colour = match change.news {
                        News::Good => "#176b45",
                        News::Bad => "#a3242f",
                        News::Neither => "#576372",
                    };
                    (
                        colour,
                        format!("{} {}", change.arrow, escape(&change.words)),
                    )
                }
                (None, None) => ("#576372", "nothing to compare with".to_owned()),
            };
            let _ = write!(
                out,
                "<td width=\"33%\" valign=\"top\" style=\"padding:4px 12px 10px 0\"><span style=\"{QUIET}\">{}</span><br><span style=\"font-size:24px;font-weight:600\">{}</span><br><span style=\"font-size:12px;color:{colour}\">{change}</span></td>",
                say(&figure.label, 80),
                escape(&figure.value)
            );
        }
        out.push_str("</tr>");
    }
    out.push_str("</table>");
}

fn question(out: &mut String, asked: &Asked<'_>, picture: Option<&Attachment>, limit: Limit) {
    if let Some(note) = &asked.note {
        let _ = write!(
            out,
            "<p style=\"margin:0 0 6px;{QUIET}\">{}</p>",
            say(note, limit.text)
        );
    }
    match &asked.answer {
        Err(why) => {
            let _ = write!(
                out,
                "<p style=\"margin:0;color:#a3242f\"><strong>No answer.</strong> {}</p>",
                say(why, 300)
            );
        }
        Ok(rows) if rows.rows.is_empty() => {
            let _ = write!(
                out,
                "<p style=\"margin:0;{QUIET}\">Nothing in this period.</p>"
            );
        }
        Ok(_) => {
            if let (Some(picture), Ok(Some(drawing))) = (picture, &asked.chart) {
                let words = say(&drawing.words(), 400);
                let _ = write!(
                    out,
                    "<img src=\"cid:{}\" width=\"630\" alt=\"{words}\" style=\"display:block;width:100%;max-width:630px;height:auto;border:0\">",
                    escape(&picture.content_id)
                );
            }
            if let Err(why) = &asked.chart {
                let _ = write!(
                    out,
                    "<p style=\"margin:0;color:#a3242f\">No chart: {}</p>",
                    say(why, 300)
                );
            }
            if let Some(grid) = &asked.grid {
                table(out, grid, limit);
            }
        }
    }
}

fn table(out: &mut String, grid: &Grid, limit: Limit) {
    const CELL: &str = "padding:4px 8px 4px 0;border-bottom:1px solid #dfe4ea";
    let align = |numeric: bool| {
        if numeric {
            " align=\"right\""
        } else {
            " align=\"left\""
        }
    };
    let shown = grid.rows.len().min(limit.rows);
    let whole = if grid.heads.len() > 5 { 12 } else { 16 };
    if shown > 0 {
        out.push_str("<table width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" style=\"margin:6px 0;border-collapse:collapse;font-size:13px;word-break:break-word\"><tr>");
        for head in &grid.heads {
            let _ = write!(
                out,
                "<th scope=\"col\"{} style=\"{CELL};color:#576372;font-size:12px;word-break:normal\">{}</th>",
                align(head.numeric),
                say(&head.text, 60)
            );
        }
        out.push_str("</tr>");
        for row in &grid.rows[..shown] {
            out.push_str("<tr>");
            for (seen, head) in row.iter().zip(&grid.heads) {
                // Ids, dates and addresses stay in one piece.
                let short = seen.text.chars().count() <= whole;
                let nowrap = if short { " nowrap" } else { "" };
                let dot = seen.label.map_or(String::new(), |ink: Ink| {
                    format!(
                        "<span style=\"color:{}\">&#9679;</span>&nbsp;",
                        ink.colour()
                    )
                });
                let _ = write!(
                    out,
                    "<td{}{nowrap} style=\"{CELL}\" valign=\"top\">{dot}{}</td>",
                    align(head.numeric),
                    say(&seen.text, limit.cell)
                );
            }
            out.push_str("</tr>");
        }
        out.push_str("</table>");
    }
    if let Some(more) = more(grid, shown) {
        let _ = write!(out, "<p style=\"margin:0;{QUIET}\">{more}</p>");
    }
}

fn more(grid: &Grid, shown: usize) -> Option<String> {
    let rest = grid.more + grid.rows.len() - shown;
    let rest = Page::more(rest)?;
    Some(match shown {
        0 => rest
            .replacen("and ", "Left out for want of room: ", 1)
            .replace(" more row", " row"),
        _ => rest,
    })
}

/// The same in text alone.
fn plain(page: &Page<'_>, limit: Limit) -> String {
    let mut out = format!(
        "{}\n{} ({})\n",
        tame(&page.title, 200),
        page.period,
        page.zone
    );
    for block in page.blocks.iter().take(limit.sections) {
        match block {
            Block::Text { title, paragraphs } => {
                heading(&mut out, title.as_deref());
                for paragraph in paragraphs {
                    match paragraph {
                        Paragraph::Words(words) => {
                            let _ = writeln!(out, "{}\n", tame(words, limit.text));
                        }
                        Paragraph::List(items) => {
                            items.iter().take(50).for_each(|item| {
                                let _ = writeln!(out, "- {}", tame(item, limit.text.min(400)));
                            });
                        }
                    }
                }
            }
            Block::Figures { title, figures } => {
                heading(&mut out, title.as_deref());
                for figure in figures {
                    let change = match (&figure.change, &figure.error) {
                        (_, Some(why)) => format!(" ({})", tame(why, 200)),
                        (Some(change), _) => format!(" ({})", change.words),
                        (None, None) => String::new(),
                    };
                    let _ = writeln!(out, "{}: {}{change}", tame(&figure.label, 80), figure.value);
                }
            }
            Block::Question(asked) => {
                heading(&mut out, Some(&asked.title));
                match &asked.answer {
                    Err(why) => {
                        let _ = writeln!(out, "No answer. {}", tame(why, 300));
                    }
                    Ok(rows) if rows.rows.is_empty() => out.push_str("Nothing in this period.\n"),
                    Ok(_) => rows(&mut out, asked, limit),
                }
            }
        }
    }
    let _ = writeln!(out, "\nTimes are those of {}.", tame(&page.zone, 60));
    if limit.sections < page.blocks.len() {
        let _ = writeln!(
            out,
            "\n{} more sections are in the full report.",
            page.blocks.len() - limit.sections
        );
    }
    out
}

fn heading(out: &mut String, title: Option<&str>) {
    if let Some(title) = title {
        let title = tame(title, 200);
        let _ = writeln!(
            out,
            "\n{title}\n{}",
            "-".repeat(title.chars().count().min(72))
        );
    } else {
        out.push('\n');
    }
}

fn rows(out: &mut String, asked: &Asked<'_>, limit: Limit) {
    match &asked.grid {
        Some(grid) => {
            let shown = grid.rows.len().min(limit.rows.min(15));
            for row in &grid.rows[..shown] {
                let cells = row.iter().zip(&grid.heads).filter(|(seen, _)| !seen.null);
                let cells = cells.map(|(seen, head)| {
                    format!("{}: {}", tame(&head.text, 60), tame(&seen.text, limit.cell))
                });
                let _ = writeln!(out, "* {}", cells.collect::<Vec<_>>().join("; "));
            }
            if let Some(more) = more(grid, shown) {
                let _ = writeln!(out, "{more}");
            }
        }
        None => {
            if let Ok(Some(drawing)) = &asked.chart {
                let drawing: &Drawing = drawing;
                let _ = writeln!(out, "{}", tame(&drawing.words(), 400));
            }
        }
    }
}
