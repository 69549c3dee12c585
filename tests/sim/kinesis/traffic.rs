//! How much may be read from a shard: five calls and 2 MiB a second (API reference, `GetRecords`).

use std::collections::VecDeque;

const CALLS_A_SECOND: usize = 5;
const BYTES_A_SECOND: u64 = 2 << 20;

/// What was asked of one shard.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// Times of all calls, refused ones included.
    asked: Vec<u64>,
    /// Times of the calls of the last second that were answered.
    answered: VecDeque<u64>,
    /// After many bytes, calls are refused until then: five seconds after 10 MiB.
    busy_until: u64,
    pub(super) refused: u64,
}

impl Traffic {
    /// A call comes in.
    pub(super) fn ask(&mut self, now: u64) -> Result<(), &'static str> {
        self.asked.push(now);
        while self.answered.front().is_some_and(|time| time + 1_000 <= now) {
            self.answered.pop_front();
        }
        let reason = if now < self.busy_until {
            "ProvisionedThroughputExceeded: more than 2 MiB a second"
        } else if self.answered.len() >= CALLS_A_SECOND {
            "ProvisionedThroughputExceeded: more than five calls a second"
        } else {
            return Ok(());
        };
        self.refused += 1;
        Err(reason)
    }

    /// It was answered with so many bytes.
    pub(super) fn answered(&mut self, now: u64, bytes: usize) {
        self.answered.push_back(now);
        self.busy_until = now + bytes as u64 * 1_000 / BYTES_A_SECOND;
    }

    pub(super) fn most_a_second(&self) -> usize {
        let within = |first: usize| {
            let from = self.asked[first];
            self.asked[first..].iter().take_while(|time| **time < from + 1_000).count()
        };
        (0..self.asked.len()).map(within).max().unwrap_or(0)
    }
}
