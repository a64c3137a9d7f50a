//! Hands groups to the partitions that the contract hash names.

use crate::contract_hash::{hash_bytes, hash_mid, hash_short, partition_of, split_again};
use crate::groups::{Groups, MidGroup, ShortGroup};
use crate::table::CountTable;
use crate::{ContractSeed, Level};

/// How many keys are hashed at a time.
const BATCH: usize = 512;

/// Appends every group of a table to its partition.
pub(super) fn flush(table: &CountTable, level: Level, seed: ContractSeed, parts: &mut [Groups]) {
    let count = number_of(parts);
    let place = |hash| partition_of(hash, count) as usize;
    let mut scatter = Scatter::new(level, seed, place);
    table
        .short
        .for_each(|key, count| scatter.short(parts, ShortGroup { key, count }));
    table
        .mid
        .for_each(|key, count| scatter.mid(parts, MidGroup { key, count }));
    scatter.finish(parts);
    table.long.for_each(|key, count| {
        parts[place(hash_bytes(seed, key))].push_long(key, count);
    });
    parts[place(hash_bytes(seed, b""))].empty += table.empty;
}

/// Splits the groups of one partition again, by the other half of their contract hashes.
///
/// # Panics
///
/// When `parts` is empty.
pub fn split(groups: &Groups, level: Level, seed: ContractSeed, parts: &mut [Groups]) {
    let count = number_of(parts);
    let place = |hash| split_again(hash, count) as usize;
    let mut scatter = Scatter::new(level, seed, place);
    groups
        .short
        .iter()
        .for_each(|&group| scatter.short(parts, group));
    groups
        .mid
        .iter()
        .for_each(|&group| scatter.mid(parts, group));
    scatter.finish(parts);
    for group in &groups.long {
        let key = groups.long_key(group);
        parts[place(hash_bytes(seed, key))].push_long(key, group.count);
    }
    parts[place(hash_bytes(seed, b""))].empty += groups.empty;
}

fn number_of(parts: &[Groups]) -> u32 {
    assert!(!parts.is_empty(), "groups need a partition to go to");
    u32::try_from(parts.len()).expect("fewer than 2^32 partitions")
}

/// Collects groups until there are enough to hash side by side.
struct Scatter<P> {
    level: Level,
    seed: ContractSeed,
    place: P,
    short: Vec<ShortGroup>,
    mid: Vec<MidGroup>,
    short_keys: Vec<u64>,
    mid_keys: Vec<[u64; 2]>,
    hashes: [u64; BATCH],
}

impl<P: Fn(u64) -> usize> Scatter<P> {
    fn new(level: Level, seed: ContractSeed, place: P) -> Self {
        Self {
            level,
            seed,
            place,
            short: Vec::with_capacity(BATCH),
            mid: Vec::with_capacity(BATCH),
            short_keys: Vec::with_capacity(BATCH),
            mid_keys: Vec::with_capacity(BATCH),
            hashes: [0; BATCH],
        }
    }

    fn short(&mut self, parts: &mut [Groups], group: ShortGroup) {
        self.short.push(group);
        if self.short.len() == BATCH {
            self.send_short(parts);
        }
    }

    fn mid(&mut self, parts: &mut [Groups], group: MidGroup) {
        self.mid.push(group);
        if self.mid.len() == BATCH {
            self.send_mid(parts);
        }
    }

    fn finish(&mut self, parts: &mut [Groups]) {
        self.send_short(parts);
        self.send_mid(parts);
    }

    fn send_short(&mut self, parts: &mut [Groups]) {
        self.short_keys.clear();
        self.short_keys
            .extend(self.short.iter().map(|group| group.key));
        let hashes = &mut self.hashes[..self.short.len()];
        hash_short(self.level, self.seed, &self.short_keys, hashes);
        for (group, &hash) in self.short.drain(..).zip(&*hashes) {
            parts[(self.place)(hash)].short.push(group);
        }
    }

    fn send_mid(&mut self, parts: &mut [Groups]) {
        self.mid_keys.clear();
        self.mid_keys.extend(self.mid.iter().map(|group| group.key));
        let hashes = &mut self.hashes[..self.mid.len()];
        hash_mid(self.level, self.seed, &self.mid_keys, hashes);
        for (group, &hash) in self.mid.drain(..).zip(&*hashes) {
            parts[(self.place)(hash)].mid.push(group);
        }
    }
}
