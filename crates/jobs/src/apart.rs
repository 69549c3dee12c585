//! Threads of their own for working on answers. An operator of DataFusion may compute for a minute before it gives way, and those who
//! keep time, hear Ctrl-C or serve others must not wait for it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::prelude::DataFrame;
use futures::StreamExt;
use tokio::runtime::{Builder, Runtime};

/// The threads that new answers are worked on.
static PRESENT: Mutex<Option<Arc<Workers>>> = Mutex::new(None);

/// How many batches wait for their reader.
const READY: usize = 2;

/// As many threads as there are processors, until the last answer that is worked on by them is dropped.
pub(crate) struct Workers(Option<Runtime>);

impl Workers {
    fn present() -> io::Result<Arc<Workers>> {
        let mut present = PRESENT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(workers) = &*present {
            return Ok(Arc::clone(workers));
        }
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("query")
            .build()?;
        Ok(Arc::clone(present.insert(Arc::new(Workers(Some(runtime))))))
    }

    /// New answers get new threads: these may go on for a while with what nobody waits for any more.
    pub(crate) fn abandon(self: &Arc<Workers>) {
        let mut present = PRESENT.lock().unwrap_or_else(PoisonError::into_inner);
        present.take_if(|workers| Arc::ptr_eq(workers, self));
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Whoever drops this may be a task, and a task may not wait.
            runtime.shutdown_background();
        }
    }
}

/// The rows of a plan, and who works on them. When the rows are dropped, the work ends as soon as it gives way.
pub(crate) async fn rows(
    frame: DataFrame,
) -> Result<(SendableRecordBatchStream, Arc<Workers>), DataFusionError> {
    let workers = Workers::present()?;
    let context = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await?;
    let mut rows = RecordBatchReceiverStream::builder(plan.schema(), READY);
    if let Some(runtime) = &workers.0 {
        let out = rows.tx();
        let work = async move {
            let mut batches = datafusion::physical_plan::execute_stream(plan, context)?;
            while let Some(batch) = batches.next().await {
                if out.send(batch).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        rows.spawn_on(work, runtime.handle());
    }
    Ok((rows.build(), workers))
}
