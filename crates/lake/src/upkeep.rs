//! Upkeep: what keeps a lake quick and small without changing a row of it that is to be kept.
//!
//! [`Lake::compact`](crate::Lake::compact) rewrites the small files of a day into one, sorted, and those of the logs;
//! [`Lake::expire`](crate::Lake::expire) takes out what retention does not keep;
//! [`Lake::vacuum`](crate::Lake::vacuum) deletes what no version needs any more, data files and old entries of the log.
//! Both may run beside writers, readers and each other, and may be killed at any moment: a rewrite exists only once it is
//! committed, and nothing is deleted that a commit may still name.

mod clean;
mod compact;
mod expire;
mod mend;
mod rewrite;
mod vacuum;

pub(crate) use clean::{CHECKPOINT_EVERY, LOG_RETENTION};
pub(crate) use compact::waiting;
pub use compact::{CompactOptions, Compacted, Compaction};
pub use expire::Expired;
pub(crate) use mend::stumbles;
pub use vacuum::{MIN_RETENTION, VacuumOptions, Vacuumed};

/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000;
