//! The life of one worker process: it runs, is stopped for a while (SIGSTOP), and dies (SIGKILL). Whatever it says to the
//! world goes through its gate, so that tasks it has spawned are held and cut off too.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    Paused,
    Dead,
}

/// One life of a worker. Clones are the same life.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<watch::Sender<Life>>);

impl Gate {
    /// A process that has just started.
    pub(crate) fn new() -> Gate {
        Gate(Arc::new(watch::Sender::new(Life::Running)))
    }

    /// Stops the process until [`Gate::resume`].
    pub(crate) fn pause(&self) {
        self.change(Life::Running, Life::Paused);
    }

    /// Lets a stopped process run on.
    pub(crate) fn resume(&self) {
        self.change(Life::Paused, Life::Running);
    }

    fn change(&self, from: Life, to: Life) {
        self.0.send_if_modified(|life| {
            let is_change = *life == from;
            if is_change {
                *life = to;
            }
            is_change
        });
    }

    /// Ends the process; nothing of it runs again.
    pub(crate) fn kill(&self) {
        self.0.send_replace(Life::Dead);
    }

    pub(crate) fn is_dead(&self) -> bool {
        *self.0.borrow() == Life::Dead
    }

    /// Waits while the process is stopped; for ever when it is dead.
    pub(crate) async fn pass(&self) {
        self.until(Life::Running).await;
    }

    /// Waits for its death.
    pub(crate) async fn death(&self) {
        self.until(Life::Dead).await;
    }

    async fn until(&self, wanted: Life) {
        let reached = self.0.subscribe().wait_for(|life| *life == wanted).await.is_ok();
        assert!(reached, "a gate outlives those who wait at it");
    }

    async fn closed(&self) {
        let closed = self.0.subscribe().wait_for(|life| *life != Life::Running).await.is_ok();
        assert!(closed, "a gate outlives those who wait at it");
    }

    /// Runs work for as long as the process runs: it is not polled while it is stopped.
    pub(crate) async fn hold<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            self.pass().await;
            tokio::select! {
                biased;
                () = self.closed() => {}
                output = &mut work => return output,
            }
        }
    }
}
