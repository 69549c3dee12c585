//! Checks of the lake: whether its place will do, how its tables are, and room on the disk.

use ::lake::{Checkup, LakeError, Location, ShardInfo, Step, Table, Tried, Unfit, checkup, probe};

use super::clock::Dates;
use super::{Row, allow, limited};
use crate::wire_up;

/// Files that a compaction would rewrite: from here on queries and commits feel them.
const MANY_FILES: u64 = 500;
/// Commits since the newest checkpoint; one is written every hundred.
const LONG_LOG: u64 = 400;
/// Files in a log's folder.
const FULL_LOG: u64 = 20_000;
/// Free bytes, and their share of the file system in percent, under which it is told.
const LITTLE_ROOM: (u64, u64) = (1 << 30, 5);
/// Free bytes under which commits are about to fail.
const NO_ROOM: u64 = 100 << 20;

/// What was seen, and how far streams are stored.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) rows: Vec<Row>,
    pub(super) positions: Vec<ShardInfo>,
}

pub(super) async fn rows(uri: Option<&str>, writes: bool, dates: &Dates, now: i64) -> Seen {
    let Some(uri) = uri else {
        let remedy = "set lake.uri in guardlake.yaml, GUARDLAKE__LAKE__URI or --lake";
        return Seen {
            rows: vec![Row::failed("lake: place", "no lake is named", remedy)],
            ..Seen::default()
        };
    };
    let mut rows = Vec::new();
    if let Some(rest) = uri.strip_prefix("s3://").or(uri.strip_prefix("s3a://")) {
        let bucket = rest.split('/').next().unwrap_or_default();
        let reached = limited("lake: bucket", bucket_row(bucket, dates)).await;
        rows.push(reached.unwrap_or_else(|row| row));
    }
    match limited("lake: place", probe(uri, writes)).await {
        Ok(Ok(tried)) => rows.extend(tried.iter().map(|tried| of_step(uri, tried))),
        Ok(Err(LakeError::Missing { .. })) => {}
        Ok(Err(error)) => rows.push(Row::failed(
            "lake: place",
            error.to_string(),
            "correct lake.uri",
        )),
        Err(row) => rows.push(row),
    }
    let mut positions = Vec::new();
    match limited("lake: tables", checkup(uri)).await {
        Ok(Ok(tables)) => {
            rows.extend(of_tables(&tables, now));
            positions = tables
                .into_iter()
                .flat_map(|table| table.positions)
                .collect();
        }
        Ok(Err(LakeError::Missing { uri })) => {
            let seen = format!("there is no lake at {uri} yet");
            rows.push(match writes {
                true => Row::warning("lake: tables", seen, "nothing: `run` or `ingest` makes it"),
                false => Row::failed(
                    "lake: tables",
                    seen,
                    "correct lake.uri, or let `run` or `ingest` make it",
                ),
            });
        }
        Ok(Err(error)) => {
            let remedy =
                "mend what the other rows of the lake name, then see `guardlake lake verify`";
            rows.push(Row::failed("lake: tables", with_source(&error), remedy));
        }
        Err(row) => rows.push(row),
    }
    rows.extend(disk(uri));
    Seen { rows, positions }
}

fn with_source(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// The bucket as the SDK reaches it; the Date of the answer is looked at, too.
async fn bucket_row(bucket: &str, dates: &Dates) -> Row {
    const CHECK: &str = "lake: bucket";
    let client = wire_up::s3_watched(dates.clone()).await;
    let error = match client.head_bucket().bucket(bucket).send().await {
        Ok(_) => return Row::ok(CHECK, format!("{bucket} answers")),
        Err(error) => error,
    };
    let Some(answer) = error.raw_response() else {
        let seen = format!(
            "{bucket} cannot be reached: {}",
            aws_sdk_s3::error::DisplayErrorContext(&error)
        );
        return Row::failed(
            CHECK,
            seen,
            "look at AWS_REGION, AWS_ENDPOINT_URL and the network between here and S3",
        );
    };
    let status = answer.status().as_u16();
    match status {
        404 => Row::failed(
            CHECK,
            format!("there is no bucket {bucket}"),
            "make the bucket, or correct lake.uri",
        ),
        301 | 307 | 400 => match answer.headers().get("x-amz-bucket-region") {
            Some(region) => {
                let seen = format!("{bucket} is in {region} (status {status})");
                Row::failed(CHECK, seen, format!("set AWS_REGION to {region}"))
            }
            None => {
                let remedy = "renew the AWS credentials of this machine, and look at AWS_REGION and its clock";
                Row::failed(CHECK, format!("{bucket}: status {status}"), remedy)
            }
        },
        403 => {
            let remedy = allow(&["s3:ListBucket"], &format!("arn:aws:s3:::{bucket}"));
            Row::failed(CHECK, format!("{bucket}: access is denied"), remedy)
        }
        _ => Row::failed(
            CHECK,
            format!("{bucket}: status {status}"),
            "try again; then see the AWS Health Dashboard",
        ),
    }
}

/// Name of the check, the IAM action, and what it is good for.
fn step(step: Step) -> (&'static str, &'static str, &'static str) {
    match step {
        Step::List => ("lake: list", "s3:ListBucket", "names of objects are told"),
        Step::Write => ("lake: write", "s3:PutObject", "an object was written"),
        Step::WriteAgain => (
            "lake: conditional write",
            "s3:PutObject",
            "the second write was refused, as it must be",
        ),
        Step::Read => ("lake: read", "s3:GetObject", "the same bytes came back"),
        Step::Delete => (
            "lake: delete",
            "s3:DeleteObject",
            "the object was taken away",
        ),
    }
}

pub(super) fn of_step(uri: &str, tried: &Tried) -> Row {
    let (check, action, good) = step(tried.step);
    let s3 = uri.strip_prefix("s3://").or(uri.strip_prefix("s3a://"));
    match (&tried.outcome, s3) {
        (Ok(()), _) => Row::ok(check, good),
        (Err(Unfit::Overwrites), _) => Row::failed(
            check,
            "a second write of the same object went through",
            "use a store that keeps to If-None-Match (Amazon S3 does): two writers on this one would lose findings",
        ),
        (Err(Unfit::Forbidden(why)), Some(place)) => {
            let resource = match tried.step {
                Step::List => format!(
                    "arn:aws:s3:::{}",
                    place.split('/').next().unwrap_or_default()
                ),
                _ => format!("arn:aws:s3:::{}/*", place.trim_end_matches('/')),
            };
            Row::failed(check, why, allow(&[action], &resource))
        }
        (Err(Unfit::NotThere(why)), Some(_)) => {
            Row::failed(check, why, "make the bucket, or correct lake.uri")
        }
        (Err(Unfit::Other(why)), Some(_)) => Row::failed(
            check,
            why,
            "look at AWS_REGION, AWS_ENDPOINT_URL and the network between here and S3",
        ),
        (Err(Unfit::Forbidden(why) | Unfit::NotThere(why) | Unfit::Other(why)), None) => {
            Row::failed(
                check,
                why,
                format!("let the user that guardlake runs as read and write the folder {uri}"),
            )
        }
    }
}

fn of_tables(tables: &[Checkup], now: i64) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut readers, mut writers) = (0, 0);
    for table in tables {
        readers = readers.max(table.protocol.0);
        writers = writers.max(table.protocol.1);
        rows.extend(of_table(table));
    }
    let versions: Vec<String> = tables
        .iter()
        .map(|t| format!("{} {}", t.table.name(), t.version))
        .collect();
    let lacking: usize =
        tables.iter().map(|t| t.lacking).sum::<usize>() + (Table::ALL.len() - tables.len());
    let older = match lacking {
        0 => String::new(),
        _ => "; made by an older version of guardlake, brought up to date when it is opened"
            .to_owned(),
    };
    let seen = format!(
        "Delta reader version {readers}, writer version {writers}; at {}{older}",
        versions.join(", ")
    );
    rows.insert(0, Row::ok("lake: tables", seen));
    let newest = tables.iter().filter_map(|table| table.written_at).max();
    if let Some(at) = newest {
        let seconds = (now - at).max(0) / 1_000_000;
        rows.push(Row::ok(
            "lake: newest commit",
            format!("{} ago", ago(seconds)),
        ));
    }
    rows
}

/// What is wrong with one table.
pub(super) fn of_table(table: &Checkup) -> Vec<Row> {
    let name = table.table.name();
    let mut rows = Vec::new();
    if let Some(why) = &table.refusal {
        let remedy = "another program has changed the table; undo that, or use a version of guardlake that knows it";
        rows.push(Row::failed(&format!("lake: {name}"), why, remedy));
    }
    if table.waiting >= MANY_FILES {
        let seen = format!(
            "{} of {} files of {name} are small",
            table.waiting, table.files
        );
        rows.push(Row::warning(
            "lake: small files",
            seen,
            "rewrite them: guardlake lake compact",
        ));
    }
    if table.since_checkpoint >= LONG_LOG {
        let seen = format!(
            "{} commits of {name} since the newest checkpoint",
            table.since_checkpoint
        );
        let remedy = "see in the log of `run` why no checkpoint is written; `guardlake lake verify` names one that cannot be read";
        rows.push(Row::warning("lake: log", seen, remedy));
    }
    if table.log_files >= FULL_LOG {
        let seen = format!("{} files in the log of {name}", table.log_files);
        rows.push(Row::warning(
            "lake: log",
            seen,
            "clean it up: guardlake lake vacuum",
        ));
    }
    rows
}

/// `3 h 20 min`
pub(super) fn ago(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Room where a folder lake lies.
fn disk(uri: &str) -> Option<Row> {
    let root = Location::parse(uri).ok()?.local_path()?;
    let there = root.ancestors().find(|path| path.exists())?;
    let stat = rustix::fs::statvfs(there).ok()?;
    Some(room(
        stat.f_bavail * stat.f_frsize,
        stat.f_blocks * stat.f_frsize,
    ))
}

pub(super) fn room(free: u64, total: u64) -> Row {
    const CHECK: &str = "lake: disk";
    let percent = (free * 100).checked_div(total).unwrap_or(100);
    let seen = format!(
        "{:.1} GiB free, {percent} %",
        free as f64 / (1_u64 << 30) as f64
    );
    let remedy = "make room: guardlake lake vacuum, a shorter lake.retention, or a larger disk";
    if free < NO_ROOM {
        Row::failed(CHECK, seen, remedy)
    } else if free < LITTLE_ROOM.0 || percent < LITTLE_ROOM.1 {
        Row::warning(CHECK, seen, remedy)
    } else {
        Row::ok(CHECK, seen)
    }
}
