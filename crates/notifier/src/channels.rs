//! The channels that the settings name: read first, built later.
//!
//! A new channel is one file in `channel/`, a line there and a line in [`KINDS`].

#[cfg(test)]
mod tests;
pub mod tree;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use alerts::{Mistake, clean};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::channel::http::{Http, TIMEOUT};
use crate::channel::{
    Channel, Clock, Lookup, alertmanager, email, eventbridge, file, jira, lookup, pagerduty, ses,
    slack, sns, stdout, teams, webhook,
};
use crate::secret::{SecretAt, read_secret};
use tree::{Place, Tree};

/// What `kind:` may say, and whose settings the rest of the channel then is.
const KINDS: [(&str, Parse); 12] = [
    ("alertmanager", parse::<alertmanager::Config>),
    ("email", parse::<email::Config>),
    ("eventbridge", parse::<eventbridge::Config>),
    ("file", parse::<file::Config>),
    ("jira", parse::<jira::Config>),
    ("pagerduty", parse::<pagerduty::Config>),
    ("ses", parse::<ses::Config>),
    ("slack", parse::<slack::Config>),
    ("sns", parse::<sns::Config>),
    ("stdout", parse::<stdout::Config>),
    ("teams", parse::<teams::Config>),
    ("webhook", parse::<webhook::Config>),
];

/// The settings of one kind of channel.
pub(crate) trait Settings: DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// What is wrong with them that their types cannot tell. Looks at nothing but them.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// The channel, with its secrets read. Connects to nothing.
    fn build(&self, outside: &Outside<'_>) -> Result<Box<dyn Channel>, String>;
}

/// What channels need from outside when they are built.
pub struct Outside<'a> {
    /// Reads a secret, or says why not without saying what.
    pub read_secret: &'a dyn Fn(&SecretAt) -> Result<SecretString, String>,
    /// Tells the time.
    pub clock: Clock,
    /// Looks up names, for channels that check where these lead.
    pub lookup: Lookup,
    /// How long one request may take.
    pub timeout: Duration,
}

/// Channels as the settings describe them.
#[derive(Debug)]
pub struct Channels {
    named: Vec<Named>,
}

#[derive(Debug)]
struct Named {
    name: String,
    at: Place,
    kind: &'static str,
    settings: Box<dyn Built>,
}

/// All that is wrong with the settings of channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelsError {
    /// In the order of the lines, at least one.
    pub mistakes: Vec<Mistake>,
}

/// [`Settings`] of some kind.
trait Built: fmt::Debug + Send + Sync {
    fn build(&self, outside: &Outside<'_>) -> Result<Box<dyn Channel>, String>;
}

impl<S: Settings> Built for S {
    fn build(&self, outside: &Outside<'_>) -> Result<Box<dyn Channel>, String> {
        Settings::build(self, outside)
    }
}

/// A kind and settings of that kind.
type Read = (&'static str, Box<dyn Built>);

type Parse = fn(Value) -> Result<Box<dyn Built>, Wrong>;

/// What is wrong, and at which keys below the channel.
struct Wrong {
    path: Vec<String>,
    what: String,
}

fn parse<S: Settings>(value: Value) -> Result<Box<dyn Built>, Wrong> {
    let settings: S = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().iter().filter_map(|segment| match segment {
            serde_path_to_error::Segment::Map { key } => Some(key.clone()),
            serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
            _ => None,
        });
        Wrong {
            path: path.collect(),
            what: error.inner().to_string(),
        }
    })?;
    let wrong = |what| Wrong {
        path: Vec::new(),
        what,
    };
    settings.check().map_err(wrong)?;
    Ok(Box::new(settings))
}

impl Channels {
    /// Reads a YAML mapping of a channel's name to its settings: `oncall: {kind: slack, ...}`. Connects to nothing, reads no secret. All
    /// mistakes are told, each with its line and the channel's name.
    pub fn parse(yaml: &str) -> Result<Channels, ChannelsError> {
        match tree::read(yaml) {
            Err(mistake) => Err(ChannelsError {
                mistakes: vec![mistake],
            }),
            Ok(entries) => Channels::of(entries),
        }
    }

    /// Of the entries of that mapping.
    pub(crate) fn of(entries: Vec<(String, Place, Tree)>) -> Result<Channels, ChannelsError> {
        let mut mistakes = Vec::new();
        let mut named = Vec::new();
        for (name, at, entry) in entries {
            match one(&name, &entry) {
                Ok((kind, settings)) => named.push(Named {
                    name,
                    at,
                    kind,
                    settings,
                }),
                Err((inside, what)) => {
                    mistakes.push(mistake(inside.unwrap_or(at), &name, &what));
                }
            }
        }
        mistakes.sort();
        match mistakes.is_empty() {
            true => Ok(Channels { named }),
            false => Err(ChannelsError { mistakes }),
        }
    }

    /// Names and kinds, in the order of the settings.
    pub fn names(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.named.iter().map(|named| (&*named.name, named.kind))
    }

    /// Builds all channels: secrets are read here, nothing is connected to.
    pub fn build(
        &self,
        outside: &Outside<'_>,
    ) -> Result<BTreeMap<String, Box<dyn Channel>>, ChannelsError> {
        let mut built = BTreeMap::new();
        let mut mistakes = Vec::new();
        for named in &self.named {
            match named.settings.build(outside) {
                Ok(channel) => {
                    built.insert(named.name.clone(), channel);
                }
                Err(what) => mistakes.push(mistake(named.at, &named.name, &what)),
            }
        }
        match mistakes.is_empty() {
            true => Ok(built),
            false => Err(ChannelsError { mistakes }),
        }
    }
}

impl Outside<'_> {
    /// This machine.
    pub fn real(clock: Clock) -> Outside<'static> {
        Outside {
            read_secret: &read_secret,
            clock,
            lookup: lookup(),
            timeout: TIMEOUT,
        }
    }

    /// What sends, to wherever it is told to.
    pub(crate) fn http(&self) -> Result<Http, String> {
        Http::new(self.clock, None, self.timeout)
    }

    /// The secret of a field.
    pub(crate) fn secret(&self, field: &str, at: &SecretAt) -> Result<SecretString, String> {
        (self.read_secret)(at).map_err(|why| format!("{field}: {why}"))
    }
}

fn mistake((line, column): Place, channel: &str, what: &str) -> Mistake {
    Mistake {
        line,
        column,
        message: format!("channel {}: {}", clean(channel, 60), clean(what, 500)),
    }
}

/// Kind and settings of one channel, or what is wrong and where.
fn one(name: &str, entry: &Tree) -> Result<Read, (Option<Place>, String)> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
        let allowed = "a name is letters, digits, `_`, `-` and `.`, at most 64 of them";
        return Err((None, allowed.to_owned()));
    }
    let Value::Object(mut settings) = entry.value() else {
        return Err((
            None,
            "must be lines of `key: value`, one of them `kind:`".to_owned(),
        ));
    };
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    let kind = match settings.remove("kind") {
        Some(Value::String(kind)) => kind,
        Some(_) => {
            return Err((
                entry.find(&["kind".to_owned()]),
                "kind: must be a word".to_owned(),
            ));
        }
        None => {
            return Err((
                None,
                format!("kind: missing; it is one of {}", names.join(", ")),
            ));
        }
    };
    let Some((kind, parse)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        let hint = did_you_mean(&kind, &names);
        let hint = hint.unwrap_or_else(|| format!("; there are {}", names.join(", ")));
        let what = format!("kind: there is no `{}`{hint}", clean(&kind, 40));
        return Err((entry.find(&["kind".to_owned()]), what));
    };
    let settings = parse(Value::Object(settings)).map_err(|wrong| {
        let unknown = unknown_field(&wrong.what);
        let mut path = wrong.path;
        if let Some((field, _)) = &unknown
            && path.last() != Some(field)
        {
            path.push(field.clone());
        }
        let at = entry.find(&path);
        let what = match unknown {
            Some((field, known)) => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let others = || match known.is_empty() {
                    true => String::new(),
                    false => format!("; there are {}", known.join(", ")),
                };
                let hint = did_you_mean(&field, &known).unwrap_or_else(others);
                format!(
                    "{}: there is no such key{hint}",
                    clean(&path.join("."), 100)
                )
            }
            None if path.is_empty() => wrong.what,
            None => format!("{}: {}", path.join("."), wrong.what),
        };
        (at, what)
    })?;
    Ok((kind, settings))
}

/// The field and the known ones of serde's "unknown field `x`, expected one of `a`, `b`".
fn unknown_field(message: &str) -> Option<(String, Vec<String>)> {
    let rest = message.strip_prefix("unknown field `")?;
    // The field may hold anything; what is expected holds no quotes.
    let (field, known) = rest
        .rsplit_once("`, expected ")
        .or_else(|| rest.rsplit_once("`, there are no "))?;
    let known = known
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    Some((field.to_owned(), known))
}

/// `; did you mean ...?` where a word is near.
fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    let near = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), *known));
    let (distance, known) = near.min()?;
    (distance <= known.len().max(3) / 3).then(|| format!("; did you mean `{known}`?"))
}

impl fmt::Display for ChannelsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.mistakes.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(
                f,
                "{end}line {}, column {}: {}",
                mistake.line, mistake.column, mistake.message
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for ChannelsError {}

impl fmt::Debug for Outside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
