//! Keys of any length, each in one record with its number.
//!
//! ```text
//! slot     24 bits of the hash | where the record begins, and one      0: free
//! record   number, hash, length, bytes                                 see `Records`
//! ```
//!
//! Two lines of memory are looked at for a key that is there: its slot's and its record's. For many
//! keys at a time all slots are asked for first, then all records, and the keys compared at last.

mod records;

use records::Records;

use super::intern_error::{FreshId, InternError};
use super::{HashKey, prefetch};
use crate::Tuning;
use crate::buffer::{HugeVec, Window};

/// Bits of a slot for the place of a record, in words.
const PLACE_BITS: u32 = 40;

/// Slots of a fresh table: many never meet a long key.
const FIRST_SLOTS: usize = 2;

/// How many keys are hashed, and their slots and records asked for, before the first is compared.
const AHEAD: usize = 64;

/// Eighths of the slots that may be taken.
const FULL_EIGHTHS: usize = 5;

/// How far from home a new key may go before the table is taken to be crowded there; see
/// `InlineTable`.
const FAR_FROM_HOME: usize = 256;

/// How many slots a key a table may grow to for being crowded.
const MOST_SLOTS_A_KEY: usize = 1024;

/// One part in so many of the bytes at which a table is flushed may be kept when it was: else one
/// that has met a giant would be flushed again and again, however little it held.
const KEPT_PART: usize = 8;

/// An open-addressing table of records.
pub(crate) struct LongTable {
    slots: HugeVec<u64>,
    /// `64 - log2(slots)`: what is left of a hash after this shift is an index.
    shift: u32,
    records: Records,
    multipliers: [u64; 4],
    prefetch_bytes: usize,
    /// Bytes of slots, and of records, that are kept for the keys to come.
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
            kept_bytes: tuning.flush_bytes / KEPT_PART,
        }
    }

    /// Counts the tokens of `spans` once each, but for the empty ones, whose number is returned.
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

    /// Adds many keys with their counts.
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
                self.ask_for(batch);
            }
            for &(key, count, hash) in batch {
                *self.number_of(key, hash, 0) += count;
            }
            if filled < AHEAD {
                return;
            }
        }
    }

    fn ask_for(&self, batch: &[(&[u8], u64, u64)]) {
        for &(.., hash) in batch {
            prefetch(self.slots.as_ptr().wrapping_add(self.home(hash)));
        }
        for &(key, _, hash) in batch {
            // Most keys stand at home; where another one does, that one's record comes in vain.
            if let Some(place) = place_in(self.slots[self.home(hash)]) {
                let address = self.records.address(place);
                prefetch(address);
                prefetch(address.wrapping_byte_add(24 + key.len()));
            }
        }
    }

    /// Adds `count` to a key, which is copied when it is new.
    pub(crate) fn add(&mut self, key: &[u8], count: u64) {
        *self.value_of(key, 0) += count;
    }

    /// The number of a key: `fresh` when it is new.
    pub(crate) fn value_of(&mut self, key: &[u8], fresh: u64) -> &mut u64 {
        self.number_of(key, self.hash(key), fresh)
    }

    /// The number of a key as an id, a fresh one when the key is new.
    pub(super) fn id_of(&mut self, key: &[u8], fresh: FreshId) -> Result<u32, InternError> {
        let hash = self.hash(key);
        let place = match self.look_up(key, hash) {
            Ok(place) => place,
            Err(free) => self.insert(free, key, hash, u64::from(fresh.take()?)),
        };
        Ok(self.records.value(place) as u32)
    }

    /// The number of a key as an id, if the key is there.
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

    /// The place of a key's record, or the slot that the key would take.
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

    /// Whether keys that crowd one part of the table would have more room in a larger one.
    fn can_spread(&self) -> bool {
        self.multipliers[0] != 0 && self.slots.len() < self.len().saturating_mul(MOST_SLOTS_A_KEY)
    }

    /// Makes the slots twice as many; the records stay where they are.
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

    /// A keyed hash: 16 bytes a step, each folded from a 128-bit product; what is left is read from
    /// the end, some of it twice, which the length tells apart.
    #[inline(always)]
    fn hash(&self, key: &[u8]) -> u64 {
        let [a, b, c, d] = self.multipliers;
        let mut state = (key.len() as u64).wrapping_mul(d);
        for step in key.as_chunks::<16>().0 {
            state = fold(low_word(step) ^ a ^ state, high_word(step) ^ b);
        }
        let (low, high) = last_words(key);
        // A mask of zero leaves no multiplier, and every key the same hash.
        fold(low ^ c ^ state, high ^ d).wrapping_mul(a)
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// How many bytes of memory the table and the keys take.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> usize {
        size_of_val::<[u64]>(&self.slots) + self.records.bytes()
    }

    /// Forgets every key, and keeps the memory for as many again, unless that is a lot.
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

    /// Makes so many slots, all of them free.
    fn set_slots(&mut self, slots: usize) {
        self.slots = HugeVec::new(slots);
        self.shift = 64 - slots.trailing_zeros();
    }

    /// Tells whether a key has the same hash in both tables.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.multipliers == other.multipliers
    }

    /// Visits the keys whose hashes begin with the `bits` bits of `slice`.
    pub(super) fn for_each_in(&self, slice: usize, bits: u32, mut visit: impl FnMut(&[u8], u64)) {
        self.places_in(slice, bits)
            .for_each(|(place, _)| visit(self.records.key(place), self.records.value(place)));
    }

    /// The same for several tables that hash alike, each key once and with the sum of its counts.
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

    /// The records of a slice, and their hashes: those in the slots from where the slice begins to
    /// the first free one behind its end, but for keys of other slices that found no place before.
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

    /// Visits every key and its number, in the order of their first appearance.
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

/// The place that a slot names, unless it is free.
#[inline(always)]
fn place_in(slot: u64) -> Option<usize> {
    (slot & ((1 << PLACE_BITS) - 1))
        .checked_sub(1)
        .map(|place| place as usize)
}

/// The last 16 bytes of a key, or all of a shorter one; together with the length they tell keys
/// apart whose bytes before them are the same.
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
