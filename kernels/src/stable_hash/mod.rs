//! The stable hash, which decides a key's partition: the same on every device and in every release.
//!
//! It is HalfSipHash-1-3 with a seed of 64 bits and a result of 64 bits. It is keyed, resists
//! chosen keys, and uses 32-bit operations only, so that a shader can compute it. It hashes the
//! canonical bytes of a key:
//!
//! ```text
//! one bytes column without nulls     its bytes
//! one fixed-width column             the value, little-endian, at its own width
//! several columns, or nulls          column by column: 00 and the value, or 01 for a null;
//!                                    bytes are followed by their length, a little-endian u32
//! ```
//!
//! There are two kinds of hashes. The stable hash is for partitions, spill files and checkpoints;
//! it is computed per group, and golden vectors in the tests fix its values. *Table hashes* are
//! faster and keyed per query; they only decide where a probe starts, as keys are always compared
//! by bytes.
#![forbid(unsafe_code)]

mod batch;
mod canonical;
mod half_sip;

pub use batch::{hash_mid, hash_short, hash_u32s, hash_u64s};
pub use canonical::CanonicalKey;

use self::half_sip::State;

/// The secret key of the stable hash: one for each query, stored in its checkpoint.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{HashSeed, stable_hash::hash_bytes};
///
/// assert_ne!(hash_bytes(HashSeed(1), b"key"), hash_bytes(HashSeed(2), b"key"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HashSeed(pub u64);

/// Hashes the canonical bytes of a key.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{HashSeed, stable_hash::hash_bytes};
///
/// let seed = HashSeed(0x0706_0504_0302_0100);
/// assert_eq!(hash_bytes(seed, b""), 0x2af7_2023_21d0_a576);
/// ```
#[must_use]
pub fn hash_bytes(seed: HashSeed, bytes: &[u8]) -> u64 {
    let (words, tail) = bytes.as_chunks::<4>();
    let state = words.iter().fold(State::new(seed), |state, word| {
        state.absorb(u32::from_le_bytes(*word))
    });
    state.finish_one(tail, bytes.len())
}

/// Returns the partition of a hash among `partitions`: by its high word.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stable_hash::partition_of;
///
/// assert_eq!(partition_of(0x7fff_ffff_0000_0000, 10), 4);
/// assert_eq!(partition_of(u64::MAX, 10), 9);
/// ```
#[inline(always)]
#[must_use]
pub const fn partition_of(hash: u64, partitions: u32) -> u32 {
    scale((hash >> 32) as u32, partitions)
}

/// Returns the part of a hash when one partition is split again: by its low word.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stable_hash::split_again;
///
/// assert_eq!(split_again(0xdead_beef_7fff_ffff, 10), 4);
/// ```
#[inline(always)]
#[must_use]
pub const fn split_again(hash: u64, parts: u32) -> u32 {
    scale(hash as u32, parts)
}

/// Maps `0..2³²` evenly to `0..parts`, in order.
#[inline(always)]
const fn scale(word: u32, parts: u32) -> u32 {
    ((word as u64 * parts as u64) >> 32) as u32
}

#[cfg(test)]
mod tests;
