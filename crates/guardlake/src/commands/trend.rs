//! `guardlake trend`: the questions in `sql/trends`, listed or asked.

use std::process::ExitCode;

use jobs::{Given, Kind, Script};
use serde_json::json;

use super::{given, library, session};
use crate::args::{Format, Trend};
use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;

pub(crate) async fn run(
    args: Trend,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    let library = library(settings, None)?;
    let wrong = |error: jobs::ScriptError| Failure::query(super::with_source(&error));
    let scripts = library.scripts(Kind::Trend).map_err(wrong)?;
    let Some(name) = args.name else {
        list(&scripts, format)?;
        return Ok(ExitCode::SUCCESS);
    };
    let Some(script) = scripts.iter().find(|script| script.source.name == name) else {
        let names = scripts.iter().map(|script| script.source.name.as_str());
        let close = names
            .min_by_key(|known| strsim::damerau_levenshtein(known, &name))
            .unwrap_or_default();
        return Err(Failure::usage(format!(
            "there is no trend `{name}`; did you mean `{close}`? `guardlake trend` lists them"
        )));
    };
    let mut given: Given = given(&args.params)?;
    given.extend(
        [("from", args.from), ("to", args.to)]
            .into_iter()
            .filter_map(|(n, v)| Some((n.to_owned(), v?))),
    );
    let session = session(settings, &library).await?;
    print(&session, script, &given, format).await?;
    Ok(ExitCode::SUCCESS)
}

fn list(scripts: &[Script], format: Format) -> Result<(), Failure> {
    let rows: Vec<_> = scripts
        .iter()
        .map(|script| {
            let parameters = script.header.parameters.iter().map(|p| match &p.default {
                Some(default) => format!("{}={default}", p.name),
                None => p.name.clone(),
            });
            json!({
                "name": script.source.name,
                "title": script.header.title,
                "parameters": parameters.collect::<Vec<_>>().join(", "),
            })
        })
        .collect();
    output::values(&rows, &["name", "title", "parameters"], format)
}

async fn print(
    session: &jobs::Session,
    script: &Script,
    given: &Given,
    format: Format,
) -> Result<(), Failure> {
    let wrong = |error: jobs::QueryError| {
        Failure::query(error.render(&script.source.file, &script.source.text))
    };
    let answer = session.run(script, given).await.map_err(wrong)?;
    let schema = answer.schema();
    let batches = answer.collect().await.map_err(wrong)?;
    output::rows(&schema, &batches, format)
}
