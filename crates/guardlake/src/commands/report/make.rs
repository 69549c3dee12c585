//! Where documents belong, and what channels tell of them.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jobs::Session;
use jobs::reports::{Asked, Made, MakeError, Written};
use lake::{Lake, ReportRow, Shelf};
use notifier::{BULLETINS, Bulletin, Image, bulletin_path};
use reports::{Format, Report};

use crate::failure::Failure;
use crate::settings::Settings;

impl From<MakeError> for Failure {
    fn from(error: MakeError) -> Failure {
        match &error {
            MakeError::Lake { .. } => Failure::io(error.to_string()),
            MakeError::Script(_) | MakeError::Report { .. } => Failure::query(error.to_string()),
        }
    }
}

/// Where the documents of a report belong.
pub(crate) fn shelf(lake: &Lake, settings: &Settings, report: &Report) -> Result<Shelf, Failure> {
    let to = report.deliver.to.as_ref().or(settings.reports.to.as_ref());
    Ok(match to {
        Some(uri) => Shelf::at(uri)?,
        None => lake.shelf("reports")?,
    })
}

/// Writes documents into a folder, without folders of their own; returns their names.
pub(crate) fn write_to(folder: &Path, written: &Written) -> Result<Vec<String>, Failure> {
    std::fs::create_dir_all(folder)
        .map_err(|e| Failure::io(format!("cannot make {}: {e}", folder.display())))?;
    let mut names = Vec::new();
    for (path, bytes) in &written.documents {
        let name = path.rsplit('/').next().unwrap_or(path);
        let path = folder.join(name);
        std::fs::write(&path, bytes)
            .map_err(|e| Failure::io(format!("cannot write {}: {e}", path.display())))?;
        names.push(name.to_owned());
    }
    Ok(names)
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
