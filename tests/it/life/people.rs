//! What people do on the command line, and what they see.

use std::collections::BTreeSet;

use lake::{AccountRow, Lake};
use serde_json::Value;

use super::ground::{DAY, MINUTE, SECOND, burst, ip, store};
use crate::support::{finish, folder, guardlake, ndjson, run, sql};

/// A lake with two bursts of now, a rule for them in a folder, and the names of the accounts.
struct Ground {
    folder: tempfile::TempDir,
    lake: String,
}

#[allow(
    clippy::disallowed_methods,
    reason = "the binary under test reads the same clock"
)]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("a clock").as_micros() as i64
}

impl Ground {
    async fn new() -> Ground {
        let (folder, uri) = folder();
        let lake = Lake::open_or_create(&uri).await.expect("a lake");
        let end = now() / SECOND * SECOND - MINUTE;
        store(&lake, &burst(0, 4, end, 1)).await;
        store(&lake, &burst(100, 5, end, 2)).await;
        let account = |id: &str, name: &str, from: i64| AccountRow {
            account_id: id.into(),
            name: Some(name.into()),
            ou: None,
            owner: None,
            email: None,
            tags: vec![],
            valid_from: end - from,
            valid_to: None,
        };
        let names = [
            account("000000000000", "old-name", 2 * DAY),
            account("000000000000", "web", DAY),
            account("000000000001", "data\u{1b}[2J", DAY),
        ];
        lake.append_accounts(&names).await.expect("names");
        let rules = folder.path().join("rules");
        std::fs::create_dir(&rules).expect("a folder");
        let rule = "/*\ntitle: Burst\nseverity: high\ngroup_by: [remote_ip]\nthreshold: 3\nwindow: 10m\nsuppress_for: 1h\n*/\nSELECT * FROM observations\n";
        std::fs::write(rules.join("burst.sql"), rule).expect("a rule");
        Ground { folder, lake: uri }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Runs `alert ...`; what it says on standard error.
    #[track_caller]
    fn alert(&self, arguments: &[&str], code: i32) -> String {
        let all = [&["--lake", &self.lake, "alert"], arguments].concat();
        let output = finish(guardlake().env("USER", "ada").args(all), code);
        String::from_utf8(output.stderr).expect("UTF-8")
    }

    fn evaluate(&self, more: &[&str]) -> String {
        let rules = self.path("rules");
        let all = [&["alert", "run", "--once", "--rules", &rules], more].concat();
        let output = run(&self.lake, &all, 0);
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn list(&self, more: &[&str]) -> Vec<Value> {
        let all = [&["--format", "ndjson", "alert", "list"], more].concat();
        ndjson(&run(&self.lake, &all, 0))
    }

    fn show(&self, id: &str) -> Value {
        ndjson(&run(
            &self.lake,
            &["--format", "ndjson", "alert", "show", id],
            0,
        ))
        .remove(0)
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or("null")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledge_snooze_resolve_reopen() {
    let ground = Ground::new().await;
    assert_eq!(ground.evaluate(&[]).matches("HIGH  Burst").count(), 2);
    let mut alerts = ground.list(&[]);
    alerts.sort_by_key(|alert| alert["count"].as_i64());
    let ids: Vec<&str> = alerts.iter().map(|alert| text(alert, "alert_id")).collect();
    let [one, two] = ids[..] else {
        panic!("{ids:?}")
    };

    // Both at once, by $USER; again it is so already.
    ground.alert(&["ack", one, two, one, "--reason", "mine"], 0);
    let said = ground.alert(&["ack", one], 0);
    assert!(
        said.contains(&format!("{one} is acknowledged already, by you")),
        "{said}"
    );
    let shown = ground.list(&["--state", "acknowledged"]);
    assert_eq!(shown.len(), 2);
    assert_eq!(text(&shown[0], "state_by"), "ada");

    ground.alert(&["snooze", &one[..12], "--for", "4h", "--by", "bob"], 0);
    let snoozed = ground.show(one);
    assert_eq!(
        (text(&snoozed, "state"), text(&snoozed, "state_by")),
        ("snoozed", "bob")
    );
    let until = alerts::instant(text(&snoozed, "snoozed_until")).expect("a time");
    assert!((until - now() - 240 * MINUTE).abs() < 5 * MINUTE);
    ground.alert(&["resolve", two, "--reason", "our own scan"], 0);
    let refused = ground.alert(&["ack", two], 3);
    assert!(refused.contains("is resolved, by ada at"), "{refused}");
    ground.alert(&["reopen", two, "--reason", "not ours"], 0);
    let history = ground.show(two)["history"].clone();
    let history: Vec<String> = history
        .as_array()
        .expect("a history")
        .iter()
        .map(|e| {
            format!(
                "{} {} {} {}",
                text(e, "event"),
                text(e, "actor"),
                text(e, "reason"),
                e["rings"]
            )
        })
        .collect();
    assert_eq!(
        history,
        [
            "opened evaluator 5 findings within 10m (threshold 3) true",
            "acknowledged ada mine false",
            "resolved ada our own scan false",
            "reopened ada not ours false",
        ]
    );
    let reopened = ground.show(two);
    assert_eq!(reopened["findings"].as_array().map(Vec::len), Some(5));
    // The view says the same.
    let states = sql(
        &ground.lake,
        "SELECT alert_id, state, state_by FROM alerts ORDER BY state",
    );
    let states: Vec<_> = states
        .iter()
        .map(|row| (text(row, "state"), text(row, "state_by")))
        .collect();
    assert_eq!(states, [("open", "ada"), ("snoozed", "bob")]);

    // What is wrong with an argument is said and does nothing.
    let wrong: [(&[&str], &str); 8] = [
        (&["ack", "al-"], "2 alerts start with `al-`"),
        (&["ack", "al-zz", one], "there is no alert `al-zz`"),
        (
            &["ack", one, "--by", "evaluator"],
            "is what guardlake calls itself",
        ),
        (&["snooze", one, "--for", "soon"], "--for: "),
        (
            &["snooze", one, "--until", "2020-01-01"],
            "a snooze until 2020-01-01T00:00:00Z is over",
        ),
        (
            &["snooze", one, "--until", "later"],
            "--until: `later` is no time",
        ),
        (&["snooze", one], "--for"),
        (&["resolve", one, "--reason", " "], "--reason: say why"),
    ];
    for (arguments, expected) in wrong {
        let said = ground.alert(arguments, 3);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    let nobody = ["--lake", &ground.lake, "alert", "ack", one];
    let said = finish(guardlake().env_remove("USER").args(nobody), 3).stderr;
    assert!(String::from_utf8_lossy(&said).contains("give --by NAME"));
    let rows = sql(&ground.lake, "SELECT count(*) AS n FROM alert_log");
    assert_eq!(rows[0]["n"], 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suppressions_are_seen_and_end() {
    let ground = Ground::new().await;
    let files = ground.path("known");
    std::fs::create_dir(&files).expect("a folder");
    let write = |expires: &str| {
        let text = format!(
            "suppressions:\n  - id: office-vpn\n    rules: [bur*]\n    match:\n      remote_ip: {}/32\n    owner: net-team\n    reason: our own exit\n    expires: {expires}\n",
            ip(1)
        );
        std::fs::write(format!("{files}/office.yml"), text).expect("a file");
    };
    let soon = |micros: i64| alerts::rfc3339(now() + micros);
    write(&soon(DAY));
    let rung = ground.evaluate(&["--suppressions", &files]);
    assert_eq!(rung.matches("HIGH  Burst").count(), 1, "{rung}");
    assert!(rung.contains(&ip(2)) && !rung.contains(&ip(1)), "{rung}");
    assert_eq!(
        (
            ground.list(&[]).len(),
            ground.list(&["--suppressed", "no"]).len()
        ),
        (2, 1)
    );
    let hidden = ground.list(&["--suppressed", "only"]);
    assert_eq!(text(&hidden[0], "suppressed_by"), "office-vpn");
    let table = run(&ground.lake, &["--format", "table", "alert", "list"], 0).stdout;
    let table = String::from_utf8(table).expect("UTF-8");
    assert!(table.contains("suppressed"), "{table}");
    let widest = table.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|widest| widest <= 110), "{table}");
    // What is hidden asks nobody for anything, what is not does.
    run(
        &ground.lake,
        &["alert", "list", "--suppressed", "only", "--fail-on", "low"],
        0,
    );
    run(&ground.lake, &["alert", "list", "--fail-on", "low"], 1);
    let rules = ground.path("rules");
    let listed = || {
        let all = [
            "--format",
            "ndjson",
            "alert",
            "suppressions",
            "--suppressions",
            &files,
            "--rules",
            &rules,
        ];
        ndjson(&run(&ground.lake, &all, 0)).remove(0)
    };
    let row = listed();
    assert_eq!(
        (
            text(&row, "state"),
            text(&row, "owner"),
            text(&row, "reason")
        ),
        ("active", "net-team", "our own exit")
    );
    assert_eq!((&row["alerts"], &row["findings"]), (&1.into(), &4.into()));

    // Expired: marked, and an alert that still grows rings.
    write(&soon(-SECOND));
    assert_eq!(text(&listed(), "state"), "expired");
    assert_eq!(ground.evaluate(&["--suppressions", &files]), "");
    let lake = Lake::open(&ground.lake).await.expect("a lake");
    store(
        &lake,
        &burst(50, 2, now() / SECOND * SECOND - 30 * SECOND, 1),
    )
    .await;
    let rung = ground.evaluate(&["--suppressions", &files]);
    assert_eq!(rung.matches("HIGH  Burst").count(), 1, "{rung}");
    assert!(rung.contains(&ip(1)));
    let shown = ground.show(text(&hidden[0], "alert_id"));
    let last = shown["history"]
        .as_array()
        .and_then(|h| h.last())
        .expect("an event")
        .clone();
    assert_eq!(text(&last, "event"), "escalated");
    assert!(
        text(&last, "reason").starts_with("suppression office-vpn expired "),
        "{last}"
    );
    assert_eq!(listed()["alerts"], 0);

    std::fs::write(
        format!("{files}/bad.yaml"),
        "suppressions:\n  - id: x\n    onwer: a\n",
    )
    .expect("a file");
    let all = ["run", "--once", "--rules", &rules, "--suppressions", &files];
    let said = ground.alert(&all, 2);
    assert!(
        said.contains("bad.yaml:3:5: onwer: there is no such field; did you mean `owner`?"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_shows_its_evidence_in_full() {
    let ground = Ground::new().await;
    ground.evaluate(&[]);
    let alerts = ground.list(&[]);
    let alert = alerts
        .iter()
        .find(|a| a["count"] == 5)
        .expect("the larger one");
    let shown = ground.show(text(alert, "alert_id"));
    // The SQL returns exactly the findings that are named.
    let rows = sql(&ground.lake, text(&shown, "sql"));
    let found: BTreeSet<&str> = rows.iter().map(|row| text(row, "finding_id")).collect();
    let told: BTreeSet<&str> = shown["findings"]
        .as_array()
        .expect("ids")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!((found.len(), &found), (5, &told));
    assert_eq!(
        shown["account_names"]["000000000000"], "web",
        "the name of now"
    );
    assert_eq!(
        shown["top"]["remote_ip"],
        serde_json::json!([{ "value": ip(2), "rows": 5 }])
    );
    assert_eq!(shown["top"]["type"][0]["rows"], 5);
    let table = run(
        &ground.lake,
        &[
            "--format",
            "table",
            "alert",
            "show",
            text(alert, "alert_id"),
        ],
        0,
    )
    .stdout;
    let table = String::from_utf8(table).expect("UTF-8");
    assert!(!table.contains('\u{1b}'), "{table}");
    for expected in [
        "000000000000  web",
        "       5  Recon:EC2/PortProbeUnprotectedPort",
        "opened by evaluator",
        "WHERE",
        "(rang)",
    ] {
        assert!(table.contains(expected), "{expected}: {table}");
    }
    assert!(told.iter().all(|id| table.contains(id)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_cannot_be_asked_silences_no_other() {
    let ground = Ground::new().await;
    let broken = "/*\ntitle: Broken\nseverity: high\ngroup_by: [remote_ip]\nthreshold: 3\nwindow: 10m\n*/\nSELECT remote_pi FROM observations\n";
    std::fs::write(ground.path("rules/broken.sql"), broken).expect("a rule");
    let rules = ground.path("rules");
    let output = run(
        &ground.lake,
        &["alert", "run", "--once", "--rules", &rules],
        2,
    );
    let rung = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(rung.matches("HIGH  Burst").count(), 2, "{rung}");
}
