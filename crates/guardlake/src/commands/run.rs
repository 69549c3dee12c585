//! `guardlake run`: the service. Roles that go on for ever, in one process or each in its own, that are begun again when they break
//! and ended in order: what is read is committed, what is committed is evaluated, what rings is told.

mod background;
mod evaluation;
mod reload;
mod roles;
pub(super) mod streams;
mod supervise;

use std::process::ExitCode;

use futures::future::join_all;
use futures::{FutureExt, future::LocalBoxFuture};
use jobs::AtHand;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::notify;
use crate::args::{Role, Run};
use crate::failure::Failure;
use crate::health::Health;
use crate::settings::Settings;
use crate::{metrics, wire_up};
use background::Background;
use reload::Files;
use roles::Service;
use supervise::{PAUSES, supervise};

pub(crate) async fn run(args: Run, settings: &Settings) -> Result<ExitCode, Failure> {
    let has = |role| args.roles.contains(&role);
    let source = match has(Role::Ingest) {
        true => Some(streams::source(&args, settings).await?),
        false => None,
    };
    let health = Health::default();
    if let Some(address) = &settings.metrics.listen {
        metrics::listen(address, &health).await?;
    }
    let files = Files::read(settings, &args)?;
    let lake = wire_up::lake_to_fill(settings).await?;
    health.opened(lake.uri());
    if settings.metrics.listen.is_some() {
        tokio::spawn(metrics::count_accounts(
            lake.clone(),
            files.now().library.clone(),
        ));
    }
    let at_hand = <[AtHand; 2]>::default();
    let notifier = match notify::setup(settings, None)? {
        Some(setup) if has(Role::Notify) => {
            let library = &files.now().library;
            // A first notifier begins with what comes after it, so it is there before anything is evaluated.
            Some(notify::notifier(&lake, setup, library, settings, false, &at_hand).await?)
        }
        _ => None,
    };
    let service = Service {
        lake,
        settings: settings.clone(),
        files,
        at_hand,
        health: health.clone(),
        background: Background::start()?,
        rings_here: settings.notify.file.is_none(),
    };
    let stop = stop_on_signals()?;
    // Who reads from whom ends after it.
    let (read, evaluated) = (CancellationToken::new(), CancellationToken::new());
    let notifier = tokio::sync::Mutex::new(notifier);
    let (service, notifier) = (&service, &notifier);
    let mut roles: Vec<LocalBoxFuture<'_, Result<(), Failure>>> = Vec::new();
    if let Some(source) = &source {
        let work = || service.follow(source, &stop).boxed_local();
        let role = supervise(Role::Ingest, &health, &stop, PAUSES, work);
        roles.push(ended(role, &read).boxed_local());
    } else {
        roles.push(then(&stop, &read).boxed_local());
    }
    if has(Role::Alerts) {
        let work = || service.evaluate(&read).boxed_local();
        let role = supervise(Role::Alerts, &health, &stop, PAUSES, work);
        roles.push(ended(role, &evaluated).boxed_local());
    } else {
        roles.push(then(&read, &evaluated).boxed_local());
    }
    if has(Role::Notify) && !service.rings_here {
        let work = || service.tell(notifier, &evaluated).boxed_local();
        roles.push(supervise(Role::Notify, &health, &stop, PAUSES, work).boxed_local());
    }
    if has(Role::Reports) {
        let work = || service.report(&stop).boxed_local();
        roles.push(supervise(Role::Reports, &health, &stop, PAUSES, work).boxed_local());
    }
    if has(Role::Upkeep) {
        let work = || service.keep_up(&stop).boxed_local();
        roles.push(supervise(Role::Upkeep, &health, &stop, PAUSES, work).boxed_local());
    }
    roles.push(service.reload(&stop).map(Ok).boxed_local());
    // Whichever gives up ends the others: half a service would look like a whole one.
    let all = roles.into_iter().map(|role| {
        role.map(|outcome| {
            if outcome.is_err() {
                stop.cancel();
            }
            outcome
        })
    });
    join_all(all).await.into_iter().collect::<Result<(), _>>()?;
    Ok(ExitCode::SUCCESS)
}

/// Says when a role has ended, in whatever way.
async fn ended(
    role: impl Future<Output = Result<(), Failure>>,
    over: &CancellationToken,
) -> Result<(), Failure> {
    let outcome = role.await;
    over.cancel();
    outcome
}

/// Stands in for a role that another process has.
async fn then(before: &CancellationToken, over: &CancellationToken) -> Result<(), Failure> {
    before.cancelled().await;
    over.cancel();
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
