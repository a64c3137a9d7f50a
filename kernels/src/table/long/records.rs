//! Records of keys in one array of words, each with its number and its hash.
//!
//! ```text
//! value u64 | hash u64 | length u64 | the key's bytes, padded to a whole word
//! ```
#![forbid(unsafe_code)]

use crate::buffer::HugeVec;

/// Words of a record before its key.
const HEAD: usize = 3;
/// Words of the first allocation.
const FIRST: usize = 64;
/// Allocations of at least this size are not touched before they are used.
const UNTOUCHED: usize = 2 << 20;

/// Records, each identified by the index of its first word.
#[derive(Default)]
pub(super) struct Records {
    words: HugeVec<u64>,
    used: usize,
    /// The largest `used` so far: words after that were never touched and use no memory.
    touched: usize,
    len: usize,
}

impl Records {
    /// Appends a record and returns its place.
    pub(super) fn push(&mut self, hash: u64, key: &[u8], value: u64) -> usize {
        let place = self.used;
        self.used += HEAD + key.len().div_ceil(8);
        if self.used > self.words.len() {
            let room = self.used.max(2 * self.words.len()).max(FIRST);
            self.words.grow_to(room);
        }
        self.touched = self.touched.max(self.used);
        self.len += 1;
        let record = &mut self.words[place..self.used];
        record[..HEAD].copy_from_slice(&[value, hash, key.len() as u64]);
        bytemuck::cast_slice_mut(&mut record[HEAD..])[..key.len()].copy_from_slice(key);
        place
    }

    /// Returns whether the record at a place is that of a key.
    #[inline(always)]
    pub(super) fn is(&self, place: usize, hash: u64, key: &[u8]) -> bool {
        let head = &self.words[place..][..HEAD];
        head[1] == hash && head[2] == key.len() as u64 && same(self.key(place), key)
    }

    /// Returns the bytes of a record's key.
    #[inline(always)]
    pub(super) fn key(&self, place: usize) -> &[u8] {
        let length = self.words[place + 2] as usize;
        let words = &self.words[place + HEAD..][..length.div_ceil(8)];
        &bytemuck::cast_slice(words)[..length]
    }

    /// Returns the hash of a record's key.
    #[inline(always)]
    pub(super) fn hash(&self, place: usize) -> u64 {
        self.words[place + 1]
    }

    /// Returns a record's number.
    #[inline(always)]
    pub(super) fn value(&self, place: usize) -> u64 {
        self.words[place]
    }

    /// Returns a record's number for changing it.
    #[inline(always)]
    pub(super) fn value_mut(&mut self, place: usize) -> &mut u64 {
        &mut self.words[place]
    }

    /// Returns the address of a record, for prefetching.
    #[inline(always)]
    pub(super) fn address(&self, place: usize) -> *const u64 {
        self.words.as_ptr().wrapping_add(place)
    }

    /// Returns the place and hash of each record, in order of arrival.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, u64)> {
        let mut next = 0;
        core::iter::from_fn(move || {
            let place = next;
            let &[_, hash, length] = self.words[..self.used].get(place..place + HEAD)? else {
                return None;
            };
            next += HEAD + (length as usize).div_ceil(8);
            Some((place, hash))
        })
    }

    /// Returns the number of records.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the bytes of memory that the records use.
    pub(super) fn bytes(&self) -> usize {
        let whole = size_of_val::<[u64]>(&self.words);
        // Small allocations are zeroed when they are made, and on other systems large ones too.
        match whole < UNTOUCHED || !cfg!(target_os = "linux") {
            true => whole,
            false => 8 * self.touched,
        }
    }

    /// Removes all records, and keeps the memory if it is at most `most` bytes.
    pub(super) fn clear(&mut self, most: usize) {
        (self.used, self.len) = (0, 0);
        if self.bytes() > most {
            *self = Self::default();
        }
    }
}

/// Returns whether two keys of the same length have the same bytes; without a function call for
/// keys of the usual lengths.
#[inline(always)]
fn same(one: &[u8], other: &[u8]) -> bool {
    let (Some(one_end), Some(other_end)) = (one.last_chunk::<16>(), other.last_chunk::<16>())
    else {
        return one == other;
    };
    if one.len() > 256 {
        return one == other;
    }
    let (ones, others) = (one.as_chunks::<16>().0, other.as_chunks::<16>().0);
    let mut steps = ones.iter().zip(others);
    steps.all(|(one, other)| word(one) == word(other)) && word(one_end) == word(other_end)
}

#[inline(always)]
fn word(bytes: &[u8; 16]) -> u128 {
    u128::from_ne_bytes(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_every_length_are_distinguished() {
        let longest = if cfg!(miri) { 40 } else { 600 };
        let text: Vec<u8> = (0..longest + 1).map(|i| (i * 7) as u8).collect();
        let mut records = Records::default();
        for round in 0..2 {
            let places: Vec<_> = (0..longest)
                .map(|length| records.push(length as u64, &text[..length], round))
                .collect();
            assert_eq!(records.len(), longest);
            let listed: Vec<_> = records.places().collect();
            let expected = places.iter().copied().zip(0..);
            assert_eq!(listed, expected.collect::<Vec<_>>());
            for (length, &place) in places.iter().enumerate() {
                assert_eq!(records.key(place), &text[..length]);
                assert!(records.is(place, length as u64, &text[..length]));
                assert!(!records.is(place, length as u64 + 1, &text[..length]));
                for at in [0, length / 2, length.wrapping_sub(1)] {
                    let mut other = text[..length].to_vec();
                    if let Some(byte) = other.get_mut(at) {
                        *byte ^= 1;
                        assert!(
                            !records.is(place, length as u64, &other),
                            "{length}, byte {at}"
                        );
                    }
                }
                *records.value_mut(place) += 5;
                assert_eq!(records.value(place), round + 5);
            }
            let bytes = records.bytes();
            records.clear(bytes);
            assert_eq!((records.len(), records.bytes()), (0, bytes));
            assert!(records.places().next().is_none());
        }
        records.push(1, b"one", 1);
        records.clear(100);
        assert_eq!((records.len(), records.bytes()), (0, 0));
    }
}
