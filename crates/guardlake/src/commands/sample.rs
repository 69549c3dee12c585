//! `guardlake sample`: made findings on standard output, one document a line.

use std::io::{BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use ::sample::{Generator, Options};

use crate::args::{Sample, Shape};
use crate::failure::Failure;

pub(crate) fn run(args: &Sample) -> Result<ExitCode, Failure> {
    let end: jiff::Timestamp = args.end.parse().map_err(|_| {
        Failure::usage(format!(
            "--end: `{}` is not a time such as 2026-07-01T00:00:00Z",
            args.end
        ))
    })?;
    let end = end.as_microsecond();
    let options = if args.bursts {
        Options::demo(args.findings, args.accounts, args.seed, end)
    } else {
        Options {
            findings: args.findings,
            accounts: args.accounts,
            seed: args.seed,
            end,
            ..Options::default()
        }
    };
    let shape = match args.shape {
        Shape::Eventbridge => ::sample::Shape::EventBridge,
        Shape::Export => ::sample::Shape::Export,
        Shape::GetFindings => ::sample::Shape::GetFindings,
    };
    let options = Options {
        shape,
        days: args.days,
        ..options
    };
    let mut out = BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
    for document in Generator::new(options) {
        let written = out
            .write_all(&document.bytes)
            .and_then(|()| out.write_all(b"\n"));
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            other => other?,
        }
    }
    match out.flush() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
