//! Counts of keys of 1 to 8 bytes, key and count in one 16-byte slot.

use super::{Secret, prefetch};
use crate::Limits;
use crate::buffer::Window;

/// A key with its last byte at the top and zeros below its first; zero marks a free slot.
#[derive(Clone, Copy, Default)]
#[repr(C, align(16))]
struct Slot {
    key: u64,
    count: u64,
}

/// How many probes are hashed and prefetched before the first is resolved.
const AHEAD: usize = 64;

/// An open-addressing table probed linearly; its size is a power of two.
pub(crate) struct ShortTable {
    slots: Vec<Slot>,
    /// `64 - log2(slots)`: what is left of a product after this shift is an index.
    shift: u32,
    used: usize,
    multiplier: u64,
    prefetch_slots: usize,
}

impl ShortTable {
    pub(crate) fn new(limits: &Limits, secret: Secret) -> Self {
        let slots = limits.table_slots.next_power_of_two().max(2);
        Self {
            slots: vec![Slot::default(); slots],
            shift: 64 - slots.trailing_zeros(),
            used: 0,
            multiplier: secret.masked(limits.hash_mask)[0],
            prefetch_slots: limits.prefetch_bytes / size_of::<Slot>(),
        }
    }

    /// Counts the tokens of `ready` (see `Isa::split_short`); `missed` holds as many keys or more.
    #[inline(always)]
    pub(crate) fn count(&mut self, window: Window<'_>, ready: &[u32], missed: &mut [u64]) {
        assert!(missed.len() >= ready.len());
        let misses = if self.slots.len() > self.prefetch_slots {
            self.count_prefetched(window, ready, missed)
        } else {
            self.count_direct(window, ready, missed)
        };
        for &key in &missed[..misses] {
            self.add(key, 1);
        }
    }

    #[inline(always)]
    fn count_direct(&mut self, window: Window<'_>, ready: &[u32], missed: &mut [u64]) -> usize {
        let (multiplier, shift) = (self.multiplier, self.shift);
        let slots = self.slots.as_mut_ptr();
        let missed = missed.as_mut_ptr();
        let mut misses = 0;
        for &entry in ready {
            let key = key_of(window, entry);
            let index = (key.wrapping_mul(multiplier) >> shift) as usize;
            // SAFETY: `shift` leaves log2(slots) bits, so the index is in bounds; `misses` is at
            // most the number of entries seen before, and `count` has checked `missed` for all.
            unsafe {
                let slot = &mut *slots.add(index);
                let hit = u64::from(slot.key == key);
                slot.count += hit;
                *missed.add(misses) = key;
                misses += 1 - hit as usize;
            }
        }
        misses
    }

    #[inline(always)]
    fn count_prefetched(&mut self, window: Window<'_>, ready: &[u32], missed: &mut [u64]) -> usize {
        let (multiplier, shift) = (self.multiplier, self.shift);
        let slots = self.slots.as_mut_ptr();
        let missed = missed.as_mut_ptr();
        let mut misses = 0;
        let mut keys = [0u64; AHEAD];
        for batch in ready.chunks(AHEAD) {
            for (key, &entry) in keys.iter_mut().zip(batch) {
                *key = key_of(window, entry);
                let index = (key.wrapping_mul(multiplier) >> shift) as usize;
                prefetch(slots.wrapping_add(index));
            }
            for &key in &keys[..batch.len()] {
                let index = (key.wrapping_mul(multiplier) >> shift) as usize;
                // SAFETY: as in `count_direct`.
                unsafe {
                    let slot = &mut *slots.add(index);
                    let hit = u64::from(slot.key == key);
                    slot.count += hit;
                    *missed.add(misses) = key;
                    misses += 1 - hit as usize;
                }
            }
        }
        misses
    }

    /// Adds `count` to a key, which takes a slot when it is new.
    #[inline(always)]
    pub(crate) fn add(&mut self, key: u64, count: u64) {
        let mask = self.slots.len() - 1;
        let mut index = (key.wrapping_mul(self.multiplier) >> self.shift) as usize & mask;
        loop {
            let slot = &mut self.slots[index];
            if slot.key == key {
                slot.count += count;
                return;
            }
            if slot.key == 0 {
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
            if slot.key != 0 {
                self.add(slot.key, slot.count);
            }
        }
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// Visits every key, the first byte lowest and zeros above the last, and its count.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(u64, u64)) {
        for slot in &self.slots {
            if slot.key != 0 {
                visit(slot.key >> (slot.key.trailing_zeros() & 56), slot.count);
            }
        }
    }
}

/// Loads the key of a short span: last byte at the top, zeros below the first.
#[inline(always)]
fn key_of(window: Window<'_>, entry: u32) -> u64 {
    window.word(entry as u16) << (entry >> 16 & 63)
}
