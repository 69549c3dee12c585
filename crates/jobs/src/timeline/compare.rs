//! What a test expects beside what was found, and the two ways of playing it beside each other, in sentences.

use alerts::{Alert, Episode, Group, Kind, Rule, State, clean};

use super::{Expected, Listed};
use crate::evaluate::Fired;

/// How many names a sentence lists.
const NAMES: usize = 8;

/// An alert that was found: its episode, and where its alert stood at the end.
pub(super) struct Seen<'a> {
    rule: &'a Rule,
    group: &'a Group,
    episode: &'a Episode,
    state: Option<State>,
}

impl<'a> Seen<'a> {
    pub(super) fn new(
        rule: &'a Rule,
        group: &'a Group,
        episode: &'a Episode,
        alerts: &[Alert],
    ) -> Seen<'a> {
        let alert = alerts.iter().find(|alert| {
            alert.first_match == episode.first_match
                && alert.state.is_live()
                && sorted(&alert.group) == sorted(group)
        });
        Seen {
            rule,
            group,
            episode,
            state: alert.map(|alert| alert.state),
        }
    }
}

/// One sentence for each alert that is missing, other than expected, or not expected. Times are told as offsets from `start`.
pub(super) fn differences(start: i64, expect: &[Expected], seen: &[Seen<'_>]) -> Vec<String> {
    let mut told = Vec::new();
    let mut open: Vec<&Seen<'_>> = seen.iter().collect();
    let mut unmet = Vec::new();
    for expected in expect {
        match open
            .iter()
            .position(|seen| faults(start, expected, seen).is_empty())
        {
            Some(at) => drop(open.remove(at)),
            None => unmet.push(expected),
        }
    }
    for expected in unmet {
        // The alert that was most likely meant: of the same group, with the fewest differences.
        let near = open
            .iter()
            .enumerate()
            .filter(|(_, seen)| in_group(expected, seen))
            .min_by_key(|(at, seen)| (faults(start, expected, seen).len(), *at))
            .map(|(at, _)| at);
        match near {
            Some(at) => {
                let seen = open.remove(at);
                let group = named(seen.group.iter().map(|(n, v)| (n.as_str(), v.as_deref())));
                told.push(format!(
                    "{group}: {}",
                    faults(start, expected, seen).join(", ")
                ));
            }
            None => {
                let group = expected.group.iter();
                let group = named(group.map(|(n, v)| (n.as_str(), v.as_deref())));
                let at = expected.at.map_or(String::new(), |at| {
                    format!(" at {}", offset(at.saturating_sub(start)))
                });
                told.push(format!("{group}: expected an alert{at}, found none"));
            }
        }
    }
    for seen in open {
        told.push(format!(
            "not expected: {}",
            line(start, seen.group, seen.episode)
        ));
    }
    told
}

/// What is other than expected, one clause each.
fn faults(start: i64, expected: &Expected, seen: &Seen<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    if !in_group(expected, seen) {
        faults.push("another group".to_owned());
    }
    let episode = seen.episode;
    let mut unlike = |what: &str, wanted: Option<String>, found: String| {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
            faults.push(format!("{what}: expected {wanted}, found {found}"));
        }
    };
    let time = |micros: i64| offset(micros.saturating_sub(start));
    unlike("at", expected.at.map(time), time(episode.first_match));
    unlike(
        "through",
        expected.through.map(time),
        time(episode.last_match),
    );
    let number = |number: u64| number.to_string();
    unlike("count", expected.count.map(number), number(episode.count));
    unlike(
        "matches",
        expected.matches.map(number),
        number(episode.matches),
    );
    for (what, wanted, names, total) in [
        (
            "findings",
            &expected.findings,
            &episode.findings,
            episode.findings_total,
        ),
        (
            "accounts",
            &expected.accounts,
            &episode.accounts,
            episode.accounts.len() as u64,
        ),
        (
            "regions",
            &expected.regions,
            &episode.regions,
            episode.regions.len() as u64,
        ),
    ] {
        match wanted {
            None => {}
            Some(Listed::Total(wanted)) => unlike(what, Some(number(*wanted)), number(total)),
            Some(Listed::Names(wanted)) => {
                let (mut wanted, mut found) = (wanted.clone(), names.clone());
                wanted.sort();
                found.sort();
                unlike(what, Some(several(&wanted)), several(&found));
            }
        }
    }
    let label = |label: finding::Label| label.as_str().to_ascii_lowercase();
    unlike(
        "severity",
        expected.severity.map(label),
        label(seen.rule.severity),
    );
    unlike(
        "max_severity",
        expected.max_severity.map(label),
        episode.max_severity.map_or("none".to_owned(), label),
    );
    let state = |state: State| state.as_str().to_owned();
    unlike(
        "state",
        expected.state.map(state),
        seen.state.map_or("none".to_owned(), state),
    );
    faults
}

fn in_group(expected: &Expected, seen: &Seen<'_>) -> bool {
    expected
        .group
        .iter()
        .all(|(column, value)| seen.group.iter().any(|(c, v)| c == column && v == value))
}

/// Where the two ways of playing differ: in what fires, or in the alerts that the log adds up to.
pub(super) fn disagreement(
    rule: &Rule,
    start: i64,
    at_once: &[Fired],
    one_by_one: &[Fired],
    alerts: &[Alert],
) -> Vec<String> {
    let mut told = Vec::new();
    let lines = |fired: &[Fired]| {
        let mut lines: Vec<String> = fired
            .iter()
            .flat_map(|fired| fired.episodes.iter().map(|e| (&fired.group, e)))
            .map(|(group, episode)| line(start, group, episode))
            .collect();
        lines.sort();
        lines
    };
    let expected = lines(at_once);
    let mut compare = |how: &str, found: &[String]| {
        for line in expected.iter().filter(|line| !found.contains(line)) {
            told.push(format!(
                "{how} lacks what all findings at once lead to: {line}"
            ));
        }
        for line in found.iter().filter(|line| !expected.contains(line)) {
            told.push(format!(
                "{how} leads to what all findings at once do not: {line}"
            ));
        }
    };
    compare("one commit after the other", &lines(one_by_one));
    let mut logged: Vec<String> = alerts
        .iter()
        .filter(|alert| alert.rule == rule.id && alert.state.is_live())
        .map(|alert| (alert.state, logged(start, alert)))
        // A row that a query no longer returns leaves an alert behind, resolved.
        .filter(|(state, line)| {
            let over = rule.kind == Kind::Query && *state == State::Resolved;
            !over || expected.contains(line)
        })
        .map(|(_, line)| line)
        .collect();
    logged.sort();
    compare("the log of alerts", &logged);
    told
}

fn line(start: i64, group: &Group, episode: &Episode) -> String {
    told(
        start,
        group,
        (episode.first_match, episode.last_match),
        &episode.count.to_string(),
        episode.findings_total,
        &episode.accounts,
    )
}

fn logged(start: i64, alert: &Alert) -> String {
    told(
        start,
        &alert.group,
        (alert.first_match, alert.last_match),
        &alert.count.to_string(),
        alert.findings_total.unsigned_abs(),
        &alert.accounts,
    )
}

fn told(
    start: i64,
    group: &Group,
    (first, last): (i64, i64),
    count: &str,
    findings: u64,
    accounts: &[String],
) -> String {
    let group = sorted(group);
    format!(
        "{} at {} through {}, count {count}, {findings} findings, accounts {}",
        named(group.iter().map(|(n, v)| (n.as_str(), v.as_deref()))),
        offset(first.saturating_sub(start)),
        offset(last.saturating_sub(start)),
        several(accounts),
    )
}

fn sorted(group: &Group) -> Group {
    let mut group = group.clone();
    group.sort();
    group
}

/// `remote_ip=203.0.113.9 region=eu-west-1`.
fn named<'a>(group: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let values: Vec<String> = group
        .map(|(column, value)| {
            format!(
                "{}={}",
                clean(column, 60),
                clean(value.unwrap_or("null"), 120)
            )
        })
        .collect();
    match values.is_empty() {
        true => "everything".to_owned(),
        false => values.join(" "),
    }
}

fn several(names: &[String]) -> String {
    let mut told: Vec<String> = names
        .iter()
        .take(NAMES)
        .map(|name| clean(name, 80).into_owned())
        .collect();
    if names.len() > NAMES {
        told.push(format!("and {} more", names.len() - NAMES));
    }
    format!("[{}]", told.join(", "))
}

/// Microseconds as a timeline writes them: `1h 30m`, `-3d`, `0`.
pub(super) fn offset(micros: i64) -> String {
    let mut rest = micros.unsigned_abs();
    let mut parts = Vec::new();
    for (unit, length) in [
        ("d", 86_400_000_000),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
        ("us", 1),
    ] {
        if rest >= length {
            parts.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    let sign = if micros < 0 { "-" } else { "" };
    match parts.is_empty() {
        true => "0".to_owned(),
        false => format!("{sign}{}", parts.join(" ")),
    }
}
