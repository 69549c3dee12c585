//! Hostile text against what a terminal is given.

use std::borrow::Cow;
use std::collections::BTreeMap;

use finding::Label;
use proptest::prelude::*;

use crate::{Alert, AlertEvent, Event, Shown, State, clean, terminal};

#[track_caller]
fn check(text: &str, max: usize, expected: &str) {
    assert_eq!(clean(text, max), expected);
}

#[test]
fn plain_text_is_left_alone_and_not_copied() {
    for text in ["", "Port 22 on i-0abc", "Zürich, 東京, كلمة, 👍"] {
        assert!(matches!(clean(text, 100), Cow::Borrowed(same) if same == text));
    }
}

#[test]
fn control_characters_are_shown() {
    check("a\u{1b}[31mred\u{1b}[0m", 80, r"a\u{1b}[31mred\u{1b}[0m");
    check("\u{9b}2J\u{7}\u{8}\0", 80, r"\u{9b}2J\u{7}\u{8}\u{0}");
    check("one\r\ntwo\tthree", 80, r"one\r\ntwo\tthree");
    check(
        "\u{1b}]8;;https://evil.example\u{7}click\u{1b}]8;;\u{7}",
        80,
        r"\u{1b}]8;;https://evil.example\u{7}click\u{1b}]8;;\u{7}",
    );
}

#[test]
fn directions_and_invisible_characters_are_shown() {
    check("photo\u{202e}gpj.exe", 80, r"photo\u{202e}gpj.exe");
    check(
        "\u{2066}a\u{2069}\u{200e}\u{200f}\u{61c}",
        80,
        r"\u{2066}a\u{2069}\u{200e}\u{200f}\u{61c}",
    );
    check(
        "ad\u{200b}min\u{feff}\u{2060}\u{ad}",
        80,
        r"ad\u{200b}min\u{feff}\u{2060}\u{ad}",
    );
    check(
        "a\u{2028}b\u{2029}c\u{85}d",
        80,
        r"a\u{2028}b\u{2029}c\u{85}d",
    );
    check("\u{e0041}\u{3164}", 80, r"\u{e0041}\u{3164}");
    check("a\u{a0}b\u{3000}c", 80, "a b c");
}

#[test]
fn long_text_is_cut_at_a_character() {
    check("abcdef", 6, "abcdef");
    check("abcdefg", 6, "abcde…");
    check("ääääää", 6, "ääääää");
    check("äääääää", 6, "äääää…");
    check("abc", 1, "…");
    check("abc", 0, "");
    check("ab\u{1b}cd", 9, r"ab\u{1b}…");
    check("ab\u{1b}cd", 8, "ab…");
    check("ab\u{1b}", 8, r"ab\u{1b}");
    check("ab\u{1b}", 7, "ab…");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_dangerous_comes_through(text in any::<String>(), max in 0..60_usize) {
        let cleaned = clean(&text, max);
        prop_assert!(cleaned.chars().count() <= max);
        prop_assert!(!cleaned.chars().any(|c| c.is_control() || (c.is_whitespace() && c != ' ')));
        prop_assert_eq!(clean(&cleaned, max), cleaned.clone());
    }
}

pub(crate) fn alert() -> Alert {
    let second = 1_000_000;
    let ten = 1_795_255_200 * second;
    Alert {
        alert_id: "al-0123456789abcdef".to_owned(),
        seq: 0,
        state: State::Open,
        opened_at: ten + 700 * second,
        changed_at: ten + 700 * second,
        state_since: ten + 700 * second,
        state_by: "evaluator".to_owned(),
        snoozed_until: None,
        suppressed_by: None,
        told: None,
        opening_match: ten + 500 * second,
        rule: "burst_from_one_remote_ip".to_owned(),
        revision: "0123456789ab".to_owned(),
        title: "Many findings from one remote IP".to_owned(),
        severity: Label::High,
        group: vec![
            ("remote_ip".to_owned(), Some("198.51.100.7".to_owned())),
            ("region".to_owned(), None),
        ],
        count: 12,
        threshold: 10,
        window_us: 600 * second,
        window: "10m".to_owned(),
        window_start: ten,
        window_end: ten + 600 * second + 5,
        first_match: ten + 500 * second,
        last_match: ten + 600 * second,
        matches: 3,
        first_seen: ten,
        last_seen: ten + 600 * second,
        findings: (0..12).map(|n| format!("f{n:02}")).collect(),
        findings_total: 12,
        accounts: vec!["111122223333".to_owned(), "444455556666".to_owned()],
        regions: vec!["eu-west-1".to_owned()],
        types: vec!["Recon:EC2/Portscan".into()],
        max_severity: Some(Label::Critical),
        sql: "SELECT 1".to_owned(),
        historic: false,
        actor: "evaluator".to_owned(),
        reason: "12 findings within 10m".to_owned(),
        findings_version: 4,
    }
}

#[test]
fn an_alert_on_a_terminal() {
    let mut alert = alert();
    assert_eq!(
        terminal(&alert),
        "\
HIGH  Many findings from one remote IP
  alert     al-0123456789abcdef (open) by rule burst_from_one_remote_ip
  group     remote_ip = 198.51.100.7, region = (none)
  count     12 within 10m (threshold 10), at 2026-11-21T10:10:00.000005Z
  seen      2026-11-21T10:00:00Z to 2026-11-21T10:10:00Z
  accounts  2: 111122223333, 444455556666
  regions   1: eu-west-1
  findings  12: f00, f01, f02, f03, f04 and 7 more
"
    );
    alert.historic = true;
    alert.group[0].1 = Some("\u{1b}[2J\u{202e}evil\nCRITICAL  fake".to_owned());
    alert.accounts[0] = "\u{1b}]0;owned\u{7}".to_owned();
    alert.findings[0] = "x".repeat(90);
    let told = terminal(&alert);
    assert_eq!(
        told.lines().nth(1),
        Some(
            "  alert     al-0123456789abcdef (open, too old to ring) by rule burst_from_one_remote_ip"
        )
    );
    assert_eq!(
        told.lines().nth(2),
        Some(r"  group     remote_ip = \u{1b}[2J\u{202e}evil\nCRITICAL  fake, region = (none)")
    );
    assert!(told.contains(r"accounts  2: \u{1b}]0;owned\u{7}, 444455556666"));
    assert!(told.contains(&format!("{}…, f01", "x".repeat(63))));
    assert_eq!(told.lines().count(), 8);
}

#[test]
fn an_alert_on_a_terminal_says_what_keeps_it_silent() {
    let mut alert = alert();
    alert.state = State::Snoozed;
    alert.snoozed_until = Some(alert.opened_at + 3_600_000_000);
    alert.suppressed_by = Some("office\u{1b}-vpn".to_owned());
    assert_eq!(
        terminal(&alert).lines().nth(1),
        Some(
            r"  alert     al-0123456789abcdef (snoozed until 2026-11-21T11:11:40Z, suppressed by office\u{1b}-vpn) by rule burst_from_one_remote_ip"
        )
    );
}

#[test]
fn an_alert_in_full() {
    let mut alert = alert();
    alert.findings.truncate(2);
    alert.findings_total = 1_200;
    alert.sql = "SELECT *\nWHERE x = 'a\u{1b}[2J\nCRITICAL  fake'".to_owned();
    let opened = alert.event(
        Event::Opened,
        alert.opened_at,
        "evaluator",
        "12 findings within 10m".to_owned(),
    );
    let mut snoozed = alert.event(
        Event::Snoozed,
        alert.opened_at,
        "ada",
        "lunch\nCRITICAL  fake".to_owned(),
    );
    snoozed.until = Some(alert.opened_at + 3_600_000_000);
    let mut grew = alert.event(
        Event::Grew,
        alert.opened_at,
        "evaluator",
        "count 2 to 3".to_owned(),
    );
    grew.suppressed_by = Some("vpn".to_owned());
    let history = [
        AlertEvent {
            rings: true,
            ..opened
        },
        snoozed,
        grew,
    ];
    let names = BTreeMap::from([("444455556666".to_owned(), "pay\u{202e}ments".to_owned())]);
    let top = [(
        "remote_ip".to_owned(),
        vec![("198.51.100.7".to_owned(), 12), ("x\ny".to_owned(), 1)],
    )];
    let shown = Shown {
        alert: &alert,
        history: &history,
        account_names: &names,
        top: &top,
    };
    assert_eq!(
        shown.to_string(),
        r"HIGH  Many findings from one remote IP
  alert     al-0123456789abcdef (open) by rule burst_from_one_remote_ip
  group     remote_ip = 198.51.100.7, region = (none)
  count     12 within 10m (threshold 10), at 2026-11-21T10:10:00.000005Z
  seen      2026-11-21T10:00:00Z to 2026-11-21T10:10:00Z
  window    2026-11-21T10:00:00Z to 2026-11-21T10:10:00.000005Z
  matches   3, 2026-11-21T10:08:20Z to 2026-11-21T10:10:00Z
  opened    2026-11-21T10:11:40Z, revision 0123456789ab of the rule
  findings are up to Critical
accounts (2)
  111122223333
  444455556666  pay\u{202e}ments
regions (1)
  eu-west-1
types (1)
  Recon:EC2/Portscan
top remote_ip
        12  198.51.100.7
         1  x\ny
findings (2)
  f00
  f01
  and 1198 more: ask with the SQL below
history
  2026-11-21T10:11:40Z  opened by evaluator: 12 findings within 10m (rang)
  2026-11-21T10:11:40Z  snoozed by ada until 2026-11-21T11:11:40Z: lunch\nCRITICAL  fake
  2026-11-21T10:11:40Z  grew by evaluator: count 2 to 3 (suppressed by vpn)
evidence
  SELECT *
  WHERE x = 'a\u{1b}[2J
  CRITICAL  fake'
"
    );
}
