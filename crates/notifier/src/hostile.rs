//! Hostile text against all channels: whatever stands in a finding, an account's name or a person's remark, a receiver gets text and nothing
//! else, in the size that it takes.

mod reports;

use std::sync::OnceLock;

use alerts::{Event, Notice, State};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::channel::{Channel, alertmanager, email, jira, pagerduty, slack, teams};
use crate::document::{document, line};
use crate::testing;

const RUNBOOK: &str = "https://wiki.corp.example/runbooks/remote-ip?team=sec&lang=en";
const SLACK_RUNBOOK: &str =
    "<https://wiki.corp.example/runbooks/remote-ip?team=sec&amp;lang=en|Runbook>";

/// What somebody would try, on its own and in a row.
const TRIES: [&str; 51] = [
    r"\\evil\share",
    "<!channel>",
    "<!here|here>",
    "<!subteam^S1>",
    "<@U0123>",
    "<#C0123>",
    "<https://evil.example|click>",
    "&lt;!here&gt;",
    "[click](https://evil.example)",
    "![i](http://evil.example/i.png)",
    "[~admin]",
    "[click|http://evil.example]",
    "{noformat}",
    "{NOFORMAT}",
    "{code}",
    "{html}",
    "h1. head",
    "!image.png!",
    "||a||b||",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><a href=\"javascript:alert(1)\">",
    "</pre></td></table>",
    "<at>Ann</at>",
    "{{DATE(2020-01-01T00:00:00Z)}}",
    "${title}",
    "{{ .ExternalURL }}",
    "\r\nBcc: eve@evil.example",
    "\r\n\r\nbody\r\n.\r\n",
    "\u{1b}[31m\u{1b}]8;;http://evil.example\u{7}",
    "\u{202e}gpj.exe",
    "\u{200b}\u{feff}\u{2028}",
    "\u{0}\u{7f}\u{9b}",
    "@here",
    "@channel",
    "@everyone",
    "@all",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "`code`",
    "```",
    "*bold* _it_ ~no~",
    ":fire:",
    "https://evil.example/x",
    "evil.example",
    "www.evil.example",
    "javascript:alert(1)",
    "\\\" \\u0041 %s ' \"",
    "👍🏽👩‍👩‍👧 ﷺ é",
];

pub(crate) fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(TRIES.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{0,20}",
        1 => proptest::collection::vec(any::<char>(), 0..20).prop_map(|chars| chars.into_iter().collect()),
        1 => proptest::sample::select(TRIES.to_vec()).prop_map(|text| text.repeat(300)),
    ];
    proptest::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
}

struct All {
    slack: Box<dyn Channel>,
    teams: Box<dyn Channel>,
    events: Box<dyn Channel>,
    rest: Box<dyn Channel>,
    cloud: Box<dyn Channel>,
    datacenter: Box<dyn Channel>,
    alertmanager: Box<dyn Channel>,
    machines: Vec<Box<dyn Channel>>,
}

fn all() -> &'static All {
    static ALL: OnceLock<All> = OnceLock::new();
    ALL.get_or_init(|| {
        let hook = [
            ("HOOK", "https://hooks.example/x"),
            ("KEY", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ];
        let build = |yaml: &str| testing::build(yaml, &hook);
        let jira = "kind: jira\nsite: https://jira.example\nuser: a\ntoken: {env: T}\nproject: SEC";
        All {
            slack: build("kind: slack\nwebhook: {env: HOOK}"),
            teams: build("kind: teams\nurl: {env: HOOK}"),
            events: build("kind: pagerduty\nrouting_key: {env: KEY}"),
            rest: build("kind: pagerduty\ntoken: {env: T}\nfrom: a@b.example\nservice: P1"),
            cloud: build(jira),
            datacenter: build(&format!("{jira}\nproduct: datacenter")),
            alertmanager: build("kind: alertmanager\nurl: http://alertmanager:9093"),
            machines: vec![
                build("kind: stdout"),
                build("kind: file\npath: /tmp/x"),
                build("kind: webhook\nurl: {env: HOOK}\nsecrets: [{env: KEY}]"),
            ],
        }
    })
}

/// All texts in a value, with the name of the field they stand in.
fn texts<'a>(name: &'a str, value: &'a Value, out: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::String(text) => out.push((name, text)),
        Value::Array(items) => items.iter().for_each(|item| texts(name, item, out)),
        Value::Object(entries) => entries
            .iter()
            .for_each(|(name, value)| texts(name, value, out)),
        _ => {}
    }
}

/// What no text for people may hold, whoever receives it, after the rule's own link is taken out.
pub(crate) fn dull(text: &str) {
    let text = text.replace(RUNBOOK, "").replace(SLACK_RUNBOOK, "");
    for line in text.split('\n') {
        assert_eq!(
            alerts::clean(line, usize::MAX),
            line,
            "a control code or worse in {line:?}"
        );
    }
    let low = text.to_lowercase();
    assert!(!low.contains(r"\\evil"), "a share in {text:?}");
    assert!(!low.contains("://"), "an address in {text:?}");
    for domain in ["evil.example", "www.evil"] {
        assert!(!low.contains(domain), "an address in {text:?}");
    }
    for name in ["@here", "@channel", "@everyone", "@all"] {
        // Within a word it is no name: Slack's own rule.
        let bare = low
            .match_indices(name)
            .any(|(at, _)| !low[..at].ends_with(|c: char| c.is_alphanumeric() || "-_".contains(c)));
        assert!(!bare, "{name} in {text:?}");
    }
}

pub(crate) fn no_formula(text: &str) {
    assert!(
        !text.starts_with(['=', '+', '-', '@']),
        "a formula: {text:?}"
    );
}

fn check_slack(notice: &Notice) {
    let message: Value = serde_json::from_str(&all().slack.preview(notice)).unwrap();
    slack::tests::wrong(&message).unwrap();
    let mut found = Vec::new();
    texts("", &message, &mut found);
    for (_, text) in found.into_iter().filter(|(name, _)| *name == "text") {
        dull(text);
        let text = text.replace(SLACK_RUNBOOK, "");
        assert!(!text.contains(['<', '>']), "{text:?}");
        let entity = |rest: &str| {
            ["&amp;", "&lt;", "&gt;"]
                .iter()
                .any(|entity| rest.starts_with(entity))
        };
        assert!(
            text.match_indices('&').all(|(at, _)| entity(&text[at..])),
            "{text:?}"
        );
        // Bold around our own names, and one block of code in which nothing is read, are all the formatting there is.
        let bold = match text.split_once("```") {
            Some((bold, code)) => {
                let code = code.strip_suffix("```").unwrap();
                assert!(!code.contains('`'), "{code:?}");
                bold
            }
            None => &*text,
        };
        assert!(
            bold.matches('*').count() <= 2 && !bold.contains(['~', '`']),
            "{text:?}"
        );
        assert!(!bold.contains(":fire:"), "{text:?}");
    }
}

fn check_teams(notice: &Notice) {
    let message: Value = serde_json::from_str(&all().teams.preview(notice)).unwrap();
    assert_eq!(teams::tests::wrong(&message), None);
    assert!(line(&message).len() <= 25_000, "{}", line(&message).len());
    let card = &message["attachments"][0]["content"];
    for action in card["actions"].as_array().into_iter().flatten() {
        assert_eq!(action["url"], RUNBOOK);
    }
    let mut found = Vec::new();
    texts("", &card["body"], &mut found);
    found.push(("text", card["fallbackText"].as_str().unwrap()));
    for (_, text) in found.into_iter().filter(|(name, _)| *name == "text") {
        dull(text);
        no_formula(text);
        assert!(!text.contains("{{") && !text.contains("${"), "{text:?}");
        assert!(
            !text.contains('<') || text.contains("TIMESTAMP") || text.starts_with("SEL"),
            "{text:?}"
        );
    }
}

fn check_pagerduty(notice: &Notice) {
    let mut event: Value = serde_json::from_str(&all().events.preview(notice)).unwrap();
    event["routing_key"] = json!("0".repeat(32));
    assert_eq!(pagerduty::tests::wrong(&event), None);
    assert!(line(&event).len() < 512 * 1024);
    let incident: Value = serde_json::from_str(&all().rest.preview(notice)).unwrap();
    let mut found = Vec::new();
    texts("", &event["payload"], &mut found);
    texts("", &incident, &mut found);
    for (name, text) in found {
        if name != "href" {
            dull(text);
            no_formula(text);
        }
    }
}

fn check_jira(notice: &Notice) {
    for channel in [&all().cloud, &all().datacenter] {
        let issue: Value = serde_json::from_str(&channel.preview(notice)).unwrap();
        let fields = &issue["fields"];
        let summary = fields["summary"].as_str().unwrap();
        assert!(summary.chars().count() <= 255, "{summary:?}");
        dull(summary);
        no_formula(summary);
        let mut found = Vec::new();
        texts("", &fields["description"], &mut found);
        assert!(line(&fields["description"]).len() < 4 * 32_767);
        for (name, text) in &found {
            match *name {
                "href" => assert_eq!(*text, RUNBOOK),
                _ => {
                    dull(text);
                    no_formula(text);
                }
            }
        }
        match &fields["description"] {
            Value::String(text) => {
                assert!(text.chars().count() <= 32_767);
                let inner = text
                    .strip_prefix("{noformat}\n")
                    .and_then(|text| text.split_once("\n{noformat}"));
                let (inner, after) = inner.unwrap();
                assert!(
                    !inner.contains(['{', '}']) && !inner.contains("[~"),
                    "{inner:?}"
                );
                assert!(
                    after.trim().is_empty() || after.trim() == format!("Runbook: {RUNBOOK}"),
                    "{after:?}"
                );
            }
            document => {
                assert_eq!(jira::tests::wrong_document(document), None);
                assert!(line(document).len() <= 32_767, "{}", line(document).len());
            }
        }
    }
}

fn check_alertmanager(notice: &Notice) {
    let alerts: Value = serde_json::from_str(&all().alertmanager.preview(notice)).unwrap();
    for alert in alerts.as_array().unwrap() {
        assert_eq!(alertmanager::tests::wrong(alert), None);
        let mut found = Vec::new();
        texts("", &alert["labels"], &mut found);
        texts("", &alert["annotations"], &mut found);
        for (_, text) in found {
            dull(text);
            assert!(
                !text.contains(['<', '>']) && !text.contains("{{"),
                "{text:?}"
            );
        }
    }
}

fn check_email(notice: &Notice) {
    let (head, text, page) = email::tests::parts(notice);
    for line in head.lines().filter(|line| !line.starts_with([' ', '\t'])) {
        let name = line.split(':').next().unwrap();
        let known = [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "In-Reply-To",
            "References",
            "MIME-Version",
            "Auto-Submitted",
            "Content-Type",
        ];
        assert!(known.contains(&name), "{line:?}");
    }
    assert!(
        !head.to_lowercase().contains("\nbcc")
            && !head.chars().any(|c| c.is_control() && !"\r\n".contains(c))
    );
    dull(&text);
    assert!(text.len() + page.len() < 200_000);
    let known = [
        "!DOCTYPE html",
        "html lang",
        "head",
        "/head",
        "meta ",
        "/html",
        "body ",
        "/body",
        "h2 ",
        "/h2",
        "p",
        "/p",
        "ul",
        "/ul",
        "li",
        "/li",
        "table ",
        "/table",
        "tr",
        "/tr",
        "th ",
        "/th",
        "td ",
        "/td",
        "a href=\"https://wiki.corp.example/runbooks/remote-ip?team=sec&amp;lang=en\"",
        "/a",
        "b",
        "/b",
        "pre ",
        "/pre",
    ];
    for part in page.split('<').skip(1) {
        let tag = part.split('>').next().unwrap();
        let fits = |known: &str| {
            tag == known
                || ((known.ends_with(' ') || known.ends_with("lang")) && tag.starts_with(known))
        };
        assert!(known.iter().any(|known| fits(known)), "{tag:?}");
        let no_event = !tag.contains(" on") && !tag.contains("src");
        assert!(no_event, "{tag:?}");
    }
    let cells: Vec<&str> = page.split("<td ").skip(1).collect();
    assert!(!cells.is_empty());
    for cell in cells {
        let cell = cell.split_once('>').unwrap().1;
        no_formula(cell);
    }
}

/// Machines get to the letter what was there, in text that is harmless to look at.
fn check_machines(notice: &Notice) {
    let item = &notice.items[0];
    if item.accounts.len() > 100 {
        // Megabytes of the same; what is sent of them is seen in the tests of the channels.
        return;
    }
    let one = testing::notice(vec![item.clone()]);
    for channel in &all().machines {
        let text = channel.preview(&one);
        for line in text.split('\n') {
            assert_eq!(alerts::clean(line, usize::MAX), line);
        }
    }
    let back: Value = serde_json::from_slice(&line(&document(&one, item))).unwrap();
    assert_eq!(back["alert"]["regions"], json!(item.alert.regions));
    assert_eq!(back["accounts"][0]["name"], json!(item.accounts[0].name));
}

fn check(notice: &Notice) {
    check_slack(notice);
    check_teams(notice);
    check_pagerduty(notice);
    check_jira(notice);
    check_alertmanager(notice);
    check_email(notice);
    check_machines(notice);
}

fn notices(text: &str) -> Vec<Notice> {
    let resolved = testing::by_a_person(Event::Resolved, State::Resolved, "k", text);
    let mut group = testing::group(7);
    for at in [1, 4] {
        group.items[at].event = Event::Escalated;
    }
    [testing::opened(), testing::escalated(), resolved, group]
        .into_iter()
        .map(|notice| testing::with(text, notice, 12))
        .collect()
}

#[test]
fn each_try_alone() {
    for text in TRIES {
        for notice in notices(text) {
            check(&notice);
        }
    }
}

#[test]
fn all_limits_hold_whatever_comes() {
    for notice in [testing::huge(1), testing::huge(200), testing::group(200)] {
        check(&notice);
    }
    for text in ["x", "\u{1b}", "👍", "&", "<", "\"", "\\", "ﷺ", "a.b", "@a "] {
        let text = text.repeat(4_096 / text.len());
        check(&testing::with(&text, testing::opened(), 60));
        check(&testing::with(&text, testing::group(18), 12));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn tries_in_a_row(text in nasty()) {
        for notice in notices(&text) {
            check(&notice);
        }
    }
}
