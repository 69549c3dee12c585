//! What each role does, over and over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ingest::{consume, follow_exports};
use jobs::reports::{Asked, due_now, make_once};
use jobs::{AtHand, Limits, Session};
use lake::{CompactOptions, Lake, ReportRow, VacuumOptions};
use notifier::Notifier;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::background::Background;
use super::reload::Files;
use super::streams::FollowedSource;
use crate::args::Role;
use crate::commands::{ingest as loading, notify, report};
use crate::failure::{Failure, note};
use crate::health::{self, Done, Health};
use crate::settings::{Settings, micros};
use crate::wire_up;

/// Between looks at the alert log for what other processes wrote, when nothing is being sent.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// How long sends under way are waited for at the end; what has not ended by then is sent again by the next run.
const LAST_SENDS: Duration = Duration::from_secs(20);
/// An evaluation of everything, after rules have changed, may take so long before it is taken for stuck; so may upkeep, and reports.
pub(super) const LONGEST_LOOK: Duration = Duration::from_secs(1_800);
/// Between looks at the clock for reports.
const BETWEEN_REPORTS: Duration = Duration::from_secs(20);
/// Between looks at the lake for upkeep.
const BETWEEN_UPKEEPS: Duration = Duration::from_secs(600);
/// Before the first one: a process that has just begun has better things to do.
const BEFORE_UPKEEP: Duration = Duration::from_secs(30);
/// Between looks for files that nothing needs.
const BETWEEN_VACUUMS: Duration = Duration::from_secs(86_400);

/// What all roles of a process share.
pub(super) struct Service {
    pub(super) lake: Lake,
    pub(super) settings: Settings,
    pub(super) files: Files,
    /// What the lanes of evaluation hold in memory, for those who tell of alerts.
    pub(super) at_hand: [AtHand; 2],
    pub(super) health: Health,
    pub(super) background: Background,
    /// Alerts are told on standard output, for want of channels.
    pub(super) rings_here: bool,
}

impl Service {
    /// Carries findings into the lake until `stop`; what is held then is committed.
    pub(super) async fn follow(
        &self,
        source: &FollowedSource,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let progress = Arc::default();
        self.health.expect(Role::Ingest, health::PATIENCE);
        self.health.follow(Arc::clone(&progress));
        let ledger = match source {
            FollowedSource::Streams(options) => {
                consume(&self.lake, options, stop, &progress).await?
            }
            FollowedSource::Exports(options) => {
                let s3 = match options.from.starts_with("s3://") {
                    true => Some(wire_up::s3().await),
                    false => None,
                };
                follow_exports(&self.lake, s3, options, stop, &progress, wire_up::now).await?
            }
        };
        note(&format!(
            "received {} = committed {} + duplicate {} + rejected {} + skipped {} + expired {}",
            ledger.received,
            ledger.committed,
            ledger.duplicate,
            ledger.rejected,
            ledger.skipped,
            ledger.expired
        ));
        Ok(())
    }

    /// Tells people; after `stop` what is owed by then is begun, and what is under way is waited for. The first notifier is at hand.
    pub(super) async fn tell(
        &self,
        first: &Mutex<Option<Notifier>>,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        self.health.expect(Role::Notify, health::PATIENCE);
        let mut files = self.files.now();
        let mut notifier = match first.lock().await.take() {
            Some(notifier) => notifier,
            None => self.notifier().await?,
        };
        loop {
            if notifier.tick(wire_up::now()).await?.sent > 0 {
                self.health.done(Done::Delivery);
            }
            self.health.beat(Role::Notify);
            tokio::select! {
                () = stop.cancelled() => break,
                () = notifier.wait(BETWEEN_LOOKS) => {}
            }
            let now = self.files.now();
            if now.number != files.number {
                files = now;
                match self.notifier().await {
                    Ok(new) => {
                        notifier.drain(LAST_SENDS, wire_up::now).await?;
                        notifier = new;
                    }
                    Err(failure) => note(&format!(
                        "channels and routes stay as they were: {}",
                        failure.text()
                    )),
                }
            }
        }
        notifier.tick(wire_up::now()).await?;
        notifier.drain(LAST_SENDS, wire_up::now).await?;
        Ok(())
    }

    async fn notifier(&self) -> Result<Notifier, Failure> {
        let setup = notify::setup(&self.settings, None)?
            .ok_or_else(|| Failure::usage("notify.file is not set any more"))?;
        let library = &self.files.now().library;
        notify::notifier(
            &self.lake,
            setup,
            library,
            &self.settings,
            false,
            &self.at_hand,
        )
        .await
    }

    /// Makes reports that are due. One that cannot be made is told once, and tried again.
    pub(super) async fn report(&self, stop: &CancellationToken) -> Result<(), Failure> {
        self.health.expect(Role::Reports, LONGEST_LOOK);
        let mut told: BTreeMap<String, String> = BTreeMap::new();
        loop {
            let looking = self.look_at_the_clock(&mut told);
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                looked = looking => looked?,
            }
            self.health.beat(Role::Reports);
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(BETWEEN_REPORTS) => {}
            }
        }
    }

    async fn look_at_the_clock(&self, told: &mut BTreeMap<String, String>) -> Result<(), Failure> {
        let files = self.files.now();
        for file in &files.reports {
            let Ok(read) = &file.report else { continue };
            let due = due_now(&self.lake, read, wire_up::now()).await?;
            if due.is_empty() {
                continue;
            }
            let session = Session::open(&self.lake, &files.library, &Limits::default()).await?;
            for period in &due {
                let asked = Asked {
                    file,
                    period,
                    given: &BTreeMap::new(),
                    formats: &read.formats,
                };
                let shelf = report::make::shelf(&self.lake, &self.settings, read)?;
                let lay_out = async |row: &ReportRow| {
                    report::make::lay_out(&self.lake, &session, &asked, row).await
                };
                let now = wire_up::now();
                let made = make_once(&self.lake, &session, &asked, &shelf, now, lay_out);
                match made.await {
                    Ok(true) => note(&format!(
                        "report {} of {} is made",
                        read.name,
                        period.name()
                    )),
                    Ok(false) => {}
                    Err(failure) if !failure.is_query() => return Err(failure),
                    Err(failure) => {
                        let text = failure.text().to_owned();
                        if told.get(&read.name) != Some(&text) {
                            note(&format!("report {} cannot be made: {text}", read.name));
                        }
                        told.insert(read.name.clone(), text);
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks after the lake. Several may do so at once; of two who do the same, one comes first.
    pub(super) async fn keep_up(&self, stop: &CancellationToken) -> Result<(), Failure> {
        self.health.expect(Role::Upkeep, LONGEST_LOOK * 4);
        let period = |text: &Option<String>, default: Duration| match text {
            Some(text) => micros(text).map(|micros| Duration::from_micros(micros as u64)),
            None => Ok(default),
        };
        let every = period(&self.settings.upkeep.every, BETWEEN_UPKEEPS)
            .map_err(|e| Failure::usage(format!("upkeep.every: {e}")))?;
        let mut vacuumed: Option<tokio::time::Instant> = None;
        let mut rest = every.min(BEFORE_UPKEEP);
        loop {
            self.health.beat(Role::Upkeep);
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(rest) => {}
            }
            rest = every;
            let vacuum = vacuumed.is_none_or(|at| at.elapsed() >= BETWEEN_VACUUMS);
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                done = self.look_after(vacuum) => done?,
            }
            if vacuum {
                vacuumed = Some(tokio::time::Instant::now());
            }
        }
    }

    async fn look_after(&self, vacuum: bool) -> Result<(), Failure> {
        let began = tokio::time::Instant::now();
        let retention = loading::retention(&self.settings)?;
        let expired = match retention.is_for_ever() {
            true => 0,
            false => {
                let lake = self.lake.clone();
                let expired = async move { lake.expire(&retention, false).await };
                let expired = self.background.run(expired).await?;
                expired.iter().map(|day| day.rows).sum()
            }
        };
        let lake = self.lake.clone();
        let compacted = async move { lake.compact(CompactOptions::default()).await };
        let done = self.background.run(compacted).await?;
        let files: u64 = done.rewrites.iter().map(|rewrite| rewrite.files).sum();
        let mut deleted = 0;
        if vacuum {
            let mut options = VacuumOptions::default();
            if let Some(text) = &self.settings.upkeep.vacuum_older_than {
                let wrong = |e| Failure::usage(format!("upkeep.vacuum_older_than: {e}"));
                options.older_than = micros(text).map_err(wrong)?;
            }
            let lake = self.lake.clone();
            let done = self
                .background
                .run(async move { lake.vacuum(options).await });
            let done = done.await?;
            deleted = done
                .iter()
                .map(|table| table.files.len() as u64 + table.log_files)
                .sum();
        }
        let seconds = began.elapsed().as_secs_f64();
        metrics::histogram!("guardlake_upkeep_seconds").record(seconds);
        metrics::counter!("guardlake_upkeep_compacted_files_total").increment(files);
        metrics::counter!("guardlake_upkeep_expired_rows_total").increment(expired);
        metrics::counter!("guardlake_upkeep_deleted_files_total").increment(deleted);
        if files + expired + deleted > 0 {
            tracing::info!(
                files,
                expired,
                deleted,
                seconds,
                "the lake was looked after"
            );
        }
        Ok(())
    }
}
