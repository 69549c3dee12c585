//! Episodes by DataFusion and the sweep beside a brute force that knows neither.

use std::collections::{BTreeMap, BTreeSet};

use alerts::Rule;
use proptest::prelude::*;

use super::{measured, prune, select, sorted_and_swept};
use crate::testing::over;
use crate::testing::versions::{SECOND, Version, increase, rows, stored, version};

/// Group, first match, last match, matches, largest count, findings.
type Told = (Vec<String>, i64, i64, u64, u64, u64);

/// By definition: every window of every group, counted from nothing.
fn brute(versions: &[Version], rule: &Rule) -> Vec<Told> {
    let mut groups: BTreeMap<Vec<String>, Vec<(i64, usize)>> = BTreeMap::new();
    for (at, version) in versions.iter().enumerate() {
        let Some(second) = version.second else {
            continue;
        };
        let counted = match rule.count.to_string().as_str() {
            "versions" => !version.shape.ends_with("asff"),
            "occurrences" => !version.shape.ends_with("asff") && !version.backfilled,
            _ => true,
        };
        let ips = version.ips.iter().map(|ip| format!("198.51.100.{ip}"));
        let keys: Vec<Vec<String>> = match rule.group_by.join(",").as_str() {
            "remote_ip" => ips.map(|ip| vec![ip]).collect(),
            "account_id,remote_ip" => ips
                .map(|ip| vec![version.account.to_string(), ip])
                .collect(),
            "account_id" => vec![vec![version.account.to_string()]],
            "severity" => vec![vec![format!("{}.0", version.severity)]],
            _ => vec![vec![]],
        };
        for key in keys.into_iter().filter(|_| counted) {
            groups
                .entry(key)
                .or_default()
                .push((i64::from(second) * SECOND, at));
        }
    }
    let mut told = Vec::new();
    for (group, rows) in groups {
        let times: BTreeSet<i64> = rows.iter().map(|(time, _)| *time).collect();
        let window = |t: i64| {
            rows.iter()
                .filter(move |(time, _)| t - rule.window.micros() < *time && *time <= t)
                .map(|(_, at)| *at)
        };
        let count = |t: i64| -> u64 {
            let held = window(t);
            match rule.count.to_string().as_str() {
                "findings" => held
                    .map(|at| (versions[at].account, versions[at].finding))
                    .collect::<BTreeSet<_>>()
                    .len() as u64,
                "versions" => held.collect::<BTreeSet<_>>().len() as u64,
                "occurrences" => held
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .map(|at| increase(versions, at))
                    .sum(),
                "distinct(account_id)" => held
                    .map(|at| versions[at].account)
                    .collect::<BTreeSet<_>>()
                    .len() as u64,
                other => panic!("{other}"),
            }
        };
        let matches: Vec<i64> = times
            .into_iter()
            .filter(|t| count(*t) >= rule.threshold)
            .collect();
        for run in matches.chunk_by(|a, b| b - a <= rule.suppress_for.micros()) {
            let found: BTreeSet<_> = run
                .iter()
                .flat_map(|t| window(*t))
                .map(|at| (versions[at].account, versions[at].finding))
                .collect();
            let most = run.iter().map(|t| count(*t)).max().unwrap();
            told.push((
                group.clone(),
                run[0],
                run[run.len() - 1],
                run.len() as u64,
                most,
                found.len() as u64,
            ));
        }
    }
    told
}

fn rule(group_by: &str, count: &str, threshold: u64, window: u8, suppress: u8) -> Rule {
    let text = format!(
        "/*\ntitle: t\nseverity: low\ngroup_by: [{group_by}]\ncount: {count}\nthreshold: {threshold}\nwindow: {window}s\n\
         suppress_for: {suppress}s\n*/\nSELECT * FROM observations"
    );
    Rule::parse("r", &text).unwrap_or_else(|error| panic!("{error}"))
}

/// With so many bytes of rows kept while those of no match are looked for.
fn episodes(versions: &[Version], rule: &Rule, kept: usize) -> Vec<Told> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let fired = runtime.block_on(async {
        let (first, second) = versions.split_at(versions.len() / 2);
        let session = over(vec![rows(first, SECOND), rows(second, SECOND)]).await;
        let rows = measured::measured(select(&session, rule, 0).await.unwrap(), rule).unwrap();
        let may_fire = prune::may_fire_within(&rows, rule, kept).await.unwrap();
        let rows = match may_fire {
            Some(may_fire) => rows.filter(may_fire).unwrap(),
            None => rows,
        };
        sorted_and_swept(rows, rule, i64::MAX, None).await.unwrap()
    });
    let mut told = Vec::new();
    for fired in fired {
        let group: Vec<String> = fired
            .group
            .iter()
            .map(|(_, value)| value.clone().unwrap())
            .collect();
        for e in fired.episodes {
            told.push((
                group.clone(),
                e.first_match,
                e.last_match,
                e.matches,
                e.count,
                e.findings_total,
            ));
        }
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn episodes_are_those_of_the_definition(
        versions in prop::collection::vec(version(), 1..60),
        group_by in prop::sample::select(vec!["remote_ip", "account_id", "account_id, remote_ip", "severity", ""]),
        count in prop::sample::select(vec!["findings", "versions", "occurrences", "distinct(account_id)"]),
        threshold in 1..12_u64,
        window in 1..20_u8,
        suppress in 0..20_u8,
        kept in prop::sample::select(vec![0, 256, prune::KEPT]),
    ) {
        let versions = stored(versions);
        let rule = rule(group_by, count, threshold, window, suppress.max(1));
        prop_assert_eq!(episodes(&versions, &rule, kept), brute(&versions, &rule));
    }
}
