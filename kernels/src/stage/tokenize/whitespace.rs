//! Cuts text at white space: ASCII, and Unicode if a tile has bytes above 0x7f.
//!
//! ```text
//! text       t h e · · f o x ·          · is white space
//! separators 0 0 0 1 1 0 0 0 1
//! edges      1 0 0 1 0 1 0 0 1          separators XOR separators shifted by one
//! positions  0 3 5 8                    start, end, start, end
//! ```
//!
//! Classifying a block, shifting, and writing the edge positions needs no branch on the data. A
//! tile is read as ASCII first. If it has a byte above 0x7f, it is read again with the Unicode
//! classes, and so are the next tiles, until one has no such byte.

use super::cutter::Cutter;
use super::tile::{Cut, Tile};
use crate::isa::{BLOCK, Isa};

/// Bytes after a block that its classification reads.
const LOOKAHEAD: usize = 2;

/// The rule and its state.
pub(crate) struct Whitespace {
    tile_bytes: usize,
    /// Whether the last tile had bytes above 0x7f.
    unicode: bool,
}

impl Whitespace {
    pub(crate) fn new(tile_bytes: usize) -> Self {
        Self {
            tile_bytes,
            unicode: false,
        }
    }
}

impl Cutter for Whitespace {
    #[inline(always)]
    fn cut<I: Isa>(&mut self, isa: I, text: &[u8], tile: &mut Tile) -> Cut {
        let size = text.len().min(self.tile_bytes);
        let mut found = Found::default();
        if !self.unicode {
            found = find_edges::<I, false>(isa, text, size, tile);
            self.unicode = found.non_ascii;
        }
        if self.unicode {
            found = find_edges::<I, true>(isa, text, size, tile);
            self.unicode = found.non_ascii;
        }
        tile.has_nul = found.nul;
        self.finish_tile(isa, text, size, tile, found)
    }
}

impl Whitespace {
    /// Finishes a tile: handles a token that crosses its end.
    #[inline(always)]
    fn finish_tile<I: Isa>(
        &self,
        isa: I,
        text: &[u8],
        size: usize,
        tile: &mut Tile,
        found: Found,
    ) -> Cut {
        let mut edges = found.edges;
        if edges.is_multiple_of(2) {
            tile.set_edges(edges);
            return Cut::Tile {
                next: (size + found.overhang).min(text.len()),
            };
        }
        if size == text.len() {
            tile.edges()[edges] = size as u16;
            edges += 1;
            tile.set_edges(edges);
            return Cut::Tile { next: size };
        }
        let start = usize::from(tile.edges()[edges - 1]);
        if start == 0 {
            let end = end_of_token(isa, text, size);
            return Cut::LongToken { end, next: end };
        }
        tile.set_edges(edges);
        Cut::Tile { next: start }
    }
}

/// The result of scanning the blocks of a tile.
#[derive(Clone, Copy, Default)]
struct Found {
    edges: usize,
    non_ascii: bool,
    nul: bool,
    /// Number of bytes after the tile of a white-space character that crosses its end.
    overhang: usize,
}

#[inline(always)]
fn find_edges<I: Isa, const UNICODE: bool>(
    isa: I,
    text: &[u8],
    size: usize,
    tile: &mut Tile,
) -> Found {
    let edges = tile.edges();
    let (whole, _) = text[..size].as_chunks::<BLOCK>();
    let mut walk = Walk::new(isa);
    for (i, block) in whole.iter().enumerate() {
        walk.step::<UNICODE>(isa, block, || &text[i * BLOCK..], i * BLOCK, edges);
    }
    let done = whole.len() * BLOCK;
    if done < size {
        // Padding with white space ends the last token at the end of the text.
        let mut padded = [b' '; BLOCK];
        padded[..size - done].copy_from_slice(&text[done..size]);
        walk.step::<UNICODE>(isa, &padded, || &text[done..], done, edges);
        walk.carry = 0;
    }
    walk.found(isa)
}

/// The state between blocks.
struct Walk<I: Isa> {
    edges: usize,
    /// Bit 0: the byte before the block is a separator.
    before: u64,
    /// The first bits of the block that belong to a white-space character of the previous block.
    carry: u64,
    any: I::Block,
    zeros: I::Zeros,
}

impl<I: Isa> Walk<I> {
    #[inline(always)]
    fn new(isa: I) -> Self {
        let space = isa.load(&[b' '; BLOCK]);
        Self {
            edges: 0,
            before: 1,
            carry: 0,
            any: space,
            zeros: isa.no_zeros(),
        }
    }

    #[inline(always)]
    fn step<'a, const UNICODE: bool>(
        &mut self,
        isa: I,
        bytes: &[u8; BLOCK],
        behind: impl Fn() -> &'a [u8],
        base: usize,
        edges: &mut [u16],
    ) {
        isa.prefetch(bytes);
        let block = isa.load(bytes);
        let mut separators = isa.ascii_space(block);
        if UNICODE {
            separators |= self.carry;
            self.carry = 0;
            let leads = isa.equal(block, 0xc2) | isa.in_range(block, 0xe1, 0xe3);
            if leads != 0 {
                let (here, carry) = unicode_spaces(isa, block, behind());
                separators |= here;
                self.carry = carry;
            }
        }
        let changes = separators ^ (separators << 1 | self.before);
        self.before = separators >> 63;
        self.any = isa.or(self.any, block);
        self.zeros = isa.note_zeros(self.zeros, block);
        let place = &mut edges[self.edges..self.edges + BLOCK];
        let place = place.try_into().expect("the slice is a block long");
        self.edges += isa.positions(changes, base as u16, place);
    }

    #[inline(always)]
    fn found(self, isa: I) -> Found {
        Found {
            edges: self.edges,
            non_ascii: isa.has_non_ascii(self.any),
            nul: isa.any_zeros(self.zeros),
            overhang: self.carry.trailing_ones() as usize,
        }
    }
}

/// Marks the bytes of non-ASCII white-space characters that begin in a block.
///
/// Returns the mask of the block, and the bits for the next block.
#[inline(always)]
pub(crate) fn unicode_spaces<I: Isa>(isa: I, block: I::Block, text: &[u8]) -> (u64, u64) {
    let mut padded = [0; BLOCK + LOOKAHEAD];
    let bytes = match text.first_chunk::<{ BLOCK + LOOKAHEAD }>() {
        Some(bytes) => bytes,
        None => {
            padded[..text.len()].copy_from_slice(text);
            &padded
        }
    };
    let second = isa.load(bytes[1..=BLOCK].try_into().expect("64 of 66 bytes"));
    let third = isa.load(bytes[2..].try_into().expect("64 of 66 bytes"));
    let starts_80 = isa.equal(second, 0x80);
    // U+0085 and U+00A0
    let two = isa.equal(block, 0xc2) & (isa.equal(second, 0x85) | isa.equal(second, 0xa0));
    // U+1680
    let ogham = isa.equal(block, 0xe1) & isa.equal(second, 0x9a) & isa.equal(third, 0x80);
    // U+2000 to U+200A, U+2028, U+2029, U+202F and, after 0x81, U+205F
    let general =
        isa.in_range(third, 0x80, 0x8a) | isa.in_range(third, 0xa8, 0xa9) | isa.equal(third, 0xaf);
    let medium = isa.equal(second, 0x81) & isa.equal(third, 0x9f);
    let punctuation = isa.equal(block, 0xe2) & ((starts_80 & general) | medium);
    // U+3000
    let ideographic = isa.equal(block, 0xe3) & starts_80 & isa.equal(third, 0x80);
    let three = ogham | punctuation | ideographic;
    let here = two | two << 1 | three | three << 1 | three << 2;
    (here, two >> 63 | three >> 63 | three >> 62)
}

/// Finds the end of the token that fills the first `from` bytes, a whole number of blocks.
#[inline(always)]
fn end_of_token<I: Isa>(isa: I, text: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < text.len() {
        let mut padded = [b' '; BLOCK];
        let bytes = match text[at..].first_chunk::<BLOCK>() {
            Some(bytes) => bytes,
            None => {
                padded[..text.len() - at].copy_from_slice(&text[at..]);
                &padded
            }
        };
        let block = isa.load(bytes);
        let separators = isa.ascii_space(block) | unicode_spaces(isa, block, &text[at..]).0;
        if separators != 0 {
            return at + separators.trailing_zeros() as usize;
        }
        at += BLOCK;
    }
    text.len()
}
