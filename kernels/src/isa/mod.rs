//! The SIMD levels: the primitives that differ between them, as a trait over blocks of 64 bytes.
//!
//! ```text
//! Kernel::run::<I: Isa>   the algorithm, once, `#[inline(always)]`
//!        ▲
//! dispatch(level, kernel) one function per level, with that level's instructions enabled
//! ```
//!
//! Every algorithm is written once over the trait [`Isa`]; [`dispatch`] runs it in a function with
//! the level's instructions enabled. A value of a level's type proves that the processor has these
//! instructions: only [`dispatch`] makes one, after it checked the processor. So the methods are
//! safe to call.
//!
//! No closure may call a primitive: closures cannot be `#[inline(always)]`, and one that is not inlined is
//! compiled without the level's instructions, so that each primitive becomes a call.
//!
//! The sizes that decide where a boundary is (tiles, tables, partitions, chunks) are in one value,
//! [`Tuning`](crate::Tuning). Tests also run with `Tuning::TINY`, where every boundary is common.
#![allow(
    unsafe_code,
    reason = "vector instructions are unsafe to name outside their level"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_numbers;
mod lookup;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::Level;
use crate::parse::column::{short_floats, short_integers};

/// Numbers that are parsed at a time.
pub(crate) const LANES: usize = 8;
/// Bytes of a block: one for each bit of a `u64` mask.
pub(crate) const BLOCK: usize = 64;

/// The primitives of one level, over blocks of 64 bytes.
///
/// Bit `i` of a mask stands for byte `i` of its block.
pub(crate) trait Isa: Copy {
    /// The level of these primitives.
    const LEVEL: Level;
    /// 64 bytes, in as many registers as the level needs.
    type Block: Copy;
    /// Whether a zero byte was seen, in a form of the level.
    type Zeros: Copy;

    /// Reads 64 bytes.
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block;

    /// Prefetches text that is read some time after `bytes`.
    #[inline(always)]
    fn prefetch(self, bytes: &[u8; BLOCK]) {
        let _ = bytes;
    }

    /// Marks the bytes equal to `byte`.
    fn equal(self, block: Self::Block, byte: u8) -> u64;

    /// Marks the bytes from `low` to `high`, both included.
    fn in_range(self, block: Self::Block, low: u8, high: u8) -> u64;

    /// Marks the white space of ASCII: 0x09 to 0x0D and 0x20.
    #[inline(always)]
    fn ascii_space(self, block: Self::Block) -> u64 {
        self.equal(block, b' ') | self.in_range(block, 0x09, 0x0d)
    }

    /// Returns whether any byte is 0x80 or above.
    fn has_non_ascii(self, block: Self::Block) -> bool;

    /// Returns the bitwise or of two blocks, which collects high bits over many blocks.
    fn or(self, a: Self::Block, b: Self::Block) -> Self::Block;

    /// Returns the state in which no zero byte was seen.
    fn no_zeros(self) -> Self::Zeros;

    /// Updates the state, [`Isa::no_zeros`] at first, by the zero bytes of a block.
    fn note_zeros(self, seen: Self::Zeros, block: Self::Block) -> Self::Zeros;

    /// Returns whether any of the noted blocks had a zero byte.
    fn any_zeros(self, seen: Self::Zeros) -> bool;

    /// Returns one bit for each of four words that equals `word`.
    #[inline(always)]
    fn find_in_four(self, words: &[u64; 4], word: u64) -> u32 {
        (0..4).fold(0, |found, i| found | u32::from(words[i] == word) << i)
    }

    /// Returns one bit for each of eight words that equals `word`.
    #[inline(always)]
    fn find_in_eight(self, words: &[u64; 8], word: u64) -> u32 {
        self.find_pair_in_eight(words, [word; 2])
    }

    /// Returns one bit for each of eight words that equals the word of `pair` at its index modulo
    /// 2.
    #[inline(always)]
    fn find_pair_in_eight(self, words: &[u64; 8], pair: [u64; 2]) -> u32 {
        (0..8).fold(0, |found, i| {
            found | u32::from(words[i] == pair[i % 2]) << i
        })
    }

    /// Writes `base +` the index of every set bit, ascending, and returns their number.
    ///
    /// The elements of `out` after this number are unspecified.
    #[inline(always)]
    fn positions(self, mask: u64, base: u16, out: &mut [u16; BLOCK]) -> usize {
        lookup::positions(mask, base, out)
    }

    /// Writes `base +` the index of every set bit, ascending, as 32-bit numbers; see [`Isa::positions`].
    #[inline(always)]
    fn wide_positions(self, mask: u64, base: u32, out: &mut [u32; BLOCK]) -> usize {
        let mut places = [0; BLOCK];
        let count = self.positions(mask, 0, &mut places);
        let groups = out
            .as_chunks_mut::<16>()
            .0
            .iter_mut()
            .zip(places.as_chunks::<16>().0);
        for (to, from) in groups.take(count.div_ceil(16)) {
            for (to, &from) in to.iter_mut().zip(from) {
                *to = base.wrapping_add(from.into());
            }
        }
        count
    }

    /// Writes for every set bit of `bits`, ascending, `base +` the number of bits of `mask` below it, and
    /// returns their number. All bits of `bits` are in `mask`.
    ///
    /// The elements of `out` after this number are unspecified.
    #[inline(always)]
    fn ranks(self, bits: u64, mask: u64, base: u32, out: &mut [u32; BLOCK]) -> usize {
        let (mut left, mut count) = (bits, 0);
        while left != 0 {
            let bit = left & left.wrapping_neg();
            out[count % BLOCK] = base.wrapping_add((mask & (bit - 1)).count_ones());
            count += 1;
            left ^= bit;
        }
        count
    }

    /// Parses integers of one to eight bytes, from the first bytes and the length of each text. Returns one bit
    /// for each text that it does not know; its value is unspecified.
    #[inline(always)]
    fn short_integers(
        self,
        words: &[u64; LANES],
        lengths: &[u64; LANES],
        values: &mut [i64; LANES],
    ) -> u8 {
        short_integers(words, lengths, values)
    }

    /// Parses floats of one to eight bytes without an exponent; see [`Isa::short_integers`].
    #[inline(always)]
    fn short_floats(
        self,
        words: &[u64; LANES],
        lengths: &[u64; LANES],
        values: &mut [f64; LANES],
    ) -> u8 {
        short_floats(words, lengths, values)
    }

    /// Splits token spans into those of `least` to `least + 7` bytes, prepared for a key load, and
    /// the others.
    ///
    /// A span is `start | end << 16`. A span of the class becomes `start | shift << 16`. The token
    /// is read as consecutive `u64` words from `start` on; `shift` moves its last byte to the top
    /// of the last word. `least` must be 1 more than a multiple of 8. Returns the numbers of spans
    /// in `class` and in `rest`; both must hold `spans.len() + 16`.
    fn split_class(
        self,
        least: u32,
        spans: &[u32],
        class: &mut [u32],
        rest: &mut [u32],
    ) -> (usize, usize) {
        split_from(0, least, spans, class, rest, (0, 0))
    }
}

/// Returns a span prepared for a key load; see [`Isa::split_class`].
#[inline(always)]
fn ready(span: u32) -> u32 {
    let bits = (span.wrapping_sub(span >> 16) & 7) << 3;
    (span & 0xffff) | (bits << 16)
}

/// Does [`Isa::split_class`] for the spans from `first` on, one at a time and without a branch.
#[inline(always)]
fn split_from(
    first: usize,
    least: u32,
    spans: &[u32],
    class: &mut [u32],
    rest: &mut [u32],
    (mut classed, mut rests): (usize, usize),
) -> (usize, usize) {
    // Neither is above `first`, as each span before it went to one of the lists.
    assert!(classed <= first && rests <= first);
    assert!(class.len() >= spans.len() && rest.len() >= spans.len());
    for &span in &spans[first..] {
        let length = (span >> 16) - (span & 0xffff);
        let is_classed = usize::from(length.wrapping_sub(least) < 8);
        // SAFETY: each list grows by at most one per span, and has room for all spans.
        unsafe {
            *class.as_mut_ptr().add(classed) = ready(span);
            *rest.as_mut_ptr().add(rests) = span;
        }
        classed += is_classed;
        rests += 1 - is_classed;
    }
    (classed, rests)
}

/// An algorithm over the primitives of any level.
pub(crate) trait Kernel {
    /// Its result.
    type Out;

    /// Runs the algorithm. Implementations are `#[inline(always)]`, so that they are compiled with
    /// the level's instructions.
    fn run<I: Isa>(self, isa: I) -> Self::Out;
}

/// Runs `kernel` with the instructions of `level`, or with portable ones if it is not available.
#[inline]
pub(crate) fn dispatch<K: Kernel>(level: Level, kernel: K) -> K::Out {
    #[cfg(target_arch = "x86_64")]
    if level.is_available() {
        match level {
            // SAFETY: `is_available` has found every feature that this function enables.
            Level::Avx2 => return unsafe { avx2::enter(kernel) },
            // SAFETY: as above.
            Level::Avx512 => return unsafe { avx512::enter(kernel) },
            Level::Scalar | Level::Neon => {}
        }
    }
    #[cfg(target_arch = "aarch64")]
    if level == Level::Neon && level.is_available() {
        // SAFETY: `is_available` has found NEON.
        return unsafe { neon::enter(kernel) };
    }
    let _ = level;
    kernel.run(scalar::Scalar)
}

#[cfg(test)]
mod tests;
