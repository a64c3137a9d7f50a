//! The few primitives in which levels differ; every algorithm is written once over them.
//!
//! ```text
//! Kernel::run::<I: Isa>   the algorithm, once, `#[inline(always)]`
//!        ▲
//! dispatch(level, kernel) one function per level, with that level's instructions enabled
//! ```
//!
//! An [`Isa`] value is a proof that the machine has its instructions: only [`dispatch`] makes one,
//! after it asked the processor. So the methods are safe to call.
#![allow(
    unsafe_code,
    reason = "vector instructions are unsafe to name outside their level"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod lookup;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::Level;

/// Bytes in a block: one bit of a `u64` mask for each.
pub(crate) const BLOCK: usize = 64;

/// The primitives of one level, over blocks of 64 bytes.
///
/// Bit `i` of every mask speaks of byte `i` of its block.
pub(crate) trait Isa: Copy {
    /// The level these primitives belong to.
    const LEVEL: Level;
    /// 64 bytes, in however many registers the level needs.
    type Block: Copy;
    /// Whether a zero byte was seen, in whatever form the level keeps it.
    type Zeros: Copy;

    /// Reads 64 bytes.
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block;

    /// Asks for the text that is read some time after `bytes`.
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

    /// Tells whether any of the bytes is 0x80 or above.
    fn has_non_ascii(self, block: Self::Block) -> bool;

    /// The bitwise or of two blocks; keeps "somewhere a high bit is set" over many of them.
    fn or(self, a: Self::Block, b: Self::Block) -> Self::Block;

    /// Says that no zero byte was seen yet.
    fn no_zeros(self) -> Self::Zeros;

    /// Keeps "somewhere a byte is zero" over this block too; begins as [`Isa::no_zeros`].
    fn note_zeros(self, seen: Self::Zeros, block: Self::Block) -> Self::Zeros;

    /// Tells whether any of the noted blocks had a byte that is zero.
    fn any_zeros(self, seen: Self::Zeros) -> bool;

    /// One bit for each of four words that equals `word`.
    #[inline(always)]
    fn find_in_four(self, words: &[u64; 4], word: u64) -> u32 {
        (0..4).fold(0, |found, i| found | u32::from(words[i] == word) << i)
    }

    /// One bit for each of eight words that equals `word`.
    #[inline(always)]
    fn find_in_eight(self, words: &[u64; 8], word: u64) -> u32 {
        self.find_pair_in_eight(words, [word; 2])
    }

    /// One bit for each of eight words that equals the word of `pair` with the same parity.
    #[inline(always)]
    fn find_pair_in_eight(self, words: &[u64; 8], pair: [u64; 2]) -> u32 {
        (0..8).fold(0, |found, i| {
            found | u32::from(words[i] == pair[i % 2]) << i
        })
    }

    /// Writes `base +` the index of every set bit, ascending, and returns how many there are.
    ///
    /// What stands in `out` past the returned count is unspecified.
    #[inline(always)]
    fn positions(self, mask: u64, base: u16, out: &mut [u16; BLOCK]) -> usize {
        lookup::positions(mask, base, out)
    }

    /// Cuts token spans into those of `least` to `least + 7` bytes, made ready for a key load, and
    /// the others.
    ///
    /// A span is `start | end << 16`. One of the class becomes `start | shift << 16`, where `shift`
    /// moves the token's last byte to the top of the `u64` that holds it, of those that follow each
    /// other from `start` on; `least` must be 1 more than a multiple of 8.
    /// Returns how many went to `class` and to `rest`; both must hold `spans.len() + 16`.
    #[inline(always)]
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

/// A span made ready for a key load; see [`Isa::split_class`].
#[inline(always)]
fn ready(span: u32) -> u32 {
    let bits = (span.wrapping_sub(span >> 16) & 7) << 3;
    (span & 0xffff) | (bits << 16)
}

/// [`Isa::split_class`] for the spans from `first` on, one at a time and without a branch.
#[inline(always)]
fn split_from(
    first: usize,
    least: u32,
    spans: &[u32],
    class: &mut [u32],
    rest: &mut [u32],
    (mut classed, mut rests): (usize, usize),
) -> (usize, usize) {
    // Neither is beyond `first`, as each span before it went to one of the lists.
    assert!(classed <= first && rests <= first);
    assert!(class.len() >= spans.len() && rest.len() >= spans.len());
    for &span in &spans[first..] {
        let length = (span >> 16) - (span & 0xffff);
        let is_classed = usize::from(length.wrapping_sub(least) < 8);
        // SAFETY: each list has grown by at most one a span, and holds one for every span.
        unsafe {
            *class.as_mut_ptr().add(classed) = ready(span);
            *rest.as_mut_ptr().add(rests) = span;
        }
        classed += is_classed;
        rests += 1 - is_classed;
    }
    (classed, rests)
}

/// An algorithm, written once over the primitives of a level.
pub(crate) trait Kernel {
    /// What it answers.
    type Out;

    /// Runs it. Implementations are `#[inline(always)]`, so that the level's entry compiles them
    /// with its instructions.
    fn run<I: Isa>(self, isa: I) -> Self::Out;
}

/// Runs `kernel` with the instructions of `level`, or with portable ones where they are missing.
#[inline]
pub(crate) fn dispatch<K: Kernel>(level: Level, kernel: K) -> K::Out {
    #[cfg(target_arch = "x86_64")]
    if level.is_available() {
        match level {
            // SAFETY: `is_available` has just found every feature that the entry enables.
            Level::Avx2 => return unsafe { avx2::enter(kernel) },
            // SAFETY: as above.
            Level::Avx512 => return unsafe { avx512::enter(kernel) },
            Level::Scalar | Level::Neon => {}
        }
    }
    #[cfg(target_arch = "aarch64")]
    if level == Level::Neon && level.is_available() {
        // SAFETY: `is_available` says that the processor has NEON.
        return unsafe { neon::enter(kernel) };
    }
    let _ = level;
    kernel.run(scalar::Scalar)
}

#[cfg(test)]
mod tests;
