//! How tables rest on an object store: schema, commit with position, upkeep.
//!
//! The cast: a [`Location`] is where a lake is; [`Table`] its tables; [`Lake`] the open thing; [`Encoder`]s take findings,
//! one a thread, and end in [`Batch`]es; the one [`Writer`] commits batches with the [`Position`]s of what was read.

pub mod schema;

mod added;
mod checkup;
mod data_file;
mod deliveries;
mod encoder;
mod error;
mod files;
mod gaps;
mod inspect;
mod kept;
mod lake;
mod leases;
mod location;
mod log;
mod memory;
mod position;
mod probe;
mod provenance;
mod read;
mod report_log;
mod retention;
mod rows;
mod seen;
mod shelf;
mod surroundings;
mod tables;
mod upkeep;
mod writer;

pub use checkup::{Checkup, checkup};
pub use encoder::{Appended, Batch, Encoder};
pub use error::{LakeError, in_one_line};
pub use files::store_of;
pub use gaps::GapRow;
pub use inspect::{ShardInfo, TableInfo, Verified};
pub use lake::{AlertCommit, Evaluated, Lake, Provided, Seen};
pub use leases::{Lease, LeaseObject, LeaseStore};
pub use location::Location;
pub use log::Ledger;
pub use memory::MemoryFindings;
pub use position::{Position, SequenceNumber, ShardKey};
pub use probe::{Step, Tried, Unfit, probe};
pub use provenance::PositionCheck;
pub use read::fitted;
pub use report_log::{ReportRow, ReportStep};
pub use retention::Retention;
pub use rows::Provenance;
pub use schema::Table;
pub use shelf::Shelf;
pub use surroundings::{Clock, Ids, Surroundings};
pub use tables::{AccountRow, SourceRow, accounts_batch};
pub use upkeep::{
    CompactOptions, Compacted, Compaction, Expired, MIN_RETENTION, VacuumOptions, Vacuumed,
};
pub use writer::{Begun, Committed, Move, Writer, WriterOptions};
