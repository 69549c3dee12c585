//! From a report and a period to documents in their place, a row in the log, and what channels tell of it.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jobs::Session;
use jobs::reports::{Made, MakeError, ReportFile};
use lake::{AlertCommit, Lake, ReportRow, ReportStep, Shelf};
use notifier::{BULLETINS, Bulletin, Image, bulletin_path};
use reports::{Document, Format, Period, Report};
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::settings::Settings;
use crate::wire_up;

/// How often somebody else may write to the log first.
const ATTEMPTS: u32 = 20;

/// What is to be made.
pub(crate) struct Asked<'a> {
    pub(crate) file: &'a ReportFile,
    pub(crate) period: &'a Period,
    pub(crate) given: &'a BTreeMap<String, String>,
    pub(crate) formats: &'a [Format],
}

/// Documents that are not put anywhere yet.
pub(crate) struct Written {
    /// Below where they will lie: `weekly_overview/2026-W47/weekly_overview-2026-W47.html`.
    documents: Vec<(String, Vec<u8>)>,
    pub(crate) row: ReportRow,
}

impl From<MakeError> for Failure {
    fn from(error: MakeError) -> Failure {
        match &error {
            MakeError::Lake { .. } => Failure::io(error.to_string()),
            MakeError::Script(_) | MakeError::Report { .. } => Failure::query(error.to_string()),
        }
    }
}

/// Makes the documents of a report.
pub(crate) async fn make(session: &Session, asked: &Asked<'_>) -> Result<Written, Failure> {
    let Asked {
        file,
        period,
        given,
        formats,
    } = asked;
    let made = jobs::reports::make(session, file, period, given, formats).await?;
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
            at: wire_up::now(),
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
    files.extend(
        (document.attachments.into_iter())
            .map(|picture| (format!("{stem}.{}", picture.name), picture.bytes)),
    );
    files
}

/// Where the documents of a report belong.
pub(crate) fn shelf(lake: &Lake, settings: &Settings, report: &Report) -> Result<Shelf, Failure> {
    let to = report.deliver.to.as_ref().or(settings.reports.to.as_ref());
    Ok(match to {
        Some(uri) => Shelf::at(uri)?,
        None => lake.shelf("reports")?,
    })
}

/// Puts documents in their place; the row says where.
pub(crate) async fn put(shelf: &Shelf, written: Written) -> Result<ReportRow, Failure> {
    for (path, bytes) in written.documents {
        shelf.put(&path, bytes).await?;
    }
    Ok(ReportRow {
        location: Some(shelf.uri().to_owned()),
        ..written.row
    })
}

/// Writes documents into a folder, without folders of their own.
pub(crate) fn write_to(folder: &Path, written: &Written) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)
        .map_err(|e| Failure::io(format!("cannot make {}: {e}", folder.display())))?;
    for (path, bytes) in &written.documents {
        let path = folder.join(path.rsplit('/').next().unwrap_or(path));
        std::fs::write(&path, bytes)
            .map_err(|e| Failure::io(format!("cannot write {}: {e}", path.display())))?;
    }
    Ok(())
}

/// Lays out what the notifier tells of a report, in the lake.
pub(crate) async fn lay_out(
    lake: &Lake,
    session: &Session,
    asked: &Asked<'_>,
    row: &ReportRow,
) -> Result<(), Failure> {
    let asked = Asked {
        formats: &[Format::Mail],
        ..*asked
    };
    let (file, period) = (asked.file, asked.period);
    let made = jobs::reports::make(session, file, period, asked.given, asked.formats).await?;
    let bulletin = bulletin(made, row);
    let json = serde_json::to_vec(&bulletin)
        .map_err(|e| Failure::io(format!("cannot write what channels tell: {e}")))?;
    let path = bulletin_path(&row.report, &row.period);
    Ok(lake.shelf(BULLETINS)?.put(&path, json).await?)
}

/// One report is told as it is; of one for each account only that they are there.
fn bulletin(mut made: Vec<Made>, row: &ReportRow) -> Bulletin {
    let several = made.len() > 1;
    let count = made.len();
    let first = (!made.is_empty()).then(|| made.swap_remove(0));
    let mut bulletin = Bulletin {
        key: String::new(),
        report: row.report.clone(),
        period: row.period.clone(),
        location: row.location.clone().unwrap_or_default(),
        documents: row.documents.clone(),
        made_at: row.at,
        ..Bulletin::default()
    };
    let Some(mut first) = first else {
        bulletin.title = format!("{}, {}: nothing to say", row.report, row.period);
        return bulletin;
    };
    let Some(mail) = first.documents.pop() else {
        return bulletin;
    };
    bulletin.title = mail.title;
    if several {
        bulletin.title = format!("{}, {}", row.report, row.period);
        bulletin.summary = vec![format!("{count} reports were made.")];
        bulletin.plain = format!(
            "{count} reports were made; they lie in {}.\n",
            bulletin.location
        );
        return bulletin;
    }
    bulletin.summary = first.summary;
    bulletin.plain = mail.plain;
    bulletin.html = String::from_utf8_lossy(&mail.bytes).into_owned();
    let image = |picture: reports::Attachment| Image {
        content_id: picture.content_id,
        name: picture.name,
        base64: STANDARD.encode(picture.bytes),
    };
    bulletin.images = mail.attachments.into_iter().map(image).collect();
    bulletin
}

/// Adds a row to the log of reports.
pub(crate) async fn log(lake: &Lake, row: &ReportRow) -> Result<(), Failure> {
    for _ in 0..ATTEMPTS {
        let (version, _) = lake.reports().await?;
        if let AlertCommit::Committed { .. } = lake
            .append_reports(version, std::slice::from_ref(row))
            .await?
        {
            return Ok(());
        }
    }
    Err(Failure::io(
        "others write to the log of reports all the time",
    ))
}
