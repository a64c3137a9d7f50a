//! Short keys that were seen once each, packed.
//!
//! ```text
//! 5 h e l l o 3 f o x …      length, then 1 to 15 bytes
//! ```
//!
//! A key that is counted elsewhere is removed by a mark at its length; its bytes stay, and it can
//! be read by its place.
//!
//! Where nearly every token is new, a partition holds its keys in this form until it is reduced. It
//! takes about as many bytes as the text, so about as few pages are touched. It grows by blocks:
//! nothing is copied.

use super::packed::{Packed, Places};
use crate::buffer::prefetch;

/// The longest key that is packed.
pub(crate) const LONGEST: usize = 15;

/// Bytes that are read or written at once: the length and the longest key.
const RECORD: usize = 1 + LONGEST;

/// Prefetch distance of writes, in bytes.
const AHEAD: usize = 128;

/// Number of keys that are visited together.
const RUN: usize = 256;

/// Keys of 1 to 15 bytes without a NUL, in order of arrival.
#[derive(Debug, Default)]
pub struct PackedShort {
    records: Packed,
    /// Number of records that are marked as removed.
    removed: usize,
}

/// The mark in the length of a removed key.
const REMOVED: u8 = 1 << 7;

impl PackedShort {
    /// Returns the number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len() - self.removed
    }

    /// Returns whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes of memory that the keys use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.records.bytes()
    }

    /// Appends a key of `length` bytes: the first byte lowest, zeros above the last.
    #[inline(always)]
    pub(crate) fn push(&mut self, key: [u64; 2], length: usize) {
        self.write(key, length, 0);
    }

    /// Visits the keys in runs, without a branch on which are removed: the first byte lowest, zeros
    /// above the last.
    ///
    /// # Errors
    ///
    /// The first error of `visit`, which is not called again.
    #[inline(always)]
    pub fn try_for_each_run<E>(
        &self,
        mut visit: impl FnMut(&[[u64; 2]]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut run = [[0; 2]; RUN];
        let mut keys = 0;
        for (block, filled) in self.records.blocks() {
            for (_, record) in records(block, filled) {
                run[keys] = record.key;
                keys += usize::from(!record.is_removed);
                if keys == RUN {
                    visit(&run)?;
                    keys = 0;
                }
            }
        }
        visit(&run[..keys])
    }

    /// Appends a key that is marked as removed, so that it is only found by its place.
    pub(crate) fn push_removed(&mut self, key: [u64; 2], length: usize) {
        self.write(key, length, REMOVED);
        self.removed += 1;
    }

    #[inline(always)]
    fn write(&mut self, [first, second]: [u64; 2], length: usize, mark: u8) {
        debug_assert!((1..=LONGEST).contains(&length));
        let key = u128::from(first) | u128::from(second) << 64;
        let record = (key << 8 | length as u128 | u128::from(mark)).to_le_bytes();
        // Always writes the largest record and cuts it after: no loop, no branch on the length.
        let room = self.records.room(RECORD);
        // Hundreds of lists are written in turns, too many for the hardware prefetcher.
        prefetch(room.as_ptr().wrapping_add(AHEAD));
        room.copy_from_slice(&record);
        self.records.fill(1 + length);
    }

    /// Visits every key: the first byte lowest, zeros above the last, and its length.
    #[inline(always)]
    pub fn for_each(&self, mut visit: impl FnMut([u64; 2], usize)) {
        for (block, filled) in self.records.blocks() {
            for (_, record) in records(block, filled) {
                if !record.is_removed {
                    visit(record.key, record.length);
                }
            }
        }
    }

    /// Moves the keys of `other` here.
    pub fn append(&mut self, other: &mut Self) {
        self.records.append(&mut other.records, RECORD);
        self.removed += core::mem::take(&mut other.removed);
    }

    /// Removes all keys, and keeps one block.
    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.removed = 0;
    }

    /// Returns the number of keys, removed ones included.
    pub(crate) fn len_with_removed(&self) -> usize {
        self.records.len()
    }

    /// Returns access to the keys by place, or `None` if there are more than `most` places.
    pub(crate) fn by_place(&mut self, most: usize) -> Option<ByPlace<'_>> {
        let removed = &mut self.removed;
        let places = self.records.places(most)?;
        Some(ByPlace { places, removed })
    }
}

impl Clone for PackedShort {
    fn clone(&self) -> Self {
        let mut keys = Self::default();
        self.for_each(|key, length| keys.push(key, length));
        keys
    }
}

/// A decoded record.
#[derive(Clone, Copy)]
pub(crate) struct Record {
    /// The first byte lowest, zeros above the last.
    pub(crate) key: [u64; 2],
    pub(crate) length: usize,
    pub(crate) is_removed: bool,
}

impl Record {
    #[inline(always)]
    fn at(block: &[u8], at: usize) -> Self {
        let record = block[at..].first_chunk::<RECORD>();
        let record = record.expect("keys are written as records");
        let length = usize::from(record[0] & !REMOVED);
        let key = u128::from_le_bytes(*record) >> 8 & (u128::MAX >> (128 - 8 * length));
        Self {
            key: [key as u64, (key >> 64) as u64],
            length,
            is_removed: record[0] & REMOVED > 0,
        }
    }

    /// Returns the size of the encoded record.
    #[inline(always)]
    fn bytes(&self) -> usize {
        1 + self.length
    }
}

/// Returns the records of a block, and the index of each within the block.
#[inline(always)]
fn records(block: &[u8], filled: usize) -> impl Iterator<Item = (usize, Record)> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let at = next;
        (at < filled).then(|| {
            let record = Record::at(block, at);
            next += record.bytes();
            (at, record)
        })
    })
}

/// Access to keys by their places, which ascend in order of arrival.
pub(crate) struct ByPlace<'a> {
    places: Places<'a>,
    removed: &'a mut usize,
}

impl ByPlace<'_> {
    /// Returns an exclusive upper bound of all places.
    pub(crate) fn end(&self) -> usize {
        self.places.end()
    }

    /// Returns an upper bound of the keys in a block, or `None` if there is no such block.
    pub(crate) fn max_keys_in(&self, block: usize) -> Option<usize> {
        let (_, _, filled) = self.places.block(block)?;
        // The smallest record has a length and one byte.
        Some(filled / 2)
    }

    /// Visits every place and record of a block.
    #[inline(always)]
    pub(crate) fn for_each_in(&self, block: usize, mut visit: impl FnMut(usize, Record)) {
        if let Some((first, block, filled)) = self.places.block(block) {
            records(block, filled).for_each(|(at, record)| visit(first + at, record));
        }
    }

    /// Returns the record at a place.
    #[inline(always)]
    pub(crate) fn get(&self, place: usize) -> Record {
        let (block, at) = self.places.find(place);
        Record::at(block, at)
    }

    /// Marks the key at a place as removed; it must not be removed yet.
    #[inline(always)]
    pub(crate) fn remove(&mut self, place: usize) {
        let length = self.places.byte_mut(place);
        debug_assert!(*length & REMOVED == 0, "a key is removed once");
        *length |= REMOVED;
        *self.removed += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::Block;

    fn key(number: u64, length: usize) -> ([u64; 2], usize) {
        let bytes = 0x0101_0101_0101_0101_0101_0101_0101_0101u128 * u128::from(number % 255 + 1);
        let key = bytes & (u128::MAX >> (128 - 8 * length));
        ([key as u64, (key >> 64) as u64], length)
    }

    fn keys(numbers: core::ops::Range<u64>) -> Vec<([u64; 2], usize)> {
        numbers
            .map(|number| key(number, number as usize % LONGEST + 1))
            .collect()
    }

    fn packed(keys: &[([u64; 2], usize)]) -> PackedShort {
        let mut packed_short = PackedShort::default();
        keys.iter()
            .for_each(|&(key, length)| packed_short.push(key, length));
        packed_short
    }

    fn seen(packed_short: &PackedShort) -> Vec<([u64; 2], usize)> {
        let mut seen = Vec::with_capacity(packed_short.len());
        packed_short.for_each(|key, length| seen.push((key, length)));
        assert_eq!(seen.len(), packed_short.len());
        let mut run = Vec::new();
        let all = packed_short.try_for_each_run(|keys| {
            run.extend_from_slice(keys);
            Ok::<_, ()>(())
        });
        assert_eq!(all, Ok(()));
        assert!(run.iter().eq(seen.iter().map(|(key, _)| key)));
        seen
    }

    #[test]
    fn keys_of_every_length_come_back_in_order() {
        let expected = keys(0..if cfg!(miri) { 100 } else { 20_000 });
        let mut packed_short = packed(&expected);
        assert_eq!(seen(&packed_short), expected);
        assert_eq!(seen(&packed_short.clone()), expected);
        let text: usize = expected.iter().map(|(_, length)| 1 + length).sum();
        assert!((text..2 * text + 2 * Block::LARGEST).contains(&packed_short.bytes()));
        packed_short.clear();
        assert!(packed_short.is_empty() && seen(&packed_short).is_empty());
        packed_short.push(expected[1].0, expected[1].1);
        assert_eq!(seen(&packed_short), expected[1..2]);
    }

    #[test]
    fn a_removed_key_is_only_found_by_its_place() {
        let mut expected = keys(0..if cfg!(miri) { 100 } else { 20_000 });
        let mut packed_short = packed(&expected);
        let mut left = Vec::new();
        let mut by_place = packed_short.by_place(usize::MAX).expect("places enough");
        let mut places = Vec::new();
        for block in (0..).take_while(|&block| by_place.max_keys_in(block).is_some()) {
            by_place.for_each_in(block, |place, record| places.push((place, record.key)));
        }
        assert!(places.is_sorted() && places.iter().all(|(place, _)| *place < by_place.end()));
        for (i, &(place, key)) in places.iter().enumerate() {
            assert_eq!(key, expected[i].0);
            match i % 3 {
                0 => by_place.remove(place),
                _ => left.push(expected[i]),
            }
            let record = by_place.get(place);
            assert_eq!((record.key, record.is_removed), (key, i % 3 == 0));
        }
        assert_eq!(seen(&packed_short), left);
        let mut other = packed(&expected);
        other.append(&mut packed_short);
        expected.append(&mut left);
        assert_eq!(seen(&other), expected);
    }

    #[test]
    fn appended_keys_come_after_the_present_ones() {
        let sizes = [0, 1, 9, 26, 27, 28, 300, 2500, 6000];
        for &first in &sizes[..if cfg!(miri) { 5 } else { 9 }] {
            for second in sizes.into_iter().take(if cfg!(miri) { 5 } else { 9 }) {
                let expected = keys(0..first + second + 1);
                let mut packed_short = packed(&keys(0..first));
                let mut other = packed(&keys(first..first + second));
                packed_short.append(&mut other);
                assert!(other.is_empty() && seen(&other).is_empty() && other.bytes() == 0);
                let (last, length) = key(first + second, (first + second) as usize % LONGEST + 1);
                packed_short.push(last, length);
                assert_eq!(seen(&packed_short), expected, "{first} and {second}");
            }
        }
    }
}
