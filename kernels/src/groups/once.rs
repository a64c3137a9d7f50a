//! Short keys seen once each, packed end to end.
//!
//! ```text
//! 5 h e l l o 3 f o x …      a length, then as many bytes, 15 at most
//! ```
//!
//! Where nearly every token is new this is what a partition holds until it is reduced: about as
//! many bytes as the text had, and so about as few pages to touch.

/// The longest key that is packed.
pub(crate) const LONGEST: usize = 15;

/// Bytes of a record read or written at once: its length and the longest key.
const RECORD: usize = 1 + LONGEST;

/// Keys of 1 to 15 bytes without a NUL, in the order of their coming.
#[derive(Clone, Debug, Default)]
pub struct Once {
    bytes: Vec<u8>,
    keys: usize,
}

impl Once {
    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// How many bytes of memory the keys hold.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Appends a key: the first byte lowest, zeros above the last of its `length` bytes.
    #[inline(always)]
    pub(crate) fn push(&mut self, [first, second]: [u64; 2], length: usize) {
        debug_assert!((1..=LONGEST).contains(&length));
        let key = u128::from(first) | u128::from(second) << 64;
        let record = (key << 8 | length as u128).to_le_bytes();
        let end = self.bytes.len() + 1 + length;
        // Always a whole record, cut to size after: no loop over bytes, no branch on the length.
        self.bytes.extend_from_slice(&record);
        self.bytes.truncate(end);
        self.keys += 1;
    }

    /// Visits every key: the first byte lowest, zeros above the last, and its length.
    #[inline(always)]
    pub fn for_each(&self, mut visit: impl FnMut([u64; 2], usize)) {
        let mut rest = &self.bytes[..];
        while let Some(record) = rest.first_chunk::<RECORD>() {
            rest = &rest[visit_record(*record, &mut visit)..];
        }
        while !rest.is_empty() {
            let mut record = [0; RECORD];
            record[..rest.len()].copy_from_slice(rest);
            rest = &rest[visit_record(record, &mut visit)..];
        }
    }

    /// Gives up the keys for the memory that they were in.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Moves the keys of `other` here.
    pub(crate) fn append(&mut self, other: &mut Self) {
        self.bytes.append(&mut other.bytes);
        self.keys += core::mem::take(&mut other.keys);
    }

    /// Forgets all keys and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.keys = 0;
    }
}

/// Hands the key at the front of `record` to `visit`; returns how many bytes it took.
#[inline(always)]
fn visit_record(record: [u8; RECORD], visit: &mut impl FnMut([u64; 2], usize)) -> usize {
    let length = usize::from(record[0]);
    let key = u128::from_le_bytes(record) >> 8 & (u128::MAX >> (128 - 8 * length));
    visit([key as u64, (key >> 64) as u64], length);
    1 + length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_length_come_back_in_order() {
        let mut once = Once::default();
        let mut expected = Vec::new();
        for round in 0..3u64 {
            for length in 1..=LONGEST {
                let key = (0x0101_0101_0101_0101_0101_0101_0101_0101u128 * u128::from(round + 1))
                    & (u128::MAX >> (128 - 8 * length));
                let key = [key as u64, (key >> 64) as u64];
                once.push(key, length);
                expected.push((key, length));
            }
        }
        let mut seen = Vec::new();
        once.for_each(|key, length| seen.push((key, length)));
        assert_eq!(seen, expected);
        assert_eq!(once.len(), expected.len());
    }
}
