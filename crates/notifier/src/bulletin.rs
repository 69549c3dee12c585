//! A report that was made, on its way to those who get it by a channel.

mod document;
mod mail;
mod words;

use serde::{Deserialize, Serialize};

pub(crate) use document::{document, within};
pub(crate) use mail::{Picture, mail};
pub(crate) use words::{lines, plain, words};

/// The folder beside the tables of a lake where bulletins lie.
pub const BULLETINS: &str = "reports";

/// Where the bulletin of a report and a period lies in it.
pub fn bulletin_path(report: &str, period: &str) -> String {
    format!("_bulletins/{report}/{period}.json")
}

/// What a channel has of a report: a few lines, where the rest lies, and all of it for mail.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Bulletin {
    /// Stays the same over all attempts; of this channel and this report of this period alone.
    #[serde(default)]
    pub key: String,
    /// The report's name: the stem of its file.
    pub report: String,
    /// The period's name: `2026-W47`.
    pub period: String,
    /// One line: `Weekly overview, 16 to 22 November 2026 (week 47)`. Holds no control codes, and else what people wrote.
    pub title: String,
    /// What it says in short: lines such as `Findings: 1,234 (up 12 % from 1,100)`. Names and texts in them are hostile.
    pub summary: Vec<String>,
    /// All of it where HTML is not shown. Hostile.
    pub plain: String,
    /// A page of less than 90 KB without script and external parts, that shows `images` by `cid:`. Its texts are escaped.
    pub html: String,
    /// Pictures of the page.
    pub images: Vec<Image>,
    /// Where the documents lie: a folder, or s3://bucket/prefix.
    pub location: String,
    /// Their names, below the location.
    pub documents: Vec<String>,
    /// UTC microseconds.
    pub made_at: i64,
}

/// A PNG picture within a page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// As in `cid:...`, without angle brackets.
    pub content_id: String,
    /// `chart-1.png`.
    pub name: String,
    /// The file, in base64.
    pub base64: String,
}
