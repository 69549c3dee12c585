//! The words of a notice, the same for all channels: a headline, a sentence, facts; for a group a line an alert.
//!
//! Finding text is hostile. Here it loses control codes and bidirectional marks ([`clean`]) and is made dull: no address in it
//! is a link and no name a mention where a receiver makes such things out of plain text (see [`tame`]). What is markup differs by receiver and
//! is escaped by the channel.

mod facts;
mod prose;
mod sentence;
mod tame;
#[cfg(test)]
mod tests;

use finding::Label;

pub use prose::prose;
pub use tame::tame;

use crate::clean;
use crate::life::{Event, Group};
use crate::notice::{AccountNotes, Item, Notice};

/// How many alerts of a group get a line; the others are only counted.
const LINES: usize = 15;
/// How many titles of rules the headline of a group names.
const TITLES: usize = 3;
/// Characters of a value of a group, of a title, and of a name in a path.
const VALUE: usize = 120;

/// Where the alerts of a notice stand, as a colour would say it: what asks most of somebody comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Somebody has to look.
    Firing,
    /// Somebody has taken all that is not over, or asked for quiet.
    Taken,
    /// All of it is over.
    Over,
}

/// What kind of text a fact's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A few words: fits beside another.
    Short,
    /// A sentence, or a list.
    Long,
    /// An address that whoever wrote the rule put there: `http://` or `https://`, may be made clickable.
    Link,
    /// SQL, exactly as it is to be run, in lines.
    Sql,
}

/// Something known, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its name, a few words from us: `First seen`.
    pub name: String,
    /// Its value in one line, except SQL. Not escaped for any markup.
    pub value: String,
    /// What kind of text that is.
    pub shape: Shape,
}

/// What to say of a notice. All texts are free of control codes, are bounded, and are not escaped for any markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The worst severity among its alerts, as their rules say.
    pub level: Label,
    /// Where they stand.
    pub phase: Phase,
    /// One line: `[HIGH] Many findings from one remote IP: remote_ip = 203.0.113.9`.
    pub headline: String,
    /// What happened, when, where and why it is told, in one to three sentences.
    pub sentence: String,
    /// All there is to say otherwise, what matters most first.
    pub facts: Vec<Fact>,
    /// Of a group: a line for each of the first alerts. Empty for one alert.
    pub lines: Vec<String>,
    /// How many alerts have no line.
    pub more: usize,
}

impl Words {
    /// The words of a notice.
    pub fn of(notice: &Notice) -> Words {
        let items = &notice.items;
        if let [item] = &items[..] {
            return Words::of_item(notice, item);
        }
        let level = items.iter().map(|item| item.alert.severity).max();
        let level = level.unwrap_or(Label::Informational);
        let phase = items.iter().map(|item| phase(item.event)).min();
        let phase = phase.unwrap_or(Phase::Over);
        Words {
            level,
            phase,
            headline: group_headline(notice, level, phase),
            sentence: sentence::of_group(notice),
            facts: facts::of_group(notice),
            lines: items.iter().take(LINES).map(line).collect(),
            more: items.len().saturating_sub(LINES),
        }
    }

    /// The words of one alert of a notice, as if it were told alone.
    pub fn of_item(notice: &Notice, item: &Item) -> Words {
        Words {
            level: item.alert.severity,
            phase: phase(item.event),
            headline: item_headline(item),
            sentence: sentence::of_item(item),
            facts: facts::of_item(notice, item),
            lines: Vec::new(),
            more: 0,
        }
    }
}

/// Where an alert stands after an event.
pub fn phase(event: Event) -> Phase {
    match event {
        Event::Opened | Event::Grew | Event::Escalated | Event::Reopened => Phase::Firing,
        Event::Acknowledged | Event::Snoozed => Phase::Taken,
        Event::Resolved | Event::Merged | Event::Withdrawn => Phase::Over,
    }
}

/// `[HIGH]`, `[HIGH] Escalated:`, `[RESOLVED]`.
fn tag(event: Event, level: Label) -> String {
    let level = level.as_str().to_uppercase();
    match event {
        Event::Opened => format!("[{level}]"),
        Event::Grew => format!("[{level}] Grew:"),
        Event::Escalated => format!("[{level}] Escalated:"),
        Event::Reopened => format!("[{level}] Reopened:"),
        _ => format!("[{}]", event.as_str().to_uppercase()),
    }
}

fn item_headline(item: &Item) -> String {
    let alert = &item.alert;
    format!("{} {}", tag(item.event, alert.severity), subject(item))
}

/// `Many findings from one remote IP: remote_ip = 203.0.113.9`
fn subject(item: &Item) -> String {
    let alert = &item.alert;
    let title = clean(&alert.title, VALUE);
    match group_words(&alert.group, &item.accounts) {
        Some(group) => format!("{title}: {group}"),
        None => title.into_owned(),
    }
}

fn group_headline(notice: &Notice, level: Label, phase: Phase) -> String {
    let (items, total) = (&notice.items, notice.items.len());
    let first = items.first();
    let same = first.filter(|first| items.iter().all(|item| item.event == first.event));
    let tag = match same {
        Some(item) => tag(item.event, level),
        _ if phase == Phase::Over => "[OVER]".to_owned(),
        _ if phase == Phase::Taken => "[TAKEN]".to_owned(),
        _ => tag(Event::Opened, level),
    };
    let about = group_words(&notice.group, known(notice))
        .map_or_else(String::new, |group| format!(" for {group}"));
    format!(
        "{tag} {}{about}: {}",
        counted(total as i64, "alert"),
        titles(items)
    )
}

/// The titles among the items with how many of each: that of the worst, then the most frequent.
fn titles(items: &[Item]) -> String {
    let mut titles: Vec<(&str, usize)> = Vec::new();
    for item in items {
        match titles
            .iter_mut()
            .find(|(title, _)| *title == item.alert.title)
        {
            Some((_, times)) => *times += 1,
            None => titles.push((&item.alert.title, 1)),
        }
    }
    if let Some(others) = titles.get_mut(1..) {
        others.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    }
    let rest = titles.len().saturating_sub(TITLES);
    let mut words: Vec<String> = (titles.iter().take(TITLES))
        .map(|(title, times)| match times {
            1 => clean(title, 80).into_owned(),
            times => format!("{} ({times})", clean(title, 80)),
        })
        .collect();
    if rest > 0 {
        words.push(format!("and {}", counted(rest as i64, "other rule")));
    }
    words.join(", ")
}

/// `[HIGH] Title: group, 12 findings in 3 accounts, until 2026-11-21 10:00:00 UTC, al-0123`
fn line(item: &Item) -> String {
    let alert = &item.alert;
    let mut words = vec![item_headline(item)];
    if alert.findings_total > 0 {
        let accounts = counted(alert.accounts.len() as i64, "account");
        let findings = counted(alert.findings_total, "finding");
        words.push(format!("{findings} in {accounts}"));
    }
    words.push(format!("last seen {}", sentence::time(alert.last_seen)));
    words.push(clean(&alert.alert_id, 64).into_owned());
    words.join(", ")
}

/// `remote_ip = 203.0.113.9, port = (none)`, `account_id = 111111111111 (payments-prod)`; `None` for a group of everything.
fn group_words(group: &Group, accounts: &[AccountNotes]) -> Option<String> {
    let name_of = |column: &str, id: &str| {
        let notes = accounts
            .iter()
            .find(|notes| column == "account_id" && notes.account_id == id)?;
        Some(format!(" ({})", tame(notes.name.as_deref()?, 60)))
    };
    let words: Vec<String> = (group.iter().take(8))
        .map(|(column, value)| {
            let name = value.as_deref().and_then(|value| name_of(column, value));
            let value = value.as_deref();
            let value = value.map_or_else(|| "(none)".to_owned(), |value| tame(value, VALUE));
            format!("{} = {value}{}", tame(column, 60), name.unwrap_or_default())
        })
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// What the worst alert knows of accounts: a group by account has the same in all.
fn known(notice: &Notice) -> &[AccountNotes] {
    notice.items.first().map_or(&[], |item| &item.accounts)
}

/// `1 alert`, `2 alerts`.
fn counted(number: i64, thing: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{ending}")
}
