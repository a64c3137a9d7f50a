//! Cuts text into runs of word characters: Alphabetic, Mark or Number.
//!
//! ASCII is classified block by block; other characters are decoded one by one. A byte that is not
//! part of a valid character is a separator.

use super::cutter::Cutter;
use super::tile::{Cut, Tile};
use crate::isa::{BLOCK, Isa};
use crate::unicode::{decode, is_word};

/// The rule.
pub(crate) struct Words {
    tile_bytes: usize,
}

impl Words {
    pub(crate) fn new(tile_bytes: usize) -> Self {
        Self { tile_bytes }
    }
}

impl Cutter for Words {
    #[inline(always)]
    fn cut<I: Isa>(&mut self, isa: I, text: &[u8], tile: &mut Tile) -> Cut {
        let size = text.len().min(self.tile_bytes);
        let edges = tile.edges();
        let (mut carry, mut before, mut written) = (0, 0, 0);
        for base in (0..size).step_by(BLOCK) {
            let word = word_bytes(isa, &text[base..], &mut carry);
            let changes = word ^ (word << 1 | before);
            before = word >> 63;
            let place = &mut edges[written..written + BLOCK];
            let place = place.try_into().expect("the slice is a block long");
            written += isa.positions(changes, base as u16, place);
        }
        // A short block is padded with separators, which end the last word. A word that ends with a
        // full last block has no end yet.
        if size == text.len() && written % 2 == 1 {
            edges[written] = size as u16;
            written += 1;
        }
        let begun = (written % 2 == 1).then(|| usize::from(edges[written - 1]));
        tile.has_nul = false;
        tile.set_edges(written);
        match begun {
            None => Cut::Tile { next: size },
            Some(0) => {
                let end = end_of_word(isa, text, size);
                Cut::LongToken { end, next: end }
            }
            Some(start) => Cut::Tile { next: start },
        }
    }
}

/// Marks the bytes of word characters in the first block of `text`.
///
/// `carry` holds the first bits of the block that belong to a character of the previous block; it
/// is set to those of the next block.
#[inline(always)]
pub(crate) fn word_bytes<I: Isa>(isa: I, text: &[u8], carry: &mut u64) -> u64 {
    let mut padded = [b' '; BLOCK];
    let bytes = match text.first_chunk::<BLOCK>() {
        Some(bytes) => bytes,
        None => {
            padded[..text.len()].copy_from_slice(text);
            &padded
        }
    };
    let block = isa.load(bytes);
    let letters = isa.in_range(block, b'a', b'z') | isa.in_range(block, b'A', b'Z');
    let mut word = letters | isa.in_range(block, b'0', b'9') | *carry;
    *carry = 0;
    if isa.has_non_ascii(block) {
        let mut leads = isa.in_range(block, 0xc2, 0xf4);
        while leads != 0 {
            let at = leads.trailing_zeros();
            leads &= leads - 1;
            let bits = u128::from(character_bits(&text[at as usize..])) << at;
            word |= bits as u64;
            *carry |= (bits >> 64) as u64;
        }
    }
    word
}

/// Returns one bit for each byte of the word character at the beginning of the text, or 0.
#[inline(always)]
fn character_bits(text: &[u8]) -> u64 {
    match decode(text) {
        Some((point, length)) if is_word(point) => (1 << length) - 1,
        _ => 0,
    }
}

/// Finds the end of the word that fills the first `size` bytes.
#[inline(always)]
fn end_of_word<I: Isa>(isa: I, text: &[u8], size: usize) -> usize {
    // Begin with the last character, which may cross `size`.
    let mut at = size;
    while text[at] & 0xc0 == 0x80 && at > size - 4 {
        at -= 1;
    }
    let mut carry = 0;
    while at < text.len() {
        let word = word_bytes(isa, &text[at..], &mut carry);
        if word != u64::MAX {
            return (at + word.trailing_ones() as usize).min(text.len());
        }
        at += BLOCK;
    }
    text.len()
}
