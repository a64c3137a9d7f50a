//! The stable hash of batches of keys.
//!
//! A tile of keys is split into arrays of 32-bit words. The compiler vectorizes one loop over these
//! arrays, which has no branches, to the level's width. Words of 64 bits in that loop would halve
//! the number of lanes, so they are split before and joined after it.
#![forbid(unsafe_code)]

use super::HashSeed;
use super::half_sip::{Four, State, Word};
use crate::Level;
use crate::isa::{Isa, Kernel, dispatch};

/// Number of independent vectors in the loop.
const SIDE: usize = 4;
/// Keys of one of these: a few vectors; all arrays of a tile fit in L1.
const PART: usize = 32;
/// Keys of a tile.
const TILE: usize = PART * SIDE;

/// Hashes keys of 1 to 8 bytes, each in one word.
///
/// The first byte of a key is lowest, and zeros are above the last byte, which must not be zero: so
/// the word determines the length.
///
/// # Panics
///
/// When the lengths of `keys` and `out` differ.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{HashSeed, Level, stable_hash::{hash_bytes, hash_short}};
///
/// let seed = HashSeed(7);
/// let mut out = [0];
/// hash_short(Level::best(), seed, &[u64::from_le_bytes(*b"word\0\0\0\0")], &mut out);
/// assert_eq!(out[0], hash_bytes(seed, b"word"));
/// ```
pub fn hash_short(level: Level, seed: HashSeed, keys: &[u64], out: &mut [u64]) {
    hash_keys(level, Short(seed), keys, out);
}

/// Hashes keys of 9 to 16 bytes, each in two words.
///
/// The first byte of a key is lowest in the first word, and zeros are above the last byte, which
/// must not be zero.
///
/// # Panics
///
/// When the lengths of `keys` and `out` differ.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{HashSeed, Level, stable_hash::{hash_bytes, hash_mid}};
///
/// let seed = HashSeed(7);
/// let key = [*b"twelve l", *b"ong\0\0\0\0\0"].map(u64::from_le_bytes);
/// let mut out = [0];
/// hash_mid(Level::best(), seed, &[key], &mut out);
/// assert_eq!(out[0], hash_bytes(seed, b"twelve long"));
/// ```
pub fn hash_mid(level: Level, seed: HashSeed, keys: &[[u64; 2]], out: &mut [u64]) {
    hash_keys(level, Mid(seed), keys, out);
}

/// Hashes a column of 64-bit values, each by its eight little-endian bytes.
///
/// # Panics
///
/// When the lengths of `values` and `out` differ.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{HashSeed, Level, stable_hash::{hash_bytes, hash_u64s}};
///
/// let seed = HashSeed(7);
/// let mut out = [0];
/// hash_u64s(Level::best(), seed, &[9], &mut out);
/// assert_eq!(out[0], hash_bytes(seed, &9u64.to_le_bytes()));
/// ```
pub fn hash_u64s(level: Level, seed: HashSeed, values: &[u64], out: &mut [u64]) {
    hash_keys(level, Wide(seed), values, out);
}

/// Hashes a column of 32-bit values, each by its four little-endian bytes.
///
/// # Panics
///
/// When the lengths of `values` and `out` differ.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{HashSeed, Level, stable_hash::{hash_bytes, hash_u32s}};
///
/// let seed = HashSeed(7);
/// let mut out = [0];
/// hash_u32s(Level::best(), seed, &[9], &mut out);
/// assert_eq!(out[0], hash_bytes(seed, &9u32.to_le_bytes()));
/// ```
pub fn hash_u32s(level: Level, seed: HashSeed, values: &[u32], out: &mut [u64]) {
    hash_keys(level, Narrow(seed), values, out);
}

/// A form of keys: how a key is split into words, and how these are hashed.
trait Form<const WORDS: usize>: Copy {
    type Key: Copy + Default;

    fn cut(key: Self::Key) -> [u32; WORDS];

    /// Returns the low and the high words of the hashes, without a branch.
    fn hash<W: Word>(self, words: [W; WORDS]) -> (W, W);
}

#[derive(Clone, Copy)]
struct Narrow(HashSeed);

impl Form<1> for Narrow {
    type Key = u32;

    #[inline(always)]
    fn cut(key: u32) -> [u32; 1] {
        [key]
    }

    #[inline(always)]
    fn hash<W: Word>(self, [word]: [W; 1]) -> (W, W) {
        State::new(self.0).absorb(word).finish(W::splat(4 << 24))
    }
}

#[derive(Clone, Copy)]
struct Wide(HashSeed);

impl Form<2> for Wide {
    type Key = u64;

    #[inline(always)]
    fn cut(key: u64) -> [u32; 2] {
        [key as u32, (key >> 32) as u32]
    }

    #[inline(always)]
    fn hash<W: Word>(self, [low, high]: [W; 2]) -> (W, W) {
        let state = State::new(self.0).absorb(low).absorb(high);
        state.finish(W::splat(8 << 24))
    }
}

#[derive(Clone, Copy)]
struct Short(HashSeed);

impl Form<2> for Short {
    type Key = u64;

    #[inline(always)]
    fn cut(key: u64) -> [u32; 2] {
        Wide::cut(key)
    }

    #[inline(always)]
    fn hash<W: Word>(self, [low, high]: [W; 2]) -> (W, W) {
        finish_padded(State::new(self.0), 0, low, high)
    }
}

#[derive(Clone, Copy)]
struct Mid(HashSeed);

impl Form<4> for Mid {
    type Key = [u64; 2];

    #[inline(always)]
    fn cut([first, second]: [u64; 2]) -> [u32; 4] {
        let ([a, b], [c, d]) = (Wide::cut(first), Wide::cut(second));
        [a, b, c, d]
    }

    #[inline(always)]
    fn hash<W: Word>(self, [a, b, low, high]: [W; 4]) -> (W, W) {
        finish_padded(State::new(self.0).absorb(a).absorb(b), 8, low, high)
    }
}

/// Adds the last 1 to 8 bytes of keys, padded with zeros, after `before` other bytes.
///
/// Words that a short key has not are skipped at the beginning, so that all keys that skip words
/// start from the same state.
#[inline(always)]
fn finish_padded<W: Word>(state: State<W>, before: u32, low: W, high: W) -> (W, W) {
    let two_whole = high.map(|high| mask(high > 0x00ff_ffff));
    let one_whole = low.zip(high, |low, high| mask((high != 0) | (low > 0x00ff_ffff)));
    let last = low.zip(high, |low, high| last_word(before, low, high));
    let first = state.absorb(low).or_else(two_whole, state);
    let second = first.absorb(high.or_else(two_whole, low));
    second.or_else(one_whole, state).finish(last)
}

#[inline(always)]
fn mask(set: bool) -> u32 {
    u32::from(set).wrapping_neg()
}

/// Returns the last word of a padded key: the bytes that fill no word, and the length at the top.
#[inline(always)]
fn last_word(before: u32, low: u32, high: u32) -> u32 {
    let ends_in = if high != 0 { high } else { low };
    let ahead = if high != 0 { before + 5 } else { before + 1 };
    let length = ahead
        + u32::from(ends_in > 0xff)
        + u32::from(ends_in > 0xffff)
        + u32::from(ends_in > 0x00ff_ffff);
    let tail = if ends_in > 0x00ff_ffff { 0 } else { ends_in };
    length << 24 | tail
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
        let (tiles, rest) = self.keys.as_chunks::<TILE>();
        let (outs, rest_out) = self.out.as_chunks_mut::<TILE>();
        for (keys, out) in tiles.iter().zip(outs) {
            hash_tile(self.form, keys, out);
        }
        if !rest.is_empty() {
            let (mut keys, mut out) = ([F::Key::default(); TILE], [0; TILE]);
            keys[..rest.len()].copy_from_slice(rest);
            hash_tile(self.form, &keys, &mut out);
            rest_out.copy_from_slice(&out[..rest.len()]);
        }
    }
}

#[inline(always)]
fn hash_tile<F: Form<WORDS>, const WORDS: usize>(
    form: F,
    keys: &[F::Key; TILE],
    out: &mut [u64; TILE],
) {
    let mut words = [[0; TILE]; WORDS];
    for i in 0..TILE {
        let cut = F::cut(keys[i]);
        for word in 0..WORDS {
            words[word][i] = cut[word];
        }
    }
    let (mut low, mut high) = ([0; TILE], [0; TILE]);
    for i in 0..PART {
        let [a, b, c, d] = [i, i + PART, i + 2 * PART, i + 3 * PART];
        let beside = |word: &[u32; TILE]| Four(word[a], word[b], word[c], word[d]);
        let (lows, highs) = form.hash(words.each_ref().map(beside));
        (low[a], low[b], low[c], low[d]) = (lows.0, lows.1, lows.2, lows.3);
        (high[a], high[b], high[c], high[d]) = (highs.0, highs.1, highs.2, highs.3);
    }
    for i in 0..TILE {
        out[i] = u64::from(high[i]) << 32 | u64::from(low[i]);
    }
}
