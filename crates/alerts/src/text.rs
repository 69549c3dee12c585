//! How an alert is told to a person on a terminal. Finding text is hostile: whoever attacks an account can name a bucket,
//! a user or a process, and that name ends up here.

mod show;
#[cfg(test)]
pub(crate) mod tests;

use std::borrow::Cow;
use std::fmt::Write;

pub use show::Shown;

use crate::{Alert, rfc3339};

/// How many ids or accounts are named before the rest is only counted.
const NAMED: usize = 5;

/// Text that does to a terminal what it says and nothing else, at most `max` characters long.
///
/// Control characters, line breaks, bidirectional controls and characters without a shape are shown as escapes
/// (`\n`, `\u{1b}`, `\u{202e}`), so that what was hidden can be seen. Longer text is cut at a character, never within an
/// escape, and ends in `…`. White space other than a plain space becomes one.
pub fn clean(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut len = 0;
    // Where to cut, should more come than fits: the last end of a character that leaves room for the ellipsis.
    let mut cut = 0;
    for c in text.chars() {
        let start = out.len();
        match c {
            c if is_plain(c) => out.push(c),
            c if c.is_whitespace() && !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}') => {
                out.push(' ')
            }
            c => out.extend(c.escape_default()),
        }
        len += out[start..].chars().count();
        if len > max {
            out.truncate(cut);
            if max > 0 {
                out.push('…');
            }
            break;
        }
        if len < max {
            cut = out.len();
        }
    }
    Cow::Owned(out)
}

/// Whether a character may be printed as it is.
fn is_plain(c: char) -> bool {
    match c {
        ' '..='~' => true,
        c if c.is_control() || c.is_whitespace() => false,
        // Soft hyphen, Arabic letter mark, Mongolian vowel separator.
        '\u{ad}' | '\u{61c}' | '\u{180b}'..='\u{180f}' => false,
        // Zero width, directional marks, embeddings, overrides, isolates, invisible operators.
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => false,
        // Fillers that look like nothing, byte order mark, annotations.
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{3164}'
        | '\u{ffa0}' => false,
        '\u{feff}' | '\u{fff0}'..='\u{fffb}' => false,
        // Musical controls, tags, variation selectors beyond those of emoji.
        '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => false,
        _ => true,
    }
}

/// An alert in a few lines, for example after `alert run`.
pub fn terminal(alert: &Alert) -> String {
    let mut out = String::new();
    let label = alert.severity.as_str().to_uppercase();
    let _ = writeln!(out, "{label}  {}", clean(&alert.title, 120));
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "  {name:<9} {text}");
    };
    let mut state = alert.state.as_str().to_owned();
    if let Some(until) = alert.snoozed_until {
        let _ = write!(state, " until {}", rfc3339(until));
    }
    if let Some(id) = &alert.suppressed_by {
        let _ = write!(state, ", suppressed by {}", clean(id, 64));
    }
    if alert.historic {
        state.push_str(", too old to ring");
    }
    line(
        "alert",
        format!(
            "{} ({state}) by rule {}",
            alert.alert_id,
            clean(&alert.rule, 128)
        ),
    );
    let group: Vec<String> = (alert.group.iter())
        .map(|(column, value)| {
            let value = value
                .as_deref()
                .map_or(Cow::Borrowed("(none)"), |value| clean(value, 80));
            format!("{} = {value}", clean(column, 60))
        })
        .collect();
    line(
        "group",
        if group.is_empty() {
            "everything".to_owned()
        } else {
            group.join(", ")
        },
    );
    let judged = format!(
        "{} within {} (threshold {})",
        alert.count,
        clean(&alert.window, 40),
        alert.threshold
    );
    line(
        "count",
        format!("{judged}, at {}", rfc3339(alert.window_end)),
    );
    line(
        "seen",
        format!(
            "{} to {}",
            rfc3339(alert.first_seen),
            rfc3339(alert.last_seen)
        ),
    );
    line(
        "accounts",
        some_of(&alert.accounts, alert.accounts.len() as u64),
    );
    line(
        "regions",
        some_of(&alert.regions, alert.regions.len() as u64),
    );
    line(
        "findings",
        some_of(&alert.findings, alert.findings_total.max(0) as u64),
    );
    out
}

/// `3: a, b, c` or `12: a, b, c, d, e and 7 more`.
fn some_of(words: &[String], total: u64) -> String {
    let named: Vec<Cow<'_, str>> = words
        .iter()
        .take(NAMED)
        .map(|word| clean(word, 64))
        .collect();
    let rest = match total.saturating_sub(named.len() as u64) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    format!("{total}: {}{rest}", named.join(", "))
}
