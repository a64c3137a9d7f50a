//! Keys one after the other, each beside its number and its hash.
//!
//! ```text
//! value u64 | hash u64 | length u64 | the key's bytes, filled up to a whole word
//! ```
#![forbid(unsafe_code)]

use crate::buffer::HugeVec;

/// Words of a record before its key.
const HEAD: usize = 3;
/// Words of the first memory for records.
const FIRST: usize = 64;
/// Bytes from which memory is not touched before it is used.
const UNTOUCHED: usize = 2 << 20;

/// Records, found by the word that they begin at.
#[derive(Default)]
pub(super) struct Records {
    words: HugeVec<u64>,
    used: usize,
    /// The most words that were ever used: more were not touched, and take no memory.
    touched: usize,
    len: usize,
}

impl Records {
    /// Appends a record; answers with its place.
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

    /// Tells whether the record at a place is that of a key.
    #[inline(always)]
    pub(super) fn is(&self, place: usize, hash: u64, key: &[u8]) -> bool {
        let head = &self.words[place..][..HEAD];
        head[1] == hash && head[2] == key.len() as u64 && same(self.key(place), key)
    }

    /// The bytes of a record's key.
    #[inline(always)]
    pub(super) fn key(&self, place: usize) -> &[u8] {
        let length = self.words[place + 2] as usize;
        let words = &self.words[place + HEAD..][..length.div_ceil(8)];
        &bytemuck::cast_slice(words)[..length]
    }

    /// The hash of a record's key.
    #[inline(always)]
    pub(super) fn hash(&self, place: usize) -> u64 {
        self.words[place + 1]
    }

    /// A record's number.
    #[inline(always)]
    pub(super) fn value(&self, place: usize) -> u64 {
        self.words[place]
    }

    /// The same, to be changed.
    #[inline(always)]
    pub(super) fn value_mut(&mut self, place: usize) -> &mut u64 {
        &mut self.words[place]
    }

    /// Where a record is in memory, to ask for it.
    #[inline(always)]
    pub(super) fn address(&self, place: usize) -> *const u64 {
        self.words.as_ptr().wrapping_add(place)
    }

    /// Every record's place and hash, in the order in which they came.
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

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many bytes of memory they take.
    pub(super) fn bytes(&self) -> usize {
        let whole = size_of_val::<[u64]>(&self.words);
        // Small memory is written to when it is made, and large memory too on other systems.
        match whole < UNTOUCHED || !cfg!(target_os = "linux") {
            true => whole,
            false => 8 * self.touched,
        }
    }

    /// Forgets all records, and keeps the memory if it is no more than `most` bytes.
    pub(super) fn clear(&mut self, most: usize) {
        (self.used, self.len) = (0, 0);
        if self.bytes() > most {
            *self = Self::default();
        }
    }
}

/// Tells whether two keys of the same length have the same bytes, without a call for those of a
/// usual length.
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
    fn records_of_every_length_are_told_apart() {
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
