//! The keyed hash of an integer key; its upper bits choose the bucket and the partition.

use crate::table::HashKey;

/// Two random multipliers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IntHash {
    first: u64,
    second: u64,
}

impl IntHash {
    /// Keeps only the bits of `mask`: with 0 all keys collide.
    pub(crate) fn new(hash_key: HashKey, mask: u64) -> Self {
        let [first, second, ..] = hash_key.masked(mask);
        Self { first, second }
    }

    /// Returns the hash for a table that is nearly empty, and that tries [`IntHash::another`] when
    /// keys are displaced.
    ///
    /// Evenly spaced keys, such as running numbers, are at multiples of one step modulo the table
    /// size. With one multiplier in five they form dense runs, with wide gaps between.
    #[inline(always)]
    pub(crate) fn quick(self, key: u64) -> u64 {
        key.wrapping_mul(self.first)
    }

    /// Returns the hash for a well filled table: it breaks up any pattern of the keys.
    #[inline(always)]
    pub(crate) fn thorough(self, key: u64) -> u64 {
        let product = key.wrapping_mul(self.first);
        (product ^ product >> 32).wrapping_mul(self.second)
    }

    /// Returns another hash, as hard to predict as this one.
    pub(crate) fn another(self) -> Self {
        let spread = self.first.wrapping_mul(self.second | 1) ^ self.first >> 29;
        let first = spread.wrapping_mul(self.second | 1) | 1;
        Self { first, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many of 256 buckets get more than 384 keys, where 256 are expected.
    fn crowded(hash: impl Fn(u64) -> u64, step: u64) -> usize {
        let mut buckets = [0u32; 256];
        for i in 0..1u64 << 16 {
            buckets[(hash(i.wrapping_mul(step)) >> 56) as usize] += 1;
        }
        buckets.iter().filter(|&&keys| keys > 384).count()
    }

    #[test]
    #[cfg_attr(miri, ignore = "a statistic, without unsafe code of its own")]
    fn evenly_spaced_keys_are_spread_with_any_hash_key() {
        for seed in 0..200 {
            let hash = IntHash::new(HashKey::from_seed(seed), u64::MAX);
            for step in [1, 7, 1000, 1 << 20, 1 << 40, 0x9e37_79b9_7f4a_7c15] {
                let crowded = crowded(|key| hash.thorough(key), step);
                assert_eq!(crowded, 0, "seed {seed}, step {step}");
            }
        }
    }

    #[test]
    fn another_hash_differs_and_a_mask_of_zero_makes_all_keys_collide() {
        let hash = IntHash::new(HashKey::from_seed(1), u64::MAX);
        let others: Vec<IntHash> = core::iter::successors(Some(hash), |hash| Some(hash.another()))
            .take(64)
            .collect();
        assert!((1..64).all(|i| others[i] != others[i - 1] && others[i].first % 2 == 1));
        let none = IntHash::new(HashKey::from_seed(1), 0);
        assert!((0..64).all(|bit| none.quick(1 << bit) == 0 && none.thorough(1 << bit) == 0));
    }
}
