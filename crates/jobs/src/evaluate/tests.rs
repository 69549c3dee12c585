//! Episodes by DataFusion and the sweep beside a brute force that knows neither.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alerts::Rule;
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray,
    StringBuilder, TimestampMicrosecondArray,
};
use lake::schema::text_list;
use proptest::prelude::*;

use super::evaluate;
use crate::testing::{findings, over};

const SECOND: i64 = 1_000_000;

/// A version as the test makes it.
#[derive(Debug, Clone)]
struct Version {
    account: u8,
    finding: u8,
    second: Option<u8>,
    /// Order among the versions of a finding.
    updated: u8,
    count: u8,
    ips: Vec<u8>,
    shape: &'static str,
    backfilled: bool,
    severity: u8,
}

fn version() -> impl Strategy<Value = Version> {
    let shape = prop_oneof![6 => Just("eventbridge"), 1 => Just("sns/asff"), 1 => Just("export")];
    let ips = prop::collection::btree_set(0..4_u8, 0..3).prop_map(|ips| ips.into_iter().collect());
    let second = prop_oneof![12 => (0..60_u8).prop_map(Some), 1 => Just(None)];
    let rest = (shape, prop::bool::weighted(0.1), 1..10_u8);
    (0..3_u8, 0..6_u8, second, 0..40_u8, 1..9_u8, ips, rest).prop_map(
        |(account, finding, second, updated, count, ips, (shape, backfilled, severity))| Version {
            account,
            finding,
            second,
            updated,
            count,
            ips,
            shape,
            backfilled,
            severity,
        },
    )
}

/// As the lake would store them: a version once.
fn stored(mut versions: Vec<Version>) -> Vec<Version> {
    let mut seen = BTreeSet::new();
    versions.retain(|v| {
        seen.insert((
            v.account,
            v.finding,
            v.updated,
            v.count,
            v.shape.ends_with("asff"),
        ))
    });
    versions
}

fn rows(versions: &[Version]) -> RecordBatch {
    let text = |of: &dyn Fn(&Version) -> String| {
        Arc::new(StringArray::from_iter_values(versions.iter().map(of))) as ArrayRef
    };
    let time = |of: &dyn Fn(&Version) -> Option<i64>| {
        Arc::new(TimestampMicrosecondArray::from_iter(versions.iter().map(of)).with_timezone("UTC"))
            as ArrayRef
    };
    let mut ips = ListBuilder::new(StringBuilder::new());
    for version in versions {
        version
            .ips
            .iter()
            .for_each(|ip| ips.values().append_value(format!("198.51.100.{ip}")));
        // Null and empty lists mean the same.
        ips.append(!version.ips.is_empty() || version.count % 2 == 0);
    }
    let ips: ArrayRef = Arc::new(ips.finish());
    findings(vec![
        ("account_id", text(&|v| v.account.to_string())),
        ("region", text(&|_| "eu-west-1".to_owned())),
        ("finding_id", text(&|v| format!("f{}", v.finding))),
        ("wire_shape", text(&|v| v.shape.to_owned())),
        (
            "event_time",
            time(&|v| v.second.map(|s| i64::from(s) * SECOND)),
        ),
        ("updated_at", time(&|v| Some(i64::from(v.updated) * SECOND))),
        (
            "count",
            Arc::new(Int64Array::from_iter_values(
                versions.iter().map(|v| i64::from(v.count)),
            )),
        ),
        (
            "severity",
            Arc::new(Float64Array::from_iter_values(
                versions.iter().map(|v| f64::from(v.severity)),
            )),
        ),
        (
            "backfilled",
            Arc::new(BooleanArray::from_iter(
                versions.iter().map(|v| Some(v.backfilled)),
            )),
        ),
        (
            "remote_ips",
            arrow::compute::cast(&ips, &text_list()).unwrap(),
        ),
    ])
}

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

/// By how much a version raised the count: against the largest before it in (updated, count) order, backfilled ones too.
fn increase(versions: &[Version], at: usize) -> u64 {
    let own = &versions[at];
    let before = versions.iter().filter(|v| {
        (v.account, v.finding) == (own.account, own.finding)
            && !v.shape.ends_with("asff")
            && (v.updated, v.count) < (own.updated, own.count)
    });
    let before = before
        .max_by_key(|v| (v.updated, v.count))
        .map_or(0, |v| v.count);
    u64::from(own.count.saturating_sub(before))
}

fn rule(group_by: &str, count: &str, threshold: u64, window: u8, suppress: u8) -> Rule {
    let text = format!(
        "/*\ntitle: t\nseverity: low\ngroup_by: [{group_by}]\ncount: {count}\nthreshold: {threshold}\nwindow: {window}s\n\
         suppress_for: {suppress}s\n*/\nSELECT * FROM observations"
    );
    Rule::parse("r", &text).unwrap_or_else(|error| panic!("{error}"))
}

fn episodes(versions: &[Version], rule: &Rule) -> Vec<Told> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let fired = runtime.block_on(async {
        let (first, second) = versions.split_at(versions.len() / 2);
        evaluate(&over(vec![rows(first), rows(second)]).await, rule)
            .await
            .unwrap()
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
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn episodes_are_those_of_the_definition(
        versions in prop::collection::vec(version(), 1..60),
        group_by in prop::sample::select(vec!["remote_ip", "account_id", "account_id, remote_ip", "severity", ""]),
        count in prop::sample::select(vec!["findings", "versions", "occurrences", "distinct(account_id)"]),
        threshold in 1..6_u64,
        window in 1..20_u8,
        suppress in 0..20_u8,
    ) {
        let versions = stored(versions);
        let rule = rule(group_by, count, threshold, window, suppress.max(1));
        prop_assert_eq!(episodes(&versions, &rule), brute(&versions, &rule));
    }
}
