//! The command line (DESIGN: results on standard output, everything else on standard error).

mod ask;
mod backfill;
mod config;
mod report;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

pub(crate) use ask::{Bounds, Investigate, Sql, Trend};
pub(crate) use backfill::Backfill;
pub(crate) use config::{CheckedRole, Config, Doctor};
pub(crate) use report::{Report, RunReport};

/// A lake, a clock and a doorbell for Amazon GuardDuty.
#[derive(Debug, Parser)]
#[command(name = "guardlake", version, max_term_width = 110)]
pub(crate) struct Args {
    /// The lake: a folder, or s3://bucket/prefix
    #[arg(long, global = true, value_name = "URI")]
    pub(crate) lake: Option<String>,
    /// Settings file [default: ./guardlake.yaml where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder with your own views/ trends/ alerts/ investigations/ reports/, laid over the built-in ones
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) sql: Option<PathBuf>,
    /// How results are printed [default: table on a terminal, ndjson when piped]
    #[arg(long, global = true, value_enum)]
    pub(crate) format: Option<Format>,
    /// Log more (-v), or even more (-vv), on standard error
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One array.
    Json,
    /// One object a line.
    Ndjson,
    /// With a header line; text that a spreadsheet would take for a formula gets a leading apostrophe.
    Csv,
    /// For a ticket or a wiki.
    Markdown,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The whole walk on this machine: a Kinesis stream, a consumer, a lake, trends and alerts
    Demo(Demo),
    /// The service: follow Kinesis streams into the lake, ring, make reports, look after the lake
    Run(Run),
    /// Load findings from files, folders, globs, s3:// prefixes or - (standard input); shape and gzip are detected
    Ingest(Ingest),
    /// Load the findings that GuardDuty still holds (90 days) through its API, from the administrator account, in every Region
    Backfill(Backfill),
    /// Make findings that look real, for trying things out
    Sample(Sample),
    /// Ask in SQL: a query, a file of queries, or a prompt
    Sql(Sql),
    /// List the built-in questions, or ask one
    Trend(Trend),
    /// List the questions about one address, instance, principal or account, or ask one
    Investigate(Investigate),
    /// Work with alert rules
    #[command(subcommand)]
    Rule(Rule),
    /// Evaluate rules, and look at alerts
    #[command(subcommand)]
    Alert(Alert),
    /// Who is told of alerts, and what is owed
    #[command(subcommand)]
    Notify(Notify),
    /// What accounts are called, and who answers for them
    #[command(subcommand)]
    Accounts(Accounts),
    /// Reports: list them, make one
    #[command(subcommand)]
    Report(Report),
    /// Look after the lake
    #[command(subcommand)]
    Lake(Lake),
    /// Make, check and show the settings
    #[command(subcommand)]
    Config(Config),
    /// Check that this machine can do the work: settings, lake, AWS, stream, rules, who is told. Exit with 1 when it cannot
    Doctor(Doctor),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Demo {
    /// End by itself when everything has been shown
    #[arg(long)]
    pub(crate) once: bool,
    /// Findings to send
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) findings: u64,
    /// Accounts they come from
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub(crate) accounts: u32,
    /// Where the demo's lake is made; emptied first
    #[arg(long, default_value = "./guardlake-demo", value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Run {
    /// Kinesis stream: NAME, NAME@REGION or an ARN; several flow into the one lake
    #[arg(long, value_name = "STREAM")]
    pub(crate) stream: Vec<String>,
    /// Where findings come from
    #[arg(long, value_enum, default_value_t = FindingSource::Stream)]
    pub(crate) source: FindingSource,
    /// With `--source s3-export`: the s3://bucket/prefix that GuardDuty exports to, or a folder
    #[arg(long, value_name = "PREFIX")]
    pub(crate) exports: Option<String>,
    /// Share the shards with other workers on the same lake
    #[arg(long)]
    pub(crate) share: bool,
    /// What this process does
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Role::Ingest, Role::Alerts, Role::Notify, Role::Reports, Role::Upkeep])]
    pub(crate) roles: Vec<Role>,
    /// Folder whose rules are used instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) suppressions: SuppressionFolder,
}

/// Where a `run` process takes findings from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FindingSource {
    /// Kinesis streams.
    Stream,
    /// What GuardDuty exports to S3.
    S3Export,
}

/// What a `run` process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Carry records from the stream into the lake.
    Ingest,
    /// Evaluate rules after each commit, and ring on standard output where no file says who is told.
    Alerts,
    /// Tell people, as the file of channels and routes says; without one there is nothing to do.
    Notify,
    /// Make reports when their schedules say so.
    Reports,
    /// Compact, take out what is not kept any more, and delete files that nothing needs.
    Upkeep,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Ingest {
    /// Files, folders, globs, s3://bucket/prefix, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<String>,
    /// The findings come from an API that knows only the last version of each: leave them out of occurrence rates
    #[arg(long)]
    pub(crate) backfill: bool,
    /// Threads that decode [default: one a core]
    #[arg(long)]
    pub(crate) threads: Option<std::num::NonZero<usize>>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Sample {
    /// Documents to make: versions of findings, updates and duplicates included
    #[arg(long, default_value_t = 1_000)]
    pub(crate) findings: u64,
    /// Accounts they come from
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) accounts: u32,
    /// Wire shape
    #[arg(long, value_enum, default_value = "eventbridge")]
    pub(crate) shape: Shape,
    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Newest time, e.g. 2026-07-01T00:00:00Z
    #[arg(long, default_value = "2026-07-01T00:00:00Z")]
    pub(crate) end: String,
    /// Days that the findings spread over
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub(crate) days: u32,
    /// Plant bursts that the built-in rules ring for
    #[arg(long)]
    pub(crate) bursts: bool,
}

/// A wire shape that `sample` can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// EventBridge events, one a line.
    Eventbridge,
    /// Lines of a GuardDuty S3 export.
    Export,
    /// Output of `aws guardduty get-findings`, up to 50 findings a line.
    GetFindings,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rule {
    /// List rules
    List(RuleFolder),
    /// Check rules without running them
    Check(RuleFolder),
    /// Print the SQL file of a rule: what the Sigma documents of a .yml file become, or a rule's own text
    Convert {
        /// A file, or the id of a rule
        #[arg(value_name = "FILE|RULE")]
        what: String,
        #[command(flatten)]
        rules: RuleFolder,
    },
    /// Play the rules' timelines: does each ring when it should, and only then? Exit with 1 when a test fails
    Test {
        /// Timelines, or folders of them [default: those beside the rules]
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        rules: RuleFolder,
        /// Write the results as JUnit XML, too
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
    },
    /// How often a rule would have rung in a past period, and with other thresholds or windows
    Backtest(Backtest),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Backtest {
    /// Id of a rule, or the file of one that is not installed
    #[arg(value_name = "RULE|FILE")]
    pub(crate) rule: String,
    /// Start of the period, included (2026-11-01, "end - 7d") [default: the oldest finding]
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// End of the period, not included [default: the midnight after the newest finding]
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Try values: threshold=5..50, threshold=5..50:5, window=5m,10m,1h or suppress_for=1h,6h
    #[arg(long, value_name = "FIELD=VALUES")]
    pub(crate) sweep: Option<String>,
    #[command(flatten)]
    pub(crate) rules: RuleFolder,
}

/// `guardlake notify`
#[derive(Debug, Subcommand)]
pub(crate) enum Notify {
    /// Read the file of channels and routes, and list them; nothing is connected to
    Check {
        #[command(flatten)]
        file: NotifyFile,
    },
    /// Which routes an alert takes, and what its channels would send; nothing is sent
    Test {
        /// The alert, or the start of its id [default: the latest]
        #[arg(value_name = "ALERT")]
        id: Option<String>,
        #[command(flatten)]
        file: NotifyFile,
        #[command(flatten)]
        rules: RuleFolder,
    },
    /// Owe again what was given up; `run` or `alert run` tells it
    Replay {
        /// Only this channel
        #[arg(long, value_name = "NAME")]
        channel: Option<String>,
    },
    /// What is owed by channel, and what was given up
    Owed,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct NotifyFile {
    /// File of channels and routes
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// `guardlake accounts`
#[derive(Debug, Subcommand)]
pub(crate) enum Accounts {
    /// Read names, organizational units, owners and tags from a CSV or YAML file, with history
    Import {
        /// .csv with a header, or .yaml with a list
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The file has some accounts only: keep those that it does not name
        #[arg(long)]
        part: bool,
    },
    /// Read names, e-mail addresses and organizational units from AWS Organizations, with history
    Sync {
        /// Read tags, too: a call for each account. The tag owner or team says who answers for it
        #[arg(long)]
        tags: bool,
    },
    /// List the accounts that are known
    List,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RuleFolder {
    /// Folder whose rules are used instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Option<PathBuf>,
}

#[derive(Debug, Default, ClapArgs)]
pub(crate) struct SuppressionFolder {
    /// Folder with suppression files (*.yml, *.yaml): alerts that they mean are logged and do not ring
    #[arg(long = "suppressions", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// Which alerts, and who says so.
#[derive(Debug, ClapArgs)]
pub(crate) struct Operation {
    /// Ids of alerts, or the start of them
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// Who does it [default: $USER]
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Alert {
    /// Evaluate all rules up to the lake's present version and ring for what is new
    Run {
        /// Evaluate once and end
        #[arg(long)]
        once: bool,
        #[command(flatten)]
        rules: RuleFolder,
        #[command(flatten)]
        suppressions: SuppressionFolder,
        /// Alerts whose last match is older than this are logged but do not ring
        #[arg(long, default_value = "24h", value_name = "DURATION")]
        max_age: String,
    },
    /// List alerts, newest first
    List {
        /// Only these states: open, acknowledged, snoozed, resolved, merged, withdrawn
        #[arg(long, value_delimiter = ',')]
        state: Vec<String>,
        /// Only this rule
        #[arg(long)]
        rule: Option<String>,
        /// Suppressed alerts: with all others, only these, or none of them
        #[arg(long, value_enum, default_value = "all")]
        suppressed: Suppressed,
        /// Exit with 1 when an open alert has at least this severity
        #[arg(long, value_name = "SEVERITY")]
        fail_on: Option<String>,
    },
    /// Show one alert: its evidence, its history, the most frequent values among its findings
    Show {
        /// Its id, or the start of it
        id: String,
    },
    /// Say that somebody has seen alerts: growth rings again only when it escalates
    Ack {
        #[command(flatten)]
        operation: Operation,
        /// Why, for the log
        #[arg(
            long,
            default_value = "",
            hide_default_value = true,
            value_name = "TEXT"
        )]
        reason: String,
    },
    /// Ask for quiet: until then nothing of these alerts rings, and then they are open again
    Snooze {
        #[command(flatten)]
        operation: Operation,
        #[command(flatten)]
        until: Until,
        /// Why, for the log
        #[arg(
            long,
            default_value = "",
            hide_default_value = true,
            value_name = "TEXT"
        )]
        reason: String,
    },
    /// Close alerts; findings that go on open them again
    Resolve {
        #[command(flatten)]
        operation: Operation,
        /// Why, for the log
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Make alerts open again that were acknowledged, snoozed or resolved
    Reopen {
        #[command(flatten)]
        operation: Operation,
        /// Why, for the log
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// List suppressions: who answers for them, why, until when, and what they hide now
    Suppressions {
        #[command(flatten)]
        suppressions: SuppressionFolder,
        #[command(flatten)]
        rules: RuleFolder,
    },
}

/// When a snooze ends.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub(crate) struct Until {
    /// For so long: 30m, 4h, 2d
    #[arg(long = "for", value_name = "DURATION")]
    pub(crate) period: Option<String>,
    /// Until then: 2026-12-31 or 2026-12-31T18:00Z
    #[arg(long = "until", value_name = "TIME")]
    pub(crate) time: Option<String>,
}

/// Which alerts to list, by whether a suppression hides them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suppressed {
    /// Both.
    All,
    /// Only those that are hidden.
    Only,
    /// Only those that are not.
    No,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Lake {
    /// Tables, versions, rows, files, positions
    Info,
    /// Check that nothing is lost or stored twice; exit with 1 when something is
    Verify {
        /// Show the position of each shard beside the newest row that came from it
        #[arg(long)]
        positions: bool,
        /// Set positions that do not cover their rows to the newest of them; what is read again is known by its identity
        #[arg(long, requires = "positions")]
        repair: bool,
    },
    /// Take out findings that are older than lake.retention keeps them; vacuum deletes the files later
    Expire {
        /// Say what would be taken out, and take nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Rewrite the small files of each day, and of the logs, into one; no row changes
    Compact {
        /// Say what would be rewritten, and write nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Delete files that no version of a table needs any more, and log entries older than 30 days that checkpoints replace
    Vacuum {
        /// Keep files that were written or removed since: 7d or more
        #[arg(long, default_value = "7d", value_name = "DURATION")]
        older_than: String,
        /// Say what would be deleted, and delete nothing
        #[arg(long)]
        dry_run: bool,
        /// Allow less than 7d: rows are lost if anything is writing to the lake meanwhile
        #[arg(long)]
        force: bool,
    },
}
