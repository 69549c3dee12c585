//! Lake errors, named by what the caller should do.

use std::error::Error;

/// What went wrong with the lake.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The address is not one a lake can be at: fix the argument or the configuration.
    #[error("`{uri}` is not a place for a lake: {reason}")]
    Address {
        /// What was given.
        uri: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// There is no lake there: make one with `ingest`, or fix the address.
    #[error(
        "there is no lake at `{uri}` (load something first: guardlake --lake {uri} ingest PATH)"
    )]
    Missing {
        /// Where it was looked for.
        uri: String,
    },
    /// The store could not be read or written: retry, or repair access.
    #[error("cannot {doing} in `{uri}`")]
    Store {
        /// A verb phrase.
        doing: String,
        /// The table's URI.
        uri: String,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
    /// What lies there is damaged or made by something newer: repair data.
    #[error("{what} in `{uri}` cannot be understood: {reason}")]
    Damaged {
        /// Which file or entry.
        what: String,
        /// The table's URI.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Delta Lake refused: the message says what.
    #[error("cannot {doing} in `{uri}`")]
    Delta {
        /// A verb phrase.
        doing: String,
        /// The table's URI.
        uri: String,
        /// What delta-rs said.
        #[source]
        source: Box<deltalake::DeltaTableError>,
    },
    /// Rows could not be encoded: report a bug.
    #[error("rows could not be encoded")]
    Encode(#[from] parquet::errors::ParquetError),
    /// Columns did not fit together: report a bug.
    #[error("columns do not fit together")]
    Columns(#[from] arrow::error::ArrowError),
    /// Another writer moved a position that this one holds: read it again and go on from there.
    #[error("another writer has moved the position of {what}")]
    PositionMoved {
        /// Which position.
        what: String,
    },
    /// The log was cleaned up past the version that this writer stands on: open it anew. Nothing was written.
    #[error(
        "the log of `{uri}` has been cleaned up past version {version}, which is too old to go on from"
    )]
    LeftBehind {
        /// The table's URI.
        uri: String,
        /// Where the writer stands.
        version: i64,
    },
    /// Files were to be deleted sooner than slow writers and readers allow: fix the argument.
    #[error(
        "files that were written or removed less than 7 days ago may be in use: ask for that only when nobody else is at work"
    )]
    Retention,
    /// Others kept winning the next version: retry later.
    #[error(
        "gave up committing to `{uri}` after {attempts} attempts: other writers kept coming first"
    )]
    Contention {
        /// The table's URI.
        uri: String,
        /// How often it was tried.
        attempts: u32,
    },
}

impl LakeError {
    /// Whether the address or configuration is to blame, rather than the world.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            LakeError::Address { .. } | LakeError::Missing { .. } | LakeError::Retention
        )
    }

    /// Whether something that should be read is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        let LakeError::Store { source, .. } = self else {
            return false;
        };
        matches!(source, object_store::Error::NotFound { .. })
    }
}

/// An error and its sources in one line. A source that its parent has already quoted is left out.
pub fn in_one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = error.source();
    }
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Told {
        #[error("the innermost,\nin two lines")]
        First,
        #[error("{0}, quoted")]
        Quoted(#[source] Box<Told>),
        #[error("not quoted")]
        Silent(#[source] Box<Told>),
    }

    #[test]
    fn causes_are_told_once() {
        let quoted = || Told::Quoted(Box::new(Told::First));
        let one_line = "the innermost, in two lines";
        assert_eq!(in_one_line(&Told::First), one_line);
        assert_eq!(in_one_line(&quoted()), format!("{one_line}, quoted"));
        let silent = Told::Silent(Box::new(quoted()));
        assert_eq!(
            in_one_line(&silent),
            format!("not quoted: {one_line}, quoted")
        );
    }
}
