//! Records that the Kinesis Producer Library has packed into one: four magic bytes, a protobuf message `AggregatedRecord`, and the
//! MD5 of that message (aggregation-format.md of awslabs/amazon-kinesis-producer).

use bytes::Bytes;
use md5::{Digest, Md5};
use prost::Message;

const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
const DIGEST: usize = 16;

/// What the bytes of a Kinesis record are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unpacked {
    /// What a producer put, as it is.
    Plain,
    /// User records in order: a record's place is its sub-sequence number.
    Aggregate(Vec<UserRecord>),
    /// It begins like an aggregate and is none. Nothing of it is taken: which parts are whole cannot be told.
    Broken(&'static str),
}

/// A record as its producer saw it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UserRecord {
    pub(crate) data: Bytes,
    /// The hash key that it was meant for: the explicit one, else MD5 of its partition key.
    pub(crate) hash_key: u128,
}

#[derive(Clone, PartialEq, Message)]
struct AggregatedRecord {
    #[prost(string, repeated, tag = "1")]
    partition_keys: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    explicit_hash_keys: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    records: Vec<PackedRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct PackedRecord {
    #[prost(uint64, required, tag = "1")]
    partition_key_index: u64,
    #[prost(uint64, optional, tag = "2")]
    explicit_hash_key_index: Option<u64>,
    #[prost(bytes = "bytes", required, tag = "3")]
    data: Bytes,
}

/// Unpacks the data of a Kinesis record.
pub(crate) fn unpack(data: &Bytes) -> Unpacked {
    if !data.starts_with(&MAGIC) {
        return Unpacked::Plain;
    }
    let Some(end) = data
        .len()
        .checked_sub(DIGEST)
        .filter(|end| *end >= MAGIC.len())
    else {
        return Unpacked::Broken("a KPL aggregate that is cut short");
    };
    let message = data.slice(MAGIC.len()..end);
    if Md5::digest(&message).as_slice() != &data[end..] {
        return Unpacked::Broken("a KPL aggregate whose MD5 does not fit");
    }
    let Ok(aggregate) = AggregatedRecord::decode(message) else {
        return Unpacked::Broken("a KPL aggregate whose message cannot be read");
    };
    let records = aggregate.records.iter().map(|record| {
        Some(UserRecord {
            data: record.data.clone(),
            hash_key: hash_key(&aggregate, record)?,
        })
    });
    match records.collect() {
        Some(records) => Unpacked::Aggregate(records),
        None => Unpacked::Broken("a KPL aggregate that names a key it does not hold"),
    }
}

fn hash_key(aggregate: &AggregatedRecord, record: &PackedRecord) -> Option<u128> {
    let at = |index: u64, keys: &[String]| keys.get(usize::try_from(index).ok()?).cloned();
    let partition_key = at(record.partition_key_index, &aggregate.partition_keys)?;
    match record.explicit_hash_key_index {
        Some(index) => at(index, &aggregate.explicit_hash_keys)?.parse().ok(),
        None => Some(u128::from_be_bytes(Md5::digest(partition_key).into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(message: &AggregatedRecord) -> Vec<u8> {
        let message = message.encode_to_vec();
        let digest = Md5::digest(&message);
        [MAGIC.as_slice(), &message, &digest].concat()
    }

    fn aggregate(index: u64) -> AggregatedRecord {
        let record = |data: &'static str, explicit_hash_key_index| PackedRecord {
            partition_key_index: index,
            explicit_hash_key_index,
            data: Bytes::from(data),
        };
        AggregatedRecord {
            partition_keys: vec!["a".to_owned()],
            explicit_hash_keys: vec!["7".to_owned()],
            records: vec![record("one", None), record("two", Some(0))],
        }
    }

    #[test]
    fn an_aggregate_becomes_its_records_in_order() {
        let Unpacked::Aggregate(records) = unpack(&packed(&aggregate(0)).into()) else {
            panic!("it is an aggregate");
        };
        let data: Vec<_> = records.iter().map(|r| &r.data[..]).collect();
        assert_eq!(data, [b"one", b"two"]);
        // MD5 of "a" is 0cc175b9c0f1b6a831c399e269772661.
        assert_eq!(
            records[0].hash_key,
            0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661
        );
        assert_eq!(records[1].hash_key, 7);
    }

    #[test]
    fn what_only_begins_like_an_aggregate_is_broken_and_whatever_is_cut_never_panics() {
        let whole = packed(&aggregate(0));
        for length in 4..whole.len() {
            let cut = Bytes::copy_from_slice(&whole[..length]);
            assert!(matches!(unpack(&cut), Unpacked::Broken(_)), "{length}");
        }
        for place in 4..whole.len() {
            let mut flipped = whole.clone();
            flipped[place] ^= 1;
            assert!(
                matches!(unpack(&flipped.into()), Unpacked::Broken(_)),
                "{place}"
            );
        }
        for index in [1, u64::MAX] {
            let huge = packed(&aggregate(index)).into();
            assert!(matches!(unpack(&huge), Unpacked::Broken(_)));
        }
        let nonsense = [MAGIC.as_slice(), b"\xff\xff", &Md5::digest(b"\xff\xff")].concat();
        assert!(matches!(unpack(&nonsense.into()), Unpacked::Broken(_)));
        assert_eq!(unpack(&Bytes::from_static(b"{}")), Unpacked::Plain);
        assert_eq!(unpack(&Bytes::new()), Unpacked::Plain);
    }
}
