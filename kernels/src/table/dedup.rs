//! Finds out which keys that were each seen once somewhere were seen once in all.
//!
//! ```text
//! keys, packed:  5 h e l l o 3 f o x 5 h e l l o …     stay where they are
//! slots:         bits of the hash │ place of a key      four bytes, two to four for each key
//! ```
//!
//! Where nearly every key is new, putting each into a slot and taking it out again is most of the
//! work. Here a key that comes once is never moved: only one that comes again goes to the table.
//! Small slots keep those of a partition in the second-level cache.
#![forbid(unsafe_code)]

use core::hint::select_unpredictable;
use core::mem;

use super::{CountTable, InlineKey};
use crate::buffer::HugeVec;
use crate::key_counts::{ByPlace, LONGEST_ONCE, PackedShort, Record};

/// Bits of a slot that are the hash's at least: so few keys are compared in vain.
const LEAST_MARK_BITS: u32 = 6;

/// Places that a slot can name; one is taken off, as a slot of zero is free.
const MOST_PLACES: usize = (1 << (u32::BITS - LEAST_MARK_BITS)) - 1;

/// How many keys found their home slot taken before these are looked at.
const WAITING: usize = 1024;

/// Looks for keys that came more than once; memory for one partition after the other.
#[derive(Default)]
pub(crate) struct Dedup {
    slots: HugeVec<u32>,
    /// Hashes and places of keys that found their home slot taken: so many of them.
    waiting: Vec<(u64, u32)>,
    waits: usize,
    multipliers: [u64; 2],
}

/// How a hash names a slot, and what is written there.
#[derive(Clone, Copy)]
struct Form {
    /// `64 - log2(slots)`.
    shift: u32,
    /// Bits of a slot that are the place.
    place_bits: u32,
    multipliers: [u64; 2],
}

impl Form {
    #[inline(always)]
    fn home(self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    /// The slot behind another; the first comes after the last.
    #[inline(always)]
    fn behind(self, slot: usize) -> usize {
        (slot + 1) & ((1 << (u64::BITS - self.shift)) - 1)
    }

    /// What the slot of a key holds: the bits of its hash below those that name the home.
    #[inline(always)]
    fn slot(self, hash: u64, place: u32) -> u32 {
        let mark = (hash << (u64::BITS - self.shift) >> u32::BITS) as u32;
        (mark & u32::MAX << self.place_bits) | (place + 1)
    }

    #[inline(always)]
    fn place(self, slot: u32) -> usize {
        (slot & !(u32::MAX << self.place_bits)) as usize - 1
    }

    #[inline(always)]
    fn is_marked_alike(self, slot: u32, other: u32) -> bool {
        (slot ^ other) >> self.place_bits == 0
    }
}

impl Dedup {
    pub(crate) fn new([first, second, ..]: [u64; 4]) -> Self {
        Self {
            multipliers: [first, second],
            ..Self::default()
        }
    }

    /// Leaves in `once` the keys that neither it has twice nor `table` has; counts the others in
    /// the table. Where slots for all would take more than `most_bytes` it counts all there.
    pub(crate) fn settle(
        &mut self,
        packed_short: &mut PackedShort,
        table: &mut CountTable,
        most_bytes: usize,
    ) {
        if packed_short.is_empty() {
            return;
        }
        let counted = table.short.len() + table.mid.len();
        let slots = slots_for(packed_short.len_with_gone() + counted);
        // A table that has as many keys is no larger for having these too; slots are for records,
        // of which a key that is not new may have millions.
        if counted > packed_short.len() / 2 || slots > most_bytes / size_of::<u32>() {
            return absorb(packed_short, table);
        }
        let mut all = known_of(table);
        all.append(packed_short);
        *packed_short = all;
        let keys = packed_short.len_with_gone();
        let Some(keys_by_place) = packed_short.by_place(MOST_PLACES) else {
            return absorb(packed_short, table);
        };
        let form = self.prepare(keys, keys_by_place.end());
        self.find_repeated(form, keys_by_place, table);
    }

    fn prepare(&mut self, keys: usize, places: usize) -> Form {
        let slots = slots_for(keys);
        // The first of as many as there were before, so that partitions of about a power of two
        // keys do not take new memory each time.
        if self.slots.len() < slots {
            self.slots = HugeVec::new(slots);
        } else {
            self.slots[..slots].fill(0);
        }
        Form {
            shift: u64::BITS - slots.trailing_zeros(),
            place_bits: usize::BITS - places.leading_zeros(),
            multipliers: self.multipliers,
        }
    }

    fn find_repeated(&mut self, form: Form, mut keys: ByPlace<'_>, table: &mut CountTable) {
        let mut block = 0;
        while let Some(most) = keys.most_in(block) {
            self.take_homes(form, &keys, block, most);
            block += 1;
            if self.waits >= WAITING {
                self.look_further(form, &mut keys, table);
            }
        }
        self.look_further(form, &mut keys, table);
    }

    /// Gives the keys of a block their home slots; those that find them taken have to wait.
    #[inline(never)]
    fn take_homes(&mut self, form: Form, keys: &ByPlace<'_>, block: usize, most: usize) {
        let Self {
            slots,
            waiting,
            waits,
            ..
        } = self;
        // Every key may have to wait.
        waiting.resize(waiting.len().max(*waits + most), (0, 0));
        keys.each_of(block, |place, record| {
            let hash = record.key.hash(form.multipliers);
            let slot = &mut slots[form.home(hash)];
            // Without a branch, as no one can tell which slots are taken.
            let is_taken = *slot != 0;
            *slot = select_unpredictable(is_taken, *slot, form.slot(hash, place as u32));
            waiting[*waits] = (hash, place as u32);
            *waits += usize::from(is_taken);
        });
    }

    /// Finds a slot for each waiting key, or the same key.
    #[inline(never)]
    fn look_further(&mut self, form: Form, keys: &mut ByPlace<'_>, table: &mut CountTable) {
        for &(hash, place) in &self.waiting[..mem::take(&mut self.waits)] {
            let new = form.slot(hash, place);
            let mut index = form.home(hash);
            loop {
                let slot = &mut self.slots[index];
                if *slot == 0 {
                    *slot = new;
                    break;
                }
                if form.is_marked_alike(*slot, new)
                    && is_same(keys, form.place(*slot), place as usize, table)
                {
                    break;
                }
                index = form.behind(index);
            }
        }
    }
}

fn slots_for(keys: usize) -> usize {
    (keys * 2).next_power_of_two().max(2)
}

/// Whether the key of a slot is the one at a place, which is counted then.
#[inline(always)]
fn is_same(keys: &mut ByPlace<'_>, first: usize, again: usize, table: &mut CountTable) -> bool {
    let (one, other) = (keys.get(first), keys.get(again));
    if !one.key.is(other.key) {
        return false;
    }
    if !other.is_gone {
        keys.let_go(again);
        if !one.is_gone {
            keys.let_go(first);
        }
        add(table, &other, 1 + u64::from(!one.is_gone));
    }
    true
}

fn add(table: &mut CountTable, record: &Record, count: u64) {
    if record.length > 8 {
        table.mid.add(record.key.to_padded_before(), count);
    } else {
        table.short.add(record.key[0].to_padded_before(), count);
    }
}

fn absorb(packed_short: &mut PackedShort, table: &mut CountTable) {
    table.absorb_once(packed_short);
    packed_short.clear();
}

/// The keys of a table that may stand among those seen once, as records that are gone.
fn known_of(table: &CountTable) -> PackedShort {
    let mut known = PackedShort::default();
    table.short.for_each(|key, _| {
        known.push_gone([key, 0], 8 - key.leading_zeros() as usize / 8);
    });
    table.mid.for_each(|key, _| {
        let length = 16 - key[1].leading_zeros() as usize / 8;
        if length <= LONGEST_ONCE {
            known.push_gone(key, length);
        }
    });
    known
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::table::HashKey;
    use crate::{KeyCounts, Tuning};

    type Counts = BTreeMap<Vec<u8>, u64>;

    fn counts(groups: &KeyCounts) -> Counts {
        let mut counts = Counts::new();
        groups.for_each(|key, count| {
            let before = counts.insert(key.to_vec(), count);
            assert!(before.is_none(), "{key:?} stands here twice");
        });
        counts
    }

    /// Settles `singles` against a table of `counted`, twice over.
    fn check(tuning: &Tuning, counted: &[&[u8]], dedup: &[&[u8]]) {
        let hash_key = HashKey::from_seed(3);
        let mut settle = Dedup::new(hash_key.masked(tuning.hash_mask));
        check_with(&mut settle, tuning, counted, dedup);
    }

    fn check_with(settle: &mut Dedup, tuning: &Tuning, counted: &[&[u8]], dedup: &[&[u8]]) {
        let hash_key = HashKey::from_seed(3);
        for times in 1..3 {
            let mut table = CountTable::new(tuning, hash_key);
            let mut groups = KeyCounts::default();
            let mut expected = Counts::new();
            for key in counted {
                table.add(key, 5);
                *expected.entry(key.to_vec()).or_insert(0) += 5;
            }
            for key in dedup {
                groups.push(key, 1);
                *expected.entry(key.to_vec()).or_insert(0) += 1;
            }
            groups.pack();
            assert_eq!(groups.packed_short.len(), groups.len());
            for _ in 0..times {
                settle.settle(&mut groups.packed_short, &mut table, usize::MAX);
            }
            let seen_once = |key: &&&[u8]| expected[&key.to_vec()] == 1;
            assert!(groups.packed_short.len() <= dedup.iter().filter(seen_once).count());
            table.copy_to(&mut groups);
            assert_eq!(counts(&groups), expected);
        }
    }

    fn keys(number: usize, different: usize) -> Vec<Vec<u8>> {
        let key = |i: usize| {
            let length = 1 + i % LONGEST_ONCE;
            let text = format!("{:x}", (i % different).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            text.repeat(15).into_bytes()[..length].to_vec()
        };
        (0..number).map(key).collect()
    }

    #[test]
    fn what_comes_again_is_counted_and_the_rest_stays() {
        let most = if cfg!(miri) { 20 } else { 20_000 };
        let both = [Tuning::TINY, Tuning::DEFAULT];
        for tuning in &both[..if cfg!(miri) { 1 } else { 2 }] {
            for number in [0, 1, 2, 15, most / 10, most] {
                for different in [1, 2, number / 3 + 1, number + 1] {
                    let keys = keys(number, different);
                    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
                    for known in [0, 1, number / 5, number] {
                        check(tuning, &keys[..known.min(number)], &keys);
                    }
                }
            }
        }
    }

    #[test]
    fn few_keys_after_many_and_many_after_few() {
        let tuning = Tuning::TINY;
        let mut settle = Dedup::new(HashKey::from_seed(3).masked(u64::MAX));
        for number in [40, 3, 1, 0, 7, 80, 20] {
            let keys = keys(number, number / 2 + 1);
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            check_with(&mut settle, &tuning, &keys[..number / 9], &keys);
        }
    }

    #[test]
    fn keys_whose_hashes_collide_are_told_apart() {
        let tuning = Tuning {
            hash_mask: 0,
            ..Tuning::TINY
        };
        let keys = keys(if cfg!(miri) { 51 } else { 600 }, 400);
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        check(&tuning, &keys[..50], &keys);
        check(&tuning, &[], &keys);
    }

    #[test]
    fn keys_in_many_small_blocks_are_found() {
        let mut packed_short = PackedShort::default();
        let mut expected = 0;
        for i in 0..if cfg!(miri) { 9_u64 } else { 300 } {
            let mut other = PackedShort::default();
            for j in 0..40 {
                let text = format!("{:08}", i * 20 + j);
                let key = text.as_bytes().first_chunk().expect("eight digits");
                other.push([u64::from_le_bytes(*key), 0], 8);
            }
            packed_short.append(&mut other);
            expected = 20 * i + 40;
        }
        let tuning = Tuning::DEFAULT;
        let hash_key = HashKey::from_seed(1);
        let mut table = CountTable::new(&tuning, hash_key);
        Dedup::new(hash_key.masked(u64::MAX)).settle(&mut packed_short, &mut table, usize::MAX);
        assert_eq!(packed_short.len() + table.len(), expected as usize);
        assert_eq!(packed_short.len(), 40);
    }

    #[test]
    fn without_room_for_slots_all_are_counted() {
        let mut groups = KeyCounts::default();
        keys(300, 200).iter().for_each(|key| groups.push(key, 1));
        groups.pack();
        let (tuning, hash_key) = (Tuning::DEFAULT, HashKey::from_seed(2));
        let mut table = CountTable::new(&tuning, hash_key);
        let mut dedup = Dedup::new(hash_key.masked(u64::MAX));
        let records = groups.packed_short.len();
        dedup.settle(&mut groups.packed_short, &mut table, 4 * 1024 - 1);
        assert_eq!(groups.packed_short.len(), 0);
        let mut all = KeyCounts::default();
        table.copy_to(&mut all);
        assert_eq!(counts(&all).values().sum::<u64>(), records as u64);
    }
}
