//! A file's documents joined: filters put onto their rules, correlations with the rules they name, and out of each
//! outermost document one rule of ours.

use super::Place;
use super::columns::Columns;
use super::correlation::{Condition, Correlation, Kind};
use super::document::{Body, Document};
use super::fields::snake;
use super::numbers;
use super::sheet::{Sheet, Step};
use super::sql::Test;
use super::tree::Notes;
use crate::clean;
use crate::rule::yaml::did_you_mean;

/// Steps that a sequence can have.
const MOST_RULES: usize = 32;

/// The rules of a file, with the place and name of the document each comes from. Empty where there is a mistake.
pub(super) fn link<'d>(
    notes: &mut Notes<'_>,
    documents: &'d mut [Document],
) -> Vec<(&'d Document, Sheet)> {
    twice(notes, documents);
    filter(notes, documents);
    let documents = &*documents;
    let correlations = || {
        documents
            .iter()
            .filter_map(|document| match &document.body {
                Body::Correlation(correlation) => Some(correlation),
                _ => None,
            })
    };
    for (at, name) in correlations().flat_map(|correlation| &correlation.rules) {
        find(notes, documents, "correlation.rules", *at, name);
    }
    if !notes.mistakes.is_empty() {
        return Vec::new();
    }
    let is_outermost = |document: &Document| {
        let mut by = correlations()
            .filter(|correlation| correlation.rules.iter().any(|(_, name)| document.is(name)))
            .peekable();
        by.peek().is_none() || by.any(|correlation| correlation.generate)
    };
    let mut rules = Vec::new();
    for document in documents.iter().filter(|document| is_outermost(document)) {
        let sheet = match &document.body {
            Body::Filter { .. } => continue,
            Body::Base(test) => Some(alone(test)),
            Body::Correlation(correlation) => {
                let joined = Joined::of(notes, documents, correlation);
                joined.and_then(|joined| joined.sheet(notes))
            }
        };
        rules.extend(sheet.map(|sheet| (document, sheet)));
    }
    if rules.is_empty() && notes.mistakes.is_empty() {
        let circle = correlations().next();
        let (at, message) = match circle {
            Some(correlation) => (
                correlation.at,
                "correlation.rules: goes in a circle: every correlation of this file is part of another",
            ),
            None => ((1, 1), "there is no rule in this file"),
        };
        notes.note(at, message);
    }
    rules
}

/// Names and ids are there once.
fn twice(notes: &mut Notes<'_>, documents: &[Document]) {
    for (nth, document) in documents.iter().enumerate() {
        let before = &documents[..nth];
        if let Some((at, name)) = &document.name
            && before.iter().any(|known| known.is(name))
        {
            let name = clean(name, 60);
            notes.note(*at, format!("name: `{name}` is that of another document"));
        }
        if let Some(id) = &document.id
            && before.iter().any(|known| known.is(id))
        {
            let id = clean(id, 60);
            notes.note(
                document.at,
                format!("id: `{id}` is that of another document"),
            );
        }
    }
}

/// The document that a reference means.
fn find<'d>(
    notes: &mut Notes<'_>,
    documents: &'d [Document],
    what: &str,
    at: Place,
    name: &str,
) -> Option<&'d Document> {
    let found = documents
        .iter()
        .find(|document| document.is(name) && !matches!(document.body, Body::Filter { .. }));
    found.or_else(|| {
        let names: Vec<&str> = documents
            .iter()
            .flat_map(|document| {
                [
                    document.name.as_ref().map(|(_, name)| name),
                    document.id.as_ref(),
                ]
            })
            .flatten()
            .map(String::as_str)
            .collect();
        let hint = did_you_mean(name, &names);
        let name = clean(name, 60);
        notes.mistake(
            at,
            format!("{what}: there is no rule `{name}` in this file{hint}"),
        )
    })
}

/// Puts every filter onto the base rules it names.
fn filter(notes: &mut Notes<'_>, documents: &mut [Document]) {
    let filters: Vec<_> = documents
        .iter()
        .filter_map(|document| match &document.body {
            Body::Filter { rules, keeps } => {
                Some((rules.clone(), keeps.clone(), document.about.enabled))
            }
            _ => None,
        })
        .collect();
    for (rules, keeps, enabled) in filters {
        for (at, name) in &rules {
            let found = find(notes, documents, "filter.rules", *at, name);
            if found.is_some_and(|found| matches!(found.body, Body::Correlation(_))) {
                let name = clean(name, 60);
                notes.note(
                    *at,
                    format!(
                        "filter.rules: `{name}` is a correlation; name the rules that it counts"
                    ),
                );
            }
        }
        for document in documents.iter_mut().filter(|_| enabled) {
            let meant = rules.is_empty() || rules.iter().any(|(_, name)| document.is(name));
            if let (Body::Base(test), true) = (&mut document.body, meant) {
                let whole = std::mem::replace(test, Test::All(Vec::new()));
                *test = Test::All(vec![whole, keeps.clone()]);
            }
        }
    }
}

/// A base rule that nothing counts: once for each finding, as long as GuardDuty keeps it.
fn alone(test: &Test) -> Sheet {
    Sheet {
        group_by: ["account_id", "region", "finding_id"]
            .map(str::to_owned)
            .into(),
        count: Some("findings".to_owned()),
        threshold: Some("1".to_owned()),
        window: "1h".to_owned(),
        suppress_for: Some("90d".to_owned()),
        wanted: test.clone(),
        ..Sheet::default()
    }
}

/// A correlation with the rules it names.
struct Joined<'d> {
    correlation: &'d Correlation,
    /// In the order of `rules`.
    parts: Vec<Part<'d>>,
}

/// One of the rules that a correlation names.
pub(super) struct Part<'d> {
    pub(super) document: &'d Document,
    /// Its name as a step.
    pub(super) step: String,
    /// The findings that belong to it.
    pub(super) test: Test,
    /// Where it is a correlation of its own.
    chained: Option<&'d Correlation>,
    at: Place,
}

impl<'d> Joined<'d> {
    fn of(
        notes: &mut Notes<'_>,
        documents: &'d [Document],
        correlation: &'d Correlation,
    ) -> Option<Joined<'d>> {
        let before = notes.mistakes.len();
        let mut parts: Vec<Part<'d>> = Vec::new();
        for (at, name) in &correlation.rules {
            let document = find(notes, documents, "correlation.rules", *at, name)?;
            let (test, chained) = match &document.body {
                Body::Base(test) => (test.clone(), None),
                Body::Filter { .. } => continue,
                Body::Correlation(inner) => {
                    let shown = clean(name, 60);
                    let outer = correlation.kind.word();
                    let counts = matches!(inner.kind, Kind::EventCount | Kind::ValueCount);
                    if !correlation.kind.is_temporal() || !counts {
                        let inner = inner.kind.word();
                        notes.note(*at, format!("correlation.rules: {outer} over `{shown}`, which is of type {inner}, is not honoured; temporal and temporal_ordered chain event_count and value_count"));
                        continue;
                    }
                    if !inner.aliases.is_empty() {
                        notes.note(*at, format!("correlation.rules: `{shown}` has aliases, which a chained correlation cannot have"));
                        continue;
                    }
                    let mut tests = Vec::new();
                    for (at, name) in &inner.rules {
                        match find(notes, documents, "correlation.rules", *at, name)?.body {
                            Body::Base(ref test) => tests.push(test.clone()),
                            _ => notes.note(*at, format!("correlation.rules: `{}` is a correlation within a chained one, which is not honoured", clean(name, 60))),
                        }
                    }
                    (Test::Any(tests), Some(&**inner))
                }
            };
            if parts
                .iter()
                .any(|part| std::ptr::eq(part.document, document))
            {
                let name = clean(name, 60);
                notes.note(*at, format!("correlation.rules: `{name}` is named twice"));
            }
            let step = step_name(name, &parts);
            parts.push(Part {
                document,
                step,
                test,
                chained,
                at: *at,
            });
        }
        if parts.is_empty() && notes.mistakes.len() == before {
            notes.note(correlation.at, "correlation.rules: names no rule");
        }
        if parts.len() > MOST_RULES && correlation.kind.is_temporal() {
            let at = parts[MOST_RULES].at;
            notes.note(
                at,
                format!(
                    "correlation.rules: {} takes at most {MOST_RULES}",
                    correlation.kind.word()
                ),
            );
        }
        (notes.mistakes.len() == before).then_some(Joined { correlation, parts })
    }

    fn sheet(&self, notes: &mut Notes<'_>) -> Option<Sheet> {
        let correlation = self.correlation;
        let mut columns = Columns::new(&correlation.aliases, &self.parts);
        columns.check_aliases(notes)?;
        let group_by = columns.group_by(notes, &correlation.group_by)?;
        let mut sheet = Sheet {
            window: correlation.timespan.clone(),
            wanted: Test::Any(self.parts.iter().map(|part| part.test.clone()).collect()),
            ..Sheet::default()
        };
        if correlation.kind.is_temporal() {
            self.sequence(notes, &mut columns, &group_by, &mut sheet)?;
        } else {
            let count = counted(notes, &mut columns, correlation)?;
            (sheet.count, sheet.threshold) = (Some(count.0), Some(count.1));
        }
        sheet.group_by = group_by;
        sheet.by_rule = columns.is_aliased();
        if correlation.kind.is_temporal() || sheet.by_rule {
            let names = self.parts.iter();
            let names = names.map(|part| (part.step.clone(), part.test.clone()));
            sheet.names = names.collect();
        }
        sheet.projected = columns.projected();
        Some(sheet)
    }

    fn sequence(
        &self,
        notes: &mut Notes<'_>,
        columns: &mut Columns<'_>,
        group_by: &[String],
        sheet: &mut Sheet,
    ) -> Option<()> {
        let correlation = self.correlation;
        let ordered = correlation.kind == Kind::TemporalOrdered;
        sheet.kind = Some("sequence");
        sheet.ordered = Some(ordered);
        for part in &self.parts {
            let mut step = Step {
                name: part.step.clone(),
                needs: None,
            };
            if let Some(inner) = part.chained {
                let theirs = columns.group_by(notes, &inner.group_by)?;
                let same = theirs.len() == group_by.len()
                    && theirs.iter().all(|name| group_by.contains(name));
                if !same {
                    let name = clean(&part.step, 60);
                    return notes.mistake(
                        part.at,
                        format!(
                            "correlation.rules: `{name}` must have the same group-by to be chained"
                        ),
                    );
                }
                let (count, threshold) = counted(notes, columns, inner)?;
                step.needs = Some((count, threshold, inner.timespan.clone()));
            }
            sheet.steps.push(step);
        }
        match &correlation.condition {
            None => {}
            Some(Condition::Extended(_, formula)) => {
                let formula = formula.clone().map(&mut |name: String| {
                    let at = correlation
                        .rules
                        .iter()
                        .position(|(_, known)| *known == name);
                    at.map_or(name, |at| self.parts[at].step.clone())
                });
                sheet.condition = Some(formula.words());
            }
            Some(Condition::Numbers {
                at, comparisons, ..
            }) => {
                let all = self.parts.len() as i64;
                let (low, high) = numbers::whole(notes, *at, comparisons)?;
                if low > all {
                    return notes.mistake(
                        *at,
                        format!("correlation.condition: there are only {all} rules"),
                    );
                }
                if high.is_some_and(|high| high < all) {
                    return notes.mistake(*at, "correlation.condition: an upper end below the number of rules is not honoured");
                }
                if ordered && low < all {
                    return notes.mistake(*at, "correlation.condition: temporal_ordered needs all of its rules; `some of them in order` is not honoured");
                }
                sheet.threshold = (low < all).then(|| low.to_string());
            }
        }
        Some(())
    }
}

/// What a correlation counts and how many it takes, as a rule of ours writes both.
fn counted(
    notes: &mut Notes<'_>,
    columns: &mut Columns<'_>,
    correlation: &Correlation,
) -> Option<(String, String)> {
    let Some(Condition::Numbers {
        at,
        comparisons,
        field,
        percentile,
    }) = &correlation.condition
    else {
        return None;
    };
    let whole = |notes: &mut Notes<'_>| {
        numbers::whole(notes, *at, comparisons).map(|(low, high)| numbers::said(low, high))
    };
    let word = match correlation.kind {
        Kind::EventCount => return Some(("findings".to_owned(), whole(notes)?)),
        Kind::ValueCount => {
            let names: Vec<_> = field
                .iter()
                .map(|(at, name)| columns.counted(notes, *at, name, field.len() > 1))
                .collect();
            let names = names.into_iter().collect::<Option<Vec<_>>>()?;
            return Some((format!("distinct({})", names.join(", ")), whole(notes)?));
        }
        Kind::ValueSum => "sum(",
        Kind::ValueAverage => "avg(",
        _ => "percentile(",
    };
    let (at_field, name) = field.first()?;
    let column = columns.number(notes, *at_field, name)?;
    let percentile = percentile.map_or(String::new(), |(_, percentile)| format!("{percentile}, "));
    let threshold = numbers::any(notes, *at, comparisons)?;
    Some((format!("{word}{percentile}{column})"), threshold))
}

/// A name that a condition can hold: as the document has it where that is a word, else made one.
fn step_name(name: &str, before: &[Part<'_>]) -> String {
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.len() <= 60
        && !["and", "or", "not"].contains(&name.to_lowercase().as_str());
    let base = match is_word {
        true => name.to_owned(),
        false => format!("rule_{}", snake(name)),
    };
    let taken = |name: &str| before.iter().any(|part| part.step == name);
    let mut step = base.clone();
    for nth in 2.. {
        if !taken(&step) {
            break;
        }
        step = format!("{base}_{nth}");
    }
    step
}
