//! What a GuardDuty finding is, how bytes of any wire shape become one, and when a batch is full.
//!
//! Quiet: no clock, no randomness, no network, no Arrow. The cast: [`Finding`] borrows from the bytes it was read from;
//! [`decode`] walks bytes of any shape and hands each finding, skipped event or reject to a visitor; [`Limits`] says when
//! a batch is full.

mod batch;
mod decode;
mod identity;
mod model;
mod severity;

pub use batch::{Fill, Limits};
pub use decode::{At, Decoded, Reject, boundary, decode};
pub use identity::{FindingKey, VersionHash};
pub use model::{Finding, Micros, Shape, WireShape, Wrapper};
pub use severity::Label;
