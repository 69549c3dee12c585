//! Where alerts go, and what is wrong with routes.

use serde_json::{Value, json};

use super::{Routed, Routes, event};
use crate::text::tests::alert as an_alert;
use crate::{AccountNotes, Alert};

const CHANNELS: [&str; 4] = ["soc", "pager", "team-a", "tickets"];

fn routes(root: Value) -> Routes {
    Routes::from_value(&root, &CHANNELS, &["nights"]).unwrap()
}

/// Paths and channels of where an alert comes to rest.
#[track_caller]
fn check(routes: &Routes, change: impl FnOnce(&mut Alert, &mut AccountNotes), expected: &[&str]) {
    let mut alert = an_alert();
    let mut notes = AccountNotes {
        account_id: "111122223333".to_owned(),
        name: Some("payments-prod".to_owned()),
        ou: Some("Root/Production/Payments".to_owned()),
        owner: Some("team-a@example.com".to_owned()),
    };
    change(&mut alert, &mut notes);
    let tags = ["attack.t1110".to_owned()];
    let accounts = [notes];
    let routed = Routed {
        alert: &alert,
        tags: &tags,
        accounts: &accounts,
    };
    let stops = routes.of(&routed);
    let found: Vec<String> = stops
        .iter()
        .map(|stop| format!("{}: {}", stop.path, stop.channels.join(" ")))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn an_alert_takes_the_first_route_that_it_fits_and_goes_on_only_where_told_to() {
    let routes = routes(json!({
        "channels": ["soc"],
        "routes": [
            {"name": "tickets", "match": {"severity": ">= medium"}, "channels": ["tickets"], "continue": true},
            {"name": "prod", "match": {"ou": "Root/Production/*"}, "routes": [
                {"name": "loud", "match": {"severity": ["high", "critical"]}, "channels": ["pager", "soc"]},
            ]},
            {"name": "rest", "match": {"severity": "high"}, "channels": ["team-a"]},
        ],
    }));
    check(
        &routes,
        |_, _| {},
        &["default/tickets: tickets", "default/prod/loud: pager soc"],
    );
    check(
        &routes,
        |alert, _| alert.severity = finding::Label::Low,
        &["default/prod: soc"],
    );
    check(
        &routes,
        |_, notes| notes.ou = None,
        &["default/tickets: tickets", "default/rest: team-a"],
    );
    check(
        &routes,
        |alert, notes| {
            alert.severity = finding::Label::Low;
            notes.ou = None;
        },
        &["default: soc"],
    );
}

#[test]
fn every_matcher_matches_what_it_says() {
    let hit = ["default/1: pager"];
    for matcher in [
        json!({"severity": "high"}),
        json!({"severity": ">= Low"}),
        json!({"rule": "burst*"}),
        json!({"tag": "attack.*"}),
        json!({"account": "111122223333"}),
        json!({"account": ["999900001111", "payments-*"]}),
        json!({"ou": "Root/Production/*"}),
        json!({"owner": "team-a@*"}),
        json!({"region": "eu-*"}),
        json!({"type": "Recon:*"}),
        json!({"type": "Recon:*", "severity": "high"}),
    ] {
        let tree = routes(
            json!({"channels": ["soc"], "routes": [{"match": matcher, "channels": ["pager"]}]}),
        );
        check(&tree, |_, _| {}, &hit);
    }
    for matcher in [
        json!({"severity": ["low", "critical"]}),
        json!({"rule": "Burst*"}),
        json!({"tag": "attack"}),
        json!({"account": "payments"}),
        json!({"ou": "Root/Production"}),
        json!({"region": "us-*"}),
        json!({"type": "Recon:*", "severity": "low"}),
    ] {
        let tree = routes(
            json!({"channels": ["soc"], "routes": [{"match": matcher, "channels": ["pager"]}]}),
        );
        check(&tree, |_, _| {}, &["default: soc"]);
    }
}

#[test]
fn patterns_written_for_guardduty_fit_alerts() {
    let with = |pattern: Value| {
        routes(
            json!({"channels": ["soc"], "routes": [{"pattern": pattern, "channels": ["pager"]}]}),
        )
    };
    let hit = ["default/1: pager"];
    let severe = json!({"detail": {"severity": [{"numeric": [">=", 4]}]}});
    check(&with(severe.clone()), |_, _| {}, &hit);
    check(&with(json!(severe.to_string())), |_, _| {}, &hit);
    check(
        &with(json!({"detail": {"type": [{"prefix": "Recon:"}], "accountId": ["111122223333"]}})),
        |_, _| {},
        &hit,
    );
    check(
        &with(json!({"detail": {"severity": [{"numeric": [">", 9]}]}})),
        |_, _| {},
        &["default: soc"],
    );
    let alert = an_alert();
    let routed = Routed {
        alert: &alert,
        tags: &[],
        accounts: &[],
    };
    assert_eq!(event(&routed)["detail"]["severity"], json!(9));
}

#[test]
fn what_a_route_does_not_say_is_as_above_it() {
    let tree = routes(json!({
        "channels": ["soc"], "group_by": ["account"], "group_wait": "10s", "mute_times": "nights",
        "routes": [{"name": "a", "match": {"severity": "high"}, "group_interval": "1m", "repeat_interval": "4h"}],
    }));
    let stops = tree.stops();
    assert_eq!(stops.len(), 2);
    let (root, below) = (stops[0], stops[1]);
    assert_eq!(
        (root.group_wait, root.group_interval),
        (10_000_000, 300_000_000)
    );
    assert_eq!(
        (below.group_wait, below.group_interval),
        (10_000_000, 60_000_000)
    );
    assert_eq!(
        (root.repeat_interval, below.repeat_interval),
        (None, Some(14_400_000_000))
    );
    assert_eq!(
        (&below.mute_times, &below.group_by),
        (&vec!["nights".to_owned()], &vec!["account".to_owned()])
    );
}

#[test]
fn all_mistakes_are_told_with_the_path_of_their_route() {
    let wrong = Routes::from_value(
        &json!({
            "channels": ["sok"], "group_wait": "soon",
            "routes": [
                {"name": "a", "match": {"severty": "high", "severity": "hgih"}, "chanels": []},
                {"name": "a", "match": {"type": []}},
                {"name": "b", "pattern": {"detail": {"severity": [{"nummeric": [">", 1]}]}}},
                {"name": "c/d"},
            ],
        }),
        &CHANNELS,
        &[],
    );
    let told: Vec<String> = wrong.unwrap_err().iter().map(ToString::to_string).collect();
    let told = told.join("\n");
    for expected in [
        "default: channels: there is no `sok`; did you mean `soc`?",
        "default: group_wait: `soon` is not a duration",
        "default/a: match: severty: there is no such field; did you mean `severity`?",
        "default/a: match: severity: `hgih` is none; did you mean `high`?",
        "default/a: chanels: there is no such field; did you mean `channels`?",
        "default/a: name: another route has the same path",
        "default/a: match: type: an empty list fits nothing",
        "default/b: pattern: ",
        "nummeric",
        "name: a text without `/`",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
}
