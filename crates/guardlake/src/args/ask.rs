//! `guardlake sql`, `trend` and `investigate`: questions, and how far they may go.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// `guardlake sql`
#[derive(Debug, ClapArgs)]
pub(crate) struct Sql {
    /// The query; without one and without -f a prompt opens
    pub(crate) query: Option<String>,
    /// File with one or more queries, each but the last ended by ;
    #[arg(short, long, value_name = "FILE", conflicts_with = "query")]
    pub(crate) file: Option<PathBuf>,
    /// Value of a $parameter
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
}

/// `guardlake trend`
#[derive(Debug, ClapArgs)]
pub(crate) struct Trend {
    /// Which; without a name they are listed
    pub(crate) name: Option<String>,
    /// Start of the period, included (2026-11-01, "end - 7d")
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// End of the period, not included
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Only these accounts: ids with commas between them
    #[arg(long, value_name = "IDS")]
    pub(crate) accounts: Option<String>,
    /// Only accounts in this organizational unit, and below it
    #[arg(long, value_name = "PATH")]
    pub(crate) ou: Option<String>,
    /// Only these types, with commas between them: Recon:*
    #[arg(long, value_name = "TYPES")]
    pub(crate) types: Option<String>,
    /// Only findings at least so severe: low, medium, high, critical or a number
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) severity: Option<String>,
    /// Time zone that days are cut in [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub(crate) tz: Option<String>,
    /// Value of another $parameter
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
}

/// `guardlake investigate`
#[derive(Debug, ClapArgs)]
pub(crate) struct Investigate {
    /// Which; without a name they are listed
    pub(crate) name: Option<String>,
    /// Value of the one parameter that must be given: an address, an instance, a finding's id
    pub(crate) value: Option<String>,
    /// Value of another $parameter
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
}

/// Where an answer goes, how much one question may use, and who works on it.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct Bounds {
    /// Write the answer to a new file: .parquet, .csv, .json or .ndjson
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace the file of --output where there is one
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    /// How long one question may take: 30s, 5m [default: as long as it needs]
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<String>,
    /// Memory for sorting, grouping and joining: 512m, 4g; what needs more goes to disk where it can [default: 1g]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
    /// Stop after so many rows of an answer [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) max_rows: Option<usize>,
    /// Let a cluster work on it: df://HOST:PORT of its scheduler; --memory is then each executor's own
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) cluster: Option<String>,
}
