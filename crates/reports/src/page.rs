//! What a document says, before any format: headings, numbers with their changes, tables cut to size, and beside each the query
//! that made it. All formats say the same, because all of them say this.

use std::collections::BTreeMap;

use crate::ask::{Answer, Answers, Book, fill};
use crate::chart::{Drawing, Ink, drawing};
use crate::period::{Period, Unit, Zone};
use crate::render::RenderError;
use crate::report::{Figure, Good, Report, Section, Shown, TableView};
use crate::table::{Cell, Table};
use crate::{template, words};

/// Characters of a cell that people see; CSV and JSON hold all of them.
const CELL: usize = 200;
/// Characters of a line of SQL.
const LINE: usize = 10_000;

/// A whole document. All texts are clean, none is escaped.
pub(crate) struct Page<'a> {
    pub(crate) title: String,
    pub(crate) description: String,
    /// `16 to 22 November 2026 (week 47)`.
    pub(crate) period: String,
    pub(crate) zone: String,
    /// What was asked for beside the period, by name.
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) blocks: Vec<Block<'a>>,
}

/// A section.
pub(crate) enum Block<'a> {
    Text {
        title: Option<String>,
        paragraphs: Vec<Paragraph>,
    },
    Figures {
        title: Option<String>,
        figures: Vec<Number<'a>>,
    },
    Question(Box<Asked<'a>>),
}

/// Words of a section.
#[derive(Debug, PartialEq)]
pub(crate) enum Paragraph {
    Words(String),
    List(Vec<String>),
}

/// One number of a strip.
pub(crate) struct Number<'a> {
    pub(crate) label: String,
    /// `1,234`, or `–`.
    pub(crate) value: String,
    pub(crate) change: Option<Change>,
    /// Why there is none.
    pub(crate) error: Option<String>,
    pub(crate) query: Query<'a>,
}

/// How a number moved since the period before.
pub(crate) struct Change {
    /// `▲`, `▼` or `=`.
    pub(crate) arrow: &'static str,
    /// `12 more than the week before (+8%)`.
    pub(crate) words: String,
    pub(crate) news: News,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    Good,
    Bad,
    Neither,
}

/// What was run.
pub(crate) struct Query<'a> {
    pub(crate) question: String,
    pub(crate) sql: &'a str,
    pub(crate) parameters: &'a BTreeMap<String, String>,
}

impl Query<'_> {
    /// The text that was run, line by line; a tab is four spaces, codes that would hide something are seen.
    pub(crate) fn text(&self) -> String {
        let lines = self.sql.trim_end().lines();
        let lines = lines.map(|line| alerts::clean(&line.replace('\t', "    "), LINE).into_owned());
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A question with its answer.
pub(crate) struct Asked<'a> {
    pub(crate) title: String,
    pub(crate) note: Option<String>,
    /// `None` where the report wants none or there are no rows; an error is a sentence.
    pub(crate) chart: Result<Option<Drawing>, String>,
    /// `None` where the report wants none.
    pub(crate) grid: Option<Grid>,
    pub(crate) answer: Result<&'a Table, String>,
    pub(crate) query: Query<'a>,
}

/// A table as people see it.
pub(crate) struct Grid {
    pub(crate) heads: Vec<Head>,
    pub(crate) rows: Vec<Vec<Seen>>,
    /// Rows that are not shown.
    pub(crate) more: usize,
    /// Columns that the report names and the answer lacks.
    pub(crate) missing: Vec<String>,
}

pub(crate) struct Head {
    pub(crate) text: String,
    pub(crate) numeric: bool,
}

/// A cell.
pub(crate) struct Seen {
    pub(crate) text: String,
    pub(crate) null: bool,
    /// How bad it is, where the column says that.
    pub(crate) label: Option<Ink>,
}

impl<'a> Page<'a> {
    pub(crate) fn of(
        report: &Report,
        period: &Period,
        answers: &'a Answers,
    ) -> Result<Page<'a>, RenderError> {
        let given = answers.parameters(report);
        let maker = Maker {
            report,
            period,
            answers,
            book: Book::of(report, period, &given),
            given: &given,
        };
        let blocks = report.sections.iter().map(|section| maker.block(section));
        let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
        let title = alerts::clean(&report.title, CELL).into_owned();
        let title = match &answers.each {
            Some(each) if each.label != each.value => {
                let (label, value) = (
                    alerts::clean(&each.label, 80),
                    alerts::clean(&each.value, 80),
                );
                format!("{title}: {label} ({value})")
            }
            Some(each) => format!("{title}: {}", alerts::clean(&each.value, 80)),
            None => title,
        };
        let mut parameters = report.parameters.clone();
        parameters.extend(given);
        let tame = |text: String| alerts::clean(&text, CELL).into_owned();
        Ok(Page {
            title,
            description: alerts::clean(&report.description, 2_000).into_owned(),
            period: period.words(),
            zone: period.zone().name().to_owned(),
            parameters: parameters
                .into_iter()
                .map(|(name, value)| (tame(name), tame(value)))
                .collect(),
            blocks,
        })
    }
}

struct Maker<'a, 'b> {
    report: &'b Report,
    period: &'b Period,
    answers: &'a Answers,
    book: Book,
    given: &'b BTreeMap<String, String>,
}

/// What stands in for an answer that nobody gave.
const NOTHING: &BTreeMap<String, String> = &BTreeMap::new();

impl<'a> Maker<'a, '_> {
    fn answer(
        &self,
        question: &str,
        params: &BTreeMap<String, String>,
        period: &Period,
    ) -> Option<&'a Answer> {
        let ask = fill(self.report, question, params, period, self.given);
        self.answers.by_id.get(self.book.find(&ask)?)
    }

    fn query(&self, question: &str, answer: Option<&'a Answer>) -> Query<'a> {
        Query {
            question: question.to_owned(),
            sql: answer.map_or("", |answer| &answer.sql),
            parameters: answer.map_or(NOTHING, |answer| &answer.parameters),
        }
    }

    fn block(&self, section: &Section) -> Result<Block<'a>, RenderError> {
        let heading = |title: &Option<String>| {
            let title = title.as_ref();
            title.map(|title| alerts::clean(title, CELL).into_owned())
        };
        Ok(match section {
            Section::Text { title, text, line } => Block::Text {
                title: heading(title),
                paragraphs: self.words(text, *line)?,
            },
            Section::Figures { title, figures } => Block::Figures {
                title: heading(title),
                figures: figures.iter().map(|figure| self.number(figure)).collect(),
            },
            Section::Question(shown) => Block::Question(Box::new(self.asked(shown))),
        })
    }

    fn words(&self, text: &str, line: usize) -> Result<Vec<Paragraph>, RenderError> {
        let context = template::context(self.report, self.period, self.answers);
        let text = template::text(text, &minijinja::Value::from_pairs(context));
        let text = text.map_err(|why| RenderError::Template {
            file: self.report.file.clone(),
            message: format!("the text that begins at line {line}: {why}"),
        })?;
        Ok(paragraphs(&text))
    }

    fn number(&self, figure: &Figure) -> Number<'a> {
        let (question, params) = (&figure.question, &figure.params);
        let answer = self.answer(question, params, self.period);
        let now = first(answer, question, &figure.column);
        let before = self.period.previous();
        let before = before.and_then(|before| self.answer(question, params, &before));
        let before = first(before, question, &figure.column);
        let value = match &now {
            Ok(Some(value)) => words::number(*value),
            _ => "–".to_owned(),
        };
        let change = match (&now, before) {
            (Ok(Some(now)), Ok(Some(before))) => {
                Some(change(*now, before, figure.good, self.period.unit()))
            }
            _ => None,
        };
        Number {
            label: alerts::clean(&figure.label, 80).into_owned(),
            value,
            change,
            error: now.err(),
            query: self.query(question, answer),
        }
    }

    fn asked(&self, shown: &Shown) -> Asked<'a> {
        let found = self.answer(&shown.question, &shown.params, self.period);
        let answer = match found {
            None => Err("was not asked".to_owned()),
            Some(answer) => match &answer.table {
                Ok(table) => Ok(table),
                Err(why) => Err(alerts::clean(why, 600).into_owned()),
            },
        };
        let title = shown
            .title
            .as_deref()
            .or(found.map(|answer| answer.title.as_str()));
        let title = title.filter(|title| !title.trim().is_empty());
        let title = match title {
            Some(title) => alerts::clean(title, CELL).into_owned(),
            None => words::heading(&shown.question),
        };
        let chart = match (&shown.chart, &answer) {
            (Some(chart), Ok(table)) => drawing(chart, table, self.period),
            _ => Ok(None),
        };
        let grid = match (&shown.table, &answer) {
            (Some(view), Ok(table)) => Some(grid(view, table, self.period.zone())),
            _ => None,
        };
        Asked {
            title,
            note: shown
                .note
                .as_ref()
                .map(|note| alerts::clean(note, 1_000).into_owned()),
            chart,
            grid,
            query: self.query(&shown.question, found),
            answer,
        }
    }
}

/// The value of a column in the first row; `None` where there is no row or the value is null.
fn first(answer: Option<&Answer>, question: &str, column: &str) -> Result<Option<f64>, String> {
    let Some(answer) = answer else {
        return Err(format!("{question} was not asked"));
    };
    let table = answer
        .table
        .as_ref()
        .map_err(|why| alerts::clean(why, 300).into_owned())?;
    let Some(at) = table.column(column) else {
        return Err(format!("{question} has no column {column}"));
    };
    match table.cell(0, at) {
        Cell::Null => Ok(None),
        cell => match cell.number() {
            Some(number) => Ok(Some(number)),
            None => Err(format!(
                "the column {column} of {question} holds no numbers"
            )),
        },
    }
}

fn change(now: f64, before: f64, good: Good, unit: Unit) -> Change {
    let difference = now - before;
    let unit = unit.as_str();
    if difference == 0.0 {
        return Change {
            arrow: "=",
            words: format!("the same as the {unit} before"),
            news: News::Neither,
        };
    }
    let (arrow, word) = if difference > 0.0 {
        ("▲", "more")
    } else {
        ("▼", "less")
    };
    let share = match before {
        0.0 => String::new(),
        before => {
            let percent = (difference / before.abs() * 100.0).round();
            let sign = if percent > 0.0 { "+" } else { "" };
            match percent.abs() {
                large if large >= 1_000.0 => {
                    format!(" ({} times as many)", words::number((now / before).round()))
                }
                _ => format!(" ({sign}{})", words::number(percent) + "%"),
            }
        }
    };
    let size = words::number(difference.abs());
    let news = match (good, difference > 0.0) {
        (Good::Neither, _) => News::Neither,
        (Good::Up, true) | (Good::Down, false) => News::Good,
        _ => News::Bad,
    };
    Change {
        arrow,
        words: format!("{size} {word} than the {unit} before{share}"),
        news,
    }
}

/// Blank lines part paragraphs; lines that begin with `- ` are a list.
fn paragraphs(text: &str) -> Vec<Paragraph> {
    let mut paragraphs = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let line = alerts::clean(line.trim(), 4_000).into_owned();
        if line.is_empty() {
            open = false;
            continue;
        }
        match (line.strip_prefix("- "), paragraphs.last_mut()) {
            (Some(item), Some(Paragraph::List(items))) if open => items.push(item.to_owned()),
            (Some(item), _) => paragraphs.push(Paragraph::List(vec![item.to_owned()])),
            (None, Some(Paragraph::Words(words))) if open => {
                words.push(' ');
                words.push_str(&line);
            }
            (None, _) => paragraphs.push(Paragraph::Words(line)),
        }
        open = true;
    }
    paragraphs
}

fn grid(view: &TableView, table: &Table, zone: &Zone) -> Grid {
    let mut missing = Vec::new();
    let columns: Vec<(usize, String)> = if view.columns.is_empty() {
        let all = table.columns.iter().enumerate();
        all.map(|(at, column)| (at, words::heading(&column.name)))
            .collect()
    } else {
        let named = view.columns.iter().filter_map(|(name, heading)| {
            let Some(at) = table.column(name) else {
                missing.push(alerts::clean(name, 60).into_owned());
                return None;
            };
            let heading = heading
                .as_ref()
                .map(|text| alerts::clean(text, 60).into_owned());
            Some((at, heading.unwrap_or_else(|| words::heading(name))))
        });
        named.collect()
    };
    let days: Vec<bool> = columns
        .iter()
        .map(|(at, _)| table.holds_days(*at))
        .collect();
    let rows = table.rows.iter().take(view.rows).map(|row| {
        let cells = columns.iter().zip(&days).map(|((at, _), days)| {
            let cell = row.get(*at).unwrap_or(&Cell::Null);
            Seen {
                text: cell.words(CELL, *days, zone),
                null: *cell == Cell::Null,
                label: label(&table.columns[*at].name, cell),
            }
        });
        cells.collect()
    });
    let head = |(at, text): &(usize, String)| Head {
        text: text.clone(),
        numeric: table.columns[*at].kind.is_numeric(),
    };
    Grid {
        rows: rows.collect(),
        heads: columns.iter().map(head).collect(),
        more: table.rows.len().saturating_sub(view.rows),
        missing,
    }
}

/// Columns about severity are seen at a glance.
fn label(column: &str, cell: &Cell) -> Option<Ink> {
    match (column, cell) {
        ("severity" | "severity_label", Cell::Text(word)) => Ink::of_label(word),
        ("severity" | "max_severity", number) => Some(Ink::of_severity(number.number()?)),
        _ => None,
    }
}

impl Page<'_> {
    /// `and 12 more rows` as all formats say it; `None` where all are shown.
    pub(crate) fn more(rows: usize) -> Option<String> {
        match rows {
            0 => None,
            1 => Some("and 1 more row, which CSV and JSON hold".to_owned()),
            more => {
                let more = words::whole(i64::try_from(more).unwrap_or(i64::MAX));
                Some(format!("and {more} more rows, which CSV and JSON hold"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_in_words() {
        let say = |now, before, good| {
            let change = change(now, before, good, Unit::Week);
            (format!("{} {}", change.arrow, change.words), change.news)
        };
        let seen = say(162.0, 150.0, Good::Down);
        assert_eq!(
            seen,
            ("▲ 12 more than the week before (+8%)".to_owned(), News::Bad)
        );
        let seen = say(0.0, 1_200.0, Good::Down);
        assert_eq!(
            seen,
            (
                "▼ 1,200 less than the week before (−100%)".to_owned(),
                News::Good
            )
        );
        let seen = say(3.0, 0.0, Good::Neither);
        assert_eq!(
            seen,
            ("▲ 3 more than the week before".to_owned(), News::Neither)
        );
        assert_eq!(say(3.0, 3.0, Good::Up).0, "= the same as the week before");
        assert_eq!(
            say(6_000.0, 2.0, Good::Up).0,
            "▲ 5,998 more than the week before (3,000 times as many)"
        );
    }

    #[test]
    fn words_become_paragraphs() {
        let seen = paragraphs("a\nb\n\n- c\n- d\ne\n\n\n- f\n");
        let words = |text: &str| Paragraph::Words(text.to_owned());
        let list =
            |items: &[&str]| Paragraph::List(items.iter().map(ToString::to_string).collect());
        assert_eq!(
            seen,
            [words("a b"), list(&["c", "d"]), words("e"), list(&["f"])]
        );
    }
}
