//! `guardlake config` and `guardlake doctor` on the command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::Command;

/// `guardlake config`
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Write a settings file to start with, every key explained, and its JSON Schema beside it
    Init {
        /// Where [default: the file of --config, or guardlake.yaml]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Replace a file that is there
        #[arg(long)]
        force: bool,
    },
    /// Say all that is wrong with the settings and with the files that they name; exit with 3 when something is
    Validate {
        /// The settings file [default: the one that commands read]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Show the settings that hold, and who says so
    Show,
    /// Print the JSON Schema of the settings file; with --format markdown, a table of all settings
    Schema,
    /// Print the path of the settings file; exit with 1 when there is none
    Path,
}

/// `guardlake doctor`
#[derive(Debug, ClapArgs)]
pub(crate) struct Doctor {
    /// Check only what these need [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROLES")]
    pub(crate) role: Vec<CheckedRole>,
    /// Kinesis stream to check [default: stream.name of the settings]
    #[arg(long, value_name = "STREAM")]
    pub(crate) stream: Vec<String>,
    /// Check the organization, too, from its GuardDuty administrator account: is everything in place for findings to arrive?
    #[arg(long)]
    pub(crate) aws: bool,
    /// With --aws: Regions, or all that this account may use
    #[arg(
        long,
        requires = "aws",
        value_delimiter = ',',
        default_value = "all",
        value_name = "REGIONS"
    )]
    pub(crate) regions: Vec<String>,
}

/// What a machine is to do, for `doctor --role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckedRole {
    /// Carry records from the stream into the lake.
    Ingest,
    /// Evaluate rules.
    Alerts,
    /// Tell people.
    Notify,
    /// Compact and clean the lake.
    Upkeep,
    /// Only read: SQL, trends, reports.
    Query,
}

impl Command {
    /// Whether the command reads the settings itself, to say what is wrong with them.
    pub(crate) fn looks_at_settings(&self) -> bool {
        matches!(self, Command::Config(_) | Command::Doctor(_))
    }
}
