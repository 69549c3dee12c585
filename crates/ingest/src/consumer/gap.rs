//! Whether records can have passed their retention unread. Decisions over values; times come in as arguments.
//!
//! Kinesis does not say so. It refuses the old place, or goes on at the oldest record without a word, or answers for ever with
//! nothing (`facts/kinesis-delta.md` 2); what is common to all is that the reader was further behind than records are kept.

/// Replies without records at the edge of retention after which the place is given up: a reader that is only slow gets some.
const MOST_EMPTY: u32 = 30;
/// How close to the edge of retention counts as at the edge.
const EDGE_MS: i64 = 60_000;

/// How far behind one reader is, reply by reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watch {
    /// Whatever arrived up to this UTC microsecond has been read.
    through: Option<i64>,
    empty_at_the_edge: u32,
}

/// What a reply says about the records before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing can be missing.
    Whole,
    /// Records may be missing; those that came are good. The oldest arrival still kept, UTC microseconds.
    Passed { oldest_kept: i64 },
    /// Nothing comes from this place any more: start again at the oldest record. The oldest arrival still kept.
    Stuck { oldest_kept: i64 },
}

/// A reply, as far as it matters here.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    /// When it came, UTC microseconds.
    pub(super) now: i64,
    /// How long the stream keeps records, milliseconds.
    pub(super) retention_ms: i64,
    /// As Kinesis says it.
    pub(super) millis_behind: Option<i64>,
    /// Arrival of its last record, UTC microseconds; `None` when it has none.
    pub(super) last_arrival: Option<i64>,
    /// Whether it has records.
    pub(super) has_records: bool,
}

impl Watch {
    /// Starts where the lake says that everything has been read up to; `None` when a shard is read for the first time.
    pub(super) fn new(through: Option<i64>) -> Watch {
        Watch {
            through,
            empty_at_the_edge: 0,
        }
    }

    /// Whatever arrived up to this UTC microsecond has been read.
    pub(super) fn through(&self) -> Option<i64> {
        self.through
    }

    /// Takes in a reply.
    pub(super) fn reply(&mut self, facts: Facts) -> Said {
        let oldest_kept = facts.now - facts.retention_ms * 1_000;
        let passed = self.through.is_some_and(|through| through < oldest_kept);
        let behind = facts.millis_behind.unwrap_or(0);
        if facts.has_records || behind < facts.retention_ms - EDGE_MS {
            self.empty_at_the_edge = 0;
        } else {
            self.empty_at_the_edge += 1;
        }
        // Past retention already, nothing is gained by waiting: what is kept begins at the oldest record.
        if self.empty_at_the_edge >= if passed { 1 } else { MOST_EMPTY } {
            self.empty_at_the_edge = 0;
            self.through = Some(oldest_kept);
            return Said::Stuck { oldest_kept };
        }
        // An empty reply far behind says nothing yet: the trimmed part is still being passed.
        if passed && !facts.has_records && behind > 0 {
            return Said::Whole;
        }
        let reached = match facts.last_arrival {
            _ if behind == 0 && !facts.has_records => Some(facts.now),
            Some(arrival) => Some(arrival),
            None => None,
        };
        self.through = self.through.max(reached);
        if passed {
            // Told once: the next gap begins here.
            self.through = self.through.max(Some(oldest_kept));
            return Said::Passed { oldest_kept };
        }
        Said::Whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;
    const RETENTION_MS: i64 = 24 * 3_600_000;

    fn facts(now: i64, behind_ms: i64, last_arrival: Option<i64>) -> Facts {
        Facts {
            now,
            retention_ms: RETENTION_MS,
            millis_behind: Some(behind_ms),
            last_arrival,
            has_records: last_arrival.is_some(),
        }
    }

    #[test]
    fn a_reader_within_retention_misses_nothing() {
        let mut watch = Watch::new(Some(100 * HOUR));
        assert_eq!(
            watch.reply(facts(123 * HOUR, 22 * 3_600_000, Some(101 * HOUR))),
            Said::Whole
        );
        assert_eq!(watch.through(), Some(101 * HOUR));
        assert_eq!(watch.reply(facts(123 * HOUR, 0, None)), Said::Whole);
        assert_eq!(watch.through(), Some(123 * HOUR));
    }

    #[test]
    fn a_shard_read_for_the_first_time_has_no_gap() {
        let mut watch = Watch::new(None);
        assert_eq!(
            watch.reply(facts(500 * HOUR, 0, Some(480 * HOUR))),
            Said::Whole
        );
    }

    #[test]
    fn an_outage_longer_than_retention_is_a_gap_told_once() {
        let mut watch = Watch::new(Some(100 * HOUR));
        assert_eq!(
            watch.reply(facts(130 * HOUR, RETENTION_MS / 2, None)),
            Said::Whole
        );
        let oldest_kept = 106 * HOUR;
        let reply = facts(130 * HOUR, RETENTION_MS - 1, Some(106 * HOUR + 5));
        assert_eq!(watch.reply(reply), Said::Passed { oldest_kept });
        assert_eq!(
            watch.reply(facts(130 * HOUR, 0, Some(107 * HOUR))),
            Said::Whole
        );
        // With nothing left at all, being at the tip tells it.
        let mut watch = Watch::new(Some(100 * HOUR));
        assert_eq!(
            watch.reply(facts(130 * HOUR, 0, None)),
            Said::Passed { oldest_kept }
        );
        assert_eq!(watch.through(), Some(130 * HOUR));
    }

    #[test]
    fn nothing_but_empty_replies_at_the_edge_is_a_place_to_leave() {
        let mut watch = Watch::new(Some(100 * HOUR));
        let oldest_kept = 106 * HOUR;
        let empty = facts(130 * HOUR, RETENTION_MS, None);
        assert_eq!(watch.reply(empty), Said::Stuck { oldest_kept });
        let mut watch = Watch::new(Some(107 * HOUR));
        let said: Vec<_> = (0..MOST_EMPTY).map(|_| watch.reply(empty)).collect();
        let (last, before) = said.split_last().unwrap();
        assert!(before.iter().all(|said| *said == Said::Whole));
        assert_eq!(
            *last,
            Said::Stuck {
                oldest_kept: 106 * HOUR
            }
        );
    }
}
