//! How large a device's table is, and how it is searched.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};

use keymill_shaders::ReduceByKeyParams;

use super::GROUP_BYTES;
use crate::device::hash_partition::LONGEST_KEY;

/// Slots that are looked at for a key, unless somebody asks otherwise.
const CHAIN: u32 = 64;

/// The longest chain: with it an invocation that compares integers stays below the 65,535 rounds of
/// all its loops at which some software drivers end it. Where long keys of bytes all collide there may
/// be more rounds; the self-test refuses such drivers.
const MOST_CHAIN: u32 = 256;

const FEWEST_SLOTS: usize = 256;

/// A device's table: it never grows, and what it has no room for is spilled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    slots: u32,
    chain: u32,
    /// Which bits of a hash are kept: 0 has every key collide.
    hash_mask: u32,
    hash_key: [u32; 3],
    /// The most bytes of a key that a device looks at.
    longest: u32,
}

impl Table {
    /// A table of so many slots, or of the next power of two.
    pub(crate) fn new(slots: u32, chain: u32, hash_mask: u32) -> Self {
        let words = RandomState::new();
        let slots = slots.min(1 << 31).next_power_of_two();
        Self {
            slots,
            chain: chain.min(MOST_CHAIN).min(slots),
            hash_mask,
            hash_key: [0, 1, 2].map(|it| words.hash_one(it) as u32 | 1),
            longest: LONGEST_KEY as u32,
        }
    }

    /// The same table, for keys of no more bytes than these: longer ones are spilled.
    pub(crate) fn with_longest(self, bytes: u32) -> Self {
        Self {
            longest: bytes.min(LONGEST_KEY as u32),
            ..self
        }
    }

    /// The same table, with these bits of a hash alone.
    pub(crate) fn with_hash_mask(self, hash_mask: u32) -> Self {
        Self { hash_mask, ..self }
    }

    /// The most bytes of a key that a device looks at.
    pub(super) fn longest(&self) -> u32 {
        self.longest
    }

    /// A table for rows of which so many keys are hoped to be distinct, at most half full then.
    pub(crate) fn for_rows(rows: usize, distinct: usize, binding_bytes: u64) -> Self {
        let bound = (binding_bytes / GROUP_BYTES).clamp(1, 1 << 31);
        let wanted = distinct.min(rows).saturating_mul(2).max(FEWEST_SLOTS);
        // The greatest power of two that is bound, if that is less.
        let most = 1 << bound.ilog2();
        let slots = u32::try_from(wanted).unwrap_or(most).min(most);
        Self::new(slots, CHAIN, u32::MAX)
    }

    /// What the shader is told of the table.
    pub(super) fn params(&self) -> ReduceByKeyParams {
        let [secret_0, secret_1, secret_2] = self.hash_key;
        ReduceByKeyParams {
            slots: self.slots,
            chain: self.chain,
            hash_mask: self.hash_mask,
            secret_0,
            secret_1,
            secret_2,
            longest: self.longest,
            ..ReduceByKeyParams::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_large_as_hoped_and_bound() {
        let slots = |rows, distinct, bytes| Table::for_rows(rows, distinct, bytes).slots;
        assert_eq!(slots(10, 10, 1 << 20), 256);
        assert_eq!(slots(1000, 1000, 1 << 20), 2048);
        assert_eq!(slots(1000, 100, 1 << 20), 256);
        assert_eq!(slots(1 << 20, 1 << 20, 1 << 20), 16384);
        assert_eq!(slots(usize::MAX, usize::MAX, 128 << 20), 1 << 21);
        assert_eq!(slots(1000, 1000, 100), 2);
        assert_eq!(Table::new(u32::MAX, u32::MAX, 0).chain, MOST_CHAIN);
        assert_eq!(Table::new(7, u32::MAX, 0).chain, 8);
        let longest = |bytes| Table::new(7, 1, 0).with_longest(bytes).params().longest;
        assert_eq!([0, 24, 9999].map(longest), [0, 24, 4096]);
    }

    #[test]
    fn secrets_are_odd_and_not_the_same_twice() {
        let [one, other] = [1, 2].map(|_| Table::new(16, 4, 1).params());
        assert!(one.secret_0 % 2 == 1 && one.secret_1 % 2 == 1 && one.secret_2 % 2 == 1);
        let of = |it: ReduceByKeyParams| [it.secret_0, it.secret_1, it.secret_2];
        assert_ne!(of(one), of(other));
    }
}
