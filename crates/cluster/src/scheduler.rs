//! The scheduler: takes plans, cuts them into stages, hands out tasks, and remembers nothing when it ends.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::{SchedulerConfig, TaskDistributionPolicy};
use ballista_scheduler::scheduler_process::{create_scheduler, start_grpc_service_with_listener};
use ballista_scheduler::scheduler_server::SchedulerServer;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionConfig;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use tokio::net::TcpListener;

use crate::codec::Codec;
use crate::slots::Slots;
use crate::stores::Nothing;
use crate::{MESSAGE_BYTES, PORT, functions, programs};

/// How long an executor may be silent before its tasks are given to others. Executors are heard of every two seconds.
const SILENT_SECONDS: u64 = 15;
/// How often silent executors are looked for.
const LOOK_SECONDS: u64 = 3;
/// How long jobs wait for an executor where there is none any more.
const ALONE_SECONDS: u64 = 30;
/// How long files of an answer are kept that nobody has fetched.
const KEPT_SECONDS: u64 = 3600;

/// What a scheduler is told at start.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "guardlake-scheduler",
    version,
    about = "Cuts questions into tasks and hands them to executors. No authentication: keep its port in a private network."
)]
pub struct Options {
    /// The address to listen at.
    #[arg(
        long,
        value_name = "IP",
        default_value = "127.0.0.1",
        env = "GUARDLAKE_SCHEDULER_BIND"
    )]
    pub bind: IpAddr,
    /// The port to listen at.
    #[arg(long, default_value_t = PORT, env = "GUARDLAKE_SCHEDULER_PORT")]
    pub port: u16,
    /// The name or address under which executors find this machine; that of --bind if it is one.
    #[arg(long, value_name = "HOST", env = "GUARDLAKE_SCHEDULER_ADVERTISE")]
    pub advertise: Option<String>,
    /// How long jobs that are under way may go on after SIGTERM, in seconds.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        env = "GUARDLAKE_SCHEDULER_DRAIN"
    )]
    pub drain: u64,
    /// How much goes to standard error: error, warn, info, debug.
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "GUARDLAKE_LOG"
    )]
    pub log: String,
}

/// Why a scheduler ended, or did not start.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// Without a name, executors could not answer. Give one.
    #[error(
        "--bind {0} is every address of this machine; say with --advertise HOST which of them executors find it at"
    )]
    Nameless(IpAddr),
    /// The port is taken, or not ours.
    #[error("cannot listen at {at}")]
    Listen {
        /// Address and port.
        at: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Ballista did not start or ended.
    #[error("the scheduler ended: {0}")]
    Ended(String),
}

/// Works until SIGTERM or Ctrl-C, then waits for what is under way.
pub async fn run(options: Options) -> Result<(), SchedulerError> {
    let at = SocketAddr::new(options.bind, options.port);
    let host = match options.advertise {
        Some(host) => host,
        None if options.bind.is_unspecified() => {
            return Err(SchedulerError::Nameless(options.bind));
        }
        None => options.bind.to_string(),
    };
    let ended = |error: &dyn std::fmt::Display| SchedulerError::Ended(error.to_string());
    let listener = TcpListener::bind(at).await;
    let listener = listener.map_err(|source| SchedulerError::Listen { at, source })?;
    let runtime = RuntimeEnvBuilder::new()
        .with_object_store_registry(Arc::new(Nothing::default()))
        .build_arc()
        .map_err(|e| ended(&e))?;
    let config = Arc::new(config(host, options.bind, options.port, runtime));
    let cluster = BallistaCluster::new_from_config(&config).await;
    let cluster = cluster.map_err(|e| ended(&e))?;
    let slots = Arc::new(Slots::new(cluster.cluster_state()));
    let cluster = BallistaCluster::new(slots, cluster.job_state());
    let scheduler: SchedulerServer<LogicalPlanNode, PhysicalPlanNode> =
        create_scheduler(cluster, config)
            .await
            .map_err(|e| ended(&e))?;
    tracing::info!(%at, version = env!("CARGO_PKG_VERSION"), "the scheduler listens");
    let under_way = scheduler.clone();
    tokio::select! {
        served = start_grpc_service_with_listener(listener, scheduler) => served.map_err(|e| ended(&e)),
        () = programs::told_to_end() => {
            drained(&under_way, Duration::from_secs(options.drain)).await;
            Ok(())
        }
    }
}

fn config(host: String, bind: IpAddr, port: u16, runtime: Arc<RuntimeEnv>) -> SchedulerConfig {
    let bytes = u32::try_from(MESSAGE_BYTES).unwrap_or(u32::MAX);
    SchedulerConfig {
        external_host: host,
        bind_host: bind.to_string(),
        bind_port: port,
        // Tasks are bound by reading: all executors at once, rather than one after the other.
        task_distribution: TaskDistributionPolicy::RoundRobin,
        executor_timeout_seconds: SILENT_SECONDS,
        expire_dead_executor_interval_seconds: LOOK_SECONDS,
        no_executors_grace_period_seconds: ALONE_SECONDS,
        finished_job_data_clean_up_interval_seconds: KEPT_SECONDS,
        finished_job_state_clean_up_interval_seconds: KEPT_SECONDS,
        grpc_server_max_decoding_message_size: bytes,
        grpc_server_max_encoding_message_size: bytes,
        grpc_client_max_message_size: bytes,
        override_config_producer: Some(Arc::new(|| functions::settings(SessionConfig::new()))),
        override_session_builder: Some(Arc::new(move |config| {
            functions::state(config, Arc::clone(&runtime))
        })),
        override_physical_codec: Some(Arc::new(Codec::default())),
        ..SchedulerConfig::default()
    }
}

async fn drained(
    scheduler: &SchedulerServer<LogicalPlanNode, PhysicalPlanNode>,
    at_most: Duration,
) {
    let jobs = || scheduler.pending_job_number() + scheduler.running_job_number();
    tracing::info!(jobs = jobs(), "told to end: waiting for what is under way");
    let none = async {
        while jobs() > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    if tokio::time::timeout(at_most, none).await.is_err() {
        tracing::warn!(jobs = jobs(), "ended before its jobs");
    }
}
