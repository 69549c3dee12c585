//! Checks of the bucket that GuardDuty exports to: it can be listed and read.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};

use super::clock::Dates;
use super::{Row, allow, limited};
use crate::settings::Settings;
use crate::wire_up;

pub(super) async fn rows(settings: Option<&Settings>, dates: &Dates) -> Vec<Row> {
    let Some(from) = settings.and_then(|settings| settings.exports.from.as_deref()) else {
        return Vec::new();
    };
    match from.strip_prefix("s3://") {
        Some(rest) => {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            bucket_rows(bucket, prefix, dates).await
        }
        None => vec![folder(from)],
    }
}

fn folder(from: &str) -> Row {
    match std::fs::read_dir(from) {
        Ok(_) => Row::ok("exports: list", format!("{from} can be read")),
        Err(error) => Row::failed(
            "exports: list",
            format!("{from}: {error}"),
            "correct exports.from, or let the user that guardlake runs as read the folder",
        ),
    }
}

async fn bucket_rows(bucket: &str, prefix: &str, dates: &Dates) -> Vec<Row> {
    let client = wire_up::s3_watched(dates.clone()).await;
    let place = format!("s3://{bucket}/{prefix}");
    let list = client.list_objects_v2().bucket(bucket).prefix(prefix);
    let listed = match limited("exports: list", list.max_keys(10).send()).await {
        Ok(Ok(listed)) => listed,
        Ok(Err(error)) => {
            let remedy = match error.code() {
                Some("AccessDenied") => {
                    allow(&["s3:ListBucket"], &format!("arn:aws:s3:::{bucket}"))
                }
                Some("NoSuchBucket") => "correct exports.from".to_owned(),
                _ => "look at AWS_REGION, AWS_ENDPOINT_URL and the network between here and S3"
                    .to_owned(),
            };
            return vec![Row::failed("exports: list", said(&place, &error), remedy)];
        }
        Err(row) => return vec![row],
    };
    let found = (listed.contents().iter()).find(|object| object.size().unwrap_or(0) > 0);
    let Some(key) = found.and_then(|object| object.key()) else {
        let remedy = "compare exports.from with the bucket and prefix of GuardDuty's export; one that is new puts its first object there within minutes of a finding";
        return vec![
            Row::warning(
                "exports: list",
                format!("there is nothing below {place}"),
                remedy,
            ),
            Row::skipped("exports: read", "no object to try it on"),
        ];
    };
    let get = client.get_object().bucket(bucket).key(key);
    let read = match limited("exports: read", get.range("bytes=0-0").send()).await {
        Ok(Ok(_)) => Row::ok("exports: read", "an object is given"),
        Ok(Err(error)) => {
            let is_key = (error.message()).is_some_and(|message| message.contains("kms"));
            let remedy = match error.code() {
                Some("AccessDenied") if is_key => {
                    allow(&["kms:Decrypt"], "the ARN of the export's KMS key")
                }
                Some("AccessDenied") => {
                    let objects = format!("arn:aws:s3:::{bucket}/{prefix}*");
                    let more = "the key of the export must allow it kms:Decrypt, too";
                    format!("{}; {more}", allow(&["s3:GetObject"], &objects))
                }
                Some(code) if code.contains("KMS") || code.contains("Kms") => {
                    allow(&["kms:Decrypt"], "the ARN of the export's KMS key")
                }
                _ => "look at AWS_REGION and the network between here and S3".to_owned(),
            };
            Row::failed(
                "exports: read",
                said(&format!("s3://{bucket}/{key}"), &error),
                remedy,
            )
        }
        Err(row) => row,
    };
    vec![
        Row::ok("exports: list", format!("there are objects below {place}")),
        read,
    ]
}

fn said<E>(place: &str, error: &E) -> String
where
    E: ProvideErrorMetadata + std::error::Error,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{place}: {code}: {message}"),
        (Some(code), None) => format!("{place}: {code}"),
        _ => format!("{place}: {}", DisplayErrorContext(error)),
    }
}
