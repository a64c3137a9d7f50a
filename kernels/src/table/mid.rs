//! Counts of keys of 9 to 16 bytes, key and count in one 24-byte slot.

use super::{Secret, prefetch};
use crate::Limits;
use crate::buffer::Window;

/// The first eight bytes, then the others with the last one at the top; zeros mark a free slot.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Slot {
    key: [u64; 2],
    count: u64,
}

/// How many probes are hashed and prefetched before the first is resolved.
const AHEAD: usize = 32;

/// An open-addressing table probed linearly; its size is a power of two.
pub(crate) struct MidTable {
    slots: Vec<Slot>,
    /// `64 - log2(slots)`: what is left of a product after this shift is an index.
    shift: u32,
    used: usize,
    multipliers: [u64; 2],
    prefetch_slots: usize,
}

impl MidTable {
    pub(crate) fn new(limits: &Limits, secret: Secret) -> Self {
        let slots = limits.table_slots.next_power_of_two().max(2);
        let [_, first, second, _] = secret.masked(limits.hash_mask);
        Self {
            slots: vec![Slot::default(); slots],
            shift: 64 - slots.trailing_zeros(),
            used: 0,
            multipliers: [first, second],
            prefetch_slots: limits.prefetch_bytes / size_of::<Slot>(),
        }
    }

    #[inline(always)]
    fn home(&self, key: [u64; 2]) -> usize {
        let [first, second] = self.multipliers;
        let hash = key[0]
            .wrapping_mul(first)
            .wrapping_add(key[1].wrapping_mul(second));
        (hash >> self.shift) as usize
    }

    /// Counts the tokens of `ready`; an entry is made as in `Isa::split_short`, of the length less 8.
    #[inline(always)]
    pub(crate) fn count(&mut self, window: Window<'_>, ready: &[u32]) {
        let ahead = self.slots.len() > self.prefetch_slots;
        let mut keys = [[0u64; 2]; AHEAD];
        for batch in ready.chunks(AHEAD) {
            for (key, &entry) in keys.iter_mut().zip(batch) {
                let [first, second] = window.two_words(entry as u16);
                *key = [first, second << (entry >> 16 & 63)];
                if ahead {
                    prefetch(self.slots.as_ptr().wrapping_add(self.home(*key)));
                }
            }
            for &key in &keys[..batch.len()] {
                self.add(key, 1);
            }
        }
    }

    /// Adds `count` to a key, which takes a slot when it is new.
    #[inline(always)]
    pub(crate) fn add(&mut self, key: [u64; 2], count: u64) {
        let mask = self.slots.len() - 1;
        let mut index = self.home(key) & mask;
        loop {
            let slot = &mut self.slots[index];
            if slot.key == key {
                slot.count += count;
                return;
            }
            if slot.key[0] == 0 {
                *slot = Slot { key, count };
                self.used += 1;
                if self.used * 4 > self.slots.len() * 3 {
                    self.grow();
                }
                return;
            }
            index = (index + 1) & mask;
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let slots = self.slots.len() * 2;
        let old = core::mem::replace(&mut self.slots, vec![Slot::default(); slots]);
        self.shift -= 1;
        self.used = 0;
        for slot in old {
            if slot.key[0] != 0 {
                self.add(slot.key, slot.count);
            }
        }
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// Visits every key, the first byte lowest and zeros above the last, and its count.
    pub(crate) fn for_each(&self, mut visit: impl FnMut([u64; 2], u64)) {
        for slot in &self.slots {
            let [first, second] = slot.key;
            if first != 0 {
                visit(
                    [first, second >> (second.trailing_zeros() & 56)],
                    slot.count,
                );
            }
        }
    }
}
