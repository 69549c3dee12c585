//! What has to be asked for a report of a period, and what came back.

use std::collections::{BTreeMap, BTreeSet};

use crate::period::Period;
use crate::report::{Report, Section};
use crate::table::Table;

/// What shapes an answer and does not filter it.
const MAY_BE_UNUSED: [&str; 5] = ["from", "to", "tz", "samples", "limit"];

/// A question to be answered with parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Unique within the report, the same for the same report: under this name the answer is looked for.
    pub id: String,
    /// A trend, else an investigation, else a question of the user's folder `reports/`.
    pub question: String,
    /// All values, by name. `from` and `to` are RFC 3339 in UTC, `tz` an IANA name.
    pub parameters: BTreeMap<String, String>,
    /// Those of `parameters` that a question need not know: then they are left out. One that does not know another is a mistake,
    /// because without its filter an answer would be wrong, and a sheet of one account would show all of them.
    pub offered: BTreeSet<String>,
}

/// What a question said.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The question's own title.
    pub title: String,
    /// The text that was run, as printed beside the numbers.
    pub sql: String,
    /// The parameters that the question knew, with their values, defaults included.
    pub parameters: BTreeMap<String, String>,
    /// The rows, or why there are none, in a sentence. A report with a failed question is still a report.
    pub table: Result<Table, String>,
}

/// Everything that a document is made from, beside the report and the period.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// Parameters that were given when the report was asked for; those of the file are not among them.
    pub given: BTreeMap<String, String>,
    /// The value that this document is for, where there is one for each.
    pub each: Option<Each>,
    /// By [`Ask::id`].
    pub by_id: BTreeMap<String, Answer>,
}

/// One value of `for_each`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Each {
    /// The parameter's value: hostile, like any cell.
    pub value: String,
    /// What people call it.
    pub label: String,
}

impl Answers {
    /// What was given, and the value that this document is for.
    pub fn parameters(&self, report: &Report) -> BTreeMap<String, String> {
        let mut given = self.given.clone();
        if let (Some(each), Some(for_each)) = (&self.each, &report.for_each) {
            given.insert(for_each.parameter.clone(), each.value.clone());
        }
        given
    }
}

/// Whether a question is asked about the period or about the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Now,
    Before,
}

impl Report {
    /// What must be answered for a period, each once. `given` are [`Answers::parameters`], so that the value of `for_each` is among
    /// them; they win over the report's
    /// own parameters, a section's over both.
    pub fn asks(&self, period: &Period, given: &BTreeMap<String, String>) -> Vec<Ask> {
        Book::of(self, period, given).asks
    }

    /// The question that lists the values of `for_each`; none where the report is one document.
    pub fn ask_for_each(&self, period: &Period, given: &BTreeMap<String, String>) -> Option<Ask> {
        let each = self.for_each.as_ref()?;
        let mut ask = fill(self, &each.question, &each.params, period, given);
        ask.id = "for_each".to_owned();
        Some(ask)
    }

    /// The values in the order of the answer, each once, nulls left out. The error is a sentence.
    pub fn each(&self, table: &Table) -> Result<Vec<Each>, String> {
        let Some(each) = &self.for_each else {
            return Ok(Vec::new());
        };
        let find = |name: &str| {
            let why = || format!("for_each: {} has no column `{name}`", each.question);
            table.column(name).ok_or_else(why)
        };
        let column = find(&each.column)?;
        let label = each.label.as_deref().map(find).transpose()?;
        let mut known = BTreeSet::new();
        let mut values = Vec::new();
        for row in 0..table.rows.len() {
            let value = table.cell(row, column).plain().into_owned();
            if value.is_empty() || !known.insert(value.clone()) {
                continue;
            }
            let label = label.map(|label| table.cell(row, label).plain().into_owned());
            let label = label.filter(|label| !label.is_empty());
            let label = label.unwrap_or_else(|| value.clone());
            values.push(Each { value, label });
            if values.len() == each.top {
                break;
            }
        }
        Ok(values)
    }
}

/// The asks of a report, and which section asked which.
pub(crate) struct Book {
    pub(crate) asks: Vec<Ask>,
}

impl Book {
    pub(crate) fn of(report: &Report, period: &Period, given: &BTreeMap<String, String>) -> Book {
        let mut book = Book { asks: Vec::new() };
        for section in &report.sections {
            match section {
                Section::Text { .. } => {}
                Section::Figures { figures, .. } => {
                    for figure in figures {
                        let (question, params) = (&figure.question, &figure.params);
                        book.add(fill(report, question, params, period, given), When::Now);
                        if let Some(before) = period.previous() {
                            let ask = fill(report, question, params, &before, given);
                            book.add(ask, When::Before);
                        }
                    }
                }
                Section::Question(shown) => {
                    let ask = fill(report, &shown.question, &shown.params, period, given);
                    book.add(ask, When::Now);
                }
            }
        }
        book
    }

    fn add(&mut self, mut ask: Ask, when: When) {
        if self.find(&ask).is_some() {
            return;
        }
        let suffix = match when {
            When::Now => "",
            When::Before => ".before",
        };
        let mut id = format!("{}{suffix}", ask.question);
        let mut nth = 2;
        while self.asks.iter().any(|known| known.id == id) {
            id = format!("{}-{nth}{suffix}", ask.question);
            nth += 1;
        }
        ask.id = id;
        self.asks.push(ask);
    }

    /// The id of the same question with the same parameters.
    pub(crate) fn find(&self, ask: &Ask) -> Option<&str> {
        let same = |known: &&Ask| {
            known.question == ask.question
                && known.parameters == ask.parameters
                && known.offered == ask.offered
        };
        self.asks.iter().find(same).map(|known| known.id.as_str())
    }
}

/// A question with all its parameters, without an id.
pub(crate) fn fill(
    report: &Report,
    question: &str,
    params: &BTreeMap<String, String>,
    period: &Period,
    given: &BTreeMap<String, String>,
) -> Ask {
    let mut parameters = report.parameters.clone();
    parameters.extend(given.clone());
    parameters.insert("from".to_owned(), alerts::rfc3339(period.from()));
    parameters.insert("to".to_owned(), alerts::rfc3339(period.to()));
    parameters.insert("tz".to_owned(), period.zone().name().to_owned());
    let known = parameters
        .keys()
        .filter(|name| MAY_BE_UNUSED.contains(&name.as_str()));
    let mut offered: BTreeSet<String> = known.cloned().collect();
    for (name, value) in params {
        parameters.insert(name.clone(), value.clone());
        offered.remove(name);
    }
    Ask {
        id: String::new(),
        question: question.to_owned(),
        parameters,
        offered,
    }
}
