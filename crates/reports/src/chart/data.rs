//! Picks the values of a picture out of a table: sums by place and series, the largest first, the rest as "Other".

use std::collections::BTreeMap;

use super::{Drawing, Ink, Layer, Row};
use crate::period::{Period, Zone};
use crate::report::{Chart, ChartKind};
use crate::table::{Cell, Table};
use crate::words;

/// Places along the bottom; a quarter has 92 days.
const MOST_PLACES: usize = 400;
/// Characters of a name.
const NAME: usize = 100;

/// What a chart shows of a table; `None` where there are no rows. The error is a sentence.
pub(crate) fn drawing(
    chart: &Chart,
    table: &Table,
    period: &Period,
) -> Result<Option<Drawing>, String> {
    let find = |name: &str| {
        table.column(name).ok_or_else(|| {
            let names: Vec<_> = table
                .columns
                .iter()
                .map(|c| alerts::clean(&c.name, 40))
                .collect();
            format!(
                "the chart asks for column `{name}`; there are {}",
                names.join(", ")
            )
        })
    };
    let (x, y) = (find(&chart.x)?, find(&chart.y)?);
    let series = chart.series.as_deref().map(find).transpose()?;
    if table.rows.is_empty() {
        return Ok(None);
    }
    let by_row = matches!(chart.kind, ChartKind::Heatmap | ChartKind::SparklineTable);
    let (split, value) = match (by_row, series) {
        (true, Some(value)) => (Some(y), value),
        _ => (series, y),
    };
    let total = table.rows.iter().filter_map(|row| row.get(value)?.number());
    if total.clone().count() == 0 {
        let name = &table.columns[value].name;
        return Err(format!(
            "the chart's column `{}` holds no numbers",
            alerts::clean(name, 60)
        ));
    }
    if chart.kind == ChartKind::Bar {
        return Ok(Some(Drawing::Bars {
            rows: bars(table, x, value, series, chart.top, period.zone()),
        }));
    }
    let places = Places::of(table, x, period);
    let mut rows = rows(table, &places, x, split, value, &chart.y, period.zone());
    if by_row {
        keep(&mut rows, chart.top, false);
        let places = places.names;
        if chart.kind == ChartKind::SparklineTable {
            return Ok(Some(Drawing::Sparks { places, rows }));
        }
        let own = rows.iter().filter(|row| row.ink != Ink::Other);
        let most = own
            .flat_map(|row| &row.values)
            .fold(0.0, |a: f64, b| a.max(*b));
        return Ok(Some(Drawing::Heat { places, rows, most }));
    }
    let hidden = rows.len().saturating_sub(chart.top);
    keep(&mut rows, chart.top, true);
    if chart.kind == ChartKind::Line {
        // The sum of the rest would be the highest line of all, and say the least.
        rows.truncate(chart.top);
    }
    let layers = rows.into_iter().map(|row| Layer {
        name: row.name,
        ink: row.ink,
        values: row.values,
    });
    let (places, layers) = (places.names, layers.collect());
    Ok(Some(match chart.kind {
        ChartKind::Line => Drawing::Lines {
            places,
            layers,
            hidden,
        },
        _ => Drawing::Stacked { places, layers },
    }))
}

/// What stands along the bottom, and where a cell belongs.
struct Places {
    names: Vec<String>,
    at: BTreeMap<String, usize>,
}

impl Places {
    fn of(table: &Table, x: usize, period: &Period) -> Places {
        let keys: Vec<String> = table
            .rows
            .iter()
            .map(|row| key(row.get(x), period.zone()))
            .collect();
        let days = period.days();
        let named: Vec<(String, String)> = (days.iter())
            .map(|day| (words::day(*day), words::short_day(*day)))
            .collect();
        let mut places = Places {
            names: Vec::new(),
            at: BTreeMap::new(),
        };
        // Days without rows are there too, so that a quiet day is seen.
        let all_days = keys
            .iter()
            .all(|key| named.iter().any(|(day, _)| day == key));
        if all_days {
            for (key, name) in named {
                places.at.insert(key, places.names.len());
                places.names.push(name);
            }
            return places;
        }
        let mut distinct: Vec<String> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for key in keys {
            if seen.insert(key.clone()) {
                distinct.push(key);
            }
        }
        if matches!(table.cell(0, x), Cell::Time(_) | Cell::Integer(_)) {
            distinct.sort_by(|a, b| match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(a), Ok(b)) => a.total_cmp(&b),
                _ => a.cmp(b),
            });
        }
        for key in distinct.into_iter().take(MOST_PLACES) {
            places.at.insert(key.clone(), places.names.len());
            places.names.push(key);
        }
        places
    }
}

/// What tells one place from another, as people read it.
fn key(cell: Option<&Cell>, zone: &Zone) -> String {
    match cell {
        Some(Cell::Time(micros)) if micros.rem_euclid(86_400_000_000) == 0 => words::day(*micros),
        Some(Cell::Integer(number)) => number.to_string(),
        Some(cell) => cell.words(NAME, false, zone),
        None => "–".to_owned(),
    }
}

/// Name of a row: that of an account, where the table has one beside its id.
fn name_column(table: &Table, column: usize) -> Option<usize> {
    let name = table.columns[column].name.strip_suffix("_id")?;
    table.column(&format!("{name}_name"))
}

fn name_of(table: &Table, row: usize, column: usize, names: Option<usize>, zone: &Zone) -> String {
    let own = table.cell(row, column).words(NAME, false, zone);
    match names.map(|names| table.cell(row, names)) {
        Some(Cell::Text(name)) if !name.is_empty() => alerts::clean(name, NAME).into_owned(),
        _ => own,
    }
}

/// One row for each value of a column, the largest first; severities in their own order.
fn rows(
    table: &Table,
    places: &Places,
    x: usize,
    split: Option<usize>,
    value: usize,
    whole: &str,
    zone: &Zone,
) -> Vec<Row> {
    let names = split.and_then(|split| name_column(table, split));
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    let mut rows: Vec<Row> = Vec::new();
    for (nth, cells) in table.rows.iter().enumerate() {
        let Some(place) = places.at.get(&key(cells.get(x), zone)).copied() else {
            continue;
        };
        let Some(number) = cells.get(value).and_then(Cell::number) else {
            continue;
        };
        let id = split
            .map(|split| key(cells.get(split), zone))
            .unwrap_or_default();
        let row = *at.entry(id).or_insert_with(|| {
            let name = match split {
                Some(split) => name_of(table, nth, split, names, zone),
                None => words::heading(whole),
            };
            rows.push(Row {
                ink: Ink::of_label(&name).unwrap_or(Ink::Hue(0)),
                name,
                values: vec![0.0; places.names.len()],
            });
            rows.len() - 1
        });
        rows[row].values[place] += number.max(0.0);
    }
    let labelled = |row: &Row| Ink::of_label(&row.name).is_some();
    let labels = split.is_some()
        && rows.iter().any(labelled)
        && rows.iter().all(|row| labelled(row) || row.name == "–");
    if labels {
        for row in rows.iter_mut().filter(|row| !labelled(row)) {
            row.name = "None".to_owned();
            row.ink = Ink::Other;
        }
        rows.sort_by_key(|row| rank(row.ink));
    } else {
        rows.sort_by(|a, b| {
            b.total()
                .total_cmp(&a.total())
                .then_with(|| a.name.cmp(&b.name))
        });
    }
    rows
}

fn rank(ink: Ink) -> usize {
    let order = [
        Ink::Critical,
        Ink::High,
        Ink::Medium,
        Ink::Low,
        Ink::Informational,
    ];
    order
        .iter()
        .position(|known| *known == ink)
        .unwrap_or(order.len())
}

/// Keeps the first rows; the rest becomes one. `hues` gives each an ink of its own.
fn keep(rows: &mut Vec<Row>, top: usize, hues: bool) {
    if rows.len() > top {
        let rest = rows.split_off(top);
        let mut sum = vec![0.0; rest[0].values.len()];
        for row in &rest {
            for (sum, value) in sum.iter_mut().zip(&row.values) {
                *sum += value;
            }
        }
        rows.push(Row {
            name: format!("Other ({})", rest.len()),
            ink: Ink::Other,
            values: sum,
        });
    }
    if hues {
        let own = rows.iter_mut().filter(|row| matches!(row.ink, Ink::Hue(_)));
        for (hue, row) in own.enumerate() {
            row.ink = Ink::Hue(hue);
        }
    }
}

fn bars(
    table: &Table,
    x: usize,
    value: usize,
    series: Option<usize>,
    top: usize,
    zone: &Zone,
) -> Vec<Row> {
    let names = name_column(table, x);
    let mut rows: Vec<Row> = Vec::new();
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    for (nth, cells) in table.rows.iter().enumerate() {
        let Some(number) = cells.get(value).and_then(Cell::number) else {
            continue;
        };
        let name = name_of(table, nth, x, names, zone);
        let label = series.and_then(|series| match table.cell(nth, series) {
            Cell::Text(word) => Ink::of_label(word),
            number => number.number().map(Ink::of_severity),
        });
        let row = *at.entry(key(cells.get(x), zone)).or_insert_with(|| {
            rows.push(Row {
                ink: label.or(Ink::of_label(&name)).unwrap_or(Ink::Hue(0)),
                name,
                values: vec![0.0],
            });
            rows.len() - 1
        });
        rows[row].values[0] += number.max(0.0);
    }
    rows.sort_by(|a, b| {
        b.total()
            .total_cmp(&a.total())
            .then_with(|| a.name.cmp(&b.name))
    });
    keep(&mut rows, top, false);
    rows
}
