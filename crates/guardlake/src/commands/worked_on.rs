//! Where a question is worked on: on this machine, or on a cluster.

use std::future::Future;

use cluster::{Cluster, ClusterError};
use jobs::{Library, Limits, Session};

use super::answer::Interrupt;
use crate::args::Bounds;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::wire_up;

/// This machine, or a cluster that answered.
pub(crate) struct WorkedOn(Option<Cluster>);

impl WorkedOn {
    /// Reads `--cluster`, and tells early that nobody answers there.
    pub(crate) async fn of(bounds: &Bounds) -> Result<WorkedOn, Failure> {
        let Some(address) = &bounds.cluster else {
            return Ok(WorkedOn(None));
        };
        let cluster = Cluster::parse(address).map_err(failure)?;
        cluster.reach().await.map_err(failure)?;
        Ok(WorkedOn(Some(cluster)))
    }

    /// A look at the lake with the library's views, within limits.
    pub(crate) async fn session(
        &self,
        settings: &Settings,
        library: &Library,
        limits: &Limits,
    ) -> Result<Session, Failure> {
        let Some(cluster) = &self.0 else {
            return super::session(settings, library, limits).await;
        };
        let lake = wire_up::lake(settings).await?;
        Ok(cluster.session(&lake, library, limits).await?)
    }

    /// Asks and tells. A cluster would go on with what this process no longer waits for: Ctrl-C, a closed pipe and a limit of time are
    /// told to it.
    pub(crate) async fn during<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if self.0.is_none() {
            return work.await;
        }
        let outcome = Interrupt::listen().during(work).await;
        self.settled().await;
        outcome
    }

    /// Waits until a cluster knows what is not waited for any more.
    pub(crate) async fn settled(&self) {
        if let Some(cluster) = &self.0 {
            cluster.settled().await;
        }
    }
}

fn failure(error: ClusterError) -> Failure {
    match error {
        ClusterError::Address { .. } | ClusterError::NotBuilt => {
            Failure::usage(format!("--cluster: {error}"))
        }
        ClusterError::Unreachable { .. } => Failure::io(error.to_string()),
    }
}
