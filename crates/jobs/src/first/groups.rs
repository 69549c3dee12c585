//! Groups in memory: the best row of each so far, and the rows that are held for that.

use std::hash::BuildHasher;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray, RecordBatch};
use arrow::compute::{BatchCoalescer, filter_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use datafusion::common::hash_utils::QualityRandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::keys::Keys;

/// No record.
const NONE: u32 = u32::MAX;

/// Rows of one batch, ready to be compared.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) keys: Keys,
    /// The smallest of a group comes first.
    pub(super) order: Keys,
    /// What is wanted of the rows, with one column at least.
    pub(super) rows: RecordBatch,
}

/// The first rows so far.
#[derive(Debug)]
pub(super) struct Groups {
    table: HashTable<Slot>,
    hasher: QualityRandomState,
    records: Records,
    held: Vec<RecordBatch>,
    held_rows: usize,
    held_bytes: usize,
}

/// Half the hash of a key, and where its record is.
#[derive(Debug)]
struct Slot {
    hash: u32,
    record: u32,
}

/// A hash whose parts all differ where the half differs.
fn widened(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Groups {
    pub(super) fn new() -> Groups {
        Groups {
            table: HashTable::new(),
            hasher: QualityRandomState::with_seed(0x6a75),
            records: Records::default(),
            held: Vec::new(),
            held_rows: 0,
            held_bytes: 0,
        }
    }

    /// Bytes in memory.
    pub(super) fn size(&self) -> usize {
        self.table.allocation_size() + self.records.size() + self.held_bytes
    }

    /// The most that [`Self::see`] can add to the size; `None` where these rows cannot be held at all.
    pub(super) fn growth(&self, ready: &Ready) -> Option<usize> {
        let rows = ready.rows.num_rows();
        let is_short = |keys: &Keys| (0..rows).all(|row| keys.get(row).len() <= Records::LONGEST);
        let (keys, order) = (ready.keys.size(), ready.order.size());
        let added = keys + order + rows * Records::HEAD;
        let numbers = NONE as usize;
        if !is_short(&ready.keys)
            || !is_short(&ready.order)
            || self.records.size() + added + Records::CHUNK >= numbers
            || self.held_rows + rows >= numbers
        {
            return None;
        }
        let table = match self.table.len() + rows > self.table.capacity() {
            true => 2 * self.table.allocation_size() + rows * 2 * size_of::<Slot>(),
            false => 0,
        };
        Some(weight(&ready.rows) + added + Records::CHUNK + table)
    }

    /// Takes the rows into account.
    pub(super) fn see(&mut self, ready: Ready) -> Result<()> {
        let Ready { keys, order, rows } = ready;
        let Groups {
            table,
            hasher,
            records,
            ..
        } = self;
        let hashes: Vec<u32> = (0..rows.num_rows())
            .map(|row| (hasher.hash_one(keys.get(row)) >> 32) as u32)
            .collect();
        let mut is_wanted = false;
        for (at, hash) in hashes.into_iter().enumerate() {
            let (key, order, row) = (keys.get(at), order.get(at), (self.held_rows + at) as u32);
            let is_same = |slot: &Slot| slot.hash == hash && records.key(slot.record) == key;
            match table.entry(widened(hash), is_same, |slot| widened(slot.hash)) {
                Entry::Vacant(entry) => {
                    let record = records.push(row, key, order);
                    entry.insert(Slot { hash, record });
                    is_wanted = true;
                }
                Entry::Occupied(mut entry) => {
                    let slot = entry.get_mut();
                    if order < records.order(slot.record) {
                        slot.record = records.replace(slot.record, row, order);
                        is_wanted = true;
                    }
                }
            }
        }
        if is_wanted {
            let rows = owned(&rows)?;
            self.held_rows += rows.num_rows();
            self.held_bytes += weight(&rows);
            self.held.push(rows);
        }
        if self.held_rows > 2 * self.table.len() + 65_536 {
            self.forget_losers()?;
        }
        if self.records.dead > self.records.size() / 2 {
            self.records.tidy(&mut self.table);
        }
        Ok(())
    }

    /// The record that each held row is the first of, or [`NONE`].
    fn owners(&self) -> Vec<u32> {
        let mut owners = vec![NONE; self.held_rows];
        for slot in &self.table {
            owners[self.records.row(slot.record) as usize] = slot.record;
        }
        owners
    }

    fn forget_losers(&mut self) -> Result<()> {
        let owners = self.owners();
        let Some(schema) = self.held.first().map(RecordBatch::schema) else {
            return Ok(());
        };
        let mut kept = BatchCoalescer::new(schema, 8192);
        let mut start = 0;
        for rows in std::mem::take(&mut self.held) {
            let owners = &owners[start..start + rows.num_rows()];
            start += rows.num_rows();
            kept.push_batch_with_filter(rows, &is_first(owners))?;
            self.held
                .extend(std::iter::from_fn(|| kept.next_completed_batch()));
        }
        kept.finish_buffered_batch()?;
        self.held
            .extend(std::iter::from_fn(|| kept.next_completed_batch()));
        let firsts = owners.into_iter().filter(|owner| *owner != NONE);
        for (row, record) in (0..).zip(firsts) {
            self.records.set_row(record, row);
        }
        self.held_rows = self.table.len();
        self.held_bytes = self.held.iter().map(weight).sum();
        Ok(())
    }

    /// The first row of each group, in any order.
    pub(super) fn firsts(self) -> impl Iterator<Item = Result<RecordBatch>> + use<> {
        let owners = self.owners();
        let mut start = 0;
        self.held.into_iter().map(move |rows| {
            let end = start + rows.num_rows();
            let first = is_first(&owners[start..end]);
            start = end;
            Ok(filter_record_batch(&rows, &first)?)
        })
    }

    /// The same with their keys and order before them, as `external` sorts them.
    pub(super) fn sortable(
        self,
        schema: SchemaRef,
    ) -> impl Iterator<Item = Result<RecordBatch>> + use<> {
        let owners = self.owners();
        let records = self.records;
        let mut start = 0;
        self.held.into_iter().map(move |rows| {
            let owners = &owners[start..start + rows.num_rows()];
            start += rows.num_rows();
            let first = filter_record_batch(&rows, &is_first(owners))?;
            let (mut keys, mut order) = (BinaryBuilder::new(), BinaryBuilder::new());
            for record in owners.iter().filter(|owner| **owner != NONE) {
                keys.append_value(records.key(*record));
                order.append_value(records.order(*record));
            }
            beside(
                &schema,
                Arc::new(keys.finish()),
                Arc::new(order.finish()),
                &first,
            )
        })
    }
}

impl Ready {
    /// Bytes in memory.
    pub(super) fn size(&self) -> usize {
        self.keys.size() + self.order.size() + weight(&self.rows)
    }

    /// The rows with their keys and order before them.
    pub(super) fn sortable(&self, schema: &SchemaRef) -> Result<RecordBatch> {
        let column = |keys: &Keys| -> ArrayRef {
            let mut bytes = BinaryBuilder::with_capacity(self.rows.num_rows(), keys.size());
            for row in 0..self.rows.num_rows() {
                bytes.append_value(keys.get(row));
            }
            Arc::new(bytes.finish())
        };
        beside(schema, column(&self.keys), column(&self.order), &self.rows)
    }
}

fn beside(
    schema: &SchemaRef,
    keys: ArrayRef,
    order: ArrayRef,
    rows: &RecordBatch,
) -> Result<RecordBatch> {
    let columns = [keys, order]
        .into_iter()
        .chain(rows.columns().iter().cloned());
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect())?)
}

fn is_first(owners: &[u32]) -> BooleanArray {
    owners.iter().map(|owner| Some(*owner != NONE)).collect()
}

/// Rows that keep no more in memory alive than they are.
fn owned(rows: &RecordBatch) -> Result<RecordBatch> {
    let columns = rows.columns().iter().map(|column| -> ArrayRef {
        match column.as_string_view_opt() {
            Some(texts)
                if texts
                    .data_buffers()
                    .iter()
                    .map(|b| b.capacity())
                    .sum::<usize>()
                    > 2 * texts.total_buffer_bytes_used() =>
            {
                Arc::new(texts.gc())
            }
            _ => ArrayRef::clone(column),
        }
    });
    Ok(RecordBatch::try_new(rows.schema(), columns.collect())?)
}

/// Bytes of a batch, of which slices count for what they show.
fn weight(rows: &RecordBatch) -> usize {
    let columns = rows
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Utf8View => {
                let texts = column.as_string_view();
                texts.len() * size_of::<u128>() + texts.total_buffer_bytes_used()
            }
            _ => column
                .to_data()
                .get_slice_memory_size()
                .unwrap_or_else(|_| column.get_array_memory_size()),
        });
    columns.sum()
}

/// A row's number, key and order for each group, end to end in pieces of memory.
#[derive(Debug, Default)]
struct Records {
    chunks: Vec<Vec<u8>>,
    /// Bytes of records that nobody refers to.
    dead: usize,
}

/// Where the parts of a record are: row, length of the key, length of the order, room for it, then key and order.
const KEY_LENGTH: usize = size_of::<u32>();
const ORDER_LENGTH: usize = KEY_LENGTH + size_of::<u16>();
const ORDER_ROOM: usize = ORDER_LENGTH + size_of::<u16>();

impl Records {
    const HEAD: usize = ORDER_ROOM + size_of::<u16>();
    const CHUNK: usize = 1 << 20;
    /// Of a key and of an order.
    const LONGEST: usize = u16::MAX as usize;

    fn size(&self) -> usize {
        self.chunks.len() * Records::CHUNK
    }

    fn at(&self, record: u32) -> &[u8] {
        let record = record as usize;
        &self.chunks[record / Records::CHUNK][record % Records::CHUNK..]
    }

    fn at_mut(&mut self, record: u32) -> &mut [u8] {
        let record = record as usize;
        &mut self.chunks[record / Records::CHUNK][record % Records::CHUNK..]
    }

    fn row(&self, record: u32) -> u32 {
        let row = self.at(record).first_chunk().copied();
        u32::from_le_bytes(row.unwrap_or_default())
    }

    fn set_row(&mut self, record: u32, row: u32) {
        self.at_mut(record)[..KEY_LENGTH].copy_from_slice(&row.to_le_bytes());
    }

    fn key(&self, record: u32) -> &[u8] {
        let record = self.at(record);
        &record[Records::HEAD..][..number(record, KEY_LENGTH)]
    }

    fn order(&self, record: u32) -> &[u8] {
        let record = self.at(record);
        &record[Records::HEAD + number(record, KEY_LENGTH)..][..number(record, ORDER_LENGTH)]
    }

    fn push(&mut self, row: u32, key: &[u8], order: &[u8]) -> u32 {
        let length = Records::HEAD + key.len() + order.len();
        if self
            .chunks
            .last()
            .is_none_or(|chunk| chunk.len() + length > Records::CHUNK)
        {
            self.chunks.push(Vec::with_capacity(Records::CHUNK));
        }
        let before = (self.chunks.len() - 1) * Records::CHUNK;
        let Some(chunk) = self.chunks.last_mut() else {
            return NONE;
        };
        let record = (before + chunk.len()) as u32;
        let short = |bytes: &[u8]| (bytes.len() as u16).to_le_bytes();
        chunk.extend_from_slice(&row.to_le_bytes());
        chunk.extend_from_slice(&short(key));
        chunk.extend_from_slice(&short(order));
        chunk.extend_from_slice(&short(order));
        chunk.extend_from_slice(key);
        chunk.extend_from_slice(order);
        record
    }

    /// Another row for a group; where its record is now.
    fn replace(&mut self, record: u32, row: u32, order: &[u8]) -> u32 {
        let bytes = self.at_mut(record);
        let (key, room) = (number(bytes, KEY_LENGTH), number(bytes, ORDER_ROOM));
        if order.len() <= room {
            bytes[..KEY_LENGTH].copy_from_slice(&row.to_le_bytes());
            bytes[ORDER_LENGTH..ORDER_ROOM].copy_from_slice(&(order.len() as u16).to_le_bytes());
            bytes[Records::HEAD + key..][..order.len()].copy_from_slice(order);
            return record;
        }
        self.dead += Records::HEAD + key + room;
        let key = self.key(record).to_vec();
        self.push(row, &key, order)
    }

    /// Leaves out what nobody refers to.
    fn tidy(&mut self, table: &mut HashTable<Slot>) {
        let mut kept = Records::default();
        for slot in table.iter_mut() {
            slot.record = kept.push(
                self.row(slot.record),
                self.key(slot.record),
                self.order(slot.record),
            );
        }
        *self = kept;
    }
}

/// A number of two bytes.
fn number(record: &[u8], at: usize) -> usize {
    usize::from(record[at]) | usize::from(record[at + 1]) << 8
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringViewArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    const ROWS: i64 = 200_000;

    /// Rows of which each is better than all before it in one of three groups.
    fn better_and_better(order: fn(i64) -> Vec<u8>) -> Groups {
        let mut groups = Groups::new();
        for start in (0..ROWS).step_by(1_000) {
            let rows = start..start + 1_000;
            let numbers = Int64Array::from_iter_values(rows.clone());
            // A view of one row keeps all texts of its batch in memory.
            let texts = rows
                .clone()
                .map(|row| format!("a text for each row, also for {row}"));
            let texts = StringViewArray::from_iter_values(texts);
            let columns: [(&str, ArrayRef); 2] = [("n", Arc::new(numbers)), ("t", Arc::new(texts))];
            let ready = Ready {
                keys: Keys::from_iter(rows.clone().map(|row| vec![(row % 3) as u8])),
                order: Keys::from_iter(rows.map(order)),
                rows: RecordBatch::try_from_iter(columns).unwrap(),
            };
            let (before, growth) = (groups.size(), groups.growth(&ready).unwrap());
            groups.see(ready).unwrap();
            assert!(
                groups.size() <= before + growth,
                "{} and {growth} are not {}",
                before,
                groups.size()
            );
        }
        groups
    }

    fn numbers(groups: Groups) -> Vec<i64> {
        let rows = groups.firsts().map(Result::unwrap);
        let mut found: Vec<i64> = rows
            .flat_map(|rows| rows.column(0).as_primitive::<Int64Type>().values().to_vec())
            .collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn rows_that_were_the_best_once_are_forgotten() {
        let groups = better_and_better(|row| (ROWS - row).to_be_bytes().to_vec());
        assert!(groups.held_rows <= 70_000, "{}", groups.held_rows);
        assert_eq!(
            groups.held_rows,
            groups.held.iter().map(RecordBatch::num_rows).sum::<usize>()
        );
        assert_eq!(groups.records.size(), Records::CHUNK);
        assert_eq!(numbers(groups), [ROWS - 3, ROWS - 2, ROWS - 1]);
    }

    #[test]
    fn what_is_ordered_by_may_become_longer() {
        let groups = better_and_better(|row| {
            let first = (ROWS - row).to_be_bytes().to_vec();
            [first, vec![0; row as usize / 1_000]].concat()
        });
        assert!(
            groups.records.size() <= 3 * Records::CHUNK,
            "{}",
            groups.records.size()
        );
        assert_eq!(numbers(groups), [ROWS - 3, ROWS - 2, ROWS - 1]);
    }
}
