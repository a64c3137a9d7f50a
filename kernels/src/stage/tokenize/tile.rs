//! The tokens of one tile of text: what the rules write and the counting reads.

use crate::isa::BLOCK;

/// Token spans relative to the tile's first byte, each `start | end << 16`.
pub(crate) struct Tile {
    /// Starts and ends in turn, 16 bits each; pairs of them are read as spans.
    edges: Vec<u32>,
    tokens: usize,
    /// Whether a NUL byte may stand in the tile.
    pub(crate) has_nul: bool,
}

/// What a rule made of the text it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The tokens are in the tile, and the next tile begins `next` bytes further on.
    Tile {
        /// How many bytes are done with.
        next: usize,
    },
    /// One token longer than a tile, from the first byte to `end`.
    Giant {
        /// Where it ends.
        end: usize,
        /// How many bytes are done with: the token, and for some rules what ended it.
        next: usize,
    },
}

impl Tile {
    /// Makes room for the tokens of `bytes` bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            edges: vec![0; Self::most_tokens(bytes) + BLOCK],
            tokens: 0,
            has_nul: false,
        }
    }

    /// How many tokens a tile of `bytes` bytes may have: before each byte one that is empty, and
    /// one behind the last.
    pub(crate) const fn most_tokens(bytes: usize) -> usize {
        bytes + 1
    }

    /// The spans found.
    #[inline(always)]
    pub(crate) fn spans(&self) -> &[u32] {
        &self.edges[..self.tokens]
    }

    /// Where the edges are written, starts and ends in turn.
    #[inline(always)]
    pub(crate) fn edges(&mut self) -> &mut [u16] {
        bytemuck::cast_slice_mut(&mut self.edges)
    }

    /// Says how many of the edges were written; an odd last one is not a token yet.
    #[inline(always)]
    pub(crate) fn set_edges(&mut self, edges: usize) {
        self.tokens = edges / 2;
    }

    /// Takes starts and ends that stand in lists of their own.
    #[inline(always)]
    pub(crate) fn set_spans(&mut self, starts: &[u16], ends: &[u16]) {
        self.tokens = starts.len().min(ends.len());
        for ((span, &start), &end) in self.edges.iter_mut().zip(starts).zip(ends) {
            *span = u32::from(start) | u32::from(end) << 16;
        }
    }
}
