//! Threads of their own for working on answers. An operator of DataFusion may compute for a minute before it gives way, and those who
//! keep time, hear Ctrl-C or serve others must not wait for it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::prelude::DataFrame;
use futures::StreamExt;
use tokio::runtime::{Builder, Runtime};

/// Those whose threads are free, as far as anybody knows. None is ever ended: connections that others share may have been opened by them.
static FREE: Mutex<Vec<Arc<Workers>>> = Mutex::new(Vec::new());

/// How many batches wait for their reader.
const READY: usize = 2;

/// As many threads as there are processors.
pub(crate) struct Workers(Runtime);

impl Workers {
    fn free() -> io::Result<Arc<Workers>> {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(workers) = free.last() {
            return Ok(Arc::clone(workers));
        }
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("query")
            .build()?;
        let workers = Arc::new(Workers(runtime));
        free.push(Arc::clone(&workers));
        Ok(workers)
    }

    /// They may go on for a while with what nobody waits for any more; new answers are worked on by others until a thread is free again.
    pub(crate) fn abandon(self: &Arc<Workers>) {
        let all = || FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all().len();
        all().retain(|workers| !Arc::ptr_eq(workers, self));
        if all().len() < before {
            let workers = Arc::clone(self);
            self.0.spawn(async move { all().push(workers) });
        }
    }
}

/// The rows of a plan, and who works on them. When the rows are dropped, the work ends as soon as it gives way.
pub(crate) async fn rows(
    frame: DataFrame,
) -> Result<(SendableRecordBatchStream, Arc<Workers>), DataFusionError> {
    let workers = Workers::free()?;
    let context = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await?;
    let mut rows = RecordBatchReceiverStream::builder(plan.schema(), READY);
    let out = rows.tx();
    let work = async move {
        let mut batches = execute_stream(plan, context)?;
        while let Some(batch) = batches.next().await {
            if out.send(batch).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    rows.spawn_on(work, workers.0.handle());
    Ok((rows.build(), workers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A connection that others share lives on the threads that opened it.
    #[tokio::test]
    async fn what_lives_on_the_threads_outlives_an_answer_that_is_given_up() {
        let workers = Workers::free().unwrap();
        let alive = workers.0.spawn(async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            7
        });
        workers.abandon();
        workers.abandon();
        drop(workers);
        assert_eq!(alive.await.unwrap(), 7);
    }
}
