//! Positions of set bits by a table of 256 rows, for levels without a compress instruction.

use super::BLOCK;

/// Row `b` holds the indices of the set bits of `b`, ascending.
static ROWS: [[u16; 8]; 256] = rows();

const fn rows() -> [[u16; 8]; 256] {
    let mut rows = [[0u16; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut at) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                rows[byte][at] = bit as u16;
                at += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    rows
}

/// See [`super::Isa::positions`]: eight rows, each written whole and overlapped by the next.
#[inline(always)]
pub(super) fn positions(mask: u64, base: u16, out: &mut [u16; BLOCK]) -> usize {
    let mut at = 0usize;
    for byte in 0..8u16 {
        let bits = (mask >> (8 * byte)) as u8;
        let row = &ROWS[usize::from(bits)];
        // At most 8 indices per byte came before, so the row always fits.
        let place = &mut out[at..at + 8];
        for (slot, index) in place.iter_mut().zip(row) {
            *slot = index.wrapping_add(base.wrapping_add(8 * byte));
        }
        at += bits.count_ones() as usize;
    }
    at
}
