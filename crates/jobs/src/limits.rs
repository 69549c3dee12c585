//! How much a session may use, and the engine set up to keep to it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use datafusion::common::DataFusionError;
use datafusion::execution::cache::cache_manager::{CacheManagerConfig, FileMetadataCache};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionConfig;

/// How much a session may use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of memory for sorting, grouping and joining, all queries of the session together. What does not fit is spilled
    /// to disk where that is possible; else the query ends with an error.
    pub memory: usize,
    /// Where to spill; the system's folder for temporary files if `None`.
    pub spill_folder: Option<PathBuf>,
    /// Bytes that may be spilled.
    pub spill: u64,
    /// How long one query may take, planning and reading of results included.
    pub time: Option<Duration>,
    /// How many parts a query is worked on in; the number of processors if `None`.
    pub partitions: Option<usize>,
}

impl Default for Limits {
    /// 1 GiB of memory, 20 GiB of disk, no limit of time.
    fn default() -> Limits {
        Limits {
            memory: 1 << 30,
            spill_folder: None,
            spill: 20 << 30,
            time: None,
            partitions: None,
        }
    }
}

/// How queries are read and worked on.
pub(crate) fn config(limits: &Limits) -> SessionConfig {
    let mut config = SessionConfig::new().with_information_schema(true);
    if let Some(partitions) = limits.partitions {
        config = config.with_target_partitions(partitions);
    }
    let options = config.options_mut();
    options.execution.time_zone = Some("UTC".to_owned());
    options.sql_parser.collect_spans = true;
    // What a sort keeps back for merging: DataFusion's 10 MiB, or less where there is little.
    let kept = options.execution.sort_spill_reservation_bytes;
    options.execution.sort_spill_reservation_bytes = kept.min(limits.memory / 16);
    config
}

/// Footers of data files, which never change: for all sessions of this process, as each commit brings a session that sees most of the same files.
/// 50 MB of them, those that were needed last.
static FOOTERS: LazyLock<Arc<FileMetadataCache>> = LazyLock::new(|| {
    RuntimeEnv::default()
        .cache_manager
        .get_file_metadata_cache()
});

/// Memory and disk for all queries of a session.
pub(crate) fn runtime(limits: &Limits) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    let pool = TrackConsumersPool::new(
        FairSpillPool::new(limits.memory),
        NonZeroUsize::MIN.saturating_add(2),
    );
    let mut builder = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_cache_manager(
            CacheManagerConfig::default().with_file_metadata_cache(Some(Arc::clone(&FOOTERS))),
        )
        .with_max_temp_directory_size(limits.spill);
    if let Some(folder) = &limits.spill_folder {
        builder = builder.with_temp_file_path(folder);
    }
    builder.build_arc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_share_what_they_know_of_files_and_no_memory_to_work_with() {
        let [one, other] = [(); 2].map(|()| runtime(&Limits::default()).unwrap());
        let footers = |runtime: &RuntimeEnv| runtime.cache_manager.get_file_metadata_cache();
        assert!(Arc::ptr_eq(&footers(&one), &footers(&other)));
        assert!(!Arc::ptr_eq(&one.memory_pool, &other.memory_pool));
    }
}
