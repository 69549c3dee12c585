//! The life of one worker process: it runs, is stopped for a while (SIGSTOP), and dies (SIGKILL). Whatever it says to the
//! world goes through its gate, so that tasks it has spawned are held and cut off too.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    Paused,
    Dead,
}

/// One life of a worker. Clones are the same life.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Inner>);

/// Not a `watch` channel: that one wakes those who wait in an order of its own choice, by chance.
#[derive(Debug)]
struct Inner {
    life: Mutex<Life>,
    changed: Notify,
}

impl Gate {
    /// A process that has just started.
    pub(crate) fn new() -> Gate {
        Gate(Arc::new(Inner { life: Mutex::new(Life::Running), changed: Notify::new() }))
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.0.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(Life) -> Life) {
        let mut life = self.life();
        *life = change(*life);
        drop(life);
        self.0.changed.notify_waiters();
    }

    /// Stops the process until [`Gate::resume`].
    pub(crate) fn pause(&self) {
        self.change(|life| if life == Life::Running { Life::Paused } else { life });
    }

    /// Lets a stopped process run on.
    pub(crate) fn resume(&self) {
        self.change(|life| if life == Life::Paused { Life::Running } else { life });
    }

    /// Ends the process; nothing of it runs again.
    pub(crate) fn kill(&self) {
        self.change(|_| Life::Dead);
    }

    pub(crate) fn is_dead(&self) -> bool {
        *self.life() == Life::Dead
    }

    /// Waits while the process is stopped; for ever when it is dead.
    pub(crate) async fn pass(&self) {
        self.until(|life| life == Life::Running).await;
    }

    /// Waits for its death.
    pub(crate) async fn death(&self) {
        self.until(|life| life == Life::Dead).await;
    }

    async fn until(&self, reached: impl Fn(Life) -> bool) {
        loop {
            let changed = self.0.changed.notified();
            if reached(*self.life()) {
                return;
            }
            changed.await;
        }
    }

    /// Runs work for as long as the process runs: it is not polled while it is stopped.
    pub(crate) async fn hold<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            self.pass().await;
            tokio::select! {
                biased;
                () = self.until(|life| life != Life::Running) => {}
                output = &mut work => return output,
            }
        }
    }
}
