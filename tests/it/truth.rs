//! Counts and alerts over made findings equal an independent count in plain Rust.

use std::collections::{BTreeMap, BTreeSet};

use sample::{Burst, BurstKind, Generator, Options, Truth};
use serde_json::Value;

use crate::support::{Chance, folder, ndjson, run, sql};

const DAY: i64 = 86_400_000_000;
const MINUTE: i64 = 60_000_000;

struct Made {
    lake: String,
    truths: Vec<Truth>,
    _folder: tempfile::TempDir,
}

/// Findings with updates, duplicates, late arrivals and bursts, shuffled, loaded from three files in two steps.
fn made() -> Made {
    let end = Options::default().end;
    let ip = |text: &str| text.parse().expect("an address");
    let bursts = vec![
        Burst {
            kind: BurstKind::OneRemoteIp {
                ip: ip("203.0.113.9"),
                account: 1,
            },
            findings: 14,
            start: end - 3 * DAY,
            within: 8 * MINUTE,
        },
        Burst {
            kind: BurstKind::OneIpManyAccounts {
                ip: ip("2001:db8::77"),
                accounts: 9,
            },
            findings: 18,
            start: end - 2 * DAY,
            within: 40 * MINUTE,
        },
        Burst {
            kind: BurstKind::OneAccount { account: 4 },
            findings: 45,
            start: end - DAY,
            within: 25 * MINUTE,
        },
        Burst {
            kind: BurstKind::Severe,
            findings: 6,
            start: end - DAY,
            within: 10 * MINUTE,
        },
    ];
    let options = Options {
        findings: 4_000,
        accounts: 15,
        seed: 11,
        bursts,
        days: 12,
        ..Options::default()
    };
    let mut documents: Vec<_> = Generator::new(options).collect();
    Chance(5).shuffle(&mut documents);
    let (folder, lake) = folder();
    let mut paths = Vec::new();
    for (index, part) in documents.chunks(documents.len() / 3 + 1).enumerate() {
        let path = folder.path().join(format!("{index}.jsonl"));
        let lines: Vec<u8> = part
            .iter()
            .flat_map(|d| [d.bytes.as_slice(), b"\n"].concat())
            .collect();
        std::fs::write(&path, lines).expect("a file");
        paths.push(path.display().to_string());
    }
    run(&lake, &["ingest", &paths[0]], 0);
    run(&lake, &["ingest", &paths[1], &paths[2]], 0);
    let truths = documents
        .into_iter()
        .flat_map(|document| document.truths)
        .collect();
    Made {
        lake,
        truths,
        _folder: folder,
    }
}

type Finding<'a> = (&'a str, &'a str, &'a str);

fn finding(truth: &Truth) -> Finding<'_> {
    (&truth.account_id, &truth.region, &truth.finding_id)
}

/// One of each version.
fn versions(truths: &[Truth]) -> Vec<&Truth> {
    let mut seen = BTreeSet::new();
    truths
        .iter()
        .filter(|t| seen.insert((finding(t), t.updated_at / 1_000_000, t.count)))
        .collect()
}

/// Distinct findings by a key, straight from the definition.
fn count<K: Ord>(truths: &[&Truth], key: impl Fn(&Truth) -> K) -> BTreeMap<K, i64> {
    let mut groups: BTreeMap<K, BTreeSet<Finding<'_>>> = BTreeMap::new();
    for truth in truths {
        groups.entry(key(truth)).or_default().insert(finding(truth));
    }
    groups
        .into_iter()
        .map(|(key, set)| (key, set.len() as i64))
        .collect()
}

fn day(micros: i64) -> String {
    // 2026-07-01 is day 20635; made findings are of the weeks before it.
    let days = micros.div_euclid(DAY) - 20_635;
    let (year, month, day) = (0..400).fold((2026, 7, 1), |(y, m, d), step| {
        if step >= -days {
            return (y, m, d);
        }
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        match (m, d) {
            (1, 1) => (y - 1, 12, 31),
            (m, 1) => (y, m - 1, lengths[m - 2]),
            (m, d) => (y, m, d - 1),
        }
    });
    format!("{year:04}-{month:02}-{day:02}")
}

fn text(row: &Value, column: &str) -> String {
    row[column]
        .as_str()
        .map_or_else(|| row[column].to_string(), str::to_owned)
}

#[test]
fn counts_per_account_type_and_day_are_those_of_a_plain_count() {
    let made = made();
    let versions = versions(&made.truths);
    let rows = sql(&made.lake, "SELECT count(*) AS n FROM findings");
    assert_eq!(rows[0]["n"].as_u64(), Some(versions.len() as u64));

    let check = |trend: &str, columns: [&str; 2], expected: BTreeMap<(String, String), i64>| {
        let arguments = [
            "--format",
            "ndjson",
            "trend",
            trend,
            "--from",
            "2020-01-01",
            "--to",
            "2030-01-01",
        ];
        let output = run(&made.lake, &arguments, 0);
        let found: BTreeMap<(String, String), i64> = ndjson(&output)
            .iter()
            .map(|row| {
                let key = (
                    text(row, columns[0]),
                    text(row, columns[1]).chars().take(10).collect(),
                );
                (key, row["findings"].as_i64().expect("a count"))
            })
            .collect();
        assert_eq!(found, expected, "{trend}");
    };
    let real: Vec<&Truth> = versions.iter().copied().filter(|t| !t.sample).collect();
    check(
        "findings_per_account_day",
        ["account_id", "day"],
        count(&real, |t| (t.account_id.clone(), day(t.event_time))),
    );
    check(
        "findings_per_type_day",
        ["type", "day"],
        count(&real, |t| (t.finding_type.clone(), day(t.event_time))),
    );
}

/// The groups a threshold rule fires for, straight from the definition: a time at which the window behind it is full.
fn firing<K: Ord + Clone>(rows: &[(K, i64, String)], threshold: usize, window: i64) -> BTreeSet<K> {
    let mut groups: BTreeMap<K, Vec<(i64, &str)>> = BTreeMap::new();
    for (key, time, unit) in rows {
        groups.entry(key.clone()).or_default().push((*time, unit));
    }
    let full = |rows: &Vec<(i64, &str)>| {
        rows.iter().any(|(end, _)| {
            let units: BTreeSet<&str> = rows
                .iter()
                .filter(|(time, _)| end - window < *time && time <= end)
                .map(|(_, unit)| *unit)
                .collect();
            units.len() >= threshold
        })
    };
    groups
        .into_iter()
        .filter(|(_, rows)| full(rows))
        .map(|(key, _)| key)
        .collect()
}

#[test]
fn rules_fire_for_the_groups_that_a_plain_search_finds() {
    let made = made();
    let versions: Vec<&Truth> = versions(&made.truths)
        .into_iter()
        .filter(|t| !t.sample)
        .collect();
    let id = |t: &Truth| format!("{}/{}/{}", t.account_id, t.region, t.finding_id);
    let per_ip = |unit: &dyn Fn(&Truth) -> String| -> Vec<(Vec<String>, i64, String)> {
        let each = versions.iter().flat_map(|t| {
            let unit = unit(t);
            t.remote_ips
                .iter()
                .map(move |ip| (vec![ip.clone()], t.event_time, unit.clone()))
        });
        each.collect()
    };
    let per_account: Vec<_> = versions
        .iter()
        .map(|t| (vec![t.account_id.clone()], t.event_time, id(t)))
        .collect();
    let severe: Vec<_> = versions
        .iter()
        .filter(|t| t.severity >= 7.0)
        .map(|t| {
            (
                vec![t.account_id.clone(), t.region.clone(), t.finding_id.clone()],
                t.event_time,
                id(t),
            )
        })
        .collect();
    let expected = BTreeMap::from([
        (
            "burst_from_one_remote_ip",
            firing(&per_ip(&id), 10, 10 * MINUTE),
        ),
        (
            "one_remote_ip_many_accounts",
            firing(&per_ip(&|t| t.account_id.clone()), 5, 60 * MINUTE),
        ),
        (
            "burst_in_one_account",
            firing(&per_account, 30, 30 * MINUTE),
        ),
        ("new_high_or_critical_finding", firing(&severe, 1, DAY)),
    ]);
    for (rule, groups) in &expected {
        assert!(
            !groups.is_empty(),
            "{rule} would not fire: the test says nothing"
        );
    }

    run(&made.lake, &["alert", "run", "--once"], 0);
    let alerts = ndjson(&run(
        &made.lake,
        &["--format", "ndjson", "alert", "list"],
        0,
    ));
    for (rule, groups) in expected {
        let found: BTreeSet<Vec<String>> = alerts
            .iter()
            .filter(|alert| alert["rule"] == rule)
            .map(|alert| alert["group"].as_object().expect("a group").clone())
            .map(|group| {
                let order = ["remote_ip", "account_id", "region", "finding_id"];
                order
                    .iter()
                    .filter_map(|name| group.get(*name))
                    .map(|v| v.as_str().expect("text").to_owned())
                    .collect()
            })
            .collect();
        assert_eq!(found, groups, "{rule}");
    }

    // The evidence of an alert is a query that returns exactly its findings.
    for alert in alerts.iter().take(6) {
        let rows = sql(&made.lake, alert["sql"].as_str().expect("a query"));
        let found: BTreeSet<&str> = rows
            .iter()
            .map(|row| row["finding_id"].as_str().expect("an id"))
            .collect();
        let told: BTreeSet<&str> = alert["findings"]
            .as_array()
            .expect("ids")
            .iter()
            .map(|id| id.as_str().expect("an id"))
            .collect();
        assert_eq!(found, told, "{}", alert["alert_id"]);
    }

    // Nothing new, nothing logged; and nobody is told twice.
    let before = sql(&made.lake, "SELECT count(*) AS n FROM alert_log")[0]["n"].clone();
    let again = run(&made.lake, &["alert", "run", "--once"], 0);
    assert!(
        again.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&again.stdout)
    );
    assert_eq!(
        sql(&made.lake, "SELECT count(*) AS n FROM alert_log")[0]["n"],
        before
    );
}
