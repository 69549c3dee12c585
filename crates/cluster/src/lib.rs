//! Queries on many machines: Apache Ballista's scheduler and executor with our functions and stores, and the client half that sends them plans.
//!
//! The cast: a [`Cluster`] is the client's end; a *scheduler* cuts a plan into stages where rows must change machines, *executors* work on
//! the tasks of a stage. The plan is made where the question is asked, by the session that would have answered it alone: names, views,
//! parameters, the versions of the tables and the files to read are settled before anything is sent.
//!
//! The flow: [`Cluster::parse`] reads an address, [`Cluster::session`] opens a lake, whose questions then become jobs (`planner`, `job`);
//! [`scheduler`] and [`executor`] are the two programs of this crate. Plans travel as DataFusion writes them (`codec`).

mod client;
mod codec;
pub mod executor;
mod functions;
mod job;
pub mod log;
mod planner;
pub mod scheduler;
mod stores;

pub use client::{Cluster, ClusterError};

/// What may be sent in one message: a plan with the files of a large lake in it, or a batch of rows.
const MESSAGE_BYTES: usize = 256 << 20;
