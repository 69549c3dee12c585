//! Arbitrary bytes: `decode` never panics and accounts for every byte.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../invariants.rs"]
mod invariants;

fuzz_target!(|bytes: &[u8]| invariants::check(bytes));
