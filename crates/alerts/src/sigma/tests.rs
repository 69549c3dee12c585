//! Whatever the text: rules, or mistakes that lie within it.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::{convert, fields};
use crate::{Rule, clean};

fn corpus() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sigma");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "yml"))
        .collect();
    paths.sort();
    let read = |path| fs::read_to_string(path).unwrap();
    paths.into_iter().map(read).collect()
}

#[test]
fn every_field_is_asked_for_in_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sigma");
    let text = fs::read_to_string(folder.join("every_field.yml")).unwrap();
    let rule = convert("x", &text).unwrap().remove(0);
    for field in fields::all() {
        let sql = match field.kind {
            fields::Kind::List => format!("cardinality({}) > 0", field.sql),
            _ => format!("{} IS NOT NULL", field.sql),
        };
        assert!(
            rule.text.contains(&sql),
            "`{}` is not in every_field.yml",
            field.name
        );
    }
}

#[test]
fn names_are_found_in_any_case_and_behind_detail() {
    for (name, column) in [
        ("severity", "severity"),
        ("Severity", "severity"),
        ("detail.severity", "severity"),
        ("id", "finding_id"),
        ("detail.service.action.actionType", "action_type"),
        ("Service.Action.ActionType", "action_type"),
        (
            "service.action.rdsLoginAttemptAction.remoteIpDetails.ipAddressV4",
            "remote_ip",
        ),
        ("service.featureName", "service_feature_name"),
    ] {
        assert_eq!(fields::field(name).unwrap().name, column, "{name}");
    }
    for (name, why) in [
        ("detail.detail.severity", "no such field"),
        ("detail", "no such field"),
        (
            "service.action.a.b.remoteIpDetails.ipAddressV4",
            "no such field",
        ),
        ("servce.count", "did you mean `service.count`"),
        ("ou", "next sync"),
        ("severity' OR 1=1", "no such field"),
    ] {
        let error = fields::field(name).unwrap_err();
        assert!(error.contains(why), "{name}: {error}");
    }
}

#[test]
fn columns_that_are_made_go_by_plain_names() {
    for (name, snake) in [
        ("service.featureName", "service_feature_name"),
        ("requestURI", "request_uri"),
        ("a--b", "a_b"),
        ("1st", "n1st"),
        ("\"; DROP", "drop"),
        ("日本", "value"),
        ("", "value"),
    ] {
        assert_eq!(fields::snake(name), snake, "{name}");
    }
}

#[test]
fn a_byte_order_mark_and_places_behind_it() {
    assert!(
        convert(
            "x",
            "\u{feff}{title: T, detection: {s: {region: x}, condition: s}}"
        )
        .is_ok()
    );
    let error = convert(
        "x",
        "\u{feff}title: T\nlevel: hgih\ndetection: {s: {region: x}, condition: s}",
    );
    let error = error.unwrap_err().to_string();
    assert_eq!(
        error,
        "x.yml:2:8: level: there is no level `hgih`; did you mean `high`?"
    );
}

#[test]
fn places_in_quoted_and_folded_conditions() {
    for (condition, place) in [
        ("'s and t'", "4:21"),
        ("\"s and t\"", "4:21"),
        ("s and t", "4:20"),
        ("\"s \\x61nd t\"", "4:14"),
        (">\n    s and\n    t", "5:5"),
    ] {
        let text = format!("title: T\ndetection:\n  s: {{region: x}}\n  condition: {condition}\n");
        let error = convert("x", &text).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("x.yml:{place}: ")),
            "{condition}: {error}"
        );
    }
}

#[test]
fn what_is_nested_or_repeated_without_end_is_refused() {
    let detection = |condition: &str| {
        format!("{{title: T, detection: {{s: {{region: x}}, condition: \"{condition}\"}}}}")
    };
    let deep = detection(&format!("{}s{}", "(".repeat(10_000), ")".repeat(10_000)));
    let error = convert("x", &deep).unwrap_err().to_string();
    assert!(error.contains("nested too deeply"), "{error}");
    let nots = detection(&format!("{}s", "not ".repeat(10_000)));
    assert!(convert("x", &nots).is_err());
    let yaml = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(convert("x", &yaml).is_err());
    let mut many = String::from("{title: T, detection: {condition: \"");
    many.push_str(&vec!["1 of them"; 300].join(" or "));
    many.push('"');
    for nth in 0..100 {
        many.push_str(&format!(", s{nth}: {{region: x}}"));
    }
    many.push_str("}}");
    let error = convert("x", &many).unwrap_err().to_string();
    assert!(error.contains("is too long"), "{error}");
}

/// Text of a file as an enemy would write it.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[-'\"`$;:,#&|>!{}\\[\\]()*?%\\\\ \r\n\te0-9a-cä\u{feff}]{0,6}",
        prop::sample::select(vec![
            "title: ",
            "detection:",
            "condition: ",
            "correlation:",
            "rules: ",
            "timespan: ",
            "type: ",
            "\n---\n",
            "event_count",
            "temporal",
            "filter:",
            "group-by: ",
            "aliases:",
            "name: ",
            "not ",
            "1 of them",
            "null",
            "|contains",
            "|re",
            "|cidr",
            "&a ",
            "*a",
            "\n  ",
            "\n    ",
            "region",
            "severity|gt",
            "gte: 1",
            "1e999",
            "-0",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_never_panics(garbage in pieces(), file in prop::sample::select(corpus()), at in 0..10_000_usize, cut in 0..10_000_usize) {
        let floor = |at: usize| (0..=at % (file.len() + 1)).rev().find(|at| file.is_char_boundary(*at)).unwrap();
        let (at, cut) = (floor(at), floor(cut));
        for text in [garbage.clone(), format!("{}{garbage}{}", &file[..at], &file[cut..])] {
            match convert("x", &text) {
                Ok(rules) => for rule in rules {
                    prop_assert_eq!(&Rule::parse(&rule.id, &rule.text).unwrap(), &rule.rule);
                    for line in rule.text.lines() {
                        prop_assert_eq!(clean(line, line.len()), line, "{:?}", text);
                    }
                },
                Err(error) => {
                    prop_assert!(!error.mistakes.is_empty());
                    for mistake in error.mistakes {
                        prop_assert!(mistake.line >= 1 && mistake.line <= text.split(['\n', '\r']).count() + 1, "{mistake} in {text:?}");
                        prop_assert!(mistake.column >= 1, "{mistake} in {text:?}");
                        prop_assert!(!mistake.message.chars().any(char::is_control), "{mistake:?} in {text:?}");
                    }
                }
            }
        }
    }
}
