//! A thousand bad days, each from a seed of its own, and the proof that a seed is all there is to a day.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::world::{a_bad_day, simulate};

/// A number from the environment: a test's own switch.
fn asked(name: &str) -> Option<u64> {
    #[allow(clippy::disallowed_methods, reason = "a test's own switch")]
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number")),
    )
}

/// `GUARDLAKE_TEST_SEEDS=n` lives through so many days instead of 1,000; `GUARDLAKE_TEST_SEED=s` through one of them, and shows
/// its trace.
#[test]
fn a_thousand_seeds_lose_nothing_and_store_nothing_twice() {
    let one = asked("GUARDLAKE_TEST_SEED");
    let seeds = match one {
        Some(seed) => seed..seed + 1,
        None => 0..asked("GUARDLAKE_TEST_SEEDS").unwrap_or(1_000),
    };
    let began = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
        let mut failures = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return (counts, failures);
            }
            let ended = simulate(|| a_bad_day(seed, one.is_some()));
            ended
                .counts
                .iter()
                .for_each(|(what, count)| *counts.entry(what).or_default() += count);
            ended.lines.iter().for_each(|line| report(line));
            if !ended.complaints.is_empty() {
                failures.push((seed, ended.complaints));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (counts, mut failures) = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = (BTreeMap::<&str, u64>::new(), Vec::new());
        for thread in running {
            let (counts, failures) = thread.join().expect("no day panics");
            counts
                .into_iter()
                .for_each(|(what, count)| *all.0.entry(what).or_default() += count);
            all.1.extend(failures);
        }
        all
    });
    failures.sort();
    let counts: Vec<String> = counts
        .iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    report(&format!(
        "{} seeds in {:.0?}: {}",
        seeds.end - seeds.start,
        began.elapsed(),
        counts.join(", ")
    ));
    let failed = failures.len();
    let shown = failures.iter().take(5).map(|(seed, complaints)| {
        format!(
            "seed {seed}; replay: GUARDLAKE_TEST_SEED={seed} cargo test --workspace --test it -- a_thousand_seeds --nocapture\n{}",
            complaints.join("\n")
        )
    });
    let shown: Vec<String> = shown.collect();
    assert!(
        failures.is_empty(),
        "{failed} seeds failed:\n{}",
        shown.join("\n\n")
    );
}

/// Fault 54.
#[test]
fn same_seed_same_trace() {
    let hash = |seed| simulate(|| a_bad_day(seed, false)).trace_hash;
    let first: Vec<u64> = (0..6).map(hash).collect();
    let second: Vec<u64> = (0..6).map(hash).collect();
    assert_eq!(first, second);
    let different: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(different.len(), first.len());
}

/// The counts that the claim is made of, for `--nocapture`.
#[allow(clippy::print_stdout, reason = "shown by --nocapture")]
fn report(line: &str) {
    println!("{line}");
}
