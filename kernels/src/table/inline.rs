//! Keys that fit in a slot, each with its count.
//!
//! The keys of a batch are first probed at their home slots, without a branch on the result: a hit
//! adds one, a miss adds nothing and goes to a list. Then the keys of the list are probed one by
//! one, linearly. So the common case has no misprediction, and the rare case may be slow.

mod grow;

use super::{HashKey, prefetch};
use crate::Tuning;
use crate::buffer::{HugeVec, Window};
use bytemuck::Zeroable;

/// A key that fits in a slot; all zeros is not a key and marks a free slot.
pub(crate) trait InlineKey: Copy + Zeroable {
    /// Reads the key of an entry (see `Isa::split_class`) in the form of tables.
    fn load(window: Window<'_>, entry: u32) -> Self;

    /// Returns the key with zeros after its last byte: the form outside of tables.
    fn to_column_form(self) -> Self;

    /// Returns the key with zeros before the first byte of its last word: the form in tables.
    fn to_table_form(self) -> Self;

    /// Returns a hash whose upper bits choose the slot.
    fn hash(self, multipliers: [u64; 2]) -> u64;

    /// Returns whether two keys are equal, without a branch.
    fn is(self, other: Self) -> bool;

    /// Returns whether this marks a free slot.
    fn is_free(self) -> bool;
}

/// 1 to 8 bytes; in a table the last byte is in the top bits, with zeros below the first.
impl InlineKey for u64 {
    #[inline(always)]
    fn load(window: Window<'_>, entry: u32) -> Self {
        window.word(entry as u16) << (entry >> 16 & 63)
    }

    #[inline(always)]
    fn to_column_form(self) -> Self {
        self >> (self.trailing_zeros() & 56)
    }

    #[inline(always)]
    fn to_table_form(self) -> Self {
        self << (self.leading_zeros() & 56)
    }

    #[inline(always)]
    fn hash(self, multipliers: [u64; 2]) -> u64 {
        self.wrapping_mul(multipliers[0])
    }

    #[inline(always)]
    fn is(self, other: Self) -> bool {
        self == other
    }

    #[inline(always)]
    fn is_free(self) -> bool {
        self == 0
    }
}

/// 9 to 16 bytes: the first eight, then the remaining ones as a short key.
impl InlineKey for [u64; 2] {
    #[inline(always)]
    fn load(window: Window<'_>, entry: u32) -> Self {
        let [first, second] = window.two_words(entry as u16);
        [first, second << (entry >> 16 & 63)]
    }

    #[inline(always)]
    fn to_column_form(self) -> Self {
        [self[0], self[1].to_column_form()]
    }

    #[inline(always)]
    fn to_table_form(self) -> Self {
        [self[0], self[1].to_table_form()]
    }

    #[inline(always)]
    fn hash(self, multipliers: [u64; 2]) -> u64 {
        let first = self[0].wrapping_mul(multipliers[0]);
        first.wrapping_add(self[1].wrapping_mul(multipliers[1]))
    }

    #[inline(always)]
    fn is(self, other: Self) -> bool {
        (self[0] ^ other[0]) | (self[1] ^ other[1]) == 0
    }

    #[inline(always)]
    fn is_free(self) -> bool {
        self[0] == 0
    }
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Slot<K> {
    key: K,
    value: u64,
}

// SAFETY: a slot is a key and a number, both of which may be all zeros.
unsafe impl<K: Zeroable> Zeroable for Slot<K> {}

/// Number of keys that are hashed, and their slots prefetched, before the first is probed.
const AHEAD: usize = 256;

/// Eighths of the slots that may be in use: fuller tables miss more, emptier ones miss the cache.
const FULL_EIGHTHS: usize = 5;

/// Maximum distance of a new key from its home before that part of the table counts as crowded. It
/// is not crowded by chance: keys that leave one table in hash order crowd another one.
const FAR_FROM_HOME: usize = 256;

/// Maximum number of slots per key to which a table grows because it is crowded.
const MAX_SLOTS_PER_KEY: usize = 1024;

/// An open-addressing table; its size is a power of two.
pub(crate) struct InlineTable<K: InlineKey> {
    slots: HugeVec<Slot<K>>,
    /// `64 - log2(slots)`: a hash shifted right by this is an index.
    shift: u32,
    used: usize,
    multipliers: [u64; 2],
    first_slots: usize,
    prefetch_slots: usize,
    /// Keys that were read from the text and are not yet probed.
    keys: Box<[K; AHEAD]>,
}

impl<K: InlineKey> InlineTable<K> {
    pub(crate) fn new(tuning: &Tuning, hash_key: HashKey) -> Self {
        let slots = tuning.table_slots.next_power_of_two().max(2);
        let [first, second, ..] = hash_key.masked(tuning.hash_mask);
        Self {
            slots: HugeVec::new(slots),
            shift: 64 - slots.trailing_zeros(),
            used: 0,
            multipliers: [first, second],
            first_slots: slots,
            prefetch_slots: tuning.prefetch_bytes / size_of::<Slot<K>>(),
            keys: Box::new([K::zeroed(); AHEAD]),
        }
    }

    /// Adds one for each token of `ready`; `missed` must have room for the same number of keys.
    #[inline(always)]
    pub(crate) fn count(&mut self, window: Window<'_>, ready: &[u32], missed: &mut [K]) {
        let far = self.slots.len() > self.prefetch_slots;
        let mut misses = 0;
        for batch in ready.chunks(AHEAD) {
            for (i, &entry) in batch.iter().enumerate() {
                let key = K::load(window, entry);
                self.keys[i] = key;
                if far {
                    self.prefetch_slot(key);
                }
            }
            misses += self.count_hits::<0>(batch.len(), &mut missed[misses..]);
        }
        self.count_missed(&mut missed[..misses]);
    }

    /// Counts the keys that were not in their home slots: first in the next two slots, then
    /// anywhere.
    #[inline(always)]
    fn count_missed(&mut self, missed: &mut [K]) {
        let misses = self.count_again::<1>(missed);
        let misses = self.count_again::<2>(&mut missed[..misses]);
        for &key in &missed[..misses] {
            self.add(key, 1);
        }
    }

    /// Runs [`Self::count_hits`] over a list, and replaces it by the keys that were not found.
    #[inline(always)]
    fn count_again<const STEP: usize>(&mut self, missed: &mut [K]) -> usize {
        let far = self.slots.len() > self.prefetch_slots;
        let (mut read, mut misses) = (0, 0);
        while read < missed.len() {
            let batch = AHEAD.min(missed.len() - read);
            self.keys[..batch].copy_from_slice(&missed[read..read + batch]);
            read += batch;
            if far {
                for &key in &self.keys[..batch] {
                    self.prefetch_after_home::<STEP>(key);
                }
            }
            misses += self.count_hits::<STEP>(batch, &mut missed[misses..]);
        }
        misses
    }

    /// Adds one for each of the first `count` keys of `keys` that is `STEP` slots after its home,
    /// without a branch on the result; writes the other keys to `missed` and returns their number.
    #[inline(always)]
    fn count_hits<const STEP: usize>(&mut self, count: usize, missed: &mut [K]) -> usize {
        let keys = &self.keys[..count];
        assert!(missed.len() >= keys.len());
        // Copies, as the compiler assumes that a write to a slot may change the fields.
        let (multipliers, shift, mask) = (self.multipliers, self.shift, self.slots.len() - 1);
        let slots = self.slots.as_mut_ptr();
        let missed = missed.as_mut_ptr();
        let mut misses = 0;
        for &key in keys {
            let mut place = (key.hash(multipliers) >> shift) as usize;
            if STEP > 0 {
                place = (place + STEP) & mask;
            }
            // SAFETY: `shift` and the mask keep log2(slots) bits of a hash: `place` is in bounds.
            // `misses` grows by at most one per key, and the assert checks the room for them.
            unsafe {
                let slot = &mut *slots.add(place);
                let hit = slot.key.is(key);
                slot.value += u64::from(hit);
                *missed.add(misses) = key;
                misses += usize::from(!hit);
            }
        }
        misses
    }

    /// Prefetches a key's home slot, which may cross two cache lines.
    #[inline(always)]
    pub(crate) fn prefetch_slot(&self, key: K) {
        let slot = self.slots.as_ptr().wrapping_add(self.home(key));
        prefetch(slot);
        if !64usize.is_multiple_of(size_of::<Slot<K>>()) {
            prefetch(slot.wrapping_add(1).wrapping_byte_sub(1));
        }
    }

    /// Prefetches the slot `STEP` places after a key's home, which was prefetched before.
    #[inline(always)]
    fn prefetch_after_home<const STEP: usize>(&self, key: K) {
        let end = self.slots.as_ptr().wrapping_add(self.home(key) + STEP + 1);
        prefetch(end.wrapping_byte_sub(1));
    }

    #[inline(always)]
    fn home(&self, key: K) -> usize {
        (key.hash(self.multipliers) >> self.shift) as usize
    }

    /// Adds `count` to a key; a new key gets a slot.
    #[inline(always)]
    pub(crate) fn add(&mut self, key: K, count: u64) {
        let mask = self.slots.len() - 1;
        let home = self.home(key) & mask;
        let mut index = home;
        loop {
            let slot = &mut self.slots[index];
            if slot.key.is(key) {
                slot.value += count;
                if slot.value > self.slots[home].value {
                    // The more frequent key gets the home slot, where it is found first. The key
                    // that was there has its home at or before it, so probing still finds it.
                    self.slots.swap(home, index);
                }
                return;
            }
            if slot.key.is_free() {
                *slot = Slot { key, value: count };
                self.after_insert(index.wrapping_sub(home) & mask, true);
                return;
            }
            index = (index + 1) & mask;
        }
    }

    /// Counts a newly used slot at this distance from home, and grows the table if that helps.
    #[inline(always)]
    fn after_insert(&mut self, from_home: usize, by_count: bool) {
        self.used += 1;
        let is_full = self.used * 8 > self.slots.len() * FULL_EIGHTHS;
        if is_full || (from_home > FAR_FROM_HOME && self.can_spread()) {
            self.grow(by_count);
        }
    }

    /// Returns whether a larger table would spread keys that crowd one part of it.
    #[cold]
    fn can_spread(&self) -> bool {
        self.multipliers[0] != 0 && self.slots.len() < self.used.saturating_mul(MAX_SLOTS_PER_KEY)
    }

    /// Returns the number of keys.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// Returns the bytes of memory that the slots use.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.len() * size_of::<Slot<K>>()
    }

    /// Adds keys with their counts, and prefetches their slots.
    pub(crate) fn add_all(&mut self, mut groups: impl Iterator<Item = (K, u64)>) {
        let mut batch = [(K::zeroed(), 0); AHEAD];
        loop {
            let mut filled = 0;
            for (place, (key, count)) in batch.iter_mut().zip(groups.by_ref()) {
                self.prefetch_slot(key);
                *place = (key, count);
                filled += 1;
            }
            for &(key, count) in &batch[..filled] {
                self.add(key, count);
            }
            if filled < AHEAD {
                return;
            }
        }
    }

    /// Visits every key in column form, and its count.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(K, u64)) {
        for slot in self.slots.iter().filter(|slot| !slot.key.is_free()) {
            visit(slot.key.to_column_form(), slot.value);
        }
    }

    /// Returns whether both tables use the same hash.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.multipliers == other.multipliers
    }

    /// Returns the count of a key, if the table has it.
    #[inline(always)]
    fn count_of(&self, key: K) -> Option<u64> {
        let mask = self.slots.len() - 1;
        let mut index = self.home(key) & mask;
        loop {
            let slot = &self.slots[index];
            if slot.key.is(key) {
                return Some(slot.value);
            }
            if slot.key.is_free() {
                return None;
            }
            index = (index + 1) & mask;
        }
    }

    /// Visits a slice of several tables with the same hash, as [`Self::for_each_in`] does for one
    /// table: each key once, with the sum of its counts.
    ///
    /// All tables are in hash order, so a lookup in another table is near the previous one.
    pub(crate) fn add_up_in(
        tables: &[&Self],
        slice: usize,
        bits: u32,
        mut visit: impl FnMut(K, u64),
    ) {
        for (place, table) in tables.iter().enumerate() {
            let (earlier, later) = (&tables[..place], &tables[place + 1..]);
            table.for_each_in(slice, bits, |key, count| {
                if earlier.iter().all(|other| other.count_of(key).is_none()) {
                    let others = later.iter().filter_map(|other| other.count_of(key));
                    visit(key.to_column_form(), count + others.sum::<u64>());
                }
            });
        }
    }

    /// Visits the keys, in table form, whose hashes begin with the `bits` bits of `slice`.
    pub(crate) fn for_each_in(&self, slice: usize, bits: u32, mut visit: impl FnMut(K, u64)) {
        let below = 64 - bits;
        let first = (slice as u64).checked_shl(below).unwrap_or(0);
        let last = first | (u64::MAX >> bits);
        let [first, last] = [first, last].map(|hash| (hash >> self.shift) as usize);
        let mask = self.slots.len() - 1;
        for index in first..first + self.slots.len() {
            let slot = &self.slots[index & mask];
            if slot.key.is_free() {
                // Between the home and the slot of a key there is no free slot.
                if index >= last {
                    return;
                }
            } else {
                let hash = slot.key.hash(self.multipliers);
                if hash.checked_shr(below).unwrap_or(0) == slice as u64 {
                    visit(slot.key, slot.value);
                }
            }
        }
    }

    /// Removes all keys, and keeps memory for the same number of keys.
    pub(crate) fn clear(&mut self) {
        // A table with few keys is made smaller, so that clearing it stays cheap.
        if self.used * 16 < self.slots.len() && self.slots.len() > self.first_slots {
            let slots = (self.used * 2).next_power_of_two().max(self.first_slots);
            self.slots = HugeVec::new(slots);
            self.shift = 64 - slots.trailing_zeros();
        } else if self.used > 0 {
            self.slots.clear();
        }
        self.used = 0;
    }
}

#[cfg(test)]
mod tests;
