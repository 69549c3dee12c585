//! How many tasks an executor can still take. Ballista 55 counts it down when a task is handed out and up when the task reports, and forgets the
//! tasks of a stage that it starts again because an executor was lost: their places would be taken forever, and every later job would wait.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::error::Result;
use ballista_core::serde::protobuf::ExecutorHeartbeat;
use ballista_core::serde::scheduler::{ExecutorData, ExecutorMetadata};
use ballista_scheduler::cluster::{BoundTask, ClusterState, ClusterStateEventStream, ExecutorSlot};
use ballista_scheduler::config::TaskDistributionPolicy;
use ballista_scheduler::state::task_manager::JobInfoCache;

/// The state of a cluster, with places of tasks that no job knows of any more given back before tasks are handed out.
pub(crate) struct Slots {
    inner: Arc<dyn ClusterState>,
    executors: Mutex<HashMap<String, Places>>,
}

/// What the inner state believes of an executor.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Places {
    total: u32,
    free: u32,
}

impl Places {
    /// How many to give back when so many are in use.
    fn forgotten(self, in_use: u32) -> u32 {
        self.total.saturating_sub(self.free.saturating_add(in_use))
    }

    /// How many of those to give back are not free yet: what was given back once comes again when its task reports late.
    fn released(self, places: u32) -> u32 {
        places.min(self.total.saturating_sub(self.free))
    }
}

impl Slots {
    pub(crate) fn new(inner: Arc<dyn ClusterState>) -> Slots {
        Slots {
            inner,
            executors: Mutex::default(),
        }
    }

    fn executors(&self) -> MutexGuard<'_, HashMap<String, Places>> {
        self.executors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn release(&self, slots: Vec<ExecutorSlot>) -> Result<()> {
        let mut released = Vec::new();
        for (executor, places) in slots {
            if let Some(known) = self.executors().get_mut(&executor) {
                let places = known.released(places);
                known.free += places;
                released.push((executor, places));
            }
        }
        self.inner.unbind_tasks(released).await
    }
}

/// Places in use by the tasks that jobs know of.
async fn in_use(jobs: &HashMap<JobId, JobInfoCache>) -> HashMap<String, u32> {
    let mut used: HashMap<String, u32> = HashMap::new();
    for job in jobs.values() {
        let graph = job.execution_graph.read().await;
        for task in graph.running_tasks() {
            let places = graph.task_vcores(task.stage_id, task.task_id);
            *used.entry(task.executor_id).or_default() += places.unwrap_or(1);
        }
    }
    used
}

#[async_trait]
impl ClusterState for Slots {
    async fn init(&self) -> Result<()> {
        self.inner.init().await
    }

    async fn bind_schedulable_tasks(
        &self,
        distribution: TaskDistributionPolicy,
        active_jobs: Arc<HashMap<JobId, JobInfoCache>>,
        executors: Option<HashSet<String>>,
    ) -> Result<Vec<BoundTask>> {
        let used = in_use(&active_jobs).await;
        let forgotten: Vec<ExecutorSlot> = self
            .executors()
            .iter()
            .map(|(id, places)| {
                let used = used.get(id).copied().unwrap_or_default();
                (id.clone(), places.forgotten(used))
            })
            .filter(|(_, places)| *places > 0)
            .collect();
        if !forgotten.is_empty() {
            tracing::debug!(?forgotten, "places of forgotten tasks are free again");
            self.release(forgotten).await?;
        }
        let bound = self
            .inner
            .bind_schedulable_tasks(distribution, active_jobs, executors)
            .await?;
        let mut known = self.executors();
        for (executor, task) in &bound {
            if let Some(places) = known.get_mut(executor) {
                places.free = places.free.saturating_sub(task.vcores_consumed);
            }
        }
        drop(known);
        Ok(bound)
    }

    async fn unbind_tasks(&self, slots: Vec<ExecutorSlot>) -> Result<()> {
        self.release(slots).await
    }

    async fn register_executor(
        &self,
        metadata: ExecutorMetadata,
        data: ExecutorData,
    ) -> Result<()> {
        let places = Places {
            total: data.total_vcores,
            free: data.available_vcores,
        };
        let id = metadata.id.clone();
        self.inner.register_executor(metadata, data).await?;
        self.executors().insert(id, places);
        Ok(())
    }

    async fn save_executor_metadata(&self, metadata: ExecutorMetadata) -> Result<()> {
        self.inner.save_executor_metadata(metadata).await
    }

    async fn get_executor_metadata(&self, executor: &str) -> Result<ExecutorMetadata> {
        self.inner.get_executor_metadata(executor).await
    }

    async fn registered_executor_metadata(&self) -> Vec<ExecutorMetadata> {
        self.inner.registered_executor_metadata().await
    }

    async fn save_executor_heartbeat(&self, heartbeat: ExecutorHeartbeat) -> Result<()> {
        self.inner.save_executor_heartbeat(heartbeat).await
    }

    async fn remove_executor(&self, executor: &str) -> Result<()> {
        self.executors().remove(executor);
        self.inner.remove_executor(executor).await
    }

    fn executor_heartbeats(&self) -> HashMap<String, ExecutorHeartbeat> {
        self.inner.executor_heartbeats()
    }

    fn get_executor_heartbeat(&self, executor: &str) -> Option<ExecutorHeartbeat> {
        self.inner.get_executor_heartbeat(executor)
    }

    async fn cluster_state_events(&self) -> Result<ClusterStateEventStream> {
        self.inner.cluster_state_events().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_free_nor_in_use_was_forgotten() {
        let places = |free| Places { total: 4, free };
        assert_eq!(places(1).forgotten(3), 0);
        assert_eq!(places(1).forgotten(1), 2);
        assert_eq!(places(0).forgotten(0), 4);
        // A task that has ended and not reported yet is in use no more, but its place is not free.
        assert_eq!(places(4).forgotten(2), 0);
        assert_eq!(places(3).released(2), 1);
        assert_eq!(places(4).released(2), 0);
    }
}
