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
    },
}

impl Tile {
    /// Makes room for the tokens of `bytes` bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        // Every byte may be an edge, one more may end the last token, and the last block of
        // positions is written whole.
        Self {
            edges: vec![0; (bytes + 2 * BLOCK) / 2],
            tokens: 0,
            has_nul: false,
        }
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
}
