//! The fields of a rule's header that its kind decides over.

#[cfg(test)]
mod tests;

use serde_saphyr::Spanned;

use crate::clean;
use crate::rule::condition::Condition;
use crate::rule::file::Reader;
use crate::rule::header::Header;
use crate::rule::yaml::{Yaml, did_you_mean, spot};
use crate::rule::{Bounds, Count, Kind, Needs, Period, Step};

/// Fields that only some kinds have, and which.
const OF_KINDS: [(&str, &[&str]); 13] = [
    ("count", &["threshold", "rate"]),
    (
        "threshold",
        &["threshold", "new_terms", "rate", "sequence", "absence"],
    ),
    ("term", &["new_terms"]),
    ("lookback", &["new_terms", "absence"]),
    ("min_history", &["new_terms", "rate"]),
    ("baseline", &["rate"]),
    ("factor", &["rate"]),
    ("season", &["rate"]),
    ("steps", &["sequence"]),
    ("ordered", &["sequence"]),
    ("condition", &["sequence"]),
    ("null_groups", &Kind::WORDS),
    ("window", &Kind::WORDS),
];

const MOST_STEPS: usize = 32;

/// How a rule judges.
pub(super) struct Judged {
    pub(super) kind: Kind,
    pub(super) count: Count,
    pub(super) bounds: Bounds,
    pub(super) window: Period,
}

impl Reader {
    /// `None` where there is a mistake; there may be mistakes even so.
    pub(super) fn judged(&mut self, header: &Header<'_>) -> Option<Judged> {
        let word = match header.get("kind") {
            None => "threshold".to_owned(),
            Some((at, _)) => {
                let word = self.text(header, "kind")?;
                if !Kind::WORDS.contains(&word.as_str()) {
                    let hint = did_you_mean(&word, &Kind::WORDS);
                    let word = clean(&word, 40);
                    return self.mistake(at, format!("kind: there is no kind `{word}`{hint}"));
                }
                word
            }
        };
        for (name, at, _) in &header.fields {
            if let Some((_, kinds)) = OF_KINDS.iter().find(|(field, _)| field == name)
                && !kinds.contains(&word.as_str())
            {
                let kinds = kinds.join(", ");
                self.note(
                    *at,
                    format!("{name}: not of kind {word}; it belongs to {kinds}"),
                );
            }
        }
        match word.as_str() {
            "threshold" => self.threshold(header),
            "new_terms" => self.new_terms(header),
            "rate" => self.rate(header),
            "sequence" => self.sequence(header),
            "absence" => self.absence(header),
            _ => Some(Judged {
                kind: Kind::Query,
                count: Count::Findings,
                bounds: Bounds::at_least(1),
                window: self.period_or(header, "window", "1d")?,
            }),
        }
    }

    fn threshold(&mut self, header: &Header<'_>) -> Option<Judged> {
        let count = self.count(header);
        let bounds = self.needed_bounds(header, count.as_ref());
        let window = self.needed_period(header, "window", "for example `window: 10m`");
        Some(Judged {
            kind: Kind::Threshold,
            count: count?,
            bounds: bounds?,
            window: window?,
        })
    }

    fn new_terms(&mut self, header: &Header<'_>) -> Option<Judged> {
        let term = match header.get("term") {
            None => self.missing(header, "term", "the column whose new values ring"),
            Some(_) => self.list(header, "term"),
        };
        let lookback = self.needed_period(header, "lookback", "for example `lookback: 30d`");
        let min_history = self.period(header, "min_history");
        let window = self.period_or(header, "window", "1h");
        let bounds = self.bounds_or_one(header);
        let (term, lookback, window) = (term?, lookback?, window?);
        self.at_most(
            header,
            "min_history",
            min_history.as_ref(),
            "lookback",
            &lookback,
        )?;
        self.at_most(header, "window", Some(&window), "lookback", &lookback)?;
        Some(Judged {
            count: Count::Distinct(term.clone()),
            kind: Kind::NewTerms {
                term,
                lookback,
                min_history,
            },
            bounds: bounds?,
            window,
        })
    }

    fn rate(&mut self, header: &Header<'_>) -> Option<Judged> {
        let count = self.count(header);
        if let (Some(count), Some((at, _))) = (&count, header.get("count"))
            && !count.is_whole()
        {
            self.note(
                at,
                "count: a rate is of findings, occurrences, versions or distinct values",
            );
        }
        let bounds = self.needed_bounds(header, count.as_ref());
        let window = self.needed_period(header, "window", "for example `window: 1d`");
        let baseline = self.needed_period(header, "baseline", "for example `baseline: 28d`");
        let season = self.period(header, "season");
        let min_history = self.period(header, "min_history");
        let factor = match header.get("factor") {
            None => self.missing(header, "factor", "for example `factor: 3`"),
            Some((_, Yaml::Whole(number))) if *number > 0 => Some(*number as f64),
            Some((_, Yaml::Number(number))) if number.is_finite() && *number > 0.0 => Some(*number),
            Some((at, _)) => self.mistake(at, "factor: must be a number above 0"),
        };
        let (window, baseline) = (window?, baseline?);
        let min_history = min_history.unwrap_or_else(|| baseline.clone());
        self.at_most(
            header,
            "min_history",
            Some(&min_history),
            "baseline",
            &baseline,
        )?;
        let of = season.as_ref().unwrap_or(&window);
        self.multiple(header, "baseline", &baseline, of)?;
        if let Some(season) = &season {
            self.multiple(header, "season", season, &window)?;
        }
        Some(Judged {
            kind: Kind::Rate {
                baseline,
                factor: factor?,
                season,
                min_history,
            },
            count: count?,
            bounds: bounds?,
            window,
        })
    }

    fn absence(&mut self, header: &Header<'_>) -> Option<Judged> {
        let lookback = self.needed_period(header, "lookback", "for example `lookback: 30d`");
        let window = self.needed_period(
            header,
            "window",
            "how long the silence must last, for example `window: 3d`",
        );
        let bounds = self.bounds_or_one(header);
        Some(Judged {
            kind: Kind::Absence {
                lookback: lookback?,
            },
            count: Count::Findings,
            bounds: bounds?,
            window: window?,
        })
    }

    fn sequence(&mut self, header: &Header<'_>) -> Option<Judged> {
        let window = self.needed_period(header, "window", "for example `window: 1d`");
        let ordered = self.flag(header, "ordered");
        let steps = match header.get("steps") {
            None => self.missing(header, "steps", "for example `steps: [recon, access]`"),
            Some((at, Yaml::List(items))) if (1..=MOST_STEPS).contains(&items.len()) => {
                let steps: Vec<_> = items.iter().map(|item| self.step(item)).collect();
                let steps: Option<Vec<Step>> = steps.into_iter().collect();
                if let Some(steps) = &steps
                    && let Some((_, twice)) = steps.iter().enumerate().find(|(nth, step)| {
                        steps[..*nth].iter().any(|known| known.name == step.name)
                    })
                {
                    let twice = clean(&twice.name, 40);
                    return self.mistake(at, format!("steps: `{twice}` is there twice"));
                }
                steps
            }
            Some((at, _)) => self.mistake(
                at,
                format!("steps: must be a list of 1 to {MOST_STEPS} steps"),
            ),
        };
        let steps = steps?;
        let condition = match header.get("condition") {
            None => None,
            Some((at, _)) => {
                let text = self.text(header, "condition")?;
                let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
                match Condition::parse(&text, &names) {
                    Ok(condition) => Some(condition),
                    Err(error) => return self.mistake(at, format!("condition: {error}")),
                }
            }
        };
        let ordered = ordered.unwrap_or(condition.is_none());
        let all = steps.len() as u64;
        let mut bounds = Bounds::at_least(all);
        if let Some((at, _)) = header.get("threshold") {
            if ordered || condition.is_some() {
                return self.mistake(
                    at,
                    "threshold: only with `ordered: false` and without a condition",
                );
            }
            bounds = self.bounds(header, &Count::Findings)?;
            if bounds.least() > all {
                return self.mistake(at, format!("threshold: there are only {all} steps"));
            }
        }
        if let Some((at, _)) = header.get("condition") {
            if ordered {
                return self.mistake(at, "condition: only with `ordered: false`");
            }
            bounds = Bounds::at_least(1);
        }
        Some(Judged {
            kind: Kind::Sequence {
                steps,
                ordered,
                condition,
            },
            count: Count::Findings,
            bounds,
            window: window?,
        })
    }

    fn step(&mut self, item: &Spanned<Yaml>) -> Option<Step> {
        let at = spot(&item.referenced);
        let fields = match &item.value {
            Yaml::Text(name) if !name.trim().is_empty() => {
                let name = name.trim().to_owned();
                return Some(Step { name, needs: None });
            }
            Yaml::Map(fields) => fields,
            other => {
                let name = other.name();
                return self.mistake(
                    at,
                    format!("steps: a step is a name or a mapping, not {name}"),
                );
            }
        };
        const FIELDS: [&str; 4] = ["step", "count", "threshold", "window"];
        let mut step = Header::within(at);
        for (key, value) in fields {
            let place = spot(&key.referenced);
            let Yaml::Text(name) = &key.value else {
                return self.mistake(place, "steps: the fields of a step are texts");
            };
            if !FIELDS.contains(&name.as_str()) {
                let hint = did_you_mean(name, &FIELDS);
                let name = clean(name, 40);
                return self.mistake(
                    place,
                    format!("steps: there is no such field `{name}`{hint}"),
                );
            }
            step.fields
                .push((name.clone(), spot(&value.referenced), value.value.clone()));
        }
        let name = match step.get("step") {
            None => self.missing(&step, "step", "the name of the step"),
            Some(_) => self.text(&step, "step"),
        };
        let count = self.count(&step);
        if let (Some(count), Some((at, _))) = (&count, step.get("count"))
            && !count.is_whole()
        {
            return self.mistake(
                at,
                "count: a step counts findings, occurrences, versions or distinct values",
            );
        }
        if step.fields.len() == 1 {
            return Some(Step {
                name: name?,
                needs: None,
            });
        }
        let bounds = self.needed_bounds(&step, count.as_ref());
        let window = self.needed_period(&step, "window", "for example `window: 5m`");
        Some(Step {
            name: name?,
            needs: Some(Needs {
                count: count?,
                bounds: bounds?,
                window: window?,
            }),
        })
    }

    fn needed_bounds(&mut self, header: &Header<'_>, count: Option<&Count>) -> Option<Bounds> {
        match header.get("threshold") {
            None => self.missing(header, "threshold", "for example `threshold: 10`"),
            Some(_) => self.bounds(header, count?),
        }
    }

    fn bounds_or_one(&mut self, header: &Header<'_>) -> Option<Bounds> {
        match header.get("threshold") {
            None => Some(Bounds::at_least(1)),
            Some(_) => self.bounds(header, &Count::Findings),
        }
    }

    fn needed_period(&mut self, header: &Header<'_>, field: &str, hint: &str) -> Option<Period> {
        match header.get(field) {
            None => self.missing(header, field, hint),
            Some(_) => self.period(header, field),
        }
    }

    fn period_or(&mut self, header: &Header<'_>, field: &str, text: &str) -> Option<Period> {
        match header.get(field) {
            None => Period::parse(text).ok(),
            Some(_) => self.period(header, field),
        }
    }

    /// Complains where one period is longer than another.
    fn at_most(
        &mut self,
        header: &Header<'_>,
        field: &str,
        period: Option<&Period>,
        other: &str,
        most: &Period,
    ) -> Option<()> {
        match period {
            Some(period) if period.micros() > most.micros() => {
                let at = header.get(field).map_or(header.start, |(at, _)| at);
                let (period, most) = (period.as_str(), most.as_str());
                self.mistake(
                    at,
                    format!("{field}: {period} is longer than {other}, {most}"),
                )
            }
            _ => Some(()),
        }
    }

    /// Complains where one period is not some times another.
    fn multiple(
        &mut self,
        header: &Header<'_>,
        field: &str,
        period: &Period,
        of: &Period,
    ) -> Option<()> {
        if period.micros() % of.micros() == 0 {
            return Some(());
        }
        let at = header.get(field).map_or(header.start, |(at, _)| at);
        let (period, of) = (period.as_str(), of.as_str());
        self.mistake(
            at,
            format!("{field}: {period} is not a whole number of times {of}"),
        )
    }
}

impl Count {
    /// Reads what is counted. The error is a clause that can follow `count: `.
    pub fn parse(text: &str) -> Result<Count, String> {
        const WORDS: [&str; 7] = [
            "findings",
            "occurrences",
            "versions",
            "distinct(...)",
            "sum(...)",
            "avg(...)",
            "percentile(...)",
        ];
        let text = text.trim();
        let (word, arguments) = match text.split_once('(') {
            None => (text, None),
            Some((word, rest)) => (
                word.trim(),
                Some(rest.trim_end().strip_suffix(')').unwrap_or("")),
            ),
        };
        let columns: Vec<String> = arguments
            .unwrap_or_default()
            .split(',')
            .map(|column| column.trim().to_owned())
            .collect();
        let named = columns
            .iter()
            .all(|column| !column.is_empty() && !column.contains(['(', ')']));
        let one = || match &columns[..] {
            [column] if named => Ok(column.clone()),
            _ => Err(format!("{word} needs one column: `{word}(severity)`")),
        };
        match (word, arguments) {
            ("findings", None) => Ok(Count::Findings),
            ("occurrences", None) => Ok(Count::Occurrences),
            ("versions", None) => Ok(Count::Versions),
            ("distinct", _) if named && columns.len() <= 8 => Ok(Count::Distinct(columns)),
            ("distinct", _) => Err("distinct needs one column: `distinct(account_id)`".to_owned()),
            ("sum", _) => one().map(Count::Sum),
            ("avg", _) => one().map(Count::Average),
            ("percentile", _) => {
                let needs = "percentile needs a number from 0 to 100 and a column: `percentile(95, severity)`";
                match &columns[..] {
                    [percent, column] if named => percent
                        .parse()
                        .ok()
                        .filter(|percent| (0.0..=100.0).contains(percent))
                        .map(|percent: f64| Count::Percentile(percent, column.clone()))
                        .ok_or_else(|| needs.to_owned()),
                    _ => Err(needs.to_owned()),
                }
            }
            _ => {
                let units = "the units are findings, occurrences, versions, distinct(<column>), sum(<column>), avg(<column>) and percentile(<number>, <column>)";
                let hint = did_you_mean(text, &WORDS);
                Err(format!("`{}` is none; {units}{hint}", clean(text, 60)))
            }
        }
    }

    /// Whether it is always a whole number.
    pub fn is_whole(&self) -> bool {
        !matches!(
            self,
            Count::Sum(_) | Count::Average(_) | Count::Percentile(..)
        )
    }
}
