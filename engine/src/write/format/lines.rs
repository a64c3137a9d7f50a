//! A growing buffer that does not check its capacity at every byte.
#![forbid(unsafe_code)]

use super::digits::{self, MOST_DIGITS};

/// A buffer of text. The bytes after `length` are free.
///
/// `Vec::push` checks the capacity every time, and safe code cannot write to a `Vec`'s spare capacity.
/// Here a row checks once.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    length: usize,
}

impl Lines {
    /// Returns the text.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Removes the text and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// Returns free space of at least `more` bytes. [`Lines::grown`] tells how many were written.
    #[inline]
    pub(super) fn room(&mut self, more: usize) -> &mut [u8] {
        if self.bytes.len() - self.length < more {
            self.grow(more);
        }
        &mut self.bytes[self.length..]
    }

    /// Adds bytes that were written to the free space to the text.
    #[inline]
    pub(super) fn grown(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.bytes.len() - self.length);
        self.length += bytes;
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let wanted = (self.length + more).max(self.bytes.len() * 2).max(1 << 12);
        self.bytes.resize(wanted, 0);
    }

    /// Appends one byte.
    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.room(1)[0] = byte;
        self.length += 1;
    }

    /// Appends bytes.
    #[inline]
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// Appends a number in decimal.
    #[inline]
    pub(super) fn unsigned(&mut self, number: u64) {
        let digits = digits::put(number, self.room(MOST_DIGITS));
        self.length += digits;
    }

    /// Appends a number in decimal, with its sign if it is negative.
    #[inline]
    pub(super) fn signed(&mut self, number: i64) {
        if number < 0 {
            self.push(b'-');
        }
        self.unsigned(number.unsigned_abs());
    }
}
