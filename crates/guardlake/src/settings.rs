//! Settings: defaults < `guardlake.yaml` < `GUARDLAKE__SECTION__KEY` < flags. Unknown keys are errors.
//!
//! To add a setting, add a field here. Its doc comment is its reference; the environment variable, the JSON Schema, the example,
//! `config show` and the table in `docs/settings.md` follow from it. `extend("default" = ..)` says what holds without it,
//! `extend("examples" = [..])` what an example shows, `extend("writeOnly" = true)` that nobody may be shown it.

mod example;
mod keys;
mod layers;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use example::{document, table};
pub(crate) use keys::{Key, keys, schema};
pub(crate) use layers::{Layers, layers, layers_of, read};
pub(crate) use values::{micros, start};

/// Bytes of replies from Kinesis held at once, unless the settings say otherwise.
pub(crate) const MEMORY: usize = 128 << 20;
/// How long a worker may be silent before others take its shards, unless the settings say otherwise.
pub(crate) const LEASE_TTL: Duration = Duration::from_secs(30);

/// All settings. The comments are their reference.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The lake.
    pub(crate) lake: LakeSettings,
    /// The Kinesis stream that `run` follows.
    pub(crate) stream: StreamSettings,
    /// What GuardDuty exports to S3, for `run --source s3-export`.
    pub(crate) exports: ExportSettings,
    /// When batches are committed.
    pub(crate) ingest: IngestSettings,
    /// Your own SQL, laid over the built-in: views/, trends/, alerts/, investigations/ and reports/.
    pub(crate) sql: FolderSettings,
    /// Your own rules, instead of the built-in ones.
    pub(crate) rules: FolderSettings,
    /// Suppression files: what is known to be harmless, who says so, and until when.
    pub(crate) suppressions: FolderSettings,
    /// Who is told of alerts.
    pub(crate) notify: NotifySettings,
    /// Reports, and where they are put.
    pub(crate) reports: ReportsSettings,
    /// When the lake is looked after, by the role `upkeep` of `run`.
    pub(crate) upkeep: UpkeepSettings,
    /// Metrics for Prometheus, and whether this process is well.
    pub(crate) metrics: MetricsSettings,
    /// What is logged on standard error.
    pub(crate) log: LogSettings,
}

/// `lake:`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LakeSettings {
    /// A folder, or s3://bucket/prefix.
    #[serde(deserialize_with = "values::lake")]
    #[schemars(extend("examples" = ["./lake"]))]
    pub(crate) uri: Option<String>,
    /// How long findings are kept: `400d`, or `400d, low=90d, 111122223333=730d` by severity and account. Older ones are counted as
    /// expired and not stored, and upkeep takes them out. Without it everything is kept.
    #[serde(deserialize_with = "values::retention")]
    #[schemars(extend("examples" = ["400d"]))]
    pub(crate) retention: Option<String>,
}

/// `stream:`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StreamSettings {
    /// Its name, NAME@REGION or its ARN; several with commas between them.
    #[schemars(extend("examples" = ["guardduty-findings"]))]
    pub(crate) name: Option<String>,
    /// Where to begin with a stream that the lake knows nothing of: `oldest`, `newest` or a time.
    #[serde(deserialize_with = "values::a_start")]
    #[schemars(extend("default" = "oldest"))]
    pub(crate) start: Option<String>,
    /// Read by enhanced fan-out, as the consumer of this name, which is registered if need be. Without it shards are polled.
    #[schemars(extend("examples" = ["guardlake"]))]
    pub(crate) fan_out: Option<String>,
}

/// `exports:`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ExportSettings {
    /// The s3://bucket/prefix that GuardDuty exports to, or a folder that is filled like it.
    #[schemars(extend("examples" = ["s3://my-findings/AWSLogs"]))]
    pub(crate) from: Option<String>,
    /// How long it rests between two looks for new objects.
    #[serde(deserialize_with = "values::period")]
    #[schemars(extend("default" = "5m"))]
    pub(crate) every: Option<String>,
}

/// `ingest:`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IngestSettings {
    /// Commit when the oldest record of a batch is this old: `5s`. Idle shards are asked four times as often, at least once a second.
    #[serde(deserialize_with = "values::period")]
    #[schemars(extend("default" = values::seconds(finding::Limits::default().max_age_ms / 1_000)))]
    pub(crate) max_age: Option<String>,
    /// Commit when a batch has this many rows.
    #[schemars(extend("default" = finding::Limits::default().max_rows))]
    pub(crate) max_rows: Option<usize>,
    /// Commit when a batch has this many bytes of JSON.
    #[schemars(extend("default" = finding::Limits::default().max_bytes))]
    pub(crate) max_bytes: Option<usize>,
    /// Bytes of replies from Kinesis that may be held or asked for at once.
    #[schemars(extend("default" = MEMORY))]
    pub(crate) memory: Option<usize>,
    /// Share the shards with other workers on the same lake.
    #[schemars(extend("default" = false))]
    pub(crate) share: Option<bool>,
    /// How long a worker may be silent before others take its shards: `30s`.
    #[serde(deserialize_with = "values::period")]
    #[schemars(extend("default" = values::seconds(LEASE_TTL.as_secs())))]
    pub(crate) lease_ttl: Option<String>,
}

/// `sql:`, `rules:` and `suppressions:`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FolderSettings {
    /// A folder.
    pub(crate) dir: Option<PathBuf>,
}

/// `notify:`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NotifySettings {
    /// The file of channels and routes. Without it alerts are told on standard output.
    #[schemars(extend("examples" = ["./notify.yaml"]))]
    pub(crate) file: Option<PathBuf>,
    /// How long an attempt of which nothing is heard is waited for before it is made again, by whoever runs then: `90s`. An
    /// attempt may take 60 seconds.
    #[serde(deserialize_with = "values::period")]
    #[schemars(extend("default" = values::seconds(alerts::outbox::Patience::default().in_doubt as u64 / 1_000_000)))]
    pub(crate) in_doubt: Option<String>,
}

/// `reports:`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ReportsSettings {
    /// Where reports are put that do not say so themselves: a folder, or s3://bucket/prefix. Without it, `reports` in the lake.
    #[serde(deserialize_with = "values::lake")]
    #[schemars(extend("examples" = ["s3://my-bucket/reports"]))]
    pub(crate) to: Option<String>,
}

/// `upkeep:`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UpkeepSettings {
    /// How long it rests between two looks at the lake.
    #[serde(deserialize_with = "values::period")]
    #[schemars(extend("default" = "10m"))]
    pub(crate) every: Option<String>,
    /// How old a file must be that no version of a table needs any more, before it is deleted: 7d or more.
    #[serde(deserialize_with = "values::period")]
    #[schemars(extend("default" = "7d"))]
    pub(crate) vacuum_older_than: Option<String>,
}

/// `metrics:`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MetricsSettings {
    /// Where `run` answers `/metrics`, `/livez`, `/readyz` and `/healthz`: `127.0.0.1:9464`. Without it nothing listens. Nobody is asked
    /// who they are: let only those reach it who may know.
    #[serde(deserialize_with = "values::address")]
    #[schemars(extend("examples" = ["127.0.0.1:9464"]))]
    pub(crate) listen: Option<String>,
}

/// `log:`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSettings {
    /// `error`, `warn`, `info`, `debug`, or a filter such as `ingest=debug`.
    #[serde(deserialize_with = "values::level")]
    #[schemars(extend("default" = "warn"))]
    pub(crate) level: Option<String>,
    /// How it is written.
    #[schemars(extend("default" = "auto"))]
    pub(crate) format: Option<LogFormat>,
}

/// `log.format`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// A line for people.
    Text,
    /// An object a line.
    Json,
}

#[cfg(test)]
mod tests;
