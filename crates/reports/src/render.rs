//! From answers to documents. Same input, same bytes: nothing here knows the time, the machine or the version.

use std::collections::BTreeMap;

pub use csv_files::csv_text;

use crate::ask::Answers;
use crate::page::{Block, Number, Page};
use crate::period::Period;
use crate::report::{Format, Report};

mod csv_files;
mod html;
mod json;
mod mail;
mod markdown;

/// A file, or the body of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// A file's name, without folders: `weekly_overview-2026-W47.html`.
    pub name: String,
    /// `text/html; charset=utf-8`.
    pub media_type: &'static str,
    /// UTF-8, always.
    pub bytes: Vec<u8>,
    /// Pictures that a mail shows by their content id.
    pub attachments: Vec<Attachment>,
    /// What a mail says where HTML is not shown; empty for other formats.
    pub plain: String,
    /// A mail's subject; the title for other formats. One line, no control codes.
    pub title: String,
}

/// A picture within a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// As in `cid:...`, without angle brackets.
    pub content_id: String,
    /// `chart-1.png`.
    pub name: String,
    /// `image/png`.
    pub media_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// A user's own frame around the sections of a page: `NAME.html.j2` beside the report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// Where it came from, for messages.
    pub file: String,
    /// The template.
    pub source: String,
    /// Templates of the same folder that it may include or extend, by file name. There are no others.
    pub others: BTreeMap<String, String>,
}

/// A document that cannot be made as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A template is wrong: repair it.
    #[error("{file}: {message}")]
    Template {
        /// The report's file, or the frame's.
        file: String,
        /// Where and what, in a sentence.
        message: String,
    },
    /// A bug of ours.
    #[error("cannot write the {what}: {message}")]
    Internal {
        /// Which part.
        what: &'static str,
        /// What went wrong.
        message: String,
    },
}

/// Makes a report in one format. CSV makes a file for every question that is shown, other formats one document.
///
/// An answer that is missing or failed is said in its section. The error is a template's.
pub fn render(
    report: &Report,
    period: &Period,
    answers: &Answers,
    format: Format,
    frame: Option<&Frame>,
) -> Result<Vec<Document>, RenderError> {
    let page = Page::of(report, period, answers)?;
    let stem = stem(report, period, answers);
    let document = |extension: &str, media_type, text: String| Document {
        name: format!("{stem}.{extension}"),
        media_type,
        bytes: text.into_bytes(),
        attachments: Vec::new(),
        plain: String::new(),
        title: format!("{}, {}", page.title, page.period),
    };
    match format {
        Format::Html => {
            let text = html::page(report, period, answers, &page, frame)?;
            Ok(vec![document("html", "text/html; charset=utf-8", text)])
        }
        Format::Mail => {
            let mail = mail::mail(&page, &stem)?;
            let mut made = document("mail.html", "text/html; charset=utf-8", mail.html);
            made.attachments = mail.attachments;
            made.plain = mail.plain;
            Ok(vec![made])
        }
        Format::Markdown => {
            let text = markdown::page(&page);
            Ok(vec![document("md", "text/markdown; charset=utf-8", text)])
        }
        Format::Json => {
            let text = json::page(report, period, answers, &page)?;
            Ok(vec![document("json", "application/json", text)])
        }
        Format::Csv => {
            let files = csv_files::files(&page)?;
            let files = files.into_iter().map(|(name, text)| {
                document(
                    &format!("{name}.csv"),
                    "text/csv; charset=utf-8; header=present",
                    text,
                )
            });
            Ok(files.collect())
        }
    }
}

/// The figures of a report, a line each: `Findings: 1,234 (12 more than the week before)`. Hostile like all text.
pub fn summary(
    report: &Report,
    period: &Period,
    answers: &Answers,
) -> Result<Vec<String>, RenderError> {
    let page = Page::of(report, period, answers)?;
    let figures = page.blocks.iter().filter_map(|block| match block {
        Block::Figures { figures, .. } => Some(figures),
        _ => None,
    });
    let line = |number: &Number<'_>| match &number.change {
        Some(change) => format!("{}: {} ({})", number.label, number.value, change.words),
        None => format!("{}: {}", number.label, number.value),
    };
    Ok(figures.flatten().map(line).collect())
}

/// `NAME-PERIOD`, or `NAME-PERIOD-VALUE`: letters, digits, `.`, `_` and `-` alone, however hostile the value.
fn stem(report: &Report, period: &Period, answers: &Answers) -> String {
    let stem = format!("{}-{}", report.name, period.name());
    let Some(each) = &answers.each else {
        return stem;
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let slug: String = each
        .value
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .take(80)
        .collect();
    if slug == each.value {
        return format!("{stem}-{slug}");
    }
    // Two values must not become one file.
    format!("{stem}-{slug}-{:016x}", fnv(&each.value))
}

/// FNV-1a, 64 bits: a name that stays the same, no protection.
fn fnv(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
