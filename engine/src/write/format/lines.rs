//! Bytes that grow by pieces, without asking for room at every byte.
#![forbid(unsafe_code)]

use super::digits::{self, MOST_DIGITS};

/// A buffer of text; what lies behind `length` is room.
///
/// A `Vec` that is pushed to checks for room at every push and has no room that safe code may
/// write to in one go; here a row asks once.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    length: usize,
}

impl Lines {
    /// The text so far.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Forgets the text and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// Makes room for `more` bytes and gives it out; [`Lines::grown`] says how many were used.
    #[inline]
    pub(super) fn room(&mut self, more: usize) -> &mut [u8] {
        if self.bytes.len() - self.length < more {
            self.grow(more);
        }
        &mut self.bytes[self.length..]
    }

    /// Counts bytes that were written to the room as text.
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
