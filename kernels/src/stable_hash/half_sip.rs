//! HalfSipHash: four words of state, some rounds per word of input and more per word of the result.
#![forbid(unsafe_code)]

use super::HashSeed;

/// HalfSipHash-1-3, the stable hash, of one key or of several in parallel.
pub(super) type State<W> = HalfSip<W, 1, 3>;

/// One 32-bit word of a key, or one word of each of several keys.
///
/// Every step of a round depends on the previous one, so several keys in parallel use the processor
/// better.
pub(super) trait Word: Copy {
    /// The same word for each key.
    fn splat(word: u32) -> Self;

    /// Applies `of` to each key's words.
    fn zip(self, other: Self, of: impl Fn(u32, u32) -> u32) -> Self;

    /// Applies `of` to each key's word.
    #[inline(always)]
    fn map(self, of: impl Fn(u32) -> u32) -> Self {
        self.zip(self, |word, _| of(word))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, u32::wrapping_add)
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self.zip(other, |a, b| a ^ b)
    }

    #[inline(always)]
    fn turn(self, bits: u32) -> Self {
        self.map(|word| word.rotate_left(bits))
    }

    /// Returns `self` where the mask's bits are set, else `other`.
    #[inline(always)]
    fn or_else(self, mask: Self, other: Self) -> Self {
        self.zip(mask, |word, mask| word & mask)
            .xor(other.zip(mask, |word, mask| word & !mask))
    }
}

impl Word for u32 {
    #[inline(always)]
    fn splat(word: u32) -> Self {
        word
    }

    #[inline(always)]
    fn zip(self, other: Self, of: impl Fn(u32, u32) -> u32) -> Self {
        of(self, other)
    }
}

/// The words of four keys, as fields: the compiler would make an array a vector.
#[derive(Clone, Copy)]
pub(super) struct Four(
    pub(super) u32,
    pub(super) u32,
    pub(super) u32,
    pub(super) u32,
);

impl Word for Four {
    #[inline(always)]
    fn splat(word: u32) -> Self {
        Self(word, word, word, word)
    }

    #[inline(always)]
    fn zip(self, other: Self, of: impl Fn(u32, u32) -> u32) -> Self {
        Self(
            of(self.0, other.0),
            of(self.1, other.1),
            of(self.2, other.2),
            of(self.3, other.3),
        )
    }
}

/// The state between two words of input.
///
/// `C` rounds follow a word of input, `D` rounds come before a word of the result.
#[derive(Clone, Copy, Debug)]
pub(super) struct HalfSip<W, const C: usize, const D: usize> {
    v0: W,
    v1: W,
    v2: W,
    v3: W,
}

impl<W: Word, const C: usize, const D: usize> HalfSip<W, C, D> {
    /// Returns the state before any input, for a result of 64 bits.
    #[inline(always)]
    pub(super) fn new(seed: HashSeed) -> Self {
        let (low, high) = (seed.0 as u32, (seed.0 >> 32) as u32);
        Self {
            v0: W::splat(low),
            v1: W::splat(high ^ 0xee),
            v2: W::splat(0x6c79_6765 ^ low),
            v3: W::splat(0x7465_6462 ^ high),
        }
    }

    /// Adds the next four bytes of input, the first one lowest.
    #[inline(always)]
    pub(super) fn absorb(mut self, word: W) -> Self {
        self.v3 = self.v3.xor(word);
        self = self.rounds::<C>();
        self.v0 = self.v0.xor(word);
        self
    }

    /// Returns `self` for the keys where the mask's bits are set, else `other`, without a branch.
    #[inline(always)]
    pub(super) fn or_else(self, mask: W, other: Self) -> Self {
        Self {
            v0: self.v0.or_else(mask, other.v0),
            v1: self.v1.or_else(mask, other.v1),
            v2: self.v2.or_else(mask, other.v2),
            v3: self.v3.or_else(mask, other.v3),
        }
    }

    /// Adds the last word, and returns the low and the high word of the hash.
    #[inline(always)]
    pub(super) fn finish(self, last: W) -> (W, W) {
        let mut state = self.absorb(last);
        state.v2 = state.v2.xor(W::splat(0xee));
        state = state.rounds::<D>();
        let low = state.v1.xor(state.v3);
        state.v1 = state.v1.xor(W::splat(0xdd));
        state = state.rounds::<D>();
        (low, state.v1.xor(state.v3))
    }

    #[inline(always)]
    fn rounds<const TIMES: usize>(mut self) -> Self {
        for _ in 0..TIMES {
            self = self.round();
        }
        self
    }

    #[inline(always)]
    fn round(mut self) -> Self {
        self.v0 = self.v0.add(self.v1);
        self.v2 = self.v2.add(self.v3);
        self.v1 = self.v1.turn(5).xor(self.v0);
        self.v3 = self.v3.turn(8).xor(self.v2);
        self.v0 = self.v0.turn(16).add(self.v3);
        self.v2 = self.v2.add(self.v1);
        self.v3 = self.v3.turn(7).xor(self.v0);
        self.v1 = self.v1.turn(13).xor(self.v2);
        self.v2 = self.v2.turn(16);
        self
    }
}

impl<const C: usize, const D: usize> HalfSip<u32, C, D> {
    /// Returns the hash of one key of `length` bytes; `tail` is the bytes that fill no word.
    #[inline(always)]
    pub(super) fn finish_one(self, tail: &[u8], length: usize) -> u64 {
        let mut last = [0, 0, 0, length as u8];
        last[..tail.len()].copy_from_slice(tail);
        let (low, high) = self.finish(u32::from_le_bytes(last));
        u64::from(high) << 32 | u64::from(low)
    }
}
