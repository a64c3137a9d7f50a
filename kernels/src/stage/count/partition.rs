//! Hands groups and keys to the partitions that the contract hash names.

use crate::contract_hash::{hash_bytes, hash_mid, hash_short, partition_of, split_again};
use crate::groups::{Groups, KeyClass, MidGroup, ShortGroup, class_of};
use crate::table::CountTable;
use crate::{ContractSeed, Level};

/// How many keys are hashed side by side.
const BATCH: usize = 512;

/// Splits the groups of one partition again, by the other half of their contract hashes.
///
/// # Panics
///
/// When `parts` is empty.
pub fn split(groups: &Groups, level: Level, seed: ContractSeed, parts: &mut [Groups]) {
    Scatter::new(level, seed, Half::Low).groups(groups, parts);
}

/// Which half of the contract hash names the partition.
#[derive(Clone, Copy)]
pub(super) enum Half {
    /// Partitions of the whole.
    High,
    /// Partitions of a partition.
    Low,
}

/// Collects keys until there are enough to hash side by side, and sends each where it belongs.
pub(super) struct Scatter {
    level: Level,
    seed: ContractSeed,
    half: Half,
    short: Vec<ShortGroup>,
    mid: Vec<MidGroup>,
    short_keys: Vec<u64>,
    mid_keys: Vec<[u64; 2]>,
    hashes: Box<[u64; BATCH]>,
}

impl Scatter {
    pub(super) fn new(level: Level, seed: ContractSeed, half: Half) -> Self {
        Self {
            level,
            seed,
            half,
            short: Vec::with_capacity(BATCH),
            mid: Vec::with_capacity(BATCH),
            short_keys: Vec::with_capacity(BATCH),
            mid_keys: Vec::with_capacity(BATCH),
            hashes: Box::new([0; BATCH]),
        }
    }

    /// Sends every group of a table.
    pub(super) fn table(&mut self, table: &CountTable, parts: &mut [Groups]) {
        table
            .short
            .for_each(|key, count| self.short(parts, ShortGroup { key, count }));
        table
            .mid
            .for_each(|key, count| self.mid(parts, MidGroup { key, count }));
        table
            .long
            .for_each(|key, count| self.long(parts, key, count));
        self.empty(parts, table.empty);
        self.finish(parts);
    }

    /// Sends every group of a list.
    pub(super) fn groups(&mut self, groups: &Groups, parts: &mut [Groups]) {
        groups
            .short
            .iter()
            .for_each(|&group| self.short(parts, group));
        groups.mid.iter().for_each(|&group| self.mid(parts, group));
        for group in &groups.long {
            self.long(parts, groups.long_key(group), group.count);
        }
        self.empty(parts, groups.empty);
        self.finish(parts);
    }

    /// Sends one key of any class.
    pub(super) fn key(&mut self, parts: &mut [Groups], key: &[u8]) {
        match class_of(key) {
            KeyClass::Empty => self.empty(parts, 1),
            KeyClass::Short(key) => self.short(parts, ShortGroup { key, count: 1 }),
            KeyClass::Mid(key) => self.mid(parts, MidGroup { key, count: 1 }),
            KeyClass::Long => self.long(parts, key, 1),
        }
    }

    #[inline(always)]
    pub(super) fn short(&mut self, parts: &mut [Groups], group: ShortGroup) {
        self.short.push(group);
        if self.short.len() == BATCH {
            self.send_short(parts);
        }
    }

    #[inline(always)]
    pub(super) fn mid(&mut self, parts: &mut [Groups], group: MidGroup) {
        self.mid.push(group);
        if self.mid.len() == BATCH {
            self.send_mid(parts);
        }
    }

    pub(super) fn long(&self, parts: &mut [Groups], key: &[u8], count: u64) {
        let place = self.place(hash_bytes(self.seed, key), parts);
        parts[place].push_long(key, count);
    }

    pub(super) fn empty(&self, parts: &mut [Groups], count: u64) {
        let place = self.place(hash_bytes(self.seed, b""), parts);
        parts[place].empty += count;
    }

    /// Sends what was collected.
    pub(super) fn finish(&mut self, parts: &mut [Groups]) {
        self.send_short(parts);
        self.send_mid(parts);
    }

    #[inline(always)]
    fn place(&self, hash: u64, parts: &[Groups]) -> usize {
        assert!(!parts.is_empty(), "groups need a partition to go to");
        let parts = u32::try_from(parts.len()).expect("fewer than 2^32 partitions");
        match self.half {
            Half::High => partition_of(hash, parts) as usize,
            Half::Low => split_again(hash, parts) as usize,
        }
    }

    #[inline(never)]
    fn send_short(&mut self, parts: &mut [Groups]) {
        self.short_keys.clear();
        self.short_keys
            .extend(self.short.iter().map(|group| group.key));
        let hashes = &mut self.hashes[..self.short.len()];
        hash_short(self.level, self.seed, &self.short_keys, hashes);
        for (group, &hash) in self.short.iter().zip(self.hashes.iter()) {
            parts[self.place(hash, parts)].short.push(*group);
        }
        self.short.clear();
    }

    #[inline(never)]
    fn send_mid(&mut self, parts: &mut [Groups]) {
        self.mid_keys.clear();
        self.mid_keys.extend(self.mid.iter().map(|group| group.key));
        let hashes = &mut self.hashes[..self.mid.len()];
        hash_mid(self.level, self.seed, &self.mid_keys, hashes);
        for (group, &hash) in self.mid.iter().zip(self.hashes.iter()) {
            parts[self.place(hash, parts)].mid.push(*group);
        }
        self.mid.clear();
    }
}
