//! Alerts of groups that fire, of groups that no longer do, and of a rule whose columns changed places.

use alerts::{Event, Rule, fold};

use super::plan_rule;
use crate::evaluate::Fired;

fn rule(group_by: &str) -> Rule {
    let text = format!(
        "/*\ntitle: t\nseverity: low\ngroup_by: [{group_by}]\ncount: findings\nthreshold: 1\nwindow: 1m\n*/\nSELECT * FROM observations"
    );
    Rule::parse("r", &text).unwrap()
}

fn fired(group: &[(&str, &str)]) -> Fired {
    let mut rows = alerts::Observations::new();
    rows.push(&alerts::Observation {
        event_time: 5,
        finding: finding::FindingKey(1),
        version: finding::VersionHash(1),
        increase: 0,
        value: None,
        account_id: "1",
        region: "eu-west-1",
        finding_id: "f",
        severity: None,
    });
    let episodes = alerts::sweep(&rule("region").terms(), &mut rows);
    Fired {
        group: group
            .iter()
            .map(|(column, value)| (column.to_string(), Some(value.to_string())))
            .collect(),
        episodes,
    }
}

#[test]
fn groups_that_no_longer_fire_are_withdrawn() {
    let rule = rule("region");
    let opened = plan_rule(
        &rule,
        &[fired(&[("region", "a")]), fired(&[("region", "b")])],
        &[],
        10,
        1,
        100,
    );
    assert_eq!(
        opened.iter().map(|event| event.event).collect::<Vec<_>>(),
        [Event::Opened, Event::Opened]
    );
    let alerts = fold(opened);
    assert!(
        plan_rule(
            &rule,
            &[fired(&[("region", "a")]), fired(&[("region", "b")])],
            &alerts,
            11,
            2,
            100
        )
        .is_empty()
    );
    let gone = plan_rule(&rule, &[fired(&[("region", "a")])], &alerts, 12, 3, 100);
    assert_eq!(gone.len(), 1);
    assert_eq!(
        (gone[0].event, gone[0].group[0].1.as_deref()),
        (Event::Withdrawn, Some("b"))
    );
}

#[test]
fn the_order_of_group_columns_does_not_matter() {
    let opened = plan_rule(
        &rule("region, type"),
        &[fired(&[("region", "a"), ("type", "x")])],
        &[],
        10,
        1,
        100,
    );
    let turned = rule("type, region");
    assert!(
        plan_rule(
            &turned,
            &[fired(&[("type", "x"), ("region", "a")])],
            &fold(opened),
            11,
            2,
            100
        )
        .is_empty()
    );
}
