//! `guardlake rule backtest`: how often a rule would have rung, and how often with other values.

mod plot;
mod values;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use alerts::{Group, Rule, clean, rfc3339};
use jobs::backtest::{Backtest, Past, Rung};
use jobs::rules::{self, RuleFile};
use jobs::{Library, Limits, QueryError, closest};
use serde_json::{Value, json};

use super::{library, rule_at, tell};
use crate::args::{Backtest as Args, Format};
use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;
use crate::wire_up;

/// Groups that people see.
const GROUPS: usize = 10;

pub(super) async fn run(
    args: Args,
    settings: &Settings,
    format: Format,
) -> Result<ExitCode, Failure> {
    let library = library(settings, args.rules.rules.as_deref())?;
    let file = find(&library, &args.rule)?;
    let rule = match &file.rule {
        Ok(rule) => rule.clone(),
        Err(error) => {
            tell(&file.file, &file.text, &error.mistakes);
            return Ok(ExitCode::from(2));
        }
    };
    let sweep = args
        .sweep
        .as_deref()
        .map(|text| values::sweep(&rule, text))
        .transpose()?;
    let lake = wire_up::lake(settings).await?;
    let (from, to) = (args.from.as_deref(), args.to.as_deref());
    let past = Past::open(
        &lake,
        &library,
        &Limits::default(),
        from,
        to,
        wire_up::now(),
    )
    .await?;
    if let Err(error) = rules::check(past.session(), &rule).await {
        tell(&file.file, &file.text, &error.mistakes);
        return Ok(ExitCode::from(2));
    }
    let wrong = |error: QueryError| Failure::query(error.render(&file.file, &rule.sql));
    match sweep {
        None => {
            let told = past.ask(&rule).await.map_err(wrong)?;
            match format {
                Format::Table | Format::Markdown => print(&story(&rule, &told)),
                _ => output::values(&rows(&rule, &told), &ROW, format),
            }?;
        }
        Some((field, values)) => {
            let rules: Vec<Rule> = values.iter().map(|(_, rule)| rule.clone()).collect();
            let told = past.sweep(&rules).await.map_err(wrong)?;
            let values = values.into_iter().map(|(value, _)| value);
            table(field, &values.zip(told).collect::<Vec<_>>(), format)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A rule by id, or by the path of its file.
fn find(library: &Library, name: &str) -> Result<RuleFile, Failure> {
    let known = rules::load(library);
    if let Some(file) = known.iter().find(|file| file.id == name) {
        return Ok(file.clone());
    }
    let path = Path::new(name);
    if path.is_file() {
        return rule_at(path);
    }
    let near = closest(name, known.iter().map(|file| file.id.as_str()))
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let name = clean(name, 120);
    Err(Failure::usage(format!(
        "there is no rule and no file `{name}`{near} `guardlake rule list` lists the rules"
    )))
}

const ROW: [&str; 10] = [
    "rule",
    "group",
    "first_match",
    "last_match",
    "count",
    "matches",
    "findings",
    "accounts",
    "regions",
    "types",
];

/// One object an alert.
fn rows(rule: &Rule, told: &Backtest) -> Vec<Value> {
    let row = |Rung { group, episode }: &Rung| {
        let group: serde_json::Map<String, Value> = group
            .iter()
            .map(|(column, value)| (column.clone(), json!(value)))
            .collect();
        json!({
            "rule": rule.id,
            "group": group,
            "first_match": rfc3339(episode.first_match),
            "last_match": rfc3339(episode.last_match),
            "count": episode.count,
            "matches": episode.matches,
            "findings": episode.findings_total,
            "accounts": episode.accounts,
            "regions": episode.regions,
            "types": episode.types,
        })
    };
    told.alerts.iter().map(row).collect()
}

/// One line a value.
fn table(field: &str, told: &[(String, Backtest)], format: Format) -> Result<(), Failure> {
    let most = told.iter().map(|(_, told)| told.alerts.len() as u64).max();
    let people = matches!(format, Format::Table | Format::Markdown);
    let rows: Vec<Value> = told
        .iter()
        .map(|(value, told)| {
            let mut row = json!({
                field: value,
                "alerts": told.alerts.len(),
                "per_day": (told.per_day() * 100.0).round() / 100.0,
                "groups": told.groups().len(),
                "biggest": told.biggest().map(|rung| rung.episode.count),
            });
            if people {
                let bar = plot::bar(told.alerts.len() as u64, most.unwrap_or(0), 30);
                row[""] = json!(bar);
            }
            row
        })
        .collect();
    let mut columns = vec![field, "alerts", "per_day", "groups", "biggest"];
    columns.extend(people.then_some(""));
    output::values(&rows, &columns, format)
}

/// What people read: at most eighty columns.
fn story(rule: &Rule, told: &Backtest) -> String {
    let mut text = format!(
        "{}: {}\n{} to {}\n\n{}, {:.2} a day, {}",
        clean(&rule.id, 60),
        clean(&rule.title, 80),
        rfc3339(told.from),
        rfc3339(told.to),
        many(told.alerts.len(), "alert"),
        told.per_day(),
        many(told.groups().len(), "group"),
    );
    if told.going_on > 0 {
        text.push_str(&format!(
            "; {} more had opened before and went on",
            told.going_on
        ));
    }
    text.push('\n');
    if told.alerts.is_empty() {
        return text;
    }
    text.push('\n');
    text.push_str(&plot::days(&told.days()));
    text.push_str("\nalerts  group\n");
    let groups = told.groups();
    for (group, alerts) in groups.iter().take(GROUPS) {
        text.push_str(&format!("{alerts:>6}  {}\n", named(group)));
    }
    if groups.len() > GROUPS {
        let rest: u64 = groups[GROUPS..].iter().map(|(_, alerts)| alerts).sum();
        text.push_str(&format!(
            "{rest:>6}  in {} other groups\n",
            groups.len() - GROUPS
        ));
    }
    if let Some(Rung { group, episode }) = told.longest() {
        let (first, last) = (rfc3339(episode.first_match), rfc3339(episode.last_match));
        text.push_str(&format!(
            "\nlongest  {first} to {last}\n         {}\n",
            named(group)
        ));
    }
    if let Some(Rung { group, episode }) = told.biggest() {
        let (count, end) = (episode.count, rfc3339(episode.window_end));
        text.push_str(&format!(
            "biggest  {count} in the window that ends {end}\n         {}\n",
            named(group)
        ));
    }
    text
}

fn many(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

fn named(group: &Group) -> String {
    if group.is_empty() {
        return "everything".to_owned();
    }
    let values: Vec<String> = group
        .iter()
        .map(|(column, value)| format!("{column}={}", value.as_deref().unwrap_or("null")))
        .collect();
    clean(&values.join(" "), 70).into_owned()
}

fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
