//! What the kinds of rules read, and what they refuse.

use crate::rule::{Count, Kind, Rule};

const HEAD: &str = "title: t\nseverity: low\ngroup_by: [account_id]\n";

fn read(fields: &str) -> Result<Rule, crate::RuleError> {
    Rule::parse(
        "r",
        &format!("/*\n{HEAD}{fields}\n*/\nSELECT * FROM observations"),
    )
}

#[track_caller]
fn rule(fields: &str) -> Rule {
    read(fields).unwrap_or_else(|error| panic!("{error}"))
}

/// The places and messages of all mistakes; lines count from the first of `fields`.
#[track_caller]
fn refused(fields: &str, expected: &[&str]) {
    let error = read(fields).expect_err("it was accepted");
    let found: Vec<String> = error
        .mistakes
        .iter()
        .map(|mistake| {
            format!(
                "{}:{}: {}",
                mistake.line as i64 - 4,
                mistake.column,
                mistake.message
            )
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn new_terms() {
    let rule = rule("kind: new_terms\nterm: remote_country\nlookback: 30d\nmin_history: 7d");
    assert_eq!(
        (
            rule.threshold,
            rule.window.as_str(),
            rule.suppress_for.as_str()
        ),
        (1, "1h", "1h")
    );
    assert_eq!(
        rule.count,
        Count::Distinct(vec!["remote_country".to_owned()])
    );
    assert!(matches!(&rule.kind, Kind::NewTerms { term, .. } if term == &["remote_country"]));
    refused(
        "kind: new_terms\nlookback: 1d\nmin_history: 2d",
        &["-3:1: term: missing; the column whose new values ring"],
    );
    refused(
        "kind: new_terms\nterm: [type, region]\nlookback: 1d\nmin_history: 2d",
        &["4:14: min_history: 2d is longer than lookback, 1d"],
    );
    refused(
        "kind: new_terms\nterm: type\nlookback: 1d\ncount: findings\nsteps: [a]",
        &[
            "4:8: count: not of kind new_terms; it belongs to threshold, rate",
            "5:8: steps: not of kind new_terms; it belongs to sequence",
        ],
    );
}

#[test]
fn rate() {
    let rule =
        rule("kind: rate\nthreshold: 10\nwindow: 1d\nbaseline: 28d\nseason: 7d\nfactor: 2.5");
    let Kind::Rate {
        factor,
        min_history,
        ..
    } = &rule.kind
    else {
        panic!("{:?}", rule.kind)
    };
    assert_eq!((*factor, min_history.as_str()), (2.5, "28d"));
    refused(
        "kind: rate\nthreshold: 10\nwindow: 1d\nbaseline: 10d\nseason: 7d\nfactor: 3",
        &["4:11: baseline: 10d is not a whole number of times 7d"],
    );
    refused(
        "kind: rate\nthreshold: 10\nwindow: 1d\nbaseline: 7d\nfactor: 0\ncount: sum(severity)",
        &[
            "5:9: factor: must be a number above 0",
            "6:8: count: a rate is of findings, occurrences, versions or distinct values",
        ],
    );
}

#[test]
fn sequence() {
    let three = rule("kind: sequence\nsteps: [a, b, c]\nwindow: 1h");
    assert_eq!(three.threshold, 3);
    let own = rule(
        "kind: sequence\nwindow: 1h\nsteps:\n  - step: a\n    count: distinct(remote_ip)\n    threshold: 10\n    window: 5m\n  - b",
    );
    let Kind::Sequence { steps, ordered, .. } = &own.kind else {
        panic!("{:?}", own.kind)
    };
    let needs = steps[0].needs.as_ref().unwrap();
    assert_eq!(
        (
            needs.count.to_string(),
            needs.bounds.least(),
            needs.window.as_str()
        ),
        ("distinct(remote_ip)".into(), 10, "5m")
    );
    assert!(*ordered && steps[1].needs.is_none());
    let some = rule("kind: sequence\nordered: false\nthreshold: 2\nsteps: [a, b, c]\nwindow: 1h");
    assert_eq!(some.threshold, 2);
    rule("kind: sequence\ncondition: a and not b\nsteps: [a, b]\nwindow: 1h");
    refused(
        "kind: sequence\nordered: true\ncondition: a\nsteps: [a, b]\nwindow: 1h",
        &["3:12: condition: only with `ordered: false`"],
    );
    refused(
        "kind: sequence\nordered: false\nthreshold: 4\nsteps: [a, b]\nwindow: 1h",
        &["3:12: threshold: there are only 2 steps"],
    );
    refused(
        "kind: sequence\nsteps: [recon, acess]\ncondition: recon and access\nwindow: 1h",
        &["3:12: condition: there is no step `access`; did you mean `acess`?"],
    );
    refused(
        "kind: sequence\nwindow: 1h\nsteps:\n  - step: a\n    treshold: 3",
        &["5:5: steps: there is no such field `treshold`; did you mean `threshold`?"],
    );
    refused(
        "kind: sequence\nwindow: 1h\nsteps: [a, b, a]",
        &["3:8: steps: `a` is there twice"],
    );
}

#[test]
fn absence_and_query() {
    let silent = rule("kind: absence\nlookback: 30d\nthreshold: 10\nwindow: 3d");
    assert!(silent.kind.is_timely() && silent.threshold == 10);
    refused(
        "kind: absence\nlookback: 30d",
        &["-3:1: window: missing; how long the silence must last, for example `window: 3d`"],
    );
    let query = rule("kind: query");
    assert!(query.kind.is_timely());
    refused(
        "kind: query\nthreshold: 3",
        &[
            "2:12: threshold: not of kind query; it belongs to threshold, new_terms, rate, sequence, absence",
        ],
    );
}

#[test]
fn counts_and_comparisons() {
    let rule = |fields: &str| rule(&format!("{fields}\nwindow: 1h"));
    assert_eq!(
        rule("threshold: \"> 10, <= 20\"").bounds.to_string(),
        ">= 11, <= 20"
    );
    let sum = rule("count: sum(severity)\nthreshold: \"> 0.5\"");
    assert_eq!(
        (sum.threshold, sum.bounds.to_string()),
        (1, "> 0.5".to_owned())
    );
    assert_eq!(
        rule("count: percentile( 95 , severity )\nthreshold: 8.5").count,
        Count::Percentile(95.0, "severity".into())
    );
    assert_eq!(rule("count: avg(severity)\nthreshold: -1").threshold, 1);
    refused(
        "count: percentile(severity)\nthreshold: 8\nwindow: 1h",
        &[
            "1:8: count: percentile needs a number from 0 to 100 and a column: `percentile(95, severity)`",
        ],
    );
    refused(
        "threshold: \"< 5\"\nwindow: 1h",
        &[
            "1:12: threshold: needs a comparison from below: that fewer came cannot be seen at an event, see `kind: absence`",
        ],
    );
}

#[test]
fn a_revision_is_the_meaning() {
    let plain = rule("threshold: 10\nwindow: 1h").revision();
    assert_eq!(
        rule("threshold: \">= 10\"\nwindow: 1h\nresolve_after: 1d").revision(),
        plain
    );
    let mut seen = vec![plain];
    for fields in [
        "threshold: \"= 10\"\nwindow: 1h",
        "threshold: 10\nwindow: 1h\nnull_groups: keep",
        "kind: new_terms\nterm: type\nlookback: 10d",
        "kind: new_terms\nterm: region\nlookback: 10d",
        "kind: new_terms\nterm: region\nlookback: 11d",
        "kind: sequence\nsteps: [a, b]\nwindow: 1h",
        "kind: sequence\nsteps: [a, c]\nwindow: 1h",
        "kind: sequence\nordered: false\nsteps: [a, c]\nwindow: 1h",
        "kind: sequence\ncondition: a and c\nsteps: [a, c]\nwindow: 1h",
        "kind: sequence\ncondition: a or c\nsteps: [a, c]\nwindow: 1h",
    ] {
        let revision = rule(fields).revision();
        assert!(!seen.contains(&revision), "{fields}");
        seen.push(revision);
    }
}
