//! What to make: how many findings, of whom, over which time, with which troubles and which planted bursts.

use std::net::{IpAddr, Ipv4Addr};

use crate::document::Shape;
use crate::time::{HOUR, MINUTE};

/// What a [`crate::Generator`] makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Published versions to make, updates and duplicates included.
    pub findings: u64,
    /// Member accounts.
    pub accounts: u32,
    /// The same seed and options give the same bytes.
    pub seed: u64,
    /// Outer form of the documents.
    pub shape: Shape,
    /// Newest time, UTC microseconds: no time in a document is later.
    pub end: i64,
    /// Length of the period in days.
    pub days: u32,
    /// Share of versions that update an earlier finding.
    pub update_ratio: f64,
    /// Share of versions that are handed out a second time, under another envelope.
    pub duplicate_ratio: f64,
    /// Share of versions that arrive hours after their time.
    pub late_ratio: f64,
    /// Share of new background findings that are High or Critical.
    pub severe_ratio: f64,
    /// Share of findings marked as samples.
    pub sample_ratio: f64,
    /// Share of findings with text as an attacker would write it.
    pub hostile_ratio: f64,
    /// Whether every active type is made at least once, if there is room (about a thousand findings).
    pub every_type: bool,
    /// Findings planted on top of the background, counted in `findings`.
    pub bursts: Vec<Burst>,
}

/// Distinct findings planted into a span of time; their event times lie within it and they are never updated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Which findings.
    pub kind: BurstKind,
    /// How many.
    pub findings: u32,
    /// Start of the span, UTC microseconds.
    pub start: i64,
    /// Length of the span, microseconds.
    pub within: i64,
}

/// What the findings of a burst have in common. Accounts are indexes into [`crate::accounts`], taken modulo their number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BurstKind {
    /// One remote address in one account, Low and Medium.
    OneRemoteIp {
        /// The address.
        ip: IpAddr,
        /// The account.
        account: u32,
    },
    /// One remote address, Low and Medium, going round this many accounts.
    OneIpManyAccounts {
        /// The address.
        ip: IpAddr,
        /// How many accounts.
        accounts: u32,
    },
    /// One account, Low and Medium, remote addresses that differ.
    OneAccount {
        /// The account.
        account: u32,
    },
    /// High findings of any account, every fourth Critical.
    Severe,
}

impl Default for Options {
    /// 10,000 findings of 20 accounts over the 30 days before 2026-07-01.
    fn default() -> Self {
        Options {
            findings: 10_000,
            accounts: 20,
            seed: 1,
            shape: Shape::EventBridge,
            end: 1_782_864_000_000_000,
            days: 30,
            update_ratio: 0.45,
            duplicate_ratio: 0.02,
            late_ratio: 0.02,
            severe_ratio: 0.03,
            sample_ratio: 0.0,
            hostile_ratio: 0.005,
            every_type: true,
            bursts: Vec::new(),
        }
    }
}

impl Options {
    /// A quiet background with three planted bursts and eight severe findings in its last day.
    pub fn demo(findings: u64, accounts: u32, seed: u64, end: i64) -> Self {
        let burst = |kind, findings, before_end, within| Burst {
            kind,
            findings,
            start: end - before_end,
            within,
        };
        let one = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 77));
        let many = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 66));
        Options {
            findings,
            accounts,
            seed,
            end,
            severe_ratio: 0.0005,
            every_type: false,
            bursts: vec![
                burst(
                    BurstKind::OneRemoteIp {
                        ip: one,
                        account: 3,
                    },
                    25,
                    2 * HOUR,
                    8 * MINUTE,
                ),
                burst(
                    BurstKind::OneIpManyAccounts {
                        ip: many,
                        accounts: 12,
                    },
                    12,
                    4 * HOUR,
                    30 * MINUTE,
                ),
                burst(
                    BurstKind::OneAccount { account: 7 },
                    40,
                    6 * HOUR,
                    20 * MINUTE,
                ),
                burst(BurstKind::Severe, 8, 20 * HOUR, 19 * HOUR),
            ],
            ..Options::default()
        }
    }
}
