//! The ids of the first few keys, each in a slot of its own: one comparison for a row.
//!
//! ```text
//! slots   | key id | 0 0 | key id | …      id + 1; 0 marks a free slot
//! ```
//!
//! It stands before the hash table, which holds all keys. A key whose slot is taken has none and is
//! found in the table. With many more slots than keys hardly one is; when the keys are more than that,
//! the table is asked alone.

use super::HashKey;
use super::ids::BATCH;
use crate::Tuning;
use crate::buffer::HugeVec;
use crate::isa::{Isa, Kernel, dispatch};
use crate::level::Level;
use bytemuck::Zeroable;

/// Slots for each key that there must be.
const SLOTS_A_KEY: usize = 16;
/// One part in so many of a batch's rows may have no slot, once their keys are known.
const FEW_MISSES: usize = 8;

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
    /// Whether the keys are few, as far as is known.
    are_few: bool,
}

impl FewIds {
    pub(super) fn new(tuning: &Tuning, hash_key: HashKey) -> Self {
        let slots = 2 * tuning.table_slots.max(2).next_power_of_two();
        Self {
            slots: HugeVec::new(slots),
            shift: 64 - slots.trailing_zeros(),
            multiplier: hash_key.masked(tuning.hash_mask)[0],
            are_few: true,
        }
    }

    pub(super) fn are_few(&self) -> bool {
        self.are_few
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val::<[Slot]>(&self.slots)
    }

    /// Writes the id of each key that has a slot to `ids`, and lists the rows of the others in
    /// `missed`; returns how many these are.
    ///
    /// # Panics
    ///
    /// When there are more than [`BATCH`] keys, or not one id for each.
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

    /// Gives a key its slot, if that is free.
    pub(super) fn insert(&mut self, key: u64, id: u32) {
        let at = self.slot_of(key);
        let slot = &mut self.slots[at];
        if slot.stored == 0 {
            let stored = u64::from(id) + 1;
            *slot = Slot { key, stored };
        }
    }

    /// Looks after a batch whether the keys are still few: so many there are, of which so many were
    /// new, and so many of the rows had no slot.
    pub(super) fn judge(&mut self, keys: usize, new: usize, rows: usize, misses: usize) {
        let too_many = keys * SLOTS_A_KEY > self.slots.len();
        let crowded = new == 0 && misses * FEW_MISSES > rows;
        self.are_few = !too_many && !crowded;
    }

    /// Forgets every key.
    pub(super) fn clear(&mut self, keys: &[u64]) {
        if keys.len() * 16 < self.slots.len() {
            for &key in keys {
                let at = self.slot_of(key);
                self.slots[at] = Slot::zeroed();
            }
        } else {
            self.slots.clear();
        }
        self.are_few = true;
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
            // SAFETY: the shift leaves the bits of an index.
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
