//! Carries records from Kinesis, files or S3 exports into the lake.
//!
//! The cast: [`find_sources`] turns what a user typed into [`Source`]s; [`load`] reads them with all cores; [`consume`]
//! follows Kinesis streams ([`kinesis`] is what it asks of them), their positions in the same commits as their rows;
//! [`follow_exports`] loads what appears below an S3 prefix; [`backfill()`] fetches what [`guardduty`] still holds.
//! [`Progress`] can be watched meanwhile.

mod bytes_in;

pub mod accounts;
mod backfill;
mod consumer;
mod error;
mod exports;
pub mod guardduty;
pub mod kinesis;
mod kpl;
mod load;
mod options;
pub mod organizations;
mod progress;
mod sources;

pub use backfill::{BackfillOptions, End, Fetched, backfill};
pub use consumer::consume;
pub use error::IngestError;
pub use exports::{ExportOptions, follow_exports};
pub use load::{LoadOptions, Loaded, load};
pub use options::{ConsumerOptions, Followed, LeaseOptions, Pace, Start};
pub use progress::Progress;
pub use sources::{Origin, Source, find_sources};
