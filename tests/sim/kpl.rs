//! Aggregates of the Kinesis Producer Library, made by hand as its format description says: a magic number, the protobuf
//! message `AggregatedRecord`, and the MD5 of the message.

use md5::{Digest, Md5};
use sample::Document;

const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];

/// A record within a record.
pub(crate) struct UserRecord {
    pub(crate) partition_key: String,
    pub(crate) explicit_hash_key: Option<u128>,
    pub(crate) data: Vec<u8>,
}

impl UserRecord {
    pub(crate) fn of(document: &Document) -> UserRecord {
        UserRecord {
            partition_key: document.partition_key.clone(),
            explicit_hash_key: None,
            data: document.bytes.clone(),
        }
    }
}

/// A whole aggregate.
pub(crate) fn aggregate(records: &[UserRecord]) -> Vec<u8> {
    seal(&message(records, 0))
}

/// One whose partition keys are looked up far past the end of their table.
pub(crate) fn with_huge_index(records: &[UserRecord]) -> Vec<u8> {
    seal(&message(records, u64::from(u32::MAX)))
}

/// One whose MD5 is that of something else.
pub(crate) fn with_bad_digest(records: &[UserRecord]) -> Vec<u8> {
    let mut bytes = aggregate(records);
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    bytes
}

/// One whose message breaks off although its MD5 fits.
pub(crate) fn truncated(records: &[UserRecord]) -> Vec<u8> {
    let message = message(records, 0);
    seal(&message[..message.len() / 2])
}

fn seal(message: &[u8]) -> Vec<u8> {
    [&MAGIC[..], message, &Md5::digest(message)[..]].concat()
}

fn message(records: &[UserRecord], index_offset: u64) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        text(&mut out, 1, record.partition_key.as_bytes());
    }
    for key in records.iter().filter_map(|record| record.explicit_hash_key) {
        text(&mut out, 2, key.to_string().as_bytes());
    }
    let mut explicit = 0;
    for (index, record) in records.iter().enumerate() {
        let mut inner = Vec::new();
        number(&mut inner, 1, index as u64 + index_offset);
        if record.explicit_hash_key.is_some() {
            number(&mut inner, 2, explicit);
            explicit += 1;
        }
        text(&mut inner, 3, &record.data);
        text(&mut out, 3, &inner);
    }
    out
}

/// A protobuf field of bytes.
fn text(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// A protobuf field that is a number.
fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
