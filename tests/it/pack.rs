//! The rule pack: every rule has a timeline of what matters, a text for people, and names only what GuardDuty knows.

use std::collections::BTreeSet;

use jobs::timeline::Timeline;
use jobs::{Library, rules};

/// Finding types and their status, from the GuardDuty user guide and collected samples.
const TYPES: &str = include_str!("../fixtures/finding_types.csv");

fn known_types() -> BTreeSet<&'static str> {
    TYPES
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(','))
        .filter(|(_, status)| status.starts_with("active"))
        .map(|(kind, _)| kind)
        .collect()
}

/// What stands in single quotes.
fn quoted(sql: &str) -> impl Iterator<Item = &str> {
    sql.split('\'').skip(1).step_by(2)
}

#[test]
fn the_pack_is_worth_having() {
    let files = rules::load(&Library::built_in());
    assert!(files.len() >= 20, "{} rules", files.len());
    let mut titles = BTreeSet::new();
    for file in files {
        let rule = file.rule.unwrap_or_else(|error| panic!("{error}"));
        let id = &rule.id;
        assert!(rule.enabled, "{id}");
        assert!(rule.description.len() > 60, "{id}: say what it means");
        assert!(
            !rule.false_positives.is_empty(),
            "{id}: what sets it off by mistake?"
        );
        assert!(rule.tags.iter().any(|tag| tag == "guardduty"), "{id}");
        assert!(
            titles.insert(rule.title.clone()),
            "{id}: the title is taken"
        );
    }
}

#[test]
fn every_rule_has_a_timeline_of_what_matters() {
    let library = Library::built_in();
    let tested: BTreeSet<String> = library
        .timelines()
        .map(|source| source.name.clone())
        .collect();
    for file in rules::load(&library) {
        let rule = file.rule.unwrap_or_else(|error| panic!("{error}"));
        assert!(tested.contains(&rule.id), "{}: no timeline", rule.id);
    }
    for source in library.timelines() {
        let name = &source.name;
        let timeline =
            Timeline::parse(&source.file, &source.text).unwrap_or_else(|e| panic!("{e}"));
        assert!(
            timeline.tests.len() >= 3,
            "{name}: rings, is silent, late and doubled"
        );
        let text = &*source.text;
        for word in ["expect: []", "arrive: ", "duplicate: ", "- {"] {
            assert!(text.contains(word), "{name}: nothing with {word:?}");
        }
        assert!(
            text.matches("at: ").count() > text.matches("expect: []").count(),
            "{name}"
        );
    }
}

#[test]
fn rules_name_only_what_guardduty_knows() {
    let types = known_types();
    let purposes: BTreeSet<&str> = types.iter().filter_map(|t| t.split(':').next()).collect();
    let families: BTreeSet<&str> = types
        .iter()
        .filter_map(|t| t.split_once('/')?.1.split(['.', '!']).next())
        .collect();
    let actions = [
        "NETWORK_CONNECTION",
        "AWS_API_CALL",
        "PORT_PROBE",
        "DNS_REQUEST",
        "KUBERNETES_API_CALL",
        "RDS_LOGIN_ATTEMPT",
    ];
    for file in rules::load(&Library::built_in()) {
        let rule = file.rule.unwrap_or_else(|error| panic!("{error}"));
        let header = file.text.split("*/").next().unwrap_or_default();
        for word in quoted(&rule.sql) {
            // The steps of a sequence are the rule's own words, and a length of time is no word at all.
            let known = word.starts_with(|c: char| c.is_ascii_digit())
                || types.contains(word)
                || purposes.contains(word)
                || families.contains(word)
                || actions.contains(&word)
                || (header.contains("kind: sequence") && header.contains(word));
            assert!(known, "{}: GuardDuty has no '{word}'", rule.id);
        }
    }
}

#[test]
fn timelines_name_only_types_that_guardduty_knows() {
    let types = known_types();
    let mut named = 0;
    for source in Library::built_in().timelines() {
        for word in source.text.split(['"', ' ', ',', '[', ']', '{', '}', '\n']) {
            let is_type = word.contains(':') && word.contains('/') && !word.contains("//");
            if is_type {
                named += 1;
                assert!(types.contains(word), "{}: {word}", source.file);
            }
        }
    }
    assert!(named > 20, "{named} types are named");
}
