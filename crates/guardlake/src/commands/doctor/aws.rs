//! Checks of what AWS is asked with: credentials and Region.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::{Credentials, ProvideCredentials};

use super::{Row, limited};
use crate::wire_up;

/// Credentials that end sooner are told of: what renews them should have done so.
const SOON: Duration = Duration::from_secs(300);

pub(super) async fn rows(uses_aws: bool) -> Vec<Row> {
    if !uses_aws {
        return vec![Row::skipped("aws", "neither lake nor stream is in AWS")];
    }
    let config = match limited("aws: credentials", wire_up::aws()).await {
        Ok(config) => config,
        Err(row) => return vec![row],
    };
    let region = match config.region() {
        Some(region) => Row::ok("aws: Region", region.as_ref()),
        None => Row::failed(
            "aws: Region",
            "none is known",
            "set AWS_REGION, or region in the profile",
        ),
    };
    const CHECK: &str = "aws: credentials";
    let how =
        "give this machine a role (instance profile, task role, web identity), or set AWS_PROFILE";
    let credentials = match config.credentials_provider() {
        None => Row::failed(CHECK, "none are configured", how),
        Some(provider) => match limited(CHECK, provider.provide_credentials()).await {
            Err(row) => row,
            Ok(Err(error)) => Row::failed(CHECK, lake::in_one_line(&error), how),
            Ok(Ok(credentials)) => of(&credentials, wire_up::system_time()),
        },
    };
    vec![credentials, region]
}

/// Whose they are, as far as it may be told.
pub(super) fn of(credentials: &Credentials, now: SystemTime) -> Row {
    const CHECK: &str = "aws: credentials";
    let id = credentials.access_key_id();
    let end = id
        .char_indices()
        .nth_back(3)
        .map_or("", |(at, _)| &id[at..]);
    // Who gave them is told by `Debug` alone, which leaves the secret out.
    let debug = format!("{credentials:?}");
    let source = debug
        .split_once("provider_name: \"")
        .and_then(|(_, rest)| rest.split('"').next());
    let mut seen = format!(
        "from {}; access key ...{end}",
        source.unwrap_or("an unknown source")
    );
    if let Some(account) = credentials.account_id() {
        seen.push_str(&format!("; account {}", account.as_str()));
    }
    let Some(expiry) = credentials.expiry() else {
        seen.push_str("; they do not end");
        return Row::ok(CHECK, seen);
    };
    let at = expiry
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    seen.push_str(&format!(
        "; until {}",
        alerts::rfc3339(at.as_micros() as i64)
    ));
    match expiry.duration_since(now) {
        Ok(left) if left > SOON => Row::ok(CHECK, seen),
        Ok(_) => Row::warning(CHECK, seen, "see that whoever renews them still does"),
        Err(_) => Row::failed(
            CHECK,
            seen,
            "renew them: aws sso login, or the process that gives them",
        ),
    }
}
