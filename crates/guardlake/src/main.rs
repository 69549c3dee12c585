//! The guardlake command: reads arguments and settings, plugs the rooms together, maps errors to exit codes.

mod args;
mod commands;
mod failure;
mod health;
mod metrics;
mod output;
mod settings;
#[cfg(feature = "otel")]
mod traces;
mod wire_up;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return failure::usage(&error),
    };
    let settings = match settings::read(&args) {
        Ok(settings) => settings,
        // These two say themselves what is wrong.
        Err(_) if args.command.looks_at_settings() => settings::Settings::default(),
        Err(failure) => return failure.tell(),
    };
    #[cfg(feature = "otel")]
    let traces = traces::Traces::start();
    wire_up::log(
        &settings,
        args.verbose,
        #[cfg(feature = "otel")]
        &traces,
    );
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failure::Failure::io(format!("cannot start: {error}")).tell(),
    };
    let outcome = runtime.block_on(commands::run(args, settings));
    // Reads of standard input cannot be cancelled; a runtime that waits for them would never end.
    runtime.shutdown_background();
    #[cfg(feature = "otel")]
    traces.end();
    match outcome {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}
