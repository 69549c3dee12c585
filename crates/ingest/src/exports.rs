//! Follows what GuardDuty exports to S3: objects are loaded as they appear. What was loaded is known from the lake, so that a process that
//! ends at any moment loses nothing and loads nothing twice.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use lake::{Lake, Ledger};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::load::is_known;
use crate::sources::{files, list_objects};
use crate::{IngestError, LoadOptions, Progress, Source, load};

/// Objects that are loaded between two looks at whether to stop.
const AT_ONCE: usize = 500;
/// Newest days of each account and Region that are looked at every time.
const DAYS: usize = 3;
/// Between looks at everything: there new accounts and Regions are found, and objects that came late.
const BETWEEN_FULL_LOOKS: Duration = Duration::from_secs(3_600);
/// A turn of the loop at least.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// What to follow, and how.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// `s3://bucket/prefix` that GuardDuty exports to, or a folder that is filled like it.
    pub from: String,
    /// Between looks. GuardDuty exports new findings within 5 minutes, and updates every 15 minutes, hour or 6 hours
    /// ("Exporting findings", Amazon GuardDuty user guide).
    pub every: Duration,
    /// How they are loaded; `now` is asked anew for each look.
    pub load: LoadOptions,
}

/// Loads what is there, and what appears, until `stop`; what is being loaded then is loaded to its end.
///
/// # Errors
/// When the prefix cannot be listed or the lake not be written. An object that cannot be read is told once, and tried again each time.
pub async fn follow_exports(
    lake: &Lake,
    s3: Option<Client>,
    options: &ExportOptions,
    stop: &CancellationToken,
    progress: &Arc<Progress>,
    now: impl Fn() -> i64,
) -> Result<Ledger, IngestError> {
    let mut ledger = Ledger::default();
    let mut shelf = Shelf::default();
    let mut told = HashSet::new();
    let mut full: Option<Instant> = None;
    loop {
        let everything = full.is_none_or(|at| at.elapsed() >= BETWEEN_FULL_LOOKS);
        let listed = shelf
            .list(&options.from, s3.as_ref(), everything, stop)
            .await?;
        if everything {
            full = Some(Instant::now());
        }
        progress.turned();
        let known = lake.sources().await?;
        let new: Vec<Source> = listed
            .into_iter()
            .filter(|source| !is_known(source, &known))
            .collect();
        for some in new.chunks(AT_ONCE) {
            if stop.is_cancelled() {
                break;
            }
            let how = LoadOptions {
                now: now(),
                ..options.load.clone()
            };
            let loaded = load(lake, some.to_vec(), s3.clone(), how, Arc::clone(progress)).await?;
            ledger += loaded.ledger;
            for failure in loaded.failures {
                let said = lake::in_one_line(&failure);
                if told.insert(said.clone()) {
                    tracing::warn!("{said}");
                }
            }
            progress.turned();
        }
        let rest = Instant::now() + options.every;
        while Instant::now() < rest && !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep_until(rest.min(Instant::now() + LONGEST_REST)) => {}
            }
            progress.turned();
        }
        if stop.is_cancelled() {
            return Ok(ledger);
        }
    }
}

/// Where objects have been seen: for each account and Region the newest days.
#[derive(Debug, Default)]
struct Shelf {
    days: BTreeMap<String, BTreeSet<String>>,
    /// There are objects elsewhere, so that only a look at everything sees all.
    others: bool,
}

impl Shelf {
    /// What is there: all of it, or what may be new.
    async fn list(
        &mut self,
        from: &str,
        s3: Option<&Client>,
        everything: bool,
        stop: &CancellationToken,
    ) -> Result<Vec<Source>, IngestError> {
        let Some(rest) = from.strip_prefix("s3://") else {
            return files(from);
        };
        let client = s3.ok_or_else(|| IngestError::Argument {
            given: from.to_owned(),
            reason: "no S3 client".to_owned(),
        })?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let mut found = Vec::new();
        for (prefix, after) in self.plan(prefix, everything) {
            if stop.is_cancelled() {
                break;
            }
            found.extend(list_objects(client, bucket, &prefix, after.as_deref()).await?);
        }
        let root = format!("s3://{bucket}/");
        for source in &found {
            self.saw(source.uri.strip_prefix(&root).unwrap_or_default());
        }
        Ok(found)
    }

    /// Prefixes to list, and the key to begin behind.
    fn plan(&self, prefix: &str, everything: bool) -> Vec<(String, Option<String>)> {
        if everything || self.others {
            return vec![(prefix.to_owned(), None)];
        }
        let listing = |(place, days): (&String, &BTreeSet<String>)| {
            let oldest = days.first().map(|day| format!("{place}{day}"));
            (place.clone(), oldest)
        };
        self.days.iter().map(listing).collect()
    }

    fn saw(&mut self, key: &str) {
        let Some((place, day)) = place(key) else {
            self.others = true;
            return;
        };
        let days = self.days.entry(place.to_owned()).or_default();
        days.insert(day.to_owned());
        while days.len() > DAYS {
            days.pop_first();
        }
    }
}

/// The place and the day of a key as GuardDuty writes it: `[PREFIX/]AWSLogs/ACCOUNT/GuardDuty/REGION/` and `2026/11/22/`.
fn place(key: &str) -> Option<(&str, &str)> {
    const NAME: &str = "/GuardDuty/";
    let region = key.find(NAME)? + NAME.len();
    let day = region + key[region..].find('/')? + 1;
    let end = day + "2026/11/22/".len();
    let text = key.get(day..end)?;
    let is_day = text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 | 10 => byte == b'/',
        _ => byte.is_ascii_digit(),
    });
    is_day.then_some((&key[..day], text))
}
