//! Where each setting comes from: the file, the environment, a flag. All mistakes are told, each with its place.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use alerts::clean;
use notifier::tree::{self, Place, Tree};
use serde_json::{Map, Value, json};

use super::{Key, Settings, keys};
use crate::args::Args;
use crate::failure::Failure;

/// What says a setting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    /// A file, with line and column.
    File(String, usize, usize),
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Said::File(file, line, column) => write!(f, "{}:{line}:{column}", clean(file, 200)),
            Said::Environment(name) => f.write_str(&clean(name, 80)),
            Said::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// All that is said, by whoever says it last.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    /// By path of the setting.
    pub(crate) said: BTreeMap<String, (Value, Said)>,
    /// What is wrong, and where that is said.
    pub(crate) mistakes: Vec<(Said, String)>,
}

/// The settings, or all that is wrong with them.
pub(crate) fn read(args: &Args) -> Result<Settings, Failure> {
    layers(args)?.settings()
}

/// Reads the file, the environment and the flags. An error is that the file cannot be read; what is wrong in it is in the layers.
pub(crate) fn layers(args: &Args) -> Result<Layers, Failure> {
    layers_of(args, None)
}

/// The same of another file than the arguments name.
pub(crate) fn layers_of(args: &Args, file: Option<&Path>) -> Result<Layers, Failure> {
    let file = file.map(Path::to_owned).or_else(|| args.settings_file());
    let text = match &file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?,
        None => String::new(),
    };
    let mut layers = Layers::default();
    if let Some(path) = &file {
        layers.file(&path.display().to_string(), &text);
    }
    layers.environment(std::env::vars_os().filter_map(|(name, value)| {
        // A name that is not text is none of ours.
        Some((
            name.into_string().ok()?,
            value.to_string_lossy().into_owned(),
        ))
    }));
    layers.file = file;
    let sql = args
        .sql
        .as_ref()
        .map(|path| path.to_string_lossy().into_owned());
    for (path, flag, value) in [
        ("lake.uri", "--lake", args.lake.clone()),
        ("sql.dir", "--sql", sql),
    ] {
        if let Some(value) = value {
            layers.text(path, Said::Flag(flag), &value);
        }
    }
    Ok(layers)
}

impl Args {
    /// The settings file that is read: the one that is named, or `./guardlake.yaml` where there is one.
    pub(crate) fn settings_file(&self) -> Option<PathBuf> {
        let default = Path::new("guardlake.yaml");
        let given = self.config.clone();
        given.or_else(|| default.exists().then(|| default.to_owned()))
    }
}

impl Layers {
    /// The settings, or all that is wrong with them.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        match self.mistakes.is_empty() {
            true => Ok(self.right()),
            false => Err(Failure::usage(self.told().join("\n"))),
        }
    }

    /// What of the settings is right, for those who look for more mistakes.
    pub(crate) fn right(&self) -> Settings {
        let mut all = Value::Object(Map::new());
        for (path, (value, _)) in &self.said {
            put(&mut all, path, value.clone());
        }
        // Each value was found to do by itself, and no two have to fit each other.
        deserialize(&all).unwrap_or_default()
    }

    /// The mistakes in the order of their places.
    pub(crate) fn told(&self) -> Vec<String> {
        let mut mistakes: Vec<_> = self.mistakes.iter().collect();
        mistakes.sort();
        let line = |(said, what): &(Said, String)| format!("{said}: {what}");
        mistakes.into_iter().map(line).collect()
    }

    pub(super) fn file(&mut self, file: &str, text: &str) {
        let at = |(line, column): Place| Said::File(file.to_owned(), line, column);
        if text
            .lines()
            .all(|line| matches!(line.trim().chars().next(), None | Some('#')))
        {
            return;
        }
        match tree::read(text) {
            Ok(entries) => self.entries(&at, "", entries),
            Err(mistake) => {
                let place = at((mistake.line, mistake.column));
                self.mistakes.push((place, mistake.message));
            }
        }
    }

    /// Entries below `above`, which is empty or ends with a dot.
    fn entries(
        &mut self,
        at: &dyn Fn(Place) -> Said,
        above: &str,
        entries: Vec<(String, Place, Tree)>,
    ) {
        let known = keys();
        for (name, place, tree) in entries {
            let path = format!("{above}{name}");
            let below = format!("{path}.");
            if known.iter().any(|key| key.path == path) {
                self.value(&path, at(place), &tree.value());
            } else if !known.iter().any(|key| key.path.starts_with(&below)) {
                let what = format!(
                    "{}: there is no such setting{}",
                    clean(&path, 80),
                    near(&path, &known)
                );
                self.mistakes.push((at(place), what));
            } else if let Some(entries) = tree.entries() {
                self.entries(at, &below, entries);
            } else {
                let what = format!("{path}: must be lines of `name: ...`");
                self.mistakes.push((at(place), what));
            }
        }
    }

    pub(super) fn environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        let known = keys();
        for (name, value) in variables.filter(|(name, _)| name.starts_with("GUARDLAKE__")) {
            match known
                .iter()
                .find(|key| key.variable() == name.to_uppercase())
            {
                Some(key) => self.text(&key.path, Said::Environment(name), &value),
                None => {
                    let variables: Vec<String> = known.iter().map(Key::variable).collect();
                    let close = variables
                        .iter()
                        .min_by_key(|known| strsim::damerau_levenshtein(known, &name));
                    let close = close.map_or("", String::as_str);
                    let what = format!("there is no such setting; did you mean {close}?");
                    self.mistakes.push((Said::Environment(name), what));
                }
            }
        }
    }

    /// Text where a value belongs that may be a number or a list.
    fn text(&mut self, path: &str, said: Said, text: &str) {
        let as_text = Value::from(text);
        let read = || serde_json::from_str::<Value>(text).ok();
        let value = match alone(path, &as_text) {
            Ok(()) => as_text,
            Err(_) => read().unwrap_or(as_text),
        };
        self.value(path, said, &value);
    }

    /// Takes a value if it will do by itself.
    fn value(&mut self, path: &str, said: Said, value: &Value) {
        let as_text = match value {
            Value::Number(_) | Value::Bool(_) => Some(Value::from(value.to_string())),
            _ => None,
        };
        match alone(path, value) {
            Ok(()) if value.is_null() => {}
            Ok(()) => {
                self.said.insert(path.to_owned(), (value.clone(), said));
            }
            // YAML makes a number of a stream that is called 7.
            Err(_)
                if as_text
                    .as_ref()
                    .is_some_and(|text| alone(path, text).is_ok()) =>
            {
                self.said
                    .insert(path.to_owned(), (as_text.unwrap_or_default(), said));
            }
            Err(why) => self.mistakes.push((said, format!("{path}: {why}"))),
        }
    }
}

/// `; did you mean ...?`: among what may stand there, else anywhere.
fn near(path: &str, known: &[Key]) -> String {
    let (above, name) = path.rsplit_once('.').unwrap_or(("", path));
    let close = |word: &str, known: &str| {
        let distance = strsim::damerau_levenshtein(word, known);
        (distance <= 2.max(known.len() / 3)).then_some(distance)
    };
    let here = known.iter().filter_map(|key| match above {
        "" => key.path.split('.').next(),
        above => key
            .path
            .strip_prefix(above)?
            .strip_prefix('.')?
            .split('.')
            .next(),
    });
    let best = here
        .filter_map(|word| Some((close(name, word)?, word)))
        .min();
    let elsewhere = || {
        let same = known.iter().find(|key| key.parts().1 == name);
        same.map(|key| key.path.as_str())
    };
    match best.map(|(_, word)| word).or_else(elsewhere) {
        Some(word) => format!("; did you mean `{word}`?"),
        None => String::new(),
    }
}

/// Whether a value will do where it stands, whatever else is said.
fn alone(path: &str, value: &Value) -> Result<(), String> {
    let mut all = Value::Object(Map::new());
    put(&mut all, path, value.clone());
    let Err((at, why)) = deserialize(&all) else {
        return Ok(());
    };
    let inside = at.strip_prefix(path).unwrap_or_default();
    let key = keys().into_iter().find(|key| key.path == path);
    let of_type = ["invalid type", "invalid value", "unknown variant"];
    match key {
        Some(key) if key.is_secret => Err(must_be(&key, value)),
        Some(key) if inside.is_empty() && of_type.iter().any(|start| why.starts_with(start)) => {
            Err(must_be(&key, value))
        }
        _ if inside.is_empty() => Err(clean(&why, 400).into_owned()),
        _ => Err(format!("at {}: {}", clean(inside, 80), clean(&why, 400))),
    }
}

pub(super) fn must_be(key: &Key, value: &Value) -> String {
    let shown = match value {
        _ if key.is_secret => return format!("must be {}", key.kind),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!("must be {}, not `{}`", key.kind, clean(&shown, 80))
}

/// The settings, or where something is wrong and what.
fn deserialize(all: &Value) -> Result<Settings, (String, String)> {
    serde_path_to_error::deserialize(all).map_err(|error| {
        let at = error.path().to_string();
        (at, error.into_inner().to_string())
    })
}

fn put(all: &mut Value, path: &str, value: Value) {
    let mut slot = all;
    for key in path.split('.') {
        if !slot.is_object() {
            *slot = json!({});
        }
        slot = &mut slot[key];
    }
    *slot = value;
}
