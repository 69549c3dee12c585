//! Whether evaluating rules costs the same on the thirtieth day as on the first, and a lake for comparing sliding windows.
//!
//! cargo run --release -p guardlake --example rules_bench -- days [DAYS [FINDINGS_A_DAY [COMMITS_A_DAY [RULES]]]]
//! cargo run --release -p guardlake --example rules_bench -- years [DAYS [COMMITS [FINDINGS_A_COMMIT [RULES]]]]
//! cargo run --release -p guardlake --example rules_bench -- lake DIR FINDINGS
//!
//! `years` has upkeep on, with findings kept for 400 days, and a clock of its own: does a lake of three years cost more than one of three months?

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints figures"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use alerts::{Event, Rule};
use finding::Finding;
use jobs::{Evaluator, Library, Limits, Session};
use lake::{
    CompactOptions, Lake, Provenance, Retention, Surroundings, Table, VacuumOptions, Writer,
    WriterOptions,
};

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// 2026-01-01.
const START: i64 = 1_767_225_600 * SECOND;
const TYPES: [&str; 12] = [
    "Recon:EC2/PortProbeUnprotectedPort",
    "UnauthorizedAccess:EC2/SSHBruteForce",
    "UnauthorizedAccess:EC2/RDPBruteForce",
    "CryptoCurrency:EC2/BitcoinTool.B!DNS",
    "Backdoor:EC2/C&CActivity.B!DNS",
    "Trojan:EC2/DNSDataExfiltration",
    "Recon:IAMUser/MaliciousIPCaller",
    "UnauthorizedAccess:IAMUser/TorIPCaller",
    "Discovery:S3/MaliciousIPCaller",
    "Exfiltration:S3/MaliciousIPCaller",
    "Impact:EC2/PortSweep",
    "Execution:Runtime/NewBinaryExecuted",
];

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| {
        let text = arguments.get(at);
        text.map_or(Ok(default), |text| text.parse())
    };
    match arguments.first().map(String::as_str) {
        Some("lake") => {
            let folder = arguments.get(1).ok_or("lake DIR FINDINGS")?;
            window_lake(folder, number(2, 10_000_000)?).await
        }
        Some("years") => {
            years(
                number(1, 1_100)?,
                number(2, 10_000)?,
                number(3, 100)?,
                number(4, 10)?,
            )
            .await
        }
        _ => {
            days(
                number(1, 30)?,
                number(2, 1_000_000)?,
                number(3, 4)?,
                number(4, 100)?,
            )
            .await
        }
    }
}

/// Chance, the same every time (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// One finding: which, when, from where.
struct Made {
    id: u64,
    account: u64,
    time: i64,
    address: u64,
    count: i64,
}

fn append(encoder: &mut lake::Encoder, made: &Made, ingested_at: i64) -> Result<(), Failure> {
    let id = format!(
        "{:032x}",
        u128::from(made.id) * 0x9e37_79b9_7f4a_7c15_f39c_c060
    );
    let account = format!("{:012}", 100_000_000_000 + made.account);
    let address = made.address;
    let ip = format!(
        "{}.{}.{}.{}",
        1 + address / 16_777_216 % 223,
        address / 65_536 % 256,
        address / 256 % 256,
        address % 256
    );
    let nth = (made.id.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize;
    let finding = Finding {
        account_id: account.as_str().into(),
        region: ["eu-west-1", "us-east-1", "ap-south-1"][nth % 3].into(),
        finding_id: id.as_str().into(),
        finding_type: Some(TYPES[nth % TYPES.len()].into()),
        severity: Some([2.0, 2.0, 2.0, 5.0, 5.0, 8.0][nth / 12 % 6]),
        remote_ips: vec![ip.into()],
        user_name: Some(format!("user-{}", nth % 5_000).into()),
        count: Some(made.count),
        created_at: Some(made.time - (made.count - 1) * 6 * 3_600 * SECOND),
        updated_at: Some(made.time),
        event_last_seen: Some(made.time),
        raw: "{}".into(),
        ..Finding::default()
    };
    let provenance = Provenance {
        source: "bench",
        shard_id: None,
        sequence_number: None,
        sub_sequence: None,
        item: 0,
        arrived_at: None,
        ingested_at,
        backfilled: false,
    };
    tokio::task::block_in_place(|| encoder.append(&finding, &provenance))?;
    Ok(())
}

async fn store(
    writer: &mut Writer,
    made: impl Iterator<Item = Made>,
    now: i64,
) -> Result<(), Failure> {
    let mut encoder = writer.encoder();
    for one in made {
        append(&mut encoder, &one, now)?;
    }
    let batch = tokio::task::block_in_place(|| encoder.finish())?;
    writer.commit(batch, &[]).await?;
    Ok(())
}

/// A day of findings at a time, the rules after each commit.
async fn days(days: u64, a_day: u64, commits: u64, rules: u64) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let lake = Lake::open_or_create(&folder.path().display().to_string()).await?;
    let mut writer = lake.writer(WriterOptions::default()).await?;
    let rules = rule_set(rules, "")?;
    let (library, limits) = (Library::built_in(), Limits::default());
    let mut evaluator = Evaluator::new(lake.clone(), DAY);
    println!(
        "{} rules, {a_day} findings a day, {commits} commits a day",
        rules.len()
    );
    println!(
        "{:>4} {:>12} {:>12} {:>8} {:>8} {:>8} {:>9}",
        "day", "evaluate s", "store s", "opened", "grew", "failed", "RSS MB"
    );
    let mut means = Vec::new();
    let mut chance = Chance(7);
    for day in 0..days {
        let (mut evaluated, mut stored, mut opened, mut grew, mut failed) = (0.0, 0.0, 0, 0, 0);
        for commit in 0..commits {
            let from = START + day as i64 * DAY + (commit * 86_400 / commits) as i64 * SECOND;
            let length = 86_400 / commits;
            let now = from + length as i64 * SECOND;
            let each = a_day / commits;
            let made = (0..each).map(|nth| {
                let id = (day * commits + commit) * each + nth;
                // One in four is published again, for the second to fifth time; a few attackers are loud.
                let again = chance.below(4) == 0 && id > each;
                let loud = chance.below(2_000) == 0;
                Made {
                    id: if again {
                        id - 1 - chance.below(each)
                    } else {
                        id
                    },
                    account: chance.below(500),
                    time: from + (nth * length * 1_000_000 / each) as i64,
                    address: match loud {
                        true => 4_000_000_000 + (day * 24 + nth * 24 / each) % 50,
                        false => chance.below(400_000),
                    },
                    count: if again { 2 + chance.below(4) as i64 } else { 1 },
                }
            });
            let began = Instant::now();
            store(&mut writer, made, now).await?;
            stored += began.elapsed().as_secs_f64();
            let began = Instant::now();
            let session = Session::open(&lake, &library, &limits).await?;
            let report = evaluator.look(&session, &rules, &[], now).await?;
            evaluated += began.elapsed().as_secs_f64();
            opened += report.count(Event::Opened);
            grew += report.count(Event::Grew) + report.count(Event::Escalated);
            failed += report.failed.len();
            if let Some((rule, why)) = report.failed.first() {
                eprintln!("{rule}: {why}");
            }
        }
        let mean = evaluated / commits as f64;
        means.push(mean);
        println!(
            "{:>4} {mean:>12.2} {:>12.2} {opened:>8} {grew:>8} {failed:>8} {:>9}",
            day + 1,
            stored / commits as f64,
            resident()
        );
    }
    if let (Some(first), Some(second), Some(last)) = (means.first(), means.get(1), means.last()) {
        println!(
            "last / first {:.2}, last / second {:.2}",
            last / first,
            last / second
        );
    }
    Ok(())
}

/// Many small commits over years, each followed by a look of the rules; upkeep once a day.
async fn years(days: u64, commits: u64, each: u64, rules: u64) -> Result<(), Failure> {
    const ROWS: u64 = 11;
    let folder = tempfile::tempdir()?;
    // Files bear the machine's time, so the clock runs ahead of it.
    let start = ((Surroundings::default().now)() / DAY + 1) * DAY;
    let clock = Arc::new(AtomicI64::new(start));
    let open = || {
        let clock = Arc::clone(&clock);
        let surroundings = Surroundings {
            now: Arc::new(move || clock.load(Ordering::Relaxed)),
            ..Surroundings::default()
        };
        let uri = folder.path().display().to_string();
        async move { Lake::open_or_create_in(&uri, surroundings).await }
    };
    let lake = open().await?;
    let retention = Retention::parse("400d")?;
    let mut writer = lake.writer(WriterOptions::default()).await?;
    let (rules, library, limits) = (
        rule_set(rules, "resolve_after: 30d\n")?,
        Library::built_in(),
        Limits::default(),
    );
    let mut evaluator = Evaluator::new(lake.clone(), DAY);
    println!(
        "{commits} commits of {each} findings over {days} days, {} rules",
        rules.len()
    );
    println!(
        "{:>5} {:>9} {:>7} {:>7} {:>8} {:>10} {:>10} {:>10} {:>9} {:>7} {:>7}",
        "day",
        "rows",
        "files",
        "logs",
        "entries",
        "commit ms",
        "look ms",
        "upkeep ms",
        "open ms",
        "RSS MB",
        "alerts"
    );
    let (mut stored, mut looked, mut kept_up) = (Vec::new(), Vec::new(), Vec::new());
    let mut chance = Chance(23);
    let mut made = 0;
    let mut all = Vec::new();
    for day in 0..days {
        while made < (day + 1) * commits / days {
            let now = start + day as i64 * DAY + ((made * 7_919) % 86_400) as i64 * SECOND;
            clock.store(now.max(clock.load(Ordering::Relaxed)), Ordering::Relaxed);
            let rows = (0..each).map(|nth| Made {
                id: made * each + nth,
                account: chance.below(500),
                time: now - chance.below(600) as i64 * SECOND,
                address: match chance.below(50) {
                    0 => 4_000_000_000 + made % 7,
                    _ => chance.below(400_000),
                },
                count: 1,
            });
            let rows: Vec<Made> = rows.collect();
            let began = Instant::now();
            store(&mut writer, rows.into_iter(), now).await?;
            stored.push(began.elapsed().as_secs_f64() * 1e3);
            let began = Instant::now();
            let session = Session::open(&lake, &library, &limits).await?;
            let report = evaluator.look(&session, &rules, &[], now).await?;
            if let Some((rule, why)) = report.failed.first() {
                eprintln!("{rule}: {why}");
            }
            looked.push(began.elapsed().as_secs_f64() * 1e3);
            made += 1;
        }
        clock.store(start + (day as i64 + 1) * DAY, Ordering::Relaxed);
        let began = Instant::now();
        lake.expire(&retention, false).await?;
        lake.compact(CompactOptions::default()).await?;
        lake.vacuum(VacuumOptions::default()).await?;
        kept_up.push(began.elapsed().as_secs_f64() * 1e3);
        if (day + 1) % (days / ROWS).max(1) != 0 {
            continue;
        }
        let began = Instant::now();
        let cold = open().await?;
        Session::open(&cold, &library, &limits).await?;
        let opened = began.elapsed().as_secs_f64() * 1e3;
        let info = cold.info().await?;
        let findings = |info: &&lake::TableInfo| info.table == Table::Findings;
        let of: Vec<_> = info.iter().filter(findings).collect();
        let logs: u64 = info
            .iter()
            .filter(|info| !findings(info))
            .map(|info| info.files)
            .sum();
        let entries = std::fs::read_dir(folder.path().join("findings/_delta_log"))?.count();
        let row = (
            median(&mut stored),
            median(&mut looked),
            median(&mut kept_up),
            opened,
        );
        println!(
            "{:>5} {:>9} {:>7} {logs:>7} {entries:>8} {:>10.1} {:>10.1} {:>10.1} {:>9.1} {:>7} {:>7}",
            day + 1,
            of.iter().map(|info| info.rows).sum::<u64>(),
            of.iter().map(|info| info.files).sum::<u64>(),
            row.0,
            row.1,
            row.2,
            row.3,
            resident(),
            evaluator.alerts_held()
        );
        all.push(row);
    }
    // Before retention begins to take, a lake grows; then it should not.
    if let (Some(full), Some(last)) = (all.get(all.len() / 2), all.last()) {
        println!(
            "last / middle: commit {:.2}, look {:.2}, upkeep {:.2}, open {:.2}",
            last.0 / full.0,
            last.1 / full.1,
            last.2 / full.2,
            last.3 / full.3
        );
    }
    let verified = lake.verify().await?;
    println!(
        "{} rows, {} expired, {} problems",
        verified.rows,
        verified.expired,
        verified.problems.len()
    );
    Ok(())
}

/// The middle of some figures, which are taken.
fn median(figures: &mut Vec<f64>) -> f64 {
    let mut figures = std::mem::take(figures);
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Rules of a SOC, in variations: windows from minutes to a day. `life` is a line of their headers more.
fn rule_set(rules: u64, life: &str) -> Result<Vec<Rule>, Failure> {
    let windows = ["10m", "30m", "1h", "6h", "1d"];
    let kinds = [
        (
            "remote_ip",
            "count: findings\nthreshold: 12",
            "remote_ip IS NOT NULL",
        ),
        (
            "account_id",
            "count: findings\nthreshold: 6000",
            "severity >= 5",
        ),
        (
            "remote_ip",
            "count: distinct(account_id)\nthreshold: 9",
            "severity >= 4",
        ),
        (
            "type, account_id",
            "count: versions\nthreshold: 900",
            "region = 'eu-west-1'",
        ),
        (
            "user_name, account_id",
            "count: findings\nthreshold: 8",
            "type LIKE '%IAMUser%'",
        ),
        (
            "account_id, remote_ip",
            "kind: sequence\nsteps: [a, b, c]",
            "severity > 1",
        ),
        (
            "account_id",
            "kind: new_terms\nterm: type\nlookback: 1d\nmin_history: 12h",
            "severity >= 8",
        ),
        (
            "remote_ip",
            "count: sum(severity)\nthreshold: 150",
            "NOT sample",
        ),
    ];
    let rule = |nth: u64| -> Result<Rule, Failure> {
        let (group_by, judged, filter) = kinds[nth as usize % kinds.len()];
        let window = windows[nth as usize / kinds.len() % windows.len()];
        let step = "CASE WHEN type LIKE 'Recon:%' THEN 'a' WHEN type LIKE 'Unauthorized%' THEN 'b' WHEN type LIKE 'Exfil%' THEN 'c' END AS step";
        let header = format!(
            "title: rule {nth}\nseverity: high\ngroup_by: [{group_by}]\nwindow: {window}\nsuppress_for: 1h\n{life}{judged}"
        );
        let select = format!("SELECT *, {step} FROM observations WHERE {filter} AND {nth} >= 0");
        Ok(Rule::parse(
            &format!("rule_{nth}"),
            &format!("/*\n{header}\n*/\n{select}"),
        )?)
    };
    (0..rules).map(rule).collect()
}

/// Findings of one day from mostly different addresses, for one threshold rule.
async fn window_lake(folder: &str, findings: u64) -> Result<(), Failure> {
    let lake = Lake::open_or_create(folder).await?;
    let mut writer = lake.writer(WriterOptions::default()).await?;
    let mut chance = Chance(11);
    let part = 500_000;
    for from in (0..findings).step_by(part as usize) {
        let made = (from..findings.min(from + part)).map(|id| {
            let loud = chance.below(1_000) == 0;
            Made {
                id,
                account: chance.below(500),
                time: START + (id * 86_400 / findings) as i64 * SECOND,
                address: match loud {
                    true => 4_000_000_000 + chance.below(20),
                    false => chance.below(1 << 31),
                },
                count: 1,
            }
        });
        store(&mut writer, made, START + DAY).await?;
    }
    println!("{findings} findings in {folder}");
    Ok(())
}

/// Megabytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1_024
}
