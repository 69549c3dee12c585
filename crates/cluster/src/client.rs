//! The client's end: reads an address, sends plans, waits, and takes back what nobody waits for any more.

use std::sync::Arc;
use std::time::Duration;

use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::utils::{GrpcClientConfig, create_grpc_client_endpoint};
use datafusion::execution::{SessionState, SessionStateBuilder};
use jobs::{Elsewhere, JobsError, Library, Limits, Session};
use lake::Lake;
use tonic::transport::Channel;
use url::Url;

use crate::planner::Planner;
use crate::{ClusterError, MESSAGE_BYTES, PORT, functions};

/// How long a scheduler may take to answer the telephone.
const CONNECT_SECONDS: u64 = 5;
/// How long it may take to answer a call.
const CALL_SECONDS: u64 = 60;
/// How many parts a question is worked on in, where nobody says: more than executors have processors costs little, fewer leaves some idle.
const PARTS: usize = 16;
/// How long to wait until given-up jobs are known to be given up.
const SETTLE: Duration = Duration::from_secs(5);

/// A cluster to ask. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cluster(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shown: String,
    url: String,
    /// One more holder for each job that is not known to have ended.
    open: Arc<()>,
}

/// Held while a job may be under way.
pub(crate) type Open = Arc<()>;

impl Cluster {
    /// Reads `df://host:port`; without a port it is Ballista's own, 50050. Touches nothing.
    pub fn parse(address: &str) -> Result<Cluster, ClusterError> {
        let refuse = |reason: &str| ClusterError::Address {
            given: address.to_owned(),
            reason: reason.to_owned(),
        };
        let url = Url::parse(address).map_err(|e| refuse(&e.to_string()))?;
        if url.scheme() != "df" {
            return Err(refuse(&format!("`{}://` is not `df://`", url.scheme())));
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| refuse("it names no host"))?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || !url.username().is_empty() {
            return Err(refuse("it has more than a host and a port"));
        }
        let port = url.port().unwrap_or(PORT);
        Ok(Cluster(Arc::new(Inner {
            shown: format!("df://{host}:{port}"),
            url: format!("http://{host}:{port}"),
            open: Arc::default(),
        })))
    }

    /// The address with its port.
    pub fn address(&self) -> &str {
        &self.0.shown
    }

    /// Opens a lake to ask it on the cluster. Its tables are seen at their present versions by all executors.
    pub async fn session(
        &self,
        lake: &Lake,
        library: &Library,
        limits: &Limits,
    ) -> Result<Session, JobsError> {
        let limits = Limits {
            partitions: Some(limits.partitions.unwrap_or(PARTS)),
            ..limits.clone()
        };
        Session::open_elsewhere(lake, library, &limits, self).await
    }

    /// Whether the scheduler answers: asked before a lake is opened, so that a wrong address is told at once.
    pub async fn reach(&self) -> Result<(), ClusterError> {
        self.connect().await.map(drop)
    }

    /// Waits until jobs whose answers nobody waits for any more are given up, some seconds at most. To be called before a process ends
    /// that has dropped an answer.
    pub async fn settled(&self) {
        let settled = async {
            while Arc::strong_count(&self.0.open) > 1 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(SETTLE, settled).await.is_err() {
            tracing::warn!(cluster = self.address(), "a job may still be under way");
        }
    }

    pub(crate) fn open(&self) -> Open {
        Arc::clone(&self.0.open)
    }

    pub(crate) async fn connect(&self) -> Result<SchedulerGrpcClient<Channel>, ClusterError> {
        let unreachable = |error: &dyn std::error::Error| ClusterError::Unreachable {
            address: self.0.shown.clone(),
            reason: innermost(error),
        };
        let config = GrpcClientConfig {
            connect_timeout_seconds: CONNECT_SECONDS,
            timeout_seconds: CALL_SECONDS,
            ..GrpcClientConfig::default()
        };
        let endpoint = create_grpc_client_endpoint(self.0.url.clone(), Some(&config));
        let endpoint = endpoint.map_err(|e| unreachable(&e))?;
        let channel = endpoint.connect().await.map_err(|e| unreachable(&e))?;
        Ok(SchedulerGrpcClient::new(channel)
            .max_encoding_message_size(MESSAGE_BYTES)
            .max_decoding_message_size(MESSAGE_BYTES))
    }
}

impl Elsewhere for Cluster {
    fn engage(&self, state: SessionState) -> SessionState {
        let rules = ballista_core::optimizer::with_ballista_optimizer_rules(state.optimizers());
        let config = functions::settings(state.config().clone());
        SessionStateBuilder::new_from_existing(state)
            .with_config(config)
            .with_optimizer_rules(rules)
            .with_query_planner(Arc::new(Planner::new(self.clone())))
            .build()
    }
}

/// What lies at the bottom of an error: `transport error` says nothing, `Connection refused` does.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hosts_and_ports() {
        let read = |text: &str| Cluster::parse(text).map(|cluster| cluster.0.url.clone());
        assert_eq!(
            read("df://scheduler:4000").unwrap(),
            "http://scheduler:4000"
        );
        assert_eq!(read("df://10.0.0.7").unwrap(), "http://10.0.0.7:50050");
        assert_eq!(read("df://[::1]:9").unwrap(), "http://[::1]:9");
        for wrong in [
            "",
            "scheduler:50050",
            "http://a:1",
            "df://",
            "df://a:1/x",
            "df://u@a:1",
        ] {
            let said = read(wrong).unwrap_err().to_string();
            assert!(said.contains("df://HOST:PORT"), "{wrong}: {said}");
        }
    }
}
