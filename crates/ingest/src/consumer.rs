//! Following Kinesis streams: a task a shard reads, one task decodes and commits rows with positions.
//!
//! The cast: a [`Run`] goes from the lake's positions to a stop or an error; `reader` reads one shard through `pages` (polled
//! or pushed) and finds gaps; `followed` looks at a stream; `keeper` shares the shards among workers; `shards`, `gap` and
//! `leases` only decide. After any error of a commit what was written is unknown, so the run ends there and another one
//! begins at the lake's positions: that is the whole recovery.

mod backoff;
mod followed;
mod gap;
mod keeper;
mod leases;
mod pages;
mod reader;
mod records;
mod run;
mod shards;

use std::sync::Arc;
use std::time::Duration;

use lake::{Lake, LakeError, Ledger};
use tokio_util::sync::CancellationToken;

use crate::kinesis::Trouble;
use crate::{ConsumerOptions, IngestError, Progress};
use backoff::Backoff;
use keeper::Keeper;
use pages::answered;
use run::Run;

/// Waits between a run that failed and the next.
const WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// Follows streams until `stop`, then commits what is held and returns what happened to the documents committed.
///
/// Starts where the lake's positions say. Troubles of Kinesis and of the store are waited out, whatever they are: Kinesis
/// keeps what waits, and positions hold.
///
/// # Errors
/// A stream that is not there, or that this role may not describe, at the start; a lake that is damaged.
pub async fn consume(
    lake: &Lake,
    options: &ConsumerOptions,
    stop: &CancellationToken,
    progress: &Arc<Progress>,
) -> Result<Ledger, IngestError> {
    check_streams(options).await?;
    let mut keeper = match &options.leases {
        Some(leases) => Some(Keeper::start(lake, leases, progress)?),
        None => None,
    };
    let ids = lake.surroundings().ids.clone();
    let mut backoff = Backoff::new(ids, WAITS.0, WAITS.1);
    let mut total = Ledger::default();
    let ended = loop {
        let before = total;
        let outcome = one_run(lake, options, stop, progress, keeper.as_mut(), &mut total).await;
        if total != before {
            backoff.reset();
        }
        match outcome {
            Ok(()) => break Ok(total),
            Err(error @ (LakeError::Damaged { .. } | LakeError::Address { .. })) => {
                break Err(error.into());
            }
            // Whatever others stored counts, and the rest is read again.
            Err(LakeError::PositionMoved { what }) => {
                progress.conflicted(1);
                tracing::warn!(%what, "another consumer has moved on; starting again from the lake's positions");
            }
            Err(error) => {
                let reason = lake::in_one_line(&error);
                tracing::error!(%reason, "the lake cannot be written or read; starting again from its positions");
            }
        }
        progress.waiting();
        tokio::select! {
            biased;
            () = stop.cancelled() => break Ok(total),
            () = tokio::time::sleep(backoff.next()) => {}
        }
    };
    if let Some(keeper) = keeper {
        keeper.finish().await;
    }
    ended
}

async fn one_run(
    lake: &Lake,
    options: &ConsumerOptions,
    stop: &CancellationToken,
    progress: &Arc<Progress>,
    keeper: Option<&mut Keeper>,
    total: &mut Ledger,
) -> Result<(), LakeError> {
    let (to_run, pages) = Run::pages();
    let mut run = Run::new(lake, options, progress, keeper, to_run).await?;
    let outcome = run.until(pages, stop).await;
    *total += run.committed;
    outcome
}

/// Whoever starts a consumer with a wrong name or without a permission is told at once.
async fn check_streams(options: &ConsumerOptions) -> Result<(), IngestError> {
    for followed in &options.streams {
        if let Err(error) = answered(followed.stream.describe()).await
            && matches!(error.trouble, Trouble::NotFound | Trouble::Lasting)
        {
            return Err(IngestError::Aws {
                doing: format!("describe stream `{}`", followed.name),
                reason: error.reason,
            });
        }
    }
    Ok(())
}
