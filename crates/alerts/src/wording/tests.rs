//! Words of notices.

use super::{Phase, Shape, Words, prose};
use crate::notice::{AccountNotes, Item, Notice, RuleNotes, TopValues};
use crate::text::tests::alert;
use crate::{Event, Label, instant};

fn item(event: Event) -> Item {
    let mut alert = alert();
    alert.title = "Many findings from one remote IP".to_owned();
    alert.group = vec![("remote_ip".to_owned(), Some("203.0.113.9".to_owned()))];
    alert.accounts = ["111111111111", "333333333333"].map(str::to_owned).to_vec();
    alert.findings_total = 12;
    alert.first_seen = instant("2026-11-21T09:51:12.5Z").unwrap();
    alert.last_seen = instant("2026-11-21T10:00:00Z").unwrap();
    alert.changed_at = instant("2026-11-21T11:00:00Z").unwrap();
    alert.actor = "evaluator".to_owned();
    alert.reason = "12 findings within 10m (threshold 10)".to_owned();
    alert.sql = "SELECT 1".to_owned();
    Item {
        event,
        alert,
        rule: RuleNotes::default(),
        accounts: vec![
            AccountNotes {
                account_id: "111111111111".to_owned(),
                name: Some("payments-prod".to_owned()),
                ou: None,
                owner: Some("Ann".to_owned()),
            },
            AccountNotes {
                account_id: "333333333333".to_owned(),
                ..AccountNotes::default()
            },
        ],
        top: Vec::new(),
    }
}

fn notice(items: Vec<Item>) -> Notice {
    Notice {
        key: "k".to_owned(),
        thread: "t".to_owned(),
        route: "default".to_owned(),
        group: Vec::new(),
        at: 0,
        items,
    }
}

#[track_caller]
fn check(item: Item, headline: &str, sentence: &str) {
    let words = Words::of(&notice(vec![item]));
    assert_eq!((&*words.headline, &*words.sentence), (headline, sentence));
}

const FOUND: &str = "GuardDuty reported 12 findings about remote_ip = 203.0.113.9 between 2026-11-21 09:51:12 and 10:00:00 UTC \
    in 2 accounts: payments-prod (111111111111, owner Ann) and the unknown account 333333333333.";
const SUBJECT: &str = "Many findings from one remote IP: remote_ip = 203.0.113.9";

#[test]
fn an_alert_opens_grows_and_ends() {
    check(
        item(Event::Opened),
        &format!("[HIGH] {SUBJECT}"),
        &format!("{FOUND} Why you hear of it: 12 findings within 10m (threshold 10)."),
    );
    check(
        item(Event::Escalated),
        &format!("[HIGH] Escalated: {SUBJECT}"),
        &format!("{FOUND} It got worse: 12 findings within 10m (threshold 10)."),
    );
    let mut resolved = item(Event::Resolved);
    resolved.alert.actor = "ann".to_owned();
    resolved.alert.reason = "scanner of our own.".to_owned();
    check(
        resolved,
        &format!("[RESOLVED] {SUBJECT}"),
        &format!("Resolved by ann at 2026-11-21 11:00:00 UTC: scanner of our own. {FOUND}"),
    );
    let mut quiet = item(Event::Resolved);
    quiet.alert.reason = "quiet for 1h".to_owned();
    check(
        quiet,
        &format!("[RESOLVED] {SUBJECT}"),
        &format!("Resolved at 2026-11-21 11:00:00 UTC: quiet for 1h. {FOUND}"),
    );
}

#[test]
fn a_silence_has_no_findings_and_is_told_as_well() {
    let mut silent = item(Event::Opened);
    silent.alert.findings_total = 0;
    silent.alert.accounts.truncate(1);
    silent.alert.reason = String::new();
    silent.alert.first_seen = silent.alert.last_seen;
    check(
        silent,
        &format!("[HIGH] {SUBJECT}"),
        "The rule matched about remote_ip = 203.0.113.9 at 2026-11-21 10:00:00 UTC in payments-prod (111111111111, owner Ann).",
    );
}

#[test]
fn an_account_is_called_by_its_name() {
    let headline = |id: &str| {
        let mut told = item(Event::Opened);
        told.alert.group = vec![("account_id".to_owned(), Some(id.to_owned()))];
        Words::of(&notice(vec![told])).headline
    };
    let title = "[HIGH] Many findings from one remote IP:";
    let named = format!("{title} account_id = 111111111111 (payments-prod)");
    assert_eq!(headline("111111111111"), named);
    assert_eq!(
        headline("333333333333"),
        format!("{title} account_id = 333333333333")
    );
}

#[test]
fn extremes_have_words_too() {
    for number in [i64::MIN, -1, 0, 1, i64::MAX] {
        let mut told = item(Event::Snoozed);
        let alert = &mut told.alert;
        (alert.first_seen, alert.last_seen, alert.changed_at) = (number, number, number);
        (alert.count, alert.threshold, alert.findings_total) = (number, number, number);
        (alert.group, alert.accounts) = (Vec::new(), Vec::new());
        alert.snoozed_until = Some(number);
        assert!(!prose(&Words::of(&notice(vec![told.clone(), told]))).is_empty());
    }
    assert!(!Words::of(&notice(Vec::new())).headline.is_empty());
}

#[test]
fn a_group_has_a_line_for_each_of_the_first_and_says_how_many_more() {
    let items: Vec<Item> = (0..200)
        .map(|at| {
            let mut item = item(Event::Opened);
            item.alert.title = format!("Rule {}", at % 5);
            item.alert.rule = format!("rule_{}", at % 5);
            item.alert.accounts = vec![format!("{at:012}")];
            item
        })
        .collect();
    let words = Words::of(&notice(items));
    assert_eq!(
        words.headline,
        "[HIGH] 200 alerts: Rule 0 (40), Rule 1 (40), Rule 2 (40), and 2 other rules"
    );
    assert_eq!(
        words.sentence,
        "200 alerts opened, resting on 2400 findings in 200 accounts, seen between 2026-11-21 09:51:12 and 10:00:00 UTC."
    );
    assert_eq!((words.lines.len(), words.more), (15, 185));
    assert!(prose(&words).contains("  and 185 more\n"));
}

#[test]
fn a_group_is_over_only_when_all_of_it_is() {
    let phase = |events: &[Event]| {
        let words = Words::of(&notice(events.iter().map(|e| item(*e)).collect()));
        (
            words.phase,
            words.headline.split(' ').next().unwrap().to_owned(),
        )
    };
    let over = (Phase::Over, "[RESOLVED]".to_owned());
    assert_eq!(phase(&[Event::Resolved, Event::Resolved]), over);
    let over = (Phase::Over, "[OVER]".to_owned());
    assert_eq!(phase(&[Event::Resolved, Event::Withdrawn]), over);
    let taken = (Phase::Taken, "[TAKEN]".to_owned());
    assert_eq!(phase(&[Event::Resolved, Event::Snoozed]), taken);
    let firing = (Phase::Firing, "[HIGH]".to_owned());
    assert_eq!(phase(&[Event::Resolved, Event::Opened]), firing);
}

fn fact(item: Item, name: &str) -> Option<(String, Shape)> {
    let words = Words::of(&notice(vec![item]));
    let fact = words.facts.into_iter().find(|fact| fact.name == name)?;
    Some((fact.value, fact.shape))
}

#[test]
fn facts_name_what_was_found_and_say_what_they_leave_out() {
    let mut told = item(Event::Opened);
    told.alert.accounts = (0..1_000).map(|at| format!("{at:012}")).collect();
    told.alert.findings = (0..1_000).map(|at| format!("f{at}")).collect();
    told.alert.findings_total = 70_000;
    let values = (0..9).map(|at| (format!("v{at}"), 9 - at)).collect();
    told.top = vec![TopValues {
        column: "api".to_owned(),
        values,
    }];
    let (accounts, _) = fact(told.clone(), "Accounts").unwrap();
    assert!(
        accounts.starts_with("1000: the unknown account 000000000000, "),
        "{accounts}"
    );
    assert!(accounts.ends_with(" and 990 more"), "{accounts}");
    let (findings, _) = fact(told.clone(), "Findings").unwrap();
    assert_eq!(findings, "70000: f0, f1, f2, f3, f4 and 69995 more");
    let (top, _) = fact(told, "Most frequent api").unwrap();
    assert_eq!(top, "9 × v0, 8 × v1, 7 × v2, 6 × v3, 5 × v4");
}

#[test]
fn only_whole_addresses_of_the_rule_are_links() {
    let runbook = |address: &str| {
        let mut told = item(Event::Opened);
        told.rule.runbook = Some(address.to_owned());
        fact(told, "Runbook").map(|(_, shape)| shape)
    };
    assert_eq!(
        runbook("https://wiki.example/ip?a=1&b=2"),
        Some(Shape::Link)
    );
    assert_eq!(runbook("see the wiki"), Some(Shape::Long));
    assert_eq!(runbook("javascript:alert(1)"), Some(Shape::Long));
    assert_eq!(runbook("https://wiki.example/>x"), Some(Shape::Long));
    assert_eq!(runbook(""), None);
}

#[test]
fn sql_is_told_as_it_runs_or_not_at_all() {
    let sql = |sql: &str| {
        let mut told = item(Event::Opened);
        told.alert.sql = sql.to_owned();
        fact(told, "The rows again").map(|(_, shape)| shape)
    };
    assert_eq!(
        sql("SELECT *\nFROM x WHERE y = '1.2.3.4'"),
        Some(Shape::Sql)
    );
    for other in [
        "x = 'evil.example'",
        "x = '```'",
        "x = '\u{202e}'",
        "x = '\r'",
        &"x".repeat(5_000),
    ] {
        assert_eq!(sql(other), Some(Shape::Long), "{other:?}");
    }
    assert_eq!(sql(""), None);
    assert_eq!(Label::High.as_str(), "High");
}
