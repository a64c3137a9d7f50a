//! The contract hash of many keys at once.
//!
//! A tile of keys is cut into arrays of 32-bit words; one loop over these arrays, straight-line
//! code without branches, is what the compiler turns into vectors of the level's width. Words of
//! 64 bits in that loop would halve the width, so they are cut before and joined after it.
#![forbid(unsafe_code)]

use super::ContractSeed;
use super::half_sip::State;
use crate::Level;
use crate::isa::{Isa, Kernel, dispatch};

/// Keys in a tile: a few vectors, and all arrays of a tile in L1.
const TILE: usize = 128;

/// Hashes keys of 1 to 8 bytes, each in one word.
///
/// The first byte of a key stands lowest and zeros above the last, which is not zero itself: so
/// the word tells the length.
///
/// # Panics
///
/// When `out` is not as long as `keys`.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{ContractSeed, Level, contract_hash::{hash_bytes, hash_short}};
///
/// let seed = ContractSeed(7);
/// let mut out = [0];
/// hash_short(Level::best(), seed, &[u64::from_le_bytes(*b"word\0\0\0\0")], &mut out);
/// assert_eq!(out[0], hash_bytes(seed, b"word"));
/// ```
pub fn hash_short(level: Level, seed: ContractSeed, keys: &[u64], out: &mut [u64]) {
    hash_keys(level, Short(State::new(seed)), keys, out);
}

/// Hashes keys of 9 to 16 bytes, each in two words.
///
/// The first byte of a key stands lowest in the first word and zeros above the last, which is not
/// zero itself.
///
/// # Panics
///
/// When `out` is not as long as `keys`.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{ContractSeed, Level, contract_hash::{hash_bytes, hash_mid}};
///
/// let seed = ContractSeed(7);
/// let key = [*b"twelve l", *b"ong\0\0\0\0\0"].map(u64::from_le_bytes);
/// let mut out = [0];
/// hash_mid(Level::best(), seed, &[key], &mut out);
/// assert_eq!(out[0], hash_bytes(seed, b"twelve long"));
/// ```
pub fn hash_mid(level: Level, seed: ContractSeed, keys: &[[u64; 2]], out: &mut [u64]) {
    hash_keys(level, Mid(State::new(seed)), keys, out);
}

/// Hashes a column of 64-bit values, each by its eight little-endian bytes.
///
/// # Panics
///
/// When `out` is not as long as `values`.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{ContractSeed, Level, contract_hash::{hash_bytes, hash_u64s}};
///
/// let seed = ContractSeed(7);
/// let mut out = [0];
/// hash_u64s(Level::best(), seed, &[9], &mut out);
/// assert_eq!(out[0], hash_bytes(seed, &9u64.to_le_bytes()));
/// ```
pub fn hash_u64s(level: Level, seed: ContractSeed, values: &[u64], out: &mut [u64]) {
    hash_keys(level, Eight(State::new(seed)), values, out);
}

/// Hashes a column of 32-bit values, each by its four little-endian bytes.
///
/// # Panics
///
/// When `out` is not as long as `values`.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{ContractSeed, Level, contract_hash::{hash_bytes, hash_u32s}};
///
/// let seed = ContractSeed(7);
/// let mut out = [0];
/// hash_u32s(Level::best(), seed, &[9], &mut out);
/// assert_eq!(out[0], hash_bytes(seed, &9u32.to_le_bytes()));
/// ```
pub fn hash_u32s(level: Level, seed: ContractSeed, values: &[u32], out: &mut [u64]) {
    hash_keys(level, Four(State::new(seed)), values, out);
}

/// A form of keys: how one is cut into words, and what is hashed of these.
trait Form<const WORDS: usize>: Copy {
    type Key: Copy;

    fn cut(key: Self::Key) -> [u32; WORDS];

    /// The low and the high word of the hash, without a branch.
    fn hash(self, words: [u32; WORDS]) -> (u32, u32);
}

#[derive(Clone, Copy)]
struct Four(State);

impl Form<1> for Four {
    type Key = u32;

    #[inline(always)]
    fn cut(key: u32) -> [u32; 1] {
        [key]
    }

    #[inline(always)]
    fn hash(self, [word]: [u32; 1]) -> (u32, u32) {
        self.0.absorb(word).finish_words(4 << 24)
    }
}

#[derive(Clone, Copy)]
struct Eight(State);

impl Form<2> for Eight {
    type Key = u64;

    #[inline(always)]
    fn cut(key: u64) -> [u32; 2] {
        [key as u32, (key >> 32) as u32]
    }

    #[inline(always)]
    fn hash(self, [low, high]: [u32; 2]) -> (u32, u32) {
        self.0.absorb(low).absorb(high).finish_words(8 << 24)
    }
}

#[derive(Clone, Copy)]
struct Short(State);

impl Form<2> for Short {
    type Key = u64;

    #[inline(always)]
    fn cut(key: u64) -> [u32; 2] {
        [key as u32, (key >> 32) as u32]
    }

    #[inline(always)]
    fn hash(self, [low, high]: [u32; 2]) -> (u32, u32) {
        finish_padded(self.0, 0, low, high)
    }
}

#[derive(Clone, Copy)]
struct Mid(State);

impl Form<4> for Mid {
    type Key = [u64; 2];

    #[inline(always)]
    fn cut([first, second]: [u64; 2]) -> [u32; 4] {
        [
            first as u32,
            (first >> 32) as u32,
            second as u32,
            (second >> 32) as u32,
        ]
    }

    #[inline(always)]
    fn hash(self, [a, b, low, high]: [u32; 4]) -> (u32, u32) {
        finish_padded(self.0.absorb(a).absorb(b), 8, low, high)
    }
}

/// Takes in the last 1 to 8 bytes of a key, padded with zeros, after `before` others.
#[inline(always)]
fn finish_padded(state: State, before: u32, low: u32, high: u32) -> (u32, u32) {
    let one_whole = (high != 0) | (low > 0x00ff_ffff);
    let two_whole = high > 0x00ff_ffff;
    let ends_in = if high != 0 { high } else { low };
    let ahead = if high != 0 { before + 4 } else { before };
    let length = ahead
        + u32::from(ends_in > 0)
        + u32::from(ends_in > 0xff)
        + u32::from(ends_in > 0xffff)
        + u32::from(ends_in > 0x00ff_ffff);
    let tail = if one_whole { high } else { low };
    let tail = if two_whole { 0 } else { tail };
    state
        .absorb_if(one_whole, low)
        .absorb_if(two_whole, high)
        .finish_words(length << 24 | tail)
}

fn hash_keys<F: Form<WORDS>, const WORDS: usize>(
    level: Level,
    form: F,
    keys: &[F::Key],
    out: &mut [u64],
) {
    assert_eq!(keys.len(), out.len(), "one hash for each key");
    dispatch(level, Hash { form, keys, out });
}

struct Hash<'a, F: Form<WORDS>, const WORDS: usize> {
    form: F,
    keys: &'a [F::Key],
    out: &'a mut [u64],
}

impl<F: Form<WORDS>, const WORDS: usize> Kernel for Hash<'_, F, WORDS> {
    type Out = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let mut words = [[0; TILE]; WORDS];
        for (keys, out) in self.keys.chunks(TILE).zip(self.out.chunks_mut(TILE)) {
            hash_tile(self.form, keys, &mut words, out);
        }
    }
}

/// Hashes up to a tile of keys; what an unfilled tile holds beyond them is hashed in vain.
#[inline(always)]
fn hash_tile<F: Form<WORDS>, const WORDS: usize>(
    form: F,
    keys: &[F::Key],
    words: &mut [[u32; TILE]; WORDS],
    out: &mut [u64],
) {
    for (i, &key) in keys.iter().enumerate() {
        let cut = F::cut(key);
        for (column, word) in words.iter_mut().zip(cut) {
            column[i] = word;
        }
    }
    let (mut low, mut high) = ([0; TILE], [0; TILE]);
    for i in 0..TILE {
        (low[i], high[i]) = form.hash(core::array::from_fn(|word| words[word][i]));
    }
    for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
        *out = u64::from(high) << 32 | u64::from(low);
    }
}
