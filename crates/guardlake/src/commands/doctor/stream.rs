//! Checks of Kinesis streams: what each is, whether each call is allowed, and how far the lake is behind.

use ::lake::ShardInfo;
use ingest::kinesis::{AwsStream, CallError, Stream, Summary, Trouble};

use super::clock::Dates;
use super::lake::ago;
use super::{Row, allow, limited};
use crate::args::Doctor;
use crate::commands::run::streams::Named;
use crate::settings::Settings;
use crate::wire_up;

/// Hours of retention that a long week-end asks for.
const RECOMMENDED: i32 = 168;
/// Positions are committed every few minutes while nothing comes.
const BEHIND_SECONDS: i64 = 900;

/// The streams to check.
pub(super) fn names(doctor: &Doctor, settings: &Settings) -> Vec<String> {
    if !doctor.stream.is_empty() {
        return doctor.stream.clone();
    }
    let names = settings
        .stream
        .name
        .iter()
        .flat_map(|names| names.split(','));
    names
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

pub(super) async fn rows(
    names: &[String],
    asked_for: bool,
    positions: &[ShardInfo],
    dates: &Dates,
    start: Option<&str>,
    now: i64,
) -> Vec<Row> {
    if names.is_empty() {
        let seen = "no stream is named";
        return vec![match asked_for {
            true => Row::failed(
                "stream",
                seen,
                "set stream.name in guardlake.yaml, or give --stream",
            ),
            false => Row::skipped("stream", seen),
        }];
    }
    let all = names
        .iter()
        .map(|name| one(name, positions, dates, start, now));
    futures::future::join_all(all).await.concat()
}

async fn one(
    name: &str,
    positions: &[ShardInfo],
    dates: &Dates,
    start: Option<&str>,
    now: i64,
) -> Vec<Row> {
    let check = |what: &str| format!("stream {name}: {what}");
    let named = match Named::parse(name) {
        Ok(named) => named,
        Err(failure) => {
            let seen: Vec<&str> = failure.lines().collect();
            return vec![Row::failed(
                &check("name"),
                seen.join(" "),
                "correct stream.name",
            )];
        }
    };
    let client = wire_up::kinesis_watched(named.region.clone(), dates.clone()).await;
    let stream = AwsStream::new(client, named.stream.clone());
    let mut rows = Vec::new();
    let resource = match named.stream.starts_with("arn:") {
        true => named.stream.clone(),
        false => format!("arn:aws:kinesis:*:*:stream/{}", named.stream),
    };
    let refused = |what: &str, action: &str, error: &CallError| {
        let (seen, remedy) = (error.reason.clone(), remedy(error, action, &resource));
        Row::failed(&check(what), seen, remedy)
    };
    match limited(&check("describe"), stream.summary()).await {
        Ok(Ok(summary)) => {
            rows.extend(of_summary(name, &summary));
            rows.push(of_lag(name, &summary, positions, start, now));
        }
        Ok(Err(error)) => {
            rows.push(refused("describe", "kinesis:DescribeStreamSummary", &error));
            // The others would say the same.
            if error.trouble == Trouble::NotFound {
                return rows;
            }
        }
        Err(row) => {
            rows.push(row);
            return rows;
        }
    }
    let shards = match limited(&check("list shards"), stream.list_shards(None)).await {
        Ok(Ok(page)) => {
            rows.push(Row::ok(
                &check("list shards"),
                format!("{} shards", page.shards.len()),
            ));
            page.shards
        }
        Ok(Err(error)) => {
            rows.push(refused("list shards", "kinesis:ListShards", &error));
            Vec::new()
        }
        Err(row) => {
            rows.push(row);
            Vec::new()
        }
    };
    let Some(shard) = shards.last() else {
        let calls = check("read");
        rows.push(Row::skipped(
            &calls,
            "no shard is known to try GetShardIterator and GetRecords on",
        ));
        return rows;
    };
    let what = "get an iterator";
    let iterator = match limited(&check(what), stream.newest(&shard.id)).await {
        Ok(Ok(iterator)) => iterator,
        Ok(Err(error)) => {
            rows.push(refused(what, "kinesis:GetShardIterator", &error));
            rows.push(Row::skipped(
                &check("read"),
                "no iterator to try GetRecords with",
            ));
            return rows;
        }
        Err(row) => {
            rows.push(row);
            return rows;
        }
    };
    rows.push(Row::ok(&check(what), format!("of {}", shard.id)));
    rows.push(
        match limited(&check("read"), stream.read_one(&iterator)).await {
            Ok(Ok(())) => Row::ok(&check("read"), "records are given"),
            Ok(Err(error)) => refused("read", "kinesis:GetRecords", &error),
            Err(row) => row,
        },
    );
    rows
}

/// What to do about an error of a call that needs `action`.
pub(super) fn remedy(error: &CallError, action: &str, resource: &str) -> String {
    let has = |word: &str| error.reason.contains(word);
    if has("KMSAccessDenied") {
        allow(&["kms:Decrypt"], "the ARN of the stream's KMS key")
    } else if has("KMS") {
        "look at the KMS key of the stream: it must be enabled, in this account or shared with it"
            .to_owned()
    } else if has("AccessDenied") {
        allow(&[action], resource)
    } else if error.trouble == Trouble::NotFound {
        "correct stream.name, or its Region (NAME@REGION) and account (an ARN)".to_owned()
    } else if has("UnrecognizedClient")
        || has("InvalidSignature")
        || has("ExpiredToken")
        || has("InvalidClientTokenId")
    {
        "renew the AWS credentials of this machine, and look at its clock".to_owned()
    } else if error.trouble == Trouble::Throttled {
        "try again; others read this shard as well, and five reads a second are all it gives"
            .to_owned()
    } else {
        "look at AWS_REGION, AWS_ENDPOINT_URL and the network between here and Kinesis".to_owned()
    }
}

pub(super) fn of_summary(name: &str, summary: &Summary) -> Vec<Row> {
    let check = |what: &str| format!("stream {name}: {what}");
    let Summary {
        status,
        retention_hours: hours,
        open_shards,
        ..
    } = summary;
    let mode = summary.mode.as_deref().unwrap_or("mode unknown");
    let seen = format!("{status}, {open_shards} open shards, {mode}");
    let described = match status.as_str() {
        "ACTIVE" | "UPDATING" => Row::ok(&check("describe"), seen),
        _ => Row::failed(
            &check("describe"),
            seen,
            "wait until the stream is ACTIVE, or make it again if it is being deleted",
        ),
    };
    let arn = &summary.arn;
    let keep = format!(
        "keep records for 7 days: aws kinesis increase-stream-retention-period --stream-arn {arn} --retention-period-hours {RECOMMENDED}"
    );
    let retention = match *hours {
        ..24 => Row::failed(&check("retention"), format!("{hours} h"), keep),
        24..RECOMMENDED => Row::warning(
            &check("retention"),
            format!("{hours} h: a longer outage of guardlake loses findings"),
            keep,
        ),
        _ => Row::ok(&check("retention"), format!("{hours} h")),
    };
    let encryption = match &summary.key {
        Some(key) => Row::ok(
            &check("encryption"),
            format!("KMS, {key}; the role needs kms:Decrypt on it"),
        ),
        None => {
            let remedy = format!(
                "encrypt it: aws kinesis start-stream-encryption --stream-arn {arn} --encryption-type KMS --key-id alias/aws/kinesis"
            );
            Row::warning(
                &check("encryption"),
                "none: findings rest in it as they are",
                remedy,
            )
        }
    };
    vec![described, retention, encryption]
}

/// How far the lake is behind, by its own positions.
pub(super) fn of_lag(
    name: &str,
    summary: &Summary,
    positions: &[ShardInfo],
    start: Option<&str>,
    now: i64,
) -> Row {
    let check = format!("stream {name}: lag");
    let own = |info: &&ShardInfo| info.shard.source.starts_with(&format!("{}@", summary.arn));
    let open = positions
        .iter()
        .filter(own)
        .filter(|info| !info.position.ended);
    let Some(oldest) = open.filter_map(|info| info.position.read_through).min() else {
        let start = start.unwrap_or("oldest");
        return Row::ok(
            &check,
            format!("the lake knows nothing of it yet; `run` begins at: {start}"),
        );
    };
    let seconds = (now - oldest).max(0) / 1_000_000;
    let seen = format!("the slowest shard is stored through {} ago", ago(seconds));
    let retention = i64::from(summary.retention_hours) * 3_600;
    if seconds >= retention {
        let remedy = "start `guardlake run`; what is older than the retention is gone: load the S3 export of GuardDuty for that time";
        Row::failed(&check, seen, remedy)
    } else if seconds >= BEHIND_SECONDS {
        let remedy = "see that `guardlake run` runs; if it does, look at guardlake_kinesis_millis_behind_latest";
        Row::warning(&check, seen, remedy)
    } else {
        Row::ok(&check, seen)
    }
}
