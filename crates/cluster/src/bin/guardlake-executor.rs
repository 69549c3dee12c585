//! The program `guardlake-executor`: see `cluster::executor`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cluster::programs::program(cluster::executor::run)
}
