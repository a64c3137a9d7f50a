//! Keys of any length, each in one record with its number (a count or an id).
//!
//! ```text
//! slot     24 bits of the hash | start of the record, plus 1           0: free
//! record   number, hash, length, bytes                                 see `Records`
//! ```
//!
//! Finding a key reads two cache lines: that of its slot and that of its record. For a batch of
//! keys all slots are prefetched first, then all records; then the keys are compared.

mod records;

use records::Records;

use super::intern_error::{FreshId, InternError};
use super::{HashKey, prefetch};
use crate::Tuning;
use crate::buffer::{HugeVec, Window};

/// Bits of a slot for the place of a record, in words.
const PLACE_BITS: u32 = 40;

/// Slots of a new table: many tables never get a long key.
const FIRST_SLOTS: usize = 2;

/// Number of keys that are hashed, and their slots and records prefetched, before the first
/// compare.
const AHEAD: usize = 64;

/// Eighths of the slots that may be in use.
const FULL_EIGHTHS: usize = 5;

/// Maximum distance of a new key from its home before that part of the table counts as crowded; see
/// `InlineTable`.
const FAR_FROM_HOME: usize = 256;

/// Maximum number of slots per key to which a table grows because it is crowded.
const MAX_SLOTS_PER_KEY: usize = 1024;

/// A flushed table keeps at most `flush_bytes / KEPT_DIVISOR` of memory. With more, a table that
/// once held a very long key would be flushed again and again, even if nearly empty.
const KEPT_DIVISOR: usize = 8;

/// An open-addressing table of records.
pub(crate) struct LongTable {
    slots: HugeVec<u64>,
    /// `64 - log2(slots)`: a hash shifted right by this is an index.
    shift: u32,
    records: Records,
    multipliers: [u64; 4],
    prefetch_bytes: usize,
    /// Maximum bytes of slots, and of records, that are kept when the table is cleared.
    kept_bytes: usize,
}

impl LongTable {
    pub(crate) fn new(tuning: &Tuning, hash_key: HashKey) -> Self {
        Self {
            slots: HugeVec::new(FIRST_SLOTS),
            shift: 64 - FIRST_SLOTS.trailing_zeros(),
            records: Records::default(),
            multipliers: hash_key.masked(tuning.hash_mask),
            prefetch_bytes: tuning.prefetch_bytes,
            kept_bytes: tuning.flush_bytes / KEPT_DIVISOR,
        }
    }

    /// Adds one for each token of `spans` that is not empty; returns the number of empty tokens.
    #[inline(always)]
    pub(crate) fn count(&mut self, window: Window<'_>, spans: &[u32]) -> u64 {
        let mut empty = 0;
        let keys = spans.iter().map(|&span| (window.slice(span), 1));
        self.add_all(keys.filter(|(key, _)| {
            empty += u64::from(key.is_empty());
            !key.is_empty()
        }));
        empty
    }

    /// Adds keys with their counts.
    pub(crate) fn add_all<'k>(&mut self, mut keys: impl Iterator<Item = (&'k [u8], u64)>) {
        let mut batch = [(&b""[..], 0, 0); AHEAD];
        loop {
            let mut filled = 0;
            for (place, (key, count)) in batch.iter_mut().zip(keys.by_ref()) {
                *place = (key, count, self.hash(key));
                filled += 1;
            }
            let batch = &batch[..filled];
            if self.bytes() > self.prefetch_bytes {
                self.prefetch_records(batch);
            }
            for &(key, count, hash) in batch {
                *self.number_of(key, hash, 0) += count;
            }
            if filled < AHEAD {
                return;
            }
        }
    }

    fn prefetch_records(&self, batch: &[(&[u8], u64, u64)]) {
        for &(.., hash) in batch {
            prefetch(self.slots.as_ptr().wrapping_add(self.home(hash)));
        }
        for &(key, _, hash) in batch {
            // Most keys are in their home slot; otherwise the wrong record is prefetched.
            if let Some(place) = place_in(self.slots[self.home(hash)]) {
                let address = self.records.address(place);
                prefetch(address);
                prefetch(address.wrapping_byte_add(24 + key.len()));
            }
        }
    }

    /// Adds `count` to a key; a new key is copied.
    pub(crate) fn add(&mut self, key: &[u8], count: u64) {
        *self.value_of(key, 0) += count;
    }

    /// Returns the number of a key: `fresh` if it is new.
    pub(crate) fn value_of(&mut self, key: &[u8], fresh: u64) -> &mut u64 {
        self.number_of(key, self.hash(key), fresh)
    }

    /// Returns the id of a key: a new id if the key is new.
    pub(super) fn id_of(&mut self, key: &[u8], fresh: FreshId) -> Result<u32, InternError> {
        let hash = self.hash(key);
        let place = match self.look_up(key, hash) {
            Ok(place) => place,
            Err(free) => self.insert(free, key, hash, u64::from(fresh.take()?)),
        };
        Ok(self.records.value(place) as u32)
    }

    /// Returns the id of a key, if the table has the key.
    pub(super) fn get(&self, key: &[u8]) -> Option<u32> {
        let place = self.look_up(key, self.hash(key)).ok()?;
        Some(self.records.value(place) as u32)
    }

    #[inline(always)]
    fn number_of(&mut self, key: &[u8], hash: u64, fresh: u64) -> &mut u64 {
        let place = match self.look_up(key, hash) {
            Ok(place) => place,
            Err(free) => self.insert(free, key, hash, fresh),
        };
        self.records.value_mut(place)
    }

    /// Returns the place of a key's record, or else the free slot for the key.
    #[inline(always)]
    fn look_up(&self, key: &[u8], hash: u64) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        let mut index = self.home(hash);
        loop {
            let slot = self.slots[index];
            let Some(place) = place_in(slot) else {
                return Err(index);
            };
            if slot >> PLACE_BITS == tag(hash) && self.records.is(place, hash, key) {
                return Ok(place);
            }
            index = (index + 1) & mask;
        }
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, free: usize, key: &[u8], hash: u64, value: u64) -> usize {
        let place = self.records.push(hash, key, value);
        self.slots[free] = slot_of(place, hash);
        let from_home = free.wrapping_sub(self.home(hash)) & (self.slots.len() - 1);
        let is_full = self.len() * 8 > self.slots.len() * FULL_EIGHTHS;
        if is_full || (from_home > FAR_FROM_HOME && self.can_spread()) {
            self.grow();
        }
        place
    }

    /// Returns whether a larger table would spread keys that crowd one part of it.
    fn can_spread(&self) -> bool {
        self.multipliers[0] != 0 && self.slots.len() < self.len().saturating_mul(MAX_SLOTS_PER_KEY)
    }

    /// Doubles the number of slots; the records are not moved.
    fn grow(&mut self) {
        let slots = 2 * self.slots.len();
        self.set_slots(slots);
        for (place, hash) in self.records.places() {
            let mut index = self.home(hash);
            while self.slots[index] != 0 {
                index = (index + 1) & (slots - 1);
            }
            self.slots[index] = slot_of(place, hash);
        }
    }

    #[inline(always)]
    fn home(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    /// Returns a keyed hash: 16 bytes per step, folded from a 128-bit product. The last 16 bytes
    /// are read from the end, so some bytes may be read twice; the length distinguishes such keys.
    #[inline(always)]
    fn hash(&self, key: &[u8]) -> u64 {
        let [a, b, c, d] = self.multipliers;
        let mut state = (key.len() as u64).wrapping_mul(d);
        for step in key.as_chunks::<16>().0 {
            state = fold(low_word(step) ^ a ^ state, high_word(step) ^ b);
        }
        let (low, high) = last_words(key);
        // With a mask of zero the multiplier is zero, and all keys have the same hash.
        fold(low ^ c ^ state, high ^ d).wrapping_mul(a)
    }

    /// Returns the number of keys.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns the bytes of memory that the table and the keys use.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> usize {
        size_of_val::<[u64]>(&self.slots) + self.records.bytes()
    }

    /// Removes all keys, and keeps memory for the same number of keys, up to `kept_bytes`.
    pub(crate) fn clear(&mut self) {
        let (slots, len) = (self.slots.len(), self.len());
        if len == 0 {
            return;
        }
        if 8 * slots > self.kept_bytes || len * 16 < slots {
            let fewer = (2 * len).next_power_of_two().min(self.kept_bytes / 16);
            self.set_slots(fewer.next_power_of_two().clamp(FIRST_SLOTS, slots));
        } else {
            self.slots.clear();
        }
        self.records.clear(self.kept_bytes);
    }

    /// Replaces the slots by `slots` free ones.
    fn set_slots(&mut self, slots: usize) {
        self.slots = HugeVec::new(slots);
        self.shift = 64 - slots.trailing_zeros();
    }

    /// Returns whether both tables use the same hash.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.multipliers == other.multipliers
    }

    /// Visits the keys whose hashes begin with the `bits` bits of `slice`.
    pub(super) fn for_each_in(&self, slice: usize, bits: u32, mut visit: impl FnMut(&[u8], u64)) {
        self.places_in(slice, bits)
            .for_each(|(place, _)| visit(self.records.key(place), self.records.value(place)));
    }

    /// Visits a slice of several tables with the same hash: each key once, with the sum of its
    /// counts.
    pub(super) fn add_up_in(
        tables: &[&Self],
        slice: usize,
        bits: u32,
        mut visit: impl FnMut(&[u8], u64),
    ) {
        for (number, table) in tables.iter().enumerate() {
            let (earlier, later) = (&tables[..number], &tables[number + 1..]);
            for (place, hash) in table.places_in(slice, bits) {
                let key = table.records.key(place);
                if earlier
                    .iter()
                    .all(|other| other.look_up(key, hash).is_err())
                {
                    let others = later.iter().filter_map(|other| {
                        let place = other.look_up(key, hash).ok()?;
                        Some(other.records.value(place))
                    });
                    visit(key, table.records.value(place) + others.sum::<u64>());
                }
            }
        }
    }

    /// Returns the records of a slice, and their hashes: those from the first slot of the slice to
    /// the first free slot after its end, without the keys of other slices.
    fn places_in(&self, slice: usize, bits: u32) -> impl Iterator<Item = (usize, u64)> {
        let below = 64 - bits;
        let first = (slice as u64).checked_shl(below).unwrap_or(0);
        let last = first | (u64::MAX >> bits);
        let [first, last] = [first, last].map(|hash| self.home(hash));
        let mask = self.slots.len() - 1;
        (first..first + self.slots.len())
            .map(move |index| (index, place_in(self.slots[index & mask])))
            .take_while(move |&(index, place)| index < last || place.is_some())
            .filter_map(|(_, place)| place.map(|place| (place, self.records.hash(place))))
            .filter(move |(_, hash)| hash.checked_shr(below).unwrap_or(0) == slice as u64)
    }

    /// Visits every key and its number, in order of first arrival.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&[u8], u64)) {
        for (place, _) in self.records.places() {
            visit(self.records.key(place), self.records.value(place));
        }
    }
}

#[inline(always)]
fn tag(hash: u64) -> u64 {
    hash & ((1 << (64 - PLACE_BITS)) - 1)
}

#[inline(always)]
fn slot_of(place: usize, hash: u64) -> u64 {
    let place = place as u64 + 1;
    assert!(place < 1 << PLACE_BITS, "flushed long before 8 TiB of keys");
    tag(hash) << PLACE_BITS | place
}

/// Returns the place that a slot stores, or `None` if the slot is free.
#[inline(always)]
fn place_in(slot: u64) -> Option<usize> {
    (slot & ((1 << PLACE_BITS) - 1))
        .checked_sub(1)
        .map(|place| place as usize)
}

/// Returns the last 16 bytes of a key, or all bytes of a shorter one. Together with the length they
/// distinguish keys whose earlier bytes are the same.
#[inline(always)]
fn last_words(key: &[u8]) -> (u64, u64) {
    if let Some(last) = key.last_chunk::<16>() {
        return (low_word(last), high_word(last));
    }
    if let (Some(first), Some(last)) = (key.first_chunk(), key.last_chunk()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    let mut bytes = [0; 8];
    bytes[..key.len()].copy_from_slice(key);
    (u64::from_le_bytes(bytes), 0)
}

#[inline(always)]
fn low_word(bytes: &[u8; 16]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().expect("16 bytes hold 8"))
}

#[inline(always)]
fn high_word(bytes: &[u8; 16]) -> u64 {
    u64::from_le_bytes(*bytes.last_chunk().expect("16 bytes hold 8"))
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests;
