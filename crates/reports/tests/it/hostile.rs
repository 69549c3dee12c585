//! Text of findings is written by attackers: in no format is it markup, link, mention, formula or control code.

use std::cell::RefCell;
use std::sync::LazyLock;

use html5ever::tokenizer::{BufferQueue, Token, TokenSink, TokenSinkResult, Tokenizer};
use proptest::prelude::*;
use reports::{Answers, Format, Report};

use crate::made::{answers, body, each, lean_report, made, report};

/// What has hurt somebody somewhere.
const NASTY: [&str; 28] = [
    "<script>alert(1)</script>",
    "</td></tr></table><a href=x>y</a>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='x",
    "</title><script>x",
    "</style><script>x",
    "</code></pre><iframe>",
    "<!-- ",
    "]]> <![CDATA[",
    "&lt;script&gt;",
    "&#106;avascript:x",
    "javascript:alert(1)",
    "https://evil.example/x",
    "[click](https://evil.example)",
    "![x](data:image/png;base64,AA)",
    "# heading\n---\n* a | b |",
    "`code` ```\n~~~ **bold** _it_ ~~x~~",
    "@channel <@U1> #12 GH-3",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2-2",
    "@SUM(A1)",
    "\t=1",
    "\u{feff}=1",
    "a\u{1b}[31mb\u{7}\0c\u{202e}d\u{200b}",
    "{{ 7*7 }}{% for x in y %}",
    "a,b;\"c\"\r\nd",
    "\\\\evil\\share \\<b> $x$ :smile: | x",
];

/// Name of a tag, names and values of its attributes.
type Tag = (String, Vec<(String, String)>);

/// Tags with their attributes, in order, and the text between them.
#[derive(Default)]
struct Seen {
    tags: RefCell<Vec<Tag>>,
    text: RefCell<String>,
}

impl TokenSink for Seen {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) => {
                let attributes = tag.attrs.iter();
                let attributes =
                    attributes.map(|a| (a.name.local.to_string(), a.value.to_string()));
                self.tags
                    .borrow_mut()
                    .push((tag.name.to_string(), attributes.collect()));
            }
            Token::CharacterTokens(text) => self.text.borrow_mut().push_str(&text),
            Token::NullCharacterToken => panic!("a NUL"),
            Token::CommentToken(text) => panic!("a comment: {text}"),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

fn parse(html: &str) -> Seen {
    let tokenizer = Tokenizer::new(Seen::default(), Default::default());
    let queue = BufferQueue::default();
    queue.push_back(html.into());
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    tokenizer.sink
}

/// Names of tags and attributes: what a page is, apart from what it says. The lengths of shapes differ with numbers only.
fn skeleton(html: &str) -> Vec<String> {
    let seen = parse(html);
    let tags = seen.tags.into_inner().into_iter();
    let name = |(tag, attributes): Tag| {
        let names: Vec<String> = attributes.into_iter().map(|(name, _)| name).collect();
        format!("{tag} {}", names.join(" "))
    };
    tags.map(name).collect()
}

const TAGS: &str = " html head meta title style body header main footer section div p h1 h2 span dl dt dd details summary pre code figure table caption thead tbody tr th td ul li strong svg g desc rect path line text polyline circle br img ";

fn check_html(html: &str, mail: bool) {
    let seen = parse(html);
    for (tag, attributes) in seen.tags.borrow().iter() {
        assert!(TAGS.contains(&format!(" {tag} ")), "<{tag}>");
        assert!(
            !mail || !["svg", "script", "style", "figure"].contains(&tag.as_str()),
            "<{tag}>"
        );
        for (name, value) in attributes {
            assert!(
                !name.starts_with("on") && name != "href",
                "{tag} {name}={value}"
            );
            match name.as_str() {
                "src" => assert!(mail && value.starts_with("cid:"), "{value}"),
                "style" => assert!(mail && !value.contains("url("), "{value}"),
                _ => {}
            }
        }
    }
    let hidden = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!html.contains(hidden), "a control code");
    if mail {
        assert!(!html.contains("://") && html.len() < 90 * 1024);
    }
}

/// Events of Markdown without their text.
fn outline(markdown: &str) -> Vec<String> {
    use pulldown_cmark::{Event, Options, Parser};
    let events = Parser::new_ext(markdown, Options::all());
    let names = events.filter_map(|event| match event {
        Event::Start(tag) => {
            let name = format!("{tag:?}");
            assert!(
                !name.starts_with("Link")
                    && !name.starts_with("Image")
                    && !name.starts_with("Html"),
                "{name}"
            );
            Some(name)
        }
        Event::End(_) | Event::SoftBreak | Event::Text(_) => None,
        other => Some(format!("{other:?}")),
    });
    names.collect()
}

/// Page, mail and Markdown of a report in which nobody means harm.
static CALM: LazyLock<(Vec<String>, Vec<String>, Vec<String>)> = LazyLock::new(|| {
    let report = report();
    let calm = answers(&report, |_| format!("{}calm", "x".repeat(30)));
    let one = |format| body(&made(&report, &calm, format)[0]).to_owned();
    let mail = made(&lean_report(), &calm, Format::Mail).remove(0);
    let (html, mail) = (one(Format::Html), body(&mail).to_owned());
    (
        skeleton(&html),
        skeleton(&mail),
        outline(&one(Format::Markdown)),
    )
});

fn check(nasty: &str) {
    let report = report();
    // As long as what stands in for it, so that nothing but the text may differ.
    let long = |text: &str| format!("{}{text}", "x".repeat(30));
    let bad = answers(&report, |_| long(nasty));
    let bare = answers(&report, |_| nasty.to_owned());
    let lean = lean_report();
    let one = |answers: &Answers, format| {
        let report = if format == Format::Mail {
            &lean
        } else {
            &report
        };
        let made = made(report, answers, format).remove(0);
        (body(&made).to_owned(), made.plain)
    };
    for (format, mail) in [(Format::Html, false), (Format::Mail, true)] {
        let (html, plain) = one(&bad, format);
        check_html(&html, mail);
        let calm = if mail { &CALM.1 } else { &CALM.0 };
        assert_eq!(&skeleton(&html), calm, "{nasty:?}");
        check_html(&one(&bare, format).0, mail);
        assert!(!plain.contains(|c: char| c.is_control() && c != '\n') && !plain.contains("://"));
    }
    let (markdown, _) = one(&bad, Format::Markdown);
    assert_eq!(outline(&markdown), CALM.2, "{nasty:?}");
    let markdown = one(&bare, Format::Markdown).0;
    outline(&markdown);
    assert!(!markdown.contains(|c: char| c.is_control() && c != '\n'));
    check_csv(&report, &bare);
    let json: serde_json::Value = serde_json::from_str(&one(&bare, Format::Json).0).unwrap();
    assert_eq!(json["answers"]["per_account"]["rows"][0][1], nasty);
    assert_eq!(json["answers"]["broken"]["error"], nasty);
}

fn check_csv(report: &Report, answers: &Answers) {
    for document in made(report, answers, Format::Csv) {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(&document.bytes[..]);
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        let first = rows.first().map_or(0, csv::StringRecord::len);
        assert!(rows.iter().all(|row| row.len() == first));
        for cell in rows.iter().flatten() {
            let number = cell.parse::<f64>().is_ok();
            let run = cell.trim_start().starts_with(['=', '+', '-', '@']);
            assert!(number || !run, "{cell:?}");
        }
    }
}

#[test]
fn what_has_hurt_somebody() {
    NASTY.iter().for_each(|nasty| check(nasty));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_anybody_writes(
        parts in prop::collection::vec(prop_oneof![
            prop::sample::select(NASTY.to_vec()).prop_map(str::to_owned),
            "\\PC{1,8}",
            any::<String>(),
            prop::sample::select(vec!["<", ">", "&", "\"", "'", "|", "`", "*", "_", "[", "](", "\n", "\\", "=", "@", "://", "{{", "#", "-", "1. ", "  ", "~"]).prop_map(str::to_owned),
        ], 1..8),
    ) {
        let nasty = parts.concat();
        if !nasty.is_empty() {
            check(&nasty);
        }
    }
}

#[test]
fn names_of_files_stay_in_their_folder() {
    let report = report();
    let mut names = std::collections::BTreeSet::new();
    for value in [
        "../../etc/passwd",
        "a/b",
        "a b",
        "a_b",
        "..",
        "",
        "con\0",
        "\u{202e}x",
        "ä",
        "x".repeat(500).as_str(),
        "x".repeat(501).as_str(),
    ] {
        let mut answers = answers(&report, str::to_owned);
        answers.each = each(value, value);
        for document in made(&report, &answers, Format::Csv) {
            let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            assert!(
                document.name.chars().all(fits) && document.name.len() < 200,
                "{}",
                document.name
            );
            assert!(
                document.name.starts_with("everything-2026-W43-"),
                "{}",
                document.name
            );
            assert!(
                names.insert(document.name.clone()),
                "{} comes twice",
                document.name
            );
        }
    }
}

#[test]
fn a_title_is_one_line() {
    let report = report();
    let mut answers = answers(&report, str::to_owned);
    answers.each = each("a\r\nBcc: x@evil.example", "b\u{202e}");
    let mail = made(&report, &answers, Format::Mail).remove(0);
    assert!(
        !mail
            .title
            .contains(|c: char| c.is_control() || c == '\u{202e}'),
        "{}",
        mail.title
    );
    assert!(
        mail.attachments
            .iter()
            .all(|a| !a.content_id.contains(['\r', '\n', '<', '>', ' ']))
    );
}
