//! Keys that fit a slot whole, and a number beside each: a count, or what the key is called.
//!
//! A batch of keys is probed once each, at its home slot, without a branch on the outcome: a hit
//! adds one, a miss adds nothing and lands on a list. The list is then worked off key by key, with
//! linear probing. So the common case costs no misprediction, and the rare one may be slow.

mod grow;

use super::{HashKey, prefetch};
use crate::Tuning;
use crate::buffer::{HugeVec, Window};
use bytemuck::Zeroable;

/// A key that fits a slot; all zeros is not a key and marks a free slot.
pub(crate) trait InlineKey: Copy + Zeroable {
    /// Reads the key of an entry (see `Isa::split_class`).
    fn load(window: Window<'_>, entry: u32) -> Self;

    /// The key with its padding behind its last byte: how it leaves a table.
    fn to_padded_behind(self) -> Self;

    /// The key with its padding before its last word's first byte: how it stands in a table.
    fn to_padded_before(self) -> Self;

    /// A hash whose upper bits choose the slot.
    fn hash(self, multipliers: [u64; 2]) -> u64;

    /// Tells whether two keys are the same, without a branch.
    fn is(self, other: Self) -> bool;

    /// Tells whether this is no key.
    fn is_free(self) -> bool;
}

/// 1 to 8 bytes; in a table the last byte is at the top, and zeros are below the first.
impl InlineKey for u64 {
    #[inline(always)]
    fn load(window: Window<'_>, entry: u32) -> Self {
        window.word(entry as u16) << (entry >> 16 & 63)
    }

    #[inline(always)]
    fn to_padded_behind(self) -> Self {
        self >> (self.trailing_zeros() & 56)
    }

    #[inline(always)]
    fn to_padded_before(self) -> Self {
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

/// 9 to 16 bytes: the first eight, then the others as a short key.
impl InlineKey for [u64; 2] {
    #[inline(always)]
    fn load(window: Window<'_>, entry: u32) -> Self {
        let [first, second] = window.two_words(entry as u16);
        [first, second << (entry >> 16 & 63)]
    }

    #[inline(always)]
    fn to_padded_behind(self) -> Self {
        [self[0], self[1].to_padded_behind()]
    }

    #[inline(always)]
    fn to_padded_before(self) -> Self {
        [self[0], self[1].to_padded_before()]
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

/// How many keys are hashed, and their slots prefetched, before the first is probed.
const AHEAD: usize = 256;

/// Eighths of the slots that may be taken: fuller tables miss more, emptier ones miss the cache.
const FULL_EIGHTHS: usize = 5;

/// How far from home a new key may go before the table is taken to be crowded there, which it is
/// not by chance: keys that leave one table in the order of their hashes come so to another.
const FAR_FROM_HOME: usize = 256;

/// How many slots a key a table may grow to for being crowded.
const MOST_SLOTS_A_KEY: usize = 1024;

/// An open-addressing table; its size is a power of two.
pub(crate) struct InlineTable<K: InlineKey> {
    slots: HugeVec<Slot<K>>,
    /// `64 - log2(slots)`: what is left of a hash after this shift is an index.
    shift: u32,
    used: usize,
    multipliers: [u64; 2],
    first_slots: usize,
    prefetch_slots: usize,
    /// Keys on their way from the text to their slots.
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

    /// Counts the tokens of `ready` once each; `missed` must hold as many keys.
    #[inline(always)]
    pub(crate) fn count(&mut self, window: Window<'_>, ready: &[u32], missed: &mut [K]) {
        let far = self.slots.len() > self.prefetch_slots;
        let mut misses = 0;
        for batch in ready.chunks(AHEAD) {
            for (i, &entry) in batch.iter().enumerate() {
                let key = K::load(window, entry);
                self.keys[i] = key;
                if far {
                    self.ask_for(key);
                }
            }
            misses += self.count_hits::<0>(batch.len(), &mut missed[misses..]);
        }
        self.count_missed(&mut missed[..misses]);
    }

    /// Counts the keys that were not found at home: next to it, or wherever they are.
    #[inline(always)]
    fn count_missed(&mut self, missed: &mut [K]) {
        let misses = self.count_again::<1>(missed);
        let misses = self.count_again::<2>(&mut missed[..misses]);
        for &key in &missed[..misses] {
            self.add(key, 1);
        }
    }

    /// [`Self::count_hits`] over a list that is replaced by what is still missed.
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
                    self.ask_behind::<STEP>(key);
                }
            }
            misses += self.count_hits::<STEP>(batch, &mut missed[misses..]);
        }
        misses
    }

    /// Adds one for each of the first `count` waiting keys that is found `STEP` slots from home,
    /// without a branch on whether it is; writes the others to `missed` and returns their number.
    #[inline(always)]
    fn count_hits<const STEP: usize>(&mut self, count: usize, missed: &mut [K]) -> usize {
        let keys = &self.keys[..count];
        assert!(missed.len() >= keys.len());
        // Copies, as the compiler cannot know that no slot is one of them.
        let (multipliers, shift, mask) = (self.multipliers, self.shift, self.slots.len() - 1);
        let slots = self.slots.as_mut_ptr();
        let missed = missed.as_mut_ptr();
        let mut misses = 0;
        for &key in keys {
            let mut place = (key.hash(multipliers) >> shift) as usize;
            if STEP > 0 {
                place = (place + STEP) & mask;
            }
            // SAFETY: `shift` leaves log2(slots) bits of a hash, and so does the mask: `place` is
            // in bounds. `misses` grows by at most one a key, and the assert has made room.
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

    /// Asks for a key's home slot, of which some lie in two cache lines.
    #[inline(always)]
    pub(crate) fn ask_for(&self, key: K) {
        let slot = self.slots.as_ptr().wrapping_add(self.home(key));
        prefetch(slot);
        if !64usize.is_multiple_of(size_of::<Slot<K>>()) {
            prefetch(slot.wrapping_add(1).wrapping_byte_sub(1));
        }
    }

    /// Asks for the slot `STEP` places behind a key's home, which it asked for before.
    #[inline(always)]
    fn ask_behind<const STEP: usize>(&self, key: K) {
        let end = self.slots.as_ptr().wrapping_add(self.home(key) + STEP + 1);
        prefetch(end.wrapping_byte_sub(1));
    }

    #[inline(always)]
    fn home(&self, key: K) -> usize {
        (key.hash(self.multipliers) >> self.shift) as usize
    }

    /// Adds `count` to a key, which takes a slot when it is new.
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
                    // The more frequent key gets the place where it is found at once. Whoever
                    // stood there belongs at or before it, and is still found from there on.
                    self.slots.swap(home, index);
                }
                return;
            }
            if slot.key.is_free() {
                *slot = Slot { key, value: count };
                self.taken(index.wrapping_sub(home) & mask, true);
                return;
            }
            index = (index + 1) & mask;
        }
    }

    /// Notes that a slot so far from home was taken, and makes the table larger where that helps.
    #[inline(always)]
    fn taken(&mut self, from_home: usize, by_count: bool) {
        self.used += 1;
        let is_full = self.used * 8 > self.slots.len() * FULL_EIGHTHS;
        if is_full || (from_home > FAR_FROM_HOME && self.can_spread()) {
            self.grow(by_count);
        }
    }

    /// Whether keys that crowd one part of the table would have more room in a larger one.
    #[cold]
    fn can_spread(&self) -> bool {
        self.multipliers[0] != 0 && self.slots.len() < self.used.saturating_mul(MOST_SLOTS_A_KEY)
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// How many bytes of memory the slots take.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.len() * size_of::<Slot<K>>()
    }

    /// Adds many keys with their counts, asking ahead for the slots of a large table.
    pub(crate) fn add_all(&mut self, mut groups: impl Iterator<Item = (K, u64)>) {
        let mut batch = [(K::zeroed(), 0); AHEAD];
        loop {
            let mut filled = 0;
            for (place, (key, count)) in batch.iter_mut().zip(groups.by_ref()) {
                self.ask_for(key);
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

    /// Visits every key, padded behind, and its count.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(K, u64)) {
        for slot in self.slots.iter().filter(|slot| !slot.key.is_free()) {
            visit(slot.key.to_padded_behind(), slot.value);
        }
    }

    /// Tells whether a key has the same hash in both tables.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.multipliers == other.multipliers
    }

    /// The count of a key that is there.
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

    /// Visits the keys of several tables that hash alike, as [`Self::for_each_in`] does those of
    /// one, each key once and with the sum of its counts.
    ///
    /// Where a key is looked up in another table, the one before it was just looked at.
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
                    visit(key.to_padded_behind(), count + others.sum::<u64>());
                }
            });
        }
    }

    /// Visits the keys, as they stand in the table, whose hashes begin with the `bits` bits of
    /// `slice`.
    pub(crate) fn for_each_in(&self, slice: usize, bits: u32, mut visit: impl FnMut(K, u64)) {
        let below = 64 - bits;
        let first = (slice as u64).checked_shl(below).unwrap_or(0);
        let last = first | (u64::MAX >> bits);
        let [first, last] = [first, last].map(|hash| (hash >> self.shift) as usize);
        let mask = self.slots.len() - 1;
        for index in first..first + self.slots.len() {
            let slot = &self.slots[index & mask];
            if slot.key.is_free() {
                // No key stands behind a free slot that comes after its home.
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

    /// Forgets every key, and keeps the memory for as many again.
    pub(crate) fn clear(&mut self) {
        // A table that held a few keys of late is shrunk, so that clearing it stays cheap.
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
