//! Documents in their place, and the row of the log that says so.

use std::collections::BTreeMap;

use ::reports::{Document, Format, Period};
use lake::{AlertCommit, Lake, LakeError, ReportRow, ReportStep, Shelf};
use sha2::{Digest, Sha256};

use super::{MakeError, ReportFile, make};
use crate::session::Session;

/// How often somebody else may write to the log first.
pub(super) const ATTEMPTS: u32 = 20;

/// What is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The report.
    pub file: &'a ReportFile,
    /// Of when.
    pub period: &'a Period,
    /// Parameters, which win over the report's own.
    pub given: &'a BTreeMap<String, String>,
    /// How it is made.
    pub formats: &'a [Format],
}

/// Documents that are not put anywhere yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Below where they will lie: `weekly_overview/2026-W47/weekly_overview-2026-W47.html`.
    pub documents: Vec<(String, Vec<u8>)>,
    /// What the log will say: made at `now`, by nobody and nowhere yet.
    pub row: ReportRow,
}

/// Makes the documents of a report. `now` in UTC microseconds goes into the row alone.
pub async fn write(session: &Session, asked: &Asked<'_>, now: i64) -> Result<Written, MakeError> {
    let (file, period) = (asked.file, asked.period);
    let made = make(session, file, period, asked.given, asked.formats).await?;
    let folder = format!("{}/{}", file.source.name, period.name());
    let mut digest = Sha256::new();
    let mut documents = Vec::new();
    for document in made.into_iter().flat_map(|made| made.documents) {
        for (name, bytes) in files(document) {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(&bytes);
            documents.push((format!("{folder}/{name}"), bytes));
        }
    }
    let digest = digest.finalize();
    Ok(Written {
        row: ReportRow {
            report: file.source.name.clone(),
            step: ReportStep::Made,
            period: period.name(),
            period_from: Some(period.from()),
            period_to: Some(period.to()),
            at: now,
            by: String::new(),
            location: None,
            documents: documents.iter().map(|(name, _)| name.clone()).collect(),
            digest: Some(digest.iter().map(|byte| format!("{byte:02x}")).collect()),
            channels: Vec::new(),
        },
        documents,
    })
}

/// A document, its pictures and its plain text as files. The page of a mail names its pictures by content ids; beside it they are there
/// to be looked at.
fn files(document: Document) -> Vec<(String, Vec<u8>)> {
    let stem = document.name.trim_end_matches(".html").to_owned();
    let mut files = vec![(document.name, document.bytes)];
    if !document.plain.is_empty() {
        files.push((format!("{stem}.txt"), document.plain.into_bytes()));
    }
    let pictures = document.attachments.into_iter();
    files.extend(pictures.map(|picture| (format!("{stem}.{}", picture.name), picture.bytes)));
    files
}

/// Puts documents in their place; the row says where.
pub async fn put(shelf: &Shelf, written: Written) -> Result<ReportRow, LakeError> {
    for (path, bytes) in written.documents {
        shelf.put(&path, bytes).await?;
    }
    Ok(ReportRow {
        location: Some(shelf.uri().to_owned()),
        ..written.row
    })
}

/// Adds a row to the log of reports.
pub async fn log(lake: &Lake, row: &ReportRow) -> Result<(), LakeError> {
    for _ in 0..ATTEMPTS {
        let (version, _) = lake.reports().await?;
        let appended = lake.append_reports(version, std::slice::from_ref(row));
        if let AlertCommit::Committed { .. } = appended.await? {
            return Ok(());
        }
    }
    Err(contended(lake))
}

pub(super) fn contended(lake: &Lake) -> LakeError {
    LakeError::Contention {
        uri: lake.table_url(lake::Table::ReportLog),
        attempts: ATTEMPTS,
    }
}
