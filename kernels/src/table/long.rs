//! Keys of any length, their bytes in an arena, and a number beside each.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;

use super::Secret;
use crate::Limits;

/// One key: where its bytes are, and its number.
#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    start: usize,
    length: usize,
    value: u64,
}

/// A hash table of places in a list of entries.
pub(crate) struct LongTable {
    places: HashTable<u32>,
    entries: Vec<Entry>,
    arena: Vec<u8>,
    multipliers: [u64; 4],
}

impl LongTable {
    pub(crate) fn new(limits: &Limits, secret: Secret) -> Self {
        Self {
            places: HashTable::new(),
            entries: Vec::new(),
            arena: Vec::new(),
            multipliers: secret.masked(limits.hash_mask),
        }
    }

    /// Adds `count` to a key, which is copied to the arena when it is new.
    pub(crate) fn add(&mut self, key: &[u8], count: u64) {
        *self.value_of(key, 0) += count;
    }

    /// The number of a key: `fresh` when it is new.
    pub(crate) fn value_of(&mut self, key: &[u8], fresh: u64) -> &mut u64 {
        let hash = self.hash(key);
        let Self {
            places,
            entries,
            arena,
            ..
        } = self;
        let is_there = |&place: &u32| {
            let entry = &entries[place as usize];
            entry.hash == hash && arena[entry.start..][..entry.length] == *key
        };
        let hash_of = |&place: &u32| entries[place as usize].hash;
        let place = match places.entry(hash, is_there, hash_of) {
            Place::Occupied(place) => *place.get(),
            Place::Vacant(vacant) => {
                let place = u32::try_from(entries.len()).expect("flushed long before 2^32 keys");
                vacant.insert(place);
                entries.push(Entry {
                    hash,
                    start: arena.len(),
                    length: key.len(),
                    value: fresh,
                });
                arena.extend_from_slice(key);
                place
            }
        };
        &mut entries[place as usize].value
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

    /// How many bytes of memory the table and the keys take.
    pub(crate) fn bytes(&self) -> usize {
        self.places.allocation_size()
            + self.entries.capacity() * size_of::<Entry>()
            + self.arena.capacity()
    }

    /// Forgets every key, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        if !self.entries.is_empty() {
            self.places.clear();
            self.entries.clear();
            self.arena.clear();
        }
    }

    /// Tells whether a key has the same hash in both tables.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.multipliers == other.multipliers
    }

    /// Visits the keys whose hashes begin with the `bits` bits of `slice`. It looks at all keys.
    pub(super) fn for_each_in(&self, slice: usize, bits: u32, mut visit: impl FnMut(&[u8], u64)) {
        self.entries_in(slice, bits)
            .for_each(|entry| visit(self.key(entry), entry.value));
    }

    /// The same for several tables that hash alike, each key once and with the sum of its counts.
    pub(super) fn add_up_in(
        tables: &[&Self],
        slice: usize,
        bits: u32,
        mut visit: impl FnMut(&[u8], u64),
    ) {
        for (place, table) in tables.iter().enumerate() {
            let (earlier, later) = (&tables[..place], &tables[place + 1..]);
            for entry in table.entries_in(slice, bits) {
                let (hash, key) = (entry.hash, table.key(entry));
                if earlier.iter().all(|other| other.find(hash, key).is_none()) {
                    let others = later.iter().filter_map(|other| other.find(hash, key));
                    let others = others.map(|entry| entry.value);
                    visit(key, entry.value + others.sum::<u64>());
                }
            }
        }
    }

    fn entries_in(&self, slice: usize, bits: u32) -> impl Iterator<Item = &Entry> {
        let is_in =
            move |entry: &&Entry| entry.hash.checked_shr(64 - bits).unwrap_or(0) == slice as u64;
        self.entries.iter().filter(is_in)
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<&Entry> {
        let is_there = |&place: &u32| {
            let entry = &self.entries[place as usize];
            entry.hash == hash && self.key(entry) == key
        };
        let place = self.places.find(hash, is_there)?;
        Some(&self.entries[*place as usize])
    }

    fn key(&self, entry: &Entry) -> &[u8] {
        &self.arena[entry.start..][..entry.length]
    }

    /// Visits every key and its number, in the order of their first appearance.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&[u8], u64)) {
        for entry in &self.entries {
            visit(self.key(entry), entry.value);
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
