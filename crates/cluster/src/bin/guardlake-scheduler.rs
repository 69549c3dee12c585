//! The program `guardlake-scheduler`: see `cluster::scheduler`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cluster::programs::program(cluster::scheduler::run)
}
