//! Answers, as the service gives them when its network and its keys are well.

use ingest::kinesis::{CallError, Description, ReadFrom, Reply, ShardPage, Trouble};

use super::shard::Shard;
use super::{FakeKinesis, Trimmed};
use crate::sim::ground::BEGINNING;

/// `ListShards` gives so many at once here; the real one gives 1,000.
const SHARDS_A_PAGE: usize = 2;
/// Iterators live five minutes (API reference, `GetShardIterator`).
const ITERATOR_LIVES_MS: u64 = 300_000;

impl FakeKinesis {
    pub(super) fn describe(&self) -> Result<Description, CallError> {
        self.refuse_when_gone()?;
        Ok(Description {
            arn: self.0.arn.clone(),
            created_ms: self.state().life().created_ms,
            retention_ms: self.retention_ms() as i64,
        })
    }

    pub(super) fn list(&self, token: Option<&str>) -> Result<ShardPage, CallError> {
        self.refuse_when_gone()?;
        let (now, retention) = (self.ground().now_ms(), self.retention_ms());
        let mut state = self.state();
        let life = state.lives.len();
        let start = match token.map(|token| token.split_once('/')) {
            None => 0,
            Some(Some((of, start))) if of == life.to_string() => start.parse().unwrap_or(0),
            Some(_) => return Err(refused("the token is of another stream")),
        };
        let listed: Vec<_> = state.life().shards.iter().skip(start).collect();
        let kept = |shard: &&&Shard| {
            shard.listed_at <= now
                && shard
                    .closed_at
                    .is_none_or(|closed| now < closed + retention)
        };
        let page: Vec<_> = listed.iter().filter(kept).take(SHARDS_A_PAGE).collect();
        let last = page.last().map(|shard| shard.index + 1);
        let more = |last: &usize| listed.iter().filter(kept).any(|shard| shard.index >= *last);
        Ok(ShardPage {
            shards: page.iter().map(|shard| shard.listed()).collect(),
            next: last.filter(more).map(|last| format!("{life}/{last}")),
        })
    }

    pub(super) fn iterator(&self, shard_id: &str, from: &ReadFrom) -> Result<String, CallError> {
        self.refuse_when_gone()?;
        let place = self.place(shard_id, from)?;
        Ok(place.to_string())
    }

    /// The ARN of a consumer holds when it was registered.
    pub(super) fn consumer_arn(&self, name: &str) -> String {
        format!(
            "{}/consumer/{name}:{}",
            self.0.arn,
            self.state().lives.len()
        )
    }

    /// Where reading of a shard begins.
    pub(super) fn place(&self, shard_id: &str, from: &ReadFrom) -> Result<Place, CallError> {
        let now = self.ground().now_ms();
        let oldest_time = now.saturating_sub(self.retention_ms());
        let mut state = self.state();
        let life = state.lives.len();
        let Some(shard) = state
            .life()
            .shards
            .iter()
            .find(|shard| shard.id == shard_id)
        else {
            return Err(not_found("the shard is not there"));
        };
        let oldest = shard.oldest_kept(oldest_time);
        let (at, silent) = match from {
            ReadFrom::Oldest => (oldest, false),
            ReadFrom::Time(micros) => {
                let ms = ((micros - BEGINNING) / 1_000).max(0) as u64;
                (
                    shard.records.partition_point(|put| put.arrived_ms < ms),
                    false,
                )
            }
            ReadFrom::After(number) => {
                let Some(known) = shard.index_of(number) else {
                    return Err(refused("the sequence number is not of this shard"));
                };
                match self.0.manners.trimmed {
                    Trimmed::Refused if known < oldest => {
                        return Err(refused("the sequence number has been trimmed"));
                    }
                    Trimmed::Silent => (known + 1, known + 1 < oldest),
                    _ => (known + 1, false),
                }
            }
        };
        Ok(Place {
            life,
            shard: shard.index,
            at: at.max(oldest),
            issued: now,
            silent,
        })
    }

    pub(super) fn read(&self, iterator: &str) -> Result<Reply, CallError> {
        self.refuse_when_gone()?;
        let place = Place::parse(iterator).ok_or_else(|| refused("that is no iterator"))?;
        let now = self.ground().now_ms();
        let mut state = self.state();
        if place.life != state.lives.len() {
            return Err(not_found("the stream of this iterator is gone"));
        }
        let chances = state.chances;
        let shard = &mut state.life().shards[place.shard];
        shard
            .traffic
            .ask(now)
            .map_err(|reason| call_error(Trouble::Throttled, reason))?;
        if now >= place.issued + ITERATOR_LIVES_MS {
            return Err(call_error(
                Trouble::Expired,
                "the iterator is older than five minutes",
            ));
        }
        let stays = place.silent || self.ground().permille(chances.empty);
        let (reply, next) = self.read_at(shard, place.at, now, stays);
        shard.traffic.answered(now, reply.bytes());
        let lag = if place.silent {
            Some(self.retention_ms() as i64)
        } else {
            reply.millis_behind
        };
        let next = Place {
            at: next,
            issued: now,
            ..place
        };
        Ok(Reply {
            next: (!reply.ended).then(|| next.to_string()),
            millis_behind: lag.map(|lag| if self.0.manners.says_lag { lag } else { 0 }),
            ..reply
        })
    }

    /// What lies at a place of a shard, as much of it as chance will have, and where to go on.
    pub(super) fn read_at(
        &self,
        shard: &Shard,
        at: usize,
        now: u64,
        stays: bool,
    ) -> (Reply, usize) {
        let at = at.max(shard.oldest_kept(now.saturating_sub(self.retention_ms())));
        let waiting = shard.within_10_mib(at);
        let count = match (stays, waiting) {
            (true, _) | (_, 0) => 0,
            _ if self.ground().permille(500) => waiting,
            _ => self.ground().between(1, waiting as u64) as usize,
        };
        let next = at + count;
        let at_end = shard.closed_at.is_some() && next == shard.records.len() && !stays;
        let records = shard.records[at..next].iter();
        let reply = Reply {
            records: records.map(|put| put.record(self.ground())).collect(),
            next: None,
            // The end comes with the last records or in a reply of its own.
            ended: at_end && (count == 0 || self.ground().permille(500)),
            millis_behind: Some(
                shard
                    .records
                    .get(next)
                    .map_or(0, |put| (now - put.arrived_ms) as i64),
            ),
        };
        (reply, next)
    }

    pub(super) fn refuse_when_gone(&self) -> Result<(), CallError> {
        if self.ground().now_ms() < self.state().gone_until {
            return Err(not_found("there is no such stream"));
        }
        Ok(())
    }
}

/// What an iterator says. The real ones are encrypted; nobody may look into them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) life: usize,
    pub(super) shard: usize,
    pub(super) at: usize,
    pub(super) issued: u64,
    pub(super) silent: bool,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Place {
            life,
            shard,
            at,
            issued,
            silent,
        } = self;
        write!(f, "{life}/{shard}/{at}/{issued}/{}", u8::from(*silent))
    }
}

impl Place {
    fn parse(text: &str) -> Option<Place> {
        let numbers: Vec<u64> = text
            .split('/')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        let [life, shard, at, issued, silent] = numbers[..] else {
            return None;
        };
        Some(Place {
            life: life as usize,
            shard: shard as usize,
            at: at as usize,
            issued,
            silent: silent == 1,
        })
    }
}

pub(super) fn call_error(trouble: Trouble, reason: &str) -> CallError {
    CallError {
        trouble,
        reason: reason.to_owned(),
    }
}

fn refused(reason: &str) -> CallError {
    call_error(Trouble::Refused, reason)
}

pub(super) fn not_found(reason: &str) -> CallError {
    call_error(Trouble::NotFound, reason)
}
