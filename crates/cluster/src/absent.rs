//! In place of the client in a program that was built without it: there is no cluster to be had.

use std::convert::Infallible;

use jobs::{JobsError, Library, Limits, Session};
use lake::Lake;

use crate::ClusterError;

/// A cluster to ask, of which this program has none.
#[derive(Debug, Clone)]
pub struct Cluster(Infallible);

impl Cluster {
    /// Always refused.
    pub fn parse(_: &str) -> Result<Cluster, ClusterError> {
        Err(ClusterError::NotBuilt)
    }

    /// The address with its port.
    pub fn address(&self) -> &str {
        match self.0 {}
    }

    /// Opens a lake to ask it on the cluster.
    pub async fn session(&self, _: &Lake, _: &Library, _: &Limits) -> Result<Session, JobsError> {
        match self.0 {}
    }

    /// Whether the scheduler answers.
    pub async fn reach(&self) -> Result<(), ClusterError> {
        match self.0 {}
    }

    /// Waits for nothing.
    pub async fn settled(&self) {
        match self.0 {}
    }
}
