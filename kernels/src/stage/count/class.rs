//! Sorts a tile's tokens by the class of their length, and counts each class in its table.

use super::partition::Scatter;
use crate::Groups;
use crate::buffer::Window;
use crate::isa::Isa;
use crate::table::{CountTable, InlineKey};

/// Lists that are filled and emptied tile by tile.
pub(super) struct Lists {
    short: Vec<u32>,
    /// What is not short; then, in `others`, what is not mid either.
    rest: Vec<u32>,
    mid: Vec<u32>,
    others: Vec<u32>,
    missed_short: Vec<u64>,
    missed_mid: Vec<[u64; 2]>,
}

/// How many spans each list holds.
struct Sizes {
    short: usize,
    mid: usize,
    others: usize,
}

impl Lists {
    /// Makes room for the tokens of a tile.
    pub(super) fn new(tile_bytes: usize) -> Self {
        // A tile of empty tokens has one more than it has bytes; a vector more is written whole.
        let room = tile_bytes + 32;
        let list = || vec![0; room];
        Self {
            short: list(),
            rest: list(),
            mid: list(),
            others: list(),
            missed_short: vec![0; room],
            missed_mid: vec![[0; 2]; room],
        }
    }

    #[inline(always)]
    fn fill<I: Isa>(&mut self, isa: I, spans: &[u32]) -> Sizes {
        let (short, rest) = isa.split_class(1, spans, &mut self.short, &mut self.rest);
        let rest = &self.rest[..rest];
        let (mid, others) = isa.split_class(9, rest, &mut self.mid, &mut self.others);
        Sizes { short, mid, others }
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

    /// Sends tokens that hold no NUL byte to their partitions, uncounted.
    #[inline(always)]
    pub(super) fn scatter<I: Isa>(
        &mut self,
        isa: I,
        window: Window<'_>,
        spans: &[u32],
        scatter: &mut Scatter,
        parts: &mut [Groups],
    ) {
        let sizes = self.fill(isa, spans);
        for &entry in &self.short[..sizes.short] {
            scatter.short(parts, u64::load(window, entry).to_padded_behind(), 1);
        }
        for &entry in &self.mid[..sizes.mid] {
            scatter.mid(parts, <[u64; 2]>::load(window, entry).to_padded_behind(), 1);
        }
        for &span in &self.others[..sizes.others] {
            scatter.key(parts, window.slice(span));
        }
    }
}
