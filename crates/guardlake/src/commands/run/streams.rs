//! Where findings come from, and how it is followed, from settings and flags.

use std::sync::Arc;
use std::time::Duration;

use finding::Limits;
use ingest::kinesis::AwsStream;
use ingest::{ConsumerOptions, ExportOptions, Followed, LeaseOptions, LoadOptions, Pace, Start};
use lake::Ids;

use crate::args::{FindingSource, Run};
use crate::commands::ingest::writer_options;
use crate::failure::Failure;
use crate::settings::{LEASE_TTL, MEMORY, Settings, micros};
use crate::{settings, wire_up};

/// Between looks for exports, unless the settings say otherwise.
const EVERY: Duration = Duration::from_secs(300);

/// A stream as it is named on the command line: `NAME`, `NAME@REGION` or an ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// Its name, or its ARN.
    pub(crate) stream: String,
    pub(crate) region: Option<String>,
}

impl Named {
    pub(crate) fn parse(text: &str) -> Result<Named, Failure> {
        let wrong = || {
            Failure::usage(format!(
                "`{text}` is no stream: give NAME, NAME@REGION or arn:aws:kinesis:REGION:ACCOUNT:stream/NAME"
            ))
        };
        let (stream, region) = if text.starts_with("arn:") {
            let parts: Vec<&str> = text.split(':').collect();
            let [_, _, "kinesis", region, _, name] = parts[..] else {
                return Err(wrong());
            };
            if !name.starts_with("stream/") {
                return Err(wrong());
            }
            (text, Some(region))
        } else {
            match text.split_once('@') {
                Some((name, region)) => (name, Some(region)),
                None => (text, None),
            }
        };
        if stream.is_empty() || region.is_some_and(str::is_empty) {
            return Err(wrong());
        }
        Ok(Named {
            stream: stream.to_owned(),
            region: region.map(str::to_owned),
        })
    }
}

/// What is followed.
pub(super) enum FollowedSource {
    Streams(ConsumerOptions),
    Exports(ExportOptions),
}

/// What is followed, by flags and settings.
pub(super) async fn source(args: &Run, settings: &Settings) -> Result<FollowedSource, Failure> {
    if args.source == FindingSource::Stream {
        if args.exports.is_some() {
            return Err(Failure::usage("--exports goes with --source s3-export"));
        }
        let options = options(&args.stream, args.share, settings).await?;
        return Ok(FollowedSource::Streams(options));
    }
    if !args.stream.is_empty() || args.share {
        return Err(Failure::usage(
            "--stream and --share go with --source stream: exports are followed by one process",
        ));
    }
    let from = args
        .exports
        .clone()
        .or_else(|| settings.exports.from.clone());
    let from = from.ok_or_else(|| {
        Failure::usage(
            "which exports? give --exports s3://bucket/prefix (or exports.from in guardlake.yaml)",
        )
    })?;
    let every = match &settings.exports.every {
        Some(text) => micros(text)
            .map(|micros| Duration::from_micros(micros.unsigned_abs()))
            .map_err(|e| Failure::usage(format!("exports.every: {e}")))?,
        None => EVERY,
    };
    Ok(FollowedSource::Exports(ExportOptions {
        from,
        every,
        load: LoadOptions {
            now: wire_up::now(),
            threads: None,
            writer: writer_options(settings)?,
            backfilled: false,
        },
    }))
}

/// How streams are followed. `flags` are the streams named on the command line, before those of the settings.
pub(super) async fn options(
    flags: &[String],
    share: bool,
    settings: &Settings,
) -> Result<ConsumerOptions, Failure> {
    let configured = settings
        .stream
        .name
        .iter()
        .flat_map(|names| names.split(','));
    let configured: Vec<&str> = configured.map(str::trim).collect();
    let given: Vec<&str> = flags.iter().map(String::as_str).collect();
    let names = if given.is_empty() { configured } else { given };
    if names.is_empty() {
        return Err(Failure::usage(
            "which stream? give --stream NAME (or stream.name in guardlake.yaml)",
        ));
    }
    let start = start(settings.stream.start.as_deref().unwrap_or("oldest"))?;
    let mut streams = Vec::new();
    for name in names {
        let Named { stream, region } = Named::parse(name)?;
        streams.push(Followed {
            name: name.to_owned(),
            stream: Arc::new(AwsStream::new(wire_up::kinesis(region).await, stream)),
            start,
            consumer: settings.stream.fan_out.clone(),
        });
    }
    let period = |text: &Option<String>, key: &str| {
        let period = text.as_deref().map(micros).transpose();
        period.map_err(|e| Failure::usage(format!("{key}: {e}")))
    };
    let limits = Limits::default();
    let max_age = period(&settings.ingest.max_age, "ingest.max_age")?;
    let ttl = period(&settings.ingest.lease_ttl, "ingest.lease_ttl")?;
    let ttl = ttl.map_or(LEASE_TTL, |micros| Duration::from_micros(micros as u64));
    let share = share || settings.ingest.share.unwrap_or(false);
    let limits = Limits {
        max_age_ms: max_age.map_or(limits.max_age_ms, |micros| (micros / 1_000) as u64),
        max_rows: settings.ingest.max_rows.unwrap_or(limits.max_rows),
        max_bytes: settings.ingest.max_bytes.unwrap_or(limits.max_bytes),
    };
    Ok(ConsumerOptions {
        streams,
        limits,
        writer: writer_options(settings)?,
        idle_poll: idle_poll(&limits),
        pace: Pace::default(),
        memory: settings.ingest.memory.unwrap_or(MEMORY),
        leases: share.then(|| LeaseOptions {
            worker: Ids::random().uuid().to_string(),
            ttl,
        }),
    })
}

/// How long a shard that had nothing new is left alone: a second, in which other readers have their turn, or a quarter of the time that a
/// finding may wait for its commit. Five calls a second are what Kinesis allows all readers of a shard.
fn idle_poll(limits: &Limits) -> Duration {
    let quarter = Duration::from_millis(limits.max_age_ms / 4);
    quarter.clamp(Duration::from_millis(250), Duration::from_secs(1))
}

fn start(text: &str) -> Result<Start, Failure> {
    settings::start(text).map_err(|why| Failure::usage(format!("stream.start: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_commits_often_asks_often() {
        let polled = |max_age_ms| {
            let limits = Limits {
                max_age_ms,
                ..Limits::default()
            };
            idle_poll(&limits).as_millis()
        };
        assert_eq!(
            [5_000, 4_000, 2_000, 1_000, 0].map(polled),
            [1_000, 1_000, 500, 250, 250]
        );
        assert_eq!(idle_poll(&Limits::default()), Duration::from_secs(1));
    }

    #[test]
    fn streams_are_names_with_or_without_region_or_arns() {
        let named = |text: &str| {
            let named = Named::parse(text).ok()?;
            Some((named.stream, named.region.unwrap_or_default()))
        };
        let is = |stream: &str, region: &str| Some((stream.to_owned(), region.to_owned()));
        assert_eq!(named("findings"), is("findings", ""));
        assert_eq!(named("findings@eu-west-1"), is("findings", "eu-west-1"));
        let arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/findings";
        assert_eq!(named(arn), is(arn, "eu-west-1"));
        for wrong in [
            "",
            "@eu-west-1",
            "findings@",
            "arn:aws:s3:::bucket",
            "arn:aws:kinesis:eu-west-1:1:x",
        ] {
            assert_eq!(named(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_start_is_a_word_or_a_time() {
        assert_eq!(start("newest").ok(), Some(Start::Newest));
        assert_eq!(
            start("1970-01-01T00:00:01Z").ok(),
            Some(Start::Time(1_000_000))
        );
        assert!(start("yesterday").is_err());
    }
}
