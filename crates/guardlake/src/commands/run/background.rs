//! Work that is never urgent, on threads that give way to all others: evaluations that need more than new findings, and upkeep. Alerts do not wait for it.

use std::panic::resume_unwind;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// How much the threads give way; 19 is the most (setpriority(2)). With ten they get a tenth of a processor that others want, too.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Threads of their own. Ended with the service, whatever they are at.
pub(super) struct Background(Option<Runtime>);

impl Background {
    pub(super) fn start() -> Result<Background, Failure> {
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("background")
            .on_thread_start(give_way)
            .build()
            .map_err(|error| Failure::io(format!("cannot start: {error}")))?;
        Ok(Background(Some(runtime)))
    }

    /// Does the work there. Whoever stops waiting for it ends it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let Some(runtime) = &self.0 else {
            return work.await;
        };
        let mut work = Ended(runtime.spawn(work));
        match (&mut work.0).await {
            Ok(done) => done,
            Err(broken) => resume_unwind(broken.into_panic()),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Ends with whoever waits for it.
struct Ended<T>(JoinHandle<T>);

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// On Linux a thread has a priority of its own; elsewhere that would be the whole process's.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        let given_way =
            getpriority_process(None).and_then(|nice| setpriority_process(None, nice.max(NICE)));
        if let Err(error) = given_way {
            tracing::debug!(%error, "work in the background does not give way");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn work_is_done_on_threads_that_give_way() {
        let background = Background::start().unwrap();
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let (here, there) = (nice(), background.run(async move { nice() }).await);
        assert_eq!(there, here.max(NICE));
        assert_eq!(nice(), here);
    }

    #[tokio::test]
    async fn work_ends_with_whoever_waits_for_it() {
        let background = Background::start().unwrap();
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let work = background.run(async move {
            std::future::pending::<()>().await;
            drop(holds);
        });
        assert!(
            tokio::time::timeout(Duration::from_millis(50), work)
                .await
                .is_err()
        );
        for _ in 0..1_000 {
            if Arc::strong_count(&held) == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the work goes on");
    }

    #[tokio::test]
    #[should_panic(expected = "broken")]
    async fn what_breaks_there_breaks_here() {
        let background = Background::start().unwrap();
        background.run(async { panic!("broken") }).await
    }
}
