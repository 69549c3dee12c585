//! The rows that a rule's SELECT yields for one group, held small enough for millions of them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use finding::{FindingKey, Label, VersionHash};

/// One row of a rule's SELECT. Rows without an `event_time` are outside all windows and are never passed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a> {
    /// UTC microseconds.
    pub event_time: i64,
    /// Which finding.
    pub finding: FindingKey,
    /// Which published version of it. The same version may come several times, once for every address it unnests to.
    pub version: VersionHash,
    /// By how much this version raised the finding's `count`; below zero counts as zero. Read by `occurrences` only.
    pub increase: i64,
    /// The value that `distinct(<column>)` counts or that may be new; `None` for null, and with the other units.
    pub value: Option<&'a str>,
    /// The number that `sum`, `avg` and `percentile` take; `None` and NaN are left out. The same for all rows of a version.
    pub number: Option<f64>,
    /// Which step of a sequence the row is, by its place among the rule's steps; 0 with the other kinds.
    pub step: u8,
    /// The finding's account, part of its identity.
    pub account_id: &'a str,
    /// The finding's Region, part of its identity.
    pub region: &'a str,
    /// GuardDuty's id of the finding.
    pub finding_id: &'a str,
    /// The finding's type, where the SELECT has it.
    pub finding_type: Option<&'a str>,
    /// The label of this version's severity number.
    pub severity: Option<Label>,
}

/// The rows of one group. Words are held once; a row takes 24 bytes, a finding and a version their share of an index.
#[derive(Debug, Default)]
pub struct Observations {
    pub(crate) rows: Vec<Row>,
    pub(crate) findings: Vec<Known>,
    /// By version: the largest increase stated for it, so that the order of rows does not matter.
    pub(crate) increases: Vec<i64>,
    /// By version: its number in millionths; [`NO_NUMBER`] where it has none. Empty until a number comes.
    pub(crate) numbers: Vec<i64>,
    /// The distinct values that were seen.
    pub(crate) values: Vec<Box<str>>,
    /// Accounts and Regions.
    pub(crate) words: Vec<Box<str>>,
    /// Types of findings.
    pub(crate) types: Vec<Box<str>>,
    finding_index: HashMap<u128, u32, BuildHasherDefault<KeyHasher>>,
    version_index: HashMap<u128, u32, BuildHasherDefault<KeyHasher>>,
    value_index: HashMap<Box<str>, u32>,
    word_index: HashMap<Box<str>, u32>,
    type_index: HashMap<Box<str>, u32>,
}

/// A row, its parts as places in the lists of [`Observations`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) time: i64,
    pub(crate) finding: u32,
    pub(crate) version: u32,
    /// [`NO_VALUE`] for null.
    pub(crate) value: u32,
    pub(crate) severity: Option<Label>,
    pub(crate) step: u8,
    /// [`NO_TYPE`] where there is none, and for types beyond 65,535.
    pub(crate) finding_type: u16,
}

/// The place of a type that is null.
pub(crate) const NO_TYPE: u16 = u16::MAX;

/// The place of a value that is null.
pub(crate) const NO_VALUE: u32 = u32::MAX;

/// Of a version without a number.
pub(crate) const NO_NUMBER: i64 = i64::MIN;

/// A finding of the group.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) account: u32,
    pub(crate) region: u32,
    pub(crate) id: Box<str>,
}

/// Above this many findings, emptied indexes are given back rather than kept for the next group.
const KEEP: usize = 1 << 14;

impl Observations {
    /// No rows.
    pub fn new() -> Observations {
        Observations::default()
    }

    /// Adds a row, in any order. At most 2^32 - 1 rows a group.
    pub fn push(&mut self, row: &Observation<'_>) {
        let finding = match self.finding_index.get(&row.finding.0) {
            Some(&place) => place,
            None => {
                let known = Known {
                    account: place(&mut self.word_index, &mut self.words, row.account_id),
                    region: place(&mut self.word_index, &mut self.words, row.region),
                    id: row.finding_id.into(),
                };
                self.findings.push(known);
                let place = last(self.findings.len());
                self.finding_index.insert(row.finding.0, place);
                place
            }
        };
        let increases = &mut self.increases;
        let version = *self.version_index.entry(row.version.0).or_insert_with(|| {
            increases.push(0);
            last(increases.len())
        });
        let increase = &mut self.increases[version as usize];
        *increase = row.increase.max(*increase);
        if let Some(number) = row.number.filter(|number| !number.is_nan()) {
            self.numbers.resize(self.increases.len(), NO_NUMBER);
            // What is beyond 64 bits of millionths counts as the largest there is; the order of rows does not matter.
            let millionths = ((number * 1e6).round() as i64).max(NO_NUMBER + 1);
            let known = &mut self.numbers[version as usize];
            *known = millionths.max(*known);
        }
        let value = match row.value {
            None => NO_VALUE,
            Some(value) => place(&mut self.value_index, &mut self.values, value),
        };
        let place_of = |word| place(&mut self.type_index, &mut self.types, word);
        let finding_type = row.finding_type.map(place_of);
        self.rows.push(Row {
            time: row.event_time,
            finding,
            version,
            value,
            severity: row.severity,
            step: row.step,
            finding_type: finding_type
                .map_or(NO_TYPE, |place| place.min(u32::from(NO_TYPE)) as u16),
        });
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// No rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Makes room for the next group. Emptying an index costs its capacity, so those of a huge group are dropped: else each
    /// of many small groups after it would pay for it.
    pub fn clear(&mut self) {
        if self.version_index.capacity() > KEEP || self.value_index.capacity() > KEEP {
            *self = Observations::default();
            return;
        }
        self.rows.clear();
        self.findings.clear();
        self.increases.clear();
        self.numbers.clear();
        self.values.clear();
        self.words.clear();
        self.types.clear();
        self.finding_index.clear();
        self.version_index.clear();
        self.value_index.clear();
        self.word_index.clear();
        self.type_index.clear();
    }
}

fn place(index: &mut HashMap<Box<str>, u32>, words: &mut Vec<Box<str>>, word: &str) -> u32 {
    if let Some(&place) = index.get(word) {
        return place;
    }
    words.push(word.into());
    let place = last(words.len());
    index.insert(word.into(), place);
    place
}

fn last(len: usize) -> u32 {
    (len - 1) as u32
}

/// Keys are SHA-256 already; folding them is enough.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = ((key as u64) ^ ((key >> 64) as u64))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
