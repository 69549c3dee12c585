//! Keys of any columns as bytes, which are equal exactly where the keys are. An identifier of 32 hexadecimal digits takes 17 bytes, an
//! account 6.

use arrow::array::{Array, ArrayRef};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::Result;

use crate::functions::{Texts, text_type};

/// What a text begins with; others begin with their length and [`LENGTH`].
const NULL: u8 = 0;
const DIGEST: u8 = 1;
const ACCOUNT: u8 = 2;
const LENGTH: usize = 3;
/// Eight bytes of length follow.
const LONG: u8 = u8::MAX;

/// A key for each row, or what it is ordered by.
#[derive(Debug, Default)]
pub(super) struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    /// Rows as they are compared.
    pub(super) fn of(rows: &Rows) -> Keys {
        let mut keys = Keys::default();
        for row in rows {
            keys.bytes.extend_from_slice(row.as_ref());
            keys.ends.push(keys.bytes.len());
        }
        keys
    }

    /// The same for all.
    pub(super) fn empty(rows: usize) -> Keys {
        Keys {
            bytes: Vec::new(),
            ends: vec![0; rows],
        }
    }

    #[cfg(test)]
    pub(super) fn from_iter(keys: impl Iterator<Item = Vec<u8>>) -> Keys {
        let mut all = Keys::default();
        for key in keys {
            all.bytes.extend(key);
            all.ends.push(all.bytes.len());
        }
        all
    }

    pub(super) fn get(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[row]]
    }

    /// The bytes of all keys.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// Makes keys of columns.
#[derive(Debug)]
pub(super) struct KeyEncoder {
    is_text: Vec<bool>,
    /// For what is no text.
    others: Option<RowConverter>,
}

impl KeyEncoder {
    pub(super) fn new(types: &[DataType]) -> Result<KeyEncoder> {
        let is_text: Vec<bool> = types.iter().map(is_text_type).collect();
        let others = types.iter().filter(|kind| !is_text_type(kind));
        let others: Vec<_> = others.map(|kind| SortField::new(kind.clone())).collect();
        Ok(KeyEncoder {
            is_text,
            others: match others.is_empty() {
                true => None,
                false => Some(RowConverter::new(others)?),
            },
        })
    }

    /// `columns` are of the types that the encoder was made for, with a key in each of `rows`.
    pub(super) fn encode(&self, columns: &[ArrayRef], rows: usize) -> Result<Keys> {
        let (mut texts, mut others) = (Vec::new(), Vec::new());
        for (column, is_text) in columns.iter().zip(&self.is_text) {
            match is_text {
                true => texts.push(cast(column, &text_type(column.data_type()))?),
                false => others.push(ArrayRef::clone(column)),
            }
        }
        let texts: Vec<Texts> = texts.iter().map(Texts::of).collect();
        let others: Option<Rows> = match &self.others {
            Some(converter) => Some(converter.convert_columns(&others)?),
            None => None,
        };
        let mut keys = Keys {
            bytes: Vec::with_capacity(rows * 40),
            ends: Vec::with_capacity(rows),
        };
        for row in 0..rows {
            for column in &texts {
                write(&mut keys.bytes, column.get(row));
            }
            if let Some(others) = &others {
                keys.bytes.extend_from_slice(others.row(row).as_ref());
            }
            keys.ends.push(keys.bytes.len());
        }
        Ok(keys)
    }
}

/// Whether values are texts, perhaps by way of a dictionary.
fn is_text_type(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => is_text_type(values),
        kind => matches!(
            kind,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        ),
    }
}

/// Appends bytes of which no other text's bytes are a beginning.
fn write(bytes: &mut Vec<u8>, text: Option<&str>) {
    let Some(text) = text.map(str::as_bytes) else {
        bytes.push(NULL);
        return;
    };
    if let Some(digest) = <&[u8; 32]>::try_from(text).ok().and_then(digest) {
        bytes.push(DIGEST);
        bytes.extend_from_slice(&digest);
    } else if let Some(account) = <&[u8; 12]>::try_from(text).ok().and_then(account) {
        bytes.push(ACCOUNT);
        bytes.extend_from_slice(&account);
    } else {
        match u8::try_from(text.len() + LENGTH) {
            Ok(length) if length < LONG => bytes.push(length),
            _ => {
                bytes.push(LONG);
                bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            }
        }
        bytes.extend_from_slice(text);
    }
}

/// 32 small hexadecimal digits.
fn digest(text: &[u8; 32]) -> Option<[u8; 16]> {
    const NONE: u8 = 16;
    const DIGITS: [u8; 256] = {
        let mut digits = [NONE; 256];
        let mut digit = 0;
        while digit < 16 {
            digits[b"0123456789abcdef"[digit as usize] as usize] = digit;
            digit += 1;
        }
        digits
    };
    let mut digest = [0; 16];
    let mut wrong = 0;
    for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
        wrong |= high | low;
        *byte = high << 4 | low;
    }
    (wrong < NONE).then_some(digest)
}

/// 12 decimal digits.
fn account(text: &[u8; 12]) -> Option<[u8; 5]> {
    let mut number = 0u64;
    for digit in text {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + u64::from(digit - b'0');
    }
    let bytes = number.to_le_bytes();
    Some([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4]])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn part() -> impl Strategy<Value = Option<String>> {
        let any = "[0-9a-fA-F\u{0}-\u{4}é]{0,40}";
        let long = (240..300usize).prop_map(|length| "x".repeat(length));
        prop_oneof![
            Just(None),
            any.prop_map(Some),
            "[0-9a-f]{31,33}".prop_map(Some),
            "[0-9]{11,13}".prop_map(Some),
            long.prop_map(Some),
        ]
    }

    proptest! {
        #[test]
        fn keys_are_equal_where_their_columns_are(
            mut rows in prop::collection::vec((part(), part(), any::<Option<i64>>()), 1..40),
            again in any::<prop::sample::Index>(),
        ) {
            rows.push(again.get(&rows).clone());
            let columns: Vec<ArrayRef> = vec![
                Arc::new(StringArray::from_iter(rows.iter().map(|row| row.0.as_deref()))),
                Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.2))),
                Arc::new(StringArray::from_iter(rows.iter().map(|row| row.1.as_deref()))),
            ];
            let types: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
            let keys = KeyEncoder::new(&types).unwrap().encode(&columns, rows.len()).unwrap();
            let mut known = BTreeMap::new();
            let mut by_key = BTreeMap::new();
            for (at, row) in rows.iter().enumerate() {
                prop_assert_eq!(known.entry(row).or_insert(at), by_key.entry(keys.get(at)).or_insert(at));
            }
        }
    }

    #[test]
    fn what_a_finding_is_known_by_is_short() {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["000123456789"])),
            Arc::new(StringArray::from(vec!["eu-central-1"])),
            Arc::new(StringArray::from(vec!["16afba5c5c43e07c9e3e5e2e544e95df"])),
        ];
        let encoder = KeyEncoder::new(&[DataType::Utf8, DataType::Utf8, DataType::Utf8]).unwrap();
        assert_eq!(
            encoder.encode(&columns, 1).unwrap().get(0).len(),
            6 + 13 + 17
        );
    }
}
