//! What one leaf of an event must be like.

use std::cmp::Ordering;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Number, Value};

/// One entry of a field's list.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// The same text, number, boolean or null; numbers by value, `8` is `8.0`.
    Exactly(Value),
    /// The same address however it is written: `::1` and `0:0:0:0:0:0:0:1`.
    Address(IpAddr),
    /// A text that is like this.
    Like(Like),
    /// Any leaf but these: also one of another type.
    NotValues(Vec<Value>),
    /// Any leaf but a text that is like one of these.
    NotLike(Vec<Like>),
    /// A number within these bounds, whichever there are.
    Number(Vec<(Sign, Number)>),
    /// A text that is an address of this network.
    Network(IpNet),
    /// Any leaf at all.
    Exists,
    /// No leaf. Judged by `find`; no leaf passes it.
    Absent,
}

/// A shape of texts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Like {
    Prefix(String),
    Suffix(String),
    PrefixFold(String),
    SuffixFold(String),
    Fold(String),
    /// The texts between the stars, so one more than there are stars.
    Wildcard(Vec<String>),
}

/// How numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Equal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Test {
    pub(super) fn holds(&self, leaf: &Value) -> bool {
        match self {
            Test::Exactly(value) => same(value, leaf),
            Test::Address(address) => self::address(leaf) == Some(*address),
            Test::Like(like) => leaf.as_str().is_some_and(|text| like.fits(text)),
            Test::NotValues(values) => !values.iter().any(|value| same(value, leaf)),
            Test::NotLike(likes) => {
                let like = |text: &str| likes.iter().any(|like| like.fits(text));
                !leaf.as_str().is_some_and(like)
            }
            Test::Number(bounds) => match leaf {
                Value::Number(number) => bounds
                    .iter()
                    .all(|(sign, bound)| sign.accepts(order(number, bound))),
                _ => false,
            },
            Test::Network(network) => {
                address(leaf).is_some_and(|address| network.contains(&address))
            }
            Test::Exists => true,
            Test::Absent => false,
        }
    }
}

impl Sign {
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Sign::Equal => order.is_eq(),
            Sign::Less => order.is_lt(),
            Sign::AtMost => order.is_le(),
            Sign::Greater => order.is_gt(),
            Sign::AtLeast => order.is_ge(),
        }
    }
}

impl Like {
    fn fits(&self, text: &str) -> bool {
        match self {
            Like::Prefix(prefix) => text.starts_with(prefix),
            Like::Suffix(suffix) => text.ends_with(suffix),
            Like::PrefixFold(prefix) => fold_start(prefix, text).is_some(),
            Like::SuffixFold(suffix) => fold_end(suffix, text).is_some(),
            Like::Fold(whole) => fold_start(whole, text) == Some(""),
            Like::Wildcard(parts) => wildcard(parts, text),
        }
    }
}

/// An address as it is compared: IPv4 within IPv6 is IPv4, as everywhere in this crate.
pub(super) fn address_of(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    Some(address.to_canonical())
}

fn address(leaf: &Value) -> Option<IpAddr> {
    address_of(leaf.as_str()?)
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => order(a, b).is_eq(),
        (a, b) => a == b,
    }
}

/// By value, and exactly so beyond 2^53 too, where account ids written as numbers and counters may be.
pub(super) fn order(a: &Number, b: &Number) -> Ordering {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(a), None) => mixed(a, float(b)),
        (None, Some(b)) => mixed(b, float(a)).reverse(),
        (None, None) => float(a).total_cmp(&float(b)),
    }
}

/// JSON has no NaN and no infinity. Adding zero makes `-0.0` the zero that it is.
fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or_default() + 0.0
}

/// Rounding never swaps two numbers, so only where the rounded one is equal must it be looked at closely.
fn mixed(whole: i128, float: f64) -> Ordering {
    match (whole as f64).total_cmp(&float) {
        Ordering::Equal => whole.cmp(&(float as i128)),
        order => order,
    }
}

/// What is left of `text` after `start`, upper and lower case being the same. As event-ruler does: a character of the pattern
/// stands for its upper and its lower case, whatever else the text's own character would fold to.
fn fold_start<'a>(start: &str, text: &'a str) -> Option<&'a str> {
    start.chars().try_fold(text, |rest, c| {
        let [lower, upper] = cases(c);
        rest.strip_prefix(lower.as_str())
            .or_else(|| rest.strip_prefix(upper.as_str()))
    })
}

fn fold_end<'a>(end: &str, text: &'a str) -> Option<&'a str> {
    end.chars().rev().try_fold(text, |rest, c| {
        let [lower, upper] = cases(c);
        rest.strip_suffix(lower.as_str())
            .or_else(|| rest.strip_suffix(upper.as_str()))
    })
}

fn cases(c: char) -> [String; 2] {
    [c.to_lowercase().collect(), c.to_uppercase().collect()]
}

/// Each star takes as little as it can, so the time is bounded by the product of the lengths whatever an attacker writes.
fn wildcard(parts: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = parts else {
        return parts.first().is_some_and(|only| only == text);
    };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in middle {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}
