//! Renders every ready-made report for a made month of 500 accounts into a folder, to look at:
//! `cargo run -p reports --example show -- /tmp/show [ACCOUNTS] [FOLDER OF REPORTS]`.

use std::fs;
use std::path::Path;

use reports::{
    Answer, Answers, Ask, Cell, Column, Each, Format, Kind, Period, Report, Table, render,
};

const DAY: i64 = 86_400_000_000;
const TYPES: [&str; 12] = [
    "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS",
    "CryptoCurrency:EC2/BitcoinTool.B!DNS",
    "Recon:EC2/PortProbeUnprotectedPort",
    "Trojan:EC2/DNSDataExfiltration",
    "Policy:S3/BucketAnonymousAccessGranted",
    "Discovery:S3/MaliciousIPCaller",
    "PrivilegeEscalation:Kubernetes/PrivilegedContainer",
    "Execution:Runtime/ReverseShell",
    "Backdoor:EC2/C&CActivity.B!DNS",
    "Impact:EC2/PortSweep",
    "Stealth:IAMUser/CloudTrailLoggingDisabled",
    "UnauthorizedAccess:EC2/SSHBruteForce",
];
const RULES: [(&str, &str); 6] = [
    ("burst_from_one_remote_ip", "high"),
    ("new_high_or_critical_finding", "medium"),
    ("crypto_mining_in_many_accounts", "critical"),
    ("one_credential_many_countries", "high"),
    ("logging_disabled", "high"),
    ("account_findings_spike", "low"),
];
const LABELS: [(&str, i64); 5] = [
    ("Low", 60),
    ("Medium", 30),
    ("High", 9),
    ("Critical", 2),
    ("Informational", 6),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("say a folder")?;
    let accounts = std::env::args().nth(2).map_or(Ok(500), |n| n.parse())?;
    let ready = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/reports");
    let sources = std::env::args().nth(3).map_or(ready, Into::into);
    fs::create_dir_all(&folder)?;
    let mut files: Vec<_> = fs::read_dir(sources)?.collect::<Result<_, _>>()?;
    files.sort_by_key(|file| file.file_name());
    for file in files {
        let path = file.path();
        let name = path
            .file_stem()
            .ok_or("no name")?
            .to_string_lossy()
            .into_owned();
        let report = Report::parse(&name, &path.to_string_lossy(), &fs::read_to_string(&path)?)?;
        let period = report.period("2026-10-14")?;
        let mut answers = Answers::default();
        if report.for_each.is_some() {
            answers.each = Some(Each {
                value: account(3),
                label: account_name(3),
            });
        }
        for ask in report.asks(&period, &answers.parameters(&report)) {
            let days = if ask.id.ends_with(".before") {
                period.previous()
            } else {
                None
            };
            let table = made(&ask, days.as_ref().unwrap_or(&period), accounts);
            answers.by_id.insert(ask.id.clone(), answer(&ask, table));
        }
        for format in Format::ALL {
            for document in render(&report, &period, &answers, format, None)? {
                let mut bytes = document.bytes;
                for picture in &document.attachments {
                    fs::write(Path::new(&folder).join(&picture.name), &picture.bytes)?;
                    let text = String::from_utf8(bytes)?;
                    let name = format!("{name}-{}", picture.name);
                    fs::write(Path::new(&folder).join(&name), &picture.bytes)?;
                    bytes = text
                        .replace(&format!("cid:{}", picture.content_id), &name)
                        .into_bytes();
                }
                if !document.plain.is_empty() {
                    fs::write(
                        Path::new(&folder).join(format!("{}.txt", document.name)),
                        document.plain,
                    )?;
                }
                fs::write(Path::new(&folder).join(document.name), bytes)?;
            }
        }
    }
    Ok(())
}

fn answer(ask: &Ask, table: Table) -> Answer {
    Answer {
        title: ask.question.replace('_', " "),
        sql: format!(
            "SELECT *\nFROM {} -- the question's own text stands here\nWHERE event_time >= $from AND event_time < $to\nORDER BY findings DESC\n",
            ask.question
        ),
        parameters: ask.parameters.clone(),
        table: Ok(table),
    }
}

/// Numbers that look like chance and are none.
fn noise(a: i64, b: i64) -> i64 {
    let mut x = (a as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (b as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 29;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    (x >> 33) as i64
}

fn account(nth: i64) -> String {
    format!("{:012}", 111_100_000_000 + nth * 7_919)
}

fn account_name(nth: i64) -> String {
    let teams = [
        "payments",
        "data-lake",
        "web-shop",
        "identity",
        "ml-research",
        "logging",
        "sandbox",
        "mobile",
    ];
    let stages = ["prod", "staging", "dev"];
    format!(
        "{}-{}-{nth}",
        teams[(nth % 8) as usize],
        stages[(nth % 3) as usize]
    )
}

fn made(ask: &Ask, period: &Period, accounts: i64) -> Table {
    let days: Vec<i64> = (0..)
        .map(|n| period.from() + n * DAY)
        .take_while(|day| *day < period.to())
        .collect();
    let text = |text: &str| Cell::Text(text.to_owned());
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let columns: &[(&str, Kind)] = match ask.question.as_str() {
        "totals" => {
            let n = noise(period.from() / DAY, 1) % 900;
            let values = [
                4_100 + n * 2,
                1_950 + n,
                9_800 + n,
                48_000 + n,
                accounts * 2 / 3,
                31 - n % 17,
                412,
                1_400,
                2_300,
                96,
                14,
            ];
            rows.push(values.map(Cell::Integer).to_vec());
            &[
                ("findings", Kind::Integer),
                ("new_findings", Kind::Integer),
                ("versions", Kind::Integer),
                ("occurrences", Kind::Integer),
                ("accounts", Kind::Integer),
                ("critical", Kind::Integer),
                ("high", Kind::Integer),
                ("medium", Kind::Integer),
                ("low", Kind::Integer),
                ("alerts", Kind::Integer),
                ("open_alerts", Kind::Integer),
            ]
        }
        "severity_per_day" => {
            for day in &days {
                for (at, (label, usual)) in LABELS.iter().enumerate() {
                    let storm = if day % (9 * DAY) < DAY { 3 } else { 1 };
                    let findings = (usual * storm * (60 + noise(*day / DAY, at as i64) % 80)) / 100;
                    rows.push(vec![Cell::Time(*day), text(label), Cell::Integer(findings)]);
                }
            }
            &[
                ("day", Kind::Time),
                ("severity_label", Kind::Text),
                ("findings", Kind::Integer),
            ]
        }
        "account_day_heatmap" => {
            for nth in 0..accounts {
                for day in &days {
                    let findings = noise(nth, *day / DAY) % (3 + 60 / (nth + 1)) - 1;
                    if findings > 0 {
                        rows.push(vec![
                            text(&account(nth)),
                            text(&account_name(nth)),
                            Cell::Time(*day),
                            Cell::Integer(findings),
                            Cell::Number(5.0),
                        ]);
                    }
                }
            }
            &[
                ("account_id", Kind::Text),
                ("account_name", Kind::Text),
                ("day", Kind::Time),
                ("findings", Kind::Integer),
                ("severity", Kind::Number),
            ]
        }
        "findings_per_type_day" => {
            for (at, kind) in (0..).zip(TYPES) {
                for day in &days {
                    rows.push(vec![
                        Cell::Time(*day),
                        text(kind),
                        Cell::Integer(noise(at, *day / DAY) % (40 - at * 2) * (1 + *day / DAY % 4)),
                    ]);
                }
            }
            &[
                ("day", Kind::Time),
                ("type", Kind::Text),
                ("findings", Kind::Integer),
            ]
        }
        "severity_mix_per_account" => {
            for nth in 0..accounts {
                let n = 400 / (nth + 1);
                let values = [n % 7, n / 5, n / 2, n, n * 2 + 1];
                let mut row = vec![
                    text(&account(nth)),
                    if nth % 9 == 8 {
                        Cell::Null
                    } else {
                        text(&account_name(nth))
                    },
                ];
                row.extend(values.map(Cell::Integer));
                rows.push(row);
            }
            &[
                ("account_id", Kind::Text),
                ("account_name", Kind::Text),
                ("critical", Kind::Integer),
                ("high", Kind::Integer),
                ("medium", Kind::Integer),
                ("low", Kind::Integer),
                ("findings", Kind::Integer),
            ]
        }
        "first_seen_types" => {
            for nth in 0..27 {
                rows.push(vec![
                    text(&account(nth)),
                    text(&account_name(nth)),
                    text(TYPES[(nth % 12) as usize]),
                    Cell::Time(period.from() + nth * 17_345_678_901),
                    Cell::Integer(nth % 5 + 1),
                ]);
            }
            &[
                ("account_id", Kind::Text),
                ("account_name", Kind::Text),
                ("type", Kind::Text),
                ("first_seen", Kind::Time),
                ("findings", Kind::Integer),
            ]
        }
        "baseline_account" => {
            for nth in 0..8 {
                rows.push(vec![
                    text(&account(nth)),
                    text(&account_name(nth)),
                    Cell::Integer(300 / (nth + 1)),
                    Cell::Number(41.5 / (nth + 1) as f64),
                    Cell::Number(9.31 - nth as f64),
                ]);
            }
            &[
                ("account_id", Kind::Text),
                ("account_name", Kind::Text),
                ("findings", Kind::Integer),
                ("expected", Kind::Number),
                ("robust_z", Kind::Number),
            ]
        }
        "baseline_type" => {
            for (nth, kind) in (0..).zip(TYPES).take(7) {
                rows.push(vec![
                    text(kind),
                    Cell::Integer(300 / (nth + 1)),
                    Cell::Number(41.5 / (nth + 1) as f64),
                    Cell::Number(9.31 - nth as f64),
                ]);
            }
            &[
                ("type", Kind::Text),
                ("findings", Kind::Integer),
                ("expected", Kind::Number),
                ("robust_z", Kind::Number),
            ]
        }
        "top_remote_ips" => {
            for nth in 0..18 {
                rows.push(vec![
                    text(&format!("203.0.113.{}", nth * 13 % 255)),
                    Cell::Integer(90 / (nth + 1) + 1),
                    Cell::Integer(14 - nth / 2),
                    Cell::Time(period.from() + nth * 3_600_000_000),
                    Cell::Time(period.to() - nth * 61_000_000 - 1),
                ]);
            }
            &[
                ("remote_ip", Kind::Text),
                ("findings", Kind::Integer),
                ("accounts", Kind::Integer),
                ("first_seen", Kind::Time),
                ("last_seen", Kind::Time),
            ]
        }
        "noisy_rules" => {
            for (nth, (rule, severity)) in (0..).zip(RULES) {
                rows.push(vec![
                    text(rule),
                    text(severity),
                    Cell::Integer(40 - nth * 6),
                    Cell::Integer(900 - nth * 111),
                    Cell::Integer(70 - nth * 9),
                    Cell::Number(0.07 * nth as f64),
                    Cell::Number(33.3 + nth as f64 * 55.0),
                ]);
            }
            &[
                ("rule", Kind::Text),
                ("severity", Kind::Text),
                ("alerts", Kind::Integer),
                ("findings", Kind::Integer),
                ("accounts", Kind::Integer),
                ("share_suppressed", Kind::Number),
                ("median_to_resolve_minutes", Kind::Number),
            ]
        }
        "alert_response_times" => {
            for (nth, (rule, _)) in (0..).zip(RULES) {
                let at = nth as f64;
                rows.push(vec![
                    text(rule),
                    Cell::Integer(40 - nth * 6),
                    Cell::Integer(33 - nth * 6),
                    Cell::Integer(30 - nth * 5),
                    Cell::Number(6.5 + at * 3.1),
                    Cell::Number(44.0 + at * 12.0),
                    if nth == 5 {
                        Cell::Null
                    } else {
                        Cell::Number(190.0 + at * 40.0)
                    },
                    Cell::Null,
                ]);
            }
            &[
                ("rule", Kind::Text),
                ("alerts", Kind::Integer),
                ("acknowledged", Kind::Integer),
                ("resolved", Kind::Integer),
                ("median_to_ack_minutes", Kind::Number),
                ("p90_to_ack_minutes", Kind::Number),
                ("median_to_resolve_minutes", Kind::Number),
                ("p90_to_resolve_minutes", Kind::Number),
            ]
        }
        "coverage" => {
            for nth in 0..9 {
                rows.push(vec![
                    text(&account(nth * 3)),
                    text(&account_name(nth * 3)),
                    text("eu-central-1"),
                    text("Enabled"),
                    text(if nth < 3 { "DISABLED" } else { "ENABLED" }),
                    Cell::Time(period.to() - (20 - nth) * DAY - 12_345_678),
                    Cell::Integer(20 - nth),
                ]);
            }
            &[
                ("account_id", Kind::Text),
                ("account_name", Kind::Text),
                ("region", Kind::Text),
                ("member_status", Kind::Text),
                ("detector_status", Kind::Text),
                ("last_report", Kind::Time),
                ("days_silent", Kind::Integer),
            ]
        }
        "busiest_resources" => {
            for nth in 0..15 {
                rows.push(vec![
                    text(["Instance", "AccessKey", "S3Bucket"][(nth % 3) as usize]),
                    text(&format!("i-0{:015x}", noise(nth, 9))),
                    text("eu-central-1"),
                    Cell::Integer(60 / (nth + 1)),
                    Cell::Integer(nth % 4 + 1),
                    Cell::Number([9.1, 8.0, 5.0, 2.0][(nth % 4) as usize]),
                    Cell::Time(period.to() - nth * 7_000_000_000),
                ]);
            }
            &[
                ("resource_type", Kind::Text),
                ("resource_id", Kind::Text),
                ("region", Kind::Text),
                ("findings", Kind::Integer),
                ("types", Kind::Integer),
                ("severity", Kind::Number),
                ("last_seen", Kind::Time),
            ]
        }
        // Nothing: the empty state.
        _ => &[
            ("account_id", Kind::Text),
            ("account_name", Kind::Text),
            ("remote_country", Kind::Text),
            ("first_seen", Kind::Time),
            ("findings", Kind::Integer),
        ],
    };
    let column = |(name, kind): &(&str, Kind)| Column {
        name: (*name).to_owned(),
        kind: *kind,
    };
    Table {
        columns: columns.iter().map(column).collect(),
        rows,
    }
}
