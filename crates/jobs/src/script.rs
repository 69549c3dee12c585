//! A file of `sql/`: its header, and the library of all of them with the user's own laid over the built-in ones.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use crate::common;
use crate::params::Parameter;

/// `(folder, stem, text)` of every file, made by `build.rs`.
const BUILT_IN: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/sql.rs"));

/// `(stem, text)` of the timelines in `sql/alerts/tests`, made by `build.rs`.
const TIMELINES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/timelines.rs"));

/// `(stem, text)` of the reports in `sql/reports`, made by `build.rs`.
const REPORTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/reports.rs"));

/// The folder of timelines beside alert rules.
const TESTS: &str = "tests";
/// What the name of a report's own frame ends in.
const FRAME: &str = "j2";

/// What a file is for: the folder that it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A named query that others select from.
    View,
    /// A question asked over a period.
    Trend,
    /// An alert rule: [`crate::rules`] reads its header.
    Alert,
    /// A question asked about one thing: an address, an account, a finding.
    Investigation,
    /// A question that only reports ask. Reports themselves are [`Library::reports`].
    Report,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 5] = [
        Kind::View,
        Kind::Trend,
        Kind::Alert,
        Kind::Investigation,
        Kind::Report,
    ];

    /// The folder in `sql/`.
    pub fn folder(self) -> &'static str {
        match self {
            Kind::View => "views",
            Kind::Trend => "trends",
            Kind::Alert => "alerts",
            Kind::Investigation => "investigations",
            Kind::Report => "reports",
        }
    }
}

/// The text of one file, its header not yet read.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file's stem.
    pub name: String,
    /// Where it came from: `sql/trends/regions.sql` for built-in ones, the path as given for the user's own.
    pub file: String,
    /// The whole text.
    pub text: Arc<str>,
}

impl Source {
    /// Whether it holds Sigma documents rather than SQL.
    pub fn is_sigma(&self) -> bool {
        is_sigma(Path::new(&self.file))
    }

    /// Whether it is what the binary carries, to the letter.
    pub fn is_built_in(&self) -> bool {
        let mut files = BUILT_IN.iter();
        files.any(|(folder, name, text)| {
            *name == self.name
                && *text == &*self.text
                && self.file == format!("sql/{folder}/{name}.sql")
        })
    }

    /// What it replaces others by: rules may be of one name in SQL and in Sigma, and that is told when they are read.
    fn key(&self) -> String {
        match Path::new(&self.file).extension() {
            Some(kind) if self.is_sigma() => format!("{}.{}", self.name, kind.display()),
            _ => self.name.clone(),
        }
    }
}

fn is_sigma(file: &Path) -> bool {
    file.extension()
        .is_some_and(|kind| kind == "yml" || kind == "yaml")
}

/// A view, trend or investigation.
#[derive(Debug, Clone)]
pub struct Script {
    /// Its text and place.
    pub source: Source,
    /// What it asks, takes and returns.
    pub header: Header,
}

/// The YAML in the leading comment of a script.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// What it asks, in a few words.
    pub title: String,
    /// What is counted and how.
    #[serde(default)]
    pub description: String,
    /// What it takes.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// What its columns mean.
    #[serde(default)]
    pub returns: String,
}

/// A file of `sql/` that cannot be read. Repair the file.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The folder or file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The header is missing or wrong.
    #[error("{file}:{line}:{column}: {message}")]
    Header {
        /// Which file.
        file: String,
        /// Line in the file, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What is wrong with it.
        message: String,
    },
}

/// All files of `sql/`.
#[derive(Debug, Clone, Default)]
pub struct Library {
    sources: BTreeMap<(Kind, String), Source>,
    timelines: BTreeMap<String, Source>,
    reports: BTreeMap<String, Source>,
    frames: BTreeMap<String, Source>,
}

impl Library {
    /// What the binary carries.
    pub fn built_in() -> Library {
        let mut library = Library::default();
        for (folder, name, text) in BUILT_IN {
            let kind = Kind::ALL.into_iter().find(|kind| kind.folder() == *folder);
            library.insert(
                kind.expect("build.rs lists the folders of Kind"),
                Source {
                    name: (*name).to_owned(),
                    file: format!("sql/{folder}/{name}.sql"),
                    text: Arc::from(*text),
                },
            );
        }
        for (name, text) in TIMELINES {
            let source = Source {
                name: (*name).to_owned(),
                file: format!("sql/alerts/{TESTS}/{name}.yaml"),
                text: Arc::from(*text),
            };
            library.timelines.insert(source.name.clone(), source);
        }
        for (name, text) in REPORTS {
            let source = Source {
                name: (*name).to_owned(),
                file: format!("sql/reports/{name}.yaml"),
                text: Arc::from(*text),
            };
            library.reports.insert(source.name.clone(), source);
        }
        library
    }

    /// The built-in files with `views/ trends/ alerts/ investigations/ reports/` of a folder over them: the same name replaces, others
    /// add.
    pub fn with_overlay(overlay: &Path) -> Result<Library, ScriptError> {
        let mut library = Library::built_in();
        // A folder that is not there is a typing mistake; a part of it that is not there is not.
        std::fs::read_dir(overlay).map_err(|source| ScriptError::Read {
            path: overlay.to_owned(),
            source,
        })?;
        for kind in Kind::ALL {
            let folder = overlay.join(kind.folder());
            if folder.is_dir() {
                for source in read_folder(&folder, endings(kind))? {
                    // What was said of the built-in rule of this name need not hold of this one.
                    if kind == Kind::Alert {
                        library.timelines.remove(&source.name);
                    }
                    library.insert(kind, source);
                }
            }
        }
        library.read_timelines(&overlay.join(Kind::Alert.folder()))?;
        let reports = overlay.join(Kind::Report.folder());
        if reports.is_dir() {
            for source in read_folder(&reports, &["yaml", "yml"])? {
                library.reports.insert(source.name.clone(), source);
            }
            for source in read_folder(&reports, &[FRAME])? {
                library.frames.insert(source.name.clone(), source);
            }
        }
        Ok(library)
    }

    /// The files of reports, by name, not yet read.
    pub fn reports(&self) -> impl Iterator<Item = &Source> {
        self.reports.values()
    }

    /// The templates beside reports, named without their `.j2`: `NAME.html` is the frame of the report NAME.
    pub fn frames(&self) -> impl Iterator<Item = &Source> {
        self.frames.values()
    }

    /// The same with `rules` as the only alert rules: every `.sql`, `.yml` and `.yaml` file of that folder.
    pub fn with_rules_only(mut self, rules: &Path) -> Result<Library, ScriptError> {
        self.sources.retain(|(kind, _), _| *kind != Kind::Alert);
        self.timelines.clear();
        for source in read_folder(rules, endings(Kind::Alert))? {
            self.insert(Kind::Alert, source);
        }
        self.read_timelines(rules)?;
        Ok(self)
    }

    /// The timelines of the alert rules: `tests/*.yaml` beside them, by the file's stem.
    pub fn timelines(&self) -> impl Iterator<Item = &Source> {
        self.timelines.values()
    }

    /// Reads the timelines of `path`: one file, or all `.yaml` and `.yml` files of a folder.
    pub fn timelines_at(path: &Path) -> Result<Vec<Source>, ScriptError> {
        match path.is_dir() {
            true => read_folder(path, &["yaml", "yml"]),
            false => read_file(path).map(|source| vec![source]),
        }
    }

    /// One file, whatever its folder.
    pub fn source_at(path: &Path) -> Result<Source, ScriptError> {
        read_file(path)
    }

    fn read_timelines(&mut self, rules: &Path) -> Result<(), ScriptError> {
        let folder = rules.join(TESTS);
        if folder.is_dir() {
            for source in read_folder(&folder, &["yaml", "yml"])? {
                self.timelines.insert(source.name.clone(), source);
            }
        }
        Ok(())
    }

    /// Adds a file, or replaces the one of its kind and name.
    pub fn insert(&mut self, kind: Kind, source: Source) {
        self.sources.insert((kind, source.key()), source);
    }

    /// All files of a kind by name.
    pub fn sources(&self, kind: Kind) -> impl Iterator<Item = &Source> {
        self.sources
            .iter()
            .filter(move |((k, _), _)| *k == kind)
            .map(|(_, source)| source)
    }

    /// All scripts of a kind by name, headers read.
    pub fn scripts(&self, kind: Kind) -> Result<Vec<Script>, ScriptError> {
        self.sources(kind)
            .map(|source| Script::read_as(kind, source.clone()))
            .collect()
    }

    /// One script; `None` when there is none of that name.
    pub fn script(&self, kind: Kind, name: &str) -> Result<Option<Script>, ScriptError> {
        self.sources
            .get(&(kind, name.to_owned()))
            .map(|source| Script::read_as(kind, source.clone()))
            .transpose()
    }
}

impl Script {
    /// Reads the header of a file; a trend's is completed by what all trends take.
    pub fn read_as(kind: Kind, source: Source) -> Result<Script, ScriptError> {
        let mut script = Script::read(source)?;
        if kind == Kind::Trend {
            common::complete(&mut script.header, &script.source.text);
        }
        Ok(script)
    }

    /// Reads the header of a file.
    pub fn read(source: Source) -> Result<Script, ScriptError> {
        let wrong = |line, column, message: String| ScriptError::Header {
            file: source.file.clone(),
            line,
            column,
            message,
        };
        let Some((first_line, yaml)) = leading_comment(&source.text) else {
            return Err(wrong(
                1,
                1,
                "no header: begin with a block comment that says title, description and parameters"
                    .into(),
            ));
        };
        let header: Header = serde_saphyr::from_str(&yaml).map_err(|error| {
            let at = error.location();
            let line = first_line + at.map_or(1, |at| at.line()).max(1) - 1;
            wrong(
                line,
                at.map_or(1, |at| at.column()).max(1),
                one_line(&error),
            )
        })?;
        for parameter in &header.parameters {
            parameter.check().map_err(|message| {
                let line = yaml
                    .lines()
                    .position(|l| l.contains(&format!("name: {}", parameter.name)))
                    .unwrap_or(0);
                wrong(first_line + line as u64, 1, message)
            })?;
        }
        Ok(Script { source, header })
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source.name, self.header.title)
    }
}

/// The text of the leading `/* */` block, or of the leading `--` lines without their dashes, and the line it begins on (from 1).
fn leading_comment(text: &str) -> Option<(u64, String)> {
    let body = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    let before = text.len() - body.len();
    let first_line = 1 + text[..before].matches('\n').count() as u64;
    if let Some(comment) = body.strip_prefix("/*") {
        return comment
            .find("*/")
            .map(|end| (first_line, comment[..end].to_owned()));
    }
    let lines: Vec<&str> = body
        .lines()
        .map_while(|line| line.strip_prefix("--"))
        .collect();
    let unpadded = lines
        .iter()
        .map(|line| line.strip_prefix(' ').unwrap_or(line));
    (!lines.is_empty()).then(|| (first_line, unpadded.collect::<Vec<_>>().join("\n")))
}

fn one_line(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unreadable(path: &Path, source: std::io::Error) -> ScriptError {
    ScriptError::Read {
        path: path.to_owned(),
        source,
    }
}

/// What the files of a kind end in.
fn endings(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Alert => &["sql", "yml", "yaml"],
        _ => &["sql"],
    }
}

fn read_folder(folder: &Path, endings: &[&str]) -> Result<Vec<Source>, ScriptError> {
    let mut files = std::fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.path()))
                .collect::<std::io::Result<Vec<_>>>()
        })
        .map_err(|error| unreadable(folder, error))?;
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| endings.iter().any(|ending| extension == *ending))
    });
    files.sort();
    files.iter().map(|file| read_file(file)).collect()
}

fn read_file(file: &Path) -> Result<Source, ScriptError> {
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, error))?;
    let name = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Ok(Source {
        name,
        file: file.display().to_string(),
        text: text.into(),
    })
}
