//! The table of keys and counts: keys of any length, each in the table of its class.

use super::{HashKey, InlineKey, InlineTable, LongTable};
use crate::Tuning;
use crate::key_counts::{KeyClass, KeyCounts, MidGroup, PackedShort, ShortGroup, class_of};

/// Number of keys of a class that are added in one run.
const RUN: usize = 512;

/// Keys of any length and their counts.
pub(crate) struct CountTable {
    pub(crate) short: InlineTable<u64>,
    pub(crate) mid: InlineTable<[u64; 2]>,
    pub(crate) long: LongTable,
    pub(crate) empty: u64,
}

impl CountTable {
    pub(crate) fn new(tuning: &Tuning, hash_key: HashKey) -> Self {
        Self {
            short: InlineTable::new(tuning, hash_key),
            mid: InlineTable::new(tuning, hash_key),
            long: LongTable::new(tuning, hash_key),
            empty: 0,
        }
    }

    /// Adds `count` to a key of any class.
    pub(crate) fn add(&mut self, key: &[u8], count: u64) {
        match class_of(key) {
            KeyClass::Empty => self.empty += count,
            KeyClass::Short(key) => self.short.add(key.to_table_form(), count),
            KeyClass::Mid(key) => self.mid.add(key.to_table_form(), count),
            KeyClass::Long => self.long.add(key, count),
        }
    }

    /// Adds the counts of all groups.
    pub(crate) fn absorb(&mut self, groups: &KeyCounts) {
        let short = groups.short.iter();
        self.short
            .add_all(short.map(|group| (group.key.to_table_form(), group.count)));
        let mid = groups.mid.iter();
        self.mid
            .add_all(mid.map(|group| (group.key.to_table_form(), group.count)));
        let long = groups.long.iter();
        self.long
            .add_all(long.map(|group| (groups.long_key(group), group.count)));
        self.empty += groups.empty;
        self.absorb_once(&groups.packed_short);
        self.long
            .add_all(groups.packed_long.iter().map(|key| (key, 1)));
    }

    /// Counts keys that were seen once each, some hundred of a class at a time.
    pub(crate) fn absorb_once(&mut self, packed_short: &PackedShort) {
        let (mut short, mut mid) = (Vec::with_capacity(RUN), Vec::with_capacity(RUN));
        packed_short.for_each(|key, length| {
            if length > 8 {
                mid.push((key.to_table_form(), 1));
                if mid.len() == RUN {
                    self.mid.add_all(mid.drain(..));
                }
            } else {
                short.push((key[0].to_table_form(), 1));
                if short.len() == RUN {
                    self.short.add_all(short.drain(..));
                }
            }
        });
        self.short.add_all(short.drain(..));
        self.mid.add_all(mid.drain(..));
    }

    /// Returns whether both tables use the same hash.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.short.is_like(&other.short)
            && self.mid.is_like(&other.mid)
            && self.long.is_like(&other.long)
    }

    /// Appends the keys whose hashes begin with the `bits` bits of `slice`, but not the empty key.
    pub(crate) fn copy_slice(&self, slice: usize, bits: u32, out: &mut KeyCounts) {
        self.short.for_each_in(slice, bits, |key, count| {
            let key = key.to_column_form();
            out.short.push(ShortGroup { key, count });
        });
        self.mid.for_each_in(slice, bits, |key, count| {
            let key = key.to_column_form();
            out.mid.push(MidGroup { key, count });
        });
        self.long
            .for_each_in(slice, bits, |key, count| out.push_long(key, count));
    }

    /// Appends a slice of several tables with the same hash: each key once, with the sum of its
    /// counts.
    pub(crate) fn add_up_slice(tables: &[&Self], slice: usize, bits: u32, out: &mut KeyCounts) {
        let short: Vec<_> = tables.iter().map(|table| &table.short).collect();
        InlineTable::add_up_in(&short, slice, bits, |key, count| {
            out.short.push(ShortGroup { key, count });
        });
        let mid: Vec<_> = tables.iter().map(|table| &table.mid).collect();
        InlineTable::add_up_in(&mid, slice, bits, |key, count| {
            out.mid.push(MidGroup { key, count });
        });
        let long: Vec<_> = tables.iter().map(|table| &table.long).collect();
        LongTable::add_up_in(&long, slice, bits, |key, count| out.push_long(key, count));
    }

    /// Appends each key and its count to `out`.
    pub(crate) fn copy_to(&self, out: &mut KeyCounts) {
        out.short.reserve(self.short.len());
        self.short
            .for_each(|key, count| out.short.push(ShortGroup { key, count }));
        out.mid.reserve(self.mid.len());
        self.mid
            .for_each(|key, count| out.mid.push(MidGroup { key, count }));
        self.long.for_each(|key, count| out.push_long(key, count));
        out.empty += self.empty;
    }

    /// Returns the number of keys.
    pub(crate) fn len(&self) -> usize {
        self.short.len() + self.mid.len() + self.long.len() + usize::from(self.empty > 0)
    }

    /// Returns the bytes of memory that the tables use.
    pub(crate) fn bytes(&self) -> usize {
        self.short.bytes() + self.mid.bytes() + self.long.bytes()
    }

    /// Removes all keys.
    pub(crate) fn clear(&mut self) {
        self.short.clear();
        self.mid.clear();
        self.long.clear();
        self.empty = 0;
    }
}
