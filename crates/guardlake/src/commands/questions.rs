//! Named questions, listed or asked: what `trend` and `investigate`, and the prompt's `\trend` and `\investigate`, have in common.

use jobs::{Given, Kind, Library, QueryError, Script, closest};
use serde_json::{Value, json};

use super::worked_on::WorkedOn;
use super::{answer, library, with_source};
use crate::args::{Bounds, Format};
use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;

/// The command that asks questions of a kind.
fn command(kind: Kind) -> &'static str {
    match kind {
        Kind::Investigation => "investigate",
        _ => "trend",
    }
}

/// What a question of a kind is called.
fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Investigation => "investigation",
        _ => "trend",
    }
}

/// Lists the questions of a kind, or asks one. `value` is that of the one parameter that must be given.
pub(crate) async fn run(
    kind: Kind,
    name: Option<&str>,
    value: Option<&str>,
    mut given: Given,
    bounds: &Bounds,
    settings: &Settings,
    format: Format,
) -> Result<(), Failure> {
    let library = library(settings, None)?;
    let Some(name) = name else {
        let columns = ["name", "title", "must be given", "may be given"];
        return output::values(&list(&library, kind)?, &columns, format);
    };
    answer::check(bounds)?;
    let script = find(&library, kind, name)?;
    positional(&script, kind, value, &mut given)?;
    let limits = answer::limits(bounds)?;
    let worked_on = WorkedOn::of(bounds).await?;
    let wrong = |error: QueryError| wrong(&script, error);
    let told = async {
        let session = worked_on.session(settings, &library, &limits).await?;
        let asked = session.run(&script, &given).await.map_err(wrong)?;
        answer::tell(asked, bounds, format, wrong).await
    };
    worked_on.during(told).await
}

/// A mistake, with the place in the question's file.
pub(crate) fn wrong(script: &Script, error: QueryError) -> Failure {
    Failure::asked(&error, &script.source.file, &script.source.text)
}

/// One object a question, for [`output::values`]. What all trends take is said once, in the help and `docs/ask.md`.
pub(crate) fn list(library: &Library, kind: Kind) -> Result<Vec<Value>, Failure> {
    let scripts = library
        .scripts(kind)
        .map_err(|e| Failure::query(with_source(&e)))?;
    let row = |script: &Script| {
        let own = || script.header.parameters.iter().filter(|p| !p.common);
        let needed = own()
            .filter(|p| p.default.is_none())
            .map(|p| p.name.clone());
        let optional = own().filter_map(|p| Some(format!("{}={}", p.name, p.default.as_ref()?)));
        json!({
            "name": script.source.name,
            "title": script.header.title,
            "must be given": needed.collect::<Vec<_>>().join(", "),
            "may be given": optional.collect::<Vec<_>>().join(", "),
        })
    };
    Ok(scripts.iter().map(row).collect())
}

/// The question of a name, or what may have been meant.
pub(crate) fn find(library: &Library, kind: Kind, name: &str) -> Result<Script, Failure> {
    let found = library
        .script(kind, name)
        .map_err(|e| Failure::query(with_source(&e)))?;
    found.ok_or_else(|| {
        let (noun, command) = (noun(kind), command(kind));
        let other = [Kind::Trend, Kind::Investigation]
            .into_iter()
            .find(|other| *other != kind && library.sources(*other).any(|s| s.name == name));
        let hint = match (other, nearest(library, kind, name)) {
            (Some(other), _) => format!("it is asked by `guardlake {}`", self::command(other)),
            (None, Some(close)) => {
                format!("did you mean `{close}`? `guardlake {command}` lists them")
            }
            (None, None) => format!("`guardlake {command}` lists them"),
        };
        Failure::usage(format!("there is no {noun} `{name}`; {hint}"))
    })
}

/// The name that is nearest, if any is near: a slip, or a part of the name.
fn nearest<'a>(library: &'a Library, kind: Kind, name: &str) -> Option<&'a str> {
    let names = || library.sources(kind).map(|source| source.name.as_str());
    closest(name, names())
        .or_else(|| names().find(|known| name.len() > 2 && known.contains(name)))
        .or_else(|| names().min_by_key(|known| strsim::damerau_levenshtein(known, name)))
}

/// Puts the value without a name where it belongs, and says what is missing.
pub(crate) fn positional(
    script: &Script,
    kind: Kind,
    value: Option<&str>,
    given: &mut Given,
) -> Result<(), Failure> {
    let name = &script.source.name;
    let parameters = &script.header.parameters;
    let unset = parameters
        .iter()
        .filter(|p| p.default.is_none() && !given.contains_key(&p.name));
    let mut unset: Vec<String> = unset.map(|p| p.name.clone()).collect();
    if let Some(value) = value {
        if unset.is_empty() {
            let all: Vec<_> = parameters.iter().map(|p| p.name.as_str()).collect();
            return Err(Failure::usage(format!(
                "`{name}` needs no value `{value}`; what it takes is given as -p name=value: {}",
                all.join(", ")
            )));
        }
        given.insert(unset.remove(0), value.to_owned());
    }
    // A slip in a name is told before what it leaves missing.
    let unknown = given
        .keys()
        .find(|name| parameters.iter().all(|p| p.name != **name));
    if let Some(unknown) = unknown {
        let names = || parameters.iter().map(|p| p.name.as_str());
        let hint = match closest(unknown, names()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("it takes {}", names().collect::<Vec<_>>().join(", ")),
        };
        return Err(Failure::usage(format!(
            "`{name}` has no parameter `{unknown}`; {hint}"
        )));
    }
    match unset
        .first()
        .and_then(|first| parameters.iter().find(|p| p.name == *first))
    {
        None => Ok(()),
        Some(missing) => Err(Failure::usage(format!(
            "`{name}` needs {}: {} (guardlake {} {name} VALUE, or -p {}=VALUE)",
            missing.name,
            missing.description,
            command(kind),
            missing.name
        ))),
    }
}
