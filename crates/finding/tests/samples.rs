//! Every collected sample against the columns that another program read from it (`expected.csv`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use finding::{Decoded, Finding, decode};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/samples")
}

/// What one input gave, with text owned.
#[derive(Default)]
struct Outcome {
    findings: Vec<Finding<'static>>,
    skipped: usize,
    rejects: Vec<String>,
}

fn read(bytes: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    decode(bytes, &mut |_, decoded| match decoded {
        Decoded::Finding(finding) => outcome.findings.push(finding.into_owned()),
        Decoded::Skipped => outcome.skipped += 1,
        Decoded::Reject(reject) => outcome.rejects.push(reject.reason),
    });
    outcome
}

fn columns(f: &Finding<'_>) -> BTreeMap<&'static str, String> {
    let text = |value: &Option<std::borrow::Cow<'_, str>>| value.as_deref().unwrap_or("").to_owned();
    let time = |micros: Option<i64>| micros.map(iso).unwrap_or_default();
    BTreeMap::from([
        ("account", f.account_id.to_string()),
        ("region", f.region.to_string()),
        ("finding_id", f.finding_id.to_string()),
        ("type", text(&f.finding_type)),
        ("severity", f.severity.map(|number| number.to_string()).unwrap_or_default()),
        ("resource_type", text(&f.resource_type)),
        ("action_type", text(&f.action_type)),
        ("remote_ips", f.remote_ips.join(" ")),
        ("domain", text(&f.dns_domain)),
        ("api", text(&f.api)),
        ("user", text(&f.user_name)),
        ("access_key", text(&f.access_key_id)),
        ("instance_id", text(&f.instance_id)),
        ("count", f.count.map(|count| count.to_string()).unwrap_or_default()),
        ("first_seen", time(f.event_first_seen)),
        ("last_seen", time(f.event_last_seen)),
        ("created", time(f.created_at)),
        ("updated", time(f.updated_at)),
        ("archived", f.archived.map(|archived| archived.to_string()).unwrap_or_default()),
        ("sample", if f.sample { "true".to_owned() } else { String::new() }),
        ("threat_list", f.threat_lists.join(" ")),
    ])
}

/// UTC microseconds as ISO text with six decimals, by counting days: nothing in common with the parser.
fn iso(micros: i64) -> String {
    let (mut days, of_day) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days < 0 {
        year -= 1;
        days += 365 + i64::from(leap(year));
    }
    while days >= 365 + i64::from(leap(year)) {
        days -= 365 + i64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z", month + 1, days + 1)
}

/// The other program kept times and booleans as they were written.
fn normalised(column: &str, value: &str) -> String {
    match column {
        "first_seen" | "last_seen" | "created" | "updated" if !value.is_empty() => {
            let value = value.trim_end_matches('Z').replace(' ', "T");
            let (whole, fraction) = value.split_once('.').unwrap_or((&value, ""));
            format!("{whole}.{:0<6.6}Z", fraction)
        }
        "archived" | "sample" => value.to_ascii_lowercase(),
        "severity" => value.parse::<f64>().map(|number| number.to_string()).unwrap_or_default(),
        _ => value.to_owned(),
    }
}

#[test]
fn dump() {
    let mut expected = csv::Reader::from_path(samples().join("expected.csv")).unwrap();
    let headers = expected.headers().unwrap().clone();
    for row in expected.records() {
        let row: BTreeMap<String, String> =
            headers.iter().map(str::to_owned).zip(row.unwrap().iter().map(str::to_owned)).collect();
        let bytes = std::fs::read(samples().join(&row["file"])).unwrap();
        let outcome = read(&bytes);
        let idx: usize = row["idx"].parse().unwrap();
        if !outcome.rejects.is_empty() { println!("REJ {} {:?}", row["file"], outcome.rejects); }
        let Some(finding) = outcome.findings.get(idx) else { println!("NONE {} {idx} {}", row["file"], outcome.skipped); continue };
        for (column, ours) in columns(finding) {
            let theirs = normalised(column, &row[column]);
            if ours != theirs {
                println!("{}|{}|{idx}|{column}|{theirs}|{ours}|{}", row["shape"], row["file"], finding.wire_shape);
            }
        }
    }
}
