//! A file of JSON lines, one an alert or report, appended and synced.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use alerts::Notice;
use async_trait::async_trait;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{Channel, Failed, Receipt, Takes, stdout};
use crate::bulletin::{Bulletin, document};
use crate::channels::{Outside, Settings};
use crate::document::line;

/// Where.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The file; it is made where it is missing, its folder is not.
    path: PathBuf,
}

/// A line is written whole or, after a crash, told apart by the line break that the next one begins with. Rotation by renaming works: the
/// file is opened for each delivery.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    writing: std::sync::Arc<Mutex<()>>,
}

impl Settings for Config {
    fn check(&self) -> Result<(), String> {
        match self.path.file_name() {
            Some(_) => Ok(()),
            None => Err("path: must name a file".to_owned()),
        }
    }

    fn build(&self, _: &Outside<'_>) -> Result<Box<dyn Channel>, String> {
        let (path, writing) = (self.path.clone(), std::sync::Arc::default());
        Ok(Box::new(File { path, writing }))
    }
}

#[async_trait]
impl Channel for File {
    fn takes(&self) -> Takes {
        Takes::Alerts
    }

    fn preview(&self, notice: &Notice) -> String {
        String::from_utf8_lossy(&stdout::render(notice)).into_owned()
    }

    async fn deliver(&self, notice: &Notice, _: Option<&Receipt>) -> Result<Receipt, Failed> {
        self.add(stdout::render(notice)).await
    }

    fn takes_reports(&self) -> bool {
        true
    }

    /// Told apart from alerts by `"event":"report"`.
    async fn publish(&self, bulletin: &Bulletin) -> Result<Receipt, Failed> {
        let mut line = line(&document(bulletin));
        line.push(b'\n');
        self.add(line).await
    }
}

impl File {
    /// Appends whole lines.
    async fn add(&self, lines: Vec<u8>) -> Result<Receipt, Failed> {
        let path = self.path.clone();
        // The guard goes along: whoever is cancelled here still writes there.
        let writing = self.writing.clone().lock_owned().await;
        let write = move || {
            let _writing = writing;
            append(&path, &lines)
        };
        let error = match tokio::task::spawn_blocking(write).await {
            Ok(Ok(())) => return Ok(Receipt::default()),
            Ok(Err(error)) => error,
            Err(error) => io::Error::other(error),
        };
        let why = format!("{}: {error}", self.path.display());
        // A disc that is full or a folder that is missing may be put right.
        Err(Failed::ForNow { why, wait: None })
    }
}

fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .open(path)?;
    let mut all = Vec::with_capacity(lines.len() + 1);
    let is_new = file.seek(SeekFrom::End(0))? == 0;
    if !is_new {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        // The half line of a write that was cut off must not swallow this one.
        if last != *b"\n" {
            all.push(b'\n');
        }
    }
    all.extend_from_slice(lines);
    file.write_all(&all)?;
    file.sync_all()?;
    // The name of a new file rests in its folder.
    if cfg!(unix) && is_new {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::channel::Failed;
    use crate::testing;

    #[tokio::test]
    async fn lines_are_appended_also_after_half_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        let channel = testing::channel(&format!("kind: file\npath: {}", path.display()));
        channel.deliver(&testing::opened(), None).await.unwrap();
        let first = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{first}{{\"half")).unwrap();
        channel.deliver(&testing::resolved(), None).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(text.ends_with('\n'));
        let last: Value = serde_json::from_str(lines[2]).unwrap();
        assert_eq!(
            (&last["event"], &last["key"]),
            (&"resolved".into(), &testing::resolved().key.into())
        );
        testing::golden("file.jsonl", &first);
        channel.publish(&testing::report()).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 4);
        let line = text.lines().last().unwrap();
        testing::golden("report-file.json", &format!("{line}\n"));
    }

    #[tokio::test]
    async fn a_folder_that_is_missing_may_come() {
        let channel = testing::channel("kind: file\npath: /no/such/folder/alerts.jsonl");
        let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
        assert!(matches!(failed, Failed::ForNow { .. }), "{failed:?}");
    }
}
