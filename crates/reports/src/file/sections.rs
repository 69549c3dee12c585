//! The sections of a report: texts, strips of figures, questions with chart and table.

use alerts::yaml::Yaml;

use super::fields::{Map, Place, Reader};
use super::{Part, place};
use crate::report::{Chart, ChartKind, Figure, Good, Section, Shown, TableView};
use crate::template;

const TEXT: [&str; 2] = ["text", "title"];
const FIGURES: [&str; 2] = ["figures", "title"];
const QUESTION: [&str; 6] = ["question", "params", "title", "note", "chart", "table"];
const EVERY: [&str; 7] = [
    "text", "figures", "question", "params", "note", "chart", "table",
];
/// Sections of a report, and figures of a strip.
const MOST: usize = 60;
/// Rows of a table that a page can bear; CSV and JSON hold all.
const MOST_ROWS: usize = 5_000;
const ROWS: usize = 25;
/// Lines, stacks, bars or rows where the file does not say; and how many at most.
const TOP: [(usize, usize); 5] = [(15, 60), (8, 12), (6, 12), (40, 40), (20, 60)];

pub(super) fn read(reader: &mut Reader, top: &Map) -> Vec<Section> {
    let Some(part) = top.get("sections") else {
        reader.note(
            (1, 1),
            "sections: missing; a list of text, figures and questions",
        );
        return Vec::new();
    };
    let Yaml::List(items) = &part.value else {
        let name = part.value.name();
        reader.note(place(part), format!("sections: must be a list, not {name}"));
        return Vec::new();
    };
    if items.is_empty() || items.len() > MOST {
        reader.note(place(part), format!("sections: from 1 to {MOST} of them"));
        return Vec::new();
    }
    let numbered = (1..).zip(items);
    numbered
        .filter_map(|(nth, item)| section(reader, nth, item))
        .collect()
}

fn section(reader: &mut Reader, nth: usize, item: &Part) -> Option<Section> {
    let path = format!("sections[{nth}]");
    let at = place(item);
    let pairs = reader.pairs(&path, item)?;
    let has = |field: &str| pairs.iter().any(|(name, ..)| name == field);
    let kinds: Vec<&str> = ["text", "figures", "question"]
        .into_iter()
        .filter(|f| has(f))
        .collect();
    let known = match kinds[..] {
        ["text"] => &TEXT[..],
        ["figures"] => &FIGURES[..],
        ["question"] => &QUESTION[..],
        [] => {
            // Names that are nearly right are told with their suggestion.
            reader.map(&format!("{path}."), at, pairs, &EVERY);
            let why = "must hold one of text, figures and question";
            return reader.mistake(at, format!("{path}: {why}"));
        }
        _ => {
            let both = kinds.join(" and ");
            return reader.mistake(
                at,
                format!("{path}: holds {both}; make it several sections"),
            );
        }
    };
    let map = reader.map(&format!("{path}."), at, pairs, known);
    let title = map.words(reader, "title");
    match kinds[0] {
        "text" => text(reader, &map, title),
        "figures" => {
            let figures = figures(reader, &map)?;
            Some(Section::Figures { title, figures })
        }
        _ => {
            let shown = Shown {
                params: map.parameters(reader, "params"),
                note: map.words(reader, "note"),
                chart: chart(reader, &map),
                table: table(reader, &map),
                question: map.question(reader, "question")?,
                title,
            };
            Some(Section::Question(Box::new(shown)))
        }
    }
}

fn text(reader: &mut Reader, map: &Map, title: Option<String>) -> Option<Section> {
    let ((line, column), text) = map.text(reader, "text")?;
    if let Err(why) = template::check(&text) {
        let path = map.path("text");
        return reader.mistake((line, column), format!("{path}: {why}"));
    }
    Some(Section::Text { title, text, line })
}

fn figures(reader: &mut Reader, map: &Map) -> Option<Vec<Figure>> {
    let part = map.get("figures")?;
    let path = map.path("figures");
    let items = match &part.value {
        Yaml::List(items) if (1..=MOST).contains(&items.len()) => items,
        _ => {
            let why = format!("{path}: a list of 1 to {MOST} of `label, question, column, good`");
            return reader.mistake(place(part), why);
        }
    };
    let known = ["label", "question", "column", "good", "params"];
    let mut read = Vec::new();
    for (nth, item) in (1..).zip(items) {
        let path = format!("{path}[{nth}]");
        let Some(pairs) = reader.pairs(&path, item) else {
            continue;
        };
        let map = reader.map(&format!("{path}."), place(item), pairs, &known);
        let label = map.required(reader, "label", "what the number is");
        let question = map.question(reader, "question");
        let column = map.column(reader, "column", true);
        let good = map.text(reader, "good").and_then(|(at, word)| {
            let words = ["up", "down", "none"];
            let all = [Good::Up, Good::Down, Good::Neither];
            let find = |word: &str| Some(all[words.iter().position(|known| *known == word)?]);
            reader.word(&map.path("good"), at, &word, &words, find)
        });
        let params = map.parameters(reader, "params");
        if let (Some((_, label)), Some(question), Some(column)) = (label, question, column) {
            read.push(Figure {
                label,
                question,
                column,
                good: good.unwrap_or_default(),
                params,
            });
        }
    }
    Some(read)
}

fn chart(reader: &mut Reader, map: &Map) -> Option<Chart> {
    let map = map.map(reader, "chart", &["kind", "x", "y", "series", "top"])?;
    let kind = map.required(
        reader,
        "kind",
        "one of bar, stacked, line, heatmap, sparkline-table",
    );
    let kind = kind.and_then(|(at, word)| {
        let path = map.path("kind");
        reader.word(&path, at, &word, &ChartKind::WORDS, ChartKind::from_word)
    });
    let x = map.column(reader, "x", true);
    let y = map.column(reader, "y", true);
    let kind = kind?;
    let rows = matches!(kind, ChartKind::Heatmap | ChartKind::SparklineTable);
    let series = map.column(reader, "series", rows);
    let (usual, most) = TOP[kind as usize];
    let top = map.count(reader, "top", 1, most).unwrap_or(usual);
    Some(Chart {
        kind,
        x: x?,
        y: y?,
        series,
        top,
    })
}

fn table(reader: &mut Reader, map: &Map) -> Option<TableView> {
    let everything = TableView {
        columns: Vec::new(),
        rows: ROWS,
    };
    match map.get("table").map(|part| &part.value) {
        None => return Some(everything),
        Some(Yaml::Text(word)) if word == "none" => return None,
        Some(_) => {}
    }
    let map = map.map(reader, "table", &["columns", "rows"])?;
    let rows = map.count(reader, "rows", 1, MOST_ROWS).unwrap_or(ROWS);
    Some(TableView {
        columns: columns(reader, &map).unwrap_or_default(),
        rows,
    })
}

/// `[a, b]`, or with headings `[a, {b: Heading}]`.
fn columns(reader: &mut Reader, map: &Map) -> Option<Vec<(String, Option<String>)>> {
    let part = map.get("columns")?;
    let path = map.path("columns");
    let wrong = |reader: &mut Reader, at: Place| -> Option<(String, Option<String>)> {
        reader.mistake(
            at,
            format!("{path}: a list of columns, each a name or `name: Heading`"),
        )
    };
    let Yaml::List(items) = &part.value else {
        wrong(reader, place(part));
        return None;
    };
    let mut columns: Vec<(String, Option<String>)> = Vec::new();
    for item in items {
        let column = match &item.value {
            Yaml::Text(name) => Some((name.clone(), None)),
            Yaml::Map(pairs) => match &pairs[..] {
                [(name, heading)] => match (&name.value, &heading.value) {
                    (Yaml::Text(name), Yaml::Text(heading)) => {
                        Some((name.clone(), Some(heading.clone())))
                    }
                    _ => wrong(reader, place(item)),
                },
                _ => wrong(reader, place(item)),
            },
            _ => wrong(reader, place(item)),
        };
        match column {
            Some((name, _)) if columns.iter().any(|(known, _)| *known == name) => {
                let name = alerts::clean(&name, 60);
                reader.note(place(item), format!("{path}: {name} is given twice"));
            }
            Some(column) => columns.push(column),
            None => {}
        }
    }
    Some(columns)
}
