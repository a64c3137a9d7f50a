//! The size of a device's table, and how it is probed.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};

use keymill_shaders::ReduceByKeyParams;

use super::GROUP_BYTES;
use crate::device::hash_partition::MAX_KEY_BYTES;

/// The default number of slots that are probed for a key.
const DEFAULT_CHAIN: u32 = 64;

/// The maximum chain length. Some software drivers stop an invocation after 65,535 loop rounds in
/// total, and integer keys stay below that. Long byte keys that all collide may need more rounds;
/// the self-test refuses such drivers.
const MAX_CHAIN: u32 = 256;

const MIN_SLOTS: usize = 256;

/// A device's table. It never grows; rows without a slot are spilled to the CPU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    slots: u32,
    chain: u32,
    /// A mask for hashes. With 0 all keys collide.
    hash_mask: u32,
    hash_key: [u32; 3],
    /// The maximum length of a key in bytes.
    longest: u32,
}

impl Table {
    /// Creates a table with at least `slots` slots, rounded up to a power of two.
    pub(crate) fn new(slots: u32, chain: u32, hash_mask: u32) -> Self {
        let words = RandomState::new();
        let slots = slots.min(1 << 31).next_power_of_two();
        Self {
            slots,
            chain: chain.min(MAX_CHAIN).min(slots),
            hash_mask,
            hash_key: [0, 1, 2].map(|it| words.hash_one(it) as u32 | 1),
            longest: MAX_KEY_BYTES as u32,
        }
    }

    /// Limits the length of keys. Longer keys are spilled.
    pub(crate) fn with_longest(self, bytes: u32) -> Self {
        Self {
            longest: bytes.min(MAX_KEY_BYTES as u32),
            ..self
        }
    }

    /// Sets the bits of a hash that are kept.
    pub(crate) fn with_hash_mask(self, hash_mask: u32) -> Self {
        Self { hash_mask, ..self }
    }

    /// The maximum length of a key in bytes.
    pub(super) fn longest(&self) -> u32 {
        self.longest
    }

    /// Creates a table for rows with `distinct` expected distinct keys. Then at most half of the
    /// slots are in use.
    pub(crate) fn for_rows(rows: usize, distinct: usize, binding_bytes: u64) -> Self {
        let bound = (binding_bytes / GROUP_BYTES).clamp(1, 1 << 31);
        let wanted = distinct.min(rows).saturating_mul(2).max(MIN_SLOTS);
        // The largest power of two that can be bound.
        let limit = 1 << bound.ilog2();
        let slots = u32::try_from(wanted).unwrap_or(limit).min(limit);
        Self::new(slots, DEFAULT_CHAIN, u32::MAX)
    }

    /// Returns the parameters of the shader.
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
    fn a_table_has_the_expected_size_within_the_binding_limit() {
        let slots = |rows, distinct, bytes| Table::for_rows(rows, distinct, bytes).slots;
        assert_eq!(slots(10, 10, 1 << 20), 256);
        assert_eq!(slots(1000, 1000, 1 << 20), 2048);
        assert_eq!(slots(1000, 100, 1 << 20), 256);
        assert_eq!(slots(1 << 20, 1 << 20, 1 << 20), 16384);
        assert_eq!(slots(usize::MAX, usize::MAX, 128 << 20), 1 << 21);
        assert_eq!(slots(1000, 1000, 100), 2);
        assert_eq!(Table::new(u32::MAX, u32::MAX, 0).chain, MAX_CHAIN);
        assert_eq!(Table::new(7, u32::MAX, 0).chain, 8);
        let longest = |bytes| Table::new(7, 1, 0).with_longest(bytes).params().longest;
        assert_eq!([0, 24, 9999].map(longest), [0, 24, 4096]);
    }

    #[test]
    fn hash_keys_are_odd_and_differ_between_tables() {
        let [one, other] = [1, 2].map(|_| Table::new(16, 4, 1).params());
        assert!(one.secret_0 % 2 == 1 && one.secret_1 % 2 == 1 && one.secret_2 % 2 == 1);
        let of = |it: ReduceByKeyParams| [it.secret_0, it.secret_1, it.secret_2];
        assert_ne!(of(one), of(other));
    }
}
