//! The values of `--sweep`: `threshold=5..50:5`, `threshold=5,10`, `window=5m,10m,1h`, `suppress_for=1h,6h`.

use alerts::{Bounds, Kind, Period, Rule, clean};

use crate::failure::Failure;

/// Values at most: each is an evaluation.
const MOST: usize = 200;

/// What can be swept, and how its values are written.
const FIELDS: [(&str, &str); 3] = [
    (
        "threshold",
        "threshold=5..50, threshold=5..50:5 or threshold=5,10",
    ),
    ("window", "window=5m,10m,1h"),
    ("suppress_for", "suppress_for=1h,6h"),
];

/// A field, and the rule with each of its values.
type Swept = (&'static str, Vec<(String, Rule)>);

/// Reads what `--sweep` says about a rule.
pub(super) fn sweep(rule: &Rule, text: &str) -> Result<Swept, Failure> {
    let wrong = |why: String| Failure::usage(format!("--sweep: {why}"));
    let (name, values) = text.split_once('=').unwrap_or((text, ""));
    let Some((field, form)) = FIELDS.iter().find(|(known, _)| *known == name.trim()) else {
        let near = FIELDS
            .iter()
            .find(|(known, _)| strsim::damerau_levenshtein(known, name.trim()) <= 3)
            .map_or_else(String::new, |(known, _)| {
                format!("; did you mean `{known}`?")
            });
        let known = FIELDS.map(|(known, _)| known).join(", ");
        let name = clean(name, 40);
        return Err(wrong(format!("`{name}` is none of {known}{near}")));
    };
    let mut rules = Vec::new();
    if rule.kind == Kind::Query && *field != "suppress_for" {
        return Err(wrong(format!("a rule of kind query has no {field}")));
    }
    if *field == "threshold" {
        if rule.bounds.as_least().is_none() {
            return Err(wrong(format!(
                "the rule's threshold is `{}`; only a whole number can be swept",
                rule.bounds
            )));
        }
        for threshold in numbers(values).map_err(|why| wrong(format!("{why}; write {form}")))? {
            let mut rule = rule.clone();
            rule.threshold = threshold;
            rule.bounds = Bounds::at_least(threshold);
            rules.push((threshold.to_string(), rule));
        }
    } else {
        for value in values.split(',').filter(|value| !value.trim().is_empty()) {
            let period = Period::parse(value).map_err(wrong)?;
            let mut rule = rule.clone();
            let told = period.as_str().to_owned();
            if *field == "window" {
                // Without a suppression of its own a rule's is its window.
                if rule.suppress_for == rule.window {
                    rule.suppress_for = period.clone();
                }
                rule.window = period;
            } else {
                rule.suppress_for = period;
            }
            rules.push((told, rule));
        }
    }
    match rules.len() {
        0 => Err(wrong(format!("no values; write {form}"))),
        1..=MOST => Ok((field, rules)),
        many => Err(wrong(format!("{many} values; at most {MOST}"))),
    }
}

/// `5..50`, `5..50:5` (both ends included), `5,10,20`.
fn numbers(text: &str) -> Result<Vec<u64>, String> {
    let number = |text: &str| match text.trim().parse::<u64>() {
        Ok(number) if number > 0 && i64::try_from(number).is_ok() => Ok(number),
        _ => Err(format!("`{}` is no whole number from 1", clean(text, 40))),
    };
    let Some((first, rest)) = text.split_once("..") else {
        let listed = text.split(',').filter(|part| !part.trim().is_empty());
        return listed.map(number).collect();
    };
    let (last, step) = rest.split_once(':').unwrap_or((rest, "1"));
    let (first, last, step) = (number(first)?, number(last)?, number(step)?);
    if first > last {
        return Err(format!("{first}..{last} is empty"));
    }
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    Ok((first..=last).step_by(step).take(MOST + 1).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(suppress: &str) -> Rule {
        let text = format!(
            "/*\ntitle: t\nseverity: low\ngroup_by: []\nthreshold: 2\nwindow: 10m\n{suppress}*/\nSELECT 1"
        );
        Rule::parse("r", &text).unwrap()
    }

    #[test]
    fn values_are_read() {
        for (text, expected) in [
            ("5..8", Some(vec![5, 6, 7, 8])),
            ("5..16:5", Some(vec![5, 10, 15])),
            ("3, 1", Some(vec![3, 1])),
            ("8..5", None),
            ("0..5", None),
            ("5..x", None),
            ("1..3:0", None),
            ("-1", None),
        ] {
            assert_eq!(numbers(text).ok(), expected, "{text}");
        }
        assert_eq!(numbers("1..1000000000000").unwrap().len(), MOST + 1);
    }

    #[test]
    fn each_value_makes_a_rule() {
        let told = |suppress: &str, text: &str| -> Vec<(String, u64, String, String)> {
            let (_, rules) = sweep(&rule(suppress), text).unwrap();
            let told = |(value, rule): (String, Rule)| {
                let (window, suppress) = (rule.window.as_str(), rule.suppress_for.as_str());
                (
                    value,
                    rule.threshold,
                    window.to_owned(),
                    suppress.to_owned(),
                )
            };
            rules.into_iter().map(told).collect()
        };
        let row = |a: &str, b, c: &str, d: &str| (a.to_owned(), b, c.to_owned(), d.to_owned());
        assert_eq!(told("", "threshold=7"), [row("7", 7, "10m", "10m")]);
        assert_eq!(told("", "window=1h"), [row("1h", 2, "1h", "1h")]);
        assert_eq!(
            told("suppress_for: 2h\n", "window=1h"),
            [row("1h", 2, "1h", "2h")]
        );
        assert_eq!(told("", "suppress_for=1d"), [row("1d", 2, "10m", "1d")]);
        for wrong in [
            "",
            "threshold",
            "threshold=",
            "window=5",
            "limit=3",
            "threshold=1..900",
        ] {
            assert!(sweep(&rule(""), wrong).is_err(), "{wrong}");
        }
    }
}
