//! `guardlake backfill` on the command line.

use clap::Args as ClapArgs;

#[derive(Debug, ClapArgs)]
pub(crate) struct Backfill {
    /// Only what was updated since: a time (2026-11-01), or how long ago (30d) [default: all that GuardDuty holds, 90 days]
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only what was updated before: a time, or how long ago
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Regions: names, or all that this account may use
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "all",
        value_name = "REGIONS"
    )]
    pub(crate) regions: Vec<String>,
    /// Only findings of these accounts, 50 at most [default: of all members]
    #[arg(long, value_delimiter = ',', value_name = "ACCOUNTS")]
    pub(crate) accounts: Vec<String>,
    /// Say how many findings there are, and fetch none
    #[arg(long)]
    pub(crate) dry_run: bool,
}
