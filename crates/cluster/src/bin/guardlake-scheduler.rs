//! The program `guardlake-scheduler`: see `cluster::scheduler`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cluster::programs::program(
        |options: &cluster::scheduler::Options| &options.log,
        cluster::scheduler::run,
    )
}
