//! `guardlake backfill`: the findings that GuardDuty still holds, through its API, a ledger for each Region at the end.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alerts::rfc3339;
use indicatif::ProgressBar;
use ingest::guardduty::{GuardDuty, MOST_ACCOUNTS};
use ingest::{BackfillOptions, End, Fetched, Progress, backfill};
use serde_json::{Value, json};

use super::ingest::writer_options;
use super::run::stop_on_signals;
use crate::args::{Backfill, Format};
use crate::failure::{Failure, note};
use crate::settings::{Settings, micros};
use crate::{output, wire_up};

pub(crate) async fn run(
    args: Backfill,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    let options = options(&args, settings, wire_up::now())?;
    let all = args.regions == ["all"];
    let config = wire_up::aws().await;
    let names = match all {
        true => every_region(&config).await?,
        false => args.regions.clone(),
    };
    let regions = names.iter().map(|name| {
        let client = wire_up::guardduty(&config, name);
        GuardDuty::new(name.clone(), client)
    });
    let lake = match args.dry_run {
        true => None,
        false => Some(wire_up::lake_to_fill(settings).await?),
    };
    let stop = stop_on_signals()?;
    let progress = Arc::new(Progress::default());
    let bar = ProgressBar::new_spinner();
    let watcher = tokio::spawn(watch(bar.clone(), progress.clone(), names.len()));
    let started = Instant::now();
    let fetched = backfill(lake.as_ref(), regions.collect(), &options, &stop, &progress).await;
    watcher.abort();
    bar.finish_and_clear();
    let fetched = fetched?;

    let seconds = started.elapsed().as_secs_f64();
    let listed: u64 = fetched.iter().map(|region| region.listed).sum();
    note(&format!(
        "{listed} findings in {} Regions, {seconds:.1} s",
        fetched.len()
    ));
    print(&fetched, args.dry_run, format)?;
    let lacking: Vec<&Fetched> = fetched.iter().filter(|one| is_lacking(one, all)).collect();
    for region in &lacking {
        let why = match &region.end {
            End::Refused(error) => error.to_string(),
            End::Off => "GuardDuty is off here: there is no detector".to_owned(),
            End::Stopped | End::Whole => "stopped".to_owned(),
        };
        Failure::io(format!("{}: {why}", region.region)).tell();
    }
    if lacking.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    note(&format!("to go on: {}", again(&options, &lacking)));
    Ok(ExitCode::from(4))
}

/// Whether something that was asked for was not fetched. Where all Regions are asked, one without GuardDuty has nothing to fetch.
fn is_lacking(region: &Fetched, all: bool) -> bool {
    match region.end {
        End::Whole => false,
        End::Off => !all,
        End::Stopped | End::Refused(_) => true,
    }
}

/// The command that fetches what is lacking. Times are written out: `30d` would be another moment when it is typed.
fn again(options: &BackfillOptions, lacking: &[&Fetched]) -> String {
    let names: Vec<&str> = lacking.iter().map(|one| one.region.as_str()).collect();
    let mut command = format!("guardlake backfill --regions {}", names.join(","));
    let through: Option<Vec<i64>> = lacking.iter().map(|one| one.through).collect();
    let through = through.and_then(|through| through.into_iter().min());
    let accounts = (!options.accounts.is_empty()).then(|| options.accounts.join(","));
    for (flag, value) in [
        ("--from", through.or(options.from).map(rfc3339)),
        ("--to", options.to.map(rfc3339)),
        ("--accounts", accounts),
    ] {
        if let Some(value) = value {
            command.push_str(&format!(" {flag} {value}"));
        }
    }
    command
}

fn options(args: &Backfill, settings: &Settings, now: i64) -> Result<BackfillOptions, Failure> {
    let time = |flag: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => moment(text, now).map(Some).ok_or_else(|| {
            let like = "write it like 2026-11-01, 2026-11-01T18:00Z or 30d";
            Failure::usage(format!("--{flag}: `{text}` is no time; {like}"))
        }),
    };
    let (from, to) = (time("from", &args.from)?, time("to", &args.to)?);
    let (oldest, newest) = (from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX));
    if oldest >= newest.min(now) {
        return Err(Failure::usage(
            "--from must be before --to, and in the past",
        ));
    }
    for account in &args.accounts {
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Failure::usage(format!(
                "--accounts: `{account}` is no account; it has 12 digits"
            )));
        }
    }
    if args.accounts.len() > MOST_ACCOUNTS {
        return Err(Failure::usage(format!(
            "--accounts: GuardDuty takes {MOST_ACCOUNTS} at most; leave it out for all"
        )));
    }
    for region in &args.regions {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_name = region.contains('-') && region.bytes().all(plain);
        if !is_name && args.regions != ["all"] {
            return Err(Failure::usage(format!(
                "--regions: `{region}` is no Region; write all, or names such as eu-west-1,us-east-1"
            )));
        }
    }
    Ok(BackfillOptions {
        from,
        to,
        accounts: args.accounts.clone(),
        now,
        writer: writer_options(settings)?,
    })
}

/// A time, or one so long ago.
fn moment(text: &str, now: i64) -> Option<i64> {
    alerts::instant(text).or_else(|| Some(now - micros(text).ok()?))
}

async fn every_region(config: &aws_config::SdkConfig) -> Result<Vec<String>, Failure> {
    let names = ingest::guardduty::regions(&wire_up::account(config)).await;
    names.map_err(|error| {
        Failure::io(format!(
            "{error}; or name the Regions: --regions eu-west-1,us-east-1"
        ))
    })
}

fn print(fetched: &[Fetched], dry_run: bool, format: Format) -> Result<(), Failure> {
    let row = |one: &Fetched| -> Value {
        let ledger = one.ledger;
        let result = match &one.end {
            End::Whole if dry_run => "listed",
            End::Whole => "whole",
            End::Off => "off",
            End::Stopped => "stopped",
            End::Refused(_) => "refused",
        };
        json!({
            "region": one.region,
            "detector": one.detector,
            "listed": one.listed,
            "committed": ledger.committed,
            "duplicate": ledger.duplicate,
            "rejected": ledger.rejected,
            "skipped": ledger.skipped,
            "expired": ledger.expired,
            "gone": one.gone,
            "result": result,
        })
    };
    let rows: Vec<Value> = fetched.iter().map(row).collect();
    let columns: &[&str] = match dry_run {
        true => &["region", "detector", "listed", "result"],
        false => &[
            "region",
            "detector",
            "listed",
            "committed",
            "duplicate",
            "rejected",
            "skipped",
            "expired",
            "gone",
            "result",
        ],
    };
    output::values(&rows, columns, format)
}

async fn watch(bar: ProgressBar, progress: Arc<Progress>, regions: usize) {
    loop {
        bar.set_message(format!(
            "{} of {regions} Regions, {} findings, {} new ones stored",
            Progress::get(&progress.sources),
            Progress::get(&progress.documents),
            Progress::get(&progress.committed),
        ));
        bar.tick();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on_leaves_nothing_out() {
        let one = |region: &str, through| Fetched {
            region: region.to_owned(),
            detector: None,
            listed: 0,
            gone: 0,
            ledger: lake::Ledger::default(),
            through,
            end: End::Stopped,
        };
        let options = BackfillOptions {
            from: Some(0),
            to: Some(86_400_000_000),
            accounts: vec!["111122223333".to_owned()],
            now: 0,
            writer: lake::WriterOptions::default(),
        };
        let (early, late) = (
            one("a-1", Some(3_600_000_000)),
            one("b-1", Some(7_200_000_000)),
        );
        let (said, rest) = (
            again(&options, &[&late, &early]),
            " --to 1970-01-02T00:00:00Z --accounts 111122223333",
        );
        let expected = "guardlake backfill --regions b-1,a-1 --from 1970-01-01T01:00:00Z";
        assert_eq!(said, format!("{expected}{rest}"));
        // One that has nothing yet begins where it was told to.
        let said = again(&options, &[&late, &one("c-1", None)]);
        let expected = "guardlake backfill --regions b-1,c-1 --from 1970-01-01T00:00:00Z";
        assert_eq!(said, format!("{expected}{rest}"));
    }
}
