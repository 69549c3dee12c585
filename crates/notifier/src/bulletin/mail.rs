//! A report as a mail: text, page and pictures, in a size that mail servers take.

use alerts::prose;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{Bulletin, words};

/// Bytes of the page. What is longer than 102 KB is clipped by Gmail, and nobody reads this.
const PAGE: usize = 400_000;
/// Bytes of the text.
const TEXT: usize = 200_000;
/// Bytes of all pictures, before base64 makes a third more of them: many servers take 10 MB a message.
const PICTURES: usize = 6_500_000;
/// More parts than that are taken for an attack by some.
const MOST_PICTURES: usize = 50;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What a mail is made of, whoever sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    /// One line of at most about 200 characters.
    pub(crate) subject: String,
    /// For those who read no HTML.
    pub(crate) text: String,
    /// As the report was rendered; `None` if there is none or it is too large.
    pub(crate) page: Option<String>,
    /// What the page shows.
    pub(crate) pictures: Vec<Picture>,
}

/// A PNG within the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Letters, figures and `-_.@`.
    pub(crate) content_id: String,
    /// `chart-1.png`, of letters, figures and `-_.`.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// The mail of a report. The error names the picture that is none.
pub(crate) fn mail(bulletin: &Bulletin) -> Result<Mail, String> {
    let words = words(bulletin);
    let mut left_out = Vec::new();
    let mut text = super::plain(bulletin);
    if text.trim().is_empty() {
        text = prose(&words);
    }
    if text.len() > TEXT {
        text.truncate(text.floor_char_boundary(TEXT));
        text.push('…');
        left_out.push("the end of this text".to_owned());
    }
    let page = Some(&bulletin.html).filter(|page| !page.is_empty());
    let fits = page.filter(|page| page.len() <= PAGE);
    if fits.is_none() && page.is_some() {
        left_out.push("the page".to_owned());
    }
    let mut pictures = Vec::new();
    if fits.is_some() {
        let more;
        (pictures, more) = read(bulletin)?;
        if more > 0 {
            left_out.push(format!("{more} of the pictures"));
        }
    }
    if !left_out.is_empty() {
        text.push_str(&format!(
            "\n\nLeft out for want of room: {}.",
            left_out.join(", ")
        ));
        for fact in words.facts.iter().filter(|fact| fact.name == "Lies in") {
            text.push_str(&format!(" All of it lies in {}", fact.value));
        }
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(Mail {
        subject: words.headline,
        text,
        page: fits.cloned(),
        pictures,
    })
}

/// The pictures that fit, and how many do not.
fn read(bulletin: &Bulletin) -> Result<(Vec<Picture>, usize), String> {
    let (mut pictures, mut more, mut bytes) = (Vec::new(), 0, 0);
    for (at, image) in bulletin.images.iter().enumerate() {
        let wrong = |what: &str| format!("images[{at}] of the report {what}");
        // They become headers. SES takes ids of 1 to 78 characters.
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
        let id = &image.content_id;
        if id.is_empty() || id.len() > 78 || !id.chars().all(fits) {
            return Err(wrong("has a content id that is no plain word"));
        }
        let read = BASE64_STANDARD.decode(&image.base64);
        let read = read.map_err(|_| wrong("is not in base64"))?;
        if !read.starts_with(PNG) {
            return Err(wrong("is no PNG"));
        }
        if pictures.len() == MOST_PICTURES || bytes + read.len() > PICTURES {
            more += 1;
            continue;
        }
        bytes += read.len();
        let plain = image.name.len() <= 100
            && image.name.ends_with(".png")
            && image.name.chars().all(|c| fits(c) && c != '@')
            && !image.name.starts_with('.');
        pictures.push(Picture {
            content_id: id.clone(),
            name: match plain {
                true => image.name.clone(),
                false => format!("picture-{}.png", at + 1),
            },
            bytes: read,
        });
    }
    Ok((pictures, more))
}

#[cfg(test)]
mod tests {
    use super::{MOST_PICTURES, PAGE, PICTURES, TEXT, mail};
    use crate::testing;

    #[test]
    fn what_does_not_fit_is_left_out_and_said() {
        let mut report = testing::report();
        assert!(!mail(&report).unwrap().text.contains("Left out"));
        let image = report.images[0].clone();
        report.images = vec![image; MOST_PICTURES + 2];
        let sent = mail(&report).unwrap();
        assert_eq!(sent.pictures.len(), MOST_PICTURES);
        assert!(sent.text.contains("2 of the pictures"), "{}", sent.text);
        let sent = mail(&testing::huge_report()).unwrap();
        let bytes: usize = sent
            .pictures
            .iter()
            .map(|picture| picture.bytes.len())
            .sum();
        assert!(bytes > 0 && bytes <= PICTURES, "{bytes}");
        assert!(sent.text.len() < TEXT + 1_000 && sent.text.contains("All of it lies in"));
        report.html = "x".repeat(PAGE + 1);
        let sent = mail(&report).unwrap();
        assert_eq!((sent.page, sent.pictures.len()), (None, 0));
        assert!(sent.text.contains("Left out for want of room: the page."));
    }

    #[test]
    fn without_a_text_the_summary_stands_in() {
        let mut report = testing::report();
        report.plain = " \n".to_owned();
        let text = mail(&report).unwrap().text;
        assert!(text.contains("Findings: 1,234"), "{text}");
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let wrong = |change: fn(&mut crate::Image)| {
            let mut report = testing::report();
            change(&mut report.images[0]);
            mail(&report).unwrap_err()
        };
        for (error, due) in [
            (
                wrong(|image| image.base64 = "not!".to_owned()),
                "is not in base64",
            ),
            (
                wrong(|image| image.base64 = "R0lGODlh".to_owned()),
                "is no PNG",
            ),
            (
                wrong(|image| image.content_id = "a>\r\nBcc: x".to_owned()),
                "no plain word",
            ),
        ] {
            assert!(
                error.starts_with("images[0]") && error.ends_with(due),
                "{error}"
            );
        }
        let mut report = testing::report();
        report.images[0].name = "../x\"\r\nBcc: x.png".to_owned();
        assert_eq!(mail(&report).unwrap().pictures[0].name, "picture-1.png");
    }
}
