//! Splits a tile's tokens by the class of their length, and counts each class in its table.

use super::partition::Scatter;
use crate::KeyCounts;
use crate::buffer::Window;
use crate::isa::Isa;
use crate::table::{CountTable, InlineKey};

/// Lists of tokens that are reused for each tile.
pub(super) struct Lists {
    short: Vec<u32>,
    /// Tokens that are not short; those that are not mid either go to `others`.
    rest: Vec<u32>,
    mid: Vec<u32>,
    others: Vec<u32>,
    missed_short: Vec<u64>,
    missed_mid: Vec<[u64; 2]>,
    /// Tokens of a tile with NUL bytes: those without one, and those with one.
    clean: Vec<u32>,
    with_nul: Vec<u32>,
}

/// The number of spans in each list.
struct Sizes {
    short: usize,
    mid: usize,
    others: usize,
}

impl Lists {
    /// Makes room for the tokens of a tile.
    pub(super) fn new(tile_bytes: usize) -> Self {
        // A tile has at most one token more than bytes; the last vector is written whole.
        let room = tile_bytes + 32;
        let list = || vec![0; room];
        Self {
            short: list(),
            rest: list(),
            mid: list(),
            others: list(),
            missed_short: vec![0; room],
            missed_mid: vec![[0; 2]; room],
            clean: Vec::new(),
            with_nul: Vec::new(),
        }
    }

    #[inline(always)]
    fn fill<I: Isa>(&mut self, isa: I, spans: &[u32]) -> Sizes {
        let (short, rest) = isa.split_class(1, spans, &mut self.short, &mut self.rest);
        let rest = &self.rest[..rest];
        let (mid, others) = isa.split_class(9, rest, &mut self.mid, &mut self.others);
        Sizes { short, mid, others }
    }

    /// Splits tokens by whether a NUL byte makes them long.
    fn split_by_nul(&mut self, window: Window<'_>, spans: &[u32]) {
        self.clean.clear();
        self.with_nul.clear();
        for &span in spans {
            match holds_nul(window, span) {
                true => self.with_nul.push(span),
                false => self.clean.push(span),
            }
        }
    }

    /// Counts tokens that may hold NUL bytes.
    #[inline(always)]
    pub(super) fn count_any<I: Isa>(
        &mut self,
        isa: I,
        window: Window<'_>,
        spans: &[u32],
        table: &mut CountTable,
    ) {
        self.split_by_nul(window, spans);
        table.empty += table.long.count(window, &self.with_nul);
        let clean = core::mem::take(&mut self.clean);
        self.count(isa, window, &clean, table);
        self.clean = clean;
    }

    /// Writes tokens that may hold NUL bytes to their partitions, uncounted.
    #[inline(always)]
    pub(super) fn scatter_any<I: Isa>(
        &mut self,
        isa: I,
        window: Window<'_>,
        spans: &[u32],
        scatter: &mut Scatter,
        parts: &mut [KeyCounts],
    ) {
        self.split_by_nul(window, spans);
        for &span in &self.with_nul {
            scatter.key(parts, window.slice(span));
        }
        let clean = core::mem::take(&mut self.clean);
        self.scatter(isa, window, &clean, scatter, parts);
        self.clean = clean;
    }

    /// Counts tokens that hold no NUL byte.
    #[inline(always)]
    pub(super) fn count<I: Isa>(
        &mut self,
        isa: I,
        window: Window<'_>,
        spans: &[u32],
        table: &mut CountTable,
    ) {
        let sizes = self.fill(isa, spans);
        table
            .short
            .count(window, &self.short[..sizes.short], &mut self.missed_short);
        table
            .mid
            .count(window, &self.mid[..sizes.mid], &mut self.missed_mid);
        table.empty += table.long.count(window, &self.others[..sizes.others]);
    }

    /// Writes tokens that hold no NUL byte to their partitions, uncounted.
    #[inline(always)]
    pub(super) fn scatter<I: Isa>(
        &mut self,
        isa: I,
        window: Window<'_>,
        spans: &[u32],
        scatter: &mut Scatter,
        parts: &mut [KeyCounts],
    ) {
        let sizes = self.fill(isa, spans);
        for &entry in &self.short[..sizes.short] {
            scatter.short(parts, u64::load(window, entry).to_column_form(), 1);
        }
        for &entry in &self.mid[..sizes.mid] {
            scatter.mid(parts, <[u64; 2]>::load(window, entry).to_column_form(), 1);
        }
        for &span in &self.others[..sizes.others] {
            scatter.key(parts, window.slice(span));
        }
    }
}

/// Returns whether a token of at most 16 bytes holds a NUL byte.
#[inline(always)]
fn holds_nul(window: Window<'_>, span: u32) -> bool {
    let (start, end) = (span as u16, (span >> 16) as u16);
    let length = u32::from(end - start);
    // The lowest mark is a NUL; marks above it may be wrong.
    let first_nul = |word: u64| {
        let marks = word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080;
        marks.trailing_zeros() / 8
    };
    let [first, second] = window.two_words(start).map(first_nul);
    length <= 16 && (first < length.min(8) || 8 + second < length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::WindowScratch;

    #[test]
    fn a_nul_makes_a_token_long_only_if_it_is_inside() {
        let mut scratch = WindowScratch::new();
        for filler in [1, 0x80, 0xff, b'a'] {
            for length in 0..=17 {
                for nul in 0..24 {
                    let mut text = [filler; 24];
                    text[nul] = 0;
                    let window = scratch.window(&text, 24);
                    let start = 2;
                    let span = start | (start + length) << 16;
                    let inside = (start..start + length).contains(&(nul as u32));
                    let expected = inside && length <= 16;
                    assert_eq!(
                        holds_nul(window, span),
                        expected,
                        "{length} bytes, NUL at {nul}"
                    );
                }
            }
        }
    }
}
