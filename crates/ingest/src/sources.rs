//! What a user typed becomes a list of files and objects: paths, folders, globs, `s3://` prefixes, `-`.

use std::path::{Path, PathBuf};

use aws_sdk_s3::Client;

use crate::IngestError;
use crate::error::aws_reason;

/// Something to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its absolute URI: what the lake remembers it by.
    pub uri: String,
    /// Changes when the content does: S3's ETag, or modification time and size. `None` for standard input.
    pub etag: Option<String>,
    /// Bytes as they lie there; 0 when unknown.
    pub bytes: u64,
    /// How to get at it.
    pub origin: Origin,
}

/// How to get at a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A local file.
    File(PathBuf),
    /// An S3 object.
    Object {
        /// Bucket.
        bucket: String,
        /// Key.
        key: String,
    },
    /// Standard input.
    Stdin,
}

/// Expands arguments in the order given, each folder and listing sorted. A source named twice is listed once.
///
/// `s3` may be `None` when no argument starts with `s3://`.
///
/// # Errors
/// An argument that names nothing is an error that names it.
pub async fn find_sources(
    arguments: &[String],
    s3: Option<&Client>,
) -> Result<Vec<Source>, IngestError> {
    let mut found: Vec<Source> = Vec::new();
    for argument in arguments {
        let more = if argument == "-" {
            vec![Source {
                uri: "stdin:".to_owned(),
                etag: None,
                bytes: 0,
                origin: Origin::Stdin,
            }]
        } else if let Some(rest) = argument.strip_prefix("s3://") {
            let no_client = || IngestError::Argument {
                given: argument.clone(),
                reason: "no S3 client".to_owned(),
            };
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            list_objects(s3.ok_or_else(no_client)?, bucket, prefix, None).await?
        } else {
            files(argument)?
        };
        if more.is_empty() {
            return Err(IngestError::Argument {
                given: argument.clone(),
                reason: "there is nothing to load".to_owned(),
            });
        }
        let known: std::collections::HashSet<String> =
            found.iter().map(|source| source.uri.clone()).collect();
        found.extend(
            more.into_iter()
                .filter(|source| !known.contains(&source.uri)),
        );
    }
    Ok(found)
}

/// All files of a path, a folder or a pattern.
pub(crate) fn files(argument: &str) -> Result<Vec<Source>, IngestError> {
    let wrong = |reason: String| IngestError::Argument {
        given: argument.to_owned(),
        reason,
    };
    let path = Path::new(argument.strip_prefix("file://").unwrap_or(argument));
    let mut paths = Vec::new();
    if path.exists() {
        walk(path, &mut paths).map_err(|e| wrong(e.to_string()))?;
    } else if argument.contains(['*', '?', '[']) {
        for entry in glob::glob(argument).map_err(|e| wrong(e.to_string()))? {
            walk(&entry.map_err(|e| wrong(e.to_string()))?, &mut paths)
                .map_err(|e| wrong(e.to_string()))?;
        }
    } else {
        return Err(wrong("no such file or folder".to_owned()));
    }
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .map(|path| local(path).map_err(|e| wrong(e.to_string())))
        .collect()
}

/// All files below a path. Hidden files and folders are left out, as are what is no file (sockets, devices).
fn walk(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_dir() {
        let mut entries = std::fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries {
            if !entry.file_name().to_string_lossy().starts_with('.') {
                walk(&entry.path(), files)?;
            }
        }
    } else if !path.is_symlink() || path.exists() {
        files.push(path.to_owned());
    }
    Ok(())
}

fn local(path: PathBuf) -> std::io::Result<Source> {
    let absolute = std::fs::canonicalize(&path)?;
    let metadata = std::fs::metadata(&absolute)?;
    let modified = metadata
        .modified()?
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let uri = url::Url::from_file_path(&absolute)
        .map_or_else(|()| absolute.display().to_string(), String::from);
    // A pipe has no size that tells whether it changed.
    let etag = metadata
        .is_file()
        .then(|| format!("{:x}-{:x}", modified.as_nanos(), metadata.len()));
    Ok(Source {
        uri,
        etag,
        bytes: metadata.len(),
        origin: Origin::File(absolute),
    })
}

/// All objects below a prefix, those whose keys come after `after` if it is given.
pub(crate) async fn list_objects(
    client: &Client,
    bucket: &str,
    prefix: &str,
    after: Option<&str>,
) -> Result<Vec<Source>, IngestError> {
    let mut sources = Vec::new();
    let mut pages = client
        .list_objects_v2()
        .bucket(bucket)
        .prefix(prefix)
        .set_start_after(after.map(str::to_owned))
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| IngestError::Aws {
            doing: format!("list `s3://{bucket}/{prefix}`"),
            reason: aws_reason(&e),
        })?;
        for object in page.contents() {
            let (Some(key), Some(size)) = (object.key(), object.size()) else {
                continue;
            };
            // A key that ends in a slash is a folder's placeholder.
            if size == 0 && key.ends_with('/') {
                continue;
            }
            sources.push(Source {
                uri: format!("s3://{bucket}/{key}"),
                etag: object.e_tag().map(|etag| etag.trim_matches('"').to_owned()),
                bytes: size.max(0) as u64,
                origin: Origin::Object {
                    bucket: bucket.to_owned(),
                    key: key.to_owned(),
                },
            });
        }
    }
    Ok(sources)
}
