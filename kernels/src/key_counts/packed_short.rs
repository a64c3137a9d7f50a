//! Short keys seen once each, packed end to end.
//!
//! ```text
//! 5 h e l l o 3 f o x …      a length, then as many bytes, 15 at most
//! ```
//!
//! A key that turns out to be counted elsewhere too stays where it is, with a mark at its length,
//! and is no longer there for whoever looks.
//!
//! Where nearly every token is new this is what a partition holds until it is reduced: about as
//! many bytes as the text had, and so about as few pages to touch. It grows by blocks: nothing that
//! was written is copied.

use super::packed::{Packed, Places};
use crate::buffer::prefetch;

/// The longest key that is packed.
pub(crate) const LONGEST: usize = 15;

/// Bytes of a record read or written at once: its length and the longest key.
const RECORD: usize = 1 + LONGEST;

/// How far ahead of what is written memory is asked for.
const AHEAD: usize = 128;

/// How many keys are handed out together.
const RUN: usize = 256;

/// Keys of 1 to 15 bytes without a NUL, in the order of their coming.
#[derive(Debug, Default)]
pub struct PackedShort {
    records: Packed,
    /// How many of them are marked.
    gone: usize,
}

/// The mark at the length of a key that is gone.
const REMOVED: u8 = 1 << 7;

impl PackedShort {
    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len() - self.gone
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of memory the keys hold.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.records.bytes()
    }

    /// Appends a key: the first byte lowest, zeros above the last of its `length` bytes.
    #[inline(always)]
    pub(crate) fn push(&mut self, key: [u64; 2], length: usize) {
        self.write(key, length, 0);
    }

    /// Visits the keys some at a time, without a branch on which are gone: the first byte lowest,
    /// zeros above the last.
    ///
    /// # Errors
    ///
    /// The first that `visit` returns, which is not called again.
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

    /// Appends a key that is gone: whoever asks by place finds it.
    pub(crate) fn push_removed(&mut self, key: [u64; 2], length: usize) {
        self.write(key, length, REMOVED);
        self.gone += 1;
    }

    #[inline(always)]
    fn write(&mut self, [first, second]: [u64; 2], length: usize, mark: u8) {
        debug_assert!((1..=LONGEST).contains(&length));
        let key = u128::from(first) | u128::from(second) << 64;
        let record = (key << 8 | length as u128 | u128::from(mark)).to_le_bytes();
        // Always a whole record, cut to size after: no loop over bytes, no branch on the length.
        let room = self.records.room(RECORD);
        // Of hundreds of lists that are written in turns no processor foresees the next line.
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
        self.gone += core::mem::take(&mut other.gone);
    }

    /// Forgets all keys, and keeps a block for those to come.
    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.gone = 0;
    }

    /// How many keys there are, and how many were and are gone.
    pub(crate) fn len_with_removed(&self) -> usize {
        self.records.len()
    }

    /// The keys by their places; nothing if there are more than `most` places.
    pub(crate) fn by_place(&mut self, most: usize) -> Option<ByPlace<'_>> {
        let gone = &mut self.gone;
        let places = self.records.places(most)?;
        Some(ByPlace { places, gone })
    }
}

impl Clone for PackedShort {
    fn clone(&self) -> Self {
        let mut keys = Self::default();
        self.for_each(|key, length| keys.push(key, length));
        keys
    }
}

/// A key as it is read.
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

    /// How many bytes it has where it lies.
    #[inline(always)]
    fn bytes(&self) -> usize {
        1 + self.length
    }
}

/// The records of a block, and where in it each lies.
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

/// Keys that are asked for by their places, numbers that grow from one to the next.
pub(crate) struct ByPlace<'a> {
    places: Places<'a>,
    gone: &'a mut usize,
}

impl ByPlace<'_> {
    /// A bound of all places.
    pub(crate) fn end(&self) -> usize {
        self.places.end()
    }

    /// How many keys a block has at most; nothing if there is none of that number.
    pub(crate) fn max_keys_in(&self, block: usize) -> Option<usize> {
        let (_, _, filled) = self.places.block(block)?;
        // A length, and a byte at least.
        Some(filled / 2)
    }

    /// Visits every place of a block.
    #[inline(always)]
    pub(crate) fn for_each_in(&self, block: usize, mut visit: impl FnMut(usize, Record)) {
        if let Some((first, block, filled)) = self.places.block(block) {
            records(block, filled).for_each(|(at, record)| visit(first + at, record));
        }
    }

    /// The key at a place.
    #[inline(always)]
    pub(crate) fn get(&self, place: usize) -> Record {
        let (block, at) = self.places.find(place);
        Record::at(block, at)
    }

    /// Marks the key at a place, which is there, as gone.
    #[inline(always)]
    pub(crate) fn remove(&mut self, place: usize) {
        let length = self.places.byte_mut(place);
        debug_assert!(*length & REMOVED == 0, "a key goes packed_short");
        *length |= REMOVED;
        *self.gone += 1;
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
    fn a_key_that_is_gone_is_found_by_its_place_alone() {
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
    fn what_is_appended_comes_after_what_was_there() {
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
