//! Retention: findings that are older than they are kept are taken out, day by day, in commits that say so.

use std::sync::Arc;

use serde_json::json;

use super::DAY;
use super::compact::{fetch, forget, maintenance_txn, rewritten};
use super::rewrite::{self, Job};
use crate::encoder::{day_of_file, day_text};
use crate::log::{Add, Change, Operation, Outcome, Remove, TableLog};
use crate::retention::Retention;
use crate::seen::Day;
use crate::writer::txn_prefix;
use crate::{Lake, LakeError, Table};

/// How often others may come first before the rest is left for the next time.
const MAX_RACES: u32 = 5;

/// A day of which findings were taken out; in a dry run, would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// As `2026-11-21`.
    pub day: String,
    /// Findings' versions that went.
    pub rows: u64,
    /// Those that stay.
    pub kept: u64,
    /// The version that says so; `None` in a dry run.
    pub version: Option<i64>,
}

impl Lake {
    /// Takes findings out that `retention` does not keep, whole days of a period at a time. Each day is looked at once for each
    /// period, and again when the periods change. Files stay in the store until [`Lake::vacuum`] deletes them.
    ///
    /// When another compactor comes first, the day is done again; after five of those the rest is left for the next time.
    ///
    /// # Errors
    /// [`LakeError::Damaged`] when a file has not the rows that the log says. What was taken out before stays out.
    pub async fn expire(
        &self,
        retention: &Retention,
        dry_run: bool,
    ) -> Result<Vec<Expired>, LakeError> {
        let mut log = self.log(Table::Findings).await?;
        log.refuse_unusable()?;
        let now = (self.surroundings().now)();
        let mut done = Vec::new();
        let mut races = 0;
        let mut plan = plan_expiry(&log, retention, now);
        plan.days.reverse();
        while let Some(day) = plan.days.pop() {
            match self
                .expire_day(&mut log, day, retention, now, dry_run)
                .await?
            {
                Some(expired) => done.extend((expired.rows > 0).then_some(expired)),
                None => {
                    races += 1;
                    tracing::info!(day = day_text(day), races, "another writer came first");
                    if races == MAX_RACES {
                        return Ok(done);
                    }
                    plan.days.push(day);
                }
            }
        }
        if !dry_run && !plan.positions.is_empty() {
            let change = Change {
                txns: plan.positions,
                info: json!({ "retention": "looked through" }),
                operation: Operation::Expire,
                ..Change::default()
            };
            if let Outcome::Committed(version, _) = log.commit(change).await? {
                self.after_commit(Table::Findings, version);
            }
        }
        Ok(done)
    }

    /// Findings before this may have been taken out by retention: UTC microseconds, `i64::MIN` where none was.
    pub async fn retained_from(&self) -> Result<i64, LakeError> {
        let log = self.log(Table::Findings).await?;
        let id = retained_txn(&log.state().table_id);
        Ok(log.state().txns.get(&id).copied().unwrap_or(i64::MIN))
    }

    /// `None` where somebody else came first.
    async fn expire_day(
        &self,
        log: &mut TableLog,
        day: Day,
        retention: &Retention,
        now: i64,
        dry_run: bool,
    ) -> Result<Option<Expired>, LakeError> {
        let files = log.state().files.values();
        let adds: Vec<Add> = files
            .filter(|add| day_of_file(add) == Some(day))
            .cloned()
            .collect();
        let inputs = match fetch(log, &adds).await {
            Ok(inputs) => inputs,
            // Somebody rewrote it, and somebody vacuumed it.
            Err(error) if error.is_not_found() => {
                log.follow().await?;
                let files = &log.state().files;
                return match adds.iter().any(|add| !files.contains_key(&add.path)) {
                    true => Ok(None),
                    false => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        let kept = retention.clone();
        let job = Job {
            table: Table::Findings,
            day: Some(day_text(day)),
            keep: Some(Arc::new(move |time, account, label| {
                kept.keeps(time, account, label, now)
            })),
        };
        let (uri, surroundings) = (log.uri().to_owned(), self.surroundings().clone());
        let work = move || rewrite::rewrite(&job, &inputs, &uri, &surroundings);
        let written = rewritten(work).await?;
        let mut expired = Expired {
            day: day_text(day),
            rows: written.dropped,
            kept: written.rows,
            version: None,
        };
        if dry_run || written.dropped == 0 {
            return Ok(Some(expired));
        }
        let mut change = Change {
            info: json!({ "expired": written.dropped, "day": day_text(day) }),
            operation: Operation::Expire,
            ..Change::default()
        };
        if let Some(mut file) = written.file {
            file.add.data_change = false;
            file.store(log.store(), log.uri()).await?;
            change.adds.push(file.add);
        }
        let state = log.state();
        let (id, now_ms) = (&state.table_id, self.surroundings().now_ms());
        let gone = adds.iter();
        change.removes = gone.map(|add| Remove::expired(add, now_ms)).collect();
        let before = state.txns.get(&retained_txn(id)).copied();
        let through = (i64::from(day) + 1) * DAY;
        change.txns = vec![
            (maintenance_txn(id), state.version + 1),
            (retained_txn(id), before.unwrap_or(through).max(through)),
        ];
        let added = change.adds.clone();
        match log.commit(change).await? {
            Outcome::Committed(version, _) => {
                self.after_commit(Table::Findings, version);
                expired.version = Some(version);
                Ok(Some(expired))
            }
            Outcome::Overtaken(_) => {
                for add in &added {
                    forget(log, add).await;
                }
                Ok(None)
            }
        }
    }
}

/// What retention has to look at.
struct Plan {
    /// Days that one period or more is over for since they were last looked at, oldest first.
    days: Vec<Day>,
    /// Through which day each period will have been looked at then.
    positions: Vec<(String, i64)>,
}

fn plan_expiry(log: &TableLog, retention: &Retention, now: i64) -> Plan {
    let state = log.state();
    let mut plan = Plan {
        days: Vec::new(),
        positions: Vec::new(),
    };
    let mut ranges = Vec::new();
    for days in retention.periods() {
        let id = looked_txn(&state.table_id, retention, days);
        // The last day that lies before the period as a whole.
        let through = (now - i64::from(days) * DAY).div_euclid(DAY) - 1;
        let before = state.txns.get(&id).copied().unwrap_or(i64::MIN);
        if through > before {
            ranges.push(before..through);
            plan.positions.push((id, through));
        }
    }
    let due = |day: i64| {
        ranges
            .iter()
            .any(|range| day > range.start && day <= range.end)
    };
    let days = state.files.values().filter_map(day_of_file);
    plan.days = days.filter(|day| due(i64::from(*day))).collect();
    plan.days.sort_unstable();
    plan.days.dedup();
    plan
}

/// The days through which a period was looked at: another retention looks again.
fn looked_txn(table_id: &str, retention: &Retention, days: u16) -> String {
    let retention = retention.mark();
    format!("{}/expired/{retention}/{days}d", txn_prefix(table_id))
}

fn retained_txn(table_id: &str) -> String {
    format!("{}/retained_from", txn_prefix(table_id))
}
