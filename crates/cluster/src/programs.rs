//! What both programs have in common: lines on standard error, the end of a process, and its exit code.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

/// Reads the arguments, sets up the log (`level` says how much) and a runtime, and works. Exit codes are guardlake's: 3 for wrong arguments, 4 for files and network.
pub fn program<O: Parser, E: Error>(
    level: fn(&O) -> &str,
    work: impl AsyncFnOnce(O) -> Result<(), E>,
) -> ExitCode {
    let options = match O::try_parse() {
        Ok(options) => options,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 3 } else { 0 });
        }
    };
    lines(level(&options));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return ended(&error),
    };
    let outcome = runtime.block_on(work(options));
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ended(&error),
    }
}

/// Text on a terminal, else JSON.
fn lines(level: &str) {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        lines.init();
    } else {
        lines.json().flatten_event(true).init();
    }
}

fn ended(error: &dyn Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {}", lake::in_one_line(error));
    ExitCode::from(4)
}

/// SIGTERM or Ctrl-C.
pub(crate) async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await.unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
