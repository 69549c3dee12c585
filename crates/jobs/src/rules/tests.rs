//! What a rule's SELECT may and may not do, and where the mistake is said to be.

mod sigma;

use alerts::Rule;

use super::{check, load};
use crate::testing::empty;
use crate::{Kind, Library};

/// The SELECT begins on line 9.
fn rule(header: &str, sql: &str) -> Rule {
    let header = match header {
        "" => "group_by: [remote_ip]\ncount: findings",
        header => header,
    };
    let text =
        format!("/*\ntitle: t\nseverity: low\n{header}\nthreshold: 2\nwindow: 1m\n*/\n{sql}");
    Rule::parse("r", &text).unwrap_or_else(|error| panic!("{error}"))
}

async fn mistakes(cases: &[(&str, &str, &str)]) {
    let session = empty().await;
    for (header, sql, expected) in cases {
        let told = match check(&session, &rule(header, sql)).await {
            Ok(()) => String::new(),
            Err(error) => error
                .mistakes
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
        };
        assert_eq!(&told, expected, "{sql}");
    }
}

#[tokio::test]
async fn selects_that_only_filter_project_and_unnest_pass() {
    mistakes(&[
        ("", "SELECT * FROM observations WHERE remote_ip IS NOT NULL AND NOT sample", ""),
        ("", "SELECT * FROM (SELECT * FROM observations) WHERE severity >= 7 ORDER BY event_time", ""),
        ("group_by: [ip]\ncount: findings", "SELECT account_id, region, finding_id, event_time, unnest(remote_ips) AS ip FROM findings", ""),
        ("group_by: [name]\ncount: occurrences", "SELECT *, lower(user_name) AS name FROM observations WHERE ip_in_cidr(remote_ip, '10.0.0.0/8')", ""),
        ("group_by: [account_id]\ncount: distinct(type)", "SELECT * FROM versions WHERE raw->'service'->>'count' = '1'", ""),
        ("group_by: [blocked]\ncount: versions", "SELECT * FROM observations", ""),
        ("group_by: []\ncount: findings", "WITH bad AS (SELECT * FROM observations WHERE severity > 1) SELECT * FROM bad", ""),
    ])
    .await;
}

#[tokio::test]
async fn what_depends_on_other_rows_is_refused() {
    mistakes(&[
        ("", "SELECT remote_ip, account_id, region, finding_id, max(event_time) AS event_time FROM observations GROUP BY 1, 2, 3, 4", "9:99: a rule takes no aggregates: the header counts, the SELECT only filters"),
        ("", "SELECT DISTINCT * FROM observations", "9:8: a rule takes no DISTINCT: findings are counted once as it is"),
        ("", "SELECT *\nFROM observations\nLIMIT 5", "11:1: a rule takes no LIMIT and OFFSET: all rows count"),
        ("", "SELECT *, row_number() OVER (ORDER BY event_time) AS n FROM observations", "9:24: a rule takes no window functions: the header says the window"),
        ("", "SELECT o.* FROM observations o JOIN accounts a ON a.account_id = o.account_id", "9:32: a rule takes no joins: only versions of findings can be measured\n9:37: select from observations, not accounts: only versions of findings can be measured"),
        ("", "SELECT * FROM current_findings", "9:15: select from observations, not current_findings: current_findings forgets the versions before the last"),
        ("", "SELECT * FROM observations WHERE account_id IN (SELECT account_id FROM accounts)", "9:49: a rule takes no subqueries: rows would depend on other rows"),
        ("", "SELECT * FROM observations UNION ALL SELECT * FROM observations", "9:28: a rule takes no UNION: write one SELECT with OR"),
    ])
    .await;
}

#[tokio::test]
async fn what_depends_on_the_moment_is_refused() {
    mistakes(&[
        ("", "SELECT * FROM observations\nWHERE event_time > now() - INTERVAL '1 day'", "10:20: now() depends on when it is asked: the window is in event time"),
        ("", "SELECT * FROM observations WHERE event_date = current_date", "9:47: current_date() depends on when it is asked: the window is in event time"),
        ("", "SELECT * FROM observations WHERE random() < 0.5", "9:34: random() gives another answer each time it is asked"),
        ("", "SELECT * FROM observations WHERE account_name = 'web'", "9:34: account_name cannot be filtered by: it changes with the next sync; leave it to routes and wording"),
        ("", "SELECT * FROM observations WHERE account_name(account_id) = 'web'", "9:34: account_name() changes with the next sync; leave names to routes and wording"),
        ("", "SELECT * FROM observations WHERE in_ou('/prod', account_id, event_time)", "9:34: in_ou() changes with the next sync; leave names to routes and wording"),
        ("group_by: [ou]\ncount: findings", "SELECT * FROM observations", "9:1: group_by: ou changes with the next sync; use account_id"),
        ("group_by: [unit]\ncount: findings", "SELECT *, ou AS unit FROM observations", "9:11: ou can be shown, but nothing can be made of it: it changes with the next sync"),
    ])
    .await;
}

#[tokio::test]
async fn missing_columns_and_words_are_pointed_at() {
    mistakes(&[
        ("", "SELECT remote_ip, region, finding_id, event_time FROM observations", "9:1: the SELECT yields no column account_id: every rule needs it"),
        ("group_by: [region]\ncount: occurrences", "SELECT * FROM findings", "9:1: the SELECT yields no column increase: count: occurrences needs it; observations has it\n9:1: the SELECT yields no column version_id: count: occurrences needs it; observations has it"),
        ("group_by: [remote_ipp]\ncount: findings", "SELECT * FROM observations", "9:1: group_by: the SELECT yields no column \"remote_ipp\" (did you mean \"remote_ip\"?)"),
        ("group_by: [remote_ips]\ncount: findings", "SELECT * FROM observations", ""),
        ("group_by: [region]\ncount: distinct(typ)", "SELECT * FROM observations", "9:1: count: the SELECT yields no column \"typ\" (did you mean \"type\"?)"),
        ("", "SELECT *\nFROM observations\nWHERE severty > 7", "11:7: no column \"severty\" (did you mean \"severity\"?)"),
        ("", "  SELECT * FROM observation", "9:17: no table \"observation\" (did you mean \"observations\"?)"),
        ("", "SELECT * FROM observations WHERE )", "9:34: Expected: an expression, found: )"),
    ])
    .await;
}

#[tokio::test]
async fn every_built_in_rule_passes() {
    let session = empty().await;
    let rules = load(&Library::built_in());
    assert!(rules.len() >= 4);
    for file in rules {
        check(
            &session,
            &file.rule.unwrap_or_else(|error| panic!("{error}")),
        )
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn overlays_replace_and_add_and_a_folder_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("alerts")).unwrap();
    std::fs::write(
        folder.path().join("alerts/mine.sql"),
        "/* title: x */ SELECT 1",
    )
    .unwrap();
    let built_in = load(&Library::built_in()).len();
    let overlaid = Library::with_overlay(folder.path()).unwrap();
    assert_eq!(load(&overlaid).len(), built_in + 1);
    let mine = load(&overlaid)
        .into_iter()
        .find(|file| file.file.ends_with("mine.sql"))
        .unwrap();
    assert!(mine.rule.is_err());
    let alone = overlaid
        .with_rules_only(&folder.path().join("alerts"))
        .unwrap();
    assert_eq!(load(&alone).len(), 1);
    assert!(alone.sources(Kind::Trend).count() >= 10);
    assert!(Library::with_overlay(&folder.path().join("nowhere")).is_err());
}
