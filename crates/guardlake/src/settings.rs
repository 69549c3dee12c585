//! Settings: defaults < `guardlake.yaml` < `GUARDLAKE__SECTION__KEY` < flags. Unknown keys are errors.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::args::Args;
use crate::failure::Failure;

/// All settings. The comments are their reference.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The lake.
    pub(crate) lake: LakeSettings,
    /// The Kinesis stream that `run` follows.
    pub(crate) stream: StreamSettings,
    /// When batches are committed.
    pub(crate) ingest: IngestSettings,
    /// Your own SQL.
    pub(crate) sql: FolderSettings,
    /// Your own rules, instead of the built-in ones.
    pub(crate) rules: FolderSettings,
    /// Suppression files: what is known to be harmless, who says so, and until when.
    pub(crate) suppressions: FolderSettings,
    /// Who is told of alerts.
    pub(crate) notify: NotifySettings,
    /// Metrics for Prometheus.
    pub(crate) metrics: MetricsSettings,
    /// What is logged on standard error.
    pub(crate) log: LogSettings,
}

/// `lake:`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LakeSettings {
    /// A folder, or s3://bucket/prefix.
    pub(crate) uri: Option<String>,
    /// Findings older than this are counted as expired and not stored: `400d`. Without it everything is kept.
    pub(crate) retention: Option<String>,
}

/// `stream:`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StreamSettings {
    /// Its name, NAME@REGION or its ARN; several with commas between them.
    pub(crate) name: Option<String>,
    /// Where to begin with a stream that the lake knows nothing of: `oldest`, `newest` or a time.
    pub(crate) start: Option<String>,
    /// Read by enhanced fan-out, as the consumer of this name, which is registered if need be. Without it shards are polled.
    pub(crate) fan_out: Option<String>,
}

/// `ingest:`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IngestSettings {
    /// Commit when the oldest record of a batch is this old: `5s`.
    pub(crate) max_age: Option<String>,
    /// Commit when a batch has this many rows.
    pub(crate) max_rows: Option<usize>,
    /// Commit when a batch has this many bytes of JSON.
    pub(crate) max_bytes: Option<usize>,
    /// Bytes of replies from Kinesis that may be held or asked for at once.
    pub(crate) memory: Option<usize>,
    /// Share the shards with other workers on the same lake.
    pub(crate) share: Option<bool>,
    /// How long a worker may be silent before others take its shards: `30s`.
    pub(crate) lease_ttl: Option<String>,
}

/// `sql:`, `rules:` and `suppressions:`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FolderSettings {
    /// A folder.
    pub(crate) dir: Option<PathBuf>,
}

/// `notify:`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NotifySettings {
    /// The file of channels and routes. Without it alerts are told on standard output.
    pub(crate) file: Option<PathBuf>,
    /// How long an attempt of which nothing is heard is waited for before it is made again, by whoever runs then: `90s`. An
    /// attempt may take 60 seconds.
    pub(crate) in_doubt: Option<String>,
}

/// `metrics:`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MetricsSettings {
    /// Where Prometheus may ask for metrics: `127.0.0.1:9464`. Without it nothing listens.
    pub(crate) listen: Option<String>,
}

/// `log:`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSettings {
    /// `error`, `warn`, `info`, `debug`, or a filter such as `ingest=debug`.
    pub(crate) level: Option<String>,
}

/// Puts a text where a setting belongs.
type Set = fn(&mut Settings, String) -> Result<(), String>;

/// Every key that can be set, with how it is set from text.
const KEYS: [(&str, Set); 18] = [
    ("lake.uri", |s, v| set(&mut s.lake.uri, v)),
    ("lake.retention", |s, v| set(&mut s.lake.retention, v)),
    ("stream.name", |s, v| set(&mut s.stream.name, v)),
    ("stream.start", |s, v| set(&mut s.stream.start, v)),
    ("stream.fan_out", |s, v| set(&mut s.stream.fan_out, v)),
    ("ingest.max_age", |s, v| set(&mut s.ingest.max_age, v)),
    ("ingest.max_rows", |s, v| set(&mut s.ingest.max_rows, v)),
    ("ingest.max_bytes", |s, v| set(&mut s.ingest.max_bytes, v)),
    ("ingest.memory", |s, v| set(&mut s.ingest.memory, v)),
    ("ingest.share", |s, v| set(&mut s.ingest.share, v)),
    ("ingest.lease_ttl", |s, v| set(&mut s.ingest.lease_ttl, v)),
    ("metrics.listen", |s, v| set(&mut s.metrics.listen, v)),
    ("sql.dir", |s, v| set(&mut s.sql.dir, v)),
    ("rules.dir", |s, v| set(&mut s.rules.dir, v)),
    ("suppressions.dir", |s, v| set(&mut s.suppressions.dir, v)),
    ("notify.file", |s, v| set(&mut s.notify.file, v)),
    ("notify.in_doubt", |s, v| set(&mut s.notify.in_doubt, v)),
    ("log.level", |s, v| set(&mut s.log.level, v)),
];

fn set<T: std::str::FromStr>(slot: &mut Option<T>, text: String) -> Result<(), String> {
    *slot = Some(
        text.parse()
            .map_err(|_| format!("`{text}` cannot be read"))?,
    );
    Ok(())
}

/// Reads the file, the environment and the flags.
pub(crate) fn read(args: &Args) -> Result<Settings, Failure> {
    let default = Path::new("guardlake.yaml");
    let file = args
        .config
        .as_deref()
        .or_else(|| default.exists().then_some(default));
    let mut settings = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
            parse(&text).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?
        }
        None => Settings::default(),
    };
    from_environment(&mut settings, std::env::vars())?;
    if args.lake.is_some() {
        settings.lake.uri.clone_from(&args.lake);
    }
    if args.sql.is_some() {
        settings.sql.dir.clone_from(&args.sql);
    }
    Ok(settings)
}

fn parse(text: &str) -> Result<Settings, String> {
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    {
        return Ok(Settings::default());
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let said = error.to_string();
        let said = said.lines().next().unwrap_or_default().to_owned();
        match unknown(&said).and_then(suggestion) {
            Some(key) => format!("{said}; did you mean `{key}`?"),
            None => said,
        }
    })
}

/// The key in "unknown field `x`, ...".
fn unknown(message: &str) -> Option<&str> {
    message.split_once("unknown field `")?.1.split('`').next()
}

fn suggestion(word: &str) -> Option<&'static str> {
    let words = KEYS.iter().flat_map(|(key, _)| key.split('.'));
    words
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .filter(|(distance, known)| *distance <= 2.max(known.len() / 3))
        .min()
        .map(|(_, known)| known)
}

fn from_environment(
    settings: &mut Settings,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<(), Failure> {
    for (name, value) in variables {
        let Some(path) = name.strip_prefix("GUARDLAKE__") else {
            continue;
        };
        let path = path.to_lowercase().replace("__", ".");
        let Some((_, set)) = KEYS.iter().find(|(key, _)| *key == path) else {
            let known = KEYS.iter().map(|(key, _)| *key);
            let close = known
                .min_by_key(|key| strsim::damerau_levenshtein(key, &path))
                .unwrap_or_default();
            let close = format!("GUARDLAKE__{}", close.to_uppercase().replace('.', "__"));
            return Err(Failure::usage(format!(
                "{name}: there is no such setting; did you mean {close}?"
            )));
        };
        set(settings, value).map_err(|e| Failure::usage(format!("{name}: {e}")))?;
    }
    Ok(())
}

/// A duration such as `5s`, `10m`, `24h` in microseconds. Plain days may be more than a rule's window may: `400d`.
pub(crate) fn micros(text: &str) -> Result<i64, String> {
    const DAY: i64 = 86_400_000_000;
    match text.trim().strip_suffix('d').map(str::parse::<u16>) {
        Some(Ok(days)) if days > 0 => Ok(i64::from(days) * DAY),
        _ => alerts::Period::parse(text).map(|period| period.micros()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_then_the_environment() {
        let mut settings = parse("lake:\n  uri: /a\ningest:\n  max_rows: 5\n").unwrap();
        assert_eq!(
            (settings.lake.uri.as_deref(), settings.ingest.max_rows),
            (Some("/a"), Some(5))
        );
        let variables = [("GUARDLAKE__LAKE__URI", "/b"), ("HOME", "/root")];
        from_environment(
            &mut settings,
            variables.into_iter().map(|(n, v)| (n.into(), v.into())),
        )
        .unwrap();
        assert_eq!(settings.lake.uri.as_deref(), Some("/b"));
        assert!(parse("# nothing\n").is_ok());
    }

    #[test]
    fn the_example_is_read() {
        let settings = parse(include_str!("../../../examples/guardlake.yaml")).unwrap();
        assert!(settings.lake.uri.is_some() && settings.stream.name.is_some());
    }

    #[test]
    fn unknown_keys_are_errors_with_a_suggestion() {
        let error = parse("lake:\n  url: /a\n").unwrap_err();
        assert!(error.contains("did you mean `uri`"), "{error}");
        let mut settings = Settings::default();
        let wrong = [("GUARDLAKE__LAKE__URL".to_owned(), "x".to_owned())];
        assert!(from_environment(&mut settings, wrong.into_iter()).is_err());
        let wrong = [("GUARDLAKE__INGEST__MAX_ROWS".to_owned(), "many".to_owned())];
        assert!(from_environment(&mut settings, wrong.into_iter()).is_err());
    }
}
