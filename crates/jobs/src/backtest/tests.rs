//! A backtest over everything is an evaluation, its parts add up to it, and a sweep is a backtest for each value.

use std::sync::Arc;

use alerts::Rule;
use datafusion::datasource::MemTable;
use lake::Table;
use proptest::prelude::*;

use super::{Backtest, Past, Rung};
use crate::evaluate::evaluate;
use crate::session::Opened;
use crate::testing::over;
use crate::testing::versions::{Version, rows, stored, version};
use crate::{Library, Limits};

/// Versions lie up to sixty of these apart: two and a half days.
const HOUR: i64 = 3_600_000_000;

fn rule(group_by: &str, count: &str, threshold: u64, window: u8, suppress: u8) -> Rule {
    let text = format!(
        "/*\ntitle: t\nseverity: low\ngroup_by: [{group_by}]\ncount: {count}\nthreshold: {threshold}\nwindow: {window}h\n\
         suppress_for: {suppress}h\n*/\nSELECT * FROM observations"
    );
    Rule::parse("r", &text).unwrap_or_else(|error| panic!("{error}"))
}

async fn past(versions: &[Version], from: Option<&str>, to: Option<&str>) -> Past {
    let tables = Table::ALL.into_iter().map(|table| {
        let batches = match table {
            Table::Findings => vec![rows(versions, HOUR)],
            _ => Vec::new(),
        };
        Opened {
            table,
            provider: Arc::new(MemTable::try_new(table.schema(), vec![batches]).unwrap()),
            version: None,
        }
    });
    let limits = Limits {
        partitions: Some(2),
        ..Limits::default()
    };
    Past::over(
        tables.collect(),
        &Library::built_in(),
        &limits,
        from,
        to,
        i64::MAX,
    )
    .await
    .unwrap()
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// What does not depend on findings after the period: group and first match.
fn openings(backtest: &Backtest) -> Vec<(i64, Vec<Option<String>>)> {
    let opening = |rung: &Rung| {
        let values = rung.group.iter().map(|(_, value)| value.clone()).collect();
        (rung.episode.first_match, values)
    };
    let mut openings: Vec<_> = backtest.alerts.iter().map(opening).collect();
    openings.sort();
    openings
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn the_whole_is_an_evaluation_and_the_sum_of_its_parts(
        versions in prop::collection::vec(version(), 1..50),
        group_by in prop::sample::select(vec!["remote_ip", "account_id", ""]),
        count in prop::sample::select(vec!["findings", "versions", "occurrences", "distinct(account_id)"]),
        (threshold, window, suppress) in (1..5_u64, 1..20_u8, 1..20_u8),
        cut in 1..60_i64,
    ) {
        let versions = stored(versions);
        let rule = rule(group_by, count, threshold, window, suppress);
        wait(async {
            let all = past(&versions, Some("1970-01-01"), Some("1970-01-04")).await.ask(&rule).await.unwrap();
            let session = over(vec![rows(&versions, HOUR)]).await;
            let mut expected = Vec::new();
            for fired in evaluate(&session, &rule, i64::MAX).await.unwrap() {
                for episode in fired.episodes {
                    expected.push(Rung { group: fired.group.clone(), episode });
                }
            }
            expected.sort_by_key(|rung| rung.episode.first_match);
            prop_assert_eq!(&all.alerts, &expected);
            prop_assert_eq!(all.going_on, 0);
            let by_day: u64 = all.days().iter().map(|(_, alerts)| alerts).sum();
            prop_assert_eq!(by_day, all.alerts.len() as u64);
            prop_assert_eq!(all.days().len(), 3);

            let middle = alerts::rfc3339(cut * HOUR);
            let first = past(&versions, Some("1970-01-01"), Some(&middle)).await.ask(&rule).await.unwrap();
            let second = past(&versions, Some(&middle), Some("1970-01-04")).await.ask(&rule).await.unwrap();
            // Windows of the first part do not see what comes after it: counting `increase` over fewer versions can only differ
            // where versions are out of order, which these made ones are.
            if count != "occurrences" {
                let mut parts = openings(&first);
                parts.extend(openings(&second));
                parts.sort();
                prop_assert_eq!(parts, openings(&all));
            }
            let going_on = all.alerts.iter().filter(|rung| rung.episode.first_match < cut * HOUR && rung.episode.last_match >= cut * HOUR);
            prop_assert_eq!(second.going_on, going_on.count() as u64);
            Ok(())
        })?;
    }

    #[test]
    fn a_sweep_is_a_backtest_for_each_value(
        versions in prop::collection::vec(version(), 1..50),
        count in prop::sample::select(vec!["findings", "versions", "occurrences", "distinct(account_id)"]),
        thresholds in prop::collection::vec(1..6_u64, 2..4),
        window in 1..20_u8,
    ) {
        let versions = stored(versions);
        let rules: Vec<Rule> = thresholds.iter().map(|n| rule("remote_ip", count, *n, window, 5)).collect();
        wait(async {
            let past = past(&versions, None, None).await;
            let swept = past.sweep(&rules).await.unwrap();
            for (rule, swept) in rules.iter().zip(swept) {
                prop_assert_eq!(&past.ask(rule).await.unwrap(), &swept);
            }
            Ok(())
        })?;
    }
}

#[test]
fn the_longest_and_the_biggest_are_the_first_of_those() {
    let version = |finding, second| Version {
        account: 1,
        finding,
        second: Some(second),
        updated: second,
        count: 1,
        ips: vec![finding % 2],
        shape: "eventbridge",
        backfilled: false,
        severity: 5,
    };
    // Address 0: two findings, an hour apart. Address 1: one at two hours, one after forty.
    let versions = [version(0, 0), version(2, 1), version(1, 2), version(3, 40)];
    let told = wait(async {
        past(&versions, None, None)
            .await
            .ask(&rule("remote_ip", "findings", 1, 4, 4))
            .await
            .unwrap()
    });
    assert_eq!(told.alerts.len(), 3);
    assert_eq!(
        told.longest().unwrap().group[0].1.as_deref(),
        Some("198.51.100.0")
    );
    assert_eq!(told.biggest().unwrap().episode.count, 2);
    assert_eq!(told.groups()[0].1, 2);
    assert_eq!(told.days(), [(0, 2), (24 * HOUR, 1)]);
    assert_eq!(told.per_day(), 1.5);
}

#[tokio::test]
async fn a_period_that_is_none_is_refused() {
    let library = Library::built_in();
    let tables = || {
        Table::ALL.map(|table| Opened {
            table,
            provider: Arc::new(MemTable::try_new(table.schema(), vec![Vec::new()]).unwrap()),
            version: None,
        })
    };
    for (from, to, told) in [
        (
            Some("2026-01-02"),
            Some("2026-01-01"),
            "ends before it begins",
        ),
        (
            Some("yesterday"),
            None,
            "--from: \"yesterday\" is not a time",
        ),
    ] {
        let past = Past::over(
            tables().into(),
            &library,
            &Limits::default(),
            from,
            to,
            i64::MAX,
        )
        .await;
        let error = past.err().expect("it is refused").to_string();
        assert!(error.contains(told), "{error}");
    }
}
