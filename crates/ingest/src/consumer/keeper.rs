//! Keeps this worker's leases: looks, renews, takes, gives back. A task of its own, so that a slow commit does not cost a lease.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lake::{Lake, LakeError, Lease, LeaseObject, LeaseStore};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::leases::{Seen, plan, sign_of_life};
use crate::{LeaseOptions, Progress};

/// A lease is renewed this many times within its time to live.
const RENEWALS: u32 = 3;

/// The run's end of the task.
pub(super) struct Keeper {
    held: watch::Receiver<BTreeSet<String>>,
    active: watch::Sender<BTreeSet<String>>,
    reading: watch::Sender<BTreeSet<String>>,
    finish: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Keeper {
    pub(super) fn start(
        lake: &Lake,
        options: &LeaseOptions,
        progress: &Arc<Progress>,
    ) -> Result<Keeper, LakeError> {
        let (held_by, held) = watch::channel(BTreeSet::new());
        let (active, groups) = watch::channel(BTreeSet::new());
        let (reading, read) = watch::channel(BTreeSet::new());
        let (finish, finishing) = watch::channel(false);
        let task = Task {
            store: lake.leases()?,
            options: options.clone(),
            progress: progress.clone(),
            seen: BTreeMap::new(),
            giving_up: BTreeSet::new(),
            held: held_by,
            groups,
            reading: read,
            finishing,
        };
        Ok(Keeper {
            held,
            active,
            reading,
            finish,
            task: tokio::spawn(task.run()),
        })
    }

    /// Groups that may be read.
    pub(super) fn held(&self) -> BTreeSet<String> {
        self.held.borrow().clone()
    }

    /// Waits until other groups may be read than before.
    pub(super) async fn changed(&mut self) {
        if self.held.changed().await.is_err() {
            // The task ended, which it does only when told to.
            std::future::pending().await
        }
    }

    /// Groups that have shards not read to their end.
    pub(super) fn active(&self, groups: BTreeSet<String>) {
        self.active.send_if_modified(|known| replace(known, groups));
    }

    /// Groups that are being read, or of which something is not stored yet: they are not given back.
    pub(super) fn reading(&self, groups: BTreeSet<String>) {
        self.reading
            .send_if_modified(|known| replace(known, groups));
    }

    /// Gives everything back: others need not wait until the leases run out.
    pub(super) async fn finish(mut self) {
        self.finish.send_replace(true);
        // It has nothing more to say, whatever it died of.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn replace(known: &mut BTreeSet<String>, groups: BTreeSet<String>) -> bool {
    let changed = *known != groups;
    *known = groups;
    changed
}

struct Task {
    store: LeaseStore,
    options: LeaseOptions,
    progress: Arc<Progress>,
    seen: BTreeMap<String, (Seen, Instant)>,
    /// Held, but to be given back as soon as nothing of them is under way.
    giving_up: BTreeSet<String>,
    held: watch::Sender<BTreeSet<String>>,
    groups: watch::Receiver<BTreeSet<String>>,
    reading: watch::Receiver<BTreeSet<String>>,
    finishing: watch::Receiver<bool>,
}

impl Task {
    async fn run(mut self) {
        let mut ticks = tokio::time::interval(self.options.ttl / RENEWALS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                // An error means that the keeper was dropped; its task ends with it.
                _ = self.finishing.changed() => break,
                _ = self.reading.changed(), if !self.giving_up.is_empty() => {}
                _ = self.groups.changed() => {}
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.round().await {
                tracing::warn!(reason = %lake::in_one_line(&error), "leases cannot be kept now, trying again");
            }
        }
        if let Err(error) = self.give_all_back().await {
            tracing::warn!(reason = %lake::in_one_line(&error), "leases were not given back; they run out by themselves");
        }
    }

    async fn round(&mut self) -> Result<(), LakeError> {
        let old = self.look().await?;
        let now = Instant::now();
        let seen: BTreeMap<String, Seen> = self
            .seen
            .iter()
            .map(|(name, (seen, since))| {
                let unchanged = now.duration_since(*since);
                (
                    name.clone(),
                    Seen {
                        unchanged,
                        ..seen.clone()
                    },
                )
            })
            .collect();
        let groups = self.groups.borrow_and_update().clone();
        let me = self.options.worker.clone();
        let plan = plan(&me, self.options.ttl, &groups, &seen);
        self.giving_up = plan.give_up.into_iter().collect();
        let reading = self.reading.borrow_and_update().clone();
        for name in plan.renew {
            if self.giving_up.contains(&name) && !reading.contains(&name) {
                if self.write(&name, None).await? {
                    self.giving_up.remove(&name);
                    self.progress.lease_moved("given up", 1);
                }
            } else {
                self.write(&name, Some(&me)).await?;
            }
        }
        for name in plan.take {
            if self.write(&name, Some(&me)).await? {
                tracing::info!(lease = %name, "lease taken");
                self.progress.lease_moved("taken", 1);
            }
        }
        self.publish();
        for object in old {
            self.store.delete(&object).await?;
        }
        for name in plan.forget {
            if let Some((seen, _)) = self.seen.remove(&name) {
                let number = seen.number;
                self.store.delete(&LeaseObject { name, number }).await?;
            }
        }
        Ok(())
    }

    /// Looks at all leases; returns the objects that newer ones have replaced.
    async fn look(&mut self) -> Result<Vec<LeaseObject>, LakeError> {
        let mut highest: BTreeMap<String, u64> = BTreeMap::new();
        let mut old = Vec::new();
        for object in self.store.list().await? {
            let known = highest.entry(object.name.clone()).or_insert(object.number);
            if object.number != *known {
                let number = object.number.min(*known);
                *known = object.number.max(*known);
                old.push(LeaseObject { number, ..object });
            }
        }
        let me = self.options.worker.clone();
        let lost = |name: &String, seen: &Seen| {
            seen.worker.as_deref() == Some(&me) && !highest.contains_key(name)
        };
        let gone = self
            .seen
            .iter()
            .filter(|(name, (seen, _))| lost(name, seen))
            .count();
        self.progress.lease_moved("lost", gone);
        self.seen.retain(|name, _| highest.contains_key(name));
        for (name, number) in highest {
            let known = self.seen.get(&name);
            if known.is_some_and(|(seen, _)| seen.number == number) {
                continue;
            }
            let was_mine = known.is_some_and(|(seen, _)| seen.worker.as_deref() == Some(&me));
            let object = LeaseObject { name, number };
            let worker = self
                .store
                .read(&object)
                .await?
                .and_then(|lease| lease.worker);
            if was_mine && worker.as_deref() != Some(&me) {
                tracing::warn!(lease = %object.name, "lease lost to another worker");
                self.progress.lease_moved("lost", 1);
            }
            self.remember(object, worker);
        }
        self.publish();
        Ok(old)
    }

    /// Creates the next number of a lease. `false` when somebody else did.
    async fn write(&mut self, name: &str, worker: Option<&str>) -> Result<bool, LakeError> {
        let before = self.seen.get(name).map(|(seen, _)| seen.number);
        let object = LeaseObject {
            name: name.to_owned(),
            number: before.map_or(1, |number| number + 1),
        };
        let worker = worker.map(str::to_owned);
        let lease = Lease {
            worker: worker.clone(),
        };
        if !self.store.create(&object, &lease).await? {
            return Ok(false);
        }
        self.remember(object, worker);
        if let Some(number) = before {
            let name = name.to_owned();
            self.store.delete(&LeaseObject { name, number }).await?;
        }
        Ok(true)
    }

    fn remember(&mut self, object: LeaseObject, worker: Option<String>) {
        let seen = Seen {
            number: object.number,
            worker,
            unchanged: std::time::Duration::ZERO,
        };
        self.seen.insert(object.name, (seen, Instant::now()));
    }

    fn publish(&self) {
        let me = Some(self.options.worker.as_str());
        let mine = self
            .seen
            .iter()
            .filter(|(_, (seen, _))| seen.worker.as_deref() == me);
        let held: BTreeSet<String> = mine
            .map(|(name, _)| name.clone())
            .filter(|name| {
                !self.giving_up.contains(name) && *name != sign_of_life(&self.options.worker)
            })
            .collect();
        self.held.send_if_modified(|known| replace(known, held));
    }

    async fn give_all_back(&mut self) -> Result<(), LakeError> {
        self.look().await?;
        let me = Some(self.options.worker.clone());
        let mine = |(name, (seen, _)): (&String, &(Seen, Instant))| {
            (seen.worker == me).then(|| name.clone())
        };
        let names: Vec<String> = self.seen.iter().filter_map(mine).collect();
        for name in names {
            self.write(&name, None).await?;
        }
        Ok(())
    }
}
