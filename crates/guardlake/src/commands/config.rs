//! `guardlake config`: makes a settings file, says what is wrong with one, and what holds.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jobs::{Limits, Session, rules};
use serde_json::{Value, json};

use super::{library, notify, report, suppressions};
use crate::args::{Args, Config, Format, SuppressionFolder};
use crate::failure::{Failure, note};
use crate::output;
use crate::settings::{self, Key, Layers, Settings};

pub(crate) async fn run(config: &Config, args: &Args, format: Format) -> Result<ExitCode, Failure> {
    match config {
        Config::Init { file, force } => {
            let named = file.as_ref().or(args.config.as_ref());
            let file = named.map_or_else(|| PathBuf::from("guardlake.yaml"), Clone::clone);
            init(&file, *force)
        }
        Config::Validate { file } => validate(&settings::layers_of(args, file.as_deref())?).await,
        Config::Show => show(&settings::layers(args)?, format),
        Config::Schema => {
            let text = match args.format {
                Some(Format::Markdown) => settings::table(),
                _ => format!("{:#}\n", settings::schema()),
            };
            output::text(&text).map(|()| ExitCode::SUCCESS)
        }
        Config::Path => path(args),
    }
}

/// Writes the file and its schema. What is there stays, unless told otherwise.
fn init(file: &Path, force: bool) -> Result<ExitCode, Failure> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let schema = file.with_file_name(format!("{stem}.schema.json"));
    let schema_name = schema.file_name().unwrap_or_default().to_string_lossy();
    let document = settings::document(&format!("./{schema_name}"));
    write(file, &document, force)?;
    let text = format!("{:#}\n", settings::schema());
    if std::fs::read_to_string(&schema).is_ok_and(|found| found == text) {
        note(&format!("{} is written", file.display()));
    } else {
        write(&schema, &text, force)?;
        note(&format!(
            "{} and {} are written",
            file.display(),
            schema.display()
        ));
    }
    note("next: set lake.uri, then `guardlake config validate` and `guardlake doctor`");
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::usage(format!(
            "{} is there already; --force replaces it",
            path.display()
        )),
        _ => Failure::io(format!("cannot write {}: {error}", path.display())),
    };
    let mut options = std::fs::OpenOptions::new();
    options
        .write(true)
        .truncate(force)
        .create(force)
        .create_new(!force);
    let mut out = options.open(path).map_err(cannot)?;
    out.write_all(text.as_bytes()).map_err(cannot)
}

/// Says all that is wrong, with settings, then with the files that they name.
async fn validate(layers: &Layers) -> Result<ExitCode, Failure> {
    let mut wrong = layers.told();
    let settings = layers.right();
    let mut right = vec![format!("settings said: {}", layers.said.len())];
    for outcome in [
        check_sql_and_rules(&settings).await,
        check_suppressions(&settings),
        check_notify(&settings),
        check_reports(&settings),
    ] {
        match outcome {
            Ok(Some(what)) => right.push(what),
            Ok(None) => {}
            Err(lines) => wrong.extend(lines),
        }
    }
    let file = layers.file.as_ref().map_or_else(
        || "no settings file".to_owned(),
        |file| file.display().to_string(),
    );
    if wrong.is_empty() {
        note(&format!("{file}: all is well: {}", right.join(", ")));
        return Ok(ExitCode::SUCCESS);
    }
    for line in &wrong {
        note(&format!(
            "error: {}",
            line.strip_prefix("error: ").unwrap_or(line).trim_end()
        ));
    }
    note(&format!("{file}: {} mistakes", wrong.len()));
    Ok(ExitCode::from(3))
}

/// What was looked at, or each thing that is wrong with it.
pub(super) type Looked = Result<Option<String>, Vec<String>>;

fn lines(failure: &Failure) -> Vec<String> {
    failure.lines().map(str::to_owned).collect()
}

/// Rules and views, built-in ones with the user's over them.
pub(super) async fn check_sql_and_rules(settings: &Settings) -> Looked {
    let library = library(settings, None).map_err(|failure| lines(&failure))?;
    let session = Session::in_memory(vec![], &library, &Limits::default()).await;
    let session = session.map_err(|error| lines(&error.into()))?;
    let files = rules::load(&library);
    let mut wrong = Vec::new();
    for file in &files {
        let outcome = match &file.rule {
            Ok(rule) => rules::check(&session, rule).await,
            Err(error) => Err(error.clone()),
        };
        if let Err(error) = outcome {
            let told = error.mistakes.iter().map(|mistake| {
                let (line, column) = (mistake.line, mistake.column);
                format!("{}:{line}:{column}: {}", file.file, mistake.message)
            });
            wrong.extend(told);
        }
    }
    match wrong.is_empty() {
        true => Ok(Some(format!("{} rules", files.len()))),
        false => Err(wrong),
    }
}

/// Files that say what is known to be harmless.
pub(super) fn check_suppressions(settings: &Settings) -> Looked {
    let read = suppressions(settings, &SuppressionFolder::default());
    let read = read.map_err(|failure| lines(&failure))?;
    let any = settings.suppressions.dir.is_some();
    Ok(any.then(|| format!("{} suppressions", read.len())))
}

/// The file of channels and routes; secrets are not read.
pub(super) fn check_notify(settings: &Settings) -> Looked {
    let setup = notify::setup(settings, None).map_err(|failure| lines(&failure))?;
    Ok(setup.map(|setup| format!("{} channels", setup.channels().count())))
}

/// Reports, built-in ones with the user's over them.
pub(super) fn check_reports(settings: &Settings) -> Looked {
    let library = library(settings, None).map_err(|failure| lines(&failure))?;
    let wrong = report::mistakes(&library, settings);
    match wrong.is_empty() {
        true => Ok(Some(format!("{} reports", library.reports().count()))),
        false => Err(wrong),
    }
}

/// What holds, with who says so.
fn show(layers: &Layers, format: Format) -> Result<ExitCode, Failure> {
    layers.settings()?;
    let rows: Vec<Value> = settings::keys()
        .iter()
        .map(|key| row(key, layers))
        .collect();
    output::values(&rows, &["key", "value", "source"], format)?;
    Ok(ExitCode::SUCCESS)
}

fn row(key: &Key, layers: &Layers) -> Value {
    let (value, source) = match layers.said.get(&key.path) {
        Some((value, said)) => (value.clone(), said.to_string()),
        None => (key.default.clone(), "default".to_owned()),
    };
    let value = match value {
        Value::Null => Value::Null,
        _ if key.is_secret => "(not shown)".into(),
        Value::String(text) => without_password(&text).into(),
        other => other,
    };
    json!({ "key": key.path, "value": value, "source": source })
}

/// An address without what stands before its `@`.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let host_ends = rest.find('/').unwrap_or(rest.len());
    match rest[..host_ends].rfind('@') {
        Some(at) => format!("{scheme}://(not shown){}", &rest[at..]),
        None => text.to_owned(),
    }
}

fn path(args: &Args) -> Result<ExitCode, Failure> {
    let Some(file) = args.settings_file() else {
        note("there is no settings file here; `guardlake config init` writes ./guardlake.yaml");
        return Ok(ExitCode::from(1));
    };
    let whole = std::path::absolute(&file).unwrap_or(file);
    output::text(&format!("{}\n", whole.display()))?;
    Ok(match whole.exists() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let mut key = settings::keys().remove(0);
        key.is_secret = true;
        key.default = "hunter22".into();
        assert_eq!(row(&key, &Layers::default())["value"], "(not shown)");
    }

    #[test]
    fn no_password_of_an_address_is_shown() {
        let shown = without_password("s3://key:secret@bucket/a@b");
        assert_eq!(shown, "s3://(not shown)@bucket/a@b");
        for plain in ["./lake", "s3://bucket/a@b", "guardduty@eu-west-1"] {
            assert_eq!(without_password(plain), plain);
        }
    }
}
