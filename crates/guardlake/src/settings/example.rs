//! The settings as people read them: a file to start with, and a table.

use serde_json::Value;

use super::keys::{Key, about, keys, part, schema};

/// Settings that a new file says, rather than shows behind a `#`.
const SAID: [&str; 1] = ["lake.uri"];
/// Characters of a line of comment.
const WIDTH: usize = 118;

const OPENING: &str = "\
# Settings of guardlake. It reads ./guardlake.yaml, or the file given with --config.
# Every key may be left out; what stands behind a # is what holds without it, or an example where nothing does.
# Stronger than this file are environment variables (GUARDLAKE__LAKE__URI for lake.uri, and so on), and stronger than those are
# flags. A key that does not exist is an error. `guardlake config validate` says what is wrong, `guardlake config show` what holds
# and who says so, `guardlake doctor` whether it works.
# AWS Region, profile and credentials come from where all AWS tools take them: AWS_REGION, AWS_PROFILE, instance roles, ...
";

/// A settings file to start with; `schema_file` is where its editor finds the schema.
pub(crate) fn document(schema_file: &str) -> String {
    let (schema, keys) = (schema(), keys());
    let mut text = format!("# yaml-language-server: $schema={schema_file}\n{OPENING}");
    let mut section = "";
    for key in &keys {
        let (above, name) = key.parts();
        let is_said = |key: &Key| SAID.contains(&key.path.as_str());
        let any_said = keys
            .iter()
            .any(|other| other.parts().0 == above && is_said(other));
        let mark = if any_said { "" } else { "# " };
        if above != section {
            section = above;
            text.push('\n');
            comment(&mut text, "# ", &about(part(&schema, above)));
            text.push_str(&format!("{mark}{above}:\n"));
        }
        comment(&mut text, &format!("{mark}  # "), &key.about);
        if !key.kind.is_empty() && key.kind.contains(", ") {
            comment(
                &mut text,
                &format!("{mark}  # "),
                &format!("One of: {}.", key.kind),
            );
        }
        let mark = match (any_said, is_said(key)) {
            (true, true) => "  ",
            (true, false) => "  # ",
            (false, _) => "#   ",
        };
        text.push_str(&format!("{mark}{name}: {}\n", shown(key)));
    }
    text
}

/// All settings as a table of Markdown.
pub(crate) fn table() -> String {
    let mut text =
        "| key | what it says | without it | environment |\n|---|---|---|---|\n".to_owned();
    for key in keys() {
        let default = match &key.default {
            Value::Null => "-".to_owned(),
            value => format!("`{}`", plain(value)),
        };
        let mut about = key.about.replace('\n', " ").replace('|', "\\|");
        if key.kind.contains(", ") {
            about.push_str(&format!(" One of: {}.", key.kind));
        }
        text.push_str(&format!(
            "| `{}` | {about} | {default} | `{}` |\n",
            key.path,
            key.variable()
        ));
    }
    text
}

/// A value as it stands in the file: the default, or an example.
fn shown(key: &Key) -> String {
    let (above, name) = key.parts();
    match (&key.default, &key.example) {
        (Value::Null, Value::Null) if name == "dir" => format!("./{above}"),
        (Value::Null, Value::Null) => "...".to_owned(),
        (Value::Null, value) | (value, _) => plain(value),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Adds lines of comment, broken between words.
fn comment(text: &mut String, mark: &str, about: &str) {
    let mut line = String::new();
    for word in about.split_whitespace() {
        if !line.is_empty() && mark.len() + line.len() + 1 + word.len() > WIDTH {
            text.push_str(&format!("{mark}{line}\n"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        text.push_str(&format!("{mark}{line}\n"));
    }
}
