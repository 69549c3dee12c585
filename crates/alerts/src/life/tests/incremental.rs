//! Rows in any batches and any order, looked at only where they can matter: the alerts come out as the definition says.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::sweep::brute::{Seen, episodes, observations};
use crate::{Alert, Extent, Look, Rule, fold, fold_onto, plan, sweep_from};

const SECOND: i64 = 1_000_000;
/// After all rows.
const NOW: i64 = 10_000 * SECOND;

/// A rule of any kind that can be asked about some rows alone, its periods in seconds.
fn rule() -> impl Strategy<Value = Rule> {
    let unit = prop::sample::select(vec!["findings", "versions", "distinct(v)"]);
    let count = (unit, 1..5_u8, 1..20_u8, prop::option::of(0..4_u8)).prop_map(
        |(unit, least, window, more)| {
            let most = more.map_or(String::new(), |more| format!(", <= {}", least + more));
            format!("count: {unit}\nthreshold: \">= {least}{most}\"\nwindow: {window}s")
        },
    );
    let number = (
        prop::sample::select(vec!["sum(n)", "avg(n)", "percentile(50, n)"]),
        0..8_u8,
        1..20_u8,
    )
        .prop_map(|(unit, least, window)| {
            format!("count: {unit}\nthreshold: \"> {least}\"\nwindow: {window}s")
        });
    let new = (1..3_u8, 1..10_u8, 10..40_u8, 1..10_u8).prop_map(
        |(least, window, lookback, history)| {
            format!("kind: new_terms\nterm: v\nthreshold: {least}\nwindow: {window}s\nlookback: {lookback}s\nmin_history: {history}s")
        },
    );
    let rate = (1..4_u8, 1..6_u8, 1..5_u8, 1..4_u8).prop_map(|(least, window, times, factor)| {
        let baseline = window * times;
        format!("kind: rate\nthreshold: {least}\nwindow: {window}s\nbaseline: {baseline}s\nmin_history: {window}s\nfactor: {factor}")
    });
    let steps = prop::sample::select(vec![
        "steps: [a, b]",
        "steps: [a, b, c]",
        "ordered: false\nsteps: [a, b, c]",
        "ordered: false\nthreshold: 2\nsteps: [a, b, c]",
        "condition: a and not b\nsteps: [a, b, c]",
        "steps:\n  - step: a\n    threshold: 2\n    window: 4s\n  - b",
    ]);
    let sequence = (steps, 2..30_u8)
        .prop_map(|(steps, window)| format!("kind: sequence\n{steps}\nwindow: {window}s"));
    let absence = (1..4_u8, 1..20_u8, 1..20_u8).prop_map(|(least, window, lookback)| {
        format!("kind: absence\nthreshold: {least}\nwindow: {window}s\nlookback: {lookback}s")
    });
    let kind =
        prop_oneof![3 => count, 1 => number, 2 => new, 1 => rate, 2 => sequence, 3 => absence];
    (kind, 1..30_u8).prop_map(|(kind, suppress)| {
        let header =
            format!("title: t\nseverity: low\ngroup_by: [g]\nsuppress_for: {suppress}s\n{kind}");
        Rule::parse("r", &format!("/*\n{header}\n*/\nSELECT 1"))
            .unwrap_or_else(|error| panic!("{error}\n{header}"))
    })
}

/// A row, and which of three groups it is in.
fn row() -> impl Strategy<Value = (u8, Seen)> {
    let number = prop::option::of(0..10_u8).prop_map(|number| number.map(f64::from));
    let value = prop::option::weighted(0.8, "[a-c]");
    (0..3_u8, 0..90_i64, 0..8_u8, value, number, 0..3_u8).prop_map(
        |(group, second, finding, value, number, step)| {
            let seen = Seen {
                time: second * SECOND,
                finding,
                version: 0,
                increase: 1,
                value,
                severity: finding::Label::of(f64::from(finding) + 1.0),
                number,
                step,
            };
            (group, seen)
        },
    )
}

/// What is promised of an episode.
#[derive(Debug, PartialEq)]
struct Told {
    matches: (i64, i64, i64),
    count: (i64, i64, i64),
    seen: (i64, i64),
    findings: BTreeSet<String>,
    total: i64,
    places: (Vec<String>, Vec<String>),
    severity: Option<finding::Label>,
    is_over: bool,
}

fn of_alert(alert: &Alert) -> Told {
    Told {
        matches: (alert.first_match, alert.last_match, alert.matches),
        count: (alert.count, alert.window_start, alert.window_end),
        seen: (alert.first_seen, alert.last_seen),
        findings: alert.findings.iter().cloned().collect(),
        total: alert.findings_total,
        places: (alert.accounts.clone(), alert.regions.clone()),
        severity: alert.max_severity,
        is_over: !alert.state.is_unresolved(),
    }
}

fn by_definition(rule: &Rule, rows: &[Seen]) -> Vec<Told> {
    let told = |episode: crate::Episode| Told {
        matches: (
            episode.first_match,
            episode.last_match,
            episode.matches as i64,
        ),
        count: (
            episode.count as i64,
            episode.window_start,
            episode.window_end,
        ),
        seen: (episode.first_seen, episode.last_seen),
        findings: episode.findings.into_iter().collect(),
        total: episode.findings_total as i64,
        places: (episode.accounts, episode.regions),
        severity: episode.max_severity,
        is_over: episode.over.is_some(),
    };
    episodes(&rule.terms(), rows, NOW)
        .into_iter()
        .map(told)
        .collect()
}

/// What a lake and its evaluators keep between looks: the rows, and the log.
struct World {
    rule: Rule,
    rows: BTreeMap<u8, Vec<Seen>>,
    log: Vec<crate::AlertEvent>,
    alerts: Vec<Alert>,
    /// When it was looked at last.
    now: Option<i64>,
}

impl World {
    /// Some rows are stored, and then looked at. As in the lake, a version that is there already is not stored again.
    fn arrive(&mut self, batch: &[(u8, Seen)], now: i64) {
        let mut touched: BTreeMap<u8, (i64, i64)> = BTreeMap::new();
        for (group, row) in batch {
            let known = self.rows.entry(*group).or_default();
            if known.iter().any(|other| other.version == row.version) {
                continue;
            }
            known.push(row.clone());
            let span = touched.entry(*group).or_insert((row.time, row.time));
            *span = (span.0.min(row.time), span.1.max(row.time));
        }
        if let (true, Some(before)) = (self.rule.kind.is_timely(), self.now) {
            let aged = Extent::aged(&self.rule, before, now);
            let is_aged = |row: &Seen| {
                aged.iter()
                    .any(|aged| aged.0 < row.time && row.time <= aged.1)
            };
            for (group, _) in self
                .rows
                .iter()
                .filter(|(_, rows)| rows.iter().any(is_aged))
            {
                let span = touched.entry(*group).or_insert((before, now));
                *span = (span.0.min(before), span.1.max(now));
            }
        }
        self.now = Some(now);
        for (group, span) in touched {
            let group_key = vec![("g".to_owned(), Some(group.to_string()))];
            let alerts: Vec<Alert> = self
                .alerts
                .iter()
                .filter(|alert| alert.group == group_key)
                .cloned()
                .collect();
            let extent = Extent::of(&self.rule, span, &alerts);
            let terms = self.rule.terms();
            let near: Vec<Seen> = self.rows[&group]
                .iter()
                .filter(|row| extent.reads(row.time, terms.back()))
                .cloned()
                .collect();
            let episodes = sweep_from(&terms, &mut observations(&near), now, extent.from);
            let look = Look {
                from: extent.from,
                through: extent.through,
                ..Look::at_all(now, 1, i64::MAX)
            };
            let events = plan(&self.rule, &group_key, &alerts, &episodes, &look);
            self.alerts = fold_onto(std::mem::take(&mut self.alerts), events.clone());
            self.log.extend(events);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn looking_where_it_matters_is_looking_at_everything(
        rule in rule(),
        rows in prop::collection::vec(row(), 1..40),
        sizes in prop::collection::vec(1..6_usize, 40),
        again in prop::collection::vec(0..40_usize, 0..6),
        pauses in prop::collection::vec(0..12_i64, 40),
    ) {
        // In the order of arrival, which is not that of the events; each version once, some of them delivered again.
        let rows: Vec<(u8, Seen)> = (0..).zip(rows).map(|(version, (group, row))| (group, Seen { version, ..row })).collect();
        let again = again.iter().filter_map(|at| rows.get(*at).cloned());
        let arrivals: Vec<(u8, Seen)> = rows.iter().cloned().chain(again).collect();
        let mut world = World { rule, rows: BTreeMap::new(), log: Vec::new(), alerts: Vec::new(), now: None };
        let mut rest = &arrivals[..];
        let mut now = 0;
        for (size, pause) in sizes.iter().zip(pauses) {
            let (batch, after) = rest.split_at((*size).min(rest.len()));
            now += pause * SECOND;
            world.arrive(batch, now);
            rest = after;
        }
        world.arrive(rest, NOW);
        // Whoever starts anew from the log knows the same.
        prop_assert_eq!(&fold(world.log.clone()), &world.alerts);
        for group in 0..3_u8 {
            let of_group = |row: &&(u8, Seen)| row.0 == group;
            let rows: Vec<Seen> = rows.iter().filter(of_group).map(|(_, row)| row.clone()).collect();
            let key = vec![("g".to_owned(), Some(group.to_string()))];
            let live = world.alerts.iter().filter(|alert| alert.group == key && alert.state.is_live());
            let live: Vec<Told> = live.map(of_alert).collect();
            prop_assert_eq!(live, by_definition(&world.rule, &rows));
        }
    }
}

/// `GUARDLAKE_TEST_CASES` for a soak.
fn cases() -> u32 {
    let asked = option_env!("GUARDLAKE_TEST_CASES").and_then(|cases| cases.parse().ok());
    asked.unwrap_or(12_000)
}
