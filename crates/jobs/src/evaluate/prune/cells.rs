//! What there is by group and slot of time, in a fixed number of cells, for rows that are too many to be kept.
//!
//! Cells are found by hash; groups that share them keep each other alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use arrow::buffer::{BooleanBuffer, MutableBuffer};
use arrow::util::bit_util;

use super::need::Need;

/// In how many parts a sum that is enough is counted.
pub(super) const PARTS: u32 = 60_000;

/// In how many slots what a match looks back is divided at most.
const MOST_SLOTS: f64 = 256.0;

/// Time in slots, so long that the rows of one match lie in a run of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slots {
    /// Microseconds; [`i64::MAX`] where a match depends on more than the rows of some time before it: then all time is one slot.
    pub(super) length: i64,
    /// How many, one after the other. Neither end of what a match looks back need be that of a slot.
    pub(super) run: usize,
}

impl Slots {
    /// Where the rows of a match, about so many, lie within so many microseconds; where they can be of any time, one slot.
    ///
    /// More slots leave fewer rows. But the more cells are looked at together, the more they hold of other groups, and that must stay far from
    /// what a match needs: a cell holds about half a row.
    pub(super) fn of(looks_back: Option<i64>, rows: f64) -> Slots {
        let Some(back) = looks_back else {
            return Slots {
                length: i64::MAX,
                run: 1,
            };
        };
        let slots = (rows / 3.0).min((rows * 6.0).sqrt());
        let last = back.max(1) - 1;
        let length = last / slots.clamp(1.0, MOST_SLOTS) as i64 + 1;
        let run = (last / length + 2) as usize;
        Slots { length, run }
    }

    /// Which cell is that of a group at a time, before it is brought into their number: those of one group's slots are beside each other.
    pub(super) fn place(self, hash: u64, time: i64) -> usize {
        let slot = match self.length {
            i64::MAX => 0,
            length => time.div_euclid(length),
        };
        (hash as usize).wrapping_add(slot as usize)
    }
}

/// What there is of what is needed, by cell.
pub(super) struct Tally {
    pub(super) need: Arc<Need>,
    /// Their number is a power of two.
    cells: Vec<AtomicU16>,
}

impl Tally {
    pub(super) fn new(need: Arc<Need>, len: usize) -> Tally {
        let cells = (0..len).map(|_| AtomicU16::new(0)).collect();
        Tally { need, cells }
    }

    /// Counts the units of rows, given their places.
    pub(super) fn add(&self, rows: impl Iterator<Item = (usize, u32)>) {
        if let Need::Steps(..) = *self.need {
            return rows.for_each(|(place, bit)| {
                self.cell(place).fetch_or(bit as u16, Ordering::Relaxed);
            });
        }
        for (place, units) in rows {
            // A full cell takes no more.
            let more = |held: u16| Some(held.saturating_add(units.min(u32::from(u16::MAX)) as u16));
            // It always has an answer.
            let _ = (self.cell(place)).fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }

    fn cell(&self, place: usize) -> &AtomicU16 {
        &self.cells[place & (self.cells.len() - 1)]
    }

    /// The cells that lie in a run, so long, that has what a match needs.
    pub(super) fn hopeful(&self, run: usize) -> BooleanBuffer {
        let len = self.cells.len();
        let mut hopeful = MutableBuffer::from_len_zeroed(len.div_ceil(8));
        let mut held = self.need.held(PARTS);
        // The first cells come once more: they go on with the last.
        let mut marked = 0;
        for at in 0..len + run {
            held.take(self.value(at));
            if let Some(left) = at.checked_sub(run) {
                held.leave(self.value(left));
            }
            if held.is_enough() {
                for place in marked.max((at + 1).saturating_sub(run))..=at {
                    bit_util::set_bit(hopeful.as_slice_mut(), place & (len - 1));
                }
                marked = at + 1;
            }
        }
        BooleanBuffer::new(hopeful.into(), 0, len)
    }

    fn value(&self, place: usize) -> u32 {
        u32::from(self.cell(place).load(Ordering::Relaxed))
    }
}
