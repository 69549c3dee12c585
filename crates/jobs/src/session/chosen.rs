//! What the parameters of trends mean: a trend that is told to choose says what it says of rows that were chosen beforehand.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
use lake::Table;
use proptest::prelude::*;

use crate::testing::lines;
use crate::testing::versions::{Version, rows, stored, version};
use crate::{Given, Kind, Library, Limits, Session};

const HOUR: i64 = 3_600_000_000;

/// Trends about findings.
const TRENDS: [&str; 19] = [
    "account_day_heatmap",
    "baseline_account",
    "baseline_type",
    "busiest_resources",
    "coverage",
    "findings_per_account_day",
    "findings_per_type_day",
    "first_seen_types",
    "mean_time_between_updates",
    "new_findings_per_day",
    "new_types_in_account",
    "occurrences_per_account_day",
    "occurrences_per_type_day",
    "regions",
    "severity_mix_per_account",
    "severity_per_day",
    "silent_accounts",
    "top_remote_ips",
    "totals",
];

/// Two accounts that stay where they are and one that moves at hour 20.
fn unit(account: u8, hour: u8) -> &'static str {
    match (account, hour) {
        (0, _) => "/prod",
        (1, _) => "/prod/web",
        (_, hour) if hour < 20 => "/prod/data",
        _ => "/production",
    }
}

fn accounts() -> RecordBatch {
    let terms = [
        ("0", "/prod", 0),
        ("1", "/prod/web", 0),
        ("2", "/prod/data", 0),
        ("2", "/production", 20 * HOUR),
    ];
    let schema = Table::Accounts.schema();
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "account_id" => Arc::new(StringArray::from_iter_values(terms.map(|t| t.0))),
            "ou" => Arc::new(StringArray::from_iter_values(terms.map(|t| t.1))),
            "valid_from" => Arc::new(
                TimestampMicrosecondArray::from_iter_values(terms.map(|t| t.2))
                    .with_timezone("UTC"),
            ),
            _ => new_null_array(field.data_type(), terms.len()),
        }
    });
    RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
}

async fn asked(versions: &[Version], named: bool, trend: &str, given: &Given) -> String {
    let limits = Limits {
        partitions: Some(2),
        ..Limits::default()
    };
    let (first, second) = versions.split_at(versions.len() / 2);
    let mut tables = vec![(Table::Findings, vec![rows(first, HOUR), rows(second, HOUR)])];
    if named {
        tables.push((Table::Accounts, vec![accounts()]));
    }
    let session = Session::in_memory(tables, &Library::built_in(), &limits)
        .await
        .unwrap();
    let script = Library::built_in()
        .script(Kind::Trend, trend)
        .unwrap()
        .unwrap();
    lines(
        &session
            .run(&script, given)
            .await
            .unwrap()
            .collect()
            .await
            .unwrap(),
    )
}

/// What is chosen: parameters, and whether a version is.
#[derive(Debug, Clone)]
enum Chosen {
    Accounts(Vec<u8>),
    Types(Vec<&'static str>),
    Severity(&'static str, u8),
    Unit(&'static str),
    Samples(bool),
}

impl Chosen {
    fn parameter(&self) -> (&'static str, String) {
        match self {
            Chosen::Accounts(ids) => (
                "accounts",
                ids.iter().map(u8::to_string).collect::<Vec<_>>().join(", "),
            ),
            Chosen::Types(globs) => ("types", globs.join(",")),
            Chosen::Severity(text, _) => ("severity", (*text).to_owned()),
            Chosen::Unit(path) => ("ou", (*path).to_owned()),
            Chosen::Samples(wanted) => ("samples", wanted.to_string()),
        }
    }

    fn holds(&self, version: &Version) -> bool {
        let kind = format!("T{}", version.finding % 3);
        match self {
            Chosen::Accounts(ids) => ids.is_empty() || ids.contains(&version.account),
            Chosen::Types(globs) => globs.iter().any(|glob| match glob.strip_suffix('*') {
                Some(start) => kind.starts_with(start),
                None => kind == *glob,
            }),
            Chosen::Severity(_, lowest) => version.severity >= *lowest,
            Chosen::Unit(path) => {
                let unit = unit(version.account, version.second.unwrap_or(0));
                unit == *path || unit.starts_with(&format!("{path}/"))
            }
            Chosen::Samples(wanted) => *wanted || !version.is_sample(),
        }
    }
}

fn chosen() -> impl Strategy<Value = Chosen> {
    let types = prop::sample::subsequence(vec!["T0", "T1*", "T2", "none", "T*"], 1..3);
    let severity = prop::sample::select(vec![
        ("low", 1),
        ("Medium", 4),
        ("7", 7),
        ("2.5", 3),
        ("critical", 9),
        ("", 0),
    ]);
    prop_oneof![
        prop::sample::subsequence(vec![0_u8, 1, 2, 7], 0..3).prop_map(Chosen::Accounts),
        types.prop_map(Chosen::Types),
        severity.prop_map(|(text, lowest)| Chosen::Severity(text, lowest)),
        prop::sample::select(vec!["/prod", "/prod/web", "/production", "/none"])
            .prop_map(Chosen::Unit),
        any::<bool>().prop_map(Chosen::Samples),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn to_choose_is_to_leave_rows_out(
        versions in prop::collection::vec(version(), 1..60),
        trend in prop::sample::select(TRENDS.to_vec()),
        chosen in chosen(),
        from in 0..40_u8,
        hours in 1..40_u8,
    ) {
        // Units of accounts are those of the end of the period where silence is asked for, and an increase is what it is whatever is
        // chosen of the versions of a finding.
        let silence = ["silent_accounts", "coverage"].contains(&trend);
        let increases = trend.starts_with("occurrences") || trend == "totals";
        let by_version = matches!(chosen, Chosen::Severity(..) | Chosen::Unit(_));
        prop_assume!(!silence || !matches!(chosen, Chosen::Unit(_)));
        prop_assume!(!increases || !by_version);
        let versions = stored(versions);
        let time = |hour: u8| format!("1970-01-01 + {hour}h");
        let period = [("from", time(from)), ("to", time(from + hours))];
        let given = |more: Vec<(&str, String)>| -> Given {
            period.iter().cloned().chain(more).map(|(name, value)| (name.to_owned(), value)).collect()
        };
        let all = ("samples", "true".to_owned());
        let left: Vec<Version> = versions.iter().filter(|v| chosen.holds(v)).cloned().collect();
        let named = matches!(chosen, Chosen::Unit(_));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (got, expected) = runtime.block_on(async {
            let mut parameters = vec![all.clone()];
            parameters.push(chosen.parameter());
            let got = asked(&versions, named, trend, &given(parameters)).await;
            (got, asked(&left, named, trend, &given(vec![all])).await)
        });
        prop_assert_eq!(got, expected, "{} {:?}", trend, chosen);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// What is said of a period cut in two adds up where each row belongs to one hour.
    #[test]
    fn periods_are_half_open(
        versions in prop::collection::vec(version(), 1..60),
        cut in 1..59_u8,
    ) {
        let versions = stored(versions);
        let time = |hour: u8| format!("1970-01-01 + {hour}h");
        let given = |from: u8, to: u8| -> Given {
            [("from".to_owned(), time(from)), ("to".to_owned(), time(to))].into()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let counted = |text: String| text.split('|').skip(2).take(2).map(|n| n.parse::<u64>().unwrap()).collect::<Vec<_>>();
        let (whole, first, second) = runtime.block_on(async {
            (
                counted(asked(&versions, false, "totals", &given(0, 60)).await),
                counted(asked(&versions, false, "totals", &given(0, cut)).await),
                counted(asked(&versions, false, "totals", &given(cut, 60)).await),
            )
        });
        let sum: Vec<u64> = first.iter().zip(&second).map(|(a, b)| a + b).collect();
        prop_assert_eq!(whole, sum);
    }
}

/// Reports give the same parameters to every trend, and ask about a past period again: no trend may leave a filter out or look at
/// the clock, which the view `alerts` does.
#[test]
fn every_trend_chooses_and_none_looks_at_the_clock() {
    let library = Library::built_in();
    for kind in [Kind::Trend, Kind::Investigation] {
        for script in library.scripts(kind).unwrap() {
            let (file, text) = (&script.source.file, &script.source.text);
            let body = text.split_once("*/").unwrap().1;
            let words: Vec<_> = body
                .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .collect();
            for clock in ["now", "current_date", "current_timestamp", "today"] {
                assert!(
                    !words.iter().any(|word| word.eq_ignore_ascii_case(clock)),
                    "{file}: {clock}"
                );
            }
            let asks_alerts = words.windows(2).any(|pair| pair == ["FROM", "alerts"]);
            assert!(!asks_alerts, "{file} asks the view alerts");
            let common = [
                "from", "to", "accounts", "ou", "types", "severity", "tz", "samples", "limit",
            ];
            let missing = common
                .iter()
                .find(|name| script.header.parameters.iter().all(|p| p.name != **name));
            assert!(
                kind != Kind::Trend || missing.is_none(),
                "{file} does not take {missing:?}"
            );
        }
    }
}

/// Eight Tuesdays with 1, 2, 3, 4, 5, 6, 7 and 80 findings, and a ninth with 15: median 4.5, distances 3.5 2.5 1.5 .5 .5 1.5 2.5 75.5, so
/// that MAD is 2 and z is 0.6745 * 10.5 / 2 = 3.54.
#[tokio::test]
async fn the_usual_is_a_median_and_the_unusual_is_told_by_the_mad() {
    let mut versions = Vec::new();
    for (week, number) in (0_u8..).zip([1_u8, 2, 3, 4, 5, 6, 7, 80, 15]) {
        // What happens on the day after does not count.
        for (finding, day) in (0..number).flat_map(|finding| [(finding, 5), (finding, 6)]) {
            versions.push(Version {
                account: 1,
                finding: finding * 3,
                second: Some(week * 7 + day),
                updated: week,
                count: 1,
                ips: Vec::new(),
                shape: "eventbridge",
                backfilled: false,
                severity: 5,
            });
        }
    }
    let tables = vec![(Table::Findings, vec![rows(&versions, 24 * HOUR)])];
    let session = Session::in_memory(tables, &Library::built_in(), &Limits::default())
        .await
        .unwrap();
    for (trend, key) in [("baseline_account", "1|null"), ("baseline_type", "T0")] {
        let script = Library::built_in()
            .script(Kind::Trend, trend)
            .unwrap()
            .unwrap();
        for tz in ["UTC", "Pacific/Auckland"] {
            let time = |days: u8| format!("1970-01-01T00:00:00Z + {days}d");
            let given = [
                ("from", time(8 * 7 + 5)),
                ("to", time(8 * 7 + 6)),
                ("tz", tz.to_owned()),
            ];
            let given: Given = given.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
            let got = session
                .run(&script, &given)
                .await
                .unwrap()
                .collect()
                .await
                .unwrap();
            assert_eq!(lines(&got), format!("{key}|15|4.5|3.54"), "{trend} {tz}");
        }
    }
}

/// One finding of the year 2200 moves no default; a lake of nothing but the future is asked about the future.
#[tokio::test]
async fn the_far_future_is_not_the_newest() {
    let at = |hour: u8| Version {
        account: 1,
        finding: 1,
        second: Some(hour),
        updated: hour,
        count: 1,
        ips: Vec::new(),
        shape: "eventbridge",
        backfilled: false,
        severity: 5,
    };
    // Made rows are ingested at the beginning of 1970.
    for (hours, expected) in [
        (vec![3, 24, 25, 200], 24),
        (vec![30, 200], 200),
        (vec![3], 3),
    ] {
        let versions: Vec<Version> = hours.into_iter().map(at).collect();
        let tables = vec![(Table::Findings, vec![rows(&versions, HOUR)])];
        let session = Session::in_memory(tables, &Library::built_in(), &Limits::default())
            .await
            .unwrap();
        assert_eq!(session.newest().await.unwrap(), expected * HOUR);
    }
}
