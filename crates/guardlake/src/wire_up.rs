//! The only file that names concrete adapters: AWS clients, the clock, the log, the lake's address.

use std::io::IsTerminal;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_s3::config::Intercept;
use lake::Lake;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::failure::Failure;
use crate::settings::{LogFormat, Settings};

/// The wall clock in UTC microseconds.
#[allow(
    clippy::disallowed_methods,
    reason = "the one place where the clock is read"
)]
pub(crate) fn now() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.as_micros() as i64)
}

/// The same as the system has it.
#[allow(
    clippy::disallowed_methods,
    reason = "handed to those who need a clock"
)]
pub(crate) fn system_time() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

/// The reader of Delta tables.
const CHATTY: &str = "buoyant_kernel";

/// Logs go to standard error: text on a terminal, with control characters escaped by the formatter, else JSON. `more` is how often `-v`
/// was given, which counts where the settings name no level.
pub(crate) fn log(
    settings: &Settings,
    more: u8,
    #[cfg(feature = "otel")] traces: &crate::traces::Traces,
) {
    let by_flag = match more {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let level = settings.log.level.as_deref().unwrap_or(by_flag);
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("warn"));
    // It tells of every file of every log that it reads; whoever names targets may ask for that.
    let filter = match (level, format!("{CHATTY}=warn").parse()) {
        ("info" | "debug" | "trace", Ok(quiet)) => filter.add_directive(quiet),
        _ => filter,
    };
    let is_json = match settings.log.format.unwrap_or_default() {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(true);
    let lines = match is_json {
        true => lines.json().flatten_event(true).boxed(),
        false => lines.boxed(),
    };
    let registry = tracing_subscriber::registry().with(lines.with_filter(filter));
    #[cfg(feature = "otel")]
    let registry = registry.with(traces.layer());
    registry.init();
}

/// AWS settings from the environment, profile files and instance metadata, as all AWS tools read them.
pub(crate) async fn aws() -> aws_config::SdkConfig {
    aws_config::load_defaults(BehaviorVersion::latest()).await
}

/// A client of S3. With an endpoint of one's own, buckets are paths: stand-ins have no wildcard names.
pub(crate) async fn s3() -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(s3_config().await.build())
}

/// The same, with every answer shown to `watcher`.
pub(crate) async fn s3_watched(watcher: impl Intercept + 'static) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(s3_config().await.interceptor(watcher).build())
}

async fn s3_config() -> aws_sdk_s3::config::Builder {
    let config = aws().await;
    let own_endpoint =
        config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
    aws_sdk_s3::config::Builder::from(&config).force_path_style(own_endpoint)
}

/// A client of Organizations, with patience: its calls are throttled early.
pub(crate) async fn organizations() -> aws_sdk_organizations::Client {
    let retries =
        aws_sdk_organizations::config::retry::RetryConfig::adaptive().with_max_attempts(10);
    let config = aws_sdk_organizations::config::Builder::from(&aws().await);
    aws_sdk_organizations::Client::from_conf(config.retry_config(retries).build())
}

/// A client of GuardDuty in a Region, with patience: its calls are throttled early, and none may hang. Not `adaptive`: where a share of the
/// calls is throttled all the time, that mode slows down to a call in two seconds.
pub(crate) fn guardduty(config: &aws_config::SdkConfig, region: &str) -> aws_sdk_guardduty::Client {
    use aws_sdk_guardduty::config::{Builder, Region, retry, timeout};
    let timeouts = timeout::TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(60))
        .build();
    let config = Builder::from(config)
        .region(Region::new(region.to_owned()))
        .retry_config(retry::RetryConfig::standard().with_max_attempts(8))
        .timeout_config(timeouts);
    aws_sdk_guardduty::Client::from_conf(config.build())
}

/// The same for a single look: who does not answer soon is told of.
pub(crate) fn guardduty_asked(
    config: &aws_config::SdkConfig,
    region: &str,
) -> aws_sdk_guardduty::Client {
    use aws_sdk_guardduty::config::{Builder, Region};
    let config = Builder::from(config).region(Region::new(region.to_owned()));
    aws_sdk_guardduty::Client::from_conf(config.build())
}

/// A client of EventBridge in a Region.
pub(crate) fn eventbridge(
    config: &aws_config::SdkConfig,
    region: &str,
) -> aws_sdk_eventbridge::Client {
    use aws_sdk_eventbridge::config::{Builder, Region};
    let config = Builder::from(config).region(Region::new(region.to_owned()));
    aws_sdk_eventbridge::Client::from_conf(config.build())
}

/// A client of Account Management, which one Region of a partition answers for all: without any the usual one is asked.
pub(crate) fn account(config: &aws_config::SdkConfig) -> aws_sdk_account::Client {
    use aws_sdk_account::config::{Builder, Region};
    let region = config.region().cloned();
    let region = region.unwrap_or_else(|| Region::new("us-east-1"));
    aws_sdk_account::Client::from_conf(Builder::from(config).region(region).build())
}

/// A client of Kinesis, in a Region of its own if one is named. No call may hang: a connection that is made but dead is given
/// up. (What is pushed by a subscription comes after its call has answered.)
pub(crate) async fn kinesis(region: Option<String>) -> aws_sdk_kinesis::Client {
    aws_sdk_kinesis::Client::from_conf(kinesis_config(region).await.build())
}

/// The same, with every answer shown to `watcher`.
pub(crate) async fn kinesis_watched(
    region: Option<String>,
    watcher: impl Intercept + 'static,
) -> aws_sdk_kinesis::Client {
    let config = kinesis_config(region).await;
    aws_sdk_kinesis::Client::from_conf(config.interceptor(watcher).build())
}

async fn kinesis_config(region: Option<String>) -> aws_sdk_kinesis::config::Builder {
    let mut config = aws_sdk_kinesis::config::Builder::from(&aws().await);
    if let Some(region) = region {
        config = config.region(aws_sdk_kinesis::config::Region::new(region));
    }
    let timeouts = aws_sdk_kinesis::config::timeout::TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(30))
        .build();
    config.timeout_config(timeouts)
}

/// Who is at the keyboard, where the system says so.
pub(crate) fn user() -> Option<String> {
    std::env::var_os("USER").and_then(|name| name.into_string().ok())
}

/// The program that the user's environment names for a purpose, as all tools read it: `PAGER`, `VISUAL`, `EDITOR`. The first that is
/// set; an empty text is an answer, too.
pub(crate) fn program(names: &[&str]) -> Option<String> {
    let mut set = names.iter().filter_map(std::env::var_os);
    set.next().and_then(|name| name.into_string().ok())
}

/// The lake's address, or what to do about its absence.
pub(crate) fn lake_uri(settings: &Settings) -> Result<&str, Failure> {
    settings.lake.uri.as_deref().ok_or_else(|| {
        Failure::usage("which lake? give --lake FOLDER or --lake s3://bucket/prefix (or lake.uri in guardlake.yaml)")
    })
}

/// The lake, which must exist.
pub(crate) async fn lake(settings: &Settings) -> Result<Lake, Failure> {
    Ok(Lake::open(lake_uri(settings)?).await?)
}

/// The lake, made if it does not exist.
pub(crate) async fn lake_to_fill(settings: &Settings) -> Result<Lake, Failure> {
    Ok(Lake::open_or_create(lake_uri(settings)?).await?)
}
