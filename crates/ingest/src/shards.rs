//! Which shards may be read now. A decision over values; no network.

use std::collections::HashMap;

/// A shard as `ListShards` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) id: String,
    /// The shard it was split from, or the two it was merged from.
    pub(crate) parents: Vec<String>,
}

/// How far a shard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Being read.
    Reading,
    /// Read to its end, and the end is committed.
    Ended,
}

/// Shards to start now: those not yet read whose parents have all ended, or are gone from the listing (their retention
/// is over). A child must wait for its parents so that updates of one finding come in order.
pub(crate) fn plan_start(shards: &[Shard], progress: &HashMap<String, Progress>) -> Vec<String> {
    let listed = |id: &String| shards.iter().any(|shard| shard.id == *id);
    let done = |id: &String| !listed(id) || progress.get(id) == Some(&Progress::Ended);
    shards
        .iter()
        .filter(|shard| !progress.contains_key(&shard.id) && shard.parents.iter().all(done))
        .map(|shard| shard.id.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shards: &[(&str, &[&str])], progress: &[(&str, Progress)], expected: &[&str]) {
        let shards: Vec<Shard> = shards
            .iter()
            .map(|(id, parents)| Shard {
                id: (*id).into(),
                parents: parents.iter().map(|p| (*p).into()).collect(),
            })
            .collect();
        let progress = progress
            .iter()
            .map(|(id, p)| ((*id).to_owned(), *p))
            .collect();
        assert_eq!(plan_start(&shards, &progress), expected);
    }

    #[test]
    fn children_wait_for_all_their_parents() {
        use Progress::{Ended, Reading};
        let split: &[(&str, &[&str])] = &[("0", &[]), ("1", &["0"]), ("2", &["0"])];
        check(split, &[], &["0"]);
        check(split, &[("0", Reading)], &[]);
        check(split, &[("0", Ended)], &["1", "2"]);
        check(split, &[("0", Ended), ("1", Reading)], &["2"]);
        let merge: &[(&str, &[&str])] = &[("a", &[]), ("b", &[]), ("c", &["a", "b"])];
        check(merge, &[("a", Ended), ("b", Reading)], &[]);
        check(merge, &[("a", Ended), ("b", Ended)], &["c"]);
        check(&[("c", &["gone"])], &[], &["c"]);
    }
}
