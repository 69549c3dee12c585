//! Prints documents to look at: `cargo run -p sample --example sample_print -- [FINDINGS] [SHAPE] [SEED]`.
#![allow(clippy::print_stdout, reason = "an example that prints")]

use sample::{Generator, Options, Shape};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default| {
        arguments
            .get(at)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let shape = match arguments.get(1).map(String::as_str) {
        Some("export") => Shape::Export,
        Some("get-findings") => Shape::GetFindings,
        _ => Shape::EventBridge,
    };
    let options = Options {
        findings: number(0, 10),
        seed: number(2, 1),
        shape,
        ..Options::default()
    };
    for document in Generator::new(options) {
        println!("{}", String::from_utf8_lossy(&document.bytes));
    }
}
