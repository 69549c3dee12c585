//! Hostile text in reports: in titles, summaries, names of documents and places.

use proptest::prelude::*;
use serde_json::Value;

use super::{TRIES, dull, nasty, no_formula, texts};
use crate::Bulletin;
use crate::bulletin::{document, lines, mail, within, words};
use crate::channel::{email, slack, teams};
use crate::document::line;
use crate::testing;

fn check_slack(bulletin: &Bulletin) {
    let message = slack::tests::report(bulletin);
    slack::tests::wrong(&message).unwrap();
    let mut found = Vec::new();
    texts("", &message, &mut found);
    for (_, text) in found.into_iter().filter(|(name, _)| *name == "text") {
        dull(text);
        assert!(!text.contains(['<', '>', '`', '~']), "{text:?}");
        let entity = |rest: &str| {
            ["&amp;", "&lt;", "&gt;"]
                .iter()
                .any(|entity| rest.starts_with(entity))
        };
        assert!(
            text.match_indices('&').all(|(at, _)| entity(&text[at..])),
            "{text:?}"
        );
        assert!(text.matches('*').count() <= 2, "{text:?}");
        assert!(!text.contains(":fire:"), "{text:?}");
    }
}

fn check_teams(bulletin: &Bulletin) {
    let message = teams::tests::report(bulletin);
    assert_eq!(teams::tests::wrong(&message), None);
    assert!(line(&message).len() <= 25_000, "{}", line(&message).len());
    let card = &message["attachments"][0]["content"];
    assert_eq!(card["actions"], Value::Null);
    let mut found = Vec::new();
    texts("", &card["body"], &mut found);
    found.push(("text", card["fallbackText"].as_str().unwrap()));
    for (_, text) in found.into_iter().filter(|(name, _)| *name == "text") {
        dull(text);
        assert!(
            !text.contains("{{") && !text.contains("${") && !text.contains('<'),
            "{text:?}"
        );
    }
    no_formula(card["fallbackText"].as_str().unwrap());
}

fn check_mail(bulletin: &Bulletin) {
    let sent = mail(bulletin).unwrap();
    dull(&sent.subject);
    no_formula(&sent.subject);
    assert!(!sent.subject.trim().is_empty() && sent.subject.chars().count() < 300);
    dull(&sent.text);
    assert_eq!(
        sent.page.as_ref(),
        Some(&bulletin.html),
        "as it was rendered"
    );
    let message = email::tests::report(bulletin);
    let head = message.split("\r\n\r\n").next().unwrap();
    let names = head.lines().filter(|line| !line.starts_with([' ', '\t']));
    assert_eq!(names.count(), 8, "{head}");
    assert!(message.len() < 10_000_000, "{}", message.len());
    assert!(message.split("\r\n").all(|line| line.len() <= 998));
}

fn check(bulletin: &Bulletin) {
    check_slack(bulletin);
    check_teams(bulletin);
    check_mail(bulletin);
    dull(&alerts::prose(&words(bulletin)));
    dull(&lines(bulletin));
    let whole = line(&document(bulletin));
    let machine = String::from_utf8(whole).unwrap();
    assert_eq!(alerts::clean(&machine, usize::MAX), machine);
    let back: Value = serde_json::from_str(&machine).unwrap();
    assert_eq!(back["title"], bulletin.title, "to the letter");
    assert!(line(&within(19_800, bulletin)).len() <= 19_800);
}

#[test]
fn each_try_alone() {
    for text in TRIES {
        check(&testing::report_with(text));
        let mut report = testing::report_with(text);
        report.location = format!("s3://{text}");
        check(&report);
        check(&testing::report_with(&text.repeat(100)));
    }
}

#[test]
fn all_limits_hold_whatever_comes() {
    check(&testing::huge_report());
    for text in [
        "", "x", "\u{1b}", "👍", "&", "<", "\"", "\\", "ﷺ", "a.b", "@a ",
    ] {
        let text = text.repeat(4_096 / text.len().max(1));
        let mut report = testing::report_with(&text);
        check(&report);
        report.summary = vec![text.clone(); 300];
        report.documents = vec![text; 300];
        check(&report);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn tries_in_a_row(text in nasty()) {
        check(&testing::report_with(&text));
    }
}
