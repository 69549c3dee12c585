//! Notices as they come, and worse; a fake receiver over real HTTP; golden messages.

mod bulletins;
mod receiver;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use alerts::{
    AccountNotes, Alert, Event, Item, Label, Notice, RuleNotes, State, TopValues, instant,
};
use secrecy::SecretString;

pub(crate) use bulletins::{huge_report, linked_report, report, report_with};
pub(crate) use receiver::{Answer, Receiver, Seen, endless, resetting};

use crate::channel::Channel;
use crate::{Channels, Outside, SecretAt};

/// 2026-11-21T10:00:30Z.
pub(crate) fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_255_230)
}

/// A secret for every name: `env: NAME` is looked up among these, else it is its own name in small letters.
pub(crate) fn build(yaml: &str, secrets: &[(&str, &str)]) -> Box<dyn Channel> {
    let indented = yaml.replace('\n', "\n  ");
    let channels = Channels::parse(&format!("it:\n  {indented}")).unwrap_or_else(|e| panic!("{e}"));
    let read = |at: &SecretAt| match at {
        SecretAt::Env(name) => {
            let known = secrets.iter().find(|(known, _)| known == name);
            let secret = known.map_or_else(|| name.to_lowercase(), |(_, s)| (*s).to_owned());
            Ok(SecretString::from(secret))
        }
        SecretAt::File(_) => Err("no files here".to_owned()),
    };
    let outside = Outside {
        read_secret: &read,
        clock,
        lookup: crate::lookup(),
        timeout: Duration::from_secs(2),
    };
    let mut built = channels.build(&outside).unwrap_or_else(|e| panic!("{e}"));
    built.remove("it").unwrap()
}

pub(crate) fn channel(yaml: &str) -> Box<dyn Channel> {
    build(yaml, &[])
}

fn at(text: &str) -> i64 {
    instant(text).unwrap()
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub(crate) fn alert() -> Alert {
    Alert {
        alert_id: "al-3f9a61c07be2d815".to_owned(),
        seq: 0,
        state: State::Open,
        opened_at: at("2026-11-21T10:00:20Z"),
        changed_at: at("2026-11-21T10:00:20Z"),
        state_since: at("2026-11-21T10:00:20Z"),
        state_by: "evaluator".to_owned(),
        snoozed_until: None,
        suppressed_by: None,
        told: None,
        opening_match: at("2026-11-21T10:00:00Z"),
        rule: "burst_from_one_remote_ip".to_owned(),
        revision: "5b1c".to_owned(),
        title: "Many findings from one remote IP".to_owned(),
        severity: Label::High,
        group: vec![("remote_ip".to_owned(), Some("203.0.113.9".to_owned()))],
        count: 12,
        threshold: 10,
        window_us: 600_000_000,
        window: "10m".to_owned(),
        window_start: at("2026-11-21T09:50:00Z"),
        window_end: at("2026-11-21T10:00:00Z"),
        first_match: at("2026-11-21T09:58:40Z"),
        last_match: at("2026-11-21T10:00:00Z"),
        matches: 3,
        first_seen: at("2026-11-21T09:51:12Z"),
        last_seen: at("2026-11-21T10:00:00Z"),
        findings: (0..12u64).map(|n| format!("{:032x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect(),
        findings_total: 12,
        accounts: texts(&["111111111111", "222222222222", "333333333333"]),
        regions: texts(&["eu-central-1", "us-east-1"]),
        types: vec!["UnauthorizedAccess:EC2/SSHBruteForce".to_owned()],
        max_severity: Some(Label::High),
        sql: "SELECT * FROM (\nSELECT *\nFROM observations\nWHERE remote_ip IS NOT NULL\n  AND NOT sample\n) AS measured\nWHERE arrow_cast(\"remote_ip\", 'Utf8') = '203.0.113.9'\n  AND \"event_time\" > TIMESTAMP '2026-11-21T09:48:40Z' AND \"event_time\" <= TIMESTAMP '2026-11-21T10:00:00Z'\nORDER BY \"event_time\"".to_owned(),
        historic: false,
        actor: "evaluator".to_owned(),
        reason: "12 findings within 10m (threshold 10)".to_owned(),
        findings_version: 41,
    }
}

pub(crate) fn item(event: Event) -> Item {
    let account =
        |id: &str, name: Option<&str>, ou: Option<&str>, owner: Option<&str>| AccountNotes {
            account_id: id.to_owned(),
            name: name.map(str::to_owned),
            ou: ou.map(str::to_owned),
            owner: owner.map(str::to_owned),
        };
    Item {
        event,
        alert: alert(),
        rule: RuleNotes {
            description: "One remote address sets off GuardDuty again and again within minutes, in whatever account and Region."
                .to_owned(),
            tags: texts(&["attack.reconnaissance", "attack.t1595"]),
            runbook: Some("https://wiki.corp.example/runbooks/remote-ip?team=sec&lang=en".to_owned()),
            owner: Some("detection team".to_owned()),
            references: Vec::new(),
            false_positives: texts(&["A vulnerability scanner of your own; leave its addresses out."]),
        },
        accounts: vec![
            account("111111111111", Some("payments-prod"), Some("Root/Production/Payments"), Some("Ann Meier")),
            account("222222222222", Some("audit"), Some("Root/Security"), None),
            account("333333333333", None, None, None),
        ],
        top: vec![TopValues {
            column: "type".to_owned(),
            values: vec![
                ("UnauthorizedAccess:EC2/SSHBruteForce".to_owned(), 9),
                ("Recon:EC2/PortProbeUnprotectedPort".to_owned(), 3),
            ],
        }],
    }
}

pub(crate) fn notice(items: Vec<Item>) -> Notice {
    Notice {
        key: "9d1f0c52a7".to_owned(),
        thread: "al-3f9a61c07be2d815".to_owned(),
        route: "default/production".to_owned(),
        group: Vec::new(),
        at: at("2026-11-21T10:00:20Z"),
        items,
    }
}

pub(crate) fn opened() -> Notice {
    notice(vec![item(Event::Opened)])
}

pub(crate) fn escalated() -> Notice {
    let mut told = item(Event::Escalated);
    told.alert.count = 140;
    told.alert.findings_total = 151;
    told.alert.reason = "count 12 to 140; 140 findings within 10m (threshold 10)".to_owned();
    let mut notice = notice(vec![told]);
    notice.key = "77ab03e9d4".to_owned();
    notice
}

/// Something that a person did.
pub(crate) fn by_a_person(event: Event, state: State, key: &str, reason: &str) -> Notice {
    let mut told = item(event);
    told.alert.state = state;
    told.alert.actor = "ann".to_owned();
    told.alert.reason = reason.to_owned();
    told.alert.changed_at = at("2026-11-21T11:20:00Z");
    let mut notice = notice(vec![told]);
    notice.key = key.to_owned();
    notice
}

pub(crate) fn acknowledged() -> Notice {
    by_a_person(
        Event::Acknowledged,
        State::Acknowledged,
        "c4c1aa0e12",
        "on it",
    )
}

pub(crate) fn resolved() -> Notice {
    by_a_person(
        Event::Resolved,
        State::Resolved,
        "e0b5d27f60",
        "our own scanner",
    )
}

/// A group of alerts of three rules.
pub(crate) fn group(alerts: usize) -> Notice {
    let items = (0..alerts).map(|n| {
        let mut told = item(Event::Opened);
        told.alert.alert_id = format!("al-{n:016x}");
        let (rule, title, column, value, severity) = match n % 3 {
            0 => (
                "root_credential_usage",
                "Root credentials used",
                "account_id",
                "111111111",
                Label::Critical,
            ),
            1 => (
                "burst_from_one_remote_ip",
                "Many findings from one remote IP",
                "remote_ip",
                "203.0.113.",
                Label::High,
            ),
            _ => (
                "burst_in_one_account",
                "Many findings in one account",
                "account_id",
                "222222222",
                Label::Medium,
            ),
        };
        told.alert.rule = rule.to_owned();
        told.alert.title = title.to_owned();
        told.alert.severity = severity;
        let value = match column {
            "account_id" => format!("{value}{n:03}"),
            _ => format!("{value}{}", n % 250),
        };
        told.alert.group = vec![(column.to_owned(), Some(value))];
        told
    });
    let mut items: Vec<Item> = items.collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.alert.severity));
    let mut notice = notice(items);
    notice.thread = "group-5d41402abc4b2a76".to_owned();
    notice.group = vec![("ou".to_owned(), Some("Root/Production".to_owned()))];
    notice
}

/// Puts a text wherever a finding, an account or a person's remark has a say.
pub(crate) fn with(text: &str, mut notice: Notice, accounts: usize) -> Notice {
    for (_, value) in &mut notice.group {
        *value = Some(text.to_owned());
    }
    for item in &mut notice.items {
        let alert = &mut item.alert;
        for (_, value) in &mut alert.group {
            *value = Some(text.to_owned());
        }
        alert.accounts = (0..accounts).map(|n| format!("{n}{text}")).collect();
        alert.regions = (0..accounts.min(100))
            .map(|n| format!("{n}{text}"))
            .collect();
        alert.regions.insert(0, text.to_owned());
        alert.findings = vec![text.to_owned(); accounts.min(1_000)];
        alert.reason = text.to_owned();
        alert.actor = text.to_owned();
        alert.sql = format!("SELECT '{text}'");
        item.accounts = (alert.accounts.iter())
            .map(|id| AccountNotes {
                account_id: id.clone(),
                name: Some(text.to_owned()),
                ou: Some(text.to_owned()),
                owner: Some(text.to_owned()),
            })
            .collect();
        item.top = vec![TopValues {
            column: "api".to_owned(),
            values: vec![(text.to_owned(), 3); 20],
        }];
    }
    notice
}

/// So many alerts of 1,000 accounts each, 70,000 findings, and texts of 4 KB everywhere; of more than a few alerts, only in the first
/// accounts and findings, since all of them would be gigabytes.
pub(crate) fn huge(alerts: usize) -> Notice {
    let text = "<&\"\u{1b}👍".repeat(500);
    let full = if alerts > 3 { 15 } else { 1_000 };
    let mut notice = with(&text, group(alerts), full);
    for item in &mut notice.items {
        let more = (item.alert.accounts.len()..1_000).map(|n| format!("{n:012}"));
        item.alert.accounts.extend(more);
        item.alert.findings_total = 70_000;
    }
    notice
}

/// Compares with `tests/golden/NAME`; with `GOLDEN=update` in the environment, writes it.
#[track_caller]
pub(crate) fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    #[allow(clippy::disallowed_methods)]
    let update = std::env::var("GOLDEN").is_ok_and(|word| word == "update");
    if update {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = text
        .split('\n')
        .zip(expected.split('\n'))
        .find(|(is, was)| is != was);
    if text != expected {
        panic!(
            "{name} differs, at first in (now, golden): {differs:#?}\nGOLDEN=update rewrites it"
        );
    }
}
