//! Sentences as a colleague would write them.

use super::{counted, group_words, tame};
use crate::life::{EVALUATOR, Event};
use crate::notice::{AccountNotes, Item, Notice};
use crate::{clean, rfc3339};

/// How many accounts a sentence names before the rest is only counted.
const NAMED: usize = 3;

pub(super) fn of_item(item: &Item) -> String {
    let (found, why) = (found(item), why(item));
    let news_first = !matches!(
        item.event,
        Event::Opened | Event::Grew | Event::Escalated | Event::Reopened
    );
    match (news_first, why) {
        (_, None) => found,
        (true, Some(why)) => format!("{why} {found}"),
        (false, Some(why)) => format!("{found} {why}"),
    }
}

pub(super) fn of_group(notice: &Notice) -> String {
    let items = &notice.items;
    let count = |events: &[Event]| items.iter().filter(|i| events.contains(&i.event)).count();
    let told = [
        (count(&[Event::Opened]), "opened"),
        (count(&[Event::Escalated, Event::Grew]), "got worse"),
        (count(&[Event::Reopened]), "came back"),
        (
            count(&[Event::Acknowledged, Event::Snoozed]),
            "acknowledged or snoozed",
        ),
        (count(&[Event::Resolved]), "resolved"),
        (
            count(&[Event::Merged, Event::Withdrawn]),
            "withdrawn or merged",
        ),
    ];
    let told: Vec<(usize, &str)> = told.into_iter().filter(|(count, _)| *count > 0).collect();
    let first = items.iter().map(|item| item.alert.first_seen).min();
    let last = items.iter().map(|item| item.alert.last_seen).max();
    let findings: i64 = (items.iter())
        .map(|item| item.alert.findings_total)
        .fold(0, i64::saturating_add);
    let mut accounts: Vec<&str> = (items.iter())
        .flat_map(|item| item.alert.accounts.iter().map(String::as_str))
        .collect();
    accounts.sort_unstable();
    accounts.dedup();
    let seen = between(first.unwrap_or(notice.at), last.unwrap_or(notice.at));
    let (findings, accounts) = (
        counted(findings, "finding"),
        counted(accounts.len() as i64, "account"),
    );
    let alerts = counted(items.len() as i64, "alert");
    match &told[..] {
        [(_, word)] => {
            format!("{alerts} {word}, resting on {findings} in {accounts}, seen {seen}.")
        }
        told => {
            let told: Vec<String> = told
                .iter()
                .map(|(count, word)| format!("{count} {word}"))
                .collect();
            let told = told.join(", ");
            format!("{alerts}: {told}. They rest on {findings} in {accounts}, seen {seen}.")
        }
    }
}

/// What was found, when and where.
fn found(item: &Item) -> String {
    let alert = &item.alert;
    let about = group_words(&alert.group, &item.accounts)
        .map_or_else(String::new, |group| format!(" about {group}"));
    let seen = between(alert.first_seen, alert.last_seen);
    let accounts = accounts(item, NAMED);
    let place = match alert.accounts.len() {
        0 => String::new(),
        1 => format!(" in {accounts}"),
        many => format!(" in {many} accounts: {accounts}"),
    };
    if alert.findings_total > 0 {
        let findings = counted(alert.findings_total, "finding");
        format!("GuardDuty reported {findings}{about} {seen}{place}.")
    } else {
        format!("The rule matched{about} {seen}{place}.")
    }
}

/// Why somebody is told.
fn why(item: &Item) -> Option<String> {
    let alert = &item.alert;
    let by_a_person = alert.actor != EVALUATOR && !alert.actor.is_empty();
    let who = tame(&alert.actor, 64);
    let at = time(alert.changed_at);
    let what = match item.event {
        Event::Opened => "Why you hear of it".to_owned(),
        Event::Grew => "It grew".to_owned(),
        Event::Escalated => "It got worse".to_owned(),
        Event::Reopened if by_a_person => format!("Reopened by {who} at {at}"),
        Event::Reopened => "It is back".to_owned(),
        Event::Acknowledged => format!("Acknowledged by {who} at {at}"),
        Event::Snoozed => match alert.snoozed_until {
            Some(until) => format!("Snoozed by {who} until {}", time(until)),
            None => format!("Snoozed by {who} at {at}"),
        },
        Event::Resolved if by_a_person => format!("Resolved by {who} at {at}"),
        Event::Resolved => format!("Resolved at {at}"),
        Event::Merged => "This goes on in another alert".to_owned(),
        Event::Withdrawn => "The findings no longer support this".to_owned(),
    };
    let reason = tame(alert.reason.trim().trim_end_matches('.'), 600);
    match (reason.is_empty(), item.event) {
        (true, Event::Opened) => None,
        (true, _) => Some(format!("{what}.")),
        (false, _) => Some(format!("{what}: {reason}.")),
    }
}

/// `payments-prod (111111111111, owner Ann), the unknown account 333333333333 and 9 more`
pub(super) fn accounts(item: &Item, most: usize) -> String {
    let total = item.alert.accounts.len();
    let mut words: Vec<String> = (item.alert.accounts.iter().enumerate().take(most))
        .map(|(at, id)| {
            let notes = item
                .accounts
                .get(at)
                .filter(|notes| notes.account_id == *id);
            let notes = notes.or_else(|| item.accounts.iter().find(|n| n.account_id == *id));
            account(id, notes)
        })
        .collect();
    if total > words.len() {
        words.push(format!("{} more", total - words.len()));
    }
    match words.pop() {
        Some(last) if !words.is_empty() => format!("{} and {last}", words.join(", ")),
        last => last.unwrap_or_default(),
    }
}

fn account(id: &str, notes: Option<&AccountNotes>) -> String {
    let id = tame(id, 24);
    let Some((notes, name)) = notes.and_then(|notes| Some((notes, notes.name.as_deref()?))) else {
        return format!("the unknown account {id}");
    };
    let owner = notes
        .owner
        .as_deref()
        .map(|owner| format!(", owner {}", tame(owner, 60)));
    format!("{} ({id}{})", tame(name, 60), owner.unwrap_or_default())
}

/// `2026-11-21 10:00:00 UTC`, cut at whole seconds.
pub(super) fn time(micros: i64) -> String {
    format!("{} UTC", seconds(micros))
}

fn seconds(micros: i64) -> String {
    let whole = rfc3339(
        micros
            - micros
                .rem_euclid(1_000_000)
                .min(micros.saturating_sub(i64::MIN)),
    );
    let whole = whole.trim_end_matches('Z');
    let whole = whole.split('.').next().unwrap_or(whole);
    clean(&whole.replacen('T', " ", 1), 40).into_owned()
}

/// `between 2026-11-21 09:51:12 and 10:00:00 UTC`
fn between(first: i64, last: i64) -> String {
    let (first, last) = (seconds(first), seconds(last));
    if first == last {
        return format!("at {last} UTC");
    }
    match (first.split_once(' '), last.split_once(' ')) {
        (Some((day, _)), Some((same, clock))) if day == same => {
            format!("between {first} and {clock} UTC")
        }
        _ => format!("between {first} and {last} UTC"),
    }
}
