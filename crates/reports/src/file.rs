//! A report as it is written: YAML, read field by field so that all mistakes are told and not only the first.

mod fields;
mod sections;

use alerts::clean;
use alerts::yaml::{Fields, Yaml, did_you_mean, one_line, spot};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use crate::period::{Unit, Zone};
use crate::report::{Deliver, ForEach, Format, Report};
use crate::schedule::{CatchUp, Schedule};
use fields::{Map, Place, Reader};

pub use fields::{Mistake, ReportError};

const FIELDS: [&str; 11] = [
    "title",
    "description",
    "period",
    "time_zone",
    "schedule",
    "catch_up",
    "formats",
    "parameters",
    "for_each",
    "deliver",
    "sections",
];
/// Bytes of a file; a report is a page of text.
const LONGEST: usize = 256 * 1024;
/// Documents of one report and period, unless the file says less.
const MOST_DOCUMENTS: usize = 1_000;

impl Report {
    /// Reads a report. `name` is the stem of `file`, which only messages show.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Report, ReportError> {
        let mut reader = Reader::default();
        let report = read(&mut reader, name, file, text);
        let mut mistakes = reader.mistakes;
        mistakes.sort();
        match report {
            Some(report) if mistakes.is_empty() => Ok(report),
            _ => Err(ReportError {
                file: file.to_owned(),
                mistakes,
            }),
        }
    }
}

fn read(reader: &mut Reader, name: &str, file: &str, text: &str) -> Option<Report> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if name.is_empty() || name.len() > 80 || !name.chars().all(fits) {
        let name = clean(name, 100);
        let allowed = "letters, digits, `_` and `-`, at most 80 of them";
        reader.note(
            (1, 1),
            format!("`{name}` is no name for a report: {allowed}"),
        );
    }
    if text.len() > LONGEST {
        return reader.mistake((1, 1), format!("is longer than {LONGEST} bytes"));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
    };
    let fields = match serde_saphyr::from_str_with_options::<Fields>(text, options) {
        Ok(fields) => fields,
        Err(error) => {
            let at = error.location();
            let at = at.map_or((1, 1), |at| (at.line() as usize, at.column() as usize));
            return reader.mistake(at, one_line(&error.to_string()));
        }
    };
    let pairs = fields.0.into_iter().map(|(key, value)| {
        let at = spot(&key.referenced);
        (key.value, at, value)
    });
    let top = reader.map("", (1, 1), pairs.collect(), &FIELDS);
    let zone = match top.text(reader, "time_zone") {
        Some((at, name)) => match Zone::named(&name) {
            Ok(zone) => Some(zone),
            Err(why) => reader.mistake(at, format!("time_zone: {why}")),
        },
        None => Zone::named("UTC").ok(),
    };
    let unit = top.required(reader, "period", "one of day, week, month and quarter");
    let unit =
        unit.and_then(|(at, word)| reader.word("period", at, &word, &Unit::WORDS, Unit::from_word));
    let schedule = match (top.text(reader, "schedule"), &zone) {
        (Some((at, line)), Some(zone)) => match Schedule::parse(&line, zone) {
            Ok(schedule) => Some(schedule),
            Err(why) => reader.mistake(at, format!("schedule: {why}")),
        },
        _ => None,
    };
    let catch_up = top.text(reader, "catch_up").and_then(|(at, word)| {
        reader.word("catch_up", at, &word, &CatchUp::WORDS, CatchUp::from_word)
    });
    let title = top.required(reader, "title", "what stands above the report");
    let report = Report {
        name: name.to_owned(),
        file: file.to_owned(),
        title: title.map(|(_, title)| title).unwrap_or_default(),
        description: top.words(reader, "description").unwrap_or_default(),
        parameters: top.parameters(reader, "parameters"),
        formats: formats(reader, &top),
        for_each: for_each(reader, &top),
        deliver: deliver(reader, &top),
        sections: sections::read(reader, &top),
        unit: unit.unwrap_or(Unit::Day),
        zone: zone?,
        schedule,
        catch_up: catch_up.unwrap_or_default(),
    };
    Some(report)
}

fn formats(reader: &mut Reader, top: &Map) -> Vec<Format> {
    let Some(words) = top.list_of_words(reader, "formats") else {
        return vec![Format::Html];
    };
    let mut formats = Vec::new();
    for (at, word) in words {
        match reader.word("formats", at, &word, &Format::WORDS, Format::from_word) {
            Some(format) if formats.contains(&format) => {
                reader.note(at, format!("formats: {word} is given twice"));
            }
            Some(format) => formats.push(format),
            None => {}
        }
    }
    formats
}

fn for_each(reader: &mut Reader, top: &Map) -> Option<ForEach> {
    let known = ["question", "column", "label", "parameter", "params", "top"];
    let map = top.map(reader, "for_each", &known)?;
    let question = map.question(reader, "question");
    let column = map.column(reader, "column", true);
    let label = map.column(reader, "label", false);
    let parameter = map.required(reader, "parameter", "which parameter each value becomes");
    let params = map.parameters(reader, "params");
    let top = map
        .count(reader, "top", 1, MOST_DOCUMENTS)
        .unwrap_or(MOST_DOCUMENTS);
    Some(ForEach {
        question: question?,
        column: column?,
        label,
        parameter: parameter?.1,
        params,
        top,
    })
}

fn deliver(reader: &mut Reader, top: &Map) -> Deliver {
    let Some(map) = top.map(reader, "deliver", &["channels", "to"]) else {
        return Deliver::default();
    };
    let channels = map.list_of_words(reader, "channels").unwrap_or_default();
    let to = map.text(reader, "to").and_then(|(at, to)| {
        let scheme = to.split_once("://").map(|(scheme, _)| scheme);
        match scheme {
            Some("s3") if to.len() > 5 => Some(to),
            None => Some(to),
            Some(_) => reader.mistake(at, "deliver.to: a folder, or s3://bucket/prefix"),
        }
    });
    Deliver {
        channels: channels.into_iter().map(|(_, name)| name).collect(),
        to,
    }
}

/// A part of a file and where it stands.
type Part = Spanned<Yaml>;

/// A word that is none of those known, in a sentence.
fn unknown(word: &str, known: &[&str]) -> String {
    let hint = match did_you_mean(word, known) {
        hint if hint.is_empty() => format!("; there are {}", known.join(", ")),
        hint => hint,
    };
    format!("there is no `{}`{hint}", clean(word, 60))
}

/// Where a part stands.
fn place(part: &Part) -> Place {
    spot(&part.referenced)
}
