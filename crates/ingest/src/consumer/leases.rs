//! Who should hold which lease. Decisions over values: what is seen, and for how long it has not changed by our own watch.
//!
//! No clock of another machine is ever compared with ours: a lease is free when *we* have seen the same number for `ttl`
//! (as KCL does with `System.nanoTime`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Names of leases by which workers show that they live.
const WORKER: &str = "worker-";

/// A lease as this worker sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) number: u64,
    pub(super) worker: Option<String>,
    /// How long it has been seen unchanged.
    pub(super) unchanged: Duration,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan {
    /// Leases to renew, this worker's sign of life among them.
    pub(super) renew: Vec<String>,
    /// Free ones to take.
    pub(super) take: Vec<String>,
    /// Held ones that others should have: to be given back when what was read is stored.
    pub(super) give_up: Vec<String>,
    /// Leases of workers long gone: to be removed.
    pub(super) forget: Vec<String>,
}

/// The lease by which a worker shows that it lives.
pub(super) fn sign_of_life(worker: &str) -> String {
    format!("{WORKER}{worker}")
}

/// Decides, so that all workers hold about the same number and each group has one holder.
pub(super) fn plan(
    me: &str,
    ttl: Duration,
    groups: &BTreeSet<String>,
    seen: &BTreeMap<String, Seen>,
) -> Plan {
    let expired = |lease: &Seen| lease.unchanged >= ttl;
    let mut workers: BTreeSet<&str> = seen
        .iter()
        .filter(|(_, lease)| !expired(lease))
        .filter_map(|(name, lease)| name.strip_prefix(WORKER).filter(|_| lease.worker.is_some()))
        .collect();
    workers.insert(me);
    let fair = groups.len().div_ceil(workers.len());

    let is_mine = |name: &&String| {
        let worker = seen.get(*name).and_then(|lease| lease.worker.as_deref());
        worker == Some(me)
    };
    let is_free = |name: &&String| match seen.get(*name) {
        None => true,
        Some(lease) => {
            lease.worker.is_none() || (lease.worker.as_deref() != Some(me) && expired(lease))
        }
    };
    let mut mine: Vec<String> = groups.iter().filter(is_mine).cloned().collect();
    let give_up = mine.split_off(mine.len().min(fair));
    // Each worker begins elsewhere, so that they do not all reach for the same one.
    let mut free: Vec<String> = groups.iter().filter(is_free).cloned().collect();
    if !free.is_empty() {
        let rank = workers.iter().position(|worker| *worker == me).unwrap_or(0);
        let first = rank * free.len() / workers.len();
        free.rotate_left(first);
    }
    free.truncate(fair - mine.len());
    let mut renew = mine;
    renew.extend(give_up.iter().cloned());
    renew.push(sign_of_life(me));
    let gone = |(name, lease): &(&String, &Seen)| {
        lease.unchanged >= ttl * 10
            && !groups.contains(*name)
            && lease.worker.as_deref() != Some(me)
    };
    Plan {
        renew,
        take: free,
        give_up,
        forget: seen
            .iter()
            .filter(gone)
            .map(|(name, _)| name.clone())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(20);

    fn lease(worker: Option<&str>, unchanged: u64) -> Seen {
        Seen {
            number: 1,
            worker: worker.map(str::to_owned),
            unchanged: Duration::from_secs(unchanged),
        }
    }

    fn groups(count: usize) -> BTreeSet<String> {
        (0..count).map(|n| format!("g{n}")).collect()
    }

    fn workers(names: &[&str]) -> BTreeMap<String, Seen> {
        let seen = |name: &&str| (sign_of_life(name), lease(Some(name), 1));
        names.iter().map(seen).collect()
    }

    #[test]
    fn one_worker_takes_everything_that_is_free() {
        let plan = plan("a", TTL, &groups(3), &BTreeMap::new());
        assert_eq!(plan.take, ["g0", "g1", "g2"]);
        assert_eq!(plan.renew, ["worker-a"]);
    }

    #[test]
    fn a_held_lease_is_taken_only_when_it_stood_still_for_long_enough() {
        let mut seen = workers(&["a", "b"]);
        seen.insert("g0".to_owned(), lease(Some("b"), 19));
        assert_eq!(plan("a", TTL, &groups(1), &seen).take, Vec::<String>::new());
        seen.insert("g0".to_owned(), lease(Some("b"), 20));
        assert_eq!(plan("a", TTL, &groups(1), &seen).take, ["g0"]);
        // Its own, however old: nobody else has it.
        seen.insert("g0".to_owned(), lease(Some("a"), 60));
        let own = plan("a", TTL, &groups(1), &seen);
        assert_eq!((own.take.len(), own.renew.len()), (0, 2));
    }

    #[test]
    fn whoever_has_too_many_gives_up_some_and_whoever_has_too_few_takes_them() {
        let mut seen = workers(&["a", "b"]);
        for n in 0..4 {
            seen.insert(format!("g{n}"), lease(Some("a"), 1));
        }
        let crowded = plan("a", TTL, &groups(4), &seen);
        assert_eq!(crowded.give_up, ["g2", "g3"]);
        assert_eq!(crowded.renew.len(), 5, "given up only when stored");
        assert!(plan("b", TTL, &groups(4), &seen).take.is_empty());
        for n in 2..4 {
            seen.insert(format!("g{n}"), lease(None, 1));
        }
        assert_eq!(plan("b", TTL, &groups(4), &seen).take.len(), 2);
        assert!(plan("a", TTL, &groups(4), &seen).take.is_empty());
    }

    #[test]
    fn any_number_of_workers_comes_to_rest_with_every_group_held_once() {
        for count in 1..=6 {
            let names: Vec<String> = (0..count).map(|n| format!("w{n}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut seen = workers(&names);
            let groups = groups(8);
            for _ in 0..30 {
                for me in &names {
                    let plan = plan(me, TTL, &groups, &seen);
                    for name in plan.give_up {
                        seen.insert(name, lease(None, 0));
                    }
                    for name in plan.take {
                        seen.insert(name, lease(Some(me), 0));
                    }
                }
            }
            let mut held: BTreeMap<&str, usize> = BTreeMap::new();
            for group in &groups {
                *held
                    .entry(seen[group].worker.as_deref().unwrap())
                    .or_default() += 1;
            }
            let most = held.values().max().unwrap();
            assert!(*most <= 8usize.div_ceil(count), "{count}: {held:?}");
        }
    }

    #[test]
    fn signs_of_life_that_ended_long_ago_are_removed() {
        let mut seen = workers(&["a"]);
        seen.insert(sign_of_life("b"), lease(Some("b"), 200));
        seen.insert(sign_of_life("c"), lease(None, 30));
        assert_eq!(plan("a", TTL, &groups(0), &seen).forget, ["worker-b"]);
        assert_eq!(
            plan("a", TTL, &groups(2), &seen).take.len(),
            2,
            "the dead do not count"
        );
    }
}
