//! Finds one field of each line.
//!
//! ```text
//! line    k 1 , 9 \n 7 \n k 2 , 5 \n        field 2 of lines split at ","
//! parts   k1 | 9   | 7  | k2 | 5
//! fields  9, 5; the line "7" has no second field and is rejected
//! ```
//!
//! Tiles end with a line. In a line longer than a tile the field is searched part by part.

use core::num::NonZeroUsize;

use super::cutter::Cutter;
use super::separator::{Separator, first_delimiter};
use super::split::{Found, Parts};
use super::tile::{Cut, Tile};
use crate::isa::Isa;

/// The rule, and the field of a long line that the next cut returns.
pub(crate) struct Field<S> {
    index: usize,
    separator: S,
    tile_bytes: usize,
    parts: Parts,
    /// The index of the last part of each line of the tile.
    line_ends: Vec<u16>,
    starts: Vec<u16>,
    ends: Vec<u16>,
    pending: Option<PendingField>,
    rejected: u64,
}

/// A field at the beginning of the rest of the text.
#[derive(Clone, Copy)]
struct PendingField {
    length: usize,
    /// Where the next line begins.
    next: usize,
}

impl<S> Field<S> {
    pub(crate) fn new(index: NonZeroUsize, separator: S, tile_bytes: usize) -> Self {
        Self {
            index: index.get(),
            separator,
            tile_bytes,
            parts: Parts::new(tile_bytes),
            line_ends: vec![0; Tile::max_tokens(tile_bytes) + 1],
            starts: Vec::new(),
            ends: Vec::new(),
            pending: None,
            rejected: 0,
        }
    }
}

impl<S: Separator> Cutter for Field<S> {
    #[inline(always)]
    fn cut<I: Isa>(&mut self, isa: I, text: &[u8], tile: &mut Tile) -> Cut {
        if let Some(pending) = self.pending.take() {
            return self.cut_pending(text, pending, tile);
        }
        let size = text.len().min(self.tile_bytes);
        let found = self.parts.find(isa, &self.separator, text, size);
        let lines = self.find_lines(text, &found);
        let next = match lines {
            _ if found.ends_line => found.next,
            0 => return self.cut_long_line(isa, text, tile),
            _ => usize::from(self.parts.starts[usize::from(self.line_ends[lines - 1]) + 1]),
        };
        self.select_fields(lines);
        tile.has_nul = found.has_nul;
        tile.set_spans(&self.starts, &self.ends);
        Cut::Tile { next }
    }

    #[inline(always)]
    fn has_more(&self, text: &[u8]) -> bool {
        self.pending.is_some() || !text.is_empty()
    }

    fn take_rejected(&mut self) -> u64 {
        core::mem::take(&mut self.rejected)
    }
}

impl<S: Separator> Field<S> {
    /// Lists the last part of each line, and counts the lines.
    #[inline(always)]
    fn find_lines(&mut self, text: &[u8], found: &Found) -> usize {
        let mut lines = 0;
        for part in 0..found.tokens {
            self.line_ends[lines] = part as u16;
            lines += usize::from(self.parts.ends_line(text, found, part));
        }
        lines
    }

    /// Selects the field of each line, or rejects the line.
    #[inline(always)]
    fn select_fields(&mut self, lines: usize) {
        self.starts.clear();
        self.ends.clear();
        let mut first = 0;
        for &last in &self.line_ends[..lines] {
            let last = usize::from(last);
            if self.index <= last + 1 - first {
                let part = first + self.index - 1;
                self.starts.push(self.parts.starts[part]);
                self.ends.push(self.parts.ends[part]);
            } else {
                self.rejected += 1;
            }
            first = last + 1;
        }
    }

    /// Searches the field of a line that does not end in the tile.
    #[inline(always)]
    fn cut_long_line<I: Isa>(&mut self, isa: I, text: &[u8], tile: &mut Tile) -> Cut {
        tile.set_edges(0);
        let mut field = None;
        let mut begin = 0;
        let mut index = 1;
        let next = loop {
            let delimiter = first_delimiter(isa, &self.separator, &text[begin..]);
            let end = delimiter.map_or(text.len(), |found| begin + found.start);
            if index == self.index {
                field = Some((begin, end));
            }
            index += 1;
            match delimiter {
                Some(found) if !found.ends_line => begin += found.end,
                Some(found) => break begin + found.end,
                None => break text.len(),
            }
        };
        let Some((start, end)) = field else {
            self.rejected += 1;
            return Cut::Tile { next };
        };
        self.pending = Some(PendingField {
            length: end - start,
            next: next - start,
        });
        Cut::Tile { next: start }
    }

    #[inline(always)]
    fn cut_pending(&self, text: &[u8], pending: PendingField, tile: &mut Tile) -> Cut {
        let PendingField { length, next } = pending;
        if length > self.tile_bytes {
            return Cut::LongToken { end: length, next };
        }
        tile.has_nul = text[..length].contains(&0);
        tile.set_spans(&[0], &[length as u16]);
        Cut::Tile { next }
    }
}
