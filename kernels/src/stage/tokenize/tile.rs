//! The tokens of one tile of text, written by rules and read by the count.

use crate::isa::BLOCK;

/// Token spans relative to the tile's first byte, each `start | end << 16`.
pub(crate) struct Tile {
    /// Starts and ends alternately, 16 bits each; a pair is read as a span.
    edges: Vec<u32>,
    tokens: usize,
    /// Whether the tile may hold a NUL byte.
    pub(crate) has_nul: bool,
}

/// The result of cutting the first tile of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The tokens are in the tile, and the next tile begins at `next`.
    Tile {
        /// Number of processed bytes.
        next: usize,
    },
    /// One token longer than a tile, from the first byte to `end`.
    LongToken {
        /// The end of the token.
        end: usize,
        /// Number of processed bytes: the token, and for some rules the separator after it.
        next: usize,
    },
}

impl Tile {
    /// Makes a tile with room for the tokens of `bytes` bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            edges: vec![0; Self::max_tokens(bytes) + BLOCK],
            tokens: 0,
            has_nul: false,
        }
    }

    /// Returns the maximum number of tokens of `bytes` bytes: an empty one before each byte, and
    /// one after the last byte.
    pub(crate) const fn max_tokens(bytes: usize) -> usize {
        bytes + 1
    }

    /// Returns the spans of the tokens.
    #[inline(always)]
    pub(crate) fn spans(&self) -> &[u32] {
        &self.edges[..self.tokens]
    }

    /// Returns the array to which starts and ends are written alternately.
    #[inline(always)]
    pub(crate) fn edges(&mut self) -> &mut [u16] {
        bytemuck::cast_slice_mut(&mut self.edges)
    }

    /// Sets the number of written edges; an odd last one is not a token yet.
    #[inline(always)]
    pub(crate) fn set_edges(&mut self, edges: usize) {
        self.tokens = edges / 2;
    }

    /// Sets the spans from separate lists of starts and ends.
    #[inline(always)]
    pub(crate) fn set_spans(&mut self, starts: &[u16], ends: &[u16]) {
        self.tokens = starts.len().min(ends.len());
        for ((span, &start), &end) in self.edges.iter_mut().zip(starts).zip(ends) {
            *span = u32::from(start) | u32::from(end) << 16;
        }
    }
}
