//! Portable primitives: eight bytes at a time in a `u64`.

use super::{BLOCK, Isa};
use crate::Level;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Plain Rust, for every architecture.
#[derive(Clone, Copy)]
pub(super) struct Scalar;

impl Isa for Scalar {
    const LEVEL: Level = Level::Scalar;
    type Block = [u64; 8];
    /// Bit 7 of a byte is set if a zero was seen there.
    type Zeros = u64;

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> [u64; 8] {
        let (words, _) = bytes.as_chunks::<8>();
        core::array::from_fn(|i| u64::from_le_bytes(words[i]))
    }

    #[inline(always)]
    fn equal(self, block: [u64; 8], byte: u8) -> u64 {
        mask_of(block, |word| zero_bytes(word ^ (ONES * u64::from(byte))))
    }

    #[inline(always)]
    fn in_range(self, block: [u64; 8], low: u8, high: u8) -> u64 {
        mask_of(block, |word| {
            at_least(word, low) & !at_least_above(word, high)
        })
    }

    #[inline(always)]
    fn ascii_space(self, block: [u64; 8]) -> u64 {
        mask_of(block, |word| {
            let low = word & !HIGHS;
            // Seven-bit sums do not carry between bytes: bit 7 of `low + (0x80 - n)` is `low >= n`.
            let from_tab = low + ONES * (0x80 - 0x09);
            let past_return = low + ONES * (0x80 - 0x0e);
            let space = zero_bytes(word ^ (ONES * 0x20));
            ((from_tab & !past_return & !word) | space) & HIGHS
        })
    }

    #[inline(always)]
    fn has_non_ascii(self, block: [u64; 8]) -> bool {
        block.into_iter().fold(0, |all, word| all | word) & HIGHS != 0
    }

    #[inline(always)]
    fn or(self, a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        core::array::from_fn(|i| a[i] | b[i])
    }

    #[inline(always)]
    fn no_zeros(self) -> u64 {
        0
    }

    #[inline(always)]
    fn note_zeros(self, seen: u64, block: [u64; 8]) -> u64 {
        // A borrow may also mark the byte above a zero one, which does not matter here.
        block
            .into_iter()
            .fold(seen, |seen, word| seen | (word.wrapping_sub(ONES) & !word))
    }

    #[inline(always)]
    fn any_zeros(self, seen: u64) -> bool {
        seen & HIGHS != 0
    }
}

/// Sets bit 7 of each byte if that byte of `word` is zero; exact, without borrows.
#[inline(always)]
fn zero_bytes(word: u64) -> u64 {
    !(((word & !HIGHS) + !HIGHS) | word) & HIGHS
}

/// Sets bit 7 of each byte if that byte of `word` is at least `low`.
#[inline(always)]
fn at_least(word: u64, low: u8) -> u64 {
    let seven = word & !HIGHS;
    if low < 0x80 {
        (word | (seven + ONES * u64::from(0x80 - low))) & HIGHS
    } else {
        (word & (seven + ONES * u64::from(0x80 - (low & 0x7f)))) & HIGHS
    }
}

/// Sets bit 7 of each byte if that byte of `word` is above `high`.
#[inline(always)]
fn at_least_above(word: u64, high: u8) -> u64 {
    high.checked_add(1).map_or(0, |above| at_least(word, above))
}

/// Gathers bit 7 of each byte of eight words into one mask.
#[inline(always)]
fn mask_of(block: [u64; 8], flags: impl Fn(u64) -> u64) -> u64 {
    let mut mask = 0;
    for (i, word) in block.into_iter().enumerate() {
        // The product moves the eight flag bits to separate places in the top byte.
        let bits = (flags(word) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= bits << (8 * i);
    }
    mask
}
