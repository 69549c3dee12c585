//! Settings of channels: what is wrong with them is said with a line and a name.

use std::sync::Mutex;

use secrecy::SecretString;

use super::{Channels, Outside};
use crate::SecretAt;
use crate::testing;

fn kinds() -> Vec<&'static str> {
    super::KINDS.iter().map(|(kind, _)| *kind).collect()
}

#[track_caller]
fn check(yaml: &str, due: &[&str]) {
    let error = Channels::parse(yaml).unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines, due);
}

const ALL: &str = "
# a channel of each kind
out: {kind: stdout}
log: {kind: file, path: /tmp/alerts.jsonl}
oncall:
  kind: slack
  token: {env: SLACK_TOKEN}
  channel: C0123456789
  here: Critical
pager: {kind: pagerduty, routing_key: {file: /run/secrets/pagerduty}}
board:
  kind: jira
  site: https://acme.atlassian.net
  user: bot@corp.example
  token: {env: JIRA_TOKEN}
  project: SEC
  priority: {critical: Highest, high: High}
hook: {kind: webhook, url: https://hooks.example/in, secrets: [{env: HOOK_NEW}, {env: HOOK_OLD}]}
prometheus: {kind: alertmanager, url: http://alertmanager:9093}
teams: {kind: teams, url: {env: TEAMS}}
mail: {kind: email, host: mail.corp.example, from: a@corp.example, to: [b@corp.example]}
";

#[test]
fn secrets_are_read_when_channels_are_built_and_not_before() {
    let channels = Channels::parse(ALL).unwrap_or_else(|e| panic!("{e}"));
    let names: Vec<(&str, &str)> = channels.names().collect();
    assert_eq!(names.len(), 9);
    assert_eq!(names[2], ("oncall", "slack"));
    let asked = Mutex::new(Vec::new());
    let read = |at: &SecretAt| {
        asked.lock().unwrap().push(at.to_string());
        let hook = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        Ok(SecretString::from(match at {
            SecretAt::Env(name) if name == "TEAMS" => "https://teams.example/workflow?sig=x",
            SecretAt::Env(name) if name.starts_with("HOOK") => hook,
            _ => "s3cret",
        }))
    };
    let outside = Outside {
        read_secret: &read,
        ..Outside::real(testing::clock)
    };
    let built = channels.build(&outside).unwrap();
    assert_eq!(built.len(), 9);
    let asked = asked.into_inner().unwrap();
    assert_eq!(asked.len(), 6, "{asked:?}");
    assert!(asked.contains(&"file /run/secrets/pagerduty".to_owned()));
    let shown = format!("{built:?} {channels:?}");
    assert!(
        !shown.contains("s3cret") && !shown.contains("MfKQ9r8G"),
        "{shown}"
    );
}

#[test]
fn a_secret_that_cannot_be_read_is_told_of_all_channels() {
    let outside = Outside {
        read_secret: &|at| Err(format!("{at} is not set")),
        ..Outside::real(testing::clock)
    };
    let error = Channels::parse(ALL)
        .unwrap()
        .build(&outside)
        .unwrap_err()
        .to_string();
    assert_eq!(error.lines().count(), 5, "{error}");
    assert!(
        error.contains(
            "line 5, column 1: channel oncall: token: environment variable SLACK_TOKEN is not set"
        ),
        "{error}"
    );
}

#[test]
fn what_is_not_known_is_named_with_what_is_near() {
    check(
        "a: {kind: slak}",
        &["line 1, column 5: channel a: kind: there is no `slak`; did you mean `slack`?"],
    );
    check(
        "a:\n  kind: slack\n  token: {env: T}\n  chanel: C1\n",
        &["line 4, column 3: channel a: chanel: there is no such key; did you mean `channel`?"],
    );
    check(
        "a: {kind: stdout, colour: red}\nb: {kind: file, pth: x}",
        &[
            "line 1, column 19: channel a: colour: there is no such key",
            "line 2, column 17: channel b: pth: there is no such key; did you mean `path`?",
        ],
    );
    let due = format!(
        "line 1, column 5: channel a: kind: there is no `opsgenie`; there are {}",
        kinds().join(", ")
    );
    check("a: {kind: opsgenie}", &[&due]);
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let due = format!(
        "line 1, column 1: channel a: kind: missing; it is one of {}",
        kinds().join(", ")
    );
    check("a: {}", &[&due]);
    check(
        "a: {kind: file}",
        &["line 1, column 1: channel a: missing field `path`"],
    );
    check(
        "\n\na:\n  kind: slack\n  webhook: https://hooks.slack.com/services/T/B/s3cret\n",
        &[
            "line 5, column 3: channel a: webhook: a secret is not written here: give `{env: NAME}` or `{file: /path}`",
        ],
    );
    check(
        "a: {kind: slack, token: {env: A}}",
        &["line 1, column 1: channel a: channel: missing; say where the bot is to post"],
    );
    check(
        "a: {kind: slack, webhook: {env: A}, here: urgent}",
        &[
            "line 1, column 37: channel a: here: must be informational, low, medium, high or critical",
        ],
    );
    check(
        "a: {kind: pagerduty, routing_key: {env: A}, priority: {hihg: P1}}",
        &[
            "line 1, column 56: channel a: priority.hihg: must be informational, low, medium, high or critical",
        ],
    );
    check(
        "a b: {kind: stdout}",
        &[
            "line 1, column 1: channel a b: a name is letters, digits, `_`, `-` and `.`, at most 64 of them",
        ],
    );
    check(
        "a: slack",
        &["line 1, column 1: channel a: must be lines of `key: value`, one of them `kind:`"],
    );
    check("- a", &["line 1, column 1: must be lines of `name: ...`"]);
}

#[test]
fn yaml_that_is_broken_has_a_line_too() {
    let error = Channels::parse("a: {kind: stdout}\na: {kind: stdout}\n").unwrap_err();
    assert_eq!(error.mistakes[0].line, 2, "{error}");
    let error = Channels::parse("a: {kind: stdout\nb: [").unwrap_err();
    assert!(error.mistakes[0].line >= 1, "{error}");
    assert_eq!(Channels::parse("").unwrap().names().count(), 0);
}

#[test]
fn the_examples_of_the_documents_are_right() {
    let text = include_str!("../../../../docs/channels.md");
    let yaml = text
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let channels = Channels::parse(yaml).unwrap_or_else(|e| panic!("{e}"));
    let mut named: Vec<&str> = channels.names().map(|(_, kind)| kind).collect();
    named.sort_unstable();
    named.dedup();
    assert_eq!(named, kinds());
}
