//! An executor: works on tasks, keeps what the next stage reads in its own folder, and hands it to whoever works on that.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ballista_core::error::BallistaError;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use datafusion::common::DataFusionError;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionConfig;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::codec::Codec;
use crate::stores::Stores;
use crate::{MESSAGE_BYTES, functions};

/// How long to wait before a scheduler that does not listen is called again.
const AGAIN: Duration = Duration::from_millis(200);
/// How often a scheduler hears of its executors.
const BEAT_SECONDS: u64 = 2;
/// How old files of jobs become that nobody has taken back.
const KEPT_SECONDS: u64 = 6 * 3600;
/// How often they are looked for.
const CLEAN_SECONDS: u64 = 600;

/// What an executor is told at start.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "guardlake-executor",
    version,
    about = "Works on tasks of questions. Reads the lake itself: it needs the lake's folder at the same path, or AWS credentials that may read its bucket. No authentication: keep its ports in a private network."
)]
pub struct Options {
    /// The scheduler to work for.
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:50050",
        env = "GUARDLAKE_EXECUTOR_SCHEDULER"
    )]
    pub scheduler: String,
    /// The address to listen at.
    #[arg(
        long,
        value_name = "IP",
        default_value = "127.0.0.1",
        env = "GUARDLAKE_EXECUTOR_BIND"
    )]
    pub bind: IpAddr,
    /// The port at which other executors and clients fetch rows.
    #[arg(long, default_value_t = 50051, env = "GUARDLAKE_EXECUTOR_PORT")]
    pub port: u16,
    /// The port at which the scheduler hands over tasks.
    #[arg(long, default_value_t = 50052, env = "GUARDLAKE_EXECUTOR_TASK_PORT")]
    pub task_port: u16,
    /// The name or address under which others find this machine; as the scheduler sees it if left out.
    #[arg(long, value_name = "HOST", env = "GUARDLAKE_EXECUTOR_ADVERTISE")]
    pub advertise: Option<String>,
    /// Where rows rest between stages, and what does not fit into memory; a folder that ends with the process if left out.
    #[arg(long, value_name = "FOLDER", env = "GUARDLAKE_EXECUTOR_WORK_DIR")]
    pub work_dir: Option<PathBuf>,
    /// How many tasks to work on at once; the number of processors if left out.
    #[arg(long, value_name = "N", env = "GUARDLAKE_EXECUTOR_CONCURRENT_TASKS")]
    pub concurrent_tasks: Option<usize>,
    /// Bytes of memory for sorting, grouping and joining, all tasks together; 70 % of the machine's, or of its container's, if left out.
    #[arg(long, value_name = "BYTES", env = "GUARDLAKE_EXECUTOR_MEMORY")]
    pub memory: Option<u64>,
    /// How long to try to reach the scheduler at start, in seconds.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        env = "GUARDLAKE_EXECUTOR_CONNECT_TIMEOUT"
    )]
    pub connect_timeout: u16,
    /// How much goes to standard error: error, warn, info, debug.
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "GUARDLAKE_LOG"
    )]
    pub log: String,
}

/// Why an executor ended, or did not start.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// Not an address of a scheduler. Correct it.
    #[error("--scheduler `{0}` is not HOST:PORT")]
    Scheduler(String),
    /// A port is taken, or not ours.
    #[error("cannot listen at {at}")]
    Listen {
        /// Address and port.
        at: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder for rows between stages cannot be made or used.
    #[error("cannot use the working folder {folder}")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The scheduler did not answer in time. Start it, or look at the network between.
    #[error("the scheduler at {scheduler} cannot be reached: {reason}")]
    Unreachable {
        /// As it was given.
        scheduler: String,
        /// What the network said.
        reason: String,
    },
    /// DataFusion did not set up.
    #[error("cannot set up the query engine")]
    Engine(#[from] DataFusionError),
    /// Ballista ended.
    #[error("the executor ended: {0}")]
    Ended(String),
}

/// Works until SIGTERM or Ctrl-C, then finishes the tasks it has and hands out no more rows.
pub async fn run(options: Options) -> Result<(), ExecutorError> {
    let (host, port) = scheduler(&options.scheduler)?;
    for port in [options.port, options.task_port] {
        let at = SocketAddr::new(options.bind, port);
        TcpListener::bind(at).map_err(|source| ExecutorError::Listen { at, source })?;
    }
    reached(&options).await?;
    let given = options.work_dir.clone();
    let folder = given.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("guardlake-executor-{}", std::process::id()))
    });
    let unusable = |source| ExecutorError::Folder {
        folder: folder.clone(),
        source,
    };
    std::fs::create_dir_all(&folder).map_err(unusable)?;
    let runtime = runtime(folder.clone())?;
    let bytes = u32::try_from(MESSAGE_BYTES).unwrap_or(u32::MAX);
    let config = ExecutorProcessConfig {
        bind_host: options.bind.to_string(),
        external_host: options.advertise.clone(),
        port: options.port,
        grpc_port: options.task_port,
        scheduler_host: host,
        scheduler_port: port,
        vcores: options.concurrent_tasks.unwrap_or_default(),
        work_dir: Some(folder.display().to_string()),
        job_data_ttl_seconds: KEPT_SECONDS,
        job_data_clean_up_interval_seconds: CLEAN_SECONDS,
        grpc_max_decoding_message_size: bytes,
        grpc_max_encoding_message_size: bytes,
        executor_heartbeat_interval_seconds: BEAT_SECONDS,
        memory_pool_size: options.memory,
        override_function_registry: Some(Arc::new(functions::registry()?)),
        override_runtime_producer: Some(Arc::new(move |_: &SessionConfig| {
            Ok(Arc::clone(&runtime))
        })),
        override_config_producer: Some(Arc::new(|| functions::settings(SessionConfig::new()))),
        override_physical_codec: Some(Arc::new(Codec::default())),
        ..ExecutorProcessConfig::default()
    };
    tracing::info!(
        scheduler = options.scheduler,
        rows_port = options.port,
        tasks_port = options.task_port,
        folder = %folder.display(),
        version = env!("CARGO_PKG_VERSION"),
        "an executor starts"
    );
    let ended = start_executor_process(Arc::new(config)).await;
    if options.work_dir.is_none() {
        // What is left of jobs is of no use to anybody.
        let _ = std::fs::remove_dir_all(&folder);
    }
    ended.map_err(|error| match error {
        BallistaError::GrpcConnectionError(reason) | BallistaError::General(reason) => {
            ExecutorError::Unreachable {
                scheduler: options.scheduler,
                reason,
            }
        }
        error => ExecutorError::Ended(error.to_string()),
    })
}

/// Waits until the scheduler listens. Ballista 55 can wait, too, but its clock stands still and it never gives up.
async fn reached(options: &Options) -> Result<(), ExecutorError> {
    let (host, port) = scheduler(&options.scheduler)?;
    let end = Instant::now() + Duration::from_secs(options.connect_timeout.into());
    loop {
        let reason = match timeout_at(end, TcpStream::connect(format!("{host}:{port}"))).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        if Instant::now() + AGAIN >= end {
            return Err(ExecutorError::Unreachable {
                scheduler: options.scheduler.clone(),
                reason,
            });
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn scheduler(text: &str) -> Result<(String, u16), ExecutorError> {
    let bare = text.strip_prefix("df://").unwrap_or(text);
    let parts = bare.rsplit_once(':').and_then(|(host, port)| {
        let port = port.parse().ok().filter(|port| *port > 0)?;
        (!host.is_empty() && !host.contains('/')).then(|| (host.to_owned(), port))
    });
    parts.ok_or_else(|| ExecutorError::Scheduler(text.to_owned()))
}

/// One for all tasks: stores stay open and footers of files are read once. Memory is shared out among tasks by Ballista.
fn runtime(folder: PathBuf) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    RuntimeEnvBuilder::new()
        .with_temp_file_path(folder)
        .with_object_store_registry(Arc::new(Stores::default()))
        .build_arc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedulers_are_hosts_and_ports() {
        assert_eq!(scheduler("a:7").unwrap(), ("a".to_owned(), 7));
        assert_eq!(scheduler("df://a:7").unwrap(), ("a".to_owned(), 7));
        assert_eq!(scheduler("[::1]:7").unwrap(), ("[::1]".to_owned(), 7));
        for wrong in ["", "a", ":7", "a:0", "a:x", "http://a:7"] {
            assert!(scheduler(wrong).is_err(), "{wrong}");
        }
    }
}
