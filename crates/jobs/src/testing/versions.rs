//! Made versions of findings: few accounts, addresses and times, so that everything happens to everything.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListBuilder, RecordBatch,
    StringArray, StringBuilder, TimestampMicrosecondArray,
};
use lake::schema::text_list;
use proptest::prelude::*;

use super::findings;

pub(crate) const SECOND: i64 = 1_000_000;

/// A version as the test makes it.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) account: u8,
    pub(crate) finding: u8,
    /// When it happened, in some unit.
    pub(crate) second: Option<u8>,
    /// Order among the versions of a finding.
    pub(crate) updated: u8,
    pub(crate) count: u8,
    pub(crate) ips: Vec<u8>,
    pub(crate) shape: &'static str,
    pub(crate) backfilled: bool,
    pub(crate) severity: u8,
}

impl Version {
    /// One finding of each account is a sample.
    pub(crate) fn is_sample(&self) -> bool {
        self.finding == 5
    }

    pub(crate) fn is_native(&self) -> bool {
        !self.shape.ends_with("asff")
    }

    /// Days since 1970, as the lake's `event_date`.
    pub(crate) fn day(&self, unit: i64) -> i32 {
        (i64::from(self.second.unwrap_or(0)) * unit / 86_400_000_000) as i32
    }
}

pub(crate) fn version() -> impl Strategy<Value = Version> {
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
pub(crate) fn stored(mut versions: Vec<Version>) -> Vec<Version> {
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

pub(crate) fn rows(versions: &[Version], unit: i64) -> RecordBatch {
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
        ("type", text(&|v| format!("T{}", v.finding % 3))),
        (
            "sample",
            Arc::new(BooleanArray::from_iter(
                versions.iter().map(|v| Some(v.is_sample())),
            )),
        ),
        (
            "event_date",
            Arc::new(Int32Array::from_iter_values(
                versions.iter().map(|v| v.day(unit)),
            )),
        ),
        ("wire_shape", text(&|v| v.shape.to_owned())),
        (
            "event_time",
            time(&|v| v.second.map(|s| i64::from(s) * unit)),
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

/// By how much a version raised the count: against the largest before it in (updated, count) order, backfilled ones too.
pub(crate) fn increase(versions: &[Version], at: usize) -> u64 {
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
