//! Hashes the canonical bytes of a key, column by column.
#![forbid(unsafe_code)]

use super::HashSeed;
use super::half_sip::State;

/// The hash of a key of several columns, or with nulls, computed column by column.
///
/// ```text
/// u32 5, bytes "xy", null  ->  00 05 00 00 00 | 00 78 79 02 00 00 00 | 01
/// ```
///
/// # Examples
///
/// ```
/// use keymill_kernels::{HashSeed, stable_hash::{CanonicalKey, hash_bytes}};
///
/// let seed = HashSeed(7);
/// let key = CanonicalKey::new(seed).fixed(5u32.to_le_bytes()).bytes(b"xy").null();
/// assert_eq!(key.finish(), hash_bytes(seed, b"\0\x05\0\0\0\0xy\x02\0\0\0\x01"));
/// ```
#[derive(Clone, Debug)]
pub struct CanonicalKey {
    state: State<u32>,
    /// Up to three bytes that do not fill a word yet.
    waiting: [u8; 4],
    length: usize,
}

impl CanonicalKey {
    /// Begins a key.
    #[must_use]
    pub fn new(seed: HashSeed) -> Self {
        Self {
            state: State::new(seed),
            waiting: [0; 4],
            length: 0,
        }
    }

    /// Adds a null.
    #[must_use]
    pub fn null(self) -> Self {
        self.raw(&[1])
    }

    /// Adds a value of fixed width, as its little-endian bytes.
    #[must_use]
    pub fn fixed<const WIDTH: usize>(self, little_endian: [u8; WIDTH]) -> Self {
        self.raw(&[0]).raw(&little_endian)
    }

    /// Adds a value of any length; its length is hashed modulo 2³².
    #[must_use]
    pub fn bytes(self, value: &[u8]) -> Self {
        let length = value.len() as u32;
        self.raw(&[0]).raw(value).raw(&length.to_le_bytes())
    }

    /// Returns the hash of the key.
    #[must_use]
    pub fn finish(self) -> u64 {
        let tail = &self.waiting[..self.length % 4];
        self.state.finish_one(tail, self.length)
    }

    /// Adds bytes.
    fn raw(mut self, mut bytes: &[u8]) -> Self {
        let waiting = self.length % 4;
        self.length = self.length.wrapping_add(bytes.len());
        if waiting > 0 {
            let taken = bytes.len().min(4 - waiting);
            self.waiting[waiting..waiting + taken].copy_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if waiting + taken < 4 {
                return self;
            }
            self.state = self.state.absorb(u32::from_le_bytes(self.waiting));
        }
        let (words, tail) = bytes.as_chunks::<4>();
        for word in words {
            self.state = self.state.absorb(u32::from_le_bytes(*word));
        }
        self.waiting[..tail.len()].copy_from_slice(tail);
        self
    }
}
