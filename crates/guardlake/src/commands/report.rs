//! `guardlake report`: which reports there are, and making them by hand.

pub(crate) mod make;

use std::collections::BTreeMap;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use jobs::reports::{Asked, ReportFile, load, log, put, unknown_questions, write};
use jobs::{Library, Limits};
use lake::{ReportRow, ReportStep, Shelf};
use reports::{Format as As, Period};
use serde_json::json;

use super::{given, library, notify, session};
use crate::args::{Format, Report, RunReport};
use crate::failure::{Failure, note};
use crate::settings::Settings;
use crate::{output, wire_up};

/// Periods of one back-fill at most: twenty years of days would be a typing mistake.
const MOST: usize = 2_000;

pub(crate) async fn run(
    args: Report,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    let library = library(settings, None)?;
    match args {
        Report::List => list(settings, &library, format).await,
        Report::Check => check(&library, settings),
        Report::Run(args) => by_hand(args, settings, &library, format).await,
    }
}

/// Everything that is wrong with the reports of a library, a line each: with their channels, too.
pub(crate) fn mistakes(library: &Library, settings: &Settings) -> Vec<String> {
    let mut wrong = Vec::new();
    // What is wrong with the file of channels is said elsewhere.
    let setup = notify::setup(settings, None).ok().flatten();
    let is_channel = |name: &String| match &setup {
        Some(setup) => setup.channels().any(|(known, _)| known == name),
        None => settings.notify.file.is_some(),
    };
    for file in load(library) {
        if let Ok(report) = &file.report {
            let channels = report.deliver.channels.iter();
            wrong.extend(channels.filter(|name| !is_channel(name)).map(|name| {
                let file = &file.source.file;
                format!("{file}: deliver.channels: there is no channel `{name}` in notify.file")
            }));
        }
        match &file.report {
            Err(error) => wrong.push(error.to_string()),
            Ok(report) => match unknown_questions(report, library) {
                Err(error) => wrong.push(super::with_source(&error)),
                Ok(unknown) => wrong.extend(unknown.iter().map(|question| {
                    let file = &file.source.file;
                    format!("{file}: there is no question `{question}`: not in trends/, investigations/ or reports/")
                })),
            },
        }
    }
    wrong
}

fn check(library: &Library, settings: &Settings) -> Result<ExitCode, Failure> {
    let wrong = mistakes(library, settings);
    wrong.iter().for_each(|line| note(line));
    let count = library.reports().count();
    note(&format!(
        "{count} reports checked, {} mistakes",
        wrong.len()
    ));
    Ok(match wrong.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(2),
    })
}

async fn list(settings: &Settings, library: &Library, format: Format) -> Result<ExitCode, Failure> {
    let made = match &settings.lake.uri {
        Some(_) => wire_up::lake(settings).await?.reports().await?.1,
        None => Vec::new(),
    };
    let now = wire_up::now();
    let row = |file: &ReportFile| {
        let name = &file.source.name;
        let newest = made
            .iter()
            .filter(|row| row.report == *name && row.step == ReportStep::Made)
            .max_by_key(|row| row.period_to);
        let report = file.report.as_ref().ok();
        let schedule = report.and_then(|report| report.schedule.as_ref());
        let next = schedule.and_then(|schedule| schedule.next_after(now));
        json!({
            "name": name,
            "title": report.map_or("its file is wrong: see `report check`", |report| &report.title),
            "period": report.map(|report| report.unit.as_str()),
            "schedule": schedule.map(|schedule| schedule.describe()),
            "next": next.map(alerts::rfc3339),
            "last_made": newest.map(|row| &row.period),
            "location": newest.and_then(|row| row.location.as_ref()),
            "file": file.source.file,
        })
    };
    let rows: Vec<_> = load(library).iter().map(row).collect();
    let columns = ["name", "title", "period", "schedule", "next", "last_made"];
    output::values(&rows, &columns, format)?;
    Ok(ExitCode::SUCCESS)
}

/// The report of a name.
fn find(library: &Library, name: &str) -> Result<ReportFile, Failure> {
    let mut files = load(library);
    match files.iter().position(|file| file.source.name == name) {
        Some(at) => Ok(files.swap_remove(at)),
        None => {
            let names = files.iter().map(|file| file.source.name.as_str());
            let near = jobs::closest(name, names);
            let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            Err(Failure::usage(format!("there is no report `{name}`{hint}")))
        }
    }
}

async fn by_hand(
    args: RunReport,
    settings: &Settings,
    library: &Library,
    format: Format,
) -> Result<ExitCode, Failure> {
    let file = find(library, &args.name)?;
    let report = file.report.as_ref();
    let report = report.map_err(|error| Failure::query(error.to_string()))?;
    let parameters: BTreeMap<String, String> = given(&args.params)?.into_iter().collect();
    let formats = formats(&args.formats)?.unwrap_or_else(|| report.formats.clone());
    let periods = periods(&args, report)?;
    let lake = wire_up::lake(settings).await?;
    let session = session(settings, library, &Limits::default()).await?;
    let shelf = match (&args.out, args.folder()) {
        (Some(out), None) => Some(Shelf::at(out)?),
        _ => None,
    };
    let bar = ProgressBar::new(periods.len() as u64);
    if periods.len() == 1 {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut rows = Vec::new();
    for period in &periods {
        bar.set_message(period.name());
        let asked = Asked {
            file: &file,
            period,
            given: &parameters,
            formats: &formats,
        };
        let made = write(&session, &asked, wire_up::now()).await?;
        let row = match (args.folder(), &shelf) {
            (Some(folder), _) => {
                let documents = make::write_to(&folder, &made)?;
                let location = Some(folder.display().to_string());
                ReportRow {
                    location,
                    documents,
                    ..made.row
                }
            }
            (None, Some(shelf)) => put(shelf, made).await?,
            (None, None) => put(&make::shelf(&lake, settings, report)?, made).await?,
        };
        let mut row = ReportRow {
            by: wire_up::user().unwrap_or_else(|| "somebody".to_owned()),
            ..row
        };
        if args.deliver {
            row.channels.clone_from(&report.deliver.channels);
            make::lay_out(&lake, &session, &asked, &row).await?;
        }
        log(&lake, &row).await?;
        bar.inc(1);
        rows.push(json!({
            "report": row.report,
            "period": row.period,
            "location": row.location,
            "documents": row.documents,
            "digest": row.digest,
        }));
    }
    bar.finish_and_clear();
    let columns = ["report", "period", "location", "documents"];
    output::values(&rows, &columns, format)?;
    Ok(ExitCode::SUCCESS)
}

fn formats(words: &[String]) -> Result<Option<Vec<As>>, Failure> {
    let read = |word: &String| {
        let known = || As::ALL.map(As::as_str).join(", ");
        let wrong = || Failure::usage(format!("--as: `{word}` is none of {}", known()));
        As::from_word(word).ok_or_else(wrong)
    };
    let formats: Vec<As> = words.iter().map(read).collect::<Result<_, _>>()?;
    Ok((!formats.is_empty()).then_some(formats))
}

fn periods(args: &RunReport, report: &reports::Report) -> Result<Vec<Period>, Failure> {
    let named = |flag: &str, text: &String| {
        let period = Period::named(report.unit, &report.zone, text);
        period.map_err(|why| Failure::usage(format!("{flag}: {why}")))
    };
    let (Some(from), Some(to)) = (&args.from, &args.to) else {
        let one = match &args.of {
            Some(text) => named("--for", text)?,
            None => Period::before(report.unit, &report.zone, wire_up::now())
                .ok_or_else(|| Failure::io("the machine's clock is beyond all calendars"))?,
        };
        return Ok(vec![one]);
    };
    let (from, to) = (named("--from", from)?, named("--to", to)?);
    let all = std::iter::successors(Some(from), Period::next);
    let all: Vec<Period> = all
        .take_while(|period| period.from() <= to.from())
        .take(MOST + 1)
        .collect();
    match all.len() {
        0 => Err(Failure::usage("--to lies before --from")),
        many if many > MOST => Err(Failure::usage(format!("more than {MOST} periods at once"))),
        _ => Ok(all),
    }
}
