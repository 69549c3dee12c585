//! The program `guardlake-executor`: see `cluster::executor`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cluster::programs::program(
        |options: &cluster::executor::Options| &options.log,
        cluster::executor::run,
    )
}
