//! Finds the keys that occur more than once among keys that were seen once each in many places.
//!
//! ```text
//! keys, packed:  5 h e l l o 3 f o x 5 h e l l o …     are not moved
//! slots:         bits of the hash │ place of a key     four bytes, two to four slots for each key
//! ```
//!
//! Where nearly every key is new, most of the time would go into copying each key to a slot and
//! back. Here a key that occurs once is never moved: only a repeated key goes to the table. Small
//! slots keep those of a partition in the second-level cache.
#![forbid(unsafe_code)]

use core::hint::select_unpredictable;
use core::mem;

use super::{CountTable, InlineKey};
use crate::buffer::HugeVec;
use crate::key_counts::{ByPlace, LONGEST_ONCE, PackedShort, Record};

/// Minimum number of hash bits in a slot: so few keys are compared without being equal.
const MIN_MARK_BITS: u32 = 6;

/// Number of places that a slot can store; one less, as a slot of zero is free.
const MAX_PLACES: usize = (1 << (u32::BITS - MIN_MARK_BITS)) - 1;

/// Number of waiting keys, whose home slot was in use, from which these are probed.
const WAITING: usize = 1024;

/// Finds keys that occur more than once; its memory is reused for each partition.
#[derive(Default)]
pub(crate) struct Dedup {
    slots: HugeVec<u32>,
    /// Hashes and places of keys whose home slot was in use; the first `waiting_len` are valid.
    waiting: Vec<(u64, u32)>,
    waiting_len: usize,
    multipliers: [u64; 2],
}

/// Layout of the slots: the slot of a hash, and the bits that are stored there.
#[derive(Clone, Copy)]
struct Form {
    /// `64 - log2(slots)`.
    shift: u32,
    /// Number of bits of a slot that hold the place.
    place_bits: u32,
    multipliers: [u64; 2],
}

impl Form {
    #[inline(always)]
    fn home(self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    /// Returns the slot after another; the first one follows the last one.
    #[inline(always)]
    fn next_slot(self, slot: usize) -> usize {
        (slot + 1) & ((1 << (u64::BITS - self.shift)) - 1)
    }

    /// Returns the content of a key's slot: its place, and the hash bits below those of the home
    /// slot.
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
    fn has_same_mark(self, slot: u32, other: u32) -> bool {
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

    /// Counts in `table` the keys of `packed_short` that occur more than once in both together, and
    /// leaves the others in `packed_short`. If slots for all keys would take more than `max_bytes`,
    /// it counts all keys in the table.
    pub(crate) fn count_repeated(
        &mut self,
        packed_short: &mut PackedShort,
        table: &mut CountTable,
        max_bytes: usize,
    ) {
        if packed_short.is_empty() {
            return;
        }
        let counted = table.short.len() + table.mid.len();
        let slots = slots_for(packed_short.len_with_removed() + counted);
        // If the table has about as many keys, it does not grow much by adding these too. Slots are
        // per record, and a repeated key may have millions of records.
        if counted > packed_short.len() / 2 || slots > max_bytes / size_of::<u32>() {
            return absorb(packed_short, table);
        }
        let mut all = counted_keys(table);
        all.append(packed_short);
        *packed_short = all;
        let keys = packed_short.len_with_removed();
        let Some(keys_by_place) = packed_short.by_place(MAX_PLACES) else {
            return absorb(packed_short, table);
        };
        let form = self.prepare(keys, keys_by_place.end());
        self.find_repeated(form, keys_by_place, table);
    }

    fn prepare(&mut self, keys: usize, places: usize) -> Form {
        let slots = slots_for(keys);
        // A prefix of the slots is reused, so that partitions of about a power of two keys do not
        // allocate each time.
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
        while let Some(most) = keys.max_keys_in(block) {
            self.fill_home_slots(form, &keys, block, most);
            block += 1;
            if self.waiting_len >= WAITING {
                self.probe_waiting(form, &mut keys, table);
            }
        }
        self.probe_waiting(form, &mut keys, table);
    }

    /// Stores the keys of a block in their home slots; keys whose slot is in use are added to
    /// `waiting`.
    #[inline(never)]
    fn fill_home_slots(&mut self, form: Form, keys: &ByPlace<'_>, block: usize, most: usize) {
        let Self {
            slots,
            waiting,
            waiting_len,
            ..
        } = self;
        // All keys may have to wait.
        waiting.resize(waiting.len().max(*waiting_len + most), (0, 0));
        keys.for_each_in(block, |place, record| {
            let hash = record.key.hash(form.multipliers);
            let slot = &mut slots[form.home(hash)];
            // Without a branch, as it is unpredictable which slots are in use.
            let is_taken = *slot != 0;
            *slot = select_unpredictable(is_taken, *slot, form.slot(hash, place as u32));
            waiting[*waiting_len] = (hash, place as u32);
            *waiting_len += usize::from(is_taken);
        });
    }

    /// Finds a free slot or an equal key for each waiting key.
    #[inline(never)]
    fn probe_waiting(&mut self, form: Form, keys: &mut ByPlace<'_>, table: &mut CountTable) {
        for &(hash, place) in &self.waiting[..mem::take(&mut self.waiting_len)] {
            let new = form.slot(hash, place);
            let mut index = form.home(hash);
            loop {
                let slot = &mut self.slots[index];
                if *slot == 0 {
                    *slot = new;
                    break;
                }
                if form.has_same_mark(*slot, new)
                    && count_if_equal(keys, form.place(*slot), place as usize, table)
                {
                    break;
                }
                index = form.next_slot(index);
            }
        }
    }
}

fn slots_for(keys: usize) -> usize {
    (keys * 2).next_power_of_two().max(2)
}

/// Returns whether two places have the same key; if so, counts both in the table and removes them.
#[inline(always)]
fn count_if_equal(
    keys: &mut ByPlace<'_>,
    first: usize,
    again: usize,
    table: &mut CountTable,
) -> bool {
    let (one, other) = (keys.get(first), keys.get(again));
    if !one.key.is(other.key) {
        return false;
    }
    if !other.is_removed {
        keys.remove(again);
        if !one.is_removed {
            keys.remove(first);
        }
        add(table, &other, 1 + u64::from(!one.is_removed));
    }
    true
}

fn add(table: &mut CountTable, record: &Record, count: u64) {
    if record.length > 8 {
        table.mid.add(record.key.to_table_form(), count);
    } else {
        table.short.add(record.key[0].to_table_form(), count);
    }
}

fn absorb(packed_short: &mut PackedShort, table: &mut CountTable) {
    table.absorb_once(packed_short);
    packed_short.clear();
}

/// Copies the keys of a table that may also be in a `PackedShort`, as removed records.
fn counted_keys(table: &CountTable) -> PackedShort {
    let mut known = PackedShort::default();
    table.short.for_each(|key, _| {
        known.push_removed([key, 0], 8 - key.leading_zeros() as usize / 8);
    });
    table.mid.for_each(|key, _| {
        let length = 16 - key[1].leading_zeros() as usize / 8;
        if length <= LONGEST_ONCE {
            known.push_removed(key, length);
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
            assert!(before.is_none(), "{key:?} occurs twice");
        });
        counts
    }

    /// Finds the repeated keys of `once` and a table of `counted`, once and then twice.
    fn check(tuning: &Tuning, counted: &[&[u8]], once: &[&[u8]]) {
        let hash_key = HashKey::from_seed(3);
        let mut dedup = Dedup::new(hash_key.masked(tuning.hash_mask));
        check_with(&mut dedup, tuning, counted, once);
    }

    fn check_with(dedup: &mut Dedup, tuning: &Tuning, counted: &[&[u8]], once: &[&[u8]]) {
        let hash_key = HashKey::from_seed(3);
        for times in if cfg!(miri) { 2..3 } else { 1..3 } {
            let mut table = CountTable::new(tuning, hash_key);
            let mut groups = KeyCounts::default();
            let mut expected = Counts::new();
            for key in counted {
                table.add(key, 5);
                *expected.entry(key.to_vec()).or_insert(0) += 5;
            }
            for key in once {
                groups.push(key, 1);
                *expected.entry(key.to_vec()).or_insert(0) += 1;
            }
            groups.pack();
            assert_eq!(groups.packed_short.len(), groups.len());
            for _ in 0..times {
                dedup.count_repeated(&mut groups.packed_short, &mut table, usize::MAX);
            }
            let seen_once = |key: &&&[u8]| expected[&key.to_vec()] == 1;
            assert!(groups.packed_short.len() <= once.iter().filter(seen_once).count());
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
    fn repeated_keys_are_counted_and_unique_ones_stay() {
        let both = [Tuning::TINY, Tuning::DEFAULT];
        let numbers = [0, 1, 2, 15, 2_000, 20_000];
        let (both, numbers) = match cfg!(miri) {
            true => (&both[..1], &numbers[3..4]),
            false => (&both[..], &numbers[..]),
        };
        for tuning in both {
            for &number in numbers {
                for different in [1, 2, number / 3 + 1, number + 1] {
                    let keys = keys(number, different);
                    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
                    let known = [number / 5, 0, 1, number];
                    for &known in &known[..if cfg!(miri) { 1 } else { 4 }] {
                        check(tuning, &keys[..known.min(number)], &keys);
                    }
                }
            }
        }
    }

    #[test]
    fn memory_is_reused_for_fewer_and_more_keys() {
        let tuning = Tuning::TINY;
        let mut dedup = Dedup::new(HashKey::from_seed(3).masked(u64::MAX));
        let numbers = if cfg!(miri) {
            [6, 1, 0, 2, 12, 3, 1]
        } else {
            [40, 3, 1, 0, 7, 80, 20]
        };
        for number in numbers {
            let keys = keys(number, number / 2 + 1);
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            check_with(&mut dedup, &tuning, &keys[..number / 9], &keys);
        }
    }

    #[test]
    fn keys_with_the_same_hash_are_distinguished() {
        let tuning = Tuning {
            hash_mask: 0,
            ..Tuning::TINY
        };
        let (number, counted) = if cfg!(miri) { (17, 16) } else { (600, 50) };
        let keys = keys(number, 400);
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        check(&tuning, &keys[..counted], &keys);
        check(&tuning, &[], &keys);
    }

    #[test]
    fn keys_in_many_small_blocks_are_found() {
        let mut packed_short = PackedShort::default();
        let mut expected = 0;
        for i in 0..if cfg!(miri) { 4_u64 } else { 300 } {
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
        Dedup::new(hash_key.masked(u64::MAX)).count_repeated(
            &mut packed_short,
            &mut table,
            usize::MAX,
        );
        assert_eq!(packed_short.len() + table.len(), expected as usize);
        assert_eq!(packed_short.len(), 40);
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs many keys, and has no unsafe code of its own")]
    fn without_memory_for_slots_all_keys_are_counted() {
        let mut groups = KeyCounts::default();
        let number = if cfg!(miri) { 30 } else { 300 };
        keys(number, number * 2 / 3)
            .iter()
            .for_each(|key| groups.push(key, 1));
        groups.pack();
        let (tuning, hash_key) = (Tuning::DEFAULT, HashKey::from_seed(2));
        let mut table = CountTable::new(&tuning, hash_key);
        let mut dedup = Dedup::new(hash_key.masked(u64::MAX));
        let records = groups.packed_short.len();
        dedup.count_repeated(&mut groups.packed_short, &mut table, 4 * 1024 - 1);
        assert_eq!(groups.packed_short.len(), 0);
        let mut all = KeyCounts::default();
        table.copy_to(&mut all);
        assert_eq!(counts(&all).values().sum::<u64>(), records as u64);
    }
}
