//! `guardlake demo`: the whole walk on this machine. A Kinesis stream in this process, spoken to over a real socket by the
//! real SDK; a producer; the consumer that `run` uses; a lake in a folder; trends, alerts, and what to try next.

mod producer;
mod show;
mod stream;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::sample::{Account, Generator, Options};
use finding::Limits;
use ingest::kinesis::AwsStream;
use ingest::{ConsumerOptions, Followed, Pace, Progress, Start, consume};
use jobs::Library;
use lake::{AccountRow, Lake, WriterOptions};
use tokio_util::sync::CancellationToken;

use super::alert;
use crate::args::Demo;
use crate::failure::{Failure, note};
use crate::settings::Settings;
use crate::wire_up;
use producer::Producer;

/// Tells a folder that an earlier demo made from one that holds somebody's work.
const MARK: &str = ".guardlake-demo";
const STREAM: &str = "guardduty-findings";
const SHARDS: i32 = 4;
const SEED: u64 = 7;
const MAX_AGE: i64 = 86_400_000_000;

pub(crate) async fn run(args: Demo, settings: &Settings) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    empty_own_folder(&args.dir)?;
    let uri = args.dir.display().to_string();
    let library = super::library(settings, None)?;
    let lake = Lake::open_or_create(&uri).await?;

    let stream = stream::start(STREAM, SHARDS).await?;
    note(&format!(
        "a Kinesis stream with {SHARDS} shards listens on {}",
        stream.endpoint
    ));
    let generator = Generator::new(Options::demo(
        args.findings,
        args.accounts,
        SEED,
        wire_up::now(),
    ));
    lake.append_accounts(&account_rows(generator.accounts()))
        .await?;

    let stop = super::run::stop_on_signals()?;
    let progress = Arc::new(Progress::default());
    let consumer = {
        let (lake, stop, progress) = (lake.clone(), stop.child_token(), progress.clone());
        let options = consumer_options(stream.client.clone());
        let handle = stop.clone();
        let task = tokio::spawn(async move { consume(&lake, &options, &stop, &progress).await });
        (task, handle)
    };
    let producer = Producer::start(stream.client.clone(), STREAM, generator);
    show_progress(&producer, &progress, &consumer.0, &stop).await;
    let sent = producer.finish().await?;
    let (consuming, stop_consumer) = consumer;
    if args.once || stop.is_cancelled() {
        stop_consumer.cancel();
    }
    note(&format!(
        "{} records sent and stored in {:.1} s",
        sent,
        started.elapsed().as_secs_f64()
    ));

    show::all(&lake, &library, MAX_AGE).await?;
    if !args.once && !stop.is_cancelled() {
        go_on(&lake, &library, &stream.client, &args, &stop).await?;
        stop_consumer.cancel();
    }
    consuming
        .await
        .map_err(|e| Failure::io(format!("the consumer stopped: {e}")))??;
    show::next_steps(&uri);
    Ok(ExitCode::SUCCESS)
}

/// The demo empties its own folder and nothing else.
fn empty_own_folder(dir: &Path) -> Result<(), Failure> {
    let cannot = |doing: &str, e: std::io::Error| {
        Failure::io(format!("cannot {doing} {}: {e}", dir.display()))
    };
    if dir.join(MARK).is_file() {
        std::fs::remove_dir_all(dir).map_err(|e| cannot("empty", e))?;
    } else if dir.exists()
        && (!dir.is_dir()
            || std::fs::read_dir(dir)
                .map_err(|e| cannot("read", e))?
                .next()
                .is_some())
    {
        return Err(Failure::usage(format!(
            "{} exists and no demo made it; give another folder with --dir",
            dir.display()
        )));
    }
    std::fs::create_dir_all(dir).map_err(|e| cannot("make", e))?;
    std::fs::write(
        dir.join(MARK),
        "made by `guardlake demo`, which empties this folder when it starts\n",
    )
    .map_err(|e| cannot("write to", e))
}

fn account_rows(accounts: &[Account]) -> Vec<AccountRow> {
    accounts
        .iter()
        .map(|account| AccountRow {
            account_id: account.id.clone(),
            name: Some(account.name.clone()),
            ou: Some(account.ou.clone()),
            owner: Some(account.owner.clone()),
            email: Some(account.email.clone()),
            tags: account.tags.clone(),
            valid_from: 0,
            valid_to: None,
        })
        .collect()
}

fn consumer_options(client: aws_sdk_kinesis::Client) -> ConsumerOptions {
    ConsumerOptions {
        streams: vec![Followed {
            name: STREAM.to_owned(),
            stream: Arc::new(AwsStream::new(client, STREAM)),
            start: Start::Oldest,
            consumer: None,
        }],
        // Seconds, not the default five, so that there is something to see.
        limits: Limits {
            max_age_ms: 2_000,
            ..Limits::default()
        },
        writer: WriterOptions::default(),
        idle_poll: Duration::from_millis(200),
        pace: Pace::default(),
        memory: 64 << 20,
        leases: None,
    }
}

/// Shows what flows until all that was sent is stored, or somebody stops the demo, or the consumer fails.
async fn show_progress<T>(
    producer: &Producer,
    progress: &Progress,
    consumer: &tokio::task::JoinHandle<T>,
    stop: &CancellationToken,
) {
    let started = Instant::now();
    let mut last_line = None;
    loop {
        let (sent, done) = producer.sent();
        let stored = Progress::get(&progress.settled);
        let line = started.elapsed().as_secs();
        if last_line != Some(line) || (done && stored >= sent) {
            last_line = Some(line);
            note(&format!(
                "  {line:>3} s  sent {sent:>7}  read {:>7}  stored {:>7} rows in {:>3} commits",
                Progress::get(&progress.documents),
                Progress::get(&progress.committed),
                Progress::get(&progress.commits)
            ));
        }
        if (done && stored >= sent) || stop.is_cancelled() || consumer.is_finished() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// More findings now and then, and the bell when they ring it, until Ctrl-C.
async fn go_on(
    lake: &Lake,
    library: &Library,
    client: &aws_sdk_kinesis::Client,
    args: &Demo,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    note("findings go on; Ctrl-C ends the demo");
    let mut evaluator = jobs::Evaluator::new(lake.clone(), MAX_AGE);
    for round in 1u64.. {
        let options = Options {
            findings: 200,
            accounts: args.accounts,
            seed: SEED + round,
            end: wire_up::now(),
            days: 1,
            ..Options::default()
        };
        Producer::start(client.clone(), STREAM, Generator::new(options))
            .finish()
            .await?;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(Duration::from_secs(15)) => {}
        }
        alert::ring(&alert::evaluate(&mut evaluator, lake, library, &[], true).await?)?;
    }
    Ok(())
}
