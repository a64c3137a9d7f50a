//! Short keys seen once each, packed end to end.
//!
//! ```text
//! 5 h e l l o 3 f o x …      a length, then as many bytes, 15 at most
//! ```
//!
//! Where nearly every token is new this is what a partition holds until it is reduced: about as
//! many bytes as the text had, and so about as few pages to touch. It grows by blocks: nothing that
//! was written is copied.

use super::packed::Packed;

/// The longest key that is packed.
pub(crate) const LONGEST: usize = 15;

/// Bytes of a record read or written at once: its length and the longest key.
const RECORD: usize = 1 + LONGEST;

/// Keys of 1 to 15 bytes without a NUL, in the order of their coming.
#[derive(Debug, Default)]
pub struct Once {
    records: Packed,
}

impl Once {
    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
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
    pub(crate) fn push(&mut self, [first, second]: [u64; 2], length: usize) {
        debug_assert!((1..=LONGEST).contains(&length));
        let key = u128::from(first) | u128::from(second) << 64;
        let record = (key << 8 | length as u128).to_le_bytes();
        // Always a whole record, cut to size after: no loop over bytes, no branch on the length.
        self.records.room(RECORD).copy_from_slice(&record);
        self.records.fill(1 + length);
    }

    /// Visits every key: the first byte lowest, zeros above the last, and its length.
    #[inline(always)]
    pub fn for_each(&self, mut visit: impl FnMut([u64; 2], usize)) {
        for (block, filled) in self.records.blocks() {
            let mut at = 0;
            while at < filled {
                let record = block[at..].first_chunk::<RECORD>();
                at += visit_record(record.expect("keys are written as records"), &mut visit);
            }
        }
    }

    /// Moves the keys of `other` here.
    pub(crate) fn append(&mut self, other: &mut Self) {
        self.records.append(&mut other.records, RECORD);
    }

    /// Forgets all keys, and keeps a block for those to come.
    pub(crate) fn clear(&mut self) {
        self.records.clear();
    }
}

impl Clone for Once {
    fn clone(&self) -> Self {
        let mut keys = Self::default();
        self.for_each(|key, length| keys.push(key, length));
        keys
    }
}

/// Hands the key at the front of `record` to `visit`; returns how many bytes it took.
#[inline(always)]
fn visit_record(record: &[u8; RECORD], visit: &mut impl FnMut([u64; 2], usize)) -> usize {
    let length = usize::from(record[0]);
    let key = u128::from_le_bytes(*record) >> 8 & (u128::MAX >> (128 - 8 * length));
    visit([key as u64, (key >> 64) as u64], length);
    1 + length
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

    fn packed(keys: &[([u64; 2], usize)]) -> Once {
        let mut once = Once::default();
        keys.iter()
            .for_each(|&(key, length)| once.push(key, length));
        once
    }

    fn seen(once: &Once) -> Vec<([u64; 2], usize)> {
        let mut seen = Vec::with_capacity(once.len());
        once.for_each(|key, length| seen.push((key, length)));
        assert_eq!(seen.len(), once.len());
        seen
    }

    #[test]
    fn keys_of_every_length_come_back_in_order() {
        let expected = keys(0..if cfg!(miri) { 100 } else { 20_000 });
        let mut once = packed(&expected);
        assert_eq!(seen(&once), expected);
        assert_eq!(seen(&once.clone()), expected);
        let text: usize = expected.iter().map(|(_, length)| 1 + length).sum();
        assert!((text..2 * text + 2 * Block::LARGEST).contains(&once.bytes()));
        once.clear();
        assert!(once.is_empty() && seen(&once).is_empty());
        once.push(expected[1].0, expected[1].1);
        assert_eq!(seen(&once), expected[1..2]);
    }

    #[test]
    fn what_is_appended_comes_after_what_was_there() {
        let sizes = [0, 1, 9, 26, 27, 28, 300, 2500, 6000];
        for &first in &sizes[..if cfg!(miri) { 5 } else { 9 }] {
            for second in sizes.into_iter().take(if cfg!(miri) { 5 } else { 9 }) {
                let expected = keys(0..first + second + 1);
                let mut once = packed(&keys(0..first));
                let mut other = packed(&keys(first..first + second));
                once.append(&mut other);
                assert!(other.is_empty() && seen(&other).is_empty() && other.bytes() == 0);
                let (last, length) = key(first + second, (first + second) as usize % LONGEST + 1);
                once.push(last, length);
                assert_eq!(seen(&once), expected, "{first} and {second}");
            }
        }
    }
}
