//! What the channels over AWS share: one attempt a delivery, and what an error means.

#[cfg(test)]
pub(super) mod tests;

use std::error::Error;
use std::time::Duration;

use alerts::{Item, Notice, clean};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sns::config::http::HttpResponse;
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::config::timeout::TimeoutConfig;
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use lake::in_one_line;
use tokio::sync::OnceCell;

use super::Failed;

/// How long one delivery may take, credentials included.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);
/// Nobody is believed who asks for a longer pause.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// What was tried, for whoever has to allow it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// As IAM calls it: `sns:Publish`.
    pub(super) action: &'static str,
    /// On what.
    pub(super) on: &'a str,
}

/// A client, made at the first delivery and not when settings are read: where credentials and Region come from (environment, files, the
/// machine's or the container's service) is found out by asking there.
pub(super) struct Lazy<C> {
    made: OnceCell<C>,
}

impl<C> Lazy<C> {
    pub(super) fn later() -> Lazy<C> {
        Lazy {
            made: OnceCell::new(),
        }
    }

    pub(super) fn now(client: C) -> Lazy<C> {
        Lazy {
            made: OnceCell::new_with(Some(client)),
        }
    }

    /// The client. `region` is what the settings say, if they say it.
    pub(super) async fn get(
        &self,
        call: Call<'_>,
        region: Option<&Region>,
        make: fn(&SdkConfig) -> C,
    ) -> Result<&C, Failed> {
        let load = async || {
            let mut loader = aws_config::defaults(BehaviorVersion::latest());
            if let Some(region) = region {
                loader = loader.region(region.clone());
            }
            let config = loader.load().await;
            match config.region() {
                Some(_) => Ok(make(&config)),
                // The machine's service may just have been slow.
                None => {
                    let why = "no Region is known; set AWS_REGION, or name the Region in the channel's settings";
                    Err(for_now(call, why, None))
                }
            }
        };
        self.made.get_or_try_init(load).await
    }
}

/// When to try again is decided by whoever delivers, not within the SDK.
pub(super) fn one_attempt(timeout: Duration) -> (RetryConfig, TimeoutConfig) {
    let timeouts = TimeoutConfig::builder().operation_timeout(timeout);
    (RetryConfig::disabled(), timeouts.build())
}

/// Region and resource of `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`.
pub(super) fn arn<'a>(text: &'a str, service: &str) -> Option<(&'a str, &'a str)> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [scheme, partition, named, region, account, resource] = parts[..] else {
        return None;
    };
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let account_fits = account.len() == 12 && account.chars().all(|c| c.is_ascii_digit());
    let fits = scheme == "arn"
        && partition.starts_with("aws")
        && plain(partition)
        && named == service
        && !region.is_empty()
        && plain(region)
        && account_fits
        && !resource.is_empty();
    fits.then_some((region, resource))
}

/// The one item of a notice for a channel that takes alerts.
pub(super) fn only(notice: &Notice) -> Result<&Item, Failed> {
    match &notice.items[..] {
        [item] => Ok(item),
        items => Err(Failed::ForGood {
            why: format!(
                "a notice of {} alerts came where one is told at a time; this is a bug",
                items.len()
            ),
        }),
    }
}

/// What an error of the SDK means.
pub(super) fn failed<E>(call: Call<'_>, error: &SdkError<E, HttpResponse>) -> Failed
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let answer = context.raw();
            let (code, message) = (error.code(), error.message());
            let status = answer.status().as_u16();
            let asked = answer.headers().get("retry-after").and_then(seconds);
            refused(call, code, message, status, asked)
        }
        SdkError::ConstructionFailure(_) => for_good(call, &in_one_line(error), ""),
        // Among them credentials that could not be had: whoever gives them may be back soon.
        _ => for_now(call, &in_one_line(error), None),
    }
}

/// What a refusal means, by its code and, where nobody knows the code, its HTTP status. `status` is 0 where there is none of its own.
pub(super) fn refused(
    call: Call<'_>,
    code: Option<&str>,
    message: Option<&str>,
    status: u16,
    wait: Option<Duration>,
) -> Failed {
    let said = match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(word), None) | (None, Some(word)) => word.to_owned(),
        (None, None) => format!("HTTP status {status}"),
    };
    let Call { action, on } = call;
    let bare = code.map(|code| code.strip_suffix("Exception").unwrap_or(code));
    let remedy = match bare.unwrap_or_default() {
        "AccessDenied" | "AuthorizationError" | "NotAuthorized" => {
            format!("; allow {action} on {on} to the role that guardlake runs as")
        }
        "KMSAccessDenied" => {
            format!("; allow kms:GenerateDataKey* and kms:Decrypt on the key of {on}")
        }
        "KMSDisabled" | "KMSInvalidState" | "KMSNotFound" | "KMSOptInRequired" => {
            format!("; look at the KMS key of {on}")
        }
        "NotFound" | "ResourceNotFound" => {
            format!("; check name, Region and account of {on}")
        }
        "InvalidClientTokenId" | "UnrecognizedClient" | "InvalidSignature"
        | "SignatureDoesNotMatch" | "MissingAuthenticationToken" | "IncompleteSignature" => {
            "; check the AWS credentials of guardlake and the clock of this machine".to_owned()
        }
        "MailFromDomainNotVerified" => {
            "; verify the domain that the mail comes from in SES".to_owned()
        }
        "MessageRejected" => {
            "; verify the addresses in SES, and the recipients too while the account is in the sandbox"
                .to_owned()
        }
        "AccountSuspended" => "; ask AWS why SES has stopped sending for the account".to_owned(),
        // What passes: expired credentials are renewed, and the rest is load.
        "ExpiredToken" | "RequestExpired" | "RequestTimeTooSkewed" | "SendingPaused"
        | "InternalFailure" | "InternalError" | "Internal" | "ServiceUnavailable"
        | "RequestTimeout" | "ConcurrentAccess" | "PriorRequestNotComplete" | "SlowDown"
        | "LimitExceeded" | "RequestLimitExceeded" | "TooManyRequests" | "Throttling"
        | "Throttled" | "KMSThrottling" | "RequestThrottled" | "BandwidthLimitExceeded" => {
            return for_now(call, &said, wait);
        }
        _ if status == 429 || status == 408 || status >= 500 => {
            return for_now(call, &said, wait);
        }
        _ => String::new(),
    };
    for_good(call, &said, &remedy)
}

fn for_now(call: Call<'_>, said: &str, wait: Option<Duration>) -> Failed {
    Failed::ForNow {
        why: format!("{}: {}", call.action, clean(said, 400)),
        wait,
    }
}

pub(super) fn for_good(call: Call<'_>, said: &str, remedy: &str) -> Failed {
    Failed::ForGood {
        why: format!("{}: {}{remedy}", call.action, clean(said, 400)),
    }
}

fn seconds(header: &str) -> Option<Duration> {
    let seconds = header.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}
