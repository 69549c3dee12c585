//! From a table to what a picture shows: which bars, layers and cells there are, before anybody draws.
//!
//! `data` picks the values out of the table, `svg` writes shapes, `draw` puts them in place, `png` makes pixels of it.

mod data;
mod draw;
mod png;
mod svg;

use alerts::Label;

pub(crate) use data::drawing;
pub(crate) use draw::{draw, spark};
pub(crate) use png::png;
pub(crate) use svg::{Paint, STYLE, escape};

/// What a shape is painted with; themes give the colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Critical,
    High,
    Medium,
    Low,
    Informational,
    /// One of eight hues that people tell apart whatever their eyes.
    Hue(usize),
    /// All that has no ink of its own.
    Other,
}

impl Ink {
    /// The ink of a severity label; none for other words.
    pub(crate) fn of_label(word: &str) -> Option<Ink> {
        match word.to_ascii_lowercase().as_str() {
            "critical" => Some(Ink::Critical),
            "high" => Some(Ink::High),
            "medium" => Some(Ink::Medium),
            "low" => Some(Ink::Low),
            "informational" => Some(Ink::Informational),
            _ => None,
        }
    }

    /// The ink of a number from 0 to 10, by GuardDuty's bands.
    pub(crate) fn of_severity(severity: f64) -> Ink {
        let label = Label::of(severity);
        label
            .and_then(|label| Ink::of_label(label.as_str()))
            .unwrap_or(Ink::Other)
    }

    /// The class in HTML.
    pub(crate) fn class(self) -> &'static str {
        const HUES: [&str; 8] = ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"];
        match self {
            Ink::Critical => "kc",
            Ink::High => "kh",
            Ink::Medium => "km",
            Ink::Low => "kl",
            Ink::Informational => "ki",
            Ink::Hue(nth) => HUES[nth % HUES.len()],
            Ink::Other => "ko",
        }
    }

    /// The colour on white paper, the same as the light theme's of [`STYLE`].
    pub(crate) fn colour(self) -> &'static str {
        const HUES: [&str; 8] = [
            "#2f6db5", "#d9822b", "#2a9d8f", "#a44a8b", "#6b5fc7", "#87962f", "#4fa3d9", "#b5533c",
        ];
        match self {
            Ink::Critical => "#8f1239",
            Ink::High => "#dd5a1f",
            Ink::Medium => "#edb53a",
            Ink::Low => "#5b9fd0",
            Ink::Informational => "#a3adb8",
            Ink::Hue(nth) => HUES[nth % HUES.len()],
            Ink::Other => "#b4bcc5",
        }
    }
}

/// A layer of columns, or a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layer {
    pub(crate) name: String,
    pub(crate) ink: Ink,
    /// One for each place along the bottom.
    pub(crate) values: Vec<f64>,
}

/// A bar with its name, or a row of a heat map or of sparklines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) ink: Ink,
    pub(crate) values: Vec<f64>,
}

impl Row {
    pub(crate) fn total(&self) -> f64 {
        self.values.iter().sum()
    }
}

/// What a picture shows. Texts are clean, not escaped.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Drawing {
    /// Columns of layers, the first at the bottom.
    Stacked {
        places: Vec<String>,
        layers: Vec<Layer>,
    },
    /// One line a layer; `hidden` smaller ones are not drawn.
    Lines {
        places: Vec<String>,
        layers: Vec<Layer>,
        hidden: usize,
    },
    /// One value a row.
    Bars { rows: Vec<Row> },
    /// One cell a row and place; `most` is the largest.
    Heat {
        places: Vec<String>,
        rows: Vec<Row>,
        most: f64,
    },
    /// A course for each row.
    Sparks { places: Vec<String>, rows: Vec<Row> },
}

impl Drawing {
    /// What it shows, in a sentence for those who do not see it.
    pub(crate) fn words(&self) -> String {
        let range = |places: &[String]| match (places.first(), places.last()) {
            (Some(first), Some(last)) if first != last => format!(" from {first} to {last}"),
            (Some(first), _) => format!(" on {first}"),
            _ => String::new(),
        };
        let sums = |named: Vec<(&str, f64)>| {
            let shown = named.iter().take(8);
            let shown = shown.map(|(name, sum)| format!("{name} {}", crate::words::number(*sum)));
            let mut text = shown.collect::<Vec<_>>().join(", ");
            if named.len() > 8 {
                text.push_str(&format!(" and {} more", named.len() - 8));
            }
            text
        };
        let layers = |layers: &[Layer]| {
            sums(
                layers
                    .iter()
                    .map(|l| (l.name.as_str(), l.values.iter().sum()))
                    .collect(),
            )
        };
        let rows = |rows: &[Row]| sums(rows.iter().map(|r| (r.name.as_str(), r.total())).collect());
        match self {
            Drawing::Stacked {
                places,
                layers: all,
            } => {
                format!("Stacked columns{}. Sum: {}.", range(places), layers(all))
            }
            Drawing::Lines {
                places,
                layers: all,
                hidden,
            } => {
                let more = match hidden {
                    0 => String::new(),
                    hidden => format!(" {hidden} more are not drawn."),
                };
                format!("Lines{}. Sum: {}.{more}", range(places), layers(all))
            }
            Drawing::Bars { rows: all } => format!("Bars: {}.", rows(all)),
            Drawing::Heat {
                places,
                rows: all,
                most,
            } => format!(
                "Heat map of {} rows{}, the strongest at {}. Sum: {}.",
                all.len(),
                range(places),
                crate::words::number(*most),
                rows(all)
            ),
            Drawing::Sparks { places, rows: all } => {
                format!("Courses{}. Sum: {}.", range(places), rows(all))
            }
        }
    }
}
