//! Writes groups and keys to partitions, by the stable hash.

use crate::key_counts::{KeyClass, KeyCounts, LONGEST_ONCE, MidGroup, ShortGroup, class_of};
use crate::stable_hash::{hash_bytes, hash_mid, hash_short, partition_of, split_again};
use crate::table::CountTable;
use crate::{HashSeed, Level};

/// Number of keys that are hashed together.
const BATCH: usize = 512;

/// Splits the groups of one partition again, by the low half of their stable hashes.
///
/// # Panics
///
/// When `parts` is empty.
pub fn split(groups: &KeyCounts, level: Level, seed: HashSeed, parts: &mut [KeyCounts]) {
    Scatter::new(level, seed, Half::Low).groups(groups, parts);
}

/// Which half of the stable hash chooses the partition.
#[derive(Clone, Copy)]
pub(super) enum Half {
    /// Partitions of the whole.
    High,
    /// Partitions of a partition.
    Low,
}

/// Collects keys until there is a batch to hash, and writes each to its partition.
pub(super) struct Scatter {
    level: Level,
    seed: HashSeed,
    half: Half,
    short: KeyBuffer<u64>,
    mid: KeyBuffer<[u64; 2]>,
    hashes: Box<[u64; BATCH]>,
}

/// Keys that are not hashed yet, and their counts.
struct KeyBuffer<K> {
    keys: Vec<K>,
    counts: Vec<u64>,
}

impl<K> KeyBuffer<K> {
    fn new() -> Self {
        Self {
            keys: Vec::with_capacity(BATCH),
            counts: Vec::with_capacity(BATCH),
        }
    }

    /// Adds a key; returns `true` if the batch is full.
    #[inline(always)]
    fn push(&mut self, key: K, count: u64) -> bool {
        self.keys.push(key);
        self.counts.push(count);
        self.keys.len() == BATCH
    }

    fn clear(&mut self) {
        self.keys.clear();
        self.counts.clear();
    }
}

impl Scatter {
    pub(super) fn new(level: Level, seed: HashSeed, half: Half) -> Self {
        let hashes = Box::new([0; BATCH]);
        Self {
            level,
            seed,
            half,
            short: KeyBuffer::new(),
            mid: KeyBuffer::new(),
            hashes,
        }
    }

    /// Writes all groups of a table.
    pub(super) fn table(&mut self, table: &CountTable, parts: &mut [KeyCounts]) {
        table
            .short
            .for_each(|key, count| self.short(parts, key, count));
        table.mid.for_each(|key, count| self.mid(parts, key, count));
        table
            .long
            .for_each(|key, count| self.long(parts, key, count));
        self.empty(parts, table.empty);
        self.finish(parts);
    }

    /// Writes all groups of a list.
    pub(super) fn groups(&mut self, groups: &KeyCounts, parts: &mut [KeyCounts]) {
        groups
            .short
            .iter()
            .for_each(|group| self.short(parts, group.key, group.count));
        groups
            .mid
            .iter()
            .for_each(|group| self.mid(parts, group.key, group.count));
        for group in &groups.long {
            self.long(parts, groups.long_key(group), group.count);
        }
        self.empty(parts, groups.empty);
        groups.packed_short.for_each(|key, length| match length {
            ..=8 => self.short(parts, key[0], 1),
            _ => self.mid(parts, key, 1),
        });
        for key in groups.packed_long.iter() {
            self.long(parts, key, 1);
        }
        self.finish(parts);
    }

    /// Writes one key of any class, with a count of 1.
    pub(super) fn key(&mut self, parts: &mut [KeyCounts], key: &[u8]) {
        match class_of(key) {
            KeyClass::Empty => self.empty(parts, 1),
            KeyClass::Short(key) => self.short(parts, key, 1),
            KeyClass::Mid(key) => self.mid(parts, key, 1),
            KeyClass::Long => self.long(parts, key, 1),
        }
    }

    #[inline(always)]
    pub(super) fn short(&mut self, parts: &mut [KeyCounts], key: u64, count: u64) {
        if self.short.push(key, count) {
            self.flush_short(parts);
        }
    }

    #[inline(always)]
    pub(super) fn mid(&mut self, parts: &mut [KeyCounts], key: [u64; 2], count: u64) {
        if self.mid.push(key, count) {
            self.flush_mid(parts);
        }
    }

    fn long(&self, parts: &mut [KeyCounts], key: &[u8], count: u64) {
        let place = self.partition_index(parts)(hash_bytes(self.seed, key));
        parts[place].push_long_to_partition(key, count);
    }

    fn empty(&self, parts: &mut [KeyCounts], count: u64) {
        let place = self.partition_index(parts)(hash_bytes(self.seed, b""));
        parts[place].empty += count;
    }

    /// Writes all collected keys.
    pub(super) fn finish(&mut self, parts: &mut [KeyCounts]) {
        self.flush_short(parts);
        self.flush_mid(parts);
    }

    /// Returns the function from a hash to the index of its partition.
    #[inline(always)]
    fn partition_index(&self, parts: &[KeyCounts]) -> impl Fn(u64) -> usize + use<> {
        assert!(!parts.is_empty(), "groups need a partition to go to");
        let parts = u32::try_from(parts.len()).expect("fewer than 2^32 partitions");
        let half = self.half;
        move |hash| match half {
            Half::High => partition_of(hash, parts) as usize,
            Half::Low => split_again(hash, parts) as usize,
        }
    }

    #[inline(never)]
    fn flush_short(&mut self, parts: &mut [KeyCounts]) {
        let place = self.partition_index(parts);
        let waiting = &mut self.short;
        hash_short(
            self.level,
            self.seed,
            &waiting.keys,
            &mut self.hashes[..waiting.keys.len()],
        );
        let groups = waiting.keys.iter().zip(&waiting.counts);
        for ((&key, &count), &hash) in groups.zip(self.hashes.iter()) {
            let part = &mut parts[place(hash)];
            let group = ShortGroup { key, count };
            if count == 1 {
                part.packed_short.push([key, 0], group.length());
            } else {
                part.short.push(group);
            }
        }
        waiting.clear();
    }

    #[inline(never)]
    fn flush_mid(&mut self, parts: &mut [KeyCounts]) {
        let place = self.partition_index(parts);
        let waiting = &mut self.mid;
        hash_mid(
            self.level,
            self.seed,
            &waiting.keys,
            &mut self.hashes[..waiting.keys.len()],
        );
        let groups = waiting.keys.iter().zip(&waiting.counts);
        for ((&key, &count), &hash) in groups.zip(self.hashes.iter()) {
            let part = &mut parts[place(hash)];
            let group = MidGroup { key, count };
            let length = group.length();
            if count == 1 && length <= LONGEST_ONCE {
                part.packed_short.push(key, length);
            } else {
                part.mid.push(group);
            }
        }
        waiting.clear();
    }
}
