//! Cuts lines at every separator. With a separator that no line has, each line is a token.

use super::cutter::Cutter;
use super::separator::{Separator, Walk, first_delimiter};
use super::tile::{Cut, Tile};
use crate::isa::{BLOCK, Isa};

/// The rule, and whether the next cut returns an empty token.
pub(crate) struct Split<S> {
    separator: S,
    tile_bytes: usize,
    parts: Parts,
    /// The text ended with a separator, after which there is an empty token.
    has_pending_empty: bool,
}

impl<S> Split<S> {
    pub(crate) fn new(separator: S, tile_bytes: usize) -> Self {
        Self {
            separator,
            tile_bytes,
            parts: Parts::new(tile_bytes),
            has_pending_empty: false,
        }
    }
}

impl<S: Separator> Cutter for Split<S> {
    #[inline(always)]
    fn cut<I: Isa>(&mut self, isa: I, text: &[u8], tile: &mut Tile) -> Cut {
        if core::mem::take(&mut self.has_pending_empty) {
            tile.has_nul = false;
            tile.set_spans(&[0], &[0]);
            return Cut::Tile { next: 0 };
        }
        let size = text.len().min(self.tile_bytes);
        let found = self.parts.find(isa, &self.separator, text, size);
        if found.tokens == 0 && found.next < size {
            return self.cut_long_token(isa, text, size);
        }
        tile.has_nul = found.has_nul;
        tile.set_spans(
            &self.parts.starts[..found.tokens],
            &self.parts.ends[..found.tokens],
        );
        self.has_pending_empty = found.next == text.len() && !found.ends_line;
        Cut::Tile { next: found.next }
    }

    #[inline(always)]
    fn has_more(&self, text: &[u8]) -> bool {
        self.has_pending_empty || !text.is_empty()
    }
}

impl<S: Separator> Split<S> {
    /// Cuts the token that fills the first `size` bytes and does not end there.
    #[inline(always)]
    fn cut_long_token<I: Isa>(&mut self, isa: I, text: &[u8], size: usize) -> Cut {
        let Some(delimiter) = first_delimiter(isa, &self.separator, &text[size..]) else {
            let end = text.len();
            return Cut::LongToken { end, next: end };
        };
        let next = size + delimiter.end;
        self.has_pending_empty = next == text.len() && !delimiter.ends_line;
        Cut::LongToken {
            end: size + delimiter.start,
            next,
        }
    }
}

/// Starts and ends of the parts of the lines of a tile.
pub(super) struct Parts {
    pub(super) starts: Vec<u16>,
    pub(super) ends: Vec<u16>,
}

/// The parts found in a tile.
#[derive(Clone, Copy)]
pub(super) struct Found {
    /// Number of parts that end in the tile; their starts and ends are in [`Parts`].
    pub(super) tokens: usize,
    /// The start of the next part.
    pub(super) next: usize,
    /// Whether a line ends before `next`; otherwise another part of it follows.
    pub(super) ends_line: bool,
    pub(super) has_nul: bool,
}

impl Parts {
    pub(super) fn new(tile_bytes: usize) -> Self {
        // One token before each byte and one after the last; the last block is written whole.
        let room = Tile::max_tokens(tile_bytes) + BLOCK + 1;
        Self {
            starts: vec![0; room],
            ends: vec![0; room],
        }
    }

    /// Finds the parts that end in the first `size` bytes, or at the end of the text.
    #[inline(always)]
    pub(super) fn find<I: Isa, S: Separator>(
        &mut self,
        isa: I,
        separator: &S,
        text: &[u8],
        size: usize,
    ) -> Found {
        let mut walk = Walk::new(isa, separator, text);
        let (mut ended, mut begun) = (0, 0);
        self.starts[0] = 0;
        for base in (0..size).step_by(BLOCK) {
            let marks = walk.step(base);
            let ends = block_of(&mut self.ends, ended);
            ended += isa.positions(marks.firsts, base as u16, ends);
            let starts = block_of(&mut self.starts, begun + 1);
            begun += isa.positions(marks.lasts, base as u16 + 1, starts);
        }
        let mut found = Found {
            tokens: ended,
            next: usize::from(self.starts[begun]),
            ends_line: begun > 0 && text[usize::from(self.starts[begun]) - 1] == b'\n',
            has_nul: walk.has_nul(),
        };
        if ended > begun {
            found.next = walk.next_token_start(size);
            found.ends_line = walk.is_in_line_end();
        } else if size == text.len() && !(found.ends_line && found.next == size) {
            self.ends[ended] = size as u16;
            found.tokens += 1;
            found.next = size;
            found.ends_line = true;
        }
        found
    }

    /// Returns whether a part, one of the first `found.tokens`, is the last of its line.
    #[inline(always)]
    pub(super) fn ends_line(&self, text: &[u8], found: &Found, part: usize) -> bool {
        match self.starts[..found.tokens].get(part + 1) {
            Some(&start) => text[usize::from(start) - 1] == b'\n',
            None => found.ends_line,
        }
    }
}

/// Returns the block of places from `at` on.
#[inline(always)]
fn block_of(places: &mut [u16], at: usize) -> &mut [u16; BLOCK] {
    (&mut places[at..at + BLOCK])
        .try_into()
        .expect("the slice is a block long")
}
