//! Queries on many machines: Apache Ballista's scheduler and executor with our functions and stores, and the client half that sends them plans.
//!
//! The cast: a [`Cluster`] is the client's end; a *scheduler* cuts a plan into stages where rows must change machines, *executors* work on
//! the tasks of a stage. The plan is made where the question is asked, by the session that would have answered it alone: names, views,
//! parameters, the versions of the tables and the files to read are settled before anything is sent.
//!
//! The flow: [`Cluster::parse`] reads an address, [`Cluster::session`] opens a lake, whose questions then become jobs (`planner`, `job`);
//! `scheduler` and `executor` are the two programs of this crate. Plans travel as DataFusion writes them (`codec`).
//!
//! Features: `client` is what the command needs, `machines` both programs too. Without any there is a [`Cluster`] that always refuses: the
//! command builds without Ballista, unless it is asked for.

#[cfg(not(feature = "client"))]
mod absent;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod codec;
#[cfg(feature = "machines")]
pub mod executor;
#[cfg(feature = "client")]
mod functions;
#[cfg(feature = "client")]
mod job;
#[cfg(feature = "client")]
mod ordered;
#[cfg(feature = "client")]
mod planner;
#[cfg(feature = "machines")]
pub mod programs;
#[cfg(feature = "machines")]
pub mod scheduler;
#[cfg(feature = "machines")]
mod slots;
#[cfg(feature = "machines")]
mod stores;

#[cfg(not(feature = "client"))]
pub use absent::Cluster;
#[cfg(feature = "client")]
pub use client::Cluster;

/// The port of a scheduler whose address names none: Ballista's own.
#[cfg(feature = "client")]
const PORT: u16 = 50050;
/// What may be sent in one message: a plan with the files of a large lake in it, or a batch of rows.
#[cfg(feature = "client")]
const MESSAGE_BYTES: usize = 256 << 20;

/// Why a cluster cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// This program was built without the client. Build it with it.
    #[error(
        "this program was built without clusters; build it by `cargo build --release -p guardlake --features cluster`"
    )]
    NotBuilt,
    /// The address is none. Correct it.
    #[error("`{given}` is not the address of a cluster: {reason}; give df://HOST:PORT")]
    Address {
        /// As it was given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answers there. Start the scheduler, or look at the network between.
    #[error("the cluster's scheduler at {address} cannot be reached: {reason}")]
    Unreachable {
        /// As it was given.
        address: String,
        /// What the network said.
        reason: String,
    },
}
