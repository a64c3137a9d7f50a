//! Sorts a tile's tokens by the class of their length, and counts each class in its table.

use super::partition::Scatter;
use crate::Groups;
use crate::buffer::Window;
use crate::isa::Isa;
use crate::table::{CountTable, InlineKey};

/// Lists that are filled and emptied tile by tile.
pub(super) struct Lists {
    short: Vec<u32>,
    rest: Vec<u32>,
    mid: Vec<u32>,
    missed_short: Vec<u64>,
    missed_mid: Vec<[u64; 2]>,
}

impl Lists {
    /// Makes room for the tokens of a tile.
    pub(super) fn new(tile_bytes: usize) -> Self {
        // A tile of empty tokens has one more than it has bytes; a vector more is written whole.
        let room = tile_bytes + 32;
        Self {
            short: vec![0; room],
            rest: vec![0; room],
            mid: vec![0; room],
            missed_short: vec![0; room],
            missed_mid: vec![[0; 2]; room],
        }
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
        let (shorts, rests) = isa.split_short(spans, &mut self.short, &mut self.rest);
        for &entry in &self.short[..shorts] {
            let key = u64::load(window, entry).to_padded_behind();
            scatter.short(parts, key, 1);
        }
        for &span in &self.rest[..rests] {
            let length = (span >> 16) - (span & 0xffff);
            if length.wrapping_sub(9) < 8 {
                let key = <[u64; 2]>::load(window, mid_entry(span)).to_padded_behind();
                scatter.mid(parts, key, 1);
            } else {
                scatter.key(parts, window.slice(span));
            }
        }
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
        let (shorts, rests) = isa.split_short(spans, &mut self.short, &mut self.rest);
        table
            .short
            .count(window, &self.short[..shorts], &mut self.missed_short);
        let mut mids = 0;
        for &span in &self.rest[..rests] {
            let length = (span >> 16) - (span & 0xffff);
            if length.wrapping_sub(9) < 8 {
                self.mid[mids] = mid_entry(span);
                mids += 1;
            } else if length == 0 {
                table.empty += 1;
            } else {
                table.long.add(window.slice(span), 1);
            }
        }
        table
            .mid
            .count(window, &self.mid[..mids], &mut self.missed_mid);
    }
}

/// `start | shift << 16`, where `shift` moves the key's last byte to the top of its second word.
#[inline(always)]
fn mid_entry(span: u32) -> u32 {
    let bits = (span.wrapping_sub(span >> 16) & 7) << 3;
    (span & 0xffff) | bits << 16
}
