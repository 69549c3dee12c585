//! Prints how fast a file is decoded on one core: `cargo run --release -p finding --example decode_speed -- FILE [ROUNDS]`.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::time::Instant;

use finding::{Decoded, decode};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("which file?")?;
    let rounds: usize = args.next().map_or(Ok(5), |rounds| rounds.parse())?;
    let bytes = std::fs::read(path)?;
    for _ in 0..rounds {
        let (mut findings, mut skipped, mut rejects, mut raw) = (0u64, 0u64, 0u64, 0usize);
        let start = Instant::now();
        decode(&bytes, &mut |_, decoded| match decoded {
            Decoded::Finding(finding) => {
                findings += 1;
                raw += finding.raw.len();
            }
            Decoded::Skipped => skipped += 1,
            Decoded::Reject(_) => rejects += 1,
        });
        let seconds = start.elapsed().as_secs_f64();
        let megabytes = bytes.len() as f64 / 1e6;
        println!(
            "{megabytes:.1} MB in {seconds:.3} s: {:.0} MB/s, {:.0} findings/s ({findings} findings, {skipped} skipped, {rejects} rejects, {raw} raw bytes)",
            megabytes / seconds,
            findings as f64 / seconds
        );
    }
    Ok(())
}
