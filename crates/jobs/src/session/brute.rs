//! Trends beside a count that knows no SQL, over made versions in shuffled order with updates and several wire shapes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::testing::versions::{Version, increase, rows, stored, version};
use crate::testing::{lines, over};
use crate::{Kind, Library};

const HOUR: i64 = 3_600_000_000;

/// The lines of a trend over hours `from` to `to`, by day and key.
type Lines = BTreeSet<String>;

/// What a day's key holds: findings and the number that the trend adds to it.
#[derive(Default)]
struct Cell {
    findings: BTreeSet<(u8, u8)>,
    number: u64,
    accounts: BTreeSet<u8>,
}

fn cells<'a>(
    versions: &'a [Version],
    hours: std::ops::Range<u8>,
    keys: impl Fn(&'a Version) -> Vec<String>,
    number: impl Fn(usize) -> Option<u64>,
) -> BTreeMap<String, Cell> {
    let mut cells: BTreeMap<String, Cell> = BTreeMap::new();
    for (at, version) in versions.iter().enumerate() {
        let inside = version.second.is_some_and(|hour| hours.contains(&hour));
        let Some(number) = number(at).filter(|_| inside && !version.is_sample()) else {
            continue;
        };
        for key in keys(version) {
            let cell = cells.entry(key).or_default();
            cell.findings.insert((version.account, version.finding));
            cell.accounts.insert(version.account);
            cell.number += number;
        }
    }
    cells
}

fn day(version: &Version) -> String {
    format!("1970-01-0{}", version.day(HOUR) + 1)
}

fn expected(trend: &str, versions: &[Version], hours: std::ops::Range<u8>) -> Lines {
    let native = |at: usize| Some(u64::from(versions[at].is_native()));
    let raised = |at: usize| {
        let counts = versions[at].is_native() && !versions[at].backfilled;
        counts.then(|| increase(versions, at))
    };
    let by_account = |v: &Version| vec![format!("{}|{}|null", day(v), v.account)];
    let by_type = |v: &Version| vec![format!("{}|T{}", day(v), v.finding % 3)];
    let by_ip = |v: &Version| {
        v.ips
            .iter()
            .map(|ip| format!("198.51.100.{ip}|false"))
            .collect()
    };
    let told = |cells: BTreeMap<String, Cell>, tell: &dyn Fn(&Cell) -> String| -> Lines {
        cells
            .iter()
            .map(|(key, cell)| format!("{key}|{}", tell(cell)))
            .collect()
    };
    match trend {
        "findings_per_account_day" => told(cells(versions, hours, by_account, native), &|c| {
            format!("{}|{}", c.findings.len(), c.number)
        }),
        "occurrences_per_account_day" => told(cells(versions, hours, by_account, raised), &|c| {
            format!("{}|{}", c.number, c.findings.len())
        }),
        "findings_per_type_day" => told(cells(versions, hours, by_type, native), &|c| {
            format!("{}|{}|{}", c.findings.len(), c.number, c.accounts.len())
        }),
        "top_remote_ips" => told(cells(versions, hours, by_ip, native), &|c| {
            format!("{}|{}|{}", c.findings.len(), c.number, c.accounts.len())
        }),
        other => panic!("{other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn trends_count_what_there_is(
        versions in prop::collection::vec(version(), 1..80),
        trend in prop::sample::select(vec![
            "findings_per_account_day", "occurrences_per_account_day", "findings_per_type_day", "top_remote_ips",
        ]),
        from in 0..30_u8,
        hours in 1..40_u8,
    ) {
        let versions = stored(versions);
        let script = Library::built_in().script(Kind::Trend, trend).unwrap().unwrap();
        let time = |hour: u8| format!("1970-01-01 + {hour}h");
        let given = [("from".to_owned(), time(from)), ("to".to_owned(), time(from + hours))].into();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let got = runtime.block_on(async {
            let (first, second) = versions.split_at(versions.len() / 2);
            let session = over(vec![rows(first, HOUR), rows(second, HOUR)]).await;
            session.run(&script, &given).await.unwrap().collect().await.unwrap()
        });
        let got = lines(&got);
        // The last two columns of top_remote_ips are times.
        let cut = |line: &str| match trend {
            "top_remote_ips" => line.rsplitn(3, '|').last().unwrap_or_default().to_owned(),
            _ => line.to_owned(),
        };
        let got: Vec<String> = got.lines().map(cut).collect();
        let expected = expected(trend, &versions, from..from + hours);
        prop_assert_eq!(got.len(), expected.len(), "{:?}", got);
        prop_assert_eq!(got.into_iter().collect::<Lines>(), expected);
    }
}
