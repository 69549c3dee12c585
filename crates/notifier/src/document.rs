//! An alert for machines: exact values in JSON, small enough for the receiver, harmless to whoever looks at it as text.

use std::fmt::Write;

use alerts::{Item, Notice, Words, clean, rfc3339};
use serde_json::{Map, Value, json};

/// How many entries lists keep and how many characters texts, from all to almost nothing.
const STEPS: [(usize, usize); 8] = [
    (1_000, 20_000),
    (1_000, 2_000),
    (200, 1_000),
    (50, 500),
    (20, 300),
    (10, 120),
    (3, 60),
    (1, 20),
];

/// All that is told of an item: `key`, `thread`, `route`, `event`, `at`, `headline`, `text`, the alert as `alert show --format json`
/// prints it, `actor`, `reason`, `accounts`, `rule`, `top`.
///
/// `headline` and `text` are for people; all other texts are what the finding said, to the letter.
pub(crate) fn document(notice: &Notice, item: &Item) -> Value {
    let words = Words::of_item(notice, item);
    let rule = &item.rule;
    let accounts: Vec<Value> = (item.accounts.iter())
        .map(|account| {
            json!({
                "account_id": account.account_id, "name": account.name,
                "ou": account.ou, "owner": account.owner,
            })
        })
        .collect();
    let top: Map<String, Value> = (item.top.iter())
        .map(|top| {
            let values = top.values.iter();
            let values = values.map(|(value, rows)| json!({"value": value, "rows": rows}));
            (top.column.clone(), values.collect())
        })
        .collect();
    json!({
        "key": notice.key, "thread": notice.thread, "route": notice.route,
        "event": item.event.as_str(), "at": rfc3339(notice.at),
        "headline": words.headline, "text": words.sentence,
        "alert": item.alert, "actor": item.alert.actor, "reason": item.alert.reason,
        "accounts": accounts, "top": top,
        "rule": {
            "description": rule.description, "tags": rule.tags, "runbook": rule.runbook, "owner": rule.owner,
            "references": rule.references, "false_positives": rule.false_positives,
        },
    })
}

/// The same in at most so many bytes of [`line`]: lists and texts are cut, and then `"truncated": true` says so. Totals such as
/// `findings_total` stay what they are. Below about 3 KB nothing is promised.
pub(crate) fn within(most: usize, notice: &Notice, item: &Item) -> Value {
    smaller(most, document(notice, item), |cut, whole| {
        // Who is told apart by these must not be told apart by half of them.
        for name in ["key", "thread"] {
            cut[name].clone_from(&whole[name]);
        }
        cut["alert"]["alert_id"].clone_from(&whole["alert"]["alert_id"]);
    })
}

/// An object in at most so many bytes of [`line`], cut where it must be, with what `keep` puts back into it.
pub(crate) fn smaller(most: usize, whole: Value, keep: impl Fn(&mut Value, &Value)) -> Value {
    let fits = |value: &Value| texts(value) <= most && line(value).len() <= most;
    if fits(&whole) {
        return whole;
    }
    let mut cut = Value::Null;
    for (list, text) in STEPS {
        cut = shortened(&whole, list, text);
        cut["truncated"] = Value::Bool(true);
        keep(&mut cut, &whole);
        if fits(&cut) {
            break;
        }
    }
    cut
}

/// Bytes of all texts in it: its JSON is longer, and this is quicker.
fn texts(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(texts).sum(),
        Value::Object(entries) => entries.values().map(texts).sum(),
        _ => 0,
    }
}

fn shortened(value: &Value, list: usize, text: usize) -> Value {
    match value {
        Value::String(whole) => match whole.char_indices().nth(text) {
            None => value.clone(),
            Some(_) => {
                let start: String = whole.chars().take(text.saturating_sub(1)).collect();
                Value::String(format!("{start}…"))
            }
        },
        Value::Array(items) => (items.iter().take(list))
            .map(|item| shortened(item, list, text))
            .collect(),
        Value::Object(entries) => (entries.iter())
            .map(|(key, value)| (key.clone(), shortened(value, list, text)))
            .collect(),
        other => other.clone(),
    }
}

/// JSON in one line. What is no plain character (control codes, bidirectional marks, what cannot be seen) is written as `\u....`:
/// whoever parses it gets exactly what was there, whoever looks at it sees that it was.
pub(crate) fn line(value: &Value) -> Vec<u8> {
    plain(&value.to_string()).into_bytes()
}

/// The same in lines, for people.
pub(crate) fn pretty(value: &Value) -> String {
    let lines = format!("{value:#}");
    let lines: Vec<String> = lines.split('\n').map(plain).collect();
    lines.join("\n")
}

/// Such characters are in strings only: the rest of JSON is plain.
fn plain(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut buffer = [0; 4];
    for c in json.chars() {
        let text: &str = c.encode_utf8(&mut buffer);
        if matches!(c, ' '..='~') || clean(text, 16) == text {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{document, line, within};
    use crate::testing;

    #[test]
    fn json_looks_harmless_and_parses_to_what_was_there() {
        let value = json!({"a": "\u{1b}[31m \u{202e}x\u{7f}\u{9b} 東京 👍 \u{e0041} \"\\ \r\n"});
        let text = String::from_utf8(line(&value)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(
            text.contains("東京 👍") && text.contains("\\u202e"),
            "{text}"
        );
        assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}' || c == '\u{e0041}'));
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let small = testing::opened();
        assert_eq!(
            within(1 << 20, &small, &small.items[0]),
            document(&small, &small.items[0])
        );
        let mut huge = testing::huge(1);
        (huge.key, huge.thread) = ("k".repeat(64), "t".repeat(64));
        huge.items[0].alert.alert_id = "a".repeat(64);
        let tiny = within(3_900, &huge, &huge.items[0]);
        assert!(line(&tiny).len() <= 3_900, "{}", line(&tiny).len());
        assert_eq!(
            (&tiny["key"], &tiny["thread"]),
            (&json!(huge.key), &json!(huge.thread))
        );
        assert_eq!(
            tiny["alert"]["alert_id"],
            json!(huge.items[0].alert.alert_id)
        );
        let cut = within(20_000, &huge, &huge.items[0]);
        assert!(line(&cut).len() <= 20_000, "{}", line(&cut).len());
        assert_eq!(cut["truncated"], json!(true));
        assert_eq!(cut["alert"]["findings_total"], json!(70_000));
        assert_eq!(cut["key"], json!(huge.key));
    }
}
