//! A direct-mapped table of keys and ids, for few keys: one comparison per row.
//!
//! ```text
//! slots   | key id | 0 0 | key id | …      id + 1; 0 marks a free slot
//! ```
//!
//! It is looked up before the hash table, which holds all keys. A key whose slot holds another key
//! is only in the hash table. This is rare while there are many more slots than keys; with more
//! keys this table is not used.

use super::HashKey;
use super::ids::BATCH;
use crate::Tuning;
use crate::buffer::HugeVec;
use crate::isa::{Isa, Kernel, dispatch};
use crate::level::Level;
use bytemuck::Zeroable;

/// Minimum number of slots per key.
const SLOTS_PER_KEY: usize = 16;
/// If no key of a batch is new, at most `rows / MISS_DIVISOR` of its rows may have no slot.
const MISS_DIVISOR: usize = 8;

#[derive(Clone, Copy, Zeroable)]
#[repr(C)]
struct Slot {
    key: u64,
    stored: u64,
}

/// A direct-mapped table whose number of slots is a power of two.
pub(super) struct FewIds {
    slots: HugeVec<Slot>,
    shift: u32,
    multiplier: u64,
    /// Whether this table is still looked up.
    is_in_use: bool,
}

impl FewIds {
    pub(super) fn new(tuning: &Tuning, hash_key: HashKey) -> Self {
        let slots = 2 * tuning.table_slots.max(2).next_power_of_two();
        Self {
            slots: HugeVec::new(slots),
            shift: 64 - slots.trailing_zeros(),
            multiplier: hash_key.masked(tuning.hash_mask)[0],
            is_in_use: true,
        }
    }

    pub(super) fn is_in_use(&self) -> bool {
        self.is_in_use
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val::<[Slot]>(&self.slots)
    }

    /// Writes the id of each key that has a slot to `ids`, and the rows of the other keys to
    /// `missed`; returns the number of these rows.
    ///
    /// # Panics
    ///
    /// When there are more than [`BATCH`] keys, or the lengths of `keys` and `ids` differ.
    pub(super) fn look_up(
        &self,
        level: Level,
        keys: &[u64],
        ids: &mut [u32],
        missed: &mut [u16; BATCH],
    ) -> usize {
        assert!(keys.len() <= BATCH && keys.len() == ids.len());
        let few = self;
        dispatch(
            level,
            LookUp {
                few,
                keys,
                ids,
                missed,
            },
        )
    }

    #[inline(always)]
    fn slot_of(&self, key: u64) -> usize {
        (key.wrapping_mul(self.multiplier) >> self.shift) as usize
    }

    /// Stores a key in its slot, if the slot is free.
    pub(super) fn insert(&mut self, key: u64, id: u32) {
        let at = self.slot_of(key);
        let slot = &mut self.slots[at];
        if slot.stored == 0 {
            let stored = u64::from(id) + 1;
            *slot = Slot { key, stored };
        }
    }

    /// Decides after a batch whether the table is used further: from the number of keys, of new
    /// keys, and of the batch's rows and misses.
    pub(super) fn decide_use(&mut self, keys: usize, new: usize, rows: usize, misses: usize) {
        let too_many = keys * SLOTS_PER_KEY > self.slots.len();
        let crowded = new == 0 && misses * MISS_DIVISOR > rows;
        self.is_in_use = !too_many && !crowded;
    }

    /// Removes all keys.
    pub(super) fn clear(&mut self, keys: &[u64]) {
        if keys.len() * 16 < self.slots.len() {
            for &key in keys {
                let at = self.slot_of(key);
                self.slots[at] = Slot::zeroed();
            }
        } else {
            self.slots.clear();
        }
        self.is_in_use = true;
    }
}

struct LookUp<'a> {
    few: &'a FewIds,
    keys: &'a [u64],
    ids: &'a mut [u32],
    missed: &'a mut [u16; BATCH],
}

impl Kernel for LookUp<'_> {
    type Out = usize;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> usize {
        let slots = self.few.slots.as_ptr();
        let (multiplier, shift) = (self.few.multiplier, self.few.shift);
        let mut misses = 0;
        for (row, (&key, id)) in self.keys.iter().zip(self.ids).enumerate() {
            let at = (key.wrapping_mul(multiplier) >> shift) as usize;
            // SAFETY: the shift keeps the bits of an index.
            let slot = unsafe { &*slots.add(at) };
            let stored = if slot.key == key {
                slot.stored as u32
            } else {
                0
            };
            *id = stored.wrapping_sub(1);
            self.missed[misses & (BATCH - 1)] = row as u16;
            misses += usize::from(stored == 0);
        }
        misses
    }
}
