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
    let text =
        |value: &Option<std::borrow::Cow<'_, str>>| value.as_deref().unwrap_or("").to_owned();
    let time = |micros: Option<i64>| micros.map(iso).unwrap_or_default();
    BTreeMap::from([
        ("account", f.account_id.to_string()),
        ("region", f.region.to_string()),
        ("finding_id", f.finding_id.to_string()),
        ("type", text(&f.finding_type)),
        (
            "severity",
            f.severity
                .map(|number| number.to_string())
                .unwrap_or_default(),
        ),
        ("resource_type", text(&f.resource_type)),
        ("action_type", text(&f.action_type)),
        ("remote_ips", f.remote_ips.join(" ")),
        ("domain", text(&f.dns_domain)),
        ("api", text(&f.api)),
        ("user", text(&f.user_name)),
        ("access_key", text(&f.access_key_id)),
        ("instance_id", text(&f.instance_id)),
        (
            "count",
            f.count.map(|count| count.to_string()).unwrap_or_default(),
        ),
        ("first_seen", time(f.event_first_seen)),
        ("last_seen", time(f.event_last_seen)),
        ("created", time(f.created_at)),
        ("updated", time(f.updated_at)),
        (
            "archived",
            f.archived
                .map(|archived| archived.to_string())
                .unwrap_or_default(),
        ),
        (
            "sample",
            if f.sample {
                "true".to_owned()
            } else {
                String::new()
            },
        ),
        ("threat_list", f.threat_lists.join(" ")),
    ])
}

/// UTC microseconds as ISO text with six decimals, by counting days: nothing in common with the parser.
fn iso(micros: i64) -> String {
    let (mut days, of_day) = (
        micros.div_euclid(86_400_000_000),
        micros.rem_euclid(86_400_000_000),
    );
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
    let lengths = [
        31,
        28 + i64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!(
        "{year:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z",
        month + 1,
        days + 1
    )
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
        "severity" => value
            .parse::<f64>()
            .map(|number| number.to_string())
            .unwrap_or_default(),
        _ => value.to_owned(),
    }
}

type Row = BTreeMap<String, String>;

fn table(name: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(samples().join(name)).unwrap();
    let headers = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        headers
            .iter()
            .zip(&record)
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    };
    reader
        .records()
        .map(|record| row(record.unwrap()))
        .collect()
}

fn sample(file: &str) -> Vec<u8> {
    std::fs::read(samples().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Reads the finding of one row of `expected.csv` and returns where its columns differ: file, index, column, theirs, ours.
fn check(row: &Row) -> Vec<[String; 5]> {
    let (file, idx) = (&row["file"], row["idx"].parse::<usize>().unwrap());
    let outcome = read(&sample(file));
    assert_eq!(outcome.rejects, [""; 0], "{file}");
    let finding = outcome
        .findings
        .get(idx)
        .unwrap_or_else(|| panic!("{file} has no finding {idx}"));
    let differing = columns(finding).into_iter().filter_map(|(column, ours)| {
        let theirs = normalised(column, &row[column]);
        (ours != theirs).then(|| {
            [
                file.clone(),
                row["idx"].clone(),
                column.to_owned(),
                theirs,
                ours,
            ]
        })
    });
    differing.collect()
}

#[test]
fn every_sample_reads_as_expected_but_for_the_listed_differences() {
    let expected = table("expected.csv");
    assert!(expected.len() > 90);
    let found: Vec<[String; 5]> = expected.iter().flat_map(check).collect();
    let listed: Vec<[String; 5]> = table("differences.csv")
        .into_iter()
        .map(|row| ["file", "idx", "column", "expected", "ours"].map(|column| row[column].clone()))
        .collect();
    for difference in &found {
        assert!(
            listed.contains(difference),
            "not in differences.csv: {difference:?}"
        );
    }
    for difference in &listed {
        assert!(
            found.contains(difference),
            "no longer a difference: {difference:?}"
        );
    }
}

#[test]
fn every_file_gives_as_many_findings_as_were_counted_and_no_reject() {
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for row in table("expected.csv") {
        *counted.entry(row["file"].clone()).or_default() += 1;
    }
    for row in table("SOURCES.csv")
        .into_iter()
        .filter(|row| row["set"] == "public")
    {
        let outcome = read(&sample(&row["file"]));
        let decoy = usize::from(row["shape"] == "decoy-not-a-finding");
        let expected = counted.get(&row["file"]).copied().unwrap_or(0);
        assert_eq!(
            (outcome.findings.len(), outcome.skipped, outcome.rejects),
            (expected, decoy, vec![]),
            "{}",
            row["file"]
        );
    }
}

#[test]
fn every_wire_shape_is_recognised() {
    for row in table("SOURCES.csv")
        .into_iter()
        .filter(|row| row["set"] == "public")
    {
        let expected = match row["shape"].as_str() {
            "eventbridge-envelope-pascal-detail" => "eventbridge-pascal",
            "eventbridge-camel" | "eventbridge-camel-jsonl" => "eventbridge",
            "bare-finding-camel" | "s3-export-jsonl-gz-camel" => "export",
            "api-finding-pascal" => "console",
            "get-findings-cli-pascal" => "get-findings",
            "athena-row" => "athena",
            "sns-wrapped-eventbridge" => "sns/eventbridge",
            "decoy-not-a-finding" => continue,
            _ => "asff",
        };
        for finding in read(&sample(&row["file"])).findings {
            assert_eq!(finding.wire_shape.as_str(), expected, "{}", row["file"]);
        }
    }
}

/// All members of the model at once, in both spellings: only what depends on the spelling may differ.
#[test]
fn the_synthetic_pair_gives_the_same_columns() {
    let one = |file: &str| {
        let mut outcome = read(&sample(file));
        assert_eq!(
            (
                outcome.findings.len(),
                outcome.skipped,
                outcome.rejects.len()
            ),
            (1, 0, 0),
            "{file}"
        );
        outcome.findings.remove(0)
    };
    let camel = one("synthetic-from-model/all-fields.wire-camel.json");
    let pascal = one("synthetic-from-model/all-fields.sdk-pascal.json");
    assert_eq!(camel.wire_shape.as_str(), "export");
    assert_eq!(pascal.wire_shape.as_str(), "console");
    assert_eq!(camel.version(), pascal.version());
    let same = |f: Finding<'static>| Finding {
        raw: "".into(),
        wire_shape: Default::default(),
        ..f
    };
    let (camel, pascal) = (same(camel), same(pascal));
    assert_eq!(camel, pascal);
    // Every column that the synthetic values can fill is filled: times and ports of the service are placeholders there.
    let text = format!("{camel:#?}");
    let empty: Vec<&str> = text
        .lines()
        .filter(|line| line.ends_with("None,") || line.ends_with("[],"))
        .collect();
    assert_eq!(
        empty.iter().map(|line| line.trim()).collect::<Vec<_>>(),
        EMPTY_IN_SYNTHETIC
    );
    assert_eq!(camel.remote_ips.len(), 4, "{:?}", camel.remote_ips);
}

/// `eventFirstSeen` and the like are "synthetic-..." there, and so is the ASN; the wrapper really is none.
const EMPTY_IN_SYNTHETIC: [&str; 4] = [
    "remote_asn: None,",
    "event_first_seen: None,",
    "event_last_seen: None,",
    "wrapper: None,",
];
