//! How many rows a second the sweep takes: one million rows in one group, in the worst order.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a stopwatch"
)]

use std::time::Instant;

use alerts::{Bounds, Measure, Observation, Observations, Terms, Unit, sweep};
use finding::{FindingKey, Label, VersionHash};

fn main() {
    const ROWS: u64 = 1_000_000;
    const SECOND: i64 = 1_000_000;
    for unit in [
        Unit::Findings,
        Unit::Occurrences,
        Unit::Versions,
        Unit::Distinct,
    ] {
        let ids: Vec<String> = (0..ROWS / 2)
            .map(|n| format!("{:032x}", finding(n)))
            .collect();
        let accounts: Vec<String> = (0..5_000).map(|n| format!("{n:012}")).collect();
        let started = Instant::now();
        let mut rows = Observations::new();
        for n in 0..ROWS {
            // Half a million findings with two versions each, spread over 30 days out of order, in 5,000 accounts.
            let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let finding = finding(n / 2);
            let account = &accounts[(n / 2 % 5_000) as usize];
            rows.push(&Observation {
                event_time: (mixed % (30 * 86_400)) as i64 * SECOND,
                finding: FindingKey(finding),
                version: VersionHash(finding ^ u128::from(n.wrapping_mul(0x2545_f491_4f6c_dd1d))),
                increase: (mixed >> 60) as i64,
                value: (unit == Unit::Distinct).then_some(account.as_str()),
                account_id: account,
                region: ["eu-west-1", "us-east-1"][(n / 2 % 2) as usize],
                finding_id: &ids[(n / 2) as usize],
                finding_type: None,
                severity: Label::of((mixed % 10) as f64),
                number: None,
                step: 0,
            });
        }
        let pushed = started.elapsed();
        let terms = Terms {
            measure: Measure::Count {
                unit,
                bounds: Bounds::at_least(10),
            },
            window: 3_600 * SECOND,
            suppress_for: 3_600 * SECOND,
        };
        let started = Instant::now();
        let episodes = sweep(&terms, &mut rows, i64::MAX);
        let swept = started.elapsed();
        let rate = |took: std::time::Duration| ROWS as f64 / took.as_secs_f64();
        println!(
            "{unit:?}: push {:.0} rows/s, sweep {:.0} rows/s, {} episodes, largest count {}, {} findings",
            rate(pushed),
            rate(swept),
            episodes.len(),
            episodes
                .iter()
                .map(|episode| episode.count)
                .max()
                .unwrap_or(0),
            episodes
                .iter()
                .map(|episode| episode.findings_total)
                .sum::<u64>(),
        );
    }
}

fn finding(n: u64) -> u128 {
    let low = n.wrapping_mul(0xd134_2543_de82_ef95);
    u128::from(low) << 64 | u128::from(low.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
