//! Makes reports: asks the lake what a report wants to know, and hands the answers to [`::reports`], which writes the documents.

mod cells;
mod put;
mod schedule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ::reports::{Answer, Answers, Ask, Document, Each, Format, Frame, Period, Report, ReportError};

pub use put::{Asked, Written, log, put, write};
pub use schedule::{SCHEDULE, due_now, make_once};

use crate::mistake::Remedy;
use crate::params::Given;
use crate::script::{Kind, Library, Script, ScriptError, Source};
use crate::session::Session;

/// A file of a report.
#[derive(Debug)]
pub struct ReportFile {
    /// Its text and place.
    pub source: Source,
    /// What it says, or everything that is wrong with it.
    pub report: Result<Report, ReportError>,
    /// The user's own frame for its pages.
    pub frame: Option<Frame>,
}

/// All reports of a library, by name.
pub fn load(library: &Library) -> Vec<ReportFile> {
    let others: BTreeMap<String, String> = library
        .frames()
        .map(|frame| (format!("{}.j2", frame.name), frame.text.to_string()))
        .collect();
    let file = |source: &Source| {
        let own = format!("{}.html", source.name);
        let frame = library.frames().find(|frame| frame.name == own);
        ReportFile {
            source: source.clone(),
            report: Report::parse(&source.name, &source.file, &source.text),
            frame: frame.map(|frame| Frame {
                file: frame.file.clone(),
                source: frame.text.to_string(),
                others: others.clone(),
            }),
        }
    };
    library.reports().map(file).collect()
}

/// Questions that a report asks and that nobody has written, in the order of the report.
pub fn unknown_questions(report: &Report, library: &Library) -> Result<Vec<String>, ScriptError> {
    let zone = ::reports::Zone::named("UTC").ok();
    let period = zone.and_then(|zone| Period::containing(report.unit, &zone, 0));
    let given = BTreeMap::new();
    let mut unknown = Vec::new();
    if let Some(period) = period {
        let asks = report.asks(&period, &given);
        for ask in report.ask_for_each(&period, &given).iter().chain(&asks) {
            if question(library, &ask.question)?.is_none() && !unknown.contains(&ask.question) {
                unknown.push(ask.question.clone());
            }
        }
    }
    Ok(unknown)
}

/// Why a report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// A file of `sql/` is wrong: repair it.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The report is wrong: repair its file. In a sentence.
    #[error("{file}: {message}")]
    Report {
        /// Its file.
        file: String,
        /// What is wrong.
        message: String,
    },
    /// The lake did not answer: try again.
    #[error("question {question}: {message}")]
    Lake {
        /// Which question.
        question: String,
        /// What was said.
        message: String,
    },
}

/// A report of a period, for one value of its `for_each` where it has that.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The value.
    pub each: Option<Each>,
    /// Its figures, a line each.
    pub summary: Vec<String>,
    /// In the order of the formats.
    pub documents: Vec<Document>,
}

/// Makes a report of a period in some formats: one for each value of its `for_each`, if it has that. What the lake says of the
/// period decides every byte.
pub async fn make(
    session: &Session,
    file: &ReportFile,
    period: &Period,
    given: &BTreeMap<String, String>,
    formats: &[Format],
) -> Result<Vec<Made>, MakeError> {
    let wrong = |message: String| MakeError::Report {
        file: file.source.file.clone(),
        message,
    };
    let report = file.report.as_ref().map_err(|e| wrong(e.to_string()))?;
    let eaches = match report.ask_for_each(period, given) {
        None => vec![None],
        Some(ask) => {
            let answer = answer(session, &ask).await?;
            let table = answer
                .table
                .map_err(|why| wrong(format!("for_each: {why}")))?;
            let eaches = report.each(&table).map_err(wrong)?;
            eaches.into_iter().map(Some).collect()
        }
    };
    let mut made = Vec::new();
    for each in eaches {
        let mut answers = Answers {
            given: given.clone(),
            each,
            by_id: BTreeMap::new(),
        };
        for ask in report.asks(period, &answers.parameters(report)) {
            let answer = answer(session, &ask).await?;
            answers.by_id.insert(ask.id, answer);
        }
        let mut documents = Vec::new();
        for format in formats {
            let rendered =
                ::reports::render(report, period, &answers, *format, file.frame.as_ref());
            documents.extend(rendered.map_err(|error| wrong(error.to_string()))?);
        }
        let summary = ::reports::summary(report, period, &answers);
        made.push(Made {
            summary: summary.map_err(|error| wrong(error.to_string()))?,
            each: answers.each,
            documents,
        });
    }
    Ok(made)
}

fn question(library: &Library, name: &str) -> Result<Option<Script>, ScriptError> {
    for kind in [Kind::Report, Kind::Trend, Kind::Investigation] {
        if let Some(script) = library.script(kind, name)? {
            return Ok(Some(script));
        }
    }
    Ok(None)
}

/// Asks one question. That it cannot be answered is an answer, but for a lake that does not answer.
async fn answer(session: &Session, ask: &Ask) -> Result<Answer, MakeError> {
    let Some(script) = question(session.library(), &ask.question)? else {
        return Ok(Answer {
            title: ask.question.clone(),
            sql: String::new(),
            parameters: BTreeMap::new(),
            table: Err(format!("there is no question `{}`", ask.question)),
        });
    };
    let declared = &script.header.parameters;
    let knows = |name: &str| declared.iter().any(|parameter| parameter.name == name);
    let given: Given = (ask.parameters.iter())
        .filter(|(name, _)| knows(name) || !ask.offered.contains(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut parameters = given.clone();
    for parameter in declared {
        if let Some(default) = &parameter.default {
            parameters
                .entry(parameter.name.clone())
                .or_insert_with(|| default.clone());
        }
    }
    let asked = async {
        let answer = session.run(&script, &given).await?;
        let schema = answer.schema();
        Ok((schema, answer.collect().await?))
    };
    let table = match asked.await {
        Ok((schema, batches)) => cells::table(&schema, &batches).map_err(|error| error.to_string()),
        Err(error) => {
            let error: crate::QueryError = error;
            if error.kind == Remedy::Retry {
                return Err(MakeError::Lake {
                    question: ask.question.clone(),
                    message: error.message,
                });
            }
            Err(error.message)
        }
    };
    Ok(Answer {
        title: script.header.title.clone(),
        sql: script.source.text.to_string(),
        parameters,
        table,
    })
}
