//! `guardlake rule test`: plays timelines and says what was other than expected.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use alerts::{Mistake, Rule, clean};
use jobs::rules::{self, RuleFile};
use jobs::timeline::{Case, Stage, Suite, Timeline, junit};
use jobs::{Library, Source, closest, render_mistake};
use serde_json::json;

use super::tell;
use crate::args::Format;
use crate::failure::{Failure, note};
use crate::output;

/// Plays the timelines at `paths`, or all that lie beside the rules of the library.
pub(super) async fn run(
    library: &Library,
    paths: &[PathBuf],
    report: Option<&Path>,
    format: Format,
) -> Result<ExitCode, Failure> {
    let sources = sources(library, paths)?;
    let known = rules::load(library);
    let stage = Stage::open(library).await?;
    let (mut suites, mut wrong) = (Vec::new(), 0);
    for source in &sources {
        match suite(&stage, &known, source, format).await? {
            Some(suite) => suites.push(suite),
            None => wrong += 1,
        }
    }
    if let Some(file) = report {
        std::fs::write(file, junit(&suites))
            .map_err(|error| Failure::io(format!("cannot write {}: {error}", file.display())))?;
    }
    let cases: Vec<(&Suite, &Case)> = suites
        .iter()
        .flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)))
        .collect();
    if !is_for_people(format) {
        let rows: Vec<_> = cases
            .iter()
            .map(|(suite, case)| {
                json!({
                    "rule": suite.name,
                    "test": case.name,
                    "ok": case.failures.is_empty(),
                    "differences": case.failures,
                    "file": suite.file,
                    "line": case.line,
                    "milliseconds": case.took.as_millis() as u64,
                })
            })
            .collect();
        let columns = [
            "rule",
            "test",
            "ok",
            "differences",
            "file",
            "line",
            "milliseconds",
        ];
        output::values(&rows, &columns, format)?;
    }
    if paths.is_empty() {
        untested(&known, &suites);
    }
    let failed = cases.iter().filter(|(_, case)| !case.failures.is_empty());
    let failed = failed.count();
    let wrong_files = match wrong {
        0 => String::new(),
        1 => ", 1 file wrong".to_owned(),
        wrong => format!(", {wrong} files wrong"),
    };
    note(&format!(
        "tests: {}, of rules: {}; {} ok, {failed} failed{wrong_files}",
        cases.len(),
        suites.len(),
        cases.len() - failed,
    ));
    Ok(match (wrong, failed) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(1),
        _ => ExitCode::from(2),
    })
}

fn is_for_people(format: Format) -> bool {
    matches!(format, Format::Table | Format::Markdown)
}

fn sources(library: &Library, paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    if paths.is_empty() {
        return Ok(library.timelines().cloned().collect());
    }
    let mut sources = Vec::new();
    for path in paths {
        let found = Library::timelines_at(path)
            .map_err(|error| Failure::usage(super::super::with_source(&error)))?;
        if found.is_empty() {
            let path = path.display();
            return Err(Failure::usage(format!("{path}: there are no .yaml files")));
        }
        sources.extend(found);
    }
    Ok(sources)
}

/// The results of one file; `None` where the file or its rule is wrong, which has been told.
async fn suite(
    stage: &Stage,
    known: &[RuleFile],
    source: &Source,
    format: Format,
) -> Result<Option<Suite>, Failure> {
    let timeline = match Timeline::parse(&source.file, &source.text) {
        Ok(timeline) => timeline,
        Err(error) => {
            tell(&source.file, &source.text, &error.mistakes);
            return Ok(None);
        }
    };
    let Some(rule) = rule(known, source, &timeline)? else {
        return Ok(None);
    };
    let checked = match &rule.rule {
        Ok(parsed) => rules::check(stage.session(), parsed).await.map(|()| parsed),
        Err(error) => Err(error.clone()),
    };
    let parsed: &Rule = match checked {
        Ok(parsed) => parsed,
        Err(error) => {
            tell(&rule.file, &rule.text, &error.mistakes);
            return Ok(None);
        }
    };
    let mut cases = Vec::new();
    for test in &timeline.tests {
        let begun = Instant::now();
        let failures = stage.play(parsed, &timeline, test).await?;
        let case = Case {
            name: test.name.clone(),
            line: test.line,
            took: begun.elapsed(),
            failures,
        };
        if is_for_people(format) {
            show(&timeline.rule, &case)?;
        }
        cases.push(case);
    }
    Ok(Some(Suite {
        name: timeline.rule,
        file: timeline.file,
        cases,
    }))
}

fn show(rule: &str, case: &Case) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let verdict = match case.failures.is_empty() {
        true => "ok    ",
        false => "FAILED",
    };
    let told = writeln!(
        out,
        "{verdict}  {}: {}",
        clean(rule, 80),
        clean(&case.name, 160)
    )
    .and_then(|()| {
        case.failures
            .iter()
            .try_for_each(|failure| writeln!(out, "          {}", clean(failure, 1_000)))
    });
    match told {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// The rule that a timeline is about: one of the library, or a file beside the timeline or its folder.
fn rule(
    known: &[RuleFile],
    source: &Source,
    timeline: &Timeline,
) -> Result<Option<RuleFile>, Failure> {
    if let Some(file) = known.iter().find(|file| file.id == timeline.rule) {
        return Ok(Some(file.clone()));
    }
    let folder = Path::new(&source.file).parent().unwrap_or(Path::new(""));
    let is_name = !timeline.rule.contains(['/', '\\']) && timeline.rule != "..";
    for folder in [folder.to_owned(), folder.join("..")] {
        let file = folder.join(format!("{}.sql", timeline.rule));
        if is_name && file.is_file() {
            return super::rule_at(&file).map(Some);
        }
    }
    let near = closest(&timeline.rule, known.iter().map(|file| file.id.as_str()))
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let mistake = Mistake {
        line: timeline.rule_at.0,
        column: timeline.rule_at.1,
        message: format!(
            "rule: there is no rule `{}`{near}",
            clean(&timeline.rule, 80)
        ),
    };
    note(render_mistake(&source.file, &source.text, &mistake).trim_end());
    Ok(None)
}

/// Says which rules have no timeline.
fn untested(known: &[RuleFile], suites: &[Suite]) {
    let without: Vec<&str> = known
        .iter()
        .filter_map(|file| file.rule.as_ref().ok())
        .map(|rule| rule.id.as_str())
        .filter(|id| !suites.iter().any(|suite| suite.name == *id))
        .collect();
    if !without.is_empty() {
        note(&format!("no timeline: {}", without.join(", ")));
    }
}
