//! The rules that come with guardlake are read without a mistake and say what a person on call needs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use alerts::{Count, Kind, Rule};

fn built_in() -> BTreeMap<String, Rule> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/alerts");
    let mut rules = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "sql") {
            continue;
        }
        let id = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let rule = Rule::parse(&id, &fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{error}"));
        rules.insert(id, rule);
    }
    rules
}

/// Group, unit, threshold, window and suppression of a rule.
#[track_caller]
fn check(
    id: &str,
    group_by: &[&str],
    count: Count,
    threshold: u64,
    window: &str,
    suppress_for: &str,
) {
    let rule = &built_in()[id];
    assert_eq!(rule.group_by, group_by);
    assert_eq!((&rule.count, rule.threshold), (&count, threshold));
    assert_eq!(
        (rule.window.as_str(), rule.suppress_for.as_str()),
        (window, suppress_for)
    );
}

#[test]
fn what_they_judge() {
    let accounts = || Count::Distinct(vec!["account_id".to_owned()]);
    check(
        "burst_from_one_remote_ip",
        &["remote_ip"],
        Count::Findings,
        10,
        "10m",
        "1h",
    );
    check(
        "one_remote_ip_many_accounts",
        &["remote_ip"],
        accounts(),
        5,
        "1h",
        "6h",
    );
    check(
        "new_high_or_critical_finding",
        &["account_id", "region", "finding_id"],
        Count::Findings,
        1,
        "1d",
        "90d",
    );
    check(
        "burst_in_one_account",
        &["account_id"],
        Count::Findings,
        30,
        "30m",
        "2h",
    );
    check(
        "same_type_in_many_accounts",
        &["type"],
        accounts(),
        5,
        "6h",
        "1d",
    );
}

#[test]
fn what_they_tell() {
    let rules = built_in();
    assert!(rules.len() >= 20);
    for (id, rule) in rules {
        assert!(rule.enabled, "{id}");
        assert!(
            rule.description.len() > 40 && !rule.description.contains('\n'),
            "{id}: {}",
            rule.description
        );
        assert!(
            !rule.tags.is_empty() && !rule.false_positives.is_empty(),
            "{id}"
        );
        assert!(
            rule.kind == Kind::Query
                || (rule.sql.contains("FROM observations") && rule.sql.contains("NOT sample")),
            "{id}"
        );
    }
}
