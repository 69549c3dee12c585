//! `guardlake report`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// List reports: when they are made, and when they were
    List,
    /// Read the files of reports and say what is wrong with them
    Check,
    /// Make a report of a period, or of several
    Run(RunReport),
}

#[derive(Debug, Args)]
pub(crate) struct RunReport {
    /// Which
    pub(crate) name: String,
    /// A day of the period, or the period itself: 2026-11-16, 2026-W47, 2026-11, 2026-Q4 [default: the last one that is over]
    #[arg(long = "for", value_name = "DATE")]
    pub(crate) of: Option<String>,
    /// Make all periods from the one of this day ...
    #[arg(long, value_name = "DATE", requires = "to", conflicts_with = "of")]
    pub(crate) from: Option<String>,
    /// ... through the one of this day
    #[arg(long, value_name = "DATE", requires = "from")]
    pub(crate) to: Option<String>,
    /// These formats instead of the report's own: html, mail, markdown, csv, json
    #[arg(long = "as", value_name = "FORMAT", value_delimiter = ',')]
    pub(crate) formats: Vec<String>,
    /// Put the documents into this folder, or below s3://bucket/prefix, instead of where the report or the settings say
    #[arg(long, value_name = "FOLDER|URI")]
    pub(crate) out: Option<String>,
    /// Value of a parameter that the report's questions know
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    /// Tell the report's channels, too; `run` or `alert run` does it
    #[arg(long)]
    pub(crate) deliver: bool,
}

impl RunReport {
    /// Where a local folder was named.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        let out = self.out.as_ref().filter(|out| !out.contains("://"))?;
        Some(PathBuf::from(out))
    }
}
