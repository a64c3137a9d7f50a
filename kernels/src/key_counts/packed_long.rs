//! Long keys that were seen once each, packed.
//!
//! ```text
//! 29 https://example.org/page/1234 …      length in two bytes, then the bytes
//! ```
#![forbid(unsafe_code)]

use super::packed::Packed;

/// The longest key that is packed: several fit in a block.
pub(crate) const LONGEST: usize = 4 << 10;

/// Keys of 1 to 4,096 bytes, in order of arrival.
#[derive(Debug, Default)]
pub struct PackedLong {
    records: Packed,
}

impl PackedLong {
    /// Returns the number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
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

    /// Appends a key.
    pub(crate) fn push(&mut self, key: &[u8]) {
        debug_assert!((1..=LONGEST).contains(&key.len()));
        let record = 2 + key.len();
        let room = self.records.room(record);
        room[..2].copy_from_slice(&(key.len() as u16).to_le_bytes());
        room[2..].copy_from_slice(key);
        self.records.fill(record);
    }

    /// Returns all keys.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.records.blocks().flat_map(|(block, filled)| {
            let mut rest = &block[..filled];
            core::iter::from_fn(move || {
                let (length, after) = rest.split_first_chunk()?;
                let (key, after) = after.split_at(usize::from(u16::from_le_bytes(*length)));
                rest = after;
                Some(key)
            })
        })
    }

    /// Moves the keys of `other` here.
    pub(crate) fn append(&mut self, other: &mut Self) {
        self.records.append(&mut other.records, 0);
    }

    /// Removes all keys, and keeps one block.
    pub(crate) fn clear(&mut self) {
        self.records.clear();
    }
}

impl Clone for PackedLong {
    fn clone(&self) -> Self {
        let mut keys = Self::default();
        self.iter().for_each(|key| keys.push(key));
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_length_come_back_in_order() {
        let lengths = [1, 2, 17, 255, 256, LONGEST - 1, LONGEST];
        let lengths = &lengths[..if cfg!(miri) { 5 } else { 7 }];
        let keys: Vec<Vec<u8>> = (0..lengths.len() * if cfg!(miri) { 9 } else { 30 })
            .map(|i| vec![i as u8; lengths[i % lengths.len()]])
            .collect();
        for cut in [0, 1, 40, keys.len()] {
            let [mut packed_short, mut other] = [PackedLong::default(), PackedLong::default()];
            keys[..cut].iter().for_each(|key| packed_short.push(key));
            keys[cut..].iter().for_each(|key| other.push(key));
            packed_short.append(&mut other);
            assert!(other.is_empty() && other.iter().next().is_none());
            assert_eq!(packed_short.len(), keys.len());
            assert!(packed_short.iter().eq(keys.iter()));
            assert!(packed_short.clone().iter().eq(keys.iter()));
            assert!(packed_short.bytes() > keys.concat().len());
            packed_short.clear();
            assert!(packed_short.is_empty() && packed_short.iter().next().is_none());
        }
    }
}
