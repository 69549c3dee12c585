//! The file that says who is told: `channels`, `route`, `mute_times`, `dead_letters`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use alerts::{Mistake, Routes, clean};

use crate::channel::{Channel, Takes};
use crate::channels::tree::{self, Place, Tree};
use crate::channels::{Channels, ChannelsError, Outside};
use crate::mute::MuteTimes;

/// A file of channels and routes that was found to be right.
#[derive(Debug)]
pub struct Setup {
    channels: Channels,
    pub(crate) routes: Routes,
    pub(crate) mute_times: MuteTimes,
    pub(crate) dead_letters: Option<String>,
}

/// All that is wrong with such a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupError {
    /// As given to [`Setup::parse`].
    pub file: String,
    /// In the order of the lines, at least one.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, mistake) in self.mistakes.iter().enumerate() {
            let line = if nth > 0 { "\n" } else { "" };
            let (row, column) = (mistake.line, mistake.column);
            write!(f, "{line}{}:{row}:{column}: {}", self.file, mistake.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for SetupError {}

const FIELDS: [&str; 4] = ["channels", "route", "mute_times", "dead_letters"];

impl Setup {
    /// Reads a file. Connects to nothing and reads no secret.
    pub fn parse(file: &str, yaml: &str) -> Result<Setup, SetupError> {
        read(yaml).map_err(|mut mistakes| {
            mistakes.sort();
            SetupError {
                file: file.to_owned(),
                mistakes,
            }
        })
    }

    /// Names and kinds of the channels.
    pub fn channels(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.channels.names()
    }

    /// The routes.
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Builds the channels: secrets are read here.
    pub fn build(&self, outside: &Outside<'_>) -> Result<Built, ChannelsError> {
        let channels = self.channels.build(outside)?;
        Ok(channels
            .into_iter()
            .map(|(name, channel)| (name, Arc::from(channel)))
            .collect())
    }
}

/// Channels by name.
pub(crate) type Built = std::collections::BTreeMap<String, Arc<dyn Channel>>;

/// Those that take alerts one by one.
pub(crate) fn one_by_one(channels: &Built) -> BTreeSet<String> {
    let single = channels
        .iter()
        .filter(|(_, channel)| channel.takes() == Takes::Alerts);
    single.map(|(name, _)| name.clone()).collect()
}

fn read(yaml: &str) -> Result<Setup, Vec<Mistake>> {
    let entries = tree::read(yaml).map_err(|mistake| vec![mistake])?;
    let mut mistakes = Vec::new();
    let mut note = |(line, column): Place, message: String| {
        mistakes.push(Mistake {
            line,
            column,
            message,
        });
    };
    let (mut channels, mut route, mut mute_times, mut dead_letters) = (None, None, None, None);
    for (name, at, value) in entries {
        match name.as_str() {
            "channels" => channels = Some((at, value)),
            "route" => route = Some((at, value)),
            "mute_times" => mute_times = Some((at, value)),
            "dead_letters" => dead_letters = Some((at, value)),
            unknown => {
                let unknown = clean(unknown, 60);
                note(
                    at,
                    format!(
                        "{unknown}: there is no such field; there are {}",
                        FIELDS.join(", ")
                    ),
                );
            }
        }
    }
    let channels = match channels.map(|(at, tree)| (at, tree.entries())) {
        None => {
            note(
                (1, 1),
                "channels: missing; lines of `name: {kind: ...}`".to_owned(),
            );
            None
        }
        Some((at, None)) => {
            note(
                at,
                "channels: must be lines of `name: {kind: ...}`".to_owned(),
            );
            None
        }
        Some((_, Some(entries))) => match Channels::of(entries) {
            Ok(channels) => Some(channels),
            Err(error) => {
                error
                    .mistakes
                    .into_iter()
                    .for_each(|m| note((m.line, m.column), m.message));
                None
            }
        },
    };
    let mute_times = match mute_times {
        None => Some(MuteTimes::default()),
        Some((at, tree)) => match MuteTimes::read(&tree.value()) {
            Ok(times) => Some(times),
            Err(why) => {
                note(at, format!("mute_times: {why}"));
                None
            }
        },
    };
    let names: Vec<&str> = channels
        .iter()
        .flat_map(|channels| channels.names())
        .map(|(name, _)| name)
        .collect();
    let routes = match (route, &channels, &mute_times) {
        (None, ..) => {
            note(
                (1, 1),
                "route: missing; at least `route: {channels: [...]}`".to_owned(),
            );
            None
        }
        (Some((at, tree)), Some(_), Some(times)) => {
            match Routes::from_value(&tree.value(), &names, &times.names()) {
                Ok(routes) => Some(routes),
                Err(wrong) => {
                    wrong
                        .iter()
                        .for_each(|error| note(at, format!("route {error}")));
                    None
                }
            }
        }
        _ => None,
    };
    let dead_letters = match dead_letters {
        None => None,
        Some((at, Tree::Leaf(serde_json::Value::String(name)))) => {
            if channels.is_some() && !names.contains(&name.as_str()) {
                let name = clean(&name, 60);
                note(at, format!("dead_letters: there is no channel `{name}`"));
            }
            Some(name)
        }
        Some((at, _)) => {
            note(at, "dead_letters: the name of a channel".to_owned());
            None
        }
    };
    match (channels, routes, mute_times) {
        (Some(channels), Some(routes), Some(mute_times)) if mistakes.is_empty() => Ok(Setup {
            channels,
            routes,
            mute_times,
            dead_letters,
        }),
        _ => Err(mistakes),
    }
}
