//! Puts a drawing's shapes in place.

use super::svg::{Anchor, Paint, Svg, short, width};
use super::{Drawing, Ink, Layer, Row};
use crate::words;

/// Pixels of a picture from left to right.
const WIDTH: f64 = 760.0;
/// Left of the columns, for numbers; below them, for days.
const LEFT: f64 = 44.0;
const BOTTOM: f64 = 24.0;

/// The picture. `id` must be unique in its page.
pub(crate) fn draw(drawing: &Drawing, paint: Paint, id: &str, title: &str) -> String {
    let svg = match drawing {
        Drawing::Stacked { places, layers } => over_time(paint, places, layers, None),
        Drawing::Lines {
            places,
            layers,
            hidden,
        } => over_time(paint, places, layers, Some(*hidden)),
        Drawing::Bars { rows } => bars(paint, rows),
        Drawing::Heat { places, rows, most } => heat(paint, places, rows, *most),
        Drawing::Sparks { rows, .. } => sparks(paint, rows),
    };
    svg.finish(id, title, &drawing.words())
}

/// The course of a row as a small picture for a cell, which stands beside its numbers and so needs no words.
pub(crate) fn spark(values: &[f64]) -> String {
    let (wide, high) = (120.0, 24.0);
    let points = course(values, 1.0, 2.0, wide - 4.0, high - 4.0);
    let line: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{},{}", short(*x), short(*y)))
        .collect();
    let line = line.join(" ");
    let (x, y) = points.last().copied().unwrap_or((0.0, high));
    let (x, y) = (short(x), short(y));
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 120 24\" aria-hidden=\"true\"><polyline class=\"f\" points=\"1,23 {line} {x},23\"/><polyline class=\"l k0\" points=\"{line}\"/><circle class=\"k0\" cx=\"{x}\" cy=\"{y}\" r=\"2\"/></svg>"
    )
}

fn course(values: &[f64], left: f64, top: f64, wide: f64, high: f64) -> Vec<(f64, f64)> {
    let most = values
        .iter()
        .fold(0.0, |a: f64, b| a.max(*b))
        .max(f64::MIN_POSITIVE);
    let step = wide / (values.len().max(2) - 1) as f64;
    let point =
        |(at, value): (usize, &f64)| (left + step * at as f64, top + high * (1.0 - value / most));
    values.iter().enumerate().map(point).collect()
}

/// Every how many places a name stands, so that names do not touch: weeks where days are too many.
fn every(least: f64) -> usize {
    match least.ceil().max(1.0) as usize {
        few @ 1..=3 => few,
        4..=7 => 7,
        many => many.div_ceil(7) * 7,
    }
}

/// The end of an axis and the distance of its rules: 1, 2 or 5 times a power of ten, four to six of them.
fn ticks(most: f64) -> (f64, f64) {
    if most <= 0.0 || !most.is_finite() {
        return (1.0, 1.0);
    }
    let rough = most / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|times| times * power >= rough);
    let step = times.unwrap_or(10.0) * power;
    // Things that are counted have no halves.
    let step = if most >= 1.0 { step.max(1.0) } else { step };
    ((most / step).ceil() * step, step)
}

/// Names of layers above a picture; where it ends.
fn legend(svg: &mut Svg, layers: &[(String, Ink)], hidden: usize) -> f64 {
    let (mut x, mut y) = (LEFT, 12.0);
    for (name, ink) in layers {
        let name = alerts::clean(name, 36);
        let wide = width(&name) + 34.0;
        if x + wide > WIDTH && x > LEFT {
            (x, y) = (LEFT, y + 18.0);
        }
        svg.rect(*ink, x, y - 9.0, 10.0, 10.0);
        svg.text(Anchor::Start, false, x + 15.0, y, &name);
        x += wide;
    }
    if hidden > 0 {
        let more = format!("{hidden} more not drawn");
        if x + width(&more) > WIDTH {
            (x, y) = (LEFT, y + 18.0);
        }
        svg.text(Anchor::Start, false, x, y, &more);
    }
    y + 14.0
}

/// Lines where `hidden` says how many are not drawn, else stacked columns.
fn over_time(paint: Paint, places: &[String], layers: &[Layer], hidden: Option<usize>) -> Svg {
    let stacked = hidden.is_none();
    let mut svg = Svg::new(paint, WIDTH, 0.0);
    let names: Vec<_> = layers
        .iter()
        .map(|layer| (layer.name.clone(), layer.ink))
        .collect();
    let top = if layers.len() > 1 {
        legend(&mut svg, &names, hidden.unwrap_or(0))
    } else {
        10.0
    };
    let high = 190.0;
    svg.height = top + high + BOTTOM;
    let columns = 0..places.len();
    let sums = columns
        .clone()
        .map(|at| layers.iter().map(move |layer| layer.values[at]));
    let most = match stacked {
        true => sums.map(|column| column.sum()).fold(0.0, f64::max),
        false => sums.flatten().fold(0.0, f64::max),
    };
    let (end, step) = ticks(most);
    let height = |value: f64| value / end * high;
    let mut rule = 0.0;
    while rule <= end + step / 2.0 {
        let y = top + high - height(rule);
        svg.rule(LEFT, y, WIDTH, y, rule == 0.0);
        svg.text(Anchor::End, false, LEFT - 8.0, y + 4.0, &words::short(rule));
        rule += step;
    }
    let wide = (WIDTH - LEFT) / places.len().max(1) as f64;
    // Names must not touch: 48 pixels hold `16 Nov`.
    let longest = places
        .iter()
        .map(|name| width(name) + 12.0)
        .fold(48.0, f64::max)
        .min(160.0);
    let every = every(longest / wide);
    for at in columns.clone().step_by(every) {
        let x = LEFT + wide * (at as f64 + 0.5);
        if x + longest / 2.0 - 8.0 < WIDTH || at == 0 {
            svg.text(
                Anchor::Middle,
                false,
                x,
                top + high + 16.0,
                &alerts::clean(&places[at], 24),
            );
        }
    }
    if !stacked {
        for layer in layers {
            let point = |at: usize| {
                let x = LEFT + wide * (at as f64 + 0.5);
                (x, top + high - height(layer.values[at]))
            };
            let points: Vec<_> = columns.clone().map(point).collect();
            svg.group(&layer.name, |svg| {
                svg.line(layer.ink, &points);
                if points.len() <= 31 {
                    points
                        .iter()
                        .for_each(|(x, y)| svg.dot(layer.ink, *x, *y, 2.5));
                }
            });
        }
        return svg;
    }
    let gap = (wide * 0.22).clamp(0.5, 12.0);
    for at in columns {
        let here = layers.iter().filter(|layer| layer.values[at] > 0.0);
        let say = here
            .clone()
            .map(|layer| format!("{} {}", layer.name, words::number(layer.values[at])));
        let say = say.collect::<Vec<_>>().join(", ");
        if say.is_empty() {
            continue;
        }
        svg.group(&format!("{}: {say}", places[at]), |svg| {
            let mut y = top + high;
            for layer in here {
                let tall = height(layer.values[at]);
                y -= tall;
                let x = LEFT + wide * at as f64 + gap / 2.0;
                svg.rect(layer.ink, x, y, wide - gap, tall);
            }
        });
    }
    svg
}

/// Room for names of rows, by the longest.
fn names_width(rows: &[Row], most: f64) -> f64 {
    let widest = rows.iter().map(|row| width(&row.name) * 1.15 + 14.0);
    widest.fold(60.0, f64::max).min(most)
}

fn fit(name: &str, wide: f64) -> String {
    alerts::clean(name, ((wide - 12.0) / 6.6) as usize).into_owned()
}

fn bars(paint: Paint, rows: &[Row]) -> Svg {
    let left = names_width(rows, 300.0);
    let line = 24.0;
    let mut svg = Svg::new(paint, WIDTH, rows.len() as f64 * line + 4.0);
    let own = rows.iter().filter(|row| row.ink != Ink::Other);
    let most = own
        .map(Row::total)
        .fold(0.0, f64::max)
        .max(f64::MIN_POSITIVE);
    let room = WIDTH - left - 64.0;
    for (nth, row) in rows.iter().enumerate() {
        let y = nth as f64 * line;
        let value = words::number(row.total());
        svg.group(&format!("{}: {value}", row.name), |svg| {
            svg.text(
                Anchor::End,
                true,
                left - 10.0,
                y + 16.0,
                &fit(&row.name, left),
            );
            // The rest is no bar among bars: it would dwarf them.
            let wide = match row.ink {
                Ink::Other => 0.0,
                _ => (row.total() / most * room).max(1.0),
            };
            svg.rect(row.ink, left, y + 4.0, wide.max(1.0), line - 8.0);
            svg.text(Anchor::Start, false, left + wide + 8.0, y + 16.0, &value);
        });
    }
    svg
}

fn heat(paint: Paint, places: &[String], rows: &[Row], most: f64) -> Svg {
    let left = names_width(rows, 220.0);
    let (line, top) = (17.0, 22.0);
    let room = WIDTH - left - 56.0;
    let wide = (room / places.len().max(1) as f64).min(78.0);
    let mut svg = Svg::new(paint, WIDTH, top + rows.len() as f64 * line + 34.0);
    let every = every(48.0 / wide);
    let last = ((room - 44.0) / wide).max(0.0) as usize;
    let named = places.iter().enumerate().take(last + 1);
    for (at, name) in named.step_by(every) {
        svg.text(
            Anchor::Start,
            false,
            left + wide * at as f64,
            14.0,
            &alerts::clean(name, 10),
        );
    }
    svg.text(Anchor::End, false, WIDTH, 14.0, "Sum");
    let gap = if wide > 6.0 { 1.5 } else { 0.5 };
    let mut corners: [Vec<(f64, f64)>; 5] = Default::default();
    for (nth, row) in rows.iter().enumerate() {
        let y = top + nth as f64 * line;
        svg.text(
            Anchor::End,
            true,
            left - 10.0,
            y + 12.0,
            &fit(&row.name, left),
        );
        svg.text(
            Anchor::End,
            false,
            WIDTH,
            y + 12.0,
            &words::number(row.total()),
        );
        // The rest is no row among rows: all of its cells would be the darkest.
        let own = row.values.iter().filter(|_| row.ink != Ink::Other);
        for (at, value) in own.enumerate() {
            corners[strength(*value, most)].push((left + wide * at as f64, y));
        }
    }
    for (strength, corners) in corners
        .iter()
        .enumerate()
        .filter(|(_, all)| !all.is_empty())
    {
        svg.cells(strength, corners, wide - gap, line - gap);
    }
    let y = svg.height - 20.0;
    svg.text(Anchor::Start, false, left, y + 10.0, "0");
    for strength in 0..5 {
        svg.cells(
            strength,
            &[(left + 14.0 + 22.0 * strength as f64, y)],
            20.0,
            12.0,
        );
    }
    svg.text(
        Anchor::Start,
        false,
        left + 130.0,
        y + 10.0,
        &words::number(most),
    );
    svg
}

/// 0 for nothing, else 1 to 4 by the square root, so that one storm does not hide the rest.
fn strength(value: f64, most: f64) -> usize {
    if value <= 0.0 || most <= 0.0 {
        return 0;
    }
    (((value / most).sqrt() * 4.0).ceil() as usize).clamp(1, 4)
}

/// Rows of courses, for where a table cannot hold pictures.
fn sparks(paint: Paint, rows: &[Row]) -> Svg {
    let left = names_width(rows, 440.0);
    let line = 30.0;
    let mut svg = Svg::new(paint, WIDTH, rows.len() as f64 * line + 4.0);
    let room = WIDTH - left - 72.0;
    for (nth, row) in rows.iter().enumerate() {
        let y = nth as f64 * line;
        svg.text(
            Anchor::End,
            true,
            left - 10.0,
            y + 19.0,
            &fit(&row.name, left),
        );
        svg.line(
            Ink::Hue(0),
            &course(&row.values, left, y + 4.0, room, line - 10.0),
        );
        svg.text(
            Anchor::End,
            false,
            WIDTH,
            y + 19.0,
            &words::number(row.total()),
        );
    }
    svg
}
