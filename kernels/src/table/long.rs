//! Counts of keys of any length, their bytes in an arena.

use super::Secret;
use crate::Limits;

/// One key: where its bytes are, and what was counted.
#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    start: usize,
    length: usize,
    count: u64,
}

/// An open-addressing table of places in a list of entries.
pub(crate) struct LongTable {
    /// An entry's place plus one; zero marks a free slot.
    slots: Vec<u32>,
    entries: Vec<Entry>,
    arena: Vec<u8>,
    multipliers: [u64; 4],
}

impl LongTable {
    pub(crate) fn new(limits: &Limits, secret: Secret) -> Self {
        Self {
            slots: vec![0; limits.table_slots.next_power_of_two().max(2)],
            entries: Vec::new(),
            arena: Vec::new(),
            multipliers: secret.masked(limits.hash_mask),
        }
    }

    /// Adds `count` to a key, which is copied to the arena when it is new.
    pub(crate) fn add(&mut self, key: &[u8], count: u64) {
        let hash = self.hash(key);
        let mask = self.slots.len() - 1;
        let mut index = (hash >> 32) as usize & mask;
        loop {
            let place = self.slots[index];
            if place == 0 {
                return self.insert(index, key, hash, count);
            }
            let entry = &mut self.entries[place as usize - 1];
            if entry.hash == hash && self.arena[entry.start..][..entry.length] == *key {
                entry.count += count;
                return;
            }
            index = (index + 1) & mask;
        }
    }

    fn insert(&mut self, index: usize, key: &[u8], hash: u64, count: u64) {
        let start = self.arena.len();
        self.arena.extend_from_slice(key);
        self.entries.push(Entry {
            hash,
            start,
            length: key.len(),
            count,
        });
        self.slots[index] =
            u32::try_from(self.entries.len()).expect("flushed long before 2^32 keys");
        if self.entries.len() * 4 > self.slots.len() * 3 {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        self.slots.clear();
        self.slots.resize(mask + 1, 0);
        for (place, entry) in self.entries.iter().enumerate() {
            let mut index = (entry.hash >> 32) as usize & mask;
            while self.slots[index] != 0 {
                index = (index + 1) & mask;
            }
            self.slots[index] = place as u32 + 1;
        }
    }

    /// A keyed hash: 16 bytes a step, each folded from a 128-bit product.
    fn hash(&self, key: &[u8]) -> u64 {
        let [a, b, c, d] = self.multipliers;
        let (steps, rest) = key.as_chunks::<16>();
        let mut state = (key.len() as u64).wrapping_mul(d);
        for step in steps {
            state = fold(low_word(step) ^ a ^ state, high_word(step) ^ b);
        }
        let mut last = [0; 16];
        last[..rest.len()].copy_from_slice(rest);
        let hash = fold(low_word(&last) ^ c ^ state, high_word(&last) ^ d);
        // A mask of zero leaves no multiplier, and every key the same hash.
        hash.wrapping_mul(a)
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes of memory the keys and slots take.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.len() * size_of::<u32>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.arena.capacity()
    }

    /// Forgets every key, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        if !self.entries.is_empty() {
            self.slots.fill(0);
            self.entries.clear();
            self.arena.clear();
        }
    }

    /// Visits every key and its count, in the order of their first appearance.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&[u8], u64)) {
        for entry in &self.entries {
            visit(&self.arena[entry.start..][..entry.length], entry.count);
        }
    }
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
