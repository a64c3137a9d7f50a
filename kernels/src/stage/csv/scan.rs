//! Finds delimiters and line ends outside of quotes, 64 bytes at a time.

use super::QUOTE;
use crate::isa::{BLOCK, Isa, Kernel};

/// Takes what is found, block by block.
pub(super) trait Found {
    /// Takes the delimiters and the line ends outside of quotes, and all line ends. `base` is the place of
    /// the block in the text.
    fn block<I: Isa>(
        &mut self,
        isa: I,
        base: usize,
        delimiters: u64,
        line_ends: u64,
        all_line_ends: u64,
    );
}

/// What a text has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) quotes: bool,
    /// Carriage returns.
    pub(super) crs: bool,
    /// Whether it ends inside quotes.
    pub(super) is_open: bool,
}

/// A scan of a text that begins with a record.
pub(super) struct Scan<'t, F> {
    text: &'t [u8],
    delimiter: u8,
    found: F,
    /// All ones inside quotes, else 0.
    inside: u64,
    /// Bit 0: a quote may open at the next byte.
    may_open: u64,
    /// Quotes that opened where none may.
    wrong: u64,
    has_quotes: bool,
    crs: u64,
}

impl<'t, F: Found> Scan<'t, F> {
    pub(super) fn new(text: &'t [u8], delimiter: u8, found: F) -> Self {
        Self {
            text,
            delimiter,
            found,
            inside: 0,
            may_open: 1,
            wrong: 0,
            has_quotes: false,
            crs: 0,
        }
    }

    #[inline(always)]
    fn block<I: Isa>(&mut self, isa: I, bytes: &[u8; BLOCK], base: usize, valid: u64) {
        let block = isa.load(bytes);
        let quotes = isa.equal(block, QUOTE) & valid;
        let delimiters = isa.equal(block, self.delimiter) & valid;
        let line_ends = isa.equal(block, b'\n') & valid;
        self.crs |= isa.equal(block, b'\r');
        if quotes == 0 && self.inside == 0 {
            self.may_open = (delimiters | line_ends) >> 63;
            return self
                .found
                .block(isa, base, delimiters, line_ends, line_ends);
        }
        self.has_quotes = true;
        // Bits from an opening quote up to the byte before the closing one.
        let inside = prefix_xor(quotes) ^ self.inside;
        let ends = (delimiters | line_ends) & !inside;
        // A quote opens after the end of a field, or doubles a quote within quotes.
        let before = (ends | quotes) << 1 | self.may_open;
        self.wrong |= quotes & inside & !before;
        self.may_open = (ends | quotes) >> 63;
        self.inside = ((inside >> 63) as i64).wrapping_neg() as u64;
        self.found.block(
            isa,
            base,
            delimiters & !inside,
            line_ends & !inside,
            line_ends,
        );
    }
}

impl<F: Found> Kernel for Scan<'_, F> {
    /// What was found, and what else the text has; `None` if a quote is data, so that what was found is not
    /// to be used.
    type Out = (F, Option<Seen>);

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) -> Self::Out {
        let (blocks, rest) = self.text.as_chunks::<BLOCK>();
        for (number, bytes) in blocks.iter().enumerate() {
            self.block(isa, bytes, number * BLOCK, u64::MAX);
        }
        if !rest.is_empty() {
            let mut bytes = [0; BLOCK];
            bytes[..rest.len()].copy_from_slice(rest);
            let valid = u64::MAX >> (BLOCK - rest.len());
            self.block(isa, &bytes, blocks.len() * BLOCK, valid);
        }
        let seen = Seen {
            quotes: self.has_quotes,
            crs: self.crs != 0,
            is_open: self.inside != 0,
        };
        (self.found, (self.wrong == 0).then_some(seen))
    }
}

/// Bit `i` of the result is the parity of the bits 0 to `i`.
#[inline(always)]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}
