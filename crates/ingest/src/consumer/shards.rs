//! Which shards may be read now, by whom, and from where. Decisions over values; no network.

use std::collections::BTreeMap;

use lake::{Position, ShardKey};

use crate::kinesis::{ReadFrom, Shard};

/// Shards are shared in this many groups a stream, by the number in their ids: more than any sensible number of workers, and
/// the shards of a stream, which are numbered in turn, spread evenly.
const GROUPS: u64 = 16;

/// How far a shard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Being read.
    Reading,
    /// Read to its end, and the end is committed.
    Ended,
}

/// Shards to start now: those not yet read whose parents have all ended, or are gone from the listing (their retention
/// is over). A child must wait for its parents so that updates of one finding come in order.
pub(super) fn plan_start(shards: &[Shard], progress: &BTreeMap<String, Progress>) -> Vec<String> {
    let listed = |id: &String| shards.iter().any(|shard| shard.id == *id);
    let done = |id: &String| !listed(id) || progress.get(id) == Some(&Progress::Ended);
    shards
        .iter()
        .filter(|shard| !progress.contains_key(&shard.id) && shard.parents.iter().all(done))
        .map(|shard| shard.id.clone())
        .collect()
}

/// Where to start reading a shard.
///
/// After its position; a child of shards that the lake knows, at its oldest record, as nothing of it can have been read;
/// else where the stream was begun (UTC microseconds; 0 is the oldest record).
pub(super) fn read_from(position: Option<&Position>, parents_known: bool, begun: i64) -> ReadFrom {
    match position.and_then(|position| position.sequence_number.as_ref()) {
        Some(number) => ReadFrom::After(number.to_string()),
        None if parents_known || begun == 0 => ReadFrom::Oldest,
        None => ReadFrom::Time(begun),
    }
}

/// Up to when nothing of a shard can be missing, UTC microseconds, given the positions of its stream and when reading began.
///
/// A shard that was there before has what it kept when reading began. A child that was never read begins where its parents end, so nothing is missing that arrived before the point up to which
/// they were read. Parents that came and went unseen leave the point up to which anything was read.
pub(super) fn read_through(
    shard: &Shard,
    of_stream: &BTreeMap<&str, &Position>,
    begun_at: i64,
) -> Option<i64> {
    let of = |id: &String| of_stream.get(id.as_str()).map(|known| known.read_through);
    if let Some(through) = of(&shard.id) {
        return through.or(Some(begun_at));
    }
    let parents: Option<Vec<Option<i64>>> = shard.parents.iter().map(of).collect();
    let open = of_stream.values().filter(|position| !position.ended);
    let through = match parents {
        Some(parents) => parents.into_iter().flatten().min(),
        None => open.filter_map(|position| position.read_through).min(),
    };
    through.or(Some(begun_at))
}

/// The group that a shard is shared in, a name fit for a file.
pub(super) fn group_of(shard: &ShardKey) -> String {
    let digits = shard.shard_id.rsplit('-').next().unwrap_or_default();
    let number = digits.parse().unwrap_or_else(|_| fnv(&shard.shard_id));
    format!("{:016x}-{:02}", fnv(&shard.source), number % GROUPS)
}

/// FNV-1a, 64 bits: the same on every machine.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lake::SequenceNumber;

    fn check(shards: &[(&str, &[&str])], progress: &[(&str, Progress)], expected: &[&str]) {
        let shards: Vec<Shard> = shards
            .iter()
            .map(|(id, parents)| Shard {
                id: (*id).into(),
                parents: parents.iter().map(|p| (*p).into()).collect(),
                hash_keys: (0, u128::MAX),
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

    #[test]
    fn a_shard_is_read_from_its_position_else_as_it_came_to_be() {
        let position = Position::at(SequenceNumber::parse("7").unwrap(), 0);
        let after = ReadFrom::After("7".to_owned());
        assert_eq!(read_from(Some(&position), true, 5), after);
        assert_eq!(read_from(None, true, 5), ReadFrom::Oldest);
        assert_eq!(read_from(None, false, 5), ReadFrom::Time(5));
        assert_eq!(read_from(None, false, 0), ReadFrom::Oldest);
        let nothing_read = Position::default();
        assert_eq!(read_from(Some(&nothing_read), false, 5), ReadFrom::Time(5));
    }

    #[test]
    fn a_child_never_read_is_whole_from_where_its_parents_were_read_to() {
        let through = |micros, ended| Position {
            read_through: Some(micros),
            ended,
            ..Position::default()
        };
        let (a, b) = (through(5, true), through(7, false));
        let known = BTreeMap::from([("a", &a), ("b", &b)]);
        let shard = |id: &str, parents: &[&str]| Shard {
            id: id.to_owned(),
            parents: parents.iter().map(|id| (*id).to_owned()).collect(),
            hash_keys: (0, u128::MAX),
        };
        assert_eq!(read_through(&shard("b", &["a"]), &known, 3), Some(7));
        assert_eq!(read_through(&shard("c", &["a", "b"]), &known, 3), Some(5));
        assert_eq!(read_through(&shard("c", &["gone"]), &known, 3), Some(7));
        assert_eq!(read_through(&shard("c", &[]), &known, 3), Some(3));
    }

    #[test]
    fn shards_of_a_stream_spread_over_the_groups() {
        let group = |number: u32| {
            group_of(&ShardKey {
                source: "arn@1".to_owned(),
                shard_id: format!("shardId-{number:012}"),
            })
        };
        let groups: std::collections::BTreeSet<_> = (0..16).map(group).collect();
        assert_eq!(groups.len(), 16);
        assert_eq!(group(0), group(16));
    }
}
