//! An answer in a file: written beside it as it comes and put in its place when it is whole, so that no half answer is left and
//! nothing is replaced unasked.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tempfile::{Builder, NamedTempFile};

use super::Written;
use super::sink::Sink;
use crate::args::Format;
use crate::failure::Failure;

/// What the end of a file's name says about its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileFormat {
    /// Zstandard, typed columns.
    Parquet,
    /// As on standard output.
    Text(Format),
}

impl FileFormat {
    /// By the ending of a name.
    pub(crate) fn of(path: &Path) -> Result<FileFormat, Failure> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("parquet") => Ok(FileFormat::Parquet),
            Some("csv") => Ok(FileFormat::Text(Format::Csv)),
            Some("json") => Ok(FileFormat::Text(Format::Json)),
            Some("ndjson" | "jsonl") => Ok(FileFormat::Text(Format::Ndjson)),
            _ => Err(Failure::usage(format!(
                "{}: a file of rows ends in .parquet, .csv, .json or .ndjson",
                path.display()
            ))),
        }
    }
}

/// A file that an answer is being written to.
pub(crate) struct AnswerFile {
    path: PathBuf,
    replace: bool,
    to: To,
}

enum To {
    Parquet(Box<ArrowWriter<NamedTempFile>>),
    Text(Box<Sink<BufWriter<NamedTempFile>>>),
}

/// The answer would replace a file.
pub(crate) fn refuse_existing(path: &Path, replace: bool) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(_) if !replace => Err(Failure::usage(format!(
            "{} exists; --force replaces it",
            path.display()
        ))),
        _ => Ok(()),
    }
}

impl AnswerFile {
    /// Begins a file in the folder where it will be.
    pub(crate) fn create(
        path: &Path,
        replace: bool,
        schema: &SchemaRef,
    ) -> Result<AnswerFile, Failure> {
        let format = FileFormat::of(path)?;
        refuse_existing(path, replace)?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = Builder::new();
        builder.prefix(".guardlake-").suffix(".part");
        #[cfg(unix)]
        {
            // What the user's umask leaves of it, as for any file that a command writes.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(|e| cannot(path, &e))?;
        let to = match format {
            FileFormat::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_max_row_group_row_count(Some(128 * 1024))
                    .build();
                let writer = ArrowWriter::try_new(file, SchemaRef::clone(schema), Some(properties));
                To::Parquet(Box::new(writer.map_err(|e| cannot(path, &e))?))
            }
            FileFormat::Text(format) => {
                let sink = Sink::new(BufWriter::new(file), schema, format);
                To::Text(Box::new(sink.map_err(|e| cannot(path, &e))?))
            }
        };
        Ok(AnswerFile {
            path: path.to_owned(),
            replace,
            to,
        })
    }

    /// Some rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let written: Written = match &mut self.to {
            To::Parquet(writer) => writer.write(batch).map_err(Into::into),
            To::Text(sink) => sink.write(batch),
        };
        written.map_err(|e| cannot(&self.path, &e))
    }

    /// Puts the file in its place.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let path = &self.path;
        let file = match self.to {
            To::Parquet(writer) => writer.into_inner().map_err(|e| cannot(path, &e))?,
            To::Text(sink) => {
                let out = sink.finish().map_err(|e| cannot(path, &e))?;
                out.into_inner().map_err(|e| cannot(path, &e))?
            }
        };
        file.as_file().sync_all().map_err(|e| cannot(path, &e))?;
        let placed = match self.replace {
            true => file.persist(path),
            false => file.persist_noclobber(path),
        };
        match placed {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
                refuse_existing(path, false)
            }
            Err(error) => Err(cannot(path, &error.error)),
        }
    }
}

fn cannot(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::io(format!("cannot write {}: {error}", path.display()))
}
