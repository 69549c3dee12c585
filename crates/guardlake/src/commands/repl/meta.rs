//! Commands of the prompt that begin with a backslash, as psql spells them.

use std::path::PathBuf;

use jobs::Kind;

/// What the prompt does beside asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meta {
    Help,
    Quit,
    /// `\d TABLE`, or all tables.
    Describe(Option<String>),
    /// `\df`, those whose name holds a word.
    Functions(Option<String>),
    Timing,
    Expanded,
    /// `\o FILE`, or back to the screen.
    Output(Option<PathBuf>),
    Include(PathBuf),
    Edit,
    /// `\trend` or `\investigate`: name, then values and name=value.
    Question(Kind, Vec<String>),
}

/// Every command with what it takes and does: the help, and what completes.
pub(super) const COMMANDS: [(&str, &str, &str); 12] = [
    ("\\d", "[TABLE]", "columns of a table or view; all tables"),
    ("\\dt", "", "tables and views"),
    ("\\df", "[WORD]", "functions, those whose names hold WORD"),
    (
        "\\trend",
        "[NAME [name=value ..]]",
        "ask a built-in question, or list them",
    ),
    (
        "\\investigate",
        "[NAME VALUE [name=value ..]]",
        "ask about an address, instance, principal, account",
    ),
    ("\\i", "FILE", "ask the queries of a file"),
    ("\\e", "", "edit the last query in $EDITOR, and ask it"),
    (
        "\\o",
        "[FILE]",
        "answers go to a new file (.csv, .json, .ndjson, .md, else tables); without FILE to the screen again",
    ),
    ("\\x", "", "each column on a line of its own, on or off"),
    ("\\timing", "", "how long an answer took, on or off"),
    ("\\?", "", "this"),
    ("\\q", "", "leave; so does Ctrl-D"),
];

/// The help, a line a command.
pub(super) fn help() -> String {
    let mut text = String::from(
        "A query ends with ; and may take several lines. Ctrl-C gives up a query that runs, or a line. Tab completes.\n",
    );
    for (name, takes, does) in COMMANDS {
        text.push_str(&format!("  {:<42} {does}\n", format!("{name} {takes}")));
    }
    text
}

/// Reads a line that is a command; `None` where it is none, an error where it is an unknown or a wrong one.
pub(super) fn read(line: &str) -> Option<Result<Meta, String>> {
    let line = line.trim();
    match line.trim_end_matches(';').trim_end() {
        "exit" | "quit" => return Some(Ok(Meta::Quit)),
        "help" => return Some(Ok(Meta::Help)),
        _ => {}
    }
    if !line.starts_with('\\') {
        return None;
    }
    let mut words = match split(line.trim_end_matches(';')) {
        Ok(words) => words.into_iter(),
        Err(why) => return Some(Err(why)),
    };
    let name = words.next().unwrap_or_default();
    let rest: Vec<String> = words.collect();
    Some(command(&name, rest))
}

fn command(name: &str, mut rest: Vec<String>) -> Result<Meta, String> {
    let most = match name {
        "\\trend" | "\\investigate" => usize::MAX,
        "\\d" | "\\df" | "\\o" | "\\i" => 1,
        "\\dt" | "\\e" | "\\x" | "\\timing" | "\\?" | "\\h" | "\\q" => 0,
        unknown => {
            let names = COMMANDS.iter().map(|(name, ..)| *name);
            let hint = jobs::closest(unknown, names).unwrap_or("\\?");
            return Err(format!(
                "there is no command `{unknown}`; did you mean `{hint}`?"
            ));
        }
    };
    if rest.len() > most {
        return Err(format!(
            "{name} does not take `{}`; \\? lists the commands",
            rest[most]
        ));
    }
    let first = (most == 1).then(|| rest.pop()).flatten();
    Ok(match name {
        "\\?" | "\\h" => Meta::Help,
        "\\q" => Meta::Quit,
        "\\d" => Meta::Describe(first),
        "\\dt" => Meta::Describe(None),
        "\\df" => Meta::Functions(first),
        "\\timing" => Meta::Timing,
        "\\x" => Meta::Expanded,
        "\\e" => Meta::Edit,
        "\\o" => Meta::Output(first.map(PathBuf::from)),
        "\\i" => Meta::Include(first.ok_or("\\i needs a file")?.into()),
        "\\trend" => Meta::Question(Kind::Trend, rest),
        _ => Meta::Question(Kind::Investigation, rest),
    })
}

/// Words between blanks; quotes, single or double, hold blanks together.
fn split(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match quote {
        None => Ok(words),
        Some(open) => Err(format!("a {open} is missing at the end")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Meta) {
        assert_eq!(read(line), Some(Ok(expected)), "{line}");
    }

    #[test]
    fn commands_are_those_of_psql() {
        check("\\q", Meta::Quit);
        check(" quit; ", Meta::Quit);
        check("\\d findings;", Meta::Describe(Some("findings".into())));
        check("\\dt", Meta::Describe(None));
        check("\\df ip", Meta::Functions(Some("ip".into())));
        check(
            "\\o 'my answer.csv'",
            Meta::Output(Some("my answer.csv".into())),
        );
        check("\\o", Meta::Output(None));
        check("\\i a.sql", Meta::Include("a.sql".into()));
        let words = ["regions", "from=end - 7d"].map(str::to_owned).to_vec();
        check(
            "\\trend regions from='end - 7d'",
            Meta::Question(Kind::Trend, words),
        );
        assert_eq!(read("SELECT '\\q';"), None);
        assert_eq!(read("exit_code"), None);
    }

    #[test]
    fn mistakes_say_what_there_is() {
        let wrong = |line: &str| read(line).unwrap().unwrap_err();
        assert!(wrong("\\tredn regions").contains("did you mean `\\trend`?"));
        assert!(wrong("\\x on").contains("\\x does not take `on`"));
        assert!(wrong("\\i").contains("needs a file"));
        assert!(wrong("\\trend 'a").contains("missing"));
    }
}
