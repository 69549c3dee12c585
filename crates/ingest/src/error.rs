//! Errors of reading and storing, with the file, object or shard they are about.

use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use lake::{LakeError, in_one_line};

/// What went wrong on the way into the lake.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Nothing is there, or the pattern is wrong: fix the argument.
    #[error("`{given}`: {reason}")]
    Argument {
        /// What the user typed.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or object could not be read: repair access, or the file.
    #[error("cannot read `{uri}` at byte {offset}")]
    Read {
        /// The file or object.
        uri: String,
        /// Uncompressed bytes read before.
        offset: u64,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// AWS refused or could not be reached.
    #[error("cannot {doing}: {reason}")]
    Aws {
        /// A verb phrase naming the stream, shard or prefix.
        doing: String,
        /// What AWS said, and the remedy where it is known.
        reason: String,
    },
    /// The lake could not be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

impl IngestError {
    /// Whether the arguments or configuration are to blame, rather than the world.
    pub fn is_configuration(&self) -> bool {
        match self {
            IngestError::Argument { .. } => true,
            IngestError::Lake(error) => error.is_configuration(),
            _ => false,
        }
    }
}

/// One line of what the SDK knows, with the remedy for the common mistakes.
pub(crate) fn aws_reason<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let remedy = match error.code() {
        Some("AccessDeniedException" | "AccessDenied") => "; give the role the permission",
        Some("ResourceNotFoundException") => "; check the name, the Region and the account",
        Some("NoSuchBucket") => "; check the bucket's name",
        Some("KMSAccessDeniedException") => "; allow kms:Decrypt on the stream's key",
        Some("KMSDisabledException") => "; the stream's KMS key is disabled",
        _ => "",
    };
    let said = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => in_one_line(error),
    };
    format!("{said}{remedy}")
}
