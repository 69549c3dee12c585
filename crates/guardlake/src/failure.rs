//! Errors as one clear line each, and the exit code that says what to do about them.

use std::io::Write;
use std::process::ExitCode;

use ingest::IngestError;
use jobs::JobsError;
use lake::{LakeError, in_one_line};

/// Why a command ended early.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    code: u8,
}

impl Failure {
    /// Exit code 2: a rule or SQL is wrong.
    pub(crate) fn query(text: impl Into<String>) -> Failure {
        Failure {
            text: text.into(),
            code: 2,
        }
    }

    /// A question without an answer: exit code 2, or 4 where only the store did not answer. `name` is what `text` is called.
    pub(crate) fn asked(error: &jobs::QueryError, name: &str, text: &str) -> Failure {
        let code = if error.kind == jobs::Remedy::Retry {
            4
        } else {
            2
        };
        Failure {
            text: error.render(name, text).trim_end().to_owned(),
            code,
        }
    }

    /// Exit code 3: arguments or configuration are wrong.
    pub(crate) fn usage(text: impl Into<String>) -> Failure {
        Failure {
            text: text.into(),
            code: 3,
        }
    }

    /// Exit code 4: files, network or AWS.
    pub(crate) fn io(text: impl Into<String>) -> Failure {
        Failure {
            text: text.into(),
            code: 4,
        }
    }

    /// What went wrong, line by line.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }

    /// Whether a rule, a report or SQL is wrong: nothing but its author helps.
    pub(crate) fn is_query(&self) -> bool {
        self.code == 2
    }

    /// The line.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Prints the line and gives the exit code.
    pub(crate) fn tell(&self) -> ExitCode {
        // What points at a word of a query says `error` itself.
        let text = self.text.strip_prefix("error: ").unwrap_or(&self.text);
        note(&format!("error: {text}"));
        ExitCode::from(self.code)
    }
}

/// A line on standard error. A closed pipe is no reason to fail.
pub(crate) fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// What clap says: help and version are answers, everything else is a usage error.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(3)
    } else {
        ExitCode::SUCCESS
    }
}

impl From<LakeError> for Failure {
    fn from(error: LakeError) -> Failure {
        Failure {
            text: in_one_line(&error),
            code: if error.is_configuration() { 3 } else { 4 },
        }
    }
}

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Failure {
        Failure {
            text: in_one_line(&error),
            code: if error.is_configuration() { 3 } else { 4 },
        }
    }
}

impl From<JobsError> for Failure {
    fn from(error: JobsError) -> Failure {
        match error {
            JobsError::Lake(error) => error.into(),
            JobsError::Query { file, text, error } => Failure::query(error.render(&file, &text)),
            JobsError::Script(_) => Failure::query(in_one_line(&error)),
            JobsError::Period(why) => Failure::usage(why),
            _ => Failure::io(in_one_line(&error)),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::io(error.to_string())
    }
}
