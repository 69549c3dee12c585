//! Positions in a stream, and how they rest in `txn` actions of the commit that holds their rows.
//!
//! A Kinesis sequence number has up to 129 decimal digits (API reference, `SequenceNumber`); a `txn` version is an `i64`.
//! So a number is cut into limbs of 62 bits, one `txn` each, all in the same commit: `facts/kinesis-delta.md` section 3.

use std::collections::HashMap;
use std::fmt;

/// A sequence number as an unsigned integer. Ordered by value: text order is wrong across lengths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SequenceNumber {
    limbs: Limbs,
}

/// Base 2^62 digits, most significant first, no leading zero; compared by length, then from the front.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Limbs(Vec<u64>);

impl PartialOrd for Limbs {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Limbs {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0
            .len()
            .cmp(&other.0.len())
            .then_with(|| self.0.cmp(&other.0))
    }
}

const LIMB_BITS: u32 = 62;
const LIMB_MASK: u128 = (1 << LIMB_BITS) - 1;
/// Seven limbs of 62 bits hold 434 bits; 129 decimal digits need 429.
const MAX_LIMBS: usize = 7;

impl SequenceNumber {
    /// Reads decimal text of up to 129 digits.
    pub fn parse(text: &str) -> Option<SequenceNumber> {
        if text.is_empty() || text.len() > 129 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut little: Vec<u64> = Vec::new();
        for chunk in text.as_bytes().chunks(18) {
            let mut carry = chunk
                .iter()
                .fold(0u128, |n, b| n * 10 + u128::from(b - b'0'));
            let scale = 10u128.pow(chunk.len() as u32);
            for limb in little.iter_mut() {
                let wide = u128::from(*limb) * scale + carry;
                *limb = (wide & LIMB_MASK) as u64;
                carry = wide >> LIMB_BITS;
            }
            while carry > 0 {
                little.push((carry & LIMB_MASK) as u64);
                carry >>= LIMB_BITS;
            }
        }
        little.reverse();
        Some(SequenceNumber {
            limbs: Limbs(little),
        })
    }

    /// Limb `k` counted from the least significant, 0 past the end.
    fn limb(&self, k: usize) -> i64 {
        let n = self.limbs.0.len();
        if k < n {
            self.limbs.0[n - 1 - k] as i64
        } else {
            0
        }
    }

    fn from_little(mut little: Vec<u64>) -> SequenceNumber {
        while little.last() == Some(&0) {
            little.pop();
        }
        little.reverse();
        SequenceNumber {
            limbs: Limbs(little),
        }
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BASE: u128 = 1_000_000_000_000_000_000;
        let mut number = self.limbs.0.clone();
        let mut chunks = Vec::new();
        while number.iter().any(|limb| *limb != 0) {
            let mut rest = 0u128;
            for limb in number.iter_mut() {
                let wide = (rest << LIMB_BITS) | u128::from(*limb);
                *limb = (wide / BASE) as u64;
                rest = wide % BASE;
            }
            chunks.push(rest);
        }
        let mut chunks = chunks.into_iter().rev();
        write!(f, "{}", chunks.next().unwrap_or(0))?;
        chunks.try_for_each(|chunk| write!(f, "{chunk:018}"))
    }
}

/// One shard of one stream as it is named in positions and provenance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardKey {
    /// Stream ARN with its creation time (a stream made again under the same name is another stream).
    pub source: String,
    /// Kinesis shard id.
    pub shard_id: String,
}

/// How far a shard has been read and stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position {
    /// Last record stored; `None` when the shard ended without one.
    pub sequence_number: Option<SequenceNumber>,
    /// Last KPL sub-sequence stored of that record.
    pub sub_sequence: i64,
    /// The shard is closed and was read to its end.
    pub ended: bool,
    /// Whatever arrived in the shard up to this UTC microsecond has been read: what tells, after an outage, whether records
    /// can have passed their retention unread. `None` before the first read that says so.
    pub read_through: Option<i64>,
}

impl Position {
    /// Just past a record.
    pub fn at(sequence_number: SequenceNumber, sub_sequence: i64) -> Position {
        Position {
            sequence_number: Some(sequence_number),
            sub_sequence,
            ended: false,
            read_through: None,
        }
    }

    /// Whether a record lies at or before this position.
    pub fn covers(&self, sequence_number: &SequenceNumber, sub_sequence: i64) -> bool {
        self.sequence_number
            .as_ref()
            .is_some_and(|own| (sequence_number, sub_sequence) <= (own, self.sub_sequence))
    }

    /// The `txn` ids and versions that hold this position. `prefix` names the table's reader.
    pub(crate) fn to_txns(&self, prefix: &str, shard: &ShardKey) -> Vec<(String, i64)> {
        let base = txn_base(prefix, shard);
        let sequence = self.sequence_number.clone().unwrap_or_default();
        // Limbs are never fewer than before: a sequence number only grows within a shard.
        let used = sequence.limbs.0.len().max(1);
        let mut txns: Vec<_> = (0..used)
            .map(|k| (format!("{base}#{k}"), sequence.limb(k)))
            .collect();
        txns.push((format!("{base}#sub"), self.sub_sequence));
        txns.push((format!("{base}#state"), i64::from(self.ended)));
        txns.extend(
            self.read_through
                .map(|through| (format!("{base}#through"), through)),
        );
        txns
    }

    /// Reads a position back from all `txn` versions of a table; `None` when the shard has none.
    pub(crate) fn from_txns(
        txns: &HashMap<String, i64>,
        prefix: &str,
        shard: &ShardKey,
    ) -> Option<Position> {
        let base = txn_base(prefix, shard);
        txns.get(&format!("{base}#0"))?;
        let limb = |k| txns.get(&format!("{base}#{k}")).copied().unwrap_or(0) as u64;
        let sequence = SequenceNumber::from_little((0..MAX_LIMBS).map(limb).collect());
        Some(Position {
            sequence_number: (sequence != SequenceNumber::default()).then_some(sequence),
            sub_sequence: txns.get(&format!("{base}#sub")).copied().unwrap_or(0),
            ended: txns.get(&format!("{base}#state")).copied().unwrap_or(0) != 0,
            read_through: txns.get(&format!("{base}#through")).copied(),
        })
    }
}

/// Every position among the `txn` versions of a table, by shard.
pub(crate) fn all(txns: &HashMap<String, i64>, prefix: &str) -> Vec<(ShardKey, Position)> {
    let start = format!("{prefix}/position/");
    let shard = |id: &String| {
        let (source, shard_id) = id
            .strip_prefix(&start)?
            .strip_suffix("#0")?
            .rsplit_once('/')?;
        Some(ShardKey {
            source: source.to_owned(),
            shard_id: shard_id.to_owned(),
        })
    };
    let mut shards: Vec<ShardKey> = txns.keys().filter_map(shard).collect();
    shards.sort();
    let position =
        |shard: ShardKey| Some((shard.clone(), Position::from_txns(txns, prefix, &shard)?));
    shards.into_iter().filter_map(position).collect()
}

fn txn_base(prefix: &str, shard: &ShardKey) -> String {
    format!("{prefix}/position/{}/{}", shard.source, shard.shard_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> SequenceNumber {
        SequenceNumber::parse(text).unwrap()
    }

    #[test]
    fn text_to_limbs_and_back() {
        let nines = "9".repeat(129);
        let real = "49590338271490256608559692538361571095921575989136588898";
        for text in [
            "0",
            "1",
            "4611686018427387903",
            "4611686018427387904",
            "1000000000000000000",
            real,
            &nines,
        ] {
            assert_eq!(number(text).to_string(), text);
        }
        assert!(number(&nines).limbs.0.len() <= MAX_LIMBS);
        for bad in ["", "12a", "-1", "+1", &"1".repeat(130)] {
            assert!(SequenceNumber::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn order_is_by_value_not_by_text() {
        assert!(number("9") < number("10"));
        assert!(number("99999999999999999999") < number("100000000000000000000"));
        assert!(number("0099") == number("99"));
    }

    #[test]
    fn a_position_survives_its_txns() {
        let shard = ShardKey {
            source: "arn:aws:kinesis:x@1".into(),
            shard_id: "shardId-000000000000".into(),
        };
        let position = Position::at(
            number("49590338271490256608559692538361571095921575989136588898"),
            7,
        );
        let txns: HashMap<_, _> = position.to_txns("gl/t", &shard).into_iter().collect();
        assert_eq!(Position::from_txns(&txns, "gl/t", &shard), Some(position));
        let other = ShardKey {
            shard_id: "shardId-000000000001".into(),
            ..shard.clone()
        };
        assert_eq!(Position::from_txns(&txns, "gl/t", &other), None);
        let ended = Position {
            sequence_number: None,
            sub_sequence: 0,
            ended: true,
            read_through: Some(1_789_000_000_000_000),
        };
        let txns: HashMap<_, _> = ended.to_txns("gl/t", &shard).into_iter().collect();
        assert_eq!(Position::from_txns(&txns, "gl/t", &shard), Some(ended));
    }

    #[test]
    fn covers_is_at_or_before() {
        let position = Position::at(number("100"), 3);
        assert!(position.covers(&number("99"), 50) && position.covers(&number("100"), 3));
        assert!(!position.covers(&number("100"), 4) && !position.covers(&number("101"), 0));
    }
}
