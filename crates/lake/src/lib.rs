//! How tables rest on an object store: schema, commit with position, upkeep.
//!
//! The cast: a [`Location`] is where a lake is; [`Table`] its tables.

mod error;
mod location;
mod position;
pub mod schema;

pub use error::LakeError;
pub use location::Location;
pub use position::{Position, SequenceNumber, ShardKey};
pub use schema::Table;
