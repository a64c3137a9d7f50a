//! Random numbers that prevent an attacker from choosing keys that collide.

use core::hash::{BuildHasher, Hasher};
use std::hash::RandomState;

/// Random multipliers for the hashes of one query's tables.
///
/// All tables of a query use the same ones, so that their groups can be merged in order.
#[derive(Clone, Copy, Debug)]
pub struct HashKey {
    words: [u64; 4],
}

impl HashKey {
    /// Returns new random numbers from the operating system.
    #[must_use]
    pub fn random() -> Self {
        let state = RandomState::new();
        Self::from_seed(state.build_hasher().finish())
    }

    /// Derives all multipliers from one number: for tests and reproducible runs.
    #[must_use]
    pub const fn from_seed(seed: u64) -> Self {
        let mut words = [0; 4];
        let mut i = 0;
        let mut state = seed;
        while i < 4 {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            words[i] = mix(state) | 1;
            i += 1;
        }
        Self { words }
    }

    /// Returns the multipliers, all odd, with only the bits of `mask` kept.
    pub(crate) const fn masked(self, mask: u64) -> [u64; 4] {
        let [a, b, c, d] = self.words;
        [a & mask, b & mask, c & mask, d & mask]
    }
}

/// The finisher of splitmix64.
const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
