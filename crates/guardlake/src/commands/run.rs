//! `guardlake run`: the service. One process that follows a stream, evaluates rules on what it commits, and rings.

pub(super) mod streams;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use alerts::Suppression;
use futures::FutureExt;
use ingest::{ConsumerOptions, consume};
use lake::Lake;
use notifier::Notifier;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{alert, library, notify, suppressions};
use crate::args::{Role, Run};
use crate::failure::{Failure, note};
use crate::health::{self, Done, Health};
use crate::settings::Settings;
use crate::{metrics, wire_up};

/// Between evaluations at least: rules are about minutes and hours.
const BETWEEN_EVALUATIONS: Duration = Duration::from_secs(10);
/// How long at most until time alone is seen to have changed an alert.
const WITHOUT_FINDINGS: Duration = Duration::from_secs(60);
/// Between looks at the alert log, when nothing is being sent.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// How long sends under way are waited for at the end; what has not ended by then is sent again by the next run.
const LAST_SENDS: Duration = Duration::from_secs(20);
/// An evaluation of everything, after rules have changed, may take so long before it is taken for stuck.
const LONGEST_LOOK: Duration = Duration::from_secs(1_800);
/// Alerts whose last match is older do not ring.
const MAX_AGE: i64 = 86_400_000_000;

pub(crate) async fn run(args: Run, settings: &Settings) -> Result<ExitCode, Failure> {
    let options = if args.roles.contains(&Role::Ingest) {
        Some(streams::options(&args.stream, args.share, settings).await?)
    } else {
        None
    };
    let health = Health::default();
    if let Some(address) = &settings.metrics.listen {
        metrics::listen(address, &health).await?;
    }
    let library = library(settings, args.rules.as_deref())?;
    alert::enabled_rules(&library)?;
    let suppressions = suppressions(settings, &args.suppressions)?;
    let lake = wire_up::lake_to_fill(settings).await?;
    health.opened(lake.uri());
    if settings.metrics.listen.is_some() {
        tokio::spawn(metrics::count_accounts(lake.clone(), library.clone()));
    }
    let setup = notify::setup(settings, None)?;
    let rings_here = setup.is_none();
    let notifier = match setup {
        Some(setup) if args.roles.contains(&Role::Notify) => {
            Some(notify::notifier(&lake, setup, &library, settings, false).await?)
        }
        _ => None,
    };
    let stop = stop_on_signals()?;
    let telling = async {
        match notifier {
            Some(notifier) => tell(notifier, &health, &stop).await,
            None => {
                stop.cancelled().await;
                Ok(())
            }
        }
    };
    let ringing = async {
        if args.roles.contains(&Role::Alerts) {
            let evaluating =
                ring_for_new_findings(&lake, &library, &suppressions, rings_here, &health, &stop);
            evaluating.await
        } else {
            stop.cancelled().await;
            Ok(())
        }
    };
    let reading = async {
        match &options {
            Some(options) => follow(&lake, options, &health, &stop).await,
            None => {
                stop.cancelled().await;
                Ok(())
            }
        }
    };
    // Whichever ends first, in whatever way, ends the other: half a service would look like a whole one.
    let end_both = |outcome: Result<(), Failure>| {
        stop.cancel();
        outcome
    };
    let (read, rung, told) = tokio::join!(
        reading.map(end_both),
        ringing.map(end_both),
        telling.map(end_both)
    );
    read.and(rung).and(told)?;
    Ok(ExitCode::SUCCESS)
}

async fn follow(
    lake: &Lake,
    options: &ConsumerOptions,
    health: &Health,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let progress = Arc::default();
    health.expect(Role::Ingest, health::PATIENCE);
    health.follow(Arc::clone(&progress));
    let ledger = consume(lake, options, stop, &progress).await?;
    health.ended(Role::Ingest);
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

async fn ring_for_new_findings(
    lake: &Lake,
    library: &jobs::Library,
    suppressions: &[Suppression],
    rings_here: bool,
    health: &Health,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    health.expect(Role::Alerts, LONGEST_LOOK);
    let mut evaluator = jobs::Evaluator::new(lake.clone(), MAX_AGE);
    let mut evaluated = None;
    let mut looked = tokio::time::Instant::now();
    loop {
        let version = (
            lake.version(lake::Table::Findings).await?,
            lake.version(lake::Table::Gaps).await?,
        );
        // Quiet resolves and snoozes end without findings.
        if evaluated != Some(version) || looked.elapsed() >= WITHOUT_FINDINGS {
            looked = tokio::time::Instant::now();
            let looking = alert::evaluate(&mut evaluator, lake, library, suppressions, rings_here);
            let rung = looking.await?;
            if rings_here {
                alert::ring(&rung)?;
            }
            evaluated = Some(version);
            health.done(Done::Evaluation);
        }
        health.beat(Role::Alerts);
        tokio::select! {
            () = stop.cancelled() => {
                health.ended(Role::Alerts);
                return Ok(());
            }
            () = tokio::time::sleep(BETWEEN_EVALUATIONS) => {}
        }
    }
}

/// Tells people until it is stopped; what is under way then is waited for.
async fn tell(
    mut notifier: Notifier,
    health: &Health,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    health.expect(Role::Notify, health::PATIENCE);
    loop {
        if notifier.tick(wire_up::now()).await?.sent > 0 {
            health.done(Done::Delivery);
        }
        health.beat(Role::Notify);
        tokio::select! {
            () = stop.cancelled() => break,
            () = notifier.wait(BETWEEN_LOOKS) => {}
        }
    }
    notifier.tick(wire_up::now()).await?;
    notifier.drain(LAST_SENDS, wire_up::now).await?;
    Ok(())
}

/// SIGTERM and Ctrl-C end the work in order: what is held is committed first.
pub(crate) fn stop_on_signals() -> Result<CancellationToken, Failure> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        told.cancel();
    });
    Ok(stop)
}
