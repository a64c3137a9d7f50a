//! HalfSipHash: four words of state, some rounds a word of input and some more an answer word.
#![forbid(unsafe_code)]

use super::ContractSeed;

/// HalfSipHash-1-3, what the contract says.
pub(super) type State = HalfSip<1, 3>;

/// The state between two words of input; `C` rounds follow a word, `D` come before an answer word.
#[derive(Clone, Copy, Debug)]
pub(super) struct HalfSip<const C: usize, const D: usize>([u32; 4]);

impl<const C: usize, const D: usize> HalfSip<C, D> {
    /// The state before any input, for an answer of 64 bits.
    #[inline(always)]
    pub(super) const fn new(seed: ContractSeed) -> Self {
        let (low, high) = (seed.0 as u32, (seed.0 >> 32) as u32);
        Self([low, high ^ 0xee, 0x6c79_6765 ^ low, 0x7465_6462 ^ high])
    }

    /// Takes in the next four bytes of input, the first one lowest.
    #[inline(always)]
    pub(super) fn absorb(self, word: u32) -> Self {
        let Self([v0, v1, v2, v3]) = self;
        let Self([v0, v1, v2, v3]) = Self([v0, v1, v2, v3 ^ word]).rounds::<C>();
        Self([v0 ^ word, v1, v2, v3])
    }

    /// Takes in the next word where `applies`, without a branch.
    #[inline(always)]
    pub(super) fn absorb_if(self, applies: bool, word: u32) -> Self {
        let next = self.absorb(word);
        Self(core::array::from_fn(|i| {
            if applies { next.0[i] } else { self.0[i] }
        }))
    }

    /// Takes in the last word and answers.
    #[inline(always)]
    pub(super) fn finish(self, last: u32) -> u64 {
        let (low, high) = self.finish_words(last);
        u64::from(high) << 32 | u64::from(low)
    }

    /// [`State::finish`] as the low and the high word.
    #[inline(always)]
    pub(super) fn finish_words(self, last: u32) -> (u32, u32) {
        let Self([v0, v1, v2, v3]) = self.absorb(last);
        let low = Self([v0, v1, v2 ^ 0xee, v3]).rounds::<D>();
        let Self([v0, v1, v2, v3]) = low;
        let high = Self([v0, v1 ^ 0xdd, v2, v3]).rounds::<D>();
        (low.0[1] ^ low.0[3], high.0[1] ^ high.0[3])
    }

    #[inline(always)]
    fn rounds<const N: usize>(self) -> Self {
        (0..N).fold(self, |state, _| state.round())
    }

    #[inline(always)]
    fn round(self) -> Self {
        let Self([mut v0, mut v1, mut v2, mut v3]) = self;
        v0 = v0.wrapping_add(v1);
        v1 = v1.rotate_left(5) ^ v0;
        v0 = v0.rotate_left(16);
        v2 = v2.wrapping_add(v3);
        v3 = v3.rotate_left(8) ^ v2;
        v0 = v0.wrapping_add(v3);
        v3 = v3.rotate_left(7) ^ v0;
        v2 = v2.wrapping_add(v1);
        v1 = v1.rotate_left(13) ^ v2;
        v2 = v2.rotate_left(16);
        Self([v0, v1, v2, v3])
    }
}

/// The word after the whole ones: up to three bytes that are left, and the length at the top.
#[inline(always)]
pub(super) fn last_word(tail: &[u8], length: usize) -> u32 {
    let mut word = [0, 0, 0, length as u8];
    word[..tail.len()].copy_from_slice(tail);
    u32::from_le_bytes(word)
}
