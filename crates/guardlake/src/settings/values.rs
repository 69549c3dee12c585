//! What a setting's text must look like, told when it is read and not when it is first used.

use ingest::Start;
use serde::de::{Deserialize, Deserializer, Error};
use tracing_subscriber::EnvFilter;

/// A duration such as `5s`, `10m`, `24h` in microseconds. Plain days may be more than a rule's window may: `400d`.
pub(crate) fn micros(text: &str) -> Result<i64, String> {
    const DAY: i64 = 86_400_000_000;
    match text.trim().strip_suffix('d').map(str::parse::<u16>) {
        Some(Ok(days)) if days > 0 => Ok(i64::from(days) * DAY),
        _ => alerts::Period::parse(text).map(|period| period.micros()),
    }
}

/// Where to begin with a new stream: `oldest`, `newest` or a time.
pub(crate) fn start(text: &str) -> Result<Start, String> {
    match text {
        "oldest" => Ok(Start::Oldest),
        "newest" => Ok(Start::Newest),
        time => match time.parse::<jiff::Timestamp>() {
            Ok(time) => Ok(Start::Time(time.as_microsecond())),
            Err(_) => Err(format!(
                "`{time}` is neither oldest, newest nor a time such as 2026-07-01T00:00:00Z"
            )),
        },
    }
}

/// `90` as a duration of the settings: `90s`.
pub(super) fn seconds(seconds: u64) -> String {
    format!("{seconds}s")
}

type Text<E> = Result<Option<String>, E>;

/// Text of which `check` says whether it will do.
fn text<'de, D: Deserializer<'de>>(
    deserializer: D,
    check: impl FnOnce(&str) -> Result<(), String>,
) -> Text<D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    if let Some(text) = &text {
        check(text).map_err(D::Error::custom)?;
    }
    Ok(text)
}

pub(super) fn period<'de, D: Deserializer<'de>>(deserializer: D) -> Text<D::Error> {
    text(deserializer, |text| micros(text).map(|_| ()))
}

pub(super) fn retention<'de, D: Deserializer<'de>>(deserializer: D) -> Text<D::Error> {
    text(deserializer, |text| {
        lake::Retention::parse(text).map(|_| ())
    })
}

pub(super) fn a_start<'de, D: Deserializer<'de>>(deserializer: D) -> Text<D::Error> {
    text(deserializer, |text| start(text).map(|_| ()))
}

pub(super) fn lake<'de, D: Deserializer<'de>>(deserializer: D) -> Text<D::Error> {
    let check = |text: &str| lake::Location::parse(text).map(|_| ());
    text(deserializer, |text| check(text).map_err(|e| e.to_string()))
}

pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Text<D::Error> {
    text(deserializer, |text| {
        let parts = text.rsplit_once(':');
        let fits =
            parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        match fits {
            true => Ok(()),
            false => Err(format!("`{text}` is not HOST:PORT, such as 127.0.0.1:9464")),
        }
    })
}

pub(super) fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Text<D::Error> {
    text(deserializer, |text| {
        EnvFilter::try_new(text).map(|_| ()).map_err(|error| {
            format!("`{text}` is neither error, warn, info, debug nor a filter such as warn,ingest=debug: {error}")
        })
    })
}
