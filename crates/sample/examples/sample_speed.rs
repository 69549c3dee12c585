//! Measures how fast findings are made: `cargo run --release -p sample --example sample_speed -- [FINDINGS] [SHAPE]`.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads the clock and prints"
)]

use std::time::Instant;

use sample::{Generator, Options, Shape};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let findings = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(400_000);
    let shape = match arguments.next().as_deref() {
        Some("export") => Shape::Export,
        Some("get-findings") => Shape::GetFindings,
        _ => Shape::EventBridge,
    };
    let started = Instant::now();
    let mut sizes = Vec::new();
    let mut bytes = 0;
    for document in Generator::new(Options {
        findings,
        accounts: 40,
        shape,
        ..Options::default()
    }) {
        bytes += document.bytes.len();
        sizes.push(document.bytes.len());
    }
    let seconds = started.elapsed().as_secs_f64();
    sizes.sort_unstable();
    let at = |part: usize| sizes.get(sizes.len() * part / 1_000).copied().unwrap_or(0);
    println!(
        "{findings} findings, {} documents, {:.1} MB in {seconds:.2} s: {:.0} findings/s, {:.0} MB/s",
        sizes.len(),
        bytes as f64 / 1e6,
        findings as f64 / seconds,
        bytes as f64 / 1e6 / seconds
    );
    println!(
        "bytes a document: mean {}, min {}, p10 {}, p50 {}, p90 {}, p99 {}, max {}",
        bytes / sizes.len().max(1),
        at(0),
        at(100),
        at(500),
        at(900),
        at(990),
        sizes.last().copied().unwrap_or(0)
    );
}
