//! Finds the positions of set bits by a table of 256 rows, for levels without a compress
//! instruction.

use super::BLOCK;

/// Row `b` holds the indices of the set bits of `b`, ascending, then zeros.
pub(super) static ROWS: [[u8; 8]; 256] = rows();

const fn rows() -> [[u8; 8]; 256] {
    let mut rows = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut at) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                rows[byte][at] = bit as u8;
                at += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    rows
}

/// See [`super::Isa::positions`]: writes eight whole rows, each overlapping the unused part of the
/// previous one.
#[inline(always)]
pub(super) fn positions(mask: u64, base: u16, out: &mut [u16; BLOCK]) -> usize {
    let mut at = 0usize;
    for byte in 0..8u16 {
        let bits = (mask >> (8 * byte)) as u8;
        let first = base.wrapping_add(8 * byte);
        let row = ROWS[usize::from(bits)].map(|index| u16::from(index).wrapping_add(first));
        // SAFETY: at most 8 places were filled for each earlier byte, so a row of 8 fits.
        unsafe {
            out.as_mut_ptr()
                .add(at)
                .cast::<[u16; 8]>()
                .write_unaligned(row)
        };
        at += bits.count_ones() as usize;
    }
    at
}
